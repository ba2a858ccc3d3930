//! The queue of tasks that can run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use async_task::Runnable;

use super::budget::{self, Spent};
use super::context::{self, HostScope, Origin, TaskContext, WaitingTask};
use super::join::{Abort, JoinError, JoinHandle};
use super::watchdog::{Label, Pulse, Watched};

/// Runs tasks in the order in which they were woken.
#[derive(Clone)]
pub(crate) struct Executor(Rc<Shared>);

struct Shared {
    // Wakers are `Send`, so the queue must bear being pushed to from anywhere.
    ready: Arc<Ready>,
    /// Those of the round that have not had their turn yet.
    batch: RefCell<VecDeque<Runnable>>,
    tasks: RefCell<BTreeMap<u64, Registered>>,
    next_id: Cell<u64>,
    /// What was done in the last poll.
    spent: Cell<Spent>,
    /// The tasks of the last round, and whether each yielded.
    last_round: RefCell<Vec<(u64, bool)>>,
    pulse: Arc<Pulse>,
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

    /// Moves everything to `batch`, which is empty.
    fn take(&self, batch: &mut VecDeque<Runnable>) {
        if self.any.load(Ordering::Relaxed) {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *queue, batch);
            self.any.store(false, Ordering::Relaxed);
        }
    }
}

struct Registered {
    context: Rc<TaskContext>,
    abort: Arc<Abort>,
}

/// What came of a round: of one poll of each task that could run when it began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    /// Tasks that ran.
    pub(crate) polls: u64,
    /// Those of them that yielded: nothing has woken them but themselves.
    pub(crate) yields: u64,
    /// Polls, and operations that changed nothing; 0 as soon as an operation did something.
    pub(crate) idle: u64,
}

impl Round {
    /// Whether tasks ran, and each could at once run again.
    pub(crate) fn only_yields(&self) -> bool {
        self.polls > 0 && self.yields == self.polls
    }
}

impl Executor {
    pub(crate) fn new() -> Executor {
        Executor(Rc::new(Shared {
            ready: Arc::default(),
            batch: RefCell::default(),
            tasks: RefCell::default(),
            next_id: Cell::new(0),
            spent: Cell::default(),
            last_round: RefCell::default(),
            pulse: Arc::default(),
        }))
    }

    /// Has polls that do not end noticed. To be called before the first task is spawned.
    pub(crate) fn watch(&self, watched: Watched) {
        self.0.pulse.watch(watched);
    }

    pub(super) fn spawn<F>(
        &self,
        scope: Rc<HostScope>,
        origin: Origin,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let id = self.0.next_id.replace(self.0.next_id.get() + 1);
        self.0.pulse.remember(id, || Label { host: scope.name.clone(), task: origin });
        let context = TaskContext::new(scope, origin);
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
        JoinHandle::new(task, abort, origin)
    }

    /// Runs each task that can run now once.
    pub(crate) fn run_round(&self) -> Round {
        let shared = &*self.0;
        {
            let mut batch = shared.batch.borrow_mut();
            if batch.is_empty() {
                shared.ready.take(&mut batch);
            }
            shared.last_round.borrow_mut().clear();
            if batch.is_empty() {
                return Round::default();
            }
        }
        let mut round = Round::default();
        let mut is_idle = true;
        loop {
            let next = shared.batch.borrow_mut().pop_front();
            let Some(runnable) = next else { break };
            shared.spent.take();
            let has_yielded = runnable.run();
            let Spent { useful, idle } = shared.spent.get();
            round.polls += 1;
            round.yields += u64::from(has_yielded);
            round.idle += 1 + u64::from(idle);
            is_idle &= useful == 0;
            shared.last_round.borrow_mut().push((shared.pulse.last_task(), has_yielded));
        }
        if !is_idle {
            round.idle = 0;
        }
        round
    }

    /// The tasks of the last round that have not ended, as reports call them.
    pub(crate) fn last_tasks(&self) -> Vec<String> {
        let tasks = self.0.tasks.borrow();
        let last_round = self.0.last_round.borrow();
        let registered = last_round.iter().filter_map(|(id, _)| tasks.get(id));
        registered.map(|task| task.context.label()).collect()
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
        !self.0.ready.any.load(Ordering::SeqCst) && self.0.batch.borrow().is_empty()
    }

    pub(crate) fn wakes_up(&self) {
        if let Some(alarm) = self.0.ready.alarm.get() {
            alarm.sleeping.store(false, Ordering::SeqCst);
        }
    }

    /// Every task that has not ended, with what it waits for.
    pub(crate) fn waiting_tasks(&self) -> Vec<WaitingTask> {
        let tasks = self.0.tasks.borrow();
        let last_round = self.0.last_round.borrow();
        let yielded = last_round.iter().filter(|(_, has_yielded)| *has_yielded);
        let yielded: BTreeSet<u64> = yielded.map(|(id, _)| *id).collect();
        let report = |(id, task): (&u64, &Registered)| {
            let mut report = task.context.report();
            report.yields = yielded.contains(id);
            report
        };
        tasks.iter().map(report).collect()
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
        let scopes: Vec<Rc<HostScope>> =
            self.0.tasks.borrow().values().map(|task| task.context.scope.clone()).collect();
        for scope in scopes {
            if scope.is_alive() {
                scope.end();
            }
        }
        // What is dropped may wake or spawn others, which go in the next round: a scope that has
        // ended takes only so many.
        while self.run_round().polls > 0 {}
    }

    fn forget(&self, id: u64) {
        let forgotten = self.0.tasks.borrow_mut().remove(&id);
        if forgotten.is_some() {
            self.0.pulse.forget(id);
        }
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

impl<F: Future> Future for Scoped<F> {
    type Output = Result<F::Output, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let shared = this.executor.0.clone();
        let _beat = shared.pulse.begin(this.id);
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
        this.context.begin_poll();
        let polled = {
            let _entered = context::enter(this.context.clone());
            let _span = this.context.scope.span.enter();
            let begun = budget::begin();
            let polled = future.as_mut().poll(cx);
            shared.spent.set(begun.spent());
            polled
        };
        if polled.is_ready() {
            this.drop_future();
            this.executor.forget(this.id);
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
