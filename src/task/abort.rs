//! Ending a task, and what becomes of its error.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::lost::{Claim, LostErrors, TaskError};

/// The wish that a task end.
#[derive(Default)]
pub(super) struct Abort {
    aborted: AtomicBool,
    finished: AtomicBool,
    waker: Mutex<Option<Waker>>,
    claim: Mutex<Claim>,
}

impl Abort {
    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }

    pub(super) fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The task has ended.
    pub(super) fn finished(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Remembers whom to wake. A task's waker is the same all its life, so once is enough.
    pub(super) fn listen(&self, waker: &Waker) {
        let mut registered = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if registered.is_none() {
            *registered = Some(waker.clone());
        }
    }

    /// The task has ended with this error.
    pub(super) fn failed(&self, error: TaskError, lost: &LostErrors) {
        let mut claim = self.claim();
        if matches!(*claim, Claim::Dropped) {
            drop(claim);
            lost.note(error);
        } else {
            *claim = Claim::Failed(error, lost.clone());
        }
    }

    pub(super) fn error_was_taken(&self) {
        *self.claim() = Claim::Held;
    }

    /// Nobody will take an error of the task. One that it has ended with is lost, unless who dropped
    /// the handle does not mean it.
    pub(super) fn handle_was_dropped(&self, means_it: impl FnOnce() -> bool) {
        let claim = std::mem::replace(&mut *self.claim(), Claim::Dropped);
        if let Claim::Failed(error, lost) = claim
            && means_it()
        {
            lost.note(error);
        }
    }

    fn claim(&self) -> MutexGuard<'_, Claim> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
