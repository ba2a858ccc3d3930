//! Who waits for something.

use std::task::Waker;

/// How many may wait for one thing before all are woken, to find out who still waits.
const MIN_CROWD: u32 = 64;

/// The tasks that wait for one thing. All are woken together; each looks for itself.
///
/// A task that gives up waiting does not say so, and a waker does not tell whether anybody waits on
/// it. So when there are many, all are woken: those that still wait come back.
#[derive(Debug)]
pub(crate) struct Wakers {
    waiting: Vec<Waker>,
    /// How many are too many; unknown until those that were woken to find out are back.
    crowd: Option<u32>,
    woken_in_round: Option<u32>,
}

impl Default for Wakers {
    fn default() -> Wakers {
        Wakers { waiting: Vec::new(), crowd: Some(MIN_CROWD), woken_in_round: None }
    }
}

impl Wakers {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn register(&mut self, waker: &Waker, woken: &mut Woken) {
        if self.waiting.iter().any(|registered| registered.will_wake(waker)) {
            return;
        }
        if self.crowd.is_none() || self.waiting.len() >= MIN_CROWD as usize {
            self.wake_crowd(woken);
        }
        if self.waiting.is_empty() {
            // Most things are waited for by one.
            self.waiting.reserve_exact(1);
        }
        self.waiting.push(waker.clone());
    }

    /// Moves the wakers to `woken`. They are not woken here, because the host is locked.
    pub(crate) fn wake_all(&mut self, woken: &mut Woken) {
        if !self.waiting.is_empty() {
            woken.wakers.append(&mut self.waiting);
            self.crowd = Some(MIN_CROWD);
        }
    }

    #[cold]
    fn wake_crowd(&mut self, woken: &mut Woken) {
        // Those that were woken in one round are back by the end of the next.
        if self.woken_in_round.is_some_and(|last| woken.round.wrapping_sub(last) < 2) {
            return;
        }
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let crowd = *self.crowd.get_or_insert(waiting.saturating_mul(2).max(MIN_CROWD));
        if waiting >= crowd {
            woken.wakers.append(&mut self.waiting);
            self.crowd = None;
            self.woken_in_round = Some(woken.round);
        }
    }
}

/// The wakers to be woken as soon as the host is not locked any more.
#[derive(Debug, Default)]
pub(crate) struct Woken {
    wakers: Vec<Waker>,
    /// Changes when every task that could run has run once.
    round: u32,
}

impl Woken {
    pub(crate) fn set_round(&mut self, round: u32) {
        self.round = round;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    pub(crate) fn take(&mut self, wakers: &mut Vec<Waker>) {
        if !self.wakers.is_empty() {
            wakers.append(&mut self.wakers);
        }
    }
}
