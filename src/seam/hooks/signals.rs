//! `sigaction(2)`, `signal(2)`, masks of signals, `kill(2)` and `raise(3)`.

use std::cell::Cell;
use std::mem::MaybeUninit;

use libc::{c_int, pid_t, sigaction as Sigaction, sighandler_t, sigset_t};

use super::{Plain, hook};
use crate::seam::seat;
use crate::seam::signals::{current, note};

hook! {
    fn sigaction(signal: c_int, new: *const Sigaction, old: *mut Sigaction) -> c_int;
    // SAFETY: the values are the caller's.
    if seat::is_taken() => unsafe {
        current(signal).and_then(|before| {
            let new = new.as_ref().copied();
            if !old.is_null() {
                *old = before;
            }
            new.map_or(Ok(0), |new| note(signal, new).map(|()| 0))
        })
    }
}

hook! {
    fn signal(number: c_int, handler: sighandler_t) -> sighandler_t;
    if seat::is_taken() => {
        let noted = current(number).and_then(|before| {
            // SAFETY: all zeros is a value.
            let mut new = unsafe { MaybeUninit::<Sigaction>::zeroed().assume_init() };
            new.sa_sigaction = handler;
            new.sa_flags = libc::SA_RESTART;
            note(number, new).map(|()| before.sa_sigaction)
        });
        Plain(noted.unwrap_or_else(|error| {
            super::set_errno(error);
            libc::SIG_ERR
        }))
    }
}

thread_local! {
    // Const and without a destructor: it can be read at any time in a thread's life.
    static MASK: Cell<Option<sigset_t>> = const { Cell::new(None) };
}

/// A program that blocks signals blocks none of the process: those that the world sends come anyway.
///
/// # Safety
/// `new` is null or points to a set, and `old` to room for one.
unsafe fn mask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> Result<i32, i32> {
    // SAFETY: as the caller promises; an empty set is made before it is used.
    unsafe {
        let before = MASK.get().unwrap_or_else(|| {
            let mut empty = MaybeUninit::<sigset_t>::zeroed();
            libc::sigemptyset(empty.as_mut_ptr());
            empty.assume_init()
        });
        if let Some(new) = new.as_ref() {
            let mut after = if how == libc::SIG_SETMASK { *new } else { before };
            let change = match how {
                libc::SIG_SETMASK => None,
                libc::SIG_BLOCK => Some(true),
                libc::SIG_UNBLOCK => Some(false),
                _ => return Err(libc::EINVAL),
            };
            for signal in 1..=64 {
                match change {
                    Some(true) if libc::sigismember(new, signal) == 1 => {
                        libc::sigaddset(&mut after, signal);
                    }
                    Some(false) if libc::sigismember(new, signal) == 1 => {
                        libc::sigdelset(&mut after, signal);
                    }
                    _ => {}
                }
            }
            MASK.set(Some(after));
        }
        if !old.is_null() {
            *old = before;
        }
    }
    Ok(0)
}

hook! {
    fn pthread_sigmask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> c_int;
    // SAFETY: the sets are the caller's. It returns its error number.
    if seat::is_taken() => Plain(unsafe { mask(how, new, old) }.err().unwrap_or(0))
}

hook! {
    fn sigprocmask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> c_int;
    // SAFETY: the sets are the caller's.
    if seat::is_taken() => unsafe { mask(how, new, old) }
}

/// A program sends itself a signal.
fn send_to_self(signal: c_int) -> Result<i32, i32> {
    if !(0..=64).contains(&signal) {
        return Err(libc::EINVAL);
    }
    if let Some(seat) = seat::current()
        && signal != 0
    {
        seat.signal(signal);
    }
    Ok(0)
}

hook! {
    fn raise(signal: c_int) -> c_int;
    if seat::is_taken() => send_to_self(signal)
}

hook! {
    fn kill(process: pid_t, signal: c_int) -> c_int;
    if seat::is_taken() => {
        // SAFETY: it takes nothing.
        let own = unsafe { libc::getpid() };
        match process {
            0 => send_to_self(signal),
            process if process == own => send_to_self(signal),
            // Others are the machine's.
            _ => Err(libc::EPERM),
        }
    }
}
