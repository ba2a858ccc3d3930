//! Who waits for something.

use std::task::Waker;

/// How many may wait for one thing before all are woken, to find out who still waits.
const MIN_CROWD: u32 = 64;

/// The tasks that wait for one thing. All are woken together; each looks for itself.
///
/// A task that gives up waiting does not say so, and a waker does not tell whether anybody waits on
/// it. So when there are many, all are woken: those that still wait come back.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    /// Most things are waited for by one.
    first: Option<Waker>,
    /// Those that came after the first, from when there was a second on.
    others: Option<Box<Others>>,
}

#[derive(Debug)]
struct Others {
    waiting: Vec<Waker>,
    /// How many, with the first, are too many; unknown until those that were woken to find out are
    /// back.
    crowd: Option<u32>,
    woken_in_round: Option<u32>,
}

impl Default for Others {
    fn default() -> Others {
        Others { waiting: Vec::new(), crowd: Some(MIN_CROWD), woken_in_round: None }
    }
}

impl Wakers {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn register(&mut self, waker: &Waker, woken: &mut Woken) {
        if self.first.as_ref().is_some_and(|first| first.will_wake(waker)) {
            return;
        }
        if self.first.is_none() && self.others.is_none() {
            self.first = Some(waker.clone());
        } else {
            self.register_another(waker, woken);
        }
    }

    #[inline(never)]
    fn register_another(&mut self, waker: &Waker, woken: &mut Woken) {
        let others = self.others.get_or_insert_default();
        if others.waiting.iter().any(|registered| registered.will_wake(waker)) {
            return;
        }
        let waiting = u32::from(self.first.is_some()) + others.waiting.len() as u32;
        if others.crowd.is_none() || waiting >= MIN_CROWD {
            others.wake_crowd(&mut self.first, woken);
        }
        match self.first {
            None => self.first = Some(waker.clone()),
            Some(_) => others.waiting.push(waker.clone()),
        }
    }

    /// Moves the wakers to `woken`. They are not woken here, because the host is locked.
    #[inline]
    pub(crate) fn wake_all(&mut self, woken: &mut Woken) {
        let Some(first) = self.first.take() else { return };
        woken.wakers.push(first);
        if let Some(others) = &mut self.others {
            woken.wakers.append(&mut others.waiting);
            others.crowd = Some(MIN_CROWD);
        }
    }
}

impl Others {
    #[cold]
    fn wake_crowd(&mut self, first: &mut Option<Waker>, woken: &mut Woken) {
        // Those that were woken in one round are back by the end of the next.
        if self.woken_in_round.is_some_and(|last| woken.round.wrapping_sub(last) < 2) {
            return;
        }
        let waiting = u32::from(first.is_some()) + self.waiting.len() as u32;
        let crowd = *self.crowd.get_or_insert(waiting.saturating_mul(2).max(MIN_CROWD));
        if waiting >= crowd {
            woken.wakers.extend(first.take());
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
        if self.wakers.is_empty() {
            return;
        }
        if wakers.is_empty() {
            std::mem::swap(wakers, &mut self.wakers);
        } else {
            wakers.append(&mut self.wakers);
        }
    }
}
