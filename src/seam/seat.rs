//! Which host answers what the thread asks libc.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Waker};

use super::baton::Baton;
use super::dispatch;
use super::lookups::Asked;
use super::signals::{self, Disposition};
use super::spin::Spin;
use crate::clock::Clock;
use crate::error::Errno;
use crate::net::addr::{Domain, Type};
use crate::net::socket::Socket;
use crate::task::{HostRng, HostScope, Origin};
use crate::world::is_ignored_by_default;

/// `CLOCK_MONOTONIC` when a world begins: an uptime from which libraries may subtract.
pub(super) const UPTIME_AT_START: u64 = 1_000_000 * 1_000_000_000;

/// How often a runtime or a thread looks whether something has come, without a wait between, before
/// looking takes time: otherwise what a program looks for again and again would never come.
pub(super) const FREE_LOOKS: u32 = 1_000;
/// How long it takes then, in nanoseconds.
pub(super) const LOOK: u64 = 1_000;

/// A host with a runtime, as calls of libc see it.
pub(super) struct Seat {
    clock: Clock,
    /// Until the program has ended.
    scope: OfWorld<RefCell<Option<Rc<HostScope>>>>,
    name: String,
    rng: Spin<HostRng>,
    /// When the runtime was built: its timers count whole milliseconds from then.
    runtime_start: u64,
    /// Wakes the future that the runtime blocks on.
    root: Spin<Option<Waker>>,
    /// Wakes the task of the world in which the runtime has its turns.
    task: Spin<Waker>,
    parked: Spin<Option<Parked>>,
    /// The runtime is being built.
    builds: AtomicBool,
    /// How often the runtime has looked whether something has come since it last waited.
    looks: AtomicU32,
    /// Threads of the host that can run, in the order in which they became so.
    ready: Spin<VecDeque<Arc<dyn Runs>>>,
    /// What the thread that drives the world waits for while another runs.
    driver: Arc<Baton>,
    /// The number of the thread that runs instead of the one that drives the world.
    other_thread: Arc<AtomicU64>,
    asked: Spin<Vec<Asked>>,
    /// Ends of the sockets from which runtimes hear of signals.
    signals: OfWorld<RefCell<Vec<Socket>>>,
    /// A signal has ended the program.
    is_killed: AtomicBool,
    /// What libc has in static memory.
    static_room: Spin<Vec<u64>>,
}

/// What threads of a world share although it is made for one thread: one of them runs at a time, and
/// each takes the baton from another.
struct OfWorld<T>(T);

// SAFETY: only threads of the world reach it, one at a time; passing the baton orders what they do.
// What is in it is dropped by the thread that drives the world ([`Seat::program_ends`]).
unsafe impl<T> Send for OfWorld<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for OfWorld<T> {}

/// A thread of the host that can run.
pub(super) trait Runs: Send + Sync {
    /// Lets it run until it blocks. The caller drives the world.
    fn run(&self);
}

/// The runtime has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parked {
    /// When its next timer is due, in the world's time.
    pub(super) until: Option<u64>,
}

thread_local! {
    // Const and without a destructor: it can be read at any time in a thread's life.
    static SEAT: Cell<*const Seat> = const { Cell::new(std::ptr::null()) };
}

impl Seat {
    pub(super) fn new(scope: Rc<HostScope>, rng: HostRng) -> Seat {
        let (clock, other_thread) = (scope.clock.clone(), scope.other_thread());
        Seat {
            runtime_start: clock.now(),
            clock,
            name: scope.name().to_owned(),
            scope: OfWorld(RefCell::new(Some(scope))),
            rng: Spin::new(rng),
            root: Spin::new(None),
            task: Spin::new(Waker::noop().clone()),
            parked: Spin::new(None),
            builds: AtomicBool::new(false),
            looks: AtomicU32::new(0),
            ready: Spin::default(),
            driver: Arc::default(),
            other_thread,
            asked: Spin::default(),
            signals: OfWorld(RefCell::default()),
            is_killed: AtomicBool::new(false),
            static_room: Spin::default(),
        }
    }

    /// Has this host answer on this thread, until the guard is dropped.
    pub(super) fn sit(self: &Arc<Seat>) -> Sitting {
        let outer = SEAT.replace(Arc::as_ptr(self));
        dispatch::catch(true);
        Sitting { outer, _seat: self.clone() }
    }

