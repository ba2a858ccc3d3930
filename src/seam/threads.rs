//! The threads that the program of a host starts.
//!
//! One thread of a world runs at a time: the one that has the baton. It runs until it blocks, and
//! then gives the baton back to the thread that drives the world. Time goes on when no thread can
//! run. So threads run in the same order in every run.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::baton::{Baton, real_syscall, real_wait};
use super::real::abort;
use super::seat::{Runs, Seat};
use super::spin::Spin;
use crate::clock::TimerKey;

/// A thread of a world beside the one that drives it.
pub(super) struct Thread {
    pub(super) seat: Arc<Seat>,
    go: Baton,
    /// What the kernel calls it, once it runs.
    number: AtomicU64,
    state: Spin<State>,
}

#[derive(Default)]
struct State {
    standing: Standing,
    /// Tells one wait from the next.
    waits: u64,
    timer: Option<TimerKey>,
    timed_out: bool,
    /// Who wants to know when it has ended.
    joiners: Vec<Joiner>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// It runs, or will run when its turn comes.
    #[default]
    Able,
    Blocked,
    Ended,
}

/// How a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    Called,
    TimedOut,
}

/// Who waits in a thread of a world.
#[derive(Clone)]
enum Joiner {
    Thread(Arc<Thread>),
    /// The thread that drives the world, and whether it has been called.
    Driver(Arc<AtomicBool>),
}

impl Joiner {
    fn call(&self) {
        match self {
            Joiner::Thread(thread) => thread.resume(Woken::Called, None),
            Joiner::Driver(called) => called.store(true, Ordering::Release),
        }
    }
}

thread_local! {
    // Const and without a destructor: it can be read at any time in a thread's life.
    static THREAD: Cell<*const Thread> = const { Cell::new(std::ptr::null()) };
}

/// How many wait for a word of memory, so that the common case, none, needs no lock.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Who waits for a word of memory, by its address: `futex(2)`.
static WAITERS: Spin<BTreeMap<usize, VecDeque<Joiner>>> = Spin::new(BTreeMap::new());

/// The threads of worlds by what `pthread_create(3)` calls them, until they are joined or detached.
static NAMES: Spin<BTreeMap<u64, Arc<Thread>>> = Spin::new(BTreeMap::new());

/// How long the thread that drives a world waits, in real time, for a word that only a thread
/// outside of the world can change.
const FOREIGN_WAIT: Duration = Duration::from_secs(10);
const FOREIGN_STEP: Duration = Duration::from_millis(1);
/// How long a world in which nothing can happen waits for such a thread.
const OUTSIDE_WAIT: Duration = Duration::from_secs(2);

/// The thread that calls this, if it is one of a world and does not drive it.
pub(super) fn current() -> Option<Arc<Thread>> {
    let thread = THREAD.get();
    if thread.is_null() {
        return None;
    }
    // SAFETY: the pointer comes from an `Arc` that the thread holds until it ends.
    unsafe {
        Arc::increment_strong_count(thread);
        Some(Arc::from_raw(thread))
    }
}

impl Thread {
    pub(super) fn new(seat: Arc<Seat>) -> Arc<Thread> {
        Arc::new(Thread {
            seat,
            go: Baton::default(),
            number: AtomicU64::new(0),
            state: Spin::default(),
        })
    }

    /// Makes it run when its turn comes.
    pub(super) fn start(self: &Arc<Thread>) {
        self.seat.add_ready(self.clone());
    }

    /// The first thing a thread does: it waits for its turn, and is known from then on.
    pub(super) fn begin(self: Arc<Thread>) {
        self.go.take();
        // SAFETY: it takes nothing.
        let number = unsafe { real_syscall(libc::SYS_gettid, [0; 6]) };
        self.number.store(number as u64, Ordering::Relaxed);
        self.seat.runs(number as u64);
        self.seat.clone().stay_seated();
        THREAD.set(Arc::into_raw(self));
    }

