//! `epoll(7)`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use super::spin::Spin;
use crate::error::Errno;

const ALWAYS: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
const EDGE: u32 = libc::EPOLLET as u32;
const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;
/// What may go with `EPOLLEXCLUSIVE`.
const MAY_BE_EXCLUSIVE: u32 =
    EXCLUSIVE | EDGE | ALWAYS | (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLWAKEUP) as u32;
const ONE_SHOT: u32 = libc::EPOLLONESHOT as u32;
const MODES: u32 = EDGE | ONE_SHOT | (libc::EPOLLWAKEUP | libc::EPOLLEXCLUSIVE) as u32;

/// A file that an epoll instance can watch. Readiness and events are bits of `epoll(7)`.
pub(super) trait Watched: Send + Sync {
    /// What it is ready for.
    fn readiness(&self) -> u32;

    /// A registration watches it from now on.
    fn watch(&self, registration: &Arc<Registration>);

    /// Has a registration told when the file may have become ready for `events`.
    fn wait_for(&self, events: u32, registration: &Arc<Registration>);
}

/// An epoll instance.
pub(super) struct Epoll {
    shared: Arc<Shared>,
    /// The runtime of a host parks in it.
    pub(super) is_of_runtime: bool,
    members: Spin<BTreeMap<i32, Arc<Registration>>>,
}

struct Shared {
    /// Files that may be ready, in the order in which they became so.
    ready: Spin<VecDeque<Arc<Registration>>>,
    /// Wakes whoever waits for the instance.
    owner: Spin<Waker>,
}

/// A file that an epoll instance watches.
pub(super) struct Registration {
    epoll: Weak<Shared>,
    file: Weak<dyn Watched>,
    events: AtomicU32,
    data: AtomicU64,
    is_queued: AtomicBool,
    is_member: AtomicBool,
}

impl Epoll {
    pub(super) fn new(owner: Waker, is_of_runtime: bool) -> Epoll {
        let shared = Shared { ready: Spin::default(), owner: Spin::new(owner) };
        Epoll { shared: Arc::new(shared), is_of_runtime, members: Spin::default() }
    }

    /// Whom to wake from now on.
    pub(super) fn set_owner(&self, owner: &Waker) {
        let outdated = {
            let mut current = self.shared.owner.lock();
            if current.will_wake(owner) {
                return;
            }
            std::mem::replace(&mut *current, owner.clone())
        };
        drop(outdated);
    }

    /// `EPOLL_CTL_ADD`.
    pub(super) fn add(
        &self,
        fd: i32,
        file: &Arc<dyn Watched>,
        events: u32,
        data: u64,
    ) -> Result<(), Errno> {
        if events & EXCLUSIVE != 0 && events & !MAY_BE_EXCLUSIVE != 0 {
            return Err(Errno::Invalid);
        }
        let registration = Arc::new(Registration {
            epoll: Arc::downgrade(&self.shared),
            file: Arc::downgrade(file),
            events: AtomicU32::new(events),
            data: AtomicU64::new(data),
            is_queued: AtomicBool::new(false),
            is_member: AtomicBool::new(true),
        });
        {
            let mut members = self.members.lock();
            // One of a file that was closed has gone with it.
            if members.get(&fd).is_some_and(|member| member.file.strong_count() > 0) {
                return Err(Errno::Exists);
            }
            members.insert(fd, registration.clone());
        }
        file.watch(&registration);
        registration.wake_by_ref();
        Ok(())
    }

    /// `EPOLL_CTL_MOD`.
    pub(super) fn modify(&self, fd: i32, events: u32, data: u64) -> Result<(), Errno> {
        let registration = self.members.lock().get(&fd).cloned().ok_or(Errno::NoEntry)?;
        let before = registration.events.load(Ordering::Relaxed);
        if (events | before) & EXCLUSIVE != 0 {
            return Err(Errno::Invalid);
        }
        registration.events.store(events, Ordering::Relaxed);
        registration.data.store(data, Ordering::Relaxed);
        registration.wake_by_ref();
        Ok(())
    }

    /// `EPOLL_CTL_DEL`.
    pub(super) fn remove(&self, fd: i32) -> Result<(), Errno> {
        let removed = self.members.lock().remove(&fd).ok_or(Errno::NoEntry)?;
        removed.is_member.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Hands out what is ready, at most `max` events as `(bits, data)`. Returns how many.
    pub(super) fn collect(&self, max: usize, mut give: impl FnMut(usize, u32, u64)) -> usize {
        let mut left = self.shared.ready.lock().len();
        let mut given = 0;
        while given < max && left > 0 {
            left -= 1;
            let Some(registration) = self.shared.ready.lock().pop_front() else { break };
            registration.is_queued.store(false, Ordering::Relaxed);
            if !registration.is_member.load(Ordering::Relaxed) {
                continue;
            }
            let Some(file) = registration.file.upgrade() else { continue };
            let events = registration.events.load(Ordering::Relaxed);
            if events & !MODES == 0 && events & ONE_SHOT != 0 {
                // It has had its one event.
                continue;
            }
            // First it is watched, so that nothing is missed between.
            file.wait_for(events, &registration);
            let ready = file.readiness() & ((events & !MODES) | ALWAYS);
            if ready == 0 {
                continue;
            }
            give(given, ready, registration.data.load(Ordering::Relaxed));
            given += 1;
            if events & ONE_SHOT != 0 {
                registration.events.store(ONE_SHOT, Ordering::Relaxed);
            } else if events & EDGE == 0 {
                registration.queue();
            }
        }
        given
    }

    /// Whether something may be ready: what an epoll instance within another is ready for.
    pub(super) fn has_ready(&self) -> bool {
        !self.shared.ready.lock().is_empty()
    }
}

impl Registration {
    /// Puts it at the end of those that may be ready. False when it was there.
    fn queue(self: &Arc<Registration>) -> bool {
        if self.is_queued.swap(true, Ordering::Relaxed) {
            return false;
        }
        if let Some(epoll) = self.epoll.upgrade() {
            epoll.ready.lock().push_back(self.clone());
        }
        true
    }
}

impl Wake for Registration {
    fn wake(self: Arc<Registration>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Registration>) {
        if self.queue()
            && let Some(epoll) = self.epoll.upgrade()
        {
            let owner = epoll.owner.lock().clone();
            owner.wake();
        }
    }
}
