//! Which host answers what the thread asks libc.

use std::cell::Cell;
use std::task::Waker;

use super::spin::Spin;
use crate::clock::Clock;
use crate::task::HostRng;

/// `CLOCK_MONOTONIC` when a world begins: an uptime from which libraries may subtract.
pub(super) const UPTIME_AT_START: u64 = 1_000_000 * 1_000_000_000;

/// A host with a runtime, as calls of libc see it.
pub(super) struct Seat {
    clock: Clock,
    rng: Spin<HostRng>,
    /// When the runtime was built: its timers count whole milliseconds from then.
    runtime_start: Cell<u64>,
    /// Wakes the future that the runtime blocks on.
    root: Spin<Option<Waker>>,
    /// Wakes the task of the world in which the runtime has its turns.
    task: Spin<Waker>,
    parked: Cell<Option<Parked>>,
}

/// The runtime has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parked {
    /// When its next timer is due, in the world's time.
    pub(super) until: Option<u64>,
}

thread_local! {
    // Const and without a destructor: it can be read at any time in a thread's life.
    static SEAT: Cell<*const Seat> = const { Cell::new(std::ptr::null()) };
}

impl Seat {
    pub(super) fn new(clock: Clock, rng: HostRng) -> Seat {
        Seat {
            runtime_start: Cell::new(clock.now()),
            clock,
            rng: Spin::new(rng),
            root: Spin::new(None),
            task: Spin::new(Waker::noop().clone()),
            parked: Cell::new(None),
        }
    }

    /// Has this host answer on this thread, until the guard is dropped.
    pub(super) fn sit(&self) -> Sitting<'_> {
        Sitting { outer: SEAT.replace(self), _seat: self }
    }

    /// Nanoseconds since the world began.
    pub(super) fn now(&self) -> u64 {
        self.clock.now()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn fill_random(&self, bytes: &mut [u8]) {
        self.rng.lock().fill_bytes(bytes);
    }

    pub(super) fn set_task(&self, waker: &Waker) {
        let outdated = {
            let mut task = self.task.lock();
            if task.will_wake(waker) {
                return;
            }
            std::mem::replace(&mut *task, waker.clone())
        };
        drop(outdated);
    }

    /// Wakes the task in which the runtime has its turns.
    pub(super) fn task(&self) -> Waker {
        self.task.lock().clone()
    }

    pub(super) fn set_root(&self, waker: &Waker) {
        let outdated = self.root.lock().replace(waker.clone());
        drop(outdated);
    }

    /// The runtime would sleep for so many milliseconds, or for ever: its turn ends.
    pub(super) fn park(&self, milliseconds: Option<u64>) {
        let until = milliseconds.map(|milliseconds| {
            // The runtime counts whole milliseconds, rounded down, from when it was built.
            let start = self.runtime_start.get();
            let ticks = (self.now() - start) / 1_000_000;
            start.saturating_add(ticks.saturating_add(milliseconds).saturating_mul(1_000_000))
        });
        self.parked.set(Some(Parked { until }));
        let root = self.root.lock().clone();
        if let Some(root) = root {
            root.wake();
        }
    }

    pub(super) fn take_parked(&self) -> Option<Parked> {
        self.parked.take()
    }
}

/// A host answers on this thread.
pub(super) struct Sitting<'a> {
    outer: *const Seat,
    _seat: &'a Seat,
}

impl Drop for Sitting<'_> {
    fn drop(&mut self) {
        SEAT.set(self.outer);
    }
}

/// Calls `answer` with the host that answers on this thread, if one does.
#[inline]
pub(super) fn with_seat<R>(answer: impl FnOnce(Option<&Seat>) -> R) -> R {
    let seat = SEAT.get();
    // SAFETY: the pointer is set by a guard that borrows the seat, and reset when it goes.
    answer(unsafe { seat.as_ref() })
}

/// Whether this is a thread of a world.
#[inline]
pub(super) fn is_taken() -> bool {
    !SEAT.get().is_null()
}
