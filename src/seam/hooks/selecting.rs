//! `select(2)`: its sets have no room for the numbers of a world's files.

use libc::{c_int, c_long, fd_set, sigset_t, timespec, timeval};

use super::{Plain, hook};
use crate::seam::descriptors::FIRST;
use crate::seam::real::{Real, abort};
use crate::seam::seat;
use crate::seam::threads;
use crate::seam::unanswered::refuse;

hook! {
    fn __fdelt_chk(fd: c_long) -> c_long;
    if fd >= c_long::from(FIRST) => Plain(has_no_room())
}

/// Ends the process, as glibc does: what follows would write behind the set.
fn has_no_room() -> c_long {
    abort(&[b"glassnet: an fd_set has no room for a socket of a world: use poll, or epoll\n"])
}

type Select =
    unsafe extern "C" fn(c_int, *mut fd_set, *mut fd_set, *mut fd_set, *mut timeval) -> c_int;

static SELECT: Real = Real::new(c"select");

hook! {
    fn select(
        count: c_int,
        reading: *mut fd_set,
        writing: *mut fd_set,
        other: *mut fd_set,
        timeout: *mut timeval,
    ) -> c_int;
    // SAFETY: the sets and the timeout are the caller's.
    if seat::is_taken() => unsafe {
        let limit = match timeout.as_ref() {
            Some(limit) => match nanoseconds(limit.tv_sec, limit.tv_usec, 1_000) {
                Ok(limit) => Some(limit),
                Err(error) => return super::Answer::answer(Err(error)),
            },
            None => None,
        };
        wait(count, [reading, writing, other], limit)
    }
}

hook! {
    fn pselect(
        count: c_int,
        reading: *mut fd_set,
        writing: *mut fd_set,
        other: *mut fd_set,
        timeout: *const timespec,
        signals: *const sigset_t,
    ) -> c_int;
    // SAFETY: the sets and the timeout are the caller's.
    if seat::is_taken() => unsafe {
        let _ = signals;
        let limit = match timeout.as_ref() {
            Some(limit) => match nanoseconds(limit.tv_sec, limit.tv_nsec, 1) {
                Ok(limit) => Some(limit),
                Err(error) => return super::Answer::answer(Err(error)),
            },
            None => None,
        };
        wait(count, [reading, writing, other], limit)
    }
}

fn nanoseconds(seconds: i64, part: i64, unit: u64) -> Result<u64, i32> {
    let seconds = u64::try_from(seconds).map_err(|_| libc::EINVAL)?;
    let part = u64::try_from(part).map_err(|_| libc::EINVAL)?;
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(part.saturating_mul(unit)))
}

/// Waits for files of the kernel's, which have no events in the time of a world: they are looked at
/// now, and when the time has come.
///
/// # Safety
/// The sets are null or hold `count` files.
unsafe fn wait(count: c_int, sets: [*mut fd_set; 3], limit: Option<u64>) -> Result<i32, i32> {
    if count > libc::FD_SETSIZE as c_int {
        let why = "an fd_set has no room for a socket of a world: use poll, or epoll";
        return Err(refuse("select", why, libc::EINVAL));
    }
    // SAFETY: each set that is there has a value.
    let given = sets.map(|set| unsafe { set.as_ref().copied() });
    let look = || {
        for (set, given) in sets.iter().zip(given) {
            if let Some(given) = given {
                // SAFETY: it was read from there.
                unsafe { **set = given };
            }
        }
        let mut none = timeval { tv_sec: 0, tv_usec: 0 };
        // SAFETY: the function has this name in libc, and so this type.
        let real: Select = unsafe { std::mem::transmute(SELECT.address()) };
        // SAFETY: the sets are the caller's.
        let ready = unsafe { real(count, sets[0], sets[1], sets[2], &mut none) };
        // SAFETY: it points to the thread's own number.
        if ready < 0 { Err(unsafe { *libc::__errno_location() }) } else { Ok(ready) }
    };
    let ready = look()?;
    if ready > 0 || limit == Some(0) {
        return Ok(ready);
    }
    let Some(thread) = threads::current() else {
        let why = "a task waits on the thread of its runtime, which would stop the world";
        return Err(refuse("select", why, libc::EDEADLK));
    };
    let Some(limit) = limit else {
        let why = "it would wait for ever: a file of the kernel's has no events in a world's time";
        return Err(refuse("select without a timeout", why, libc::EDEADLK));
    };
    thread.block(Some(thread.seat.now().saturating_add(limit)), || {});
    look()
}