    /// The last thing a thread does: it never runs code of a program again.
    pub(super) fn end() {
        let thread = THREAD.replace(std::ptr::null());
        if thread.is_null() {
            return;
        }
        // SAFETY: the pointer was made by `begin`, and is given up here.
        let thread = unsafe { Arc::from_raw(thread) };
        let joiners = {
            let mut state = thread.state.lock();
            state.standing = Standing::Ended;
            std::mem::take(&mut state.joiners)
        };
        joiners.iter().for_each(Joiner::call);
        drop(joiners);
        thread.seat.clone().leave_seat();
        let driver = thread.seat.driver().clone();
        // From the moment the baton is given, another thread runs: nothing of the world is held then.
        drop(thread);
        driver.give();
    }

    /// Blocks until it is called, or the time has come.
    pub(super) fn block(self: &Arc<Thread>, until: Option<u64>, register: impl FnOnce()) -> Woken {
        let wait = {
            let mut state = self.state.lock();
            state.waits += 1;
            state.standing = Standing::Blocked;
            state.timed_out = false;
            state.waits
        };
        register();
        if let Some(until) = until {
            let waker = Waker::from(Arc::new(TimesOut { thread: self.clone(), wait }));
            let key = self.seat.clock().set_timer(until, waker);
            self.state.lock().timer = Some(key);
        }
        self.hand_over();
        if self.state.lock().timed_out { Woken::TimedOut } else { Woken::Called }
    }

    /// Lets the others that can run go first.
    pub(super) fn yield_now(self: &Arc<Thread>) {
        self.seat.add_ready(self.clone());
        self.hand_over();
    }

    fn hand_over(&self) {
        self.seat.driver().give();
        self.go.take();
        self.seat.runs(self.number.load(Ordering::Relaxed));
    }

    /// It can run again, unless it is not `wait` that it waits in.
    fn resume(self: &Arc<Thread>, woken: Woken, wait: Option<u64>) {
        let timer = {
            let mut state = self.state.lock();
            let is_meant = wait.is_none_or(|wait| wait == state.waits);
            if state.standing != Standing::Blocked || !is_meant {
                return;
            }
            state.standing = Standing::Able;
            state.timed_out = woken == Woken::TimedOut;
            state.timer.take()
        };
        if let Some(key) = timer
            && woken == Woken::Called
        {
            self.seat.clock().cancel_timer(key);
        }
        self.seat.add_ready(self.clone());
    }

    /// What it waited for has come.
    pub(super) fn call(self: &Arc<Thread>) {
        self.resume(Woken::Called, None);
    }

    /// Waits until it has ended: `pthread_join(3)`.
    pub(super) fn join(self: &Arc<Thread>, seat: &Arc<Seat>) {
        let joins = |joiner: Joiner| {
            let mut state = self.state.lock();
            if state.standing == Standing::Ended {
                drop(state);
                joiner.call();
            } else {
                state.joiners.push(joiner);
            }
        };
        match current() {
            Some(caller) => {
                caller.block(None, || joins(Joiner::Thread(caller.clone())));
            }
            None => {
                let called = Arc::new(AtomicBool::new(false));
                joins(Joiner::Driver(called.clone()));
                if !drive_until(seat, || called.load(Ordering::Acquire)) {
                    abort(&[
                        b"glassnet: a task waits on the thread of its runtime for another thread, \
                          which waits for the world: use spawn_blocking\n",
                    ]);
                }
            }
        }
    }
}

impl Runs for Thread {
    fn run(&self) {
        self.go.give();
        self.seat.wait_for_baton();
    }
}

impl Wake for Thread {
    fn wake(self: Arc<Thread>) {
        self.call();
    }
}

/// A thread is called this, until it is joined or detached.
pub(super) fn add_name(name: u64, thread: Arc<Thread>) {
    let outdated = NAMES.lock().insert(name, thread);
    drop(outdated);
}

/// The thread that was called this.
pub(super) fn remove_name(name: u64) -> Option<Arc<Thread>> {
    NAMES.lock().remove(&name)
}

/// Lets the threads of a host run until something is so. False when it is not, and none can run.
fn drive_until(seat: &Arc<Seat>, is_so: impl Fn() -> bool) -> bool {
    while !is_so() {
        if !seat.run_next() {
            return false;
        }
    }
    true
}

/// A wait has lasted long enough.
struct TimesOut {
    thread: Arc<Thread>,
    wait: u64,
}

impl Wake for TimesOut {
    fn wake(self: Arc<TimesOut>) {
        self.thread.resume(Woken::TimedOut, Some(self.wait));
    }
}

