//! Who waits for something.

use std::task::Waker;

/// The tasks that wait for one thing. All are woken together; each looks for itself.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Vec<Waker>);

impl Wakers {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn register(&mut self, waker: &Waker) {
        if !self.0.iter().any(|registered| registered.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    /// Moves the wakers to `woken`. They are not woken here, because the host is locked.
    pub(crate) fn wake_all(&mut self, woken: &mut Vec<Waker>) {
        woken.append(&mut self.0);
    }
}
