//! A process for each seed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::panic::resume_unwind;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::ended::Ended;
use super::repeat::{Repeat, command_for, describe, file_without_name};
use super::{determinism, outcome};
use crate::error::Result;
use crate::seam::{self, Door};
use crate::world::{RunError, WallLimit};

/// How long a process whose time is up has to say where it is.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is looked whether the time is up.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes of a line of output that are passed on at once.
const MAX_LINE: u64 = 64 << 10;

/// What the code asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Where programs of hosts come in.
    pub(super) door: Option<Door>,
    pub(super) is_wanted: Option<bool>,
    /// Added to the environment.
    pub(super) environment: Vec<(String, String)>,
}

impl Settings {
    /// Whether each seed has a process of its own.
    pub(super) fn has_process(&self) -> bool {
        self.is_wanted.unwrap_or(self.door == Some(Door::Tokio))
    }

    /// # Errors
    /// When something is asked for that has no effect.
    pub(super) fn check(&self) -> Result {
        match self.environment.first() {
            Some((name, _)) if !self.has_process() => Err(format!(
                "Check::env sets {name}, and the seeds have no processes of their own: ask for them \
                 with Check::process"
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// Makes a command one for a process of a seed.
    pub(super) fn prepare(&self, command: &mut Command) {
        seam::prepare_process(command);
        // What is printed is passed on by who has started it.
        command.arg("--nocapture").envs(self.environment.iter().cloned());
    }
}

/// Where the seeds of a check are run in processes.
pub(super) struct Processes<'c> {
    pub(super) settings: &'c Settings,
    pub(super) test: Option<&'c str>,
    pub(super) wall: Option<&'c WallLimit>,
    /// When the first was started.
    pub(super) began: Instant,
}

impl Processes<'_> {
    /// Runs the test under a seed, and where `determinism` is wanted a second time. `repeat` says from
    /// which event on there is a journal.
    ///
    /// # Errors
    /// Those of the test, also those of [`Processes::run`] and of [`determinism::check`].
    pub(super) fn check(
        &self,
        repeat: impl Fn(Option<u64>) -> Repeat,
        determinism: bool,
        replay: &dyn Fn() -> String,
    ) -> Result {
        if !determinism {
            let ended = self.run(&repeat(None), &file_without_name()?, replay)?;
            return ended.unwrap_or_else(|payload| resume_unwind(payload));
        }
        let first = |repeat: &Repeat, file: &File| {
            self.run(&Repeat { leaves_nothing: false, ..repeat.clone() }, file, replay)
        };
        let prepare = |command: &mut Command| self.settings.prepare(command);
        determinism::check(repeat(Some(0)), self.test, replay, prepare, first)
    }

    /// Runs a seed, and passes on what its process prints. What it leaves is in the file.
    ///
    /// # Errors
    /// When the process could not be started, or has ended before the test had.
    pub(super) fn run(
        &self,
        repeat: &Repeat,
        file: &File,
        replay: &dyn Fn() -> String,
    ) -> Result<Ended> {
        let time_left = self.wall.map(|wall| wall.limit().saturating_sub(self.began.elapsed()));
        let repeat = &Repeat { time_left, ..repeat.clone() };
        let mut command = command_for(repeat, self.test, file)?;
        self.settings.prepare(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn();
        let child = child.map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let ended = self.wait(child)?;
        let told = outcome::hear(file)?;
        let seed = repeat.seed;
        match (told, ended, self.wall) {
            (Some(told), ..) => Ok(told),
            (None, _, Some(wall)) if wall.is_up() => {
                Err(RunError::wall_limit(seed, wall.limit(), &replay()).into())
            }
            (None, Some(status), _) if status.success() => {
                let message = format!(
                    "this test was run again, as {}, which never came to the check at {}",
                    describe(&command),
                    repeat.call.place(),
                );
                Err(RunError::setup(seed, message).into())
            }
            (None, status, _) => Err(RunError::process(seed, in_words(status), &replay()).into()),
        }
    }

    /// Waits for the end of a process; `None` when it was ended because the time was up.
    fn wait(&self, mut child: Child) -> io::Result<Option<ExitStatus>> {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        thread::scope(|scope| {
            let (tell, hear) = channel::<()>();
            let (of_out, of_err) = (tell.clone(), tell);
            // They end when the process has closed both, which is when it ends.
            scope.spawn(move || {
                if let Some(out) = out {
                    pass_on(out, true, |text| print!("{text}"));
                }
                drop(of_out);
            });
            scope.spawn(move || {
                if let Some(err) = err {
                    pass_on(err, false, |text| eprint!("{text}"));
                }
                drop(of_err);
            });
            let mut is_up_since = None;
            loop {
                let heard = match self.wall {
                    Some(_) => hear.recv_timeout(LOOK),
                    None => hear.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                if heard == Err(RecvTimeoutError::Disconnected) {
                    return child.wait().map(Some);
                }
                if self.is_over(&mut is_up_since) {
                    child.kill()?;
                    child.wait()?;
                    return Ok(None);
                }
            }
        })
    }

    /// Less than it takes until this process is aborted itself.
    fn grace(&self) -> Duration {
        self.wall.map_or(GRACE, |wall| GRACE.min(wall.limit() / 2))
    }

    #[allow(clippy::disallowed_methods, reason = "the clock is that of whoever waits for worlds")]
    fn is_over(&self, is_up_since: &mut Option<Instant>) -> bool {
        self.wall.is_some_and(WallLimit::is_up)
            && is_up_since.get_or_insert_with(Instant::now).elapsed() >= self.grace()
    }
}

/// Passes on what a process prints, but for what its test harness says first.
fn pass_on(from: impl Read, is_of_harness: bool, print: impl Fn(&str)) {
    let mut from = BufReader::new(from);
    let mut head = if is_of_harness { 2 } else { 0 };
    let mut line = Vec::new();
    loop {
        line.clear();
        match from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if head > 0 {
            head -= 1;
            if matches!(&line[..], b"\n" | b"running 1 test\n") {
                continue;
            }
            head = 0;
        }
        print(&String::from_utf8_lossy(&line));
    }
}

/// How a process has ended.
fn in_words(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "was ended".to_owned() };
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal}{}", name_of(signal)),
        (None, Some(code)) => format!("has exited with {code}"),
        (None, None) => "has ended".to_owned(),
    }
}

fn name_of(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGSYS => " (SIGSYS)",
        libc::SIGTERM => " (SIGTERM)",
        libc::SIGTRAP => " (SIGTRAP)",
        _ => "",
    }
}
