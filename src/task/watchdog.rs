//! Who notices that a task does not return from a poll.
//!
//! A task that loops over what is always ready, or that blocks its thread, keeps everything else
//! out of the world: no limit of the run can end it, because the run does not get its turn. A
//! thread beside it looks once a second whether polls end, and tells who hangs. It reads what
//! polls leave behind for it and changes nothing that a world does.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::origin::Origin;
use crate::clock::{Clock, Instant};

/// How long the thread sleeps between two looks.
const TICK: Duration = Duration::from_secs(1);
/// The same when a world allows only a short time.
const MIN_TICK: Duration = Duration::from_millis(10);

/// What an executor shows of its polls.
#[derive(Default)]
pub(super) struct Pulse {
    /// Odd while a task is polled; another number for each poll, also of a task inside another.
    beats: AtomicU64,
    /// The task that is polled, or was last.
    task: AtomicU64,
    /// The thread that the task has let run, and waits for: its number at the kernel, or 0.
    other_thread: Arc<AtomicU64>,
    /// What reports call the tasks, for the thread that cannot ask them.
    labels: Mutex<FxHashMap<u64, Label>>,
    /// Set when the executor's world is watched.
    watched: OnceLock<Watched>,
}

pub(super) struct Label {
    pub(super) host: String,
    pub(super) task: Origin,
}

/// A world that is watched.
pub(crate) struct Watched {
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    /// How long a poll may last.
    pub(crate) limit: Duration,
    /// Whether the process is aborted then. A world on the wall clock may block on purpose.
    pub(crate) aborts: bool,
}

impl Pulse {
    /// Has the watchdog look at this pulse from now on.
    #[allow(clippy::disallowed_methods, reason = "its name, which is the test's, is for people")]
    pub(super) fn watch(self: &Arc<Pulse>, watched: Watched) {
        if watched.limit < Duration::MAX && self.watched.set(watched).is_ok() {
            let patient = Patient {
                pulse: Arc::downgrade(self),
                thread: thread::current(),
                beats: 0,
                still: Duration::ZERO,
            };
            let mut ward = ward();
            ward.patients.push(patient);
            if !ward.is_attended {
                let watchdog = thread::Builder::new().name("glassnet watchdog".to_owned());
                // Where there are no threads nobody watches.
                ward.is_attended = watchdog.spawn(attend).is_ok();
            }
        }
    }

    /// A poll of `task` lasts until what this returns is dropped.
    pub(super) fn begin(&self, task: u64) -> Beat<'_> {
        let outer = self.task.load(Ordering::Relaxed);
        self.task.store(task, Ordering::Relaxed);
        let beats = self.beats.load(Ordering::Relaxed);
        let is_nested = beats % 2 == 1;
        let step = if is_nested { 2 } else { 1 };
        self.beats.store(beats.wrapping_add(step), Ordering::Release);
        Beat { pulse: self, outer: is_nested.then_some(outer) }
    }

    /// The task that is polled, or was last.
    pub(super) fn last_task(&self) -> u64 {
        self.task.load(Ordering::Relaxed)
    }

    pub(super) fn remember(&self, task: u64, label: impl FnOnce() -> Label) {
        if self.watched.get().is_some() {
            let label = label();
            self.labels().insert(task, label);
        }
    }

    pub(super) fn forget(&self, task: u64) {
        if self.watched.get().is_some() {
            self.labels().remove(&task);
        }
    }

    fn labels(&self) -> std::sync::MutexGuard<'_, FxHashMap<u64, Label>> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the number of the thread stands for which a task waits.
    #[cfg(feature = "tokio")]
    pub(super) fn other_thread(&self) -> &Arc<AtomicU64> {
        &self.other_thread
    }

    /// What is to be said of the poll that does not end.
    fn report(&self, thread: &Thread, watched: &Watched) -> String {
        let labels = self.labels();
        let who = match labels.get(&self.task.load(Ordering::Relaxed)) {
            Some(Label { host, task }) => format!("host `{host}`: {task}"),
            None => "a task".to_owned(),
        };
        let other = self.other_thread.load(Ordering::Relaxed);
        if other != 0 {
            return self.report_on_thread(&who, other, watched);
        }
        let thread = thread.name().unwrap_or("without a name");
        let Watched { clock, seed, limit, aborts } = watched;
        let now = Instant::from_nanos(clock.now());
        let end = if *aborts { "\nThe process is aborted." } else { "" };
        format!(
            "glassnet: {who} has not returned from one poll for {limit:?} of real time: it spins, \
             or it blocks its thread (seed {seed}, at {now}, thread {thread})\n\
             A future that is always ready keeps all others out, a timeout around it included. \
             Sockets, timers and joins of glassnet give way after 128 operations; futures of \
             others, as tokio's channels and tokio::io::empty, do not here.\n\
             Await glassnet::task::yield_now() in the loop. What may take that long is allowed to \
             by Sim::watchdog, or by GLASSNET_WATCHDOG=SECONDS (or off) in the environment.{end}\n"
        )
    }

    /// The same where it is a thread that the program has started which keeps the others out.
    #[cold]
    #[allow(clippy::disallowed_methods, reason = "what a thread is called is for people")]
    fn report_on_thread(&self, who: &str, number: u64, watched: &Watched) -> String {
        let Watched { clock, seed, limit, aborts } = watched;
        let now = Instant::from_nanos(clock.now());
        let name = std::fs::read_to_string(format!("/proc/self/task/{number}/comm"));
        let name = name.unwrap_or_default();
        let end = if *aborts { "\nThe process is aborted." } else { "" };
        format!(
            "glassnet: {who}: a thread that its program has started, `{}` (number {number}), has \
             neither waited nor ended for {limit:?} of real time: it spins, or it waits for \
             something that is not the world's (seed {seed}, at {now})\n\
             One thread of a world runs at a time, until it waits: on a socket, a lock, a channel, a \
             sleep, or for another thread. What may take that long is allowed to by Sim::watchdog, \
             or by GLASSNET_WATCHDOG=SECONDS (or off) in the environment.{end}\n",
            name.trim_end()
        )
    }
}

