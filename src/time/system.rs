//! The date in a world.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::{self, Duration, SystemTimeError};

use crate::task::context;

/// The beginning of the calendar, 1970-01-01 00:00:00 UTC.
pub const UNIX_EPOCH: SystemTime = SystemTime(time::UNIX_EPOCH);

/// A date and time in a world, with the methods of [`std::time::SystemTime`], from and into which
/// it converts.
///
/// A simulated world begins at 2000-01-01 00:00:00 UTC, as its captures say, and its calendar goes
/// on as its clock does, so that a seed gives the same dates on every machine and day. A world on
/// the wall clock begins at the machine's time.
///
/// ```
/// use std::time::Duration;
///
/// use glassnet::time::{SystemTime, sleep};
///
/// let mut sim = glassnet::Sim::new(7);
/// sim.client("client", async {
///     sleep(Duration::from_secs(60)).await;
///     let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
///     assert_eq!(since_1970, Duration::from_secs(946_684_800 + 60));
///     Ok(())
/// });
/// sim.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemTime(time::SystemTime);

impl SystemTime {
    /// The beginning of the calendar, 1970-01-01 00:00:00 UTC.
    pub const UNIX_EPOCH: SystemTime = UNIX_EPOCH;

    /// The present date and time in the world of the calling task.
    ///
    /// # Panics
    /// When called outside a task of a world, which has no date.
    #[track_caller]
    #[must_use]
    pub fn now() -> SystemTime {
        match context::clock() {
            Some(clock) => UNIX_EPOCH + clock.since_1970(),
            None => {
                panic!("SystemTime::now() needs the clock of a world: call it in a task of a host")
            }
        }
    }

    /// The time from `earlier` to this.
    ///
    /// # Errors
    /// When `earlier` is later; the error says by how much.
    pub fn duration_since(&self, earlier: SystemTime) -> Result<Duration, SystemTimeError> {
        self.0.duration_since(earlier.0)
    }

    /// The time since this.
    ///
    /// # Errors
    /// When this is in the future of the world; the error says by how much.
    ///
    /// # Panics
    /// Like [`SystemTime::now`], outside a task of a world.
    #[track_caller]
    pub fn elapsed(&self) -> Result<Duration, SystemTimeError> {
        SystemTime::now().duration_since(*self)
    }

    /// This moved forward, or `None` when that cannot be represented.
    #[must_use]
    pub fn checked_add(&self, duration: Duration) -> Option<SystemTime> {
        self.0.checked_add(duration).map(SystemTime)
    }

    /// This moved back, or `None` when that cannot be represented.
    #[must_use]
    pub fn checked_sub(&self, duration: Duration) -> Option<SystemTime> {
        self.0.checked_sub(duration).map(SystemTime)
    }
}

impl From<SystemTime> for time::SystemTime {
    fn from(time: SystemTime) -> time::SystemTime {
        time.0
    }
}

impl From<time::SystemTime> for SystemTime {
    fn from(time: time::SystemTime) -> SystemTime {
        SystemTime(time)
    }
}

impl Add<Duration> for SystemTime {
    type Output = SystemTime;
    fn add(self, duration: Duration) -> SystemTime {
        SystemTime(self.0 + duration)
    }
}

impl AddAssign<Duration> for SystemTime {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub<Duration> for SystemTime {
    type Output = SystemTime;
    fn sub(self, duration: Duration) -> SystemTime {
        SystemTime(self.0 - duration)
    }
}

impl SubAssign<Duration> for SystemTime {
    fn sub_assign(&mut self, duration: Duration) {
        self.0 -= duration;
    }
}

impl fmt::Debug for SystemTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}
