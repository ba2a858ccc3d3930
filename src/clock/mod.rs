//! Time as data: the clock of a world and its timers, points in time, deadlines.
//!
//! Nothing in here knows of tasks; what a task does with time is in `time`.

mod deadlines;
mod elapsed;
mod instant;
mod timers;
mod when;

use std::time::Duration;

pub(crate) use deadlines::{Deadline, Deadlines};
pub use elapsed::Elapsed;
pub use instant::Instant;
pub(crate) use timers::{Clock, END, EPOCH_SECONDS, TimerKey};
pub(crate) use when::When;

/// Whole nanoseconds; durations beyond the world's time are its end.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
