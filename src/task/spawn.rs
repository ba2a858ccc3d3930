//! Starting tasks, and how one runs.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_task::Runnable;

use super::abort::Abort;
use super::budget;
use super::context::{self, TaskContext};
use super::executor::Executor;
use super::join::JoinHandle;
use super::join_error::{JoinError, Payload};
use super::lost::{self, TaskError};
use super::observe::{self, TaskStep};
use super::origin::Origin;
use super::record::Record;
use super::scope::HostScope;

impl HostScope {
    /// Starts a task of this host.
    pub(crate) fn spawn<F>(self: &Rc<HostScope>, origin: Origin, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.spawn_on(origin, future, self.executor().schedule())
    }

    /// Starts a task of this host that `schedule` is given when it can run.
    pub(super) fn spawn_on<F>(
        self: &Rc<HostScope>,
        origin: Origin,
        future: F,
        schedule: impl Fn(Runnable) + Send + Sync + 'static,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if !self.is_alive() && !self.take_last_spawn() {
            // Dropped, it would only spawn the next one.
            std::mem::forget(future);
            return self.never_begun(origin);
        }
        let executor = self.executor();
        let public_id = executor.next_id();
        let record = Rc::new(Record::new(self.boot().clone(), public_id, origin));
        let abort = Arc::new(Abort::default());
        let id = executor.register(record.clone(), abort.clone());
        let scoped = Scoped {
            future: Some(Box::pin(future)),
            context: TaskContext { scope: self.clone(), record },
            abort: abort.clone(),
            listening: false,
            id,
        };
        let (runnable, task) = async_task::spawn_local(scoped, schedule);
        runnable.schedule();
        let task = JoinHandle::new(task, abort, origin, public_id);
        if !self.is_alive() {
            // A task of a host that has ended, as it is dropped, starts nothing new.
            task.abort();
        }
        task
    }

    /// A handle to a task that came too late to be begun.
    pub(super) fn never_begun<T>(&self, origin: Origin) -> JoinHandle<T> {
        JoinHandle::cancelled(origin, self.executor().next_id())
    }

    /// Starts the main task of this host: when it ends all others do, as at the end of a process.
    pub(crate) fn spawn_main<F>(
        self: &Rc<HostScope>,
        origin: Origin,
        main: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let scope = self.clone();
        self.spawn(origin, async move {
            let result = main.await;
            scope.end();
            result
        })
    }
}

/// A future that runs, and is dropped, as a task of its host.
struct Scoped<F> {
    future: Option<Pin<Box<F>>>,
    context: TaskContext,
    abort: Arc<Abort>,
    listening: bool,
    id: u64,
}

/// Drops the future of a task as that task.
fn drop_future<F>(future: &mut Option<Pin<Box<F>>>, context: &TaskContext) {
    if future.is_some() {
        let _entered = context::enter(context.clone());
        let _span = context.scope.span.enter();
        *future = None;
    }
}

impl TaskContext {
    fn executor(&self) -> &Executor {
        self.scope.executor()
    }

    fn isolates_panics(&self) -> bool {
        self.executor().isolates_panics() && self.record.origin().is_spawned()
    }

    /// Drops the future; where panics are isolated, one of its destructors is the task's.
    fn end_future<F>(&self, future: &mut Option<Pin<Box<F>>>) -> Result<(), Payload> {
        if self.isolates_panics() {
            catch_unwind(AssertUnwindSafe(|| drop_future(future, self)))
        } else {
            drop_future(future, self);
            Ok(())
        }
    }

    /// The task has ended, and the handle has not taken its error yet.
    fn note_error(&self, error: String, abort: &Abort) {
        let (host, task) = (self.scope.name().to_owned(), self.record.origin().to_string());
        let error = TaskError { host, task, time: self.now(), error };
        abort.failed(error, self.executor().lost_errors());
    }

    fn panicked_with(&self, payload: Payload, abort: &Abort) -> JoinError {
        // It is told here: the run goes on.
        context::take_panicked();
        let error = JoinError::panic(self.record.id(), payload);
        self.note_error(error.to_string(), abort);
        error
    }
}

impl<F: Future> Future for Scoped<F>
where
    F::Output: 'static,
{
    type Output = Result<F::Output, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Scoped { future, context, abort, listening, id } = &mut *self;
        let executor = context.executor();
        let _beat = executor.begin_poll(*id);
        if abort.is_aborted()
            && let Err(payload) = context.end_future(future)
        {
            return Poll::Ready(Err(context.panicked_with(payload, abort)));
        }
        let isolates_panics = context.isolates_panics();
        let Some(running) = future else {
            return Poll::Ready(Err(JoinError::cancelled(context.record.id())));
        };
        if !*listening {
            *listening = true;
            abort.listen(cx.waker());
        }
        context.record.begin_poll(context.now());
        let drawn = executor.is_observed().then(|| {
            executor.tell(&context.record, TaskStep::Polled);
            observe::draws()
        });
        let polled = {
            let _entered = context::enter(context.clone());
            let _span = context.scope.span.enter();
            let begun = budget::begin();
            let polled = if isolates_panics {
                catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx)))
            } else {
                Ok(running.as_mut().poll(cx))
            };
            executor.add_spent(begun.spent());
            polled
        };
        if let Some(times) = drawn.map(|before| observe::draws() - before).filter(|it| *it > 0) {
            executor.tell(&context.record, TaskStep::HasDrawn { times });
        }
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        let ended = ended.and_then(|output| context.end_future(future).map(|()| output));
        executor.forget(*id);
        abort.finished();
        Poll::Ready(match ended {
            Ok(output) => {
                if let Some(error) = lost::error_of(&output) {
                    context.note_error(error, abort);
                }
                Ok(output)
            }
            Err(payload) => Err(context.panicked_with(payload, abort)),
        })
    }
}

impl<F> Drop for Scoped<F> {
    fn drop(&mut self) {
        drop_future(&mut self.future, &self.context);
        self.context.executor().forget(self.id);
        self.abort.finished();
    }
}
