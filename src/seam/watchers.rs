//! The epoll instances that watch a file.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use super::epoll::Registration;
use super::spin::Spin;

/// Who is told when a file may have become ready.
#[derive(Default)]
pub(super) struct Watchers {
    registrations: Spin<Vec<Weak<Registration>>>,
    /// Called once.
    wakers: Spin<Vec<Waker>>,
}

impl Watchers {
    pub(super) fn add(&self, registration: &Arc<Registration>) {
        let mut watchers = self.registrations.lock();
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Arc::downgrade(registration));
    }

    /// Has a waker called at the next change.
    pub(super) fn add_waker(&self, waker: &Waker) {
        let mut wakers = self.wakers.lock();
        if !wakers.iter().any(|other| other.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// Tells all of them to look.
    pub(super) fn notify(&self) {
        let wakers = std::mem::take(&mut *self.wakers.lock());
        wakers.into_iter().for_each(Waker::wake);
        let mut next = 0;
        loop {
            // One at a time: telling them may run anything.
            let watcher = match self.registrations.lock().get(next) {
                Some(watcher) => watcher.upgrade(),
                None => return,
            };
            if let Some(registration) = watcher {
                registration.wake_by_ref();
            }
            next += 1;
        }
    }
}
