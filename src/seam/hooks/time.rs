//! Clocks and sleeping.

use libc::{c_int, c_uint, clockid_t, time_t, timespec, timeval};

use super::{Plain, hook};
use crate::seam::seat::{self, Seat, UPTIME_AT_START};
use crate::seam::unanswered::refuse;

const SECOND: u64 = 1_000_000_000;

/// What a clock shows, in nanoseconds.
fn reading(seat: &Seat, clock: clockid_t) -> Option<u64> {
    match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => {
            u64::try_from(seat.clock().since_1970().as_nanos()).ok()
        }
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME => Some(seat.now() + UPTIME_AT_START),
        // Code takes no time in a world.
        libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID => Some(seat.now()),
        _ => None,
    }
}

fn parts(nanoseconds: u64) -> timespec {
    timespec {
        tv_sec: (nanoseconds / SECOND) as time_t,
        tv_nsec: (nanoseconds % SECOND) as libc::c_long,
    }
}

hook! {
    fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int;
    if seat::is_taken() => match seat::with_seat(|seat| reading(seat?, clock)) {
        Some(_) if time.is_null() => Err(libc::EFAULT),
        Some(reading) => {
            // SAFETY: it is not null, and the caller's to write.
            unsafe { *time = parts(reading) };
            Ok(0)
        }
        None => Err(libc::EINVAL),
    }
}

hook! {
    fn clock_getres(clock: clockid_t, resolution: *mut timespec) -> c_int;
    if seat::is_taken() => match seat::with_seat(|seat| reading(seat?, clock)) {
        Some(_) => {
            if !resolution.is_null() {
                // SAFETY: it is not null, and the caller's to write.
                unsafe { *resolution = parts(1) };
            }
            Ok(0)
        }
        None => Err(libc::EINVAL),
    }
}

hook! {
    fn gettimeofday(time: *mut timeval, zone: *mut libc::c_void) -> c_int;
    if seat::is_taken() => {
        let now = seat::with_seat(|seat| reading(seat?, libc::CLOCK_REALTIME)).unwrap_or(0);
        let _ = zone;
        if !time.is_null() {
            let parts = parts(now);
            // SAFETY: it is not null, and the caller's to write.
            unsafe { *time = timeval { tv_sec: parts.tv_sec, tv_usec: parts.tv_nsec / 1_000 } };
        }
        Ok(0)
    }
}

hook! {
    fn time(seconds: *mut time_t) -> time_t;
    if seat::is_taken() => {
        let now = seat::with_seat(|seat| reading(seat?, libc::CLOCK_REALTIME)).unwrap_or(0);
        let now = (now / SECOND) as time_t;
        if !seconds.is_null() {
            // SAFETY: it is not null, and the caller's to write.
            unsafe { *seconds = now };
        }
        Plain(now)
    }
}

hook! {
    fn timespec_get(time: *mut timespec, base: c_int) -> c_int;
    if seat::is_taken() && base == 1 => {
        let now = seat::with_seat(|seat| reading(seat?, libc::CLOCK_REALTIME)).unwrap_or(0);
        if !time.is_null() {
            // SAFETY: it is not null, and the caller's to write.
            unsafe { *time = parts(now) };
        }
        Plain(base)
    }
}

/// `struct timeb`.
#[repr(C)]
pub(crate) struct TimeB {
    time: time_t,
    millitm: u16,
    timezone: i16,
    dstflag: i16,
}

hook! {
    fn ftime(time: *mut TimeB) -> c_int;
    if seat::is_taken() => {
        let now = parts(seat::with_seat(|seat| reading(seat?, libc::CLOCK_REALTIME)).unwrap_or(0));
        let millitm = (now.tv_nsec / 1_000_000) as u16;
        // SAFETY: it is the caller's to write.
        unsafe { time.write(TimeB { time: now.tv_sec, millitm, timezone: 0, dstflag: 0 }) };
        Ok(0)
    }
}

/// Why there are no timers that signal.
const NO_SIGNALS: &str = "a signal would come in the machine's time: use sleep, or timerfd_create";

hook! {
    fn alarm(seconds: c_uint) -> c_uint;
    if seat::is_taken() => {
        // It has no error to return.
        if seconds > 0 {
            refuse("alarm", NO_SIGNALS, libc::ENOSYS);
        }
        Plain(0)
    }
}

hook! {
    fn ualarm(microseconds: c_uint, interval: c_uint) -> c_uint;
    if seat::is_taken() => {
        if microseconds > 0 || interval > 0 {
            refuse("ualarm", NO_SIGNALS, libc::ENOSYS);
        }
        Plain(0)
    }
}

hook! {
    fn setitimer(which: c_int, new: *const libc::itimerval, old: *mut libc::itimerval) -> c_int;
    if seat::is_taken() => {
        let _ = (which, new, old);
        Err(refuse("setitimer", NO_SIGNALS, libc::ENOSYS))
    }
}

hook! {
    fn timer_create(
        clock: clockid_t,
        event: *mut libc::sigevent,
        timer: *mut libc::timer_t,
    ) -> c_int;
    if seat::is_taken() => {
        let _ = (clock, event, timer);
        Err(refuse("timer_create", NO_SIGNALS, libc::ENOSYS))
    }
}
