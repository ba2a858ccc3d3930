//! The clock of a world and the timers that wait on it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// When a timer fires: first by time, then by the order in which it was set.
pub(crate) type TimerKey = (u64, u64);

/// When the time of a world ends, after 292 years: what is later never happens. Twice as much can
/// be counted, so that sums do not overflow.
pub(crate) const END: u64 = u64::MAX / 2;

/// When every simulated world begins, in seconds since 1970: 2000-01-01 00:00:00 UTC.
///
/// It is not 0 because Wireshark and tcptrace take a time of 0 for one that was never set,
/// and then give no round-trip time for a connection opened in that instant.
pub(crate) const EPOCH_SECONDS: u64 = 946_684_800;

/// The world's clock: nanoseconds since the world began, and who wants to be woken when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    now: AtomicU64,
    /// When the world began, in nanoseconds since 1970; 0 where that is the same for all.
    start: AtomicU64,
    sequence: AtomicU64,
    round: AtomicU32,
    timers: Mutex<BTreeMap<TimerKey, Waker>>,
    /// How many timers there are, so that the common case, none, needs no lock.
    pending: AtomicUsize,
}

impl Clock {
    /// Nanoseconds since the world began.
    pub(crate) fn now(&self) -> u64 {
        self.0.now.load(Ordering::Relaxed)
    }

    /// Whether both are the clock of one world.
    pub(crate) fn is(&self, other: &Clock) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// When the world began, in nanoseconds since 1970, if it began at a real time.
    pub(crate) fn real_start(&self) -> Option<u64> {
        Some(self.0.start.load(Ordering::Relaxed)).filter(|start| *start > 0)
    }

    /// The time since 1970, by the calendar of the world.
    pub(crate) fn since_1970(&self) -> Duration {
        let start = match self.real_start() {
            Some(nanoseconds) => Duration::from_nanos(nanoseconds),
            None => Duration::from_secs(EPOCH_SECONDS),
        };
        start + Duration::from_nanos(self.now())
    }

    /// The world begins at a real time.
    pub(crate) fn set_real_start(&self, nanoseconds: u64) {
        self.0.start.store(nanoseconds, Ordering::Relaxed);
    }

    /// Moves the clock forward. It never goes back.
    pub(crate) fn advance_to(&self, now: u64) {
        debug_assert!(now >= self.now(), "the clock went back");
        self.0.now.store(now, Ordering::Relaxed);
    }

    /// The next number of the order in which things were scheduled, shared by timers and events
    /// so that ties in time break by insertion.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.0.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Changes when every task that could run has run once.
    pub(crate) fn round(&self) -> u32 {
        self.0.round.load(Ordering::Relaxed)
    }

    /// Every task that could run has run once.
    pub(crate) fn end_round(&self) {
        // The thread that drives the world is the only one that writes it.
        self.0.round.store(self.round().wrapping_add(1), Ordering::Relaxed);
    }

    /// Asks to be woken at `deadline`.
    pub(crate) fn set_timer(&self, deadline: u64, waker: Waker) -> TimerKey {
        let key = (deadline, self.next_sequence());
        self.timers().insert(key, waker);
        self.0.pending.fetch_add(1, Ordering::Relaxed);
        key
    }

    /// Replaces the waker of a timer that has not fired.
    pub(crate) fn rearm_timer(&self, key: TimerKey, waker: &Waker) {
        if let Some(registered) = self.timers().get_mut(&key) {
            registered.clone_from(waker);
        }
    }

    /// Forgets a timer.
    pub(crate) fn cancel_timer(&self, key: TimerKey) {
        let cancelled = self.take(key);
        // Dropping a waker may run a task's code: never under the lock.
        drop(cancelled);
    }

    /// The timer that fires next.
    pub(crate) fn next_timer(&self) -> Option<TimerKey> {
        if self.0.pending.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.timers().first_key_value().map(|(key, _)| *key)
    }

    /// How many timers there are.
    pub(crate) fn timers_pending(&self) -> usize {
        self.0.pending.load(Ordering::Relaxed)
    }

    /// Fires the timer with this key.
    pub(crate) fn fire(&self, key: TimerKey) {
        if let Some(waker) = self.take(key) {
            waker.wake();
        }
    }

    fn take(&self, key: TimerKey) -> Option<Waker> {
        let taken = self.timers().remove(&key)?;
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
        Some(taken)
    }

    /// Makes this the clock of the world that runs on this thread, until the guard is dropped.
    pub(crate) fn enter(&self) -> Running {
        Running { outer: RUNNING.replace(Some(self.clone())) }
    }

    /// The clock of the world that runs on this thread.
    pub(crate) fn of_running_world() -> Option<Clock> {
        RUNNING.with_borrow(Option::clone)
    }

    fn timers(&self) -> MutexGuard<'_, BTreeMap<TimerKey, Waker>> {
        self.0.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    static RUNNING: RefCell<Option<Clock>> = const { RefCell::new(None) };
}

/// A world runs on this thread.
#[must_use]
pub(crate) struct Running {
    outer: Option<Clock>,
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.replace(self.outer.take());
    }
}