    /// Has this host answer on this thread as long as it lives.
    pub(super) fn stay_seated(self: Arc<Seat>) {
        SEAT.set(Arc::into_raw(self));
        dispatch::arm();
        dispatch::catch(true);
    }

    /// The end of [`Seat::stay_seated`].
    pub(super) fn leave_seat(self: Arc<Seat>) {
        dispatch::catch(false);
        let seat = SEAT.replace(std::ptr::null());
        // SAFETY: the pointer was made by `stay_seated`, and is given up here.
        drop(unsafe { Arc::from_raw(seat) });
    }

    // ---- Threads of the host ----------------------------------------------------------------

    /// A thread can run: it has its turn after those that could before.
    pub(super) fn add_ready(&self, thread: Arc<dyn Runs>) {
        self.ready.lock().push_back(thread);
        self.task().wake();
    }

    /// Lets the next thread that can run do so until it blocks. False when there is none.
    pub(super) fn run_next(&self) -> bool {
        let next = self.ready.lock().pop_front();
        match next {
            Some(thread) => {
                thread.run();
                true
            }
            None => false,
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.lock().is_empty()
    }

    /// With which the thread that drives the world goes on.
    pub(super) fn driver(&self) -> &Arc<Baton> {
        &self.driver
    }

    pub(super) fn wait_for_baton(&self) {
        self.driver.take();
        self.other_thread.store(0, Ordering::Relaxed);
    }

    /// A thread has the baton.
    pub(super) fn runs(&self, number: u64) {
        self.other_thread.store(number, Ordering::Relaxed);
    }

    /// A thread has a question for the thread that drives the world.
    pub(super) fn ask(&self, asked: Asked) {
        self.asked.lock().push(asked);
    }

    pub(super) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock())
    }

    /// Makes a call as a task of the host would; `None` when its program has ended.
    #[track_caller]
    pub(super) fn as_task<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        let scope = self.scope.0.borrow().clone();
        scope.map(|scope| scope.call(Origin::Called(Location::caller()), call))
    }

    /// Nothing more is done as a task of the host. To be called by the thread that drives the world:
    /// the seat itself may be dropped by any.
    pub(super) fn program_ends(&self) {
        let scope = self.scope.0.take();
        if let Some(scope) = &scope {
            scope.set_signals(None);
        }
        drop(scope);
        let senders = self.signals.0.take();
        drop(senders);
    }

    // ---- Signals ------------------------------------------------------------------------------

    /// The program is told of signals from now on.
    pub(super) fn hear_signals(self: &Arc<Seat>) {
        let seat = Arc::downgrade(self);
        let signals = move |signal| {
            if let Some(seat) = seat.upgrade() {
                seat.signal(signal);
            }
        };
        if let Some(scope) = &*self.scope.0.borrow() {
            scope.set_signals(Some(Rc::new(signals)));
        }
    }

    /// A socket from which a runtime hears that a signal has come.
    pub(super) fn receiver_of_signals(&self) -> io::Result<Socket> {
        let pair = self.as_task(|| Socket::pair(Domain::UNIX, Type::STREAM, None));
        let (receiver, sender) = pair.ok_or(Errno::NotConnected)??;
        sender.set_nonblocking(true)?;
        let mut senders = self.signals.0.borrow_mut();
        senders.retain(|sender| !sender.readiness().is_read_closed());
        senders.push(sender);
        Ok(receiver)
    }

    /// The program is sent a signal: its handler is called, or it ends.
    pub(super) fn signal(self: &Arc<Seat>, signal: i32) {
        match signals::disposition(signal) {
            Disposition::Ignored => {}
            Disposition::Default if is_ignored_by_default(signal) => {}
            Disposition::Default => {
                self.is_killed.store(true, Ordering::Relaxed);
                self.task().wake();
            }
            Disposition::Handled(action) => {
                let _sitting = self.sit();
                signals::call(&action, signal);
                for sender in &*self.signals.0.borrow() {
                    let sending = std::pin::pin!(sender.send(&[1]));
                    // One byte that is not read yet is enough, and a runtime may have ended.
                    let _ = sending.poll(&mut Context::from_waker(Waker::noop()));
                }
            }
        }
    }

    /// Whether a signal has ended the program.
    pub(super) fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::Relaxed)
    }

    /// The name of the host.
    pub(super) fn host_name(&self) -> &str {
        &self.name
    }

    /// Memory for what a call of libc returns in memory of its own, which the next such call
    /// overwrites: so many bytes, aligned to eight.
    pub(super) fn static_room(&self, bytes: usize) -> *mut u8 {
        let mut room = self.static_room.lock();
        if room.len() < bytes / 8 {
            *room = vec![0; bytes / 8];
        }
        room.as_mut_ptr().cast()
    }

    /// Nanoseconds since the world began.
    pub(super) fn now(&self) -> u64 {
        self.clock.now()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What the calendar showed when the world began, in nanoseconds since 1970.
    pub(super) fn since_1970_at_start(&self) -> u64 {
        self.clock.since_1970().as_nanos() as u64 - self.clock.now()
    }

    pub(super) fn fill_random(&self, bytes: &mut [u8]) {
        self.rng.lock().fill_bytes(bytes);
    }

    pub(super) fn set_task(&self, waker: &Waker) {
        let outdated = {
            let mut task = self.task.lock();
            if task.will_wake(waker) {
                return;
            }
            std::mem::replace(&mut *task, waker.clone())
        };
        drop(outdated);
    }

    /// Builds the runtime: an epoll instance that is made meanwhile is the one that it parks in.
    pub(super) fn build<R>(&self, build: impl FnOnce() -> R) -> R {
        self.builds.store(true, Ordering::Relaxed);
        let built = build();
        self.builds.store(false, Ordering::Relaxed);
        built
    }

    pub(super) fn builds_runtime(&self) -> bool {
        self.builds.load(Ordering::Relaxed)
    }

    /// Wakes the task in which the runtime has its turns.
    pub(super) fn task(&self) -> Waker {
        self.task.lock().clone()
    }

    pub(super) fn set_root(&self, waker: &Waker) {
        let outdated = self.root.lock().replace(waker.clone());
        drop(outdated);
    }

    /// The runtime would sleep for so many milliseconds, or for ever: its turn ends.
    pub(super) fn park(&self, milliseconds: Option<u64>) {
        let until = milliseconds.map(|milliseconds| {
            // The runtime counts whole milliseconds, rounded down, from when it was built.
            let start = self.runtime_start;
            let ticks = (self.now() - start) / 1_000_000;
            start.saturating_add(ticks.saturating_add(milliseconds).saturating_mul(1_000_000))
        });
        self.looks.store(0, Ordering::Relaxed);
        self.end_turn(until);
    }

    /// The runtime looks whether something has come, without waiting for it. See [`FREE_LOOKS`].
    pub(super) fn look(&self) {
        if self.looks.fetch_add(1, Ordering::Relaxed) >= FREE_LOOKS {
            self.looks.store(FREE_LOOKS, Ordering::Relaxed);
            self.end_turn(Some(self.now().saturating_add(LOOK)));
        }
    }

    fn end_turn(&self, until: Option<u64>) {
        *self.parked.lock() = Some(Parked { until });
        let root = self.root.lock().clone();
        if let Some(root) = root {
            root.wake();
        }
    }

    pub(super) fn take_parked(&self) -> Option<Parked> {
        self.parked.lock().take()
    }
}

