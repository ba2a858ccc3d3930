//! Threads: making them, joining them, and what they block in.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{c_int, c_uint, clockid_t, pthread_attr_t, pthread_key_t, pthread_t, timespec};

use super::{Plain, hook};
use crate::seam::baton::real_wake;
use crate::seam::real::{Real, abort};
use crate::seam::seat::{self, UPTIME_AT_START};
use crate::seam::threads::{self, Thread, Woken};

type StartRoutine = extern "C" fn(*mut c_void) -> *mut c_void;

/// What a new thread is given.
struct Start {
    thread: Arc<Thread>,
    routine: StartRoutine,
    argument: *mut c_void,
}

static CREATE: Real = Real::new(c"pthread_create");

/// `pthread_create(3)`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_create(
    name: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: StartRoutine,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the function has this name in libc, and so this type.
    let real: unsafe extern "C" fn(
        *mut pthread_t,
        *const pthread_attr_t,
        StartRoutine,
        *mut c_void,
    ) -> c_int = unsafe { std::mem::transmute(CREATE.address()) };
    let Some(seat) = seat::current() else {
        // SAFETY: the arguments are the caller's.
        return unsafe { real(name, attributes, routine, argument) };
    };
    let thread = Thread::new(seat.clone());
    let start = Box::into_raw(Box::new(Start { thread: thread.clone(), routine, argument }));
    // SAFETY: the arguments are the caller's, but for a routine that takes what it is given.
    let made = unsafe { real(name, attributes, begin, start.cast()) };
    if made == 0 {
        // SAFETY: the thread was made, and has its name there.
        threads::add_name(unsafe { *name }, thread.clone());
        thread.start();
    } else {
        // SAFETY: nobody else was given it.
        drop(unsafe { Box::from_raw(start) });
    }
    made
}

extern "C" fn begin(start: *mut c_void) -> *mut c_void {
    // SAFETY: it was made for this thread alone.
    let Start { thread, routine, argument } = *unsafe { Box::from_raw(start.cast::<Start>()) };
    thread.begin();
    last_destructor(1);
    routine(argument)
}

/// The thread gives the baton back in the last round of destructors of its variables, when those of
/// the program have run (`PTHREAD_DESTRUCTOR_ITERATIONS` is 4).
const LAST_ROUND: usize = 4;

fn last_destructor(round: usize) {
    // SAFETY: the key is one of this process, and the value a number.
    unsafe { libc::pthread_setspecific(key(), round as *const c_void) };
}

fn key() -> pthread_key_t {
    static KEY: AtomicU32 = AtomicU32::new(0);
    let known = KEY.load(Ordering::Acquire);
    if known != 0 {
        return known - 1;
    }
    let mut made: pthread_key_t = 0;
    // SAFETY: there is room for the key. One thread of a world runs at a time, and if two worlds
    // make a key each, one of the keys is not used.
    if unsafe { libc::pthread_key_create(&mut made, Some(round_of_destructors)) } != 0 {
        abort(&[b"glassnet: no key for a thread's variables is left\n"]);
    }
    match KEY.compare_exchange(0, made + 1, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => made,
        Err(other) => other - 1,
    }
}

extern "C" fn round_of_destructors(round: *mut c_void) {
    match round as usize {
        LAST_ROUND.. => Thread::end(),
        round => last_destructor(round + 1),
    }
}

static JOIN: Real = Real::new(c"pthread_join");

/// `pthread_join(3)`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_join(name: pthread_t, value: *mut *mut c_void) -> c_int {
    if let Some(seat) = seat::current()
        && let Some(thread) = threads::remove_name(name)
    {
        thread.join(&seat);
    }
    // SAFETY: the function has this name in libc, and so this type.
    let real: unsafe extern "C" fn(pthread_t, *mut *mut c_void) -> c_int =
        unsafe { std::mem::transmute(JOIN.address()) };
    // SAFETY: the arguments are the caller's. What is left of the thread ends by itself.
    unsafe { real(name, value) }
}

static DETACH: Real = Real::new(c"pthread_detach");

/// `pthread_detach(3)`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_detach(name: pthread_t) -> c_int {
    drop(threads::remove_name(name));
    // SAFETY: the function has this name in libc, and so this type.
    let real: unsafe extern "C" fn(pthread_t) -> c_int =
        unsafe { std::mem::transmute(DETACH.address()) };
    // SAFETY: the argument is the caller's.
    unsafe { real(name) }
}

hook! {
    fn sched_yield() -> c_int;
    if seat::is_taken() => {
        match threads::current() {
            Some(thread) => thread.yield_now(),
            None => {
                if let Some(seat) = seat::current() {
                    seat.run_next();
                }
            }
        }
        Ok(0)
    }
}

