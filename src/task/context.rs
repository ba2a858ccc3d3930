//! What a running task knows: its host, and what it waits for.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use async_task::Runnable;

use super::executor::Executor;
use super::id::Id;
use super::join::JoinHandle;
use super::random::HostRng;
use crate::rng::{Seed, Stream};
use crate::time::{Clock, Instant};

/// The host to which tasks belong, from the moment it starts until it crashes.
pub(crate) struct HostScope {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    /// The host's stack, for the layer that knows its type.
    pub(crate) stack: Arc<dyn Any + Send + Sync>,
    /// In which the host's tasks and its stack run; of the highest level, so that whoever sees an
    /// event sees of which host it is.
    pub(crate) span: tracing::Span,
    /// What its applications draw from.
    pub(super) random: HostRng,
    /// Which branch `select!` begins with.
    branches: RefCell<Stream>,
    executor: Executor,
    /// Another for each start of each host.
    pub(super) number: u64,
    alive: Cell<bool>,
    failed_calls: RefCell<VecDeque<FailedCall>>,
    /// How many tasks may still be spawned by what is dropped at the end.
    last_spawns: Cell<u32>,
}

/// What the tasks of a host draw from.
pub(crate) struct Streams {
    application: Stream,
    branches: Stream,
}

impl Streams {
    /// Those of a host called `host`, `start` of which tells its starts apart.
    pub(crate) fn new(seed: Seed, host: &str, start: &str) -> Streams {
        Streams {
            application: seed.stream(&format!("application {host}{start}")),
            branches: seed.stream(&format!("select {host}{start}")),
        }
    }
}

/// How many tasks destructors of a host may spawn when it has ended. Each is dropped unrun, which
/// may spawn another, and so on for ever.
const LAST_SPAWNS: u32 = 10_000;

impl HostScope {
    pub(crate) fn new(
        name: String,
        clock: Clock,
        stack: Arc<dyn Any + Send + Sync>,
        streams: Streams,
        executor: Executor,
    ) -> Rc<HostScope> {
        let span = tracing::error_span!(target: "glassnet", "host", name);
        let number = executor.number_scope();
        Rc::new(HostScope {
            name,
            clock,
            stack,
            span,
            random: HostRng::new(streams.application),
            branches: RefCell::new(streams.branches),
            executor,
            number,
            alive: Cell::new(true),
            failed_calls: RefCell::default(),
            last_spawns: Cell::new(LAST_SPAWNS),
        })
    }

    /// Starts a task of this host.
    pub(crate) fn spawn<F>(self: &Rc<HostScope>, origin: Origin, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.spawn_on(origin, future, self.executor.schedule())
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
        if !self.alive.get() {
            let Some(left) = self.last_spawns.get().checked_sub(1) else {
                // Dropped, it would only spawn the next one.
                std::mem::forget(future);
                return self.never_begun(origin);
            };
            self.last_spawns.set(left);
        }
        let task = self.executor.spawn(self.clone(), origin, future, schedule);
        if !self.alive.get() {
            // A task of a host that has ended, as it is dropped, starts nothing new.
            task.abort();
        }
        task
    }

    /// A handle to a task that came too late to be begun.
    pub(super) fn never_begun<T>(&self, origin: Origin) -> JoinHandle<T> {
        JoinHandle::cancelled(origin, self.executor.next_id())
    }

    pub(super) fn executor(&self) -> &Executor {
        &self.executor
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

    /// Ends every task of this host: each is dropped, without being polled again, when it would
    /// have its turn.
    pub(crate) fn end(self: &Rc<HostScope>) {
        self.alive.set(false);
        self.executor.abort_all_of(self);
    }

    /// Which of so many branches `select!` begins with.
    pub(super) fn draw_branch(&self, branches: u32) -> u32 {
        self.branches.borrow_mut().up_to(u64::from(branches.saturating_sub(1))) as u32
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive.get()
    }

    /// The last call on this host that failed with what `error`, or a source of it, says.
    pub(crate) fn failed_call_behind(&self, error: &(dyn Error + 'static)) -> Option<FailedCall> {
        let mut chain: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next.filter(|_| chain.len() < MAX_SOURCES) {
            chain.push(error.to_string());
            next = error.source();
        }
        let failed_calls = self.failed_calls.borrow();
        let is_behind = |failed: &&FailedCall| chain.iter().any(|it| it.contains(&failed.error));
        failed_calls.iter().rev().find(is_behind).cloned()
    }
}

/// Failed calls that a host remembers.
const MAX_FAILED_CALLS: usize = 32;
/// How many sources of an error are looked at.
const MAX_SOURCES: usize = 32;

/// A socket call that failed.
#[derive(Clone, Debug)]
pub(crate) struct FailedCall {
    call: String,
    error: String,
    at: Instant,
    by: Origin,
}

impl fmt::Display for FailedCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedCall { call, error, at, by } = self;
        write!(formatter, "{call}: {error}, at {at} in {by}")
    }
}

