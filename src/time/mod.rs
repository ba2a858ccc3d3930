//! Virtual time: [`Instant`], [`SystemTime`], [`sleep`], [`timeout`], [`interval`].
//!
//! The names and the meaning are those of `tokio::time`, without `pause`, `advance` and `resume`,
//! `Timeout::{get_mut, into_inner}` and `Instant::{from_std, into_std}`; the clock is the world's. In a
//! simulation it stands still while code runs and jumps to the next event, with a resolution of
//! one nanosecond; nothing ticks.

pub mod error;
mod interval;
mod now;
mod sleep;
mod system;

pub use crate::clock::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, Timeout, sleep, sleep_until, timeout, timeout_at};
pub use std::time::Duration;
pub use system::{SystemTime, UNIX_EPOCH};
