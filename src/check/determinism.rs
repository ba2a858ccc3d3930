//! Whether a seed gives the same run in another process: its journals must be the same.

use std::fs::File;
use std::io::{self, BufReader, Seek};
use std::panic::resume_unwind;
use std::process::Command;

use super::difference::{Difference, compare};
use super::ended::{Ended, outcome_of};
use super::repeat::{Repeat, file_without_name, run_elsewhere};
use crate::error::{Error, Result};
use crate::world::RunError;

/// Pairs of runs, at most, until the event that differs has a line of its own.
const MAX_PAIRS: u32 = 4;

/// Runs a seed twice, in two processes: first by `run`, which writes the journal to a file, and then
/// as `repeat` says.
///
/// # Errors
/// Those of the test; else a [`RunError`] that tells where the two runs differ.
pub(super) fn check(
    mut repeat: Repeat,
    test: Option<&str>,
    replay: impl Fn() -> String,
    prepare: impl Fn(&mut Command),
    run: impl Fn(&Repeat, &File) -> Result<Ended>,
) -> Result {
    let seed = repeat.seed;
    let mut found = None;
    for _ in 0..MAX_PAIRS {
        let (here, there) = (file_without_name()?, file_without_name()?);
        let ended = run(&repeat, &here)?;
        run_elsewhere(&repeat, test, &there, &prepare)?;
        match compare(reader(here)?, reader(there)?)? {
            // What was there once and is not any more has been found all the same.
            None if found.is_some() => break,
            None => return ended.unwrap_or_else(|payload| resume_unwind(payload)),
            Some(difference) => {
                let next = difference.is_after();
                found = Some((difference, outcome_of(&ended)));
                match next {
                    Some(event) => repeat.journal_from = Some(event + 1),
                    None => break,
                }
            }
        }
    }
    match found {
        Some((difference, outcome)) => Err(error_about(seed, &difference, &outcome, &replay())),
        None => Ok(()),
    }
}

fn error_about(seed: u64, difference: &Difference, outcome: &str, replay: &str) -> Error {
    let details = format!("{difference}\nin this process {outcome}\nreplay: {replay}");
    RunError::differs(seed, difference.event(), difference.time(), details).into()
}

fn reader(mut file: File) -> io::Result<BufReader<File>> {
    file.rewind()?;
    Ok(BufReader::new(file))
}
