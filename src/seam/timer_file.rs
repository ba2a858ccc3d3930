//! `timerfd_create(2)`.

use std::task::Waker;

use super::spin::Spin;
use super::watchers::Watchers;
use crate::clock::{Clock, TimerKey};

/// A timer that is read as a file.
pub(super) struct TimerFile {
    clock: Clock,
    /// What is added to the world's time for that of its clock.
    pub(super) clock_offset: u64,
    setting: Spin<Setting>,
    pub(super) watchers: Watchers,
}

#[derive(Default)]
struct Setting {
    /// When it is due next; `None` when it is not set.
    next: Option<u64>,
    /// 0 for one that is due once.
    interval: u64,
    armed: Option<TimerKey>,
}

impl TimerFile {
    pub(super) fn new(clock: Clock, clock_offset: u64) -> TimerFile {
        TimerFile { clock, clock_offset, setting: Spin::default(), watchers: Watchers::default() }
    }

    /// Sets it, or unsets it. Returns what was set: the time that was left, and the interval.
    pub(super) fn set(&self, next: Option<u64>, interval: u64) -> (u64, u64) {
        let before = self.get();
        let armed = {
            let mut setting = self.setting.lock();
            setting.next = next;
            setting.interval = interval;
            setting.armed.take()
        };
        if let Some(key) = armed {
            self.clock.cancel_timer(key);
        }
        self.watchers.notify();
        before
    }

    /// The time that is left, and the interval, in nanoseconds.
    pub(super) fn get(&self) -> (u64, u64) {
        let now = self.clock.now();
        let setting = self.setting.lock();
        let Setting { next: Some(next), interval, .. } = *setting else { return (0, 0) };
        if next > now {
            (next - now, interval)
        } else if interval > 0 {
            (interval - (now - next) % interval, interval)
        } else {
            (0, 0)
        }
    }

    /// How many times it was due since it was last read; `None` when it was not.
    pub(super) fn read(&self) -> Option<u64> {
        let now = self.clock.now();
        let mut setting = self.setting.lock();
        let next = setting.next.filter(|next| *next <= now)?;
        if setting.interval == 0 {
            setting.next = None;
            return Some(1);
        }
        let times = (now - next) / setting.interval + 1;
        setting.next = Some(next + times * setting.interval);
        Some(times)
    }

    pub(super) fn readiness(&self) -> u32 {
        let now = self.clock.now();
        let is_due = self.setting.lock().next.is_some_and(|next| next <= now);
        if is_due { libc::EPOLLIN as u32 } else { 0 }
    }

    pub(super) fn wait_for(&self, waker: &Waker) {
        let mut setting = self.setting.lock();
        let Some(next) = setting.next.filter(|next| *next > self.clock.now()) else { return };
        let key = self.clock.set_timer(next, waker.clone());
        let outdated = setting.armed.replace(key);
        drop(setting);
        if let Some(key) = outdated {
            self.clock.cancel_timer(key);
        }
    }
}
