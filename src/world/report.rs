//! What a failed run says.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::frames::Describer;
use super::recorder::{Recorder, SentFrame};
use super::replay::replay_command;
use super::state::World;
use crate::host::HostHandle;
use crate::network::Fate;
use crate::task::context::{self, FailedCall, Panicked, WaitingTask};
use crate::task::{Executor, HostScope};
use crate::time::Instant;
use crate::wire::frame::FrameBuffer;

/// Why a run failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// A client returned an error.
    Client {
        /// Its name.
        name: String,
    },
    /// A host's main task returned an error.
    Host {
        /// Its name.
        name: String,
    },
    /// A task returned an error that nobody took, in a [strict](crate::Sim::strict) world.
    Task {
        /// The host that it ran on.
        host: String,
        /// What the error says.
        message: String,
    },
    /// Clients have not ended, and nothing can ever happen again.
    Deadlock,
    /// The run handled more events than its limit allows.
    EventLimit {
        /// The limit.
        limit: u64,
    },
    /// Tasks ran this often without the clock moving.
    Spinning {
        /// How often.
        polls: u64,
        /// Those that ran last, each with its host.
        tasks: Vec<String>,
    },
    /// Clients have not ended within the time that a run may last.
    TimeLimit {
        /// The limit.
        limit: Duration,
        /// What each of them waits for.
        waiting: Vec<String>,
    },
    /// The test has not ended within the real time that it may last.
    WallLimit {
        /// The limit.
        limit: Duration,
    },
    /// The world was set up wrongly.
    Setup {
        /// How.
        message: String,
    },
    /// A capture could not be written.
    Capture {
        /// What the error says, with the path.
        message: String,
    },
    /// The closure given to [`check`](crate::check()) returned an error of its own.
    Test,
    /// An earlier run of the same world has failed; a world that has failed does not run on.
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
            Failure::WallLimit { limit } => write!(
                formatter,
                "the test has not ended after {limit:?} of real time, its limit \
                 (Check::wall_limit, or `wall` of #[glassnet::test])"
            ),
            Failure::Setup { message } | Failure::Capture { message } => {
                formatter.write_str(message)
            }
            Failure::Test => formatter.write_str("the test failed"),
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

/// Frames that a report shows.
const FRAMES: usize = 16;
/// Octets kept of each: all headers.
const HEADERS: usize = 96;
/// Lines of a kind that a report shows before it only counts.
pub(super) const LINES: usize = 24;

/// The last frames of which the flight recorder does not tell what became: those for many, and
/// those that died at a host.
#[derive(Default)]
pub(super) struct LastFrames {
    ring: VecDeque<LastFrame>,
}

struct LastFrame {
    time: u64,
    from: u32,
    to: Option<u32>,
    fate: Fate,
    retransmission: bool,
    /// The number of the packet that was sent next.
    next_packet_id: u64,
    len: usize,
    headers: [u8; HEADERS],
}

impl LastFrames {
    #[cold]
    pub(super) fn push(
        &mut self,
        time: u64,
        from: u32,
        to: Option<u32>,
        fate: Fate,
        next_packet_id: u64,
        frame: &FrameBuffer,
    ) {
        if self.ring.len() == FRAMES {
            self.ring.pop_front();
        }
        let retransmission = frame.is_retransmission();
        let (frame, mut headers) = (frame.bytes(), [0; HEADERS]);
        let (len, kept) = (frame.len(), frame.len().min(HEADERS));
        headers[..kept].copy_from_slice(&frame[..kept]);
        let last = LastFrame { time, from, to, fate, retransmission, next_packet_id, len, headers };
        self.ring.push_back(last);
    }

    /// Writes a line for each of these and of those that `recorder` knows; `initial_of` knows where
    /// the sequence numbers of a connection of a host begin.
    pub(super) fn write(
        &self,
        text: &mut String,
        recorder: &Recorder,
        name_of: impl Fn(u32) -> String,
        initial_of: impl Fn(u32, SocketAddr, SocketAddr) -> Option<(u32, Option<u32>)>,
    ) {
        let recorded = recorder.last_sent(FRAMES);
        let mut frames: Vec<(u64, bool, SentFrame<'_>)> =
            self.ring.iter().map(|frame| (frame.next_packet_id, false, frame.sent())).collect();
        frames.extend(recorded.into_iter().map(|frame| (frame.packet_id, true, frame)));
        if frames.is_empty() {
            return;
        }
        frames.sort_by_key(|(order, is_recorded, _)| (*order, *is_recorded));
        let surplus = frames.len().saturating_sub(FRAMES);
        text.push_str("\nlast frames:");
        let mut describer = Describer::default();
        for (.., frame) in frames.drain(surplus..) {
            let to = frame.to.map_or_else(|| "nobody".to_owned(), &name_of);
            let what = describer.describe(frame.headers, frame.len, |source, destination| {
                initial_of(frame.from, source, destination)
            });
            let time = Instant::from_nanos(frame.time);
            let _ = write!(text, "\n  {time} {} -> {to}: {what}", name_of(frame.from));
            if frame.retransmission {
                text.push_str(" [retransmission]");
            }
            if let Some(reason) = frame.dropped {
                let _ = write!(text, " [dropped: {reason}]");
            } else if frame.duplicated {
                text.push_str(" [duplicated]");
            }
        }
    }
}

impl LastFrame {
    fn sent(&self) -> SentFrame<'_> {
        let dropped = match self.fate {
            Fate::Dropped(reason) => Some(reason),
            Fate::Arrives { .. } => None,
        };
        SentFrame {
            time: self.time,
            from: self.from,
            to: self.to,
            packet_id: self.next_packet_id,
            dropped,
            duplicated: matches!(self.fate, Fate::Arrives { duplicate_at: Some(_), .. }),
            retransmission: self.retransmission,
            len: self.len,
            headers: &self.headers[..self.len.min(HEADERS)],
        }
    }
}

