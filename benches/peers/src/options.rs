//! The command line.

use crate::job::Result;

pub const USAGE: &str = "\
Runs the same jobs with several network simulators and prints one table.

Usage: peers [OPTIONS]
  --quick              small counts, one run: a smoke test, not a measurement
  --runs N             runs of each measurement; the median counts (default 3)
  --only JOB           only this row, or all rows before its slash: bulk, bulk/1500
  --only-peer NAME     only this column
  --date YYYY-MM-DD    the date to print (default: today by the system clock)
  --help               this text
";

#[derive(Debug, Default)]
pub struct Options {
    pub quick: bool,
    pub runs: Option<usize>,
    pub only: Option<String>,
    pub only_peer: Option<String>,
    pub date: Option<String>,
    pub help: bool,
}

impl Options {
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--runs" => {
                    let runs = value()?.parse()?;
                    if runs == 0 {
                        return Err("--runs must be at least 1".into());
                    }
                    options.runs = Some(runs);
                }
                "--only" => options.only = Some(value()?),
                "--only-peer" => options.only_peer = Some(value()?),
                "--date" => options.date = Some(value()?),
                "--help" | "-h" => options.help = true,
                _ => return Err(format!("unknown argument {argument}\n\n{USAGE}").into()),
            }
        }
        Ok(options)
    }

    pub fn runs(&self) -> usize {
        self.runs.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// Whether `--only` lets this row through.
    pub fn wants(&self, key: &str) -> bool {
        self.only.as_deref().is_none_or(|only| {
            key == only || key.strip_prefix(only).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}
