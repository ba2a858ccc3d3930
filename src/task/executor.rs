//! The queue of tasks that can run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use async_task::Runnable;

use super::context::{self, HostScope, TaskContext, WaitingTask};
use super::join::{Abort, JoinError, JoinHandle};
use super::lost::{self, LostErrors, TaskError};
use crate::time::Instant;

/// Runs tasks in the order in which they were woken.
#[derive(Clone)]
pub(crate) struct Executor(Rc<Shared>);

struct Shared {
    // Wakers are `Send`, so the queue must bear being pushed to from anywhere.
    ready: Arc<Ready>,
    tasks: RefCell<BTreeMap<u64, Registered>>,
    next_id: Cell<u64>,
    lost: LostErrors,
}

#[derive(Default)]
struct Ready {
    // So that the common case, none, needs no lock.
    any: AtomicBool,
    queue: Mutex<VecDeque<Runnable>>,
    alarm: OnceLock<Alarm>,
}

/// Calls back a world that sleeps until something happens outside of it.
struct Alarm {
    sleeping: AtomicBool,
    ring: Box<dyn Fn() + Send + Sync>,
}

impl Ready {
    fn push(&self, runnable: Runnable) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(runnable);
        self.any.store(true, Ordering::Relaxed);
        if let Some(alarm) = self.alarm.get() {
            // The queue must be seen to be filled by whoever is seen to be awake.
            fence(Ordering::SeqCst);
            if alarm.sleeping.swap(false, Ordering::SeqCst) {
                (alarm.ring)();
            }
        }
    }

    fn pop(&self) -> Option<Runnable> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let next = queue.pop_front();
        self.any.store(!queue.is_empty(), Ordering::Relaxed);
        next
    }
}

struct Registered {
    context: Rc<TaskContext>,
    abort: Arc<Abort>,
}

impl Executor {
    pub(crate) fn new() -> Executor {
        Executor(Rc::new(Shared {
            ready: Arc::default(),
            tasks: RefCell::default(),
            next_id: Cell::new(0),
            lost: LostErrors::default(),
        }))
    }

    pub(super) fn spawn<F>(
        &self,
        scope: Rc<HostScope>,
        name: &'static str,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let id = self.0.next_id.replace(self.0.next_id.get() + 1);
        let context = TaskContext::new(scope, name);
        let abort = Arc::new(Abort::default());
        let registered = Registered { context: context.clone(), abort: abort.clone() };
        self.0.tasks.borrow_mut().insert(id, registered);
        let scoped = Scoped {
            future: Some(Box::pin(future)),
            context,
            abort: abort.clone(),
            listening: false,
            id,
            executor: self.clone(),
        };
        let ready = self.0.ready.clone();
        let schedule = move |runnable| ready.push(runnable);
        let (runnable, task) = async_task::spawn_local(scoped, schedule);
        runnable.schedule();
        JoinHandle::new(task, abort)
    }

    /// Runs tasks until none can run, or `budget` of them have run. Returns how many did.
    pub(crate) fn run_ready(&self, budget: u64) -> u64 {
        let mut ran = 0;
        while ran < budget {
            let Some(runnable) = self.0.ready.pop() else { break };
            runnable.run();
            ran += 1;
        }
        ran
    }

    /// Lets `ring` be called when a task is woken between [`Executor::falls_asleep`] and
    /// [`Executor::wakes_up`]: another thread did it.
    pub(crate) fn set_alarm(&self, ring: Box<dyn Fn() + Send + Sync>) {
        let _ = self.0.ready.alarm.set(Alarm { sleeping: AtomicBool::new(false), ring });
    }

    /// False when there is no time to sleep, because a task can run.
    pub(crate) fn falls_asleep(&self) -> bool {
        if let Some(alarm) = self.0.ready.alarm.get() {
            alarm.sleeping.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
        }
        !self.0.ready.any.load(Ordering::SeqCst)
    }

    pub(crate) fn wakes_up(&self) {
        if let Some(alarm) = self.0.ready.alarm.get() {
            alarm.sleeping.store(false, Ordering::SeqCst);
        }
    }

    /// Every task that has not ended, with what it waits for.
    pub(crate) fn waiting_tasks(&self) -> Vec<WaitingTask> {
        let tasks = self.0.tasks.borrow();
        tasks.values().map(|task| task.context.report()).collect()
    }

    /// The errors that tasks returned and nobody took.
    pub(crate) fn lost_errors(&self) -> &LostErrors {
        &self.0.lost
    }

    pub(super) fn wake_all_of(&self, scope: &Rc<HostScope>) {
        let of_scope: Vec<Arc<Abort>> = {
            let tasks = self.0.tasks.borrow();
            let theirs = tasks.values().filter(|task| Rc::ptr_eq(&task.context.scope, scope));
            theirs.map(|task| task.abort.clone()).collect()
        };
        for abort in of_scope {
            abort.abort();
        }
    }

    /// Drops every task that has not ended.
    pub(crate) fn shut_down(&self) {
        self.0.lost.close();
        let all: Vec<Arc<Abort>> =
            self.0.tasks.borrow().values().map(|task| task.abort.clone()).collect();
        for abort in all {
            abort.abort();
        }
        // What is dropped may wake or spawn others; those must go too.
        for _ in 0..1_000 {
            if self.run_ready(u64::MAX) == 0 {
                break;
            }
            let rest: Vec<Arc<Abort>> =
                self.0.tasks.borrow().values().map(|task| task.abort.clone()).collect();
            rest.iter().for_each(|abort| abort.abort());
        }
    }

    fn forget(&self, id: u64) {
        let forgotten = self.0.tasks.borrow_mut().remove(&id);
        drop(forgotten);
    }
}

/// A future that runs, and is dropped, as a task of its host.
struct Scoped<F> {
    future: Option<Pin<Box<F>>>,
    context: Rc<TaskContext>,
    abort: Arc<Abort>,
    listening: bool,
    id: u64,
    executor: Executor,
}

impl<F> Scoped<F> {
    fn drop_future(&mut self) {
        if self.future.is_some() {
            let _entered = context::enter(self.context.clone());
            let _span = self.context.scope.span.enter();
            self.future = None;
        }
    }
}

impl<F: Future> Future for Scoped<F>
where
    F::Output: 'static,
{
    type Output = Result<F::Output, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.abort.is_aborted() {
            this.drop_future();
        }
        let Some(future) = &mut this.future else {
            return Poll::Ready(Err(JoinError::cancelled()));
        };
        if !this.listening {
            this.listening = true;
            this.abort.listen(cx.waker());
        }
        this.context.forget_waits();
        let polled = {
            let _entered = context::enter(this.context.clone());
            let _span = this.context.scope.span.enter();
            future.as_mut().poll(cx)
        };
        if polled.is_ready() {
            this.drop_future();
            this.executor.forget(this.id);
        }
        if let Poll::Ready(output) = &polled
            && let Some(error) = lost::error_of(output)
        {
            let scope = &this.context.scope;
            let (host, task) = (scope.name.clone(), this.context.name.to_owned());
            let time = Instant::from_nanos(scope.clock.now());
            let error = TaskError { host, task, time, error };
            this.abort.failed(error, &this.executor.0.lost);
        }
        polled.map(Ok)
    }
}

impl<F> Drop for Scoped<F> {
    fn drop(&mut self) {
        self.drop_future();
        self.executor.forget(self.id);
    }
}