/// A host answers on this thread.
pub(super) struct Sitting {
    outer: *const Seat,
    _seat: Arc<Seat>,
}

impl Drop for Sitting {
    fn drop(&mut self) {
        SEAT.set(self.outer);
        dispatch::catch(!self.outer.is_null());
    }
}

/// Calls `answer` with the host that answers on this thread, if one does.
#[inline]
pub(super) fn with_seat<R>(answer: impl FnOnce(Option<&Seat>) -> R) -> R {
    let seat = SEAT.get();
    // SAFETY: the pointer is set by who holds the seat, and reset before it is let go.
    answer(unsafe { seat.as_ref() })
}

/// Whether this is a thread of a world.
#[inline]
pub(super) fn is_taken() -> bool {
    !SEAT.get().is_null()
}

/// The program of a host, by what stands for it while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(usize);

/// The program that runs on this thread.
pub(super) fn owner() -> Owner {
    Owner(SEAT.get() as usize)
}

/// The host that answers on this thread, to keep.
pub(super) fn current() -> Option<Arc<Seat>> {
    let seat = SEAT.get();
    if seat.is_null() {
        return None;
    }
    // SAFETY: the pointer comes from an `Arc` that is held until the pointer is reset.
    unsafe {
        Arc::increment_strong_count(seat);
        Some(Arc::from_raw(seat))
    }
}
