//! Who waits for something.

use std::task::Waker;

/// How many may wait for one thing before it is asked who still does.
const FEW: u32 = 64;

/// The tasks that wait for one thing. All are woken together; each looks for itself.
///
/// Whoever gives up waiting does not say so, and a waker cannot be asked whether anybody waits on
/// it. So when there are many all are woken: those that still wait come back.
#[derive(Debug)]
pub(crate) struct Wakers {
    waiting: Vec<Waker>,
    /// How many are many; unknown until those that were woken to find out are back.
    many: Option<u32>,
    asked_in_round: Option<u32>,
}

impl Default for Wakers {
    fn default() -> Wakers {
        Wakers { waiting: Vec::new(), many: Some(FEW), asked_in_round: None }
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
        if self.many.is_none() || self.waiting.len() >= FEW as usize {
            self.ask_who_waits(woken);
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
            self.many = Some(FEW);
        }
    }

    #[cold]
    fn ask_who_waits(&mut self, woken: &mut Woken) {
        // Those that were woken in one round are back by the end of the next.
        if self.asked_in_round.is_some_and(|asked| woken.round.wrapping_sub(asked) < 2) {
            return;
        }
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let many = *self.many.get_or_insert(waiting.saturating_mul(2).max(FEW));
        if waiting >= many {
            woken.wakers.append(&mut self.waiting);
            self.many = None;
            self.asked_in_round = Some(woken.round);
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
