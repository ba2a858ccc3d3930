//! Errors of timers.

pub use crate::clock::Elapsed;
