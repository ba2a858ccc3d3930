//! `glassnet packetdrill`: packetdrill's scripts against a simulated host.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use glassnet::packetdrill::{Drill, Script, Verdict};
use glassnet::{HostOptions, TcpEngine};

use super::output;
use super::values;

/// The longest file that is read, in bytes: one more than a script may have.
const MAX_FILE: u64 = (1 << 20) + 1;

/// Run packetdrill scripts against a simulated host
///
/// Each script runs in virtual time against a host of its own with glassnet's TCP/IP stack,
/// by default as Linux 6.1 is set up, and says which segments must leave when. The same script
/// and seed give the same segments. A script that fails says which line, what was expected
/// and what came. Of several files a table is printed. The exit code is 1 when one fails.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, visible_alias = "drill", after_long_help = HELP)]
pub(crate) struct Packetdrill {
    /// Scripts
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// What speaks TCP on the host: glassnet or smoltcp
    #[arg(long, value_name = "ENGINE", default_value = "glassnet", value_parser = engine)]
    engine: TcpEngine,

    /// Seed of the host's first sequence numbers and ports
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::seed)]
    seed: u64,

    /// Microseconds that what is expected may be early or late [default: 4000, or an
    /// eighth of the time since the event before]
    #[arg(long = "tolerance_usecs", alias = "tolerance-usecs", value_name = "MICROSECONDS")]
    tolerance_usecs: Option<u64>,

    /// Leave out commands that are not understood, and settings that hosts do not have
    #[arg(long)]
    ignore_commands: bool,

    /// A word of the scripts, and what it stands for
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE", value_parser = define)]
    defines: Vec<(String, String)>,

    /// Capture what passes the host's interface; pcapng, or classic pcap by its name
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

const HELP: &str = glassnet::packetdrill::SYNTAX;

fn engine(text: &str) -> Result<TcpEngine, String> {
    match text {
        "glassnet" => Ok(TcpEngine::Glassnet),
        "smoltcp" => Ok(TcpEngine::Smoltcp),
        _ => Err("there are glassnet and smoltcp".to_owned()),
    }
}

fn define(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("not of the form NAME=VALUE".to_owned()),
    }
}

/// What came of a file.
struct Row<'f> {
    file: &'f Path,
    printed: String,
    verdict: Result<Verdict, String>,
}

impl Packetdrill {
    pub(crate) fn run(&self) -> ExitCode {
        if self.pcap.is_some() && self.files.len() > 1 {
            return output::misused("--pcap captures one script: there are several files");
        }
        let rows: Vec<Row<'_>> = self.files.iter().map(|file| self.row(file)).collect();
        let printed = match &rows[..] {
            [row] => row.print_alone(&mut io::stdout()),
            rows => print_table(rows, &mut io::stdout()),
        };
        if let Err(error) = printed {
            return output::failed(&format!("standard output: {error}"), None);
        }
        let is_unreadable = |row: &Row<'_>| row.verdict.is_err();
        let has_failed = |row: &Row<'_>| matches!(row.verdict, Ok(Verdict::Failed { .. }));
        if rows.iter().any(is_unreadable) && self.files.len() == 1 {
            ExitCode::from(output::MISUSED)
        } else if rows.iter().any(|row| is_unreadable(row) || has_failed(row)) {
            ExitCode::from(output::FAILED)
        } else {
            ExitCode::SUCCESS
        }
    }

    fn row<'f>(&self, file: &'f Path) -> Row<'f> {
        let text = match read(file) {
            Ok(text) => text,
            Err(error) => {
                return Row { file, printed: String::new(), verdict: Err(error.to_string()) };
            }
        };
        let defines: BTreeMap<String, String> = self.defines.iter().cloned().collect();
        let script = match Script::parse_with(&file.display().to_string(), &text, &defines) {
            Ok(script) => script,
            Err(error) => {
                let (line, why) = (error.line(), error.reason().to_owned());
                let verdict = match error.is_unsupported() {
                    true => Ok(Verdict::Skipped { line, why }),
                    false => Err(error.to_string()),
                };
                return Row { file, printed: String::new(), verdict };
            }
        };
        let mut drill = Drill::new()
            .seed(self.seed)
            .ignore_commands(self.ignore_commands)
            .host_options(match self.engine {
                TcpEngine::Smoltcp => HostOptions::default(),
                engine => HostOptions::linux().tcp_engine(engine),
            });
        if let Some(micros) = self.tolerance_usecs {
            drill = drill.tolerance_usecs(micros);
        }
        if let Some(path) = &self.pcap {
            drill = drill.capture(path);
        }
        let outcome = drill.run(&script);
        Row { file, printed: outcome.printed, verdict: Ok(outcome.verdict) }
    }
}

/// The text of a script; no more of it than a script may have.
fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(file)?.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

impl Row<'_> {
    /// The word of the table, and the line and the reason where there is one.
    fn parts(&self) -> (&'static str, Option<(u32, &str)>) {
        match &self.verdict {
            Ok(Verdict::Passed) => ("PASS", None),
            Ok(Verdict::Failed { line, why }) => ("FAIL", Some((*line, why))),
            Ok(Verdict::Skipped { line, why }) => ("SKIP", Some((*line, why))),
            Ok(_) => ("FAIL", None),
            Err(why) => ("ERROR", Some((0, why))),
        }
    }

    /// All that is to be said of one script.
    fn print_alone(&self, out: &mut impl Write) -> io::Result<()> {
        let file = self.file.display();
        out.write_all(self.printed.as_bytes())?;
        match self.parts() {
            (word, Some((0, why))) => writeln!(out, "{word} {file}: {why}"),
            (word, Some((line, why))) => writeln!(out, "{word} {file}:{line}: {why}"),
            (word, None) => writeln!(out, "{word} {file}"),
        }
    }
}

/// A line a script, with the first line of the reason; the failures whole below.
fn print_table(rows: &[Row<'_>], out: &mut impl Write) -> io::Result<()> {
    let width = rows.iter().map(|row| row.file.display().to_string().chars().count()).max();
    let width = width.unwrap_or(0);
    let mut counts = BTreeMap::new();
    for row in rows {
        let (word, why) = row.parts();
        *counts.entry(word).or_insert(0_usize) += 1;
        let file = row.file.display().to_string();
        match why {
            None => writeln!(out, "{word:<5} {file}")?,
            Some((line, why)) => {
                let line = if line == 0 { String::new() } else { format!("{line}: ") };
                let first = why.lines().next().unwrap_or_default();
                writeln!(out, "{word:<5} {file:<width$}  {line}{first}")?;
            }
        }
    }
    for row in rows {
        if let ("FAIL", Some((line, why))) = row.parts() {
            writeln!(out, "\n{}:{line}: {why}", row.file.display())?;
        }
    }
    let counts: Vec<String> =
        counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    writeln!(out, "\n{} scripts: {}", rows.len(), counts.join(", "))
}
