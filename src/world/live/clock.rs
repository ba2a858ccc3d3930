//! The wall clock, as a live world reads it.

use std::time::{Instant, SystemTime};

/// The time since a live world began.
#[derive(Clone, Copy, Debug)]
pub(super) struct WallClock {
    began: Instant,
    since_1970: u64,
}

impl WallClock {
    /// A world begins now.
    pub(super) fn start() -> WallClock {
        let began = Instant::now();
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let since_1970 = since_1970.map_or(1, |since| u64::try_from(since.as_nanos()).unwrap_or(1));
        WallClock { began, since_1970 }
    }

    /// When it began, in nanoseconds since 1970.
    pub(super) fn began(&self) -> u64 {
        self.since_1970
    }

    /// Nanoseconds since it began.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
