//! Why a run failed.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::time::Instant;

/// Why a run failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// A client returned an error.
    #[non_exhaustive]
    Client {
        /// Its name.
        name: String,
    },
    /// A host's main task returned an error.
    #[non_exhaustive]
    Host {
        /// Its name.
        name: String,
    },
    /// A task returned an error that nobody took, in a [strict](crate::Sim::strict) world.
    #[non_exhaustive]
    Task {
        /// The host that it ran on.
        host: String,
        /// What the error says.
        message: String,
    },
    /// Clients have not ended, and nothing can ever happen again.
    Deadlock,
    /// The run handled more events than its limit allows.
    #[non_exhaustive]
    EventLimit {
        /// The limit.
        limit: u64,
    },
    /// Tasks ran this many times without the clock moving.
    #[non_exhaustive]
    Spinning {
        /// How many times.
        polls: u64,
        /// Those that ran last, each with its host.
        tasks: Vec<String>,
    },
    /// Clients have not ended within the time that a run may last.
    #[non_exhaustive]
    TimeLimit {
        /// The limit.
        limit: Duration,
        /// What each of them waits for.
        waiting: Vec<String>,
    },
    /// What a run was to go on for has not come true within the time that a run may last.
    ConditionLimit {
        /// The limit.
        limit: Duration,
        /// What each client that has not ended waits for.
        waiting: Vec<String>,
    },
    /// The test has not ended within the real time that it may last.
    #[non_exhaustive]
    WallLimit {
        /// The limit.
        limit: Duration,
    },
    /// The world was set up wrongly.
    #[non_exhaustive]
    Setup {
        /// How.
        message: String,
    },
    /// A capture could not be written.
    #[non_exhaustive]
    Capture {
        /// What the error says, with the path.
        message: String,
    },
    /// The closure given to [`check`](crate::check()) returned an error of its own.
    Test,
    /// The same seed did not give the same run in another process; see
    /// [`Check::determinism`](crate::Check::determinism).
    Differs {
        /// The number of the first event that differs, from 1.
        event: u64,
    },
    /// The process that ran the seed has ended before its test had: it has crashed, or a program in it
    /// has called `exit`. See [`Check::process`](crate::Check), of the feature `tokio`.
    #[non_exhaustive]
    Process {
        /// How it has ended.
        status: String,
    },
    /// An earlier run of the same world has failed; a world that has failed does not run on.
    #[non_exhaustive]
    FailedBefore {
        /// What that run said.
        first: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Client { name } => write!(formatter, "client `{name}` failed"),
            Failure::Host { name } => write!(formatter, "host `{name}` failed"),
            Failure::Task { host, message } => write!(
                formatter,
                "a task of host `{host}` returned an error that nobody took: {message}"
            ),
            Failure::Deadlock => formatter.write_str(
                "deadlock: not every client has ended, and nothing can ever happen again",
            ),
            Failure::EventLimit { limit } => write!(
                formatter,
                "not every client has ended after {limit} events, the limit of this run \
                 (Sim::event_limit changes it)"
            ),
            Failure::Spinning { polls, tasks } => {
                write!(
                    formatter,
                    "tasks ran {polls} times without the clock moving: one of them spins \
                     (Sim::poll_limit and Sim::event_limit change what is allowed)"
                )?;
                write_few(formatter, "\nran last: ", tasks)
            }
            Failure::TimeLimit { limit, waiting } => {
                write!(
                    formatter,
                    "not every client has ended after {limit:?}, the limit of this run \
                     (Sim::time_limit changes it)"
                )?;
                write_few(formatter, "\nnot ended: ", waiting)
            }
            Failure::ConditionLimit { limit, waiting } => {
                write!(
                    formatter,
                    "the condition of run_until has not come true within {limit:?}, the limit of \
                     this run (Sim::time_limit changes it)"
                )?;
                write_few(formatter, "\nnot ended: ", waiting)
            }
            Failure::WallLimit { limit } => write!(
                formatter,
                "the test has not ended after {limit:?} of real time, its limit \
                 (Check::wall_limit, or `wall` of #[glassnet::test])"
            ),
            Failure::Setup { message } | Failure::Capture { message } => {
                formatter.write_str(message)
            }
            Failure::Test => formatter.write_str("the test failed"),
            Failure::Differs { event } => write!(
                formatter,
                "two runs of this seed, in two processes, differ: event {event} is the first"
            ),
            Failure::Process { status } => {
                write!(formatter, "the process of this seed {status} before the test had ended")
            }
            Failure::FailedBefore { first } => {
                write!(formatter, "this world has failed before and does not run on: {first}")
            }
        }
    }
}

/// Writes a few of the lines, each after `title`.
fn write_few(formatter: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    lines.iter().take(8).try_for_each(|line| write!(formatter, "{title}{line}"))
}

/// A run failed. `Display` and `Debug` both give the whole report: the error, the seed, the
/// virtual time, what each task waits for, each host's `netstat`, the last frames, the captures,
/// and the command that replays the run. [`Error::source`] is the error of the client or host.
pub struct RunError {
    pub(super) failure: Failure,
    pub(super) source: Option<Box<dyn Error + Send + Sync>>,
    pub(super) seed: u64,
    pub(super) time: Instant,
    pub(super) details: String,
    /// Set once somebody was shown the report.
    pub(super) shown: Arc<AtomicBool>,
}

impl RunError {
    /// The test cannot be run as it should be.
    pub(crate) fn setup(seed: u64, message: String) -> RunError {
        RunError {
            failure: Failure::Setup { message },
            source: None,
            seed,
            time: Instant::from_nanos(0),
            details: String::new(),
            shown: Arc::default(),
        }
    }

    /// Two runs of a seed differ.
    pub(crate) fn differs(seed: u64, event: u64, at: u64, details: String) -> RunError {
        RunError {
            failure: Failure::Differs { event },
            source: None,
            seed,
            time: Instant::from_nanos(at),
            details,
            shown: Arc::default(),
        }
    }

    /// Why it failed.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// When it failed.
    #[must_use]
    pub fn time(&self) -> Instant {
        self.time
    }
}

impl crate::Error {
    /// What [`Sim::run`](crate::Sim::run), [`Sim::run_for`](crate::Sim::run_for) or
    /// [`check`](crate::check()) has to say, if this is from one of them.
    #[must_use]
    pub fn run_error(&self) -> Option<&RunError> {
        self.downcast_ref()
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.store(true, Ordering::Relaxed);
        write!(formatter, "{}", self.failure)?;
        if let Some(source) = &self.source {
            write!(formatter, ": {source}")?;
        }
        write!(formatter, " (seed {}, at {})", self.seed, self.time)?;
        formatter.write_str(&self.details)
    }
}

impl fmt::Debug for RunError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