/// A poll that has not ended yet.
pub(super) struct Beat<'p> {
    pulse: &'p Pulse,
    /// The task in whose poll this one is, as that of a set of tasks.
    outer: Option<u64>,
}

impl Drop for Beat<'_> {
    fn drop(&mut self) {
        let Beat { pulse, outer } = self;
        let step = if outer.is_some() { 2 } else { 1 };
        if let Some(outer) = outer {
            pulse.task.store(*outer, Ordering::Relaxed);
        }
        let beats = pulse.beats.load(Ordering::Relaxed);
        pulse.beats.store(beats.wrapping_add(step), Ordering::Release);
    }
}

/// Everybody who is watched.
struct Ward {
    patients: Vec<Patient>,
    /// The thread runs.
    is_attended: bool,
}

struct Patient {
    pulse: Weak<Pulse>,
    thread: Thread,
    /// The pulse when it was last looked at, and how long it has been that.
    beats: u64,
    still: Duration,
}

static WARD: Mutex<Ward> = Mutex::new(Ward { patients: Vec::new(), is_attended: false });

fn ward() -> std::sync::MutexGuard<'static, Ward> {
    WARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the thread does. It ends when nobody is left to be watched.
#[allow(clippy::disallowed_methods, reason = "it waits beside the worlds, not inside one")]
fn attend() {
    let mut tick = MIN_TICK;
    loop {
        thread::sleep(tick);
        let mut ward = ward();
        ward.patients.retain(|patient| patient.pulse.strong_count() > 0);
        if ward.patients.is_empty() {
            ward.is_attended = false;
            return;
        }
        let looked_after = tick;
        tick = TICK;
        for patient in &mut ward.patients {
            let Some(pulse) = patient.pulse.upgrade() else { continue };
            let Some(watched) = pulse.watched.get() else { continue };
            tick = tick.min((watched.limit / 8).max(MIN_TICK));
            let beats = pulse.beats.load(Ordering::Acquire);
            let is_same = beats == patient.beats && beats % 2 == 1;
            patient.beats = beats;
            if !is_same {
                patient.still = Duration::ZERO;
                continue;
            }
            // Not by a clock: a process that a debugger, or sleep, has stopped has not been still.
            let was_due = patient.still >= watched.limit;
            patient.still += looked_after;
            if patient.still >= watched.limit && !was_due {
                let report = pulse.report(&patient.thread, watched);
                // Not by `eprintln`, which a test's harness would keep for a test that never ends.
                let _ = std::io::stderr().write_all(report.as_bytes());
                if watched.aborts {
                    std::process::abort();
                }
            }
        }
    }
}
