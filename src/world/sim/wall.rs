//! A limit of real time, for whoever runs a world: the world itself knows no clock but its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Set by another thread when real time is up.
#[derive(Debug)]
pub(crate) struct WallLimit {
    limit: Duration,
    /// What is left of it from the start on.
    left: Duration,
    is_up: AtomicBool,
}

impl WallLimit {
    pub(crate) fn new(limit: Duration) -> WallLimit {
        WallLimit { limit, left: limit, is_up: AtomicBool::new(false) }
    }

    /// Some of the time has passed in another process.
    pub(crate) fn with_left(limit: Duration, left: Duration) -> WallLimit {
        WallLimit { left, ..WallLimit::new(limit) }
    }

    /// How much time there is.
    pub(crate) fn left(&self) -> Duration {
        self.left
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Has runs that go on fail.
    pub(crate) fn time_is_up(&self) {
        self.is_up.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }
}
