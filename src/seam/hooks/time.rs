//! Clocks and sleeping.

use libc::{c_int, clockid_t, time_t, timespec, timeval};

use super::{Plain, hook};
use crate::seam::seat::{self, Seat, UPTIME_AT_START};

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