/// The operation of a futex, without its flags.
fn operation(operation: usize) -> i32 {
    operation as i32 & libc::FUTEX_CMD_MASK
}

/// Whether a system call is one that threads of a world block in, or are woken by.
pub(super) fn is_futex_of_world(flags: usize) -> bool {
    match operation(flags) {
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => seat::is_taken(),
        // What a thread of a world waits for, another thread of the process may let go.
        libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET => threads::somebody_waits(),
        _ => false,
    }
}

/// # Safety
/// The arguments are those of `futex(2)`.
pub(super) unsafe fn futex(
    address: usize,
    flags: usize,
    value: usize,
    timeout: usize,
) -> Result<isize, i32> {
    let is_wait_bitset = operation(flags) == libc::FUTEX_WAIT_BITSET;
    if !is_wait_bitset && operation(flags) != libc::FUTEX_WAIT {
        let max = value as u32;
        let woken = threads::wake(address, max as usize) as u32;
        // SAFETY: as the caller promises.
        let word = unsafe { AtomicU32::from_ptr(address as *mut u32) };
        // Threads outside of the world may wait as well.
        let others = if woken < max { real_wake(word, max - woken) } else { 0 };
        return Ok((woken + others) as isize);
    }
    let Some(seat) = seat::current() else { return Err(libc::ENOSYS) };
    // SAFETY: as the caller promises.
    let word = unsafe { AtomicU32::from_ptr(address as *mut u32) };
    // SAFETY: as the caller promises.
    let timeout = unsafe { (timeout as *const timespec).as_ref() };
    let until = timeout.map(|timeout| {
        let given = nanoseconds(timeout);
        if !is_wait_bitset {
            seat.now().saturating_add(given)
        } else if flags as i32 & libc::FUTEX_CLOCK_REALTIME != 0 {
            given.saturating_sub(seat.since_1970_at_start())
        } else {
            given.saturating_sub(UPTIME_AT_START)
        }
    });
    match threads::wait_on(&seat, word, value as u32, until) {
        None => Err(libc::EAGAIN),
        Some(true) => Ok(0),
        Some(false) => Err(libc::ETIMEDOUT),
    }
}

fn nanoseconds(time: &timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}

/// Sleeps until a time of the world.
fn sleep_until(until: u64) {
    match threads::current() {
        Some(thread) => {
            let _: Woken = thread.block(Some(until), || {});
        }
        None => abort(&[
            b"glassnet: a task sleeps on the thread of its runtime, which would stop the world: use \
              tokio::time::sleep, or spawn_blocking\n",
        ]),
    }
}

hook! {
    fn nanosleep(time: *const timespec, rest: *mut timespec) -> c_int;
    if seat::is_taken() => {
        let _ = rest;
        // SAFETY: it is the caller's.
        match unsafe { time.as_ref() } {
            Some(time) => {
                if let Some(seat) = seat::current() {
                    sleep_until(seat.now().saturating_add(nanoseconds(time)));
                }
                Ok(0)
            }
            None => Err(libc::EFAULT),
        }
    }
}

hook! {
    fn clock_nanosleep(
        clock: clockid_t,
        flags: c_int,
        time: *const timespec,
        rest: *mut timespec,
    ) -> c_int;
    if seat::is_taken() => {
        let _ = rest;
        // SAFETY: it is the caller's.
        match (unsafe { time.as_ref() }, seat::current()) {
            (Some(time), Some(seat)) => {
                let given = nanoseconds(time);
                let until = if flags & libc::TIMER_ABSTIME == 0 {
                    seat.now().saturating_add(given)
                } else if clock == libc::CLOCK_REALTIME {
                    given.saturating_sub(seat.since_1970_at_start())
                } else {
                    given.saturating_sub(UPTIME_AT_START)
                };
                sleep_until(until);
                // It returns its error number.
                Plain(0)
            }
            _ => Plain(libc::EFAULT),
        }
    }
}

hook! {
    fn usleep(microseconds: c_uint) -> c_int;
    if seat::is_taken() => {
        if let Some(seat) = seat::current() {
            sleep_until(seat.now().saturating_add(u64::from(microseconds) * 1_000));
        }
        Ok(0)
    }
}

hook! {
    fn sleep(seconds: c_uint) -> c_uint;
    if seat::is_taken() => {
        if let Some(seat) = seat::current() {
            sleep_until(seat.now().saturating_add(u64::from(seconds) * 1_000_000_000));
        }
        Plain(0)
    }
}
