//! Whether a seed gives the same run in another process.
//!
//! A seed is run here, with a journal. Then this program is called again, for the same test and the
//! same seed, and what its journal says must be the same. The other process finds its journal where
//! its standard input is: that needs no name and no `unsafe`, and the file is gone whatever happens.

use std::any::Any;
use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Seek};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::difference::{Difference, compare};
use crate::error::{Error, Result};
use crate::world::{Journal, RunError, arguments_for_test};

/// Says to a process which seed of which check it is to repeat.
const REPEAT: &str = "GLASSNET_DETERMINISM_REPEAT";
/// Pairs of runs, at most, until the event that differs has a line of its own.
const MAX_PAIRS: u32 = 4;

/// A call of `check`: the same in each process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    place: String,
    /// How many calls at this place came before it.
    nth: u64,
}

impl Call {
    /// Another call at this place, by this test.
    pub(super) fn at(place: &Location<'_>, test: Option<&str>) -> Call {
        static CALLS: Mutex<BTreeMap<(String, Option<String>), u64>> = Mutex::new(BTreeMap::new());
        let place = place.to_string();
        let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
        let next = calls.entry((place.clone(), test.map(str::to_owned))).or_insert(0);
        let nth = *next;
        *next += 1;
        Call { place, nth }
    }
}

/// A seed that another process has run, to be run again by this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) seed: u64,
    /// The first event that has a line of its own in the journal.
    from: u64,
    call: Call,
}

impl fmt::Display for Repeat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repeat { seed, from, call: Call { place, nth } } = self;
        write!(formatter, "{seed} {from} {nth} {place}")
    }
}

impl FromStr for Repeat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Repeat> {
        let mut words = text.splitn(4, ' ');
        let mut word = || words.next().ok_or_else(|| Error::from(format!("{REPEAT}={text:?}")));
        let (seed, from, nth) = (word()?.parse()?, word()?.parse()?, word()?.parse()?);
        Ok(Repeat { seed, from, call: Call { place: word()?.to_owned(), nth } })
    }
}

/// What another process asks of this one, if it has started it for that.
#[allow(clippy::disallowed_methods, reason = "read before a world begins")]
pub(super) fn asked_to_repeat() -> Result<Option<Repeat>> {
    env::var(REPEAT).ok().map(|text| text.parse()).transpose()
}

impl Repeat {
    /// Whether this is the check that is meant.
    pub(super) fn is_of(&self, call: &Call) -> bool {
        self.call == *call
    }

    /// Runs the seed, and then ends this process.
    pub(super) fn run_and_exit(&self, run: impl Fn(Journal) -> Result) -> ! {
        let journal = journal_of_parent().map(|file| Journal::new(file, self.from));
        let repeated = journal.map(|journal| drop(run_with(journal, &run)));
        std::process::exit(i32::from(repeated.is_err()))
    }
}

/// How a run has ended.
type Ended = std::result::Result<Result, Box<dyn Any + Send>>;

/// Runs the test; what it comes to is the last event of its journal.
fn run_with(journal: Journal, run: impl Fn(Journal) -> Result) -> io::Result<Ended> {
    let ended = catch_unwind(AssertUnwindSafe(|| run(journal.clone())));
    journal.finish(&outcome_of(&ended))?;
    Ok(ended)
}

fn outcome_of(ended: &Ended) -> String {
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    match ended {
        Ok(Ok(())) => "the test passes".to_owned(),
        Ok(Err(error)) => format!("the test fails: {}", first_line(&error.to_string())),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            format!("the test panics: {}", first_line(text.unwrap_or_default()))
        }
    }
}

/// Runs a seed here and in another process.
///
/// # Errors
/// Those of the test; else a [`RunError`] that tells where the two runs differ.
pub(super) fn check(
    seed: u64,
    call: &Call,
    test: Option<&str>,
    replay: impl Fn() -> String,
    run: impl Fn(Journal) -> Result,
) -> Result {
    let mut repeat = Repeat { seed, from: 0, call: call.clone() };
    let mut found = None;
    for _ in 0..MAX_PAIRS {
        let (here, there) = (journal_file()?, journal_file()?);
        let ended = run_with(Journal::new(here.try_clone()?, repeat.from), &run)?;
        run_elsewhere(&repeat, test, &there)?;
        match compare(reader(here)?, reader(there)?)? {
            // What was there once and is not any more has been found all the same.
            None if found.is_some() => break,
            None => return ended.unwrap_or_else(|payload| resume_unwind(payload)),
            Some(difference) => {
                let next = difference.is_after();
                found = Some((difference, outcome_of(&ended)));
                match next {
                    Some(event) => repeat.from = event + 1,
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

/// Runs the seed in a process of its own.
#[allow(
    clippy::disallowed_methods,
    reason = "a process is started, with the arguments of this one"
)]
fn run_elsewhere(repeat: &Repeat, test: Option<&str>, journal: &File) -> Result {
    let program = env::current_exe()?;
    let arguments = arguments_for_test(test);
    let mut command = Command::new(&program);
    command.args(&arguments).env(REPEAT, repeat.to_string()).env_remove("GLASSNET_PCAP_DIR");
    command.stdin(journal.try_clone()?).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if journal.metadata()?.len() == 0 {
        let arguments: Vec<_> = arguments.iter().map(|it| it.to_string_lossy()).collect();
        let message = format!(
            "the determinism check has run this test again, as {} {}, which never came to the check \
             at {} ({status})",
            program.display(),
            arguments.join(" "),
            repeat.call.place,
        );
        return Err(RunError::setup(repeat.seed, message).into());
    }
    Ok(())
}

/// A file that has no name any more, or loses it when it is closed.
fn journal_file() -> Result<File> {
    static FILES: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("glassnet-journal-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(format!("cannot make the journal {}: {error}", path.display()).into());
            }
        }
    }
}

fn reader(mut file: File) -> io::Result<BufReader<File>> {
    file.rewind()?;
    Ok(BufReader::new(file))
}

/// The file that the process which has started this one gave it as its standard input.
#[cfg(unix)]
fn journal_of_parent() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn journal_of_parent() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}

#[cfg(not(any(unix, windows)))]
fn journal_of_parent() -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}
