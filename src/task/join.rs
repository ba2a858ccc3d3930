//! Handles to tasks.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::budget;
use super::context::{self, Origin, Wait};
use super::lost::{Claim, LostErrors, TaskError};

type Output<T> = Result<T, JoinError>;

/// The result of a spawned task, when it ends. Dropping the handle lets the task run on; an error
/// that it returns is then lost, as [`spawn`](super::spawn) says.
pub struct JoinHandle<T> {
    // `None` while the handle is being dropped, and where the task was never begun.
    task: Option<async_task::Task<Output<T>>>,
    abort: Arc<Abort>,
    origin: Origin,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(
        task: async_task::Task<Output<T>>,
        abort: Arc<Abort>,
        origin: Origin,
    ) -> JoinHandle<T> {
        JoinHandle { task: Some(task), abort, origin }
    }

    /// Of a task that came too late to be begun.
    pub(super) fn cancelled(origin: Origin) -> JoinHandle<T> {
        JoinHandle { task: None, abort: Arc::default(), origin }
    }

    /// Ends the task: its future is dropped the next time it would run, and the handle gives a
    /// [`JoinError`]. A task that has ended stays as it is.
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// A handle that can only abort.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle(self.abort.clone())
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(|task| task.is_finished())
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Output<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output<T>> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(Err(JoinError::cancelled()));
        };
        if budget::gives_way(cx.waker()) {
            return Poll::Pending;
        }
        let polled = Pin::new(task).poll(cx);
        if polled.is_pending() {
            context::waits_for(Wait::Join { task: self.origin });
        } else {
            // That a task has ended changes nothing outside of tasks.
            budget::spend(true);
            self.abort.error_was_taken();
        }
        polled
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.detach();
            self.abort.handle_was_dropped();
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("JoinHandle");
        debug.field("finished", &self.is_finished()).finish()
    }
}

/// Ends a task from elsewhere; made by [`JoinHandle::abort_handle`].
#[derive(Clone)]
pub struct AbortHandle(Arc<Abort>);

impl AbortHandle {
    /// Ends the task, as [`JoinHandle::abort`] does.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("AbortHandle").field(&self.0.is_aborted()).finish()
    }
}

/// The wish that a task end.
#[derive(Default)]
pub(super) struct Abort {
    aborted: AtomicBool,
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

    /// Remembers whom to wake. A task's waker is the same all its life, so once is enough.
    pub(super) fn listen(&self, waker: &Waker) {
        let mut registered = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if registered.is_none() {
            *registered = Some(waker.clone());
        }
    }
}

impl Abort {
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

    fn error_was_taken(&self) {
        *self.claim() = Claim::Held;
    }

    fn handle_was_dropped(&self) {
        let claim = std::mem::replace(&mut *self.claim(), Claim::Dropped);
        // Who loses its power takes nothing any more.
        if let Claim::Failed(error, lost) = claim
            && context::scope().is_none_or(|scope| scope.is_alive())
        {
            lost.note(error);
        }
    }

    fn claim(&self) -> MutexGuard<'_, Claim> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task did not end by itself: it was aborted, or its host crashed.
#[derive(Debug)]
pub struct JoinError(());

impl JoinError {
    pub(super) fn cancelled() -> JoinError {
        JoinError(())
    }

    /// Whether the task was cancelled: always true, because a panic ends the whole run instead.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        true
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("task was cancelled")
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error)
    }
}
