//! The same jobs with glassnet and with its peers, in one table with ratios.
//! The README says how to read it.

use std::process::ExitCode;
use std::time::Duration;

mod application;
mod bare;
#[cfg(feature = "glassnet")]
mod glassnet;
mod job;
mod kernel;
mod options;
mod table;
mod turmoil;
mod turmoil_net;

use job::{BUFFER, Job, Measured, Pings, Result, SMALL_BUFFER};
use options::{Options, USAGE};
use table::{Cell, Table};

/// `None`: this peer cannot do this job.
type Run = fn(&Job) -> Result<Option<Measured>>;

const PEERS: &[(&str, Run)] = &[
    #[cfg(feature = "glassnet")]
    ("glassnet", glassnet::run),
    ("bare smoltcp", bare::run),
    ("turmoil", turmoil::run),
    ("turmoil-net", turmoil_net::run),
    ("kernel", kernel::run),
];

/// One row of the table.
pub struct Row {
    /// What `--only` takes.
    key: String,
    job: Job,
    /// The key of the row whose figure of the same peer this one is compared with.
    base: Option<&'static str>,
}

fn main() -> ExitCode {
    match compare() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether no measurement failed.
fn compare() -> Result<bool> {
    let options = Options::parse(std::env::args().skip(1))?;
    if options.help {
        print!("{USAGE}");
        return Ok(true);
    }
    let peers: Vec<(&str, Run)> = PEERS
        .iter()
        .filter(|(name, _)| options.only_peer.as_deref().is_none_or(|only| only == *name))
        .copied()
        .collect();
    let mut rows = rows(options.quick);
    rows.retain(|row| options.wants(&row.key));
    if peers.is_empty() || rows.is_empty() {
        return Err("no such job or peer; run without --only to see their names".into());
    }

    let cells = measure(&rows, &peers, options.runs());

    let date = match &options.date {
        Some(date) => date.clone(),
        None => table::today()?,
    };
    let names: Vec<&str> = peers.iter().map(|(name, _)| *name).collect();
    println!(
        "{date}, {}, `{}`, {}",
        table::machine(),
        command_line(),
        match options.runs() {
            1 => "one run".into(),
            runs => format!("median of {runs} runs"),
        }
    );
    println!();
    Table { rows: &rows, peers: &names, cells: &cells }.print();
    Ok(!cells.iter().flatten().any(|cell| matches!(cell, Cell::Failed)))
}

/// What was run, without the folder it was built in.
fn command_line() -> String {
    std::iter::once("peers".to_string())
        .chain(std::env::args().skip(1))
        .collect::<Vec<_>>()
        .join(" ")
}

fn rows(quick: bool) -> Vec<Row> {
    let count = if quick { 500 } else { 10_000 };
    let bytes = if quick { 16 << 20 } else { 256 << 20 };
    let pings = Pings {
        most: if quick { 500 } else { 20_000 },
        budget: Duration::from_millis(if quick { 200 } else { 2_000 }),
    };
    let connections: &[usize] = if quick { &[1, 1_000] } else { &[1, 1_000, 10_000, 50_000] };
    let hosts: &[usize] = if quick { &[0, 98] } else { &[0, 98, 10_000] };

    let mut rows = vec![
        Row {
            key: "greetings/64KiB".into(),
            job: Job::Greetings { count, buffer: BUFFER },
            base: None,
        },
        Row {
            key: "greetings/4KiB".into(),
            job: Job::Greetings { count, buffer: SMALL_BUFFER },
            base: None,
        },
        Row {
            key: "greetings/captured".into(),
            job: Job::CapturedGreetings { count },
            base: Some("greetings/64KiB"),
        },
    ];
    for (key, mtu, each_frame) in [
        ("bulk/1500", 1500, false),
        ("bulk/1500/each-frame", 1500, true),
        ("bulk/65535", 65535, false),
    ] {
        rows.push(Row { key: key.into(), job: Job::Bulk { bytes, mtu, each_frame }, base: None });
    }
    for &idle in connections {
        rows.push(Row {
            key: format!("connections/{idle}"),
            job: Job::IdleConnections { idle, pings },
            base: (idle > 1).then_some("connections/1"),
        });
    }
    for &idle in hosts {
        rows.push(Row {
            key: format!("hosts/{idle}"),
            job: Job::IdleHosts { idle, pings },
            base: (idle > 0).then_some("hosts/0"),
        });
    }
    for &hosts in if quick { &[16, 64][..] } else { &[256, 10_000] } {
        rows.push(Row {
            key: format!("active/{hosts}"),
            job: Job::ActiveHosts { hosts, messages: if quick { 1_000 } else { 200_000 } },
            base: (hosts > 256).then_some("active/256"),
        });
    }
    rows
}

/// All rows and peers do one run before any does the next, so that a machine whose speed drifts
/// meets all of them alike: rows are compared with each other, too.
fn measure(rows: &[Row], peers: &[(&str, Run)], runs: usize) -> Vec<Vec<Cell>> {
    let mut figures = vec![vec![Vec::new(); peers.len()]; rows.len()];
    let mut cells = vec![vec![Cell::Impossible; peers.len()]; rows.len()];
    for _ in 0..runs {
        for (at, row) in rows.iter().enumerate() {
            for (peer, (name, run)) in peers.iter().enumerate() {
                if matches!(cells[at][peer], Cell::Failed) {
                    continue;
                }
                match run(&row.job) {
                    Ok(Some(measured)) => {
                        let figure = row.job.figure(measured);
                        eprintln!("{} {name}: {figure:.2} {}", row.key, row.job.unit());
                        figures[at][peer].push(figure);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        eprintln!("{} {name} failed: {error}", row.key);
                        cells[at][peer] = Cell::Failed;
                    }
                }
            }
        }
    }
    for (cell, figures) in cells.iter_mut().flatten().zip(figures.iter_mut().flatten()) {
        if !figures.is_empty() && !matches!(cell, Cell::Failed) {
            *cell = Cell::Figure(table::median(figures));
        }
    }
    cells
}
