//! The number of a task.

use std::fmt;
use std::num::NonZeroU64;

use super::context;

/// Tells a task from all others of its world, also when it has ended; `tokio::task::Id`'s
/// counterpart. Tasks are numbered in the order in which they were spawned, so that a seed gives
/// the same numbers each time.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(NonZeroU64);

impl Id {
    pub(super) fn new(number: NonZeroU64) -> Id {
        Id(number)
    }

    pub(super) fn number(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// The [`Id`] of the task that calls this.
///
/// # Panics
/// When called outside a task of a world.
#[track_caller]
#[must_use]
pub fn id() -> Id {
    match try_id() {
        Some(id) => id,
        None => panic!("Can't get a task id when not inside a task"),
    }
}

/// The [`Id`] of the task that calls this; `None` outside a task of a world.
#[must_use]
pub fn try_id() -> Option<Id> {
    context::current_id()
}
