//! A point on the world's clock.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use super::Clock;
use super::clock::END;
use crate::task::context;

/// A point in the time of a world, to the nanosecond; `tokio::time::Instant`'s counterpart.
///
/// Additions saturate at the largest instant, 584 years after the beginning. A world lasts no longer
/// than 292 years: waiting for a later instant never ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The present moment of the world in which the calling task runs.
    ///
    /// # Panics
    /// When called outside a task of a world, where there is no clock.
    #[track_caller]
    #[must_use]
    pub fn now() -> Instant {
        match context::clock() {
            Some(clock) => Instant(clock.now()),
            None => {
                panic!("Instant::now() needs the clock of a world: call it in a task of a host")
            }
        }
    }

    /// The present moment of the world that runs on the calling thread; `None` where none does.
    ///
    /// Unlike [`Instant::now`] it also works outside of tasks: in an observer, or in a logger. For
    /// `tracing-subscriber` there is `glassnet::tracing_subscriber::WorldTime`; this is for other
    /// loggers:
    ///
    /// ```
    /// use glassnet::{Sim, time::Instant};
    ///
    /// let mut sim = Sim::new(7);
    /// sim.client("client", async {
    ///     assert_eq!(Instant::try_now().unwrap().to_string(), "0.000000000s");
    ///     Ok(())
    /// });
    /// sim.run()?;
    /// assert!(Instant::try_now().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn try_now() -> Option<Instant> {
        Clock::of_running_world().map(|clock| Instant(clock.now()))
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Instant {
        Instant(nanos)
    }

    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whether a world comes to it.
    pub(crate) const fn is_within_time(self) -> bool {
        self.0 <= END
    }

    /// How long the world has been running at this instant.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub const fn duration_since(&self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time from `earlier` to this instant, or `None` if `earlier` is later.
    #[must_use]
    pub fn checked_duration_since(&self, earlier: Instant) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_nanos)
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }

    /// The time since this instant.
    ///
    /// # Panics
    /// Like [`Instant::now`], outside a task of a world.
    #[track_caller]
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Instant::now().duration_since(*self)
    }

    /// This instant moved forward, or `None` when the world's time (584 years) does not reach.
    #[must_use]
    pub fn checked_add(&self, duration: Duration) -> Option<Instant> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Instant)
    }

    /// This instant moved back, or `None` before the world began.
    #[must_use]
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Instant)
    }

    /// This instant moved forward, or the end of time.
    pub(crate) fn saturating_add(self, duration: Duration) -> Instant {
        self.checked_add(duration).unwrap_or(Instant(u64::MAX))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, duration: Duration) -> Instant {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, duration: Duration) -> Instant {
        self.checked_sub(duration).unwrap_or(Instant(0))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Seconds since the world began, with nine decimals: `1.024000000s`. Reports and logs write every
/// point in time like this.
impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}
