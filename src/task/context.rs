//! What a running task knows: its host, and what it waits for.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::executor::Executor;
use super::join::JoinHandle;
use crate::time::{Clock, Instant};

/// The host to which tasks belong, from the moment it starts until it crashes.
pub(crate) struct HostScope {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    /// The host's stack, for the layer that knows its type.
    pub(crate) stack: Arc<dyn Any + Send + Sync>,
    pub(crate) span: tracing::Span,
    executor: Executor,
    /// Another for each start of each host.
    pub(super) number: u64,
    alive: Cell<bool>,
    /// How many tasks may still be spawned by what is dropped at the end.
    last_spawns: Cell<u32>,
}

/// How many tasks destructors of a host may spawn when it has ended. Each is dropped unrun, which
/// may spawn another, and so on for ever.
const LAST_SPAWNS: u32 = 10_000;

impl HostScope {
    pub(crate) fn new(
        name: String,
        clock: Clock,
        stack: Arc<dyn Any + Send + Sync>,
        executor: Executor,
    ) -> Rc<HostScope> {
        let span = tracing::info_span!("host", name);
        let (alive, last_spawns) = (Cell::new(true), Cell::new(LAST_SPAWNS));
        let number = executor.number_scope();
        Rc::new(HostScope { name, clock, stack, span, executor, number, alive, last_spawns })
    }

    /// Starts a task of this host; `name` is for reports.
    pub(crate) fn spawn<F>(
        self: &Rc<HostScope>,
        name: Option<&'static str>,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if !self.alive.get() {
            let Some(left) = self.last_spawns.get().checked_sub(1) else {
                // Dropped, it would only spawn the next one.
                std::mem::forget(future);
                return JoinHandle::cancelled();
            };
            self.last_spawns.set(left);
        }
        let task = self.executor.spawn(self.clone(), name.unwrap_or("spawned task"), future);
        if !self.alive.get() {
            // A task of a host that has ended, as it is dropped, starts nothing new.
            task.abort();
        }
        task
    }

    /// Starts the main task of this host: when it ends all others do, as at the end of a process.
    pub(crate) fn spawn_main<F>(self: &Rc<HostScope>, main: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let scope = self.clone();
        self.spawn(Some("main"), async move {
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
}

/// One task, as seen by itself and by reports.
pub(crate) struct TaskContext {
    pub(crate) scope: Rc<HostScope>,
    pub(crate) name: &'static str,
    waits: RefCell<Vec<Wait>>,
}

impl TaskContext {
    pub(super) fn new(scope: Rc<HostScope>, name: &'static str) -> Rc<TaskContext> {
        Rc::new(TaskContext { scope, name, waits: RefCell::new(Vec::new()) })
    }

    pub(super) fn forget_waits(&self) {
        self.waits.borrow_mut().clear();
    }

    /// What reports call it.
    pub(super) fn label(&self) -> String {
        format!("{}: {}", self.scope.name, self.name)
    }

    pub(super) fn report(&self) -> WaitingTask {
        WaitingTask {
            host: self.scope.name.clone(),
            task: self.name,
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
    Join,
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Sleep { until } if !until.is_within_time() => {
                formatter.write_str("sleeps until the end of time")
            }
            Wait::Sleep { until } => write!(formatter, "sleeps until {until}"),
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
            Wait::Join => formatter.write_str("a spawned task to end"),
        }
    }
}

/// A task of a report.
#[derive(Clone, Debug)]
pub(crate) struct WaitingTask {
    pub(crate) host: String,
    pub(crate) task: &'static str,
    /// It waits for nothing but its next turn.
    pub(super) yields: bool,
    waits: Vec<Wait>,
}

impl WaitingTask {
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for WaitingTask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.yields {
            return write!(formatter, "{}: {} yields again and again", self.host, self.task);
        }
        write!(formatter, "{}: {} waits for ", self.host, self.task)?;
        let Some((first, rest)) = self.waits.split_first() else {
            return formatter.write_str("something that is neither a socket nor a timer");
        };
        write!(formatter, "{first}")?;
        rest.iter().try_for_each(|wait| write!(formatter, ", or {wait}"))
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<TaskContext>>> = const { RefCell::new(None) };
}

/// Makes a task the current one until the guard is dropped.
pub(super) fn enter(task: Rc<TaskContext>) -> Entered {
    Entered { outer: CURRENT.replace(Some(task)) }
}

pub(super) struct Entered {
    outer: Option<Rc<TaskContext>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.replace(self.outer.take());
    }
}

/// The host of the task that is running.
pub(crate) fn scope() -> Option<Rc<HostScope>> {
    CURRENT.with_borrow(|task| task.as_ref().map(|task| task.scope.clone()))
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
