//! The queue of tasks that can run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_task::Runnable;

use super::alarm::Alarm;
use super::budget::{self, Spent};
use super::context::{self, HostScope, Origin, TaskContext, WaitingTask};
use super::id::Id;
use super::join::{Abort, JoinHandle};
use super::join_error::{JoinError, Payload};
use super::lost::{self, LostErrors, TaskError};
use super::schedule::Order;
use super::watchdog::{Label, Pulse, Watched};
use crate::rng::Stream;
use crate::time::Instant;

/// Runs tasks in the order in which they were woken, or at random.
#[derive(Clone)]
pub(crate) struct Executor(Rc<Shared>);

struct Shared {
    // Wakers are `Send`, so the queue must bear being pushed to from anywhere.
    ready: Arc<Ready>,
    /// Those of the round that have not had their turn yet.
    batch: RefCell<VecDeque<Runnable>>,
    /// By host, and then in the order in which they were spawned.
    tasks: RefCell<BTreeMap<u64, Registered>>,
    next_id: Cell<NonZeroU64>,
    next_scope: Cell<u64>,
    /// What was done in the last poll.
    spent: Cell<Spent>,
    /// The tasks of the last round, and whether each yielded.
    last_round: RefCell<Vec<(u64, bool)>>,
    order: Order,
    /// A panic of a spawned task is its own, and does not end the run.
    isolates_panics: Cell<bool>,
    pulse: Arc<Pulse>,
    lost: LostErrors,
}

#[derive(Default)]
struct Ready {
    // So that the common case, none, needs no lock.
    any: AtomicBool,
    queue: Mutex<VecDeque<Runnable>>,
    alarm: Alarm,
}