/// Where a task comes from; reports call it by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The main task of a host, which was added to the world there.
    Main(&'static Location<'static>),
    /// A task that another one spawned.
    Spawned(&'static Location<'static>),
}

impl Origin {
    pub(super) fn is_spawned(self) -> bool {
        matches!(self, Origin::Spawned(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Main(at) => write!(formatter, "main spawned at {at}"),
            Origin::Spawned(at) => write!(formatter, "task spawned at {at}"),
        }
    }
}

/// One task, as seen by itself and by reports.
pub(crate) struct TaskContext {
    pub(crate) scope: Rc<HostScope>,
    id: Id,
    origin: Origin,
    /// `None` until it runs for the first time.
    polled_at: Cell<Option<Instant>>,
    waits: RefCell<Vec<Wait>>,
}

impl TaskContext {
    pub(super) fn new(scope: Rc<HostScope>, id: Id, origin: Origin) -> Rc<TaskContext> {
        let (polled_at, waits) = (Cell::default(), RefCell::default());
        Rc::new(TaskContext { scope, id, origin, polled_at, waits })
    }

    /// What it waited for when it was last polled counts no more.
    pub(super) fn begin_poll(&self) {
        self.polled_at.set(Some(Instant::from_nanos(self.scope.clock.now())));
        self.waits.borrow_mut().clear();
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// What reports call it.
    pub(super) fn label(&self) -> String {
        format!("{}: {}", self.scope.name, self.origin)
    }

    fn panicked(&self) -> Panicked {
        let now = Instant::from_nanos(self.scope.clock.now());
        let failed_calls = self.scope.failed_calls.borrow();
        let is_own_and_new = |failed: &&FailedCall| failed.by == self.origin && failed.at == now;
        Panicked {
            task: format!("host `{}`: {}", self.scope.name, self.origin),
            failed_call: failed_calls.back().filter(is_own_and_new).cloned(),
        }
    }

    pub(super) fn report(&self) -> WaitingTask {
        WaitingTask {
            host: self.scope.name.clone(),
            origin: self.origin,
            since: self.polled_at.get(),
            yields: false,
            waits: self.waits.borrow().clone(),
        }
    }
}

/// What a task said it waits for when it was last polled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wait {
    Sleep { until: Instant },
    Lookup { name: String },
    Accept { on: SocketAddr },
    Connect { to: SocketAddr },
    Read { local: SocketAddr, peer: SocketAddr },
    Write { local: SocketAddr, peer: SocketAddr },
    Receive { local: SocketAddr, peer: Option<SocketAddr> },
    Send { local: SocketAddr },
    Echo { from: SocketAddr },
    UnixAccept { on: Arc<str> },
    UnixConnect { to: Arc<str> },
    UnixRead { on: Arc<str> },
    UnixWrite { on: Arc<str> },
    Join { task: Origin },
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Sleep { until } if !until.is_within_time() => {
                formatter.write_str("the end of time")
            }
            Wait::Sleep { until } => write!(formatter, "the time {until}"),
            Wait::Lookup { name } => write!(formatter, "the address of {name:?}"),
            Wait::Accept { on } => write!(formatter, "accept on {on}"),
            Wait::Connect { to } => write!(formatter, "connect to {to}"),
            Wait::Read { local, peer } => write!(formatter, "read on {local} from {peer}"),
            Wait::Write { local, peer } => write!(formatter, "write on {local} to {peer}"),
            Wait::Receive { local, peer: None } => write!(formatter, "a datagram on {local}"),
            Wait::Receive { local, peer: Some(peer) } => {
                write!(formatter, "a datagram on {local} from {peer}")
            }
            Wait::Send { local } => write!(formatter, "room to send a datagram on {local}"),
            Wait::Echo { from } => write!(formatter, "an echo from {}", from.ip()),
            Wait::UnixAccept { on } => write!(formatter, "accept on unix socket {on}"),
            Wait::UnixConnect { to } => write!(formatter, "connect to unix socket {to}"),
            Wait::UnixRead { on } => write!(formatter, "read on unix socket {on}"),
            Wait::UnixWrite { on } => write!(formatter, "write on unix socket {on}"),
            Wait::Join { task } => write!(formatter, "the end of the {task}"),
        }
    }
}

