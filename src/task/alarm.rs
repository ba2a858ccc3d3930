//! How another thread wakes a world that sleeps.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock};

/// Wakes a world on the wall clock that sleeps until something happens. Clones are the same.
///
/// A world in virtual time never sets it: it does not sleep, and other threads are no part of it.
#[derive(Clone, Default)]
pub(crate) struct Alarm(Arc<Bell>);

#[derive(Default)]
struct Bell {
    armed: AtomicBool,
    ring: OnceLock<Ring>,
}

/// Sockets hold it, which are as safe to unwind through as tokio's.
type Ring = Box<dyn Fn() + Send + Sync + UnwindSafe + RefUnwindSafe>;

impl Alarm {
    /// Says how the world is woken.
    pub(crate) fn set(&self, ring: Ring) {
        let _ = self.0.ring.set(ring);
    }

    /// The world is about to sleep. It must look, after this, whether there is something to do:
    /// whoever left something before this has not rung.
    pub(crate) fn arm(&self) {
        self.0.armed.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// The world is awake, and looks for what there is to do.
    pub(crate) fn disarm(&self) {
        self.0.armed.store(false, Ordering::SeqCst);
    }

    /// Wakes the world if it sleeps. To be called after what there is to do is where the world
    /// looks for it: one of the two then sees what the other wrote before its fence.
    pub(crate) fn ring(&self) {
        let Some(ring) = self.0.ring.get() else { return };
        fence(Ordering::SeqCst);
        if self.0.armed.swap(false, Ordering::SeqCst) {
            ring();
        }
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Alarm").field("armed", &self.0.armed).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "another thread is what is tested")]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn counted() -> (Alarm, Arc<AtomicU32>) {
        let (alarm, rung) = (Alarm::default(), Arc::new(AtomicU32::new(0)));
        let count = rung.clone();
        alarm.set(Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        (alarm, rung)
    }

    #[test]
    fn it_rings_once_for_each_sleep_and_not_while_the_world_is_awake() {
        let (alarm, rung) = counted();
        alarm.ring();
        assert_eq!(rung.load(Ordering::SeqCst), 0);
        alarm.arm();
        alarm.ring();
        alarm.ring();
        assert_eq!(rung.load(Ordering::SeqCst), 1);
        alarm.arm();
        alarm.disarm();
        alarm.ring();
        assert_eq!(rung.load(Ordering::SeqCst), 1);
    }

    /// Both threads start each turn at the same moment: one leaves something and rings, the other
    /// arms and looks. Either it was seen, or it was rung.
    #[test]
    fn what_another_thread_leaves_is_seen_or_rung() {
        const TURNS: usize = 20_000;
        let (alarm, rung) = counted();
        let left = Arc::new(AtomicBool::new(false));
        let start = Arc::new(std::sync::Barrier::new(2));
        let other = {
            let (alarm, left, start) = (alarm.clone(), left.clone(), start.clone());
            std::thread::spawn(move || {
                for _ in 0..TURNS {
                    start.wait();
                    left.store(true, Ordering::Relaxed);
                    alarm.ring();
                    start.wait();
                }
            })
        };
        for turn in 0..TURNS {
            start.wait();
            alarm.arm();
            let was_seen = left.load(Ordering::Relaxed);
            start.wait();
            let was_rung = rung.swap(0, Ordering::SeqCst) > 0;
            assert!(was_seen || was_rung, "lost in turn {turn}");
            left.store(false, Ordering::Relaxed);
            alarm.disarm();
        }
        other.join().unwrap();
    }
}
