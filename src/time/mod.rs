//! Virtual time: [`Instant`], [`SystemTime`], [`sleep`], [`timeout`], [`interval`].
//!
//! The names and the meaning are those of `tokio::time`; the clock is the world's. In a
//! simulation it stands still while code runs and jumps to the next event, with a resolution of
//! one nanosecond; nothing ticks.

mod clock;
mod deadlines;
pub mod error;
mod instant;
mod interval;
mod sleep;
mod system;
mod when;

pub(crate) use clock::{Clock, END, EPOCH_SECONDS};
pub(crate) use deadlines::{Deadline, Deadlines};
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, Timeout, sleep, sleep_until, timeout, timeout_at};
pub use std::time::Duration;
pub use system::{SystemTime, UNIX_EPOCH};
pub(crate) use when::When;

/// Whole nanoseconds; durations beyond the world's time are its end.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