/// A task of a report.
#[derive(Clone, Debug)]
pub(crate) struct WaitingTask {
    host: String,
    origin: Origin,
    since: Option<Instant>,
    /// It waits for nothing but its next turn.
    pub(super) yields: bool,
    waits: Vec<Wait>,
}

impl WaitingTask {
    /// Whether it waits for something that this world cannot see.
    pub(crate) fn waits_for_the_unknown(&self) -> bool {
        self.since.is_some() && self.waits.is_empty() && !self.yields
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for WaitingTask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} ", self.host, self.origin)?;
        let Some(since) = self.since else { return formatter.write_str("has not run yet") };
        if self.yields {
            return formatter.write_str("yields again and again");
        }
        write!(formatter, "waits since {since} for ")?;
        let Some((first, rest)) = self.waits.split_first() else {
            return formatter.write_str("something that is neither a socket nor a timer");
        };
        write!(formatter, "{first}")?;
        rest.iter().try_for_each(|wait| write!(formatter, ", or {wait}"))
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<TaskContext>>> = const { RefCell::new(None) };
    static PANICKED: RefCell<Option<Panicked>> = const { RefCell::new(None) };
}

/// Makes a task the current one until the guard is dropped.
pub(super) fn enter(task: Rc<TaskContext>) -> Entered {
    Entered { outer: CURRENT.replace(Some(task)), was_panicking: std::thread::panicking() }
}

pub(super) struct Entered {
    outer: Option<Rc<TaskContext>>,
    was_panicking: bool,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let task = CURRENT.replace(self.outer.take());
        if !self.was_panicking
            && std::thread::panicking()
            && let Some(task) = task
        {
            PANICKED.set(Some(task.panicked()));
        }
    }
}

/// A task that has panicked.
pub(crate) struct Panicked {
    /// Its host, and where it was spawned.
    pub(crate) task: String,
    /// A call of its own that failed just before: the panic may be an `unwrap` of the error.
    pub(crate) failed_call: Option<FailedCall>,
}

/// The task of this thread that has panicked since this was last asked. By the time a run reports
/// the panic, the task itself is gone.
pub(crate) fn take_panicked() -> Option<Panicked> {
    PANICKED.take()
}

/// Notes that a call of the running task has failed.
pub(crate) fn note_failed_call(call: String, error: &io::Error) {
    tracing::debug!(target: "glassnet::net", call, %error, "failed");
    let Some(task) = CURRENT.with_borrow(Option::clone) else { return };
    let at = Instant::from_nanos(task.scope.clock.now());
    let failed = FailedCall { call, error: error.to_string(), at, by: task.origin };
    let mut failed_calls = task.scope.failed_calls.borrow_mut();
    if failed_calls.len() == MAX_FAILED_CALLS {
        failed_calls.pop_front();
    }
    failed_calls.push_back(failed);
}

/// The number of the task that is running.
pub(super) fn current_id() -> Option<Id> {
    CURRENT.with_borrow(|task| task.as_ref().map(|task| task.id))
}

/// The host of the task that is running.
pub(crate) fn scope() -> Option<Rc<HostScope>> {
    CURRENT.with_borrow(|task| task.as_ref().map(|task| task.scope.clone()))
}

/// Whether the task that is running, if one is on this thread, belongs to the world of `clock`.
pub(crate) fn is_of_world(clock: &Clock) -> bool {
    let is_of_world = |task: &RefCell<Option<Rc<TaskContext>>>| {
        task.borrow().as_ref().is_some_and(|task| task.scope.clock.is(clock))
    };
    // A socket may outlive even its thread's variables.
    CURRENT.try_with(is_of_world).unwrap_or(false)
}

/// The clock of the world of the task that is running.
pub(crate) fn clock() -> Option<Clock> {
    CURRENT.with_borrow(|task| task.as_ref().map(|task| task.scope.clock.clone()))
}

/// Notes what the running task is about to wait for.
pub(crate) fn waits_for(wait: Wait) {
    CURRENT.with_borrow(|task| {
        if let Some(task) = task {
            let mut waits = task.waits.borrow_mut();
            // A task that waits on thousands of things at once is described well enough by a few.
            if waits.len() < 8 {
                waits.push(wait);
            }
        }
    });
}
