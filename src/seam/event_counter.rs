//! `eventfd(2)`.

use super::spin::Spin;
use super::watchers::Watchers;
use crate::error::Errno;

/// The counter behind an eventfd.
pub(super) struct EventCounter {
    count: Spin<u64>,
    /// `EFD_SEMAPHORE`: a read takes one.
    is_semaphore: bool,
    pub(super) watchers: Watchers,
}

impl EventCounter {
    pub(super) fn new(count: u32, is_semaphore: bool) -> EventCounter {
        EventCounter {
            count: Spin::new(u64::from(count)),
            is_semaphore,
            watchers: Watchers::default(),
        }
    }

    /// `None` when it would wait.
    pub(super) fn read(&self) -> Option<u64> {
        let mut count = self.count.lock();
        let taken = if self.is_semaphore { (*count).min(1) } else { *count };
        *count -= taken;
        drop(count);
        if taken > 0 {
            self.watchers.notify();
        }
        (taken > 0).then_some(taken)
    }

    /// `TryAgain` when it would wait.
    pub(super) fn write(&self, more: u64) -> Result<(), Errno> {
        if more == u64::MAX {
            return Err(Errno::Invalid);
        }
        let mut count = self.count.lock();
        match count.checked_add(more).filter(|sum| *sum < u64::MAX) {
            Some(sum) => *count = sum,
            None => return Err(Errno::TryAgain),
        }
        drop(count);
        self.watchers.notify();
        Ok(())
    }

    /// Bits of `epoll(7)`.
    pub(super) fn readiness(&self) -> u32 {
        let count = *self.count.lock();
        let readable = if count > 0 { libc::EPOLLIN } else { 0 };
        let writable = if count < u64::MAX - 1 { libc::EPOLLOUT } else { 0 };
        (readable | writable) as u32
    }
}
