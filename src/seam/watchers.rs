//! The epoll instances that watch a file.

use std::sync::{Arc, Weak};
use std::task::Wake;

use super::epoll::Registration;
use super::spin::Spin;

/// Who is told when a file may have become ready.
#[derive(Default)]
pub(super) struct Watchers(Spin<Vec<Weak<Registration>>>);

impl Watchers {
    pub(super) fn add(&self, registration: &Arc<Registration>) {
        let mut watchers = self.0.lock();
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Arc::downgrade(registration));
    }

    /// Tells all of them to look.
    pub(super) fn notify(&self) {
        let mut next = 0;
        loop {
            // One at a time: telling them may run anything.
            let watcher = match self.0.lock().get(next) {
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