impl Ready {
    fn push(&self, runnable: Runnable) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(runnable);
        self.any.store(true, Ordering::Relaxed);
        self.alarm.ring();
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
            next_id: Cell::new(NonZeroU64::MIN),
            next_scope: Cell::new(0),
            spent: Cell::default(),
            last_round: RefCell::default(),
            order: Order::default(),
            isolates_panics: Cell::new(false),
            pulse: Arc::default(),
            lost: LostErrors::default(),
        }))
    }

    /// A number for a new scope.
    pub(super) fn number_scope(&self) -> u64 {
        self.0.next_scope.replace(self.0.next_scope.get() + 1)
    }

    /// Has polls that do not end noticed. To be called before the first task is spawned.
    pub(crate) fn watch(&self, watched: Watched) {
        self.0.pulse.watch(watched);
    }

    /// Tasks run at random from now on, if there is a stream to draw from.
    pub(crate) fn set_random_order(&self, stream: Option<Stream>) {
        self.0.order.set_random(stream);
    }

    /// Whether tasks run at random.
    pub(crate) fn has_random_order(&self) -> bool {
        self.0.order.is_random()
    }

    /// Whether a panic of a spawned task ends that task alone.
    pub(crate) fn isolate_panics(&self, isolates: bool) {
        self.0.isolates_panics.set(isolates);
    }

    /// What a task of the executor's own is given when it can run.
    pub(super) fn schedule(&self) -> impl Fn(Runnable) + Send + Sync + use<> {
        let ready = self.0.ready.clone();
        move |runnable| ready.push(runnable)
    }

    /// Takes the task that is to run next from those that can.
    pub(super) fn take_next(&self, ready: &mut VecDeque<Runnable>) -> Option<Runnable> {
        self.0.order.take_next(ready)
    }

    /// The number of another task.
    pub(super) fn next_id(&self) -> Id {
        let next = self.0.next_id.get();
        self.0.next_id.set(next.checked_add(1).unwrap_or(NonZeroU64::MIN));
        Id::new(next)
    }

    pub(super) fn spawn<F>(
        &self,
        scope: Rc<HostScope>,
        origin: Origin,
        future: F,
        schedule: impl Fn(Runnable) + Send + Sync + 'static,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let public_id = self.next_id();
        let id = first_of(scope.number) | (public_id.number() & MAX_OF_SCOPE);
        self.0.pulse.remember(id, || Label { host: scope.name.clone(), task: origin });
        let context = TaskContext::new(scope, public_id, origin);
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
        let (runnable, task) = async_task::spawn_local(scoped, schedule);
        runnable.schedule();
        JoinHandle::new(task, abort, origin, public_id)
    }

    /// Runs each task that can run now once.
    pub(crate) fn run_round(&self) -> Round {
        let shared = &*self.0;
        {
            let mut batch = shared.batch.borrow_mut();
            if batch.is_empty() {
                shared.ready.take(&mut batch);
                shared.order.arrange(&mut batch);
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

    /// Rings when a task is woken, which another thread may do.
    pub(crate) fn alarm(&self) -> &Alarm {
        &self.0.ready.alarm
    }

    /// Whether no task can run.
    pub(crate) fn is_idle(&self) -> bool {
        !self.0.ready.any.load(Ordering::SeqCst) && self.0.batch.borrow().is_empty()
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

    /// The errors that tasks returned and nobody took.
    pub(crate) fn lost_errors(&self) -> &LostErrors {
        &self.0.lost
    }

    /// Aborts every task of a scope.
    pub(super) fn abort_all_of(&self, scope: &HostScope) {
        let of_scope: Vec<Arc<Abort>> = {
            let tasks = self.0.tasks.borrow();
            let first = first_of(scope.number);
            let theirs = tasks.range(first..=first | MAX_OF_SCOPE).map(|(_, task)| task);
            // Numbers of scopes come again after 16 million.
            let theirs = theirs.filter(|task| task.context.scope.number == scope.number);
            theirs.map(|task| task.abort.clone()).collect()
        };
        for abort in of_scope {
            abort.abort();
        }
    }

    /// Drops every task that has not ended.
    pub(crate) fn shut_down(&self) {
        self.0.lost.close();
        let mut scopes: Vec<Rc<HostScope>> =
            self.0.tasks.borrow().values().map(|task| task.context.scope.clone()).collect();
        scopes.dedup_by_key(|scope| scope.number);
        scopes.iter().for_each(|scope| scope.end());
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

/// The bits of a task's number that tell it from the others of its scope.
const MAX_OF_SCOPE: u64 = (1 << 40) - 1;

/// The first number that a task of this scope may have.
fn first_of(scope: u64) -> u64 {
    scope << 40
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

    /// Drops the future; where panics are isolated, one of its destructors is the task's.
    fn end_future(&mut self) -> Result<(), Payload> {
        if self.isolates_panics() {
            catch_unwind(AssertUnwindSafe(|| self.drop_future()))
        } else {
            self.drop_future();
            Ok(())
        }
    }

    fn isolates_panics(&self) -> bool {
        self.executor.0.isolates_panics.get() && self.context.origin().is_spawned()
    }

    /// The task has ended, and the handle has not taken its error yet.
    fn note_error(&self, error: String) {
        let scope = &self.context.scope;
        let (host, task) = (scope.name.clone(), self.context.origin().to_string());
        let time = Instant::from_nanos(scope.clock.now());
        self.abort.failed(TaskError { host, task, time, error }, &self.executor.0.lost);
    }

    fn panicked(&self, payload: Payload) -> JoinError {
        // It is told here: the run goes on.
        context::take_panicked();
        let error = JoinError::panic(self.context.id(), payload);
        self.note_error(error.to_string());
        error
    }
}

impl<F: Future> Future for Scoped<F>
where
    F::Output: 'static,
{
    type Output = Result<F::Output, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let shared = this.executor.0.clone();
        let _beat = shared.pulse.begin(this.id);
        if this.abort.is_aborted()
            && let Err(payload) = this.end_future()
        {
            return Poll::Ready(Err(this.panicked(payload)));
        }
        let isolates_panics = this.isolates_panics();
        let Some(future) = &mut this.future else {
            return Poll::Ready(Err(JoinError::cancelled(this.context.id())));
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
            let polled = if isolates_panics {
                catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)))
            } else {
                Ok(future.as_mut().poll(cx))
            };
            // With what tasks did that this one polled, as that of a set of tasks does.
            shared.spent.set(shared.spent.get() + begun.spent());
            polled
        };
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        let ended = ended.and_then(|output| this.end_future().map(|()| output));
        this.executor.forget(this.id);
        this.abort.finished();
        Poll::Ready(match ended {
            Ok(output) => {
                if let Some(error) = lost::error_of(&output) {
                    this.note_error(error);
                }
                Ok(output)
            }
            Err(payload) => Err(this.panicked(payload)),
        })
    }
}

impl<F> Drop for Scoped<F> {
    fn drop(&mut self) {
        self.drop_future();
        self.executor.forget(self.id);
        self.abort.finished();
    }
}