/// The captures of a run.
pub(super) fn write_captures(text: &mut String, paths: &[PathBuf]) {
    for path in paths {
        let _ = write!(text, "\ncapture: {}", path.display());
    }
}

impl World {
    pub(super) fn error(&self, failure: Failure, source: Option<crate::Error>) -> RunError {
        let source = source.map(crate::Error::into_inner);
        let is_deadlock = matches!(failure, Failure::Deadlock);
        let details = self.details_with(if is_deadlock { Hint::Given } else { Hint::Spared });
        let shown = Arc::default();
        RunError { failure, source, seed: self.seed.0, time: self.now(), details, shown }
    }

    /// What the main task of a host has returned.
    pub(super) fn error_of_main(
        &self,
        failure: Failure,
        source: crate::Error,
        scope: &HostScope,
    ) -> RunError {
        let mut details = String::new();
        write_failed_call(&mut details, scope.failed_call_behind(&source));
        let mut error = self.error(failure, Some(source));
        error.details.insert_str(0, &details);
        error
    }

    pub(super) fn details(&self) -> String {
        self.details_with(Hint::Spared)
    }

    fn details_with(&self, hint: Hint) -> String {
        let mut text = String::new();
        write_waiting_tasks(&mut text, &self.executor, hint);
        let (lost, errors) = self.executor.lost_errors().all();
        if lost > 0 {
            let title = format!("errors of tasks that nobody took ({lost})");
            write_limited(&mut text, &title, errors.iter().map(ToString::to_string));
        }
        let now = self.clock.now();
        let mut connections = Vec::new();
        for machine in &self.machines {
            let Some(running) = &machine.running else {
                if machine.starts > 0 {
                    connections.push(format!("{} ({}): down", machine.name, machine.addresses.v4));
                }
                continue;
            };
            connections.extend(netstat_lines(&machine.name, &running.host, now));
        }
        write_netstat(&mut text, connections);
        let name_of = |host: u32| self.machines[host as usize].name.clone();
        let initial_of = |host: u32, local, remote| {
            let running = self.machines[host as usize].running.as_ref()?;
            running.host.look(|host| host.initial_sequence_numbers(local, remote))
        };
        self.last_frames.write(&mut text, &self.recorder, name_of, initial_of);
        self.write_drops(&mut text);
        let paths: Vec<_> = self.vantages.iter().map(|vantage| vantage.path.clone()).collect();
        write_captures(&mut text, &paths);
        for kept in self.keep_last_frames() {
            let _ = write!(text, "\n{kept}");
        }
        let _ =
            write!(text, "\nreplay: {}", replay_command(self.seed.0, self.seed_from_environment));
        text
    }
}

/// Who has panicked, `when`: called while a panic of this thread unwinds.
pub(super) fn describe_panic(when: &str) -> String {
    let Some(Panicked { task, failed_call }) = context::take_panicked() else {
        return format!("something outside of all tasks panicked ({when})");
    };
    let mut text = format!("{task} panicked ({when})");
    write_failed_call(&mut text, failed_call);
    text
}

/// The call that gave an error, which itself cannot say so.
pub(super) fn write_failed_call(text: &mut String, failed_call: Option<FailedCall>) {
    if let Some(failed_call) = failed_call {
        let _ = write!(text, "\nfailed call: {failed_call}");
    }
}

/// Whether a report says what a task may wait for that waits for neither a socket nor a timer: where
/// that is why the run failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    Given,
    Spared,
}

pub(super) fn write_waiting_tasks(text: &mut String, executor: &Executor, hint: Hint) {
    let tasks = executor.waiting_tasks();
    write_limited(text, "waiting tasks", tasks.iter().map(ToString::to_string));
    if hint == Hint::Given && tasks.iter().any(WaitingTask::waits_for_the_unknown) {
        text.push_str(NEITHER_SOCKET_NOR_TIMER);
    }
}

const NEITHER_SOCKET_NOR_TIMER: &str = "
  hint: what is neither a socket nor a timer of this world is a channel or a lock that another
  task must serve, or it belongs to another runtime, which does not run while the world does:
  tokio::spawn, tokio::time and tokio::net of an entered tokio runtime (as in #[tokio::test]).
  Use #[test] and glassnet's spawn, time and net.";

/// What a host has open.
pub(super) fn netstat_lines(name: &str, host: &HostHandle, now: u64) -> Vec<String> {
    let open = host.look(|host| host.netstat(now));
    open.iter().take(LINES).map(|connection| format!("{name}: {connection}")).collect()
}

pub(super) fn write_netstat(text: &mut String, lines: Vec<String>) {
    write_limited(text, "netstat (recv-q send-q local remote state)", lines.into_iter());
}

fn write_limited(text: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    let count = lines.len();
    if count == 0 {
        return;
    }
    let _ = write!(text, "\n{title}:");
    for line in lines.take(LINES) {
        let _ = write!(text, "\n  {line}");
    }
    if count > LINES {
        let _ = write!(text, "\n  … and {} more", count - LINES);
    }
}
