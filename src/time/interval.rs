//! Ticks at regular times.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::instant::Instant;
use super::sleep::{Sleep, sleep_until};
use crate::task::budget;

/// Ticks now, and then every `period`.
///
/// # Panics
/// When `period` is zero, or when called outside a task of a world.
#[track_caller]
#[must_use]
pub fn interval(period: Duration) -> Interval {
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
    Interval { next: start, period, sleep: sleep_until(start) }
}

/// Made by [`interval`]. Ticks that were missed because nobody waited come at once, one after
/// another, until it has caught up (tokio's `MissedTickBehavior::Burst`).
#[derive(Debug)]
pub struct Interval {
    next: Instant,
    period: Duration,
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
        let due = self.next;
        self.next = due + self.period;
        self.sleep.reset(self.next);
        Poll::Ready(due)
    }

    /// Lets the next tick come one period from now.
    pub fn reset(&mut self) {
        self.next = Instant::now() + self.period;
        self.sleep.reset(self.next);
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }
}
