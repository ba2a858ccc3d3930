//! Running a seed in another process: this program, called again for the same test.
//!
//! The other process finds the file in which it leaves what came of the seed where its standard
//! input is: that needs no name and no `unsafe`, and the file is gone whatever happens.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ended::{Ended, outcome_of};
use crate::error::{Error, Result};
use crate::world::{Journal, RunError, arguments_for_test};

/// Says to a process which seed of which check it is to run.
pub(super) const REPEAT: &str = "GLASSNET_DETERMINISM_REPEAT";

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

    /// Where it is.
    #[cfg(feature = "tokio")]
    pub(super) fn place(&self) -> &str {
        &self.place
    }
}

/// A seed that another process is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) seed: u64,
    /// The first event that has a line of its own in the journal, where one is kept.
    pub(super) journal_from: Option<u64>,
    /// It has been run before, and leaves nothing behind but the file.
    pub(super) leaves_nothing: bool,
    /// What is left of the real time that all seeds have together, where that is limited.
    pub(super) time_left: Option<Duration>,
    pub(super) call: Call,
}

impl fmt::Display for Repeat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repeat { seed, journal_from, leaves_nothing, time_left, call } = self;
        let Call { place, nth } = call;
        let or_dash = |number: Option<u128>| number.map_or("-".to_owned(), |it| it.to_string());
        let from = or_dash(journal_from.map(u128::from));
        let left = or_dash(time_left.map(|left| left.as_millis()));
        write!(formatter, "{seed} {from} {} {left} {nth} {place}", u8::from(*leaves_nothing))
    }
}

impl FromStr for Repeat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Repeat> {
        let mut words = text.splitn(6, ' ');
        let mut word = || words.next().ok_or_else(|| Error::from(format!("{REPEAT}={text:?}")));
        let or_dash = |word: &str| match word {
            "-" => Ok(None),
            number => number.parse::<u64>().map(Some),
        };
        let seed = word()?.parse()?;
        let journal_from = or_dash(word()?)?;
        let leaves_nothing = word()? == "1";
        let time_left = or_dash(word()?)?.map(Duration::from_millis);
        let nth = word()?.parse()?;
        let call = Call { place: word()?.to_owned(), nth };
        Ok(Repeat { seed, journal_from, leaves_nothing, time_left, call })
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

    /// Runs the seed, says to the other process what came of it, and then ends this process.
    pub(super) fn run_and_exit(&self, run: impl Fn(Option<Journal>) -> Result) -> ! {
        let told = file_of_parent().and_then(|file| self.run_and_tell(&file, run));
        std::process::exit(i32::from(told.is_err()))
    }

    fn run_and_tell(&self, file: &File, run: impl Fn(Option<Journal>) -> Result) -> io::Result<()> {
        let ended = match self.journal_from {
            Some(from) => run_with(Journal::new(file.try_clone()?, from), |it| run(Some(it)))?,
            None => catch_unwind(AssertUnwindSafe(|| run(None))),
        };
        #[cfg(feature = "tokio")]
        super::outcome::tell(&ended, file)?;
        drop(ended);
        Ok(())
    }
}

/// Runs the test; what it comes to is the last event of its journal.
pub(super) fn run_with(journal: Journal, run: impl Fn(Journal) -> Result) -> io::Result<Ended> {
    let ended = catch_unwind(AssertUnwindSafe(|| run(journal.clone())));
    journal.finish(&outcome_of(&ended))?;
    Ok(ended)
}

/// Runs the seed in a process of its own, whose output is not seen.
#[allow(clippy::disallowed_methods, reason = "a process is started, and not by a world")]
pub(super) fn run_elsewhere(
    repeat: &Repeat,
    test: Option<&str>,
    file: &File,
    prepare: impl Fn(&mut Command),
) -> Result {
    let mut command = command_for(repeat, test, file)?;
    prepare(&mut command);
    command.env_remove("GLASSNET_PCAP_DIR").stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if file.metadata()?.len() == 0 {
        let called = describe(&command);
        let message = format!(
            "the determinism check has run this test again, as {called}, which never came to the \
             check at {} ({status})",
            repeat.call.place,
        );
        return Err(RunError::setup(repeat.seed, message).into());
    }
    Ok(())
}

/// The program and its arguments.
pub(super) fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// This program, to be called again for a seed.
pub(super) fn command_for(repeat: &Repeat, test: Option<&str>, file: &File) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(arguments_for_test(test)).env(REPEAT, repeat.to_string());
    command.stdin(file.try_clone()?);
    Ok(command)
}

/// A file that has no name any more, or loses it when it is closed.
pub(super) fn file_without_name() -> Result<File> {
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

/// The file that the process which has started this one gave it as its standard input.
#[cfg(unix)]
fn file_of_parent() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn file_of_parent() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}

#[cfg(not(any(unix, windows)))]
fn file_of_parent() -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}
