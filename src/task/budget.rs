//! How many operations a task may complete in one poll before the others have their turn.
//!
//! A loop over what is always ready never returns to the executor by itself. So the operations
//! of this crate, when a task has completed [`OPERATIONS`] of them in one poll, say that they are
//! pending and wake the task again at once. tokio's own futures know nothing of this budget:
//! without tokio's feature `rt` nobody can give them one, and with it `tokio::sync::watch` would
//! wake its receivers in an order drawn from the operating system's entropy. For those there is
//! the watchdog.

use std::cell::Cell;
use std::task::{Poll, Waker};

/// Operations of one poll, as many as tokio's.
const OPERATIONS: u32 = 128;

#[derive(Clone, Copy)]
struct Budget {
    /// `None` outside of tasks, where nobody else waits for a turn.
    left: Option<u32>,
    /// Completed operations that changed nothing: see [`charge`].
    idle: u32,
}

thread_local! {
    static BUDGET: Cell<Budget> = const { Cell::new(Budget { left: None, idle: 0 }) };
}

/// A poll that has begun: the budget is that of its task until this is dropped.
pub(super) struct Begun {
    outer: Budget,
}

/// What was done in a poll.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// Operations that did something.
    pub(super) useful: u32,
    /// Operations that changed nothing.
    pub(super) idle: u32,
}

impl std::ops::Add for Spent {
    type Output = Spent;
    fn add(self, other: Spent) -> Spent {
        Spent { useful: self.useful + other.useful, idle: self.idle + other.idle }
    }
}

pub(super) fn begin() -> Begun {
    Begun { outer: BUDGET.replace(Budget { left: Some(OPERATIONS), idle: 0 }) }
}

impl Begun {
    pub(super) fn spent(&self) -> Spent {
        let Budget { left, idle } = BUDGET.get();
        let done = OPERATIONS - left.unwrap_or(OPERATIONS);
        Spent { useful: done - idle, idle }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        BUDGET.set(self.outer);
    }
}

/// Whether the running task may complete another operation in this poll.
pub(crate) fn is_left() -> bool {
    BUDGET.get().left != Some(0)
}

/// Whether the running task has nothing left. If so it is woken again at once, and what it polls
/// is to be pending.
pub(crate) fn gives_way(waker: &Waker) -> bool {
    let has_left = is_left();
    if !has_left {
        waker.wake_by_ref();
    }
    !has_left
}

/// Takes one operation off what is left. One that `is_idle` makes no progress: a loop that gets
/// nothing else spins.
pub(crate) fn spend(is_idle: bool) {
    let Budget { left, idle } = BUDGET.get();
    if let Some(left) = left {
        let idle = idle + u32::from(is_idle);
        BUDGET.set(Budget { left: Some(left.saturating_sub(1)), idle });
    }
}

/// Polls an operation, which costs one if it is ready. When nothing is left it is pending, and the
/// task is woken again at once. An operation made of others costs no more than they do. Without a
/// waker nobody waits, and nothing is charged.
///
/// `is_idle` says of a result whether a loop that gets nothing else makes no progress: an error,
/// an end of the stream, a readiness.
pub(crate) fn charge<T>(
    waker: Option<&Waker>,
    poll: impl FnOnce() -> Poll<T>,
    is_idle: impl FnOnce(&T) -> bool,
) -> Poll<T> {
    let Some(waker) = waker else { return poll() };
    if gives_way(waker) {
        return Poll::Pending;
    }
    let before = BUDGET.get().left;
    let polled = poll();
    if let Poll::Ready(result) = &polled
        && BUDGET.get().left == before
    {
        spend(is_idle(result));
    }
    polled
}

/// Polls something that costs nothing, and is not kept waiting because nothing is left.
pub(crate) fn free<T>(poll: impl FnOnce() -> T) -> T {
    /// Restores the budget, also when `poll` panics.
    struct Restore(Budget);
    impl Drop for Restore {
        fn drop(&mut self) {
            BUDGET.set(self.0);
        }
    }
    let _restore = Restore(BUDGET.replace(Budget { left: None, idle: 0 }));
    poll()
}
