//! A host as its sockets hold it.

use std::sync::{Arc, Mutex, PoisonError};

use super::frame::{FrameBuffer, FramePool};
use super::stack::{Host, StateChange};
use crate::time::Clock;

/// The hosts whose sockets were used since the world last looked.
#[derive(Clone, Debug, Default)]
pub(crate) struct DirtyHosts(Arc<Mutex<Vec<u32>>>);

impl DirtyHosts {
    /// Moves the list to `hosts`.
    pub(crate) fn take(&self, hosts: &mut Vec<u32>) {
        hosts.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn add(&self, host: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(host);
    }
}

/// A host, shared by the world and the sockets. Sockets are `Send`, as tokio's are, so there is
/// a lock; it is never contended, because a world runs on one thread.
pub(crate) struct HostHandle {
    index: u32,
    clock: Clock,
    dirty: DirtyHosts,
    shared: Mutex<Shared>,
}

struct Shared {
    host: Host,
    is_dirty: bool,
}

impl HostHandle {
    pub(crate) fn new(index: u32, host: Host, clock: Clock, dirty: DirtyHosts) -> Arc<HostHandle> {
        let shared = Mutex::new(Shared { host, is_dirty: false });
        Arc::new(HostHandle { index, clock, dirty, shared })
    }

    /// A socket call: what it leaves to do is done when the tasks have had their turn.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&mut Host, u64) -> R) -> R {
        self.locked(|shared| {
            let result = call(&mut shared.host, self.clock.now());
            if !shared.is_dirty {
                shared.is_dirty = true;
                self.dirty.add(self.index);
            }
            result
        })
    }

    /// A call that only asks, or registers whom to wake, and leaves nothing to do.
    pub(crate) fn look_mut<R>(&self, look: impl FnOnce(&mut Host) -> R) -> R {
        look(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner).host)
    }

    /// A look that leaves nothing to do.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Host) -> R) -> R {
        look(&self.shared.lock().unwrap_or_else(PoisonError::into_inner).host)
    }

    /// The world's turn, with a frame that arrived if there is one: see [`Host::poll`].
    pub(crate) fn turn(
        &self,
        arrived: Option<FrameBuffer>,
        pool: &mut FramePool,
        out: &mut Vec<FrameBuffer>,
        changes: &mut Vec<StateChange>,
    ) -> Option<u64> {
        let now = self.clock.now();
        self.locked(|shared| {
            shared.is_dirty = false;
            if let Some(frame) = arrived {
                shared.host.receive(now, frame, pool);
            }
            let deadline = shared.host.poll(now, pool);
            shared.host.take_outbox(out);
            shared.host.take_changes(changes);
            deadline
        })
    }

    fn locked<R>(&self, work: impl FnOnce(&mut Shared) -> R) -> R {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut shared);
        let woken = shared.host.take_woken();
        drop(shared);
        // A waker may run anything, so never under the lock.
        woken.into_iter().for_each(std::task::Waker::wake);
        result
    }
}