/// `FUTEX_WAIT` of a thread of a world. `false` when the time has run out, `None` when the word has
/// another value.
pub(super) fn wait_on(
    seat: &Arc<Seat>,
    word: &AtomicU32,
    value: u32,
    until: Option<u64>,
) -> Option<bool> {
    if word.load(Ordering::SeqCst) != value {
        return None;
    }
    let address = word.as_ptr() as usize;
    let Some(thread) = current() else { return drive_until_woken(seat, word, value) };
    if until.is_none() {
        // A thread outside of the world may hold it, such as the lock of stdout: that takes no time
        // of the world.
        real_wait(word, value, FOREIGN_STEP);
        if word.load(Ordering::SeqCst) != value {
            return None;
        }
    }
    let woken = thread.block(until, || {
        add_waiter(address, Joiner::Thread(thread.clone()));
        // A thread outside of the world may have been quicker.
        if word.load(Ordering::SeqCst) != value {
            thread.call();
        }
    });
    remove_waiter(
        address,
        |joiner| matches!(joiner, Joiner::Thread(other) if Arc::ptr_eq(other, &thread)),
    );
    Some(woken == Woken::Called)
}

/// The thread that drives the world waits: the other threads of the host run meanwhile. When none
/// can, a thread outside of the world may hold what is waited for, such as the lock of stdout.
fn drive_until_woken(seat: &Arc<Seat>, word: &AtomicU32, value: u32) -> Option<bool> {
    let address = word.as_ptr() as usize;
    let called = Arc::new(AtomicBool::new(false));
    add_waiter(address, Joiner::Driver(called.clone()));
    let is_over = || called.load(Ordering::Acquire) || word.load(Ordering::SeqCst) != value;
    let mut waited = Duration::ZERO;
    while !drive_until(seat, is_over) {
        if waited >= FOREIGN_WAIT {
            abort(&[
                b"glassnet: a task blocks the thread of its runtime, and nothing in its world can \
                  run until it goes on: use tokio's own waiting, or spawn_blocking\n",
            ]);
        }
        real_wait(word, value, FOREIGN_STEP);
        waited += FOREIGN_STEP;
    }
    remove_waiter(
        address,
        |joiner| matches!(joiner, Joiner::Driver(other) if Arc::ptr_eq(other, &called)),
    );
    Some(true)
}

/// Whether a `FUTEX_WAKE` of any thread may be for one of a world.
pub(super) fn somebody_waits() -> bool {
    WAITING.load(Ordering::SeqCst) > 0
}

/// Waits, in real time, until a thread outside of the world has made something true. False when no
/// thread of a world waits for a word of memory, or it takes long.
pub(super) fn wait_for_outside(is_so: &dyn Fn() -> bool) -> bool {
    let never = AtomicU32::new(0);
    let mut waited = Duration::ZERO;
    while somebody_waits() && waited < OUTSIDE_WAIT {
        if is_so() {
            return true;
        }
        real_wait(&never, 0, FOREIGN_STEP);
        waited += FOREIGN_STEP;
    }
    is_so()
}

/// `FUTEX_WAKE`: calls at most so many of those that wait in a world. Returns how many.
pub(super) fn wake(address: usize, max: usize) -> usize {
    let called: Vec<Joiner> = {
        let mut waiters = WAITERS.lock();
        let Some(here) = waiters.get_mut(&address) else { return 0 };
        let count = here.len().min(max);
        let called = here.drain(..count).collect();
        if here.is_empty() {
            waiters.remove(&address);
        }
        called
    };
    called.iter().for_each(Joiner::call);
    // They count until they can run, for whoever looks whether anybody waits.
    WAITING.fetch_sub(called.len(), Ordering::SeqCst);
    called.len()
}

fn add_waiter(address: usize, joiner: Joiner) {
    WAITING.fetch_add(1, Ordering::SeqCst);
    WAITERS.lock().entry(address).or_default().push_back(joiner);
}

fn remove_waiter(address: usize, is_meant: impl Fn(&Joiner) -> bool) {
    let mut waiters = WAITERS.lock();
    let Some(here) = waiters.get_mut(&address) else { return };
    let before = here.len();
    here.retain(|joiner| !is_meant(joiner));
    WAITING.fetch_sub(before - here.len(), Ordering::SeqCst);
    if here.is_empty() {
        waiters.remove(&address);
    }
}
