//! The queue of tasks that can run.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU64;
use std::rc::Rc;
#[cfg(feature = "tokio")]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_task::Runnable;

use super::abort::Abort;
use super::alarm::Alarm;
use super::boot::Boot;
use super::budget::Spent;
use super::id::Id;
use super::lost::LostErrors;
use super::observe::{TaskObserver, TaskStep};
use super::own_thread::{self, WorldId};
use super::record::{Record, WaitingTask};
use super::schedule::Order;
use super::watchdog::{Beat, Label, Pulse, Watched};
use crate::rng::Stream;

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
    next_boot: Cell<u64>,
    /// What was done in the last poll.
    spent: Cell<Spent>,
    /// The tasks of the last round, and whether each yielded.
    last_round: RefCell<Vec<(u64, bool)>>,
    order: Order,
    /// A panic of a spawned task is its own, and does not end the run.
    isolates_panics: Cell<bool>,
    pulse: Arc<Pulse>,
    lost: LostErrors,
    /// The round is to end with the poll that goes on.
    interrupt: Arc<AtomicBool>,
    observer: OnceCell<TaskObserver>,
}

#[derive(Default)]
struct Ready {
    world: WorldId,
    // So that the common case, none, needs no lock.
    any: AtomicBool,
    queue: Mutex<VecDeque<Runnable>>,
    alarm: Alarm,
}

impl Ready {
    fn push(&self, runnable: Runnable) {
        // What other threads have left comes first.
        if self.any.load(Ordering::Relaxed) {
            self.push_from_outside(runnable);
        } else if let Some(runnable) = own_thread::leave_runnable(self.world, runnable) {
            self.push_from_outside(runnable);
        }
    }

    #[inline(never)]
    fn push_from_outside(&self, runnable: Runnable) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(runnable);
        self.any.store(true, Ordering::Relaxed);
        self.alarm.ring();
    }

    /// Moves everything to `batch`, which is empty.
    #[inline]
    fn take(&self, batch: &mut VecDeque<Runnable>) {
        own_thread::take_runnables(self.world, batch);
        if self.any.load(Ordering::Relaxed) {
            self.take_from_outside(batch);
        }
    }

    #[inline(never)]
    fn take_from_outside(&self, batch: &mut VecDeque<Runnable>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if batch.is_empty() {
            std::mem::swap(&mut *queue, batch);
        } else {
            batch.append(&mut queue);
        }
        self.any.store(false, Ordering::Relaxed);
    }

    /// What the thread that drives the world has left is there for any that does so from now on.
    fn share_own(&self) {
        let mut own = VecDeque::new();
        own_thread::take_runnables(self.world, &mut own);
        if !own.is_empty() {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            own.append(&mut queue);
            *queue = own;
            self.any.store(true, Ordering::Relaxed);
        }
    }
}

struct Registered {
    record: Rc<Record>,
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
    /// It was cut short: tasks that could run have not.
    pub(crate) is_cut: bool,
}

impl Round {
    /// Whether tasks ran, and each could at once run again.
    pub(crate) fn only_yields(&self) -> bool {
        self.polls > 0 && self.yields == self.polls && !self.is_cut
    }
}

impl Executor {
    pub(crate) fn new() -> Executor {
        Executor(Rc::new(Shared {
            ready: Arc::default(),
            batch: RefCell::default(),
            tasks: RefCell::default(),
            next_id: Cell::new(NonZeroU64::MIN),
            next_boot: Cell::new(0),
            spent: Cell::default(),
            last_round: RefCell::default(),
            order: Order::default(),
            isolates_panics: Cell::new(false),
            pulse: Arc::default(),
            lost: LostErrors::default(),
            interrupt: Arc::default(),
            observer: OnceCell::new(),
        }))
    }

    /// A number for a new start of a host.
    pub(super) fn number_boot(&self) -> u64 {
        self.0.next_boot.replace(self.0.next_boot.get() + 1)
    }

    /// Has polls that do not end noticed. To be called before the first task is spawned.
    /// Where a task says which thread it has let run, and waits for: the number that the kernel gives
    /// it, or 0.
    #[cfg(feature = "tokio")]
    pub(super) fn other_thread(&self) -> Arc<AtomicU64> {
        self.0.pulse.other_thread().clone()
    }

    pub(crate) fn watch(&self, watched: Watched) {
        self.0.pulse.watch(watched);
    }

    /// Tells `observer` what tasks do from now on. There is one for each executor: a second is not
    /// taken.
    pub(crate) fn observe(&self, observer: TaskObserver) {
        let _ = self.0.observer.set(observer);
    }

    /// Tells the observer, if there is one, what a task does.
    #[inline]
    pub(super) fn tell(&self, record: &Record, what: TaskStep) {
        if let Some(observer) = self.0.observer.get() {
            observer(&record.event(what));
        }
    }

