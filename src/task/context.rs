//! The task that is running on this thread.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::failed_call::FailedCall;
use super::id::Id;
use super::observe::TaskStep;
use super::record::Record;
use super::scope::HostScope;
use super::wait::Wait;
use crate::clock::{Clock, Instant};

/// One task: its host, and what is known of it.
#[derive(Clone)]
pub(super) struct TaskContext {
    pub(super) scope: Rc<HostScope>,
    pub(super) record: Rc<Record>,
}

impl TaskContext {
    /// The time of its world.
    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.scope.clock.now())
    }

    fn panicked(&self) -> Panicked {
        let (host, origin) = (self.scope.name(), self.record.origin());
        Panicked {
            task: format!("host `{host}`: {origin}"),
            failed_call: self.scope.failed_calls.last_if(self.now(), origin),
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<TaskContext>> = const { RefCell::new(None) };
    static PANICKED: RefCell<Option<Panicked>> = const { RefCell::new(None) };
}

/// Makes a task the current one until the guard is dropped.
pub(super) fn enter(task: TaskContext) -> Entered {
    Entered { outer: CURRENT.replace(Some(task)), was_panicking: std::thread::panicking() }
}

pub(super) struct Entered {
    outer: Option<TaskContext>,
    was_panicking: bool,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let task = CURRENT.replace(self.outer.take());
        if !self.was_panicking
            && std::thread::panicking()
            && let Some(task) = task
        {
            PANICKED.set(Some(task.panicked()));
        }
    }
}

/// A task that has panicked.
pub(crate) struct Panicked {
    /// Its host, and where it was spawned.
    pub(crate) task: String,
    /// A call of its own that failed just before: the panic may be an `unwrap` of the error.
    pub(crate) failed_call: Option<FailedCall>,
}

/// The task of this thread that has panicked since this was last asked. By the time a run reports
/// the panic, the task itself is gone.
pub(crate) fn take_panicked() -> Option<Panicked> {
    PANICKED.take()
}

/// Notes that a call of the running task has failed.
pub(crate) fn note_failed_call(call: String, error: &io::Error) {
    tracing::debug!(target: "glassnet::net", call, %error, "failed");
    let Some(task) = CURRENT.with_borrow(Option::clone) else { return };
    task.scope.failed_calls.note(call, error, task.now(), task.record.origin());
}

/// The number of the task that is running.
pub(super) fn current_id() -> Option<Id> {
    CURRENT.with_borrow(|task| task.as_ref().map(|task| task.record.id()))
}

/// The host of the task that is running.
pub(crate) fn scope() -> Option<Rc<HostScope>> {
    CURRENT.with_borrow(|task| task.as_ref().map(|task| task.scope.clone()))
}

/// Whether the task that is running, if one is on this thread, belongs to the world of `clock`.
pub(crate) fn is_of_world(clock: &Clock) -> bool {
    let is_of_world = |task: &RefCell<Option<TaskContext>>| {
        task.borrow().as_ref().is_some_and(|task| task.scope.clock.is(clock))
    };
    // A socket may outlive even its thread's variables.
    CURRENT.try_with(is_of_world).unwrap_or(false)
}

/// The clock of the world of the task that is running.
pub(crate) fn clock() -> Option<Clock> {
    CURRENT.with_borrow(|task| task.as_ref().map(|task| task.scope.clock.clone()))
}

/// Tells the observer of tasks, if there is one, what the running task does.
pub(crate) fn tell(what: TaskStep) {
    CURRENT.with_borrow(|task| {
        if let Some(task) = task {
            task.scope.executor().tell(&task.record, what);
        }
    });
}

/// Notes what the running task is about to wait for.
pub(crate) fn waits_for(wait: Wait) {
    CURRENT.with_borrow(|task| {
        if let Some(task) = task {
            task.record.waits_for(wait);
        }
    });
}
