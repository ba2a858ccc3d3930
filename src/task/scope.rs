//! The host to which tasks belong.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::sync::atomic::AtomicU64;

use super::boot::Boot;
use super::executor::Executor;
use super::failed_call::{FailedCall, FailedCalls};
use super::random::HostRng;
use crate::clock::Clock;
use crate::rng::{Seed, Stream};

/// The host to which tasks belong, from the moment it starts until it crashes.
pub(crate) struct HostScope {
    boot: Rc<Boot>,
    pub(crate) clock: Clock,
    /// The host's stack, for the layer that knows its type.
    pub(crate) stack: Arc<dyn Any + Send + Sync>,
    /// In which the host's tasks and its stack run; of the highest level, so that whoever sees an
    /// event sees of which host it is.
    pub(crate) span: tracing::Span,
    /// What its applications draw from.
    random: HostRng,
    /// Which branch `select!` begins with.
    branches: RefCell<Stream>,
    executor: Executor,
    pub(super) failed_calls: FailedCalls,
    /// How many tasks may still be spawned by what is dropped at the end.
    last_spawns: Cell<u32>,
    /// What its program does about signals, where it can do anything.
    signals: RefCell<Option<OnSignal>>,
}

/// Told of each signal that a program is sent.
pub(crate) type OnSignal = Rc<dyn Fn(i32)>;

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
        let number = executor.number_boot();
        Rc::new(HostScope {
            boot: Rc::new(Boot::new(name, number)),
            clock,
            stack,
            span,
            random: HostRng::new(streams.application),
            branches: RefCell::new(streams.branches),
            executor,
            failed_calls: FailedCalls::default(),
            last_spawns: Cell::new(LAST_SPAWNS),
            signals: RefCell::new(None),
        })
    }

    pub(super) fn executor(&self) -> &Executor {
        &self.executor
    }

    /// The name of the host.
    pub(crate) fn name(&self) -> &str {
        self.boot.host()
    }

    pub(super) fn boot(&self) -> &Rc<Boot> {
        &self.boot
    }

    /// Ends every task of this host: each is dropped, without being polled again, when it would
    /// have its turn.
    pub(crate) fn end(&self) {
        self.executor.end_all_of(&self.boot);
    }

    /// Where a task says which thread it has let run, and waits for: the number that the kernel gives
    /// it, or 0. Whoever watches over the tasks names it.
    #[cfg(feature = "tokio")]
    pub(crate) fn other_thread(&self) -> Arc<AtomicU64> {
        self.executor.other_thread()
    }

    /// From now on its program is told of signals, or not any more.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_signals(&self, signals: Option<OnSignal>) {
        let _outdated = self.signals.replace(signals);
    }

    /// Sends its program a signal. False when that does nothing about any.
    pub(crate) fn signal(&self, signal: i32) -> bool {
        let signals = self.signals.borrow().clone();
        signals.map(|signals| signals(signal)).is_some()
    }

    /// Takes one from the tasks that may still be spawned when it has ended. False when none is
    /// left.
    pub(super) fn take_last_spawn(&self) -> bool {
        let left = self.last_spawns.get().checked_sub(1);
        self.last_spawns.set(left.unwrap_or(0));
        left.is_some()
    }

    /// What its applications draw from.
    pub(super) fn rng(&self) -> HostRng {
        self.random.clone()
    }

    /// Which of so many branches `select!` begins with.
    pub(super) fn draw_branch(&self, branches: u32) -> u32 {
        self.branches.borrow_mut().up_to(u64::from(branches.saturating_sub(1))) as u32
    }

    pub(super) fn is_alive(&self) -> bool {
        self.boot.is_alive()
    }

    /// The last call on this host that failed with what `error`, or a source of it, says.
    pub(crate) fn failed_call_behind(&self, error: &(dyn Error + 'static)) -> Option<FailedCall> {
        self.failed_calls.behind(error)
    }
}