    /// Whether there is an observer.
    #[inline]
    pub(super) fn is_observed(&self) -> bool {
        self.0.observer.get().is_some()
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

    pub(super) fn isolates_panics(&self) -> bool {
        self.0.isolates_panics.get()
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

    /// Makes a task one of those that reports name and that end with their host. What is returned is
    /// its number here.
    pub(super) fn register(&self, record: Rc<Record>, abort: Arc<Abort>) -> u64 {
        let boot = record.boot();
        let id = first_of(boot.number()) | (record.id().number() & MAX_OF_BOOT);
        let label = || Label { host: boot.host().to_owned(), task: record.origin() };
        self.0.pulse.remember(id, label);
        self.0.tasks.borrow_mut().insert(id, Registered { record, abort });
        id
    }

    /// A poll of a task lasts until what this returns is dropped.
    pub(super) fn begin_poll(&self, id: u64) -> Beat<'_> {
        self.0.pulse.begin(id)
    }

    /// What was done in a poll, with what tasks did that it polled, as that of a set of tasks does.
    pub(super) fn add_spent(&self, spent: Spent) {
        self.0.spent.set(self.0.spent.get() + spent);
    }

    /// Whoever sets this ends the round with the poll that goes on; the tasks that have not had
    /// their turn have it in the next.
    pub(crate) fn interrupt(&self) -> &Arc<AtomicBool> {
        &self.0.interrupt
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
            if shared.interrupt.load(Ordering::Relaxed) {
                shared.interrupt.store(false, Ordering::Relaxed);
                round.is_cut = !shared.batch.borrow().is_empty();
                break;
            }
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
        registered.map(|task| task.record.label()).collect()
    }

    /// Rings when a task is woken, which another thread may do.
    pub(crate) fn alarm(&self) -> &Alarm {
        &self.0.ready.alarm
    }

    /// What tells its world from others.
    pub(crate) fn world(&self) -> WorldId {
        self.0.ready.world
    }

    /// The thread that drives the world stops doing so.
    pub(crate) fn share_own(&self) {
        self.0.ready.share_own();
    }

    /// Whether no task can run.
    pub(crate) fn is_idle(&self) -> bool {
        let ready = &self.0.ready;
        !ready.any.load(Ordering::SeqCst)
            && !own_thread::has_runnables(ready.world)
            && self.0.batch.borrow().is_empty()
    }

    /// Every task that has not ended, with what it waits for.
    pub(crate) fn waiting_tasks(&self) -> Vec<WaitingTask> {
        let tasks = self.0.tasks.borrow();
        let last_round = self.0.last_round.borrow();
        let yielded = last_round.iter().filter(|(_, has_yielded)| *has_yielded);
        let yielded: BTreeSet<u64> = yielded.map(|(id, _)| *id).collect();
        tasks.iter().map(|(id, task)| task.record.report(yielded.contains(id))).collect()
    }

    /// The errors that tasks returned and nobody took.
    pub(crate) fn lost_errors(&self) -> &LostErrors {
        &self.0.lost
    }

    /// Ends a start of a host: every task of it is aborted.
    pub(super) fn end_all_of(&self, boot: &Boot) {
        boot.end();
        let of_boot: Vec<Arc<Abort>> = {
            let tasks = self.0.tasks.borrow();
            let first = first_of(boot.number());
            let theirs = tasks.range(first..=first | MAX_OF_BOOT).map(|(_, task)| task);
            // Numbers of starts come again after 16 million.
            let theirs = theirs.filter(|task| task.record.boot().number() == boot.number());
            theirs.map(|task| task.abort.clone()).collect()
        };
        for abort in of_boot {
            abort.abort();
        }
    }

    /// Drops every task that has not ended.
    pub(crate) fn shut_down(&self) {
        self.0.lost.close();
        let mut boots: Vec<Rc<Boot>> =
            self.0.tasks.borrow().values().map(|task| task.record.boot().clone()).collect();
        boots.dedup_by_key(|boot| boot.number());
        boots.iter().for_each(|boot| self.end_all_of(boot));
        // What is dropped may wake or spawn others, which go in the next round: a host that has
        // ended takes only so many.
        while self.run_round().polls > 0 {}
    }

    /// The task has ended.
    pub(super) fn forget(&self, id: u64) {
        let forgotten = self.0.tasks.borrow_mut().remove(&id);
        if forgotten.is_some() {
            self.0.pulse.forget(id);
        }
    }
}

/// The bits of a task's number that tell it from the others of its start of a host.
const MAX_OF_BOOT: u64 = (1 << 40) - 1;

/// The first number that a task of this start of a host may have.
fn first_of(boot: u64) -> u64 {
    boot << 40
}
