//! Ticks at regular times.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::sleep::{Sleep, sleep_until};
use crate::clock::Instant;
use crate::task::budget;

/// Ticks now, and then every `period`.
///
/// # Panics
/// When `period` is zero, or when called outside a task of a world.
#[track_caller]
#[must_use]
pub fn interval(period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "`period` must be non-zero.");
    interval_at(Instant::now(), period)
}

/// Ticks at `start`, and then every `period`.
///
/// # Panics
/// When `period` is zero.
#[track_caller]
#[must_use]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "`period` must be non-zero.");
    let missed_tick_behavior = MissedTickBehavior::default();
    Interval { next: start, period, missed_tick_behavior, sleep: sleep_until(start) }
}

/// When an [`Interval`] ticks after ticks were missed, because nobody waited for them.
///
/// As in tokio, a tick that is taken up to 5 ms late was not missed, and the next comes when it is
/// due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// Ticks at once, one after the other, until it has caught up.
    #[default]
    Burst,
    /// Ticks one period after the late tick was taken, and every period from then on.
    Delay,
    /// Ticks at the next multiple of the period, and leaves out those between.
    Skip,
}

/// A tick that is taken this late was missed.
const LATE: Duration = Duration::from_millis(5);

impl MissedTickBehavior {
    /// When the next tick is due after one that was due at `due` and is taken at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            MissedTickBehavior::Burst => due + period,
            MissedTickBehavior::Delay => now + period,
            MissedTickBehavior::Skip => {
                let late = now.duration_since(due).as_nanos() % period.as_nanos();
                now + (period - Duration::from_nanos(late as u64))
            }
        }
    }
}

/// Made by [`interval`] and [`interval_at`]; `tokio::time::Interval`'s counterpart.
#[derive(Debug)]
pub struct Interval {
    next: Instant,
    period: Duration,
    missed_tick_behavior: MissedTickBehavior,
    sleep: Sleep,
}

impl Interval {
    /// Waits for the next tick and returns when it was due. Dropping the future loses no tick.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Polls for the next tick.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        if budget::gives_way(cx.waker()) {
            return Poll::Pending;
        }
        ready!(budget::free(|| Pin::new(&mut self.sleep).poll(cx)));
        // Each tick is later than the last one, so that even catching up is progress.
        budget::spend(false);
        let (due, now) = (self.next, Instant::now());
        self.next = if now > due + LATE {
            self.missed_tick_behavior.next(due, now, self.period)
        } else {
            due + self.period
        };
        self.sleep.set_deadline(self.next);
        Poll::Ready(due)
    }

    /// Lets the next tick come one period from now.
    ///
    /// # Panics
    /// When called outside a task of a world.
    #[track_caller]
    pub fn reset(&mut self) {
        self.reset_at(Instant::now() + self.period);
    }

    /// Lets the next tick come now.
    ///
    /// # Panics
    /// When called outside a task of a world.
    #[track_caller]
    pub fn reset_immediately(&mut self) {
        self.reset_at(Instant::now());
    }

    /// Lets the next tick come after so long.
    ///
    /// # Panics
    /// When called outside a task of a world.
    #[track_caller]
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(Instant::now() + after);
    }

    /// Lets the next tick come at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.next = deadline;
        self.sleep.set_deadline(deadline);
    }

    /// What happens after ticks were missed.
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed_tick_behavior
    }

    /// Says what happens after ticks were missed; without it,
    /// [`Burst`](MissedTickBehavior::Burst).
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed_tick_behavior = behavior;
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }
}
