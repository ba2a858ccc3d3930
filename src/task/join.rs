//! Handles to tasks.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::abort::Abort;
use super::id::Id;
use super::join_error::JoinError;
use super::origin::Origin;
use super::wait::Wait;
use super::{budget, context};

type Output<T> = Result<T, JoinError>;

/// A handle to a spawned task: a future of its result. When the handle is dropped the task runs on,
/// and an error that it returns is lost, as [`spawn`](super::spawn) says.
pub struct JoinHandle<T> {
    // `None` while the handle is being dropped, and where the task was never begun.
    task: Option<async_task::Task<Output<T>>>,
    abort: Arc<Abort>,
    origin: Origin,
    id: Id,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(
        task: async_task::Task<Output<T>>,
        abort: Arc<Abort>,
        origin: Origin,
        id: Id,
    ) -> JoinHandle<T> {
        JoinHandle { task: Some(task), abort, origin, id }
    }

    /// Of a task that came too late to be begun.
    pub(super) fn cancelled(origin: Origin, id: Id) -> JoinHandle<T> {
        let abort = Arc::<Abort>::default();
        abort.finished();
        JoinHandle { task: None, abort, origin, id }
    }

    /// Has `waker` woken when the task ends. True when it has ended already.
    pub(super) fn notify(&mut self, waker: &Waker) -> bool {
        let Some(task) = &mut self.task else { return true };
        task.is_finished() || Pin::new(task).poll(&mut Context::from_waker(waker)).is_ready()
    }

    /// The running task waits for this one.
    pub(super) fn is_waited_for(&self) {
        context::waits_for(Wait::Join { task: self.origin });
    }

    /// Ends the task: its future is dropped the next time it would run, and the handle gives a
    /// [`JoinError`]. A task that has ended stays as it is.
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// A handle that can abort the task and ask whether it has ended, without taking its result.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { abort: self.abort.clone(), id: self.id }
    }

    /// The task.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
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
            return Poll::Ready(Err(JoinError::cancelled(self.id)));
        };
        if budget::gives_way(cx.waker()) {
            return Poll::Pending;
        }
        let polled = Pin::new(task).poll(cx);
        if polled.is_pending() {
            self.is_waited_for();
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
            // On a host that has crashed, an error that nobody takes is not noted.
            let is_alive = || context::scope().is_none_or(|scope| scope.is_alive());
            self.abort.handle_was_dropped(is_alive);
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("JoinHandle");
        debug.field("id", &self.id).field("finished", &self.is_finished()).finish()
    }
}

/// Ends a task from elsewhere; made by [`JoinHandle::abort_handle`] and by those who spawn into a
/// [`JoinSet`](super::JoinSet).
#[derive(Clone)]
pub struct AbortHandle {
    abort: Arc<Abort>,
    id: Id,
}

impl AbortHandle {
    /// Ends the task, as [`JoinHandle::abort`] does.
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.abort.is_finished()
    }

    /// The task.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("AbortHandle");
        debug.field("id", &self.id).field("finished", &self.is_finished()).finish()
    }
}
