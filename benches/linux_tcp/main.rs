//! glassnet's own TCP beside Linux's, on the same paths: `cargo bench --bench linux_tcp`, or with
//! `-- goodput`, `short`, `fair` for one table, and `--runs N` for more or fewer runs of each row with
//! random losses (30 by default, as of Linux's column).
//!
//! Linux's column is of Linux 6.1.192 (Debian 12) in a virtual machine whose time is virtual, taken on
//! 2026-11-28 (`linux.txt` has each run). Losses at random are drawn by each on its own, so such rows
//! are means with their 95 % interval: a row agrees where the means differ by less than 10 %, or the
//! intervals overlap; one without loss where they differ by less than 2 %, or, where it is a time,
//! by less than 1 ms.

#![allow(clippy::unwrap_used, missing_docs)]

mod fair;
mod goodput;
mod linux;
mod samples;
mod short;
mod table;

use std::process::ExitCode;

const JOBS: [&str; 3] = ["goodput", "short", "fair"];

struct Asked {
    jobs: Vec<String>,
    runs: u32,
}

#[allow(clippy::disallowed_methods, reason = "it is no world that asks for the command line")]
fn asked() -> Result<Asked, String> {
    let mut asked = Asked { jobs: Vec::new(), runs: 30 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // What cargo adds.
            "--bench" | "--test" => {}
            "--runs" => {
                let runs = arguments.next().and_then(|runs| runs.parse().ok());
                asked.runs = runs.filter(|runs| *runs > 0).ok_or("--runs takes a number")?;
            }
            job if JOBS.contains(&job) => asked.jobs.push(job.to_owned()),
            other => return Err(format!("{other:?}? Give some of {}", JOBS.join(", "))),
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("linux_tcp: {error}");
            return ExitCode::FAILURE;
        }
    };
    let is_asked = |job: &str| asked.jobs.is_empty() || asked.jobs.iter().any(|it| it == job);
    let linux = linux::Column::read();
    if is_asked("goodput") {
        goodput::print(&linux, asked.runs);
    }
    if is_asked("short") {
        short::print(&linux, asked.runs);
    }
    if is_asked("fair") {
        fair::print(&linux);
    }
    ExitCode::SUCCESS
}
