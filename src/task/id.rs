//! The number of a task.

use std::fmt;
use std::num::NonZeroU64;

/// Tells a task from all others of its world, also when it has ended; `tokio::task::Id`'s
/// counterpart. Tasks are numbered in the order in which they were spawned, so that a seed gives
/// the same numbers each time.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(NonZeroU64);

impl Id {
    pub(super) fn new(number: NonZeroU64) -> Id {
        Id(number)
    }

    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}
