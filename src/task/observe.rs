//! What tasks do, told to whoever compares two runs.

use std::cell::Cell;

use super::id::Id;
use super::origin::Origin;
use super::record::Record;
use crate::clock::Instant;

/// Something that a task did, or was given.
pub(crate) struct TaskEvent<'t> {
    /// Its host.
    pub(crate) host: &'t str,
    pub(crate) id: Id,
    pub(crate) origin: Origin,
    pub(crate) what: TaskStep,
}

/// What a task does that must be the same in each run of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskStep {
    /// It is polled.
    Polled,
    /// It sets a timer.
    SetsTimer { until: Instant },
    /// It has drawn so many times from `glassnet::rng()` while it was polled.
    HasDrawn { times: u64 },
    /// It draws the first branch of `glassnet::select!`.
    DrawsBranch,
}

/// What is told of tasks.
pub(crate) type TaskObserver = Box<dyn Fn(&TaskEvent<'_>)>;

thread_local! {
    static DRAWS: Cell<u64> = const { Cell::new(0) };
}

/// Something is drawn from `glassnet::rng()`.
pub(super) fn note_draw() {
    // A generator may outlive even its thread's variables.
    let _ = DRAWS.try_with(|draws| draws.set(draws.get() + 1));
}

/// How many times this thread has drawn.
pub(super) fn draws() -> u64 {
    DRAWS.get()
}

impl Record {
    /// What the task does, for an observer.
    pub(super) fn event(&self, what: TaskStep) -> TaskEvent<'_> {
        TaskEvent { host: self.boot().host(), id: self.id(), origin: self.origin(), what }
    }
}
