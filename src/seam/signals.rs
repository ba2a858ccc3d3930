//! Signals of the programs of hosts: handlers are noted, not installed, and called when the world
//! sends a signal.
//!
//! tokio keeps one list of handlers and listeners for a process, and one pair of sockets by which its
//! handler wakes the runtimes. Each runtime in a world gets a pair of its host's instead.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

use libc::{c_int, sigaction, siginfo_t};

use super::spin::Spin;

/// One more than the last signal.
const COUNT: usize = 65;

/// What programs in worlds have set, for the whole process, as libraries do this once for a process.
static NOTED: Spin<[Option<Noted>; COUNT]> = Spin::new([const { None }; COUNT]);

#[derive(Clone, Copy)]
struct Noted(sigaction);

// SAFETY: it is an address of code, flags and a set of signals.
unsafe impl Send for Noted {}

/// What a program does about a signal.
#[derive(Clone, Copy)]
pub(super) enum Disposition {
    Default,
    Ignored,
    Handled(sigaction),
}

/// The place of a signal that a program may set.
fn place(signal: c_int) -> Result<usize, i32> {
    let is_own = (1..COUNT as c_int).contains(&signal);
    let can_be_set = is_own && signal != libc::SIGKILL && signal != libc::SIGSTOP;
    if can_be_set { Ok(signal as usize) } else { Err(libc::EINVAL) }
}

/// What is set: what a program has, else what a program of Rust begins with. What this process was
/// started with is none of its programs' business.
pub(super) fn current(signal: c_int) -> Result<sigaction, i32> {
    let place = place(signal)?;
    if let Some(Noted(action)) = NOTED.lock()[place] {
        return Ok(action);
    }
    // SAFETY: all zeros is a value of it.
    let mut action = unsafe { MaybeUninit::<sigaction>::zeroed().assume_init() };
    let is_ignored = signal == libc::SIGPIPE;
    action.sa_sigaction = if is_ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    Ok(action)
}

/// Notes what a program sets.
pub(super) fn note(signal: c_int, action: sigaction) -> Result<(), i32> {
    NOTED.lock()[place(signal)?] = Some(Noted(action));
    Ok(())
}

/// What a program does about a signal.
pub(super) fn disposition(signal: c_int) -> Disposition {
    match current(signal) {
        Ok(action) if action.sa_sigaction == libc::SIG_IGN => Disposition::Ignored,
        Ok(action) if action.sa_sigaction != libc::SIG_DFL => Disposition::Handled(action),
        _ => Disposition::Default,
    }
}

/// Calls a handler, on this thread.
pub(super) fn call(action: &sigaction, signal: c_int) {
    let mut info = MaybeUninit::<siginfo_t>::zeroed();
    // SAFETY: a program has given the address for a handler of this type. What it is told is the
    // signal alone; all zeros is a value of the rest.
    unsafe {
        let info = info.assume_init_mut();
        info.si_signo = signal;
        if action.sa_flags & libc::SA_SIGINFO != 0 {
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut libc::c_void) =
                std::mem::transmute(action.sa_sigaction);
            handler(signal, info, std::ptr::null_mut());
        } else {
            let handler: extern "C" fn(c_int) = std::mem::transmute(action.sa_sigaction);
            handler(signal);
        }
    }
}

/// The socket of this process from which tokio's runtimes hear of signals.
static RECEIVER: AtomicI32 = AtomicI32::new(-1);

thread_local! {
    /// This thread builds a runtime to find out which one that is.
    static IS_LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// Finds the socket, before the first runtime of a world is built: a runtime duplicates it, and no
/// other socket. Without tokio's feature `signal` there is none.
///
/// # Errors
/// When a thread or a runtime cannot be made.
pub(super) fn find_receiver() -> io::Result<()> {
    // Whoever comes while it is being found waits: a runtime of a world must not be the first.
    static FOUND: Mutex<bool> = Mutex::new(false);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if *found {
        return Ok(());
    }
    let build = || {
        IS_LOOKING.set(true);
        tokio::runtime::Builder::new_current_thread().enable_all().build().map(drop)
    };
    // On a thread of its own: a thread draws the keys of its maps once, which here must be the world's.
    let built = std::thread::Builder::new().name("glassnet signals".to_owned()).spawn(build)?;
    built.join().unwrap_or_else(|_| Err(io::Error::other("tokio has no runtime")))?;
    *found = true;
    Ok(())
}

/// Whether a descriptor that is duplicated is tokio's receiver.
pub(super) fn is_receiver(fd: c_int, command: c_int) -> bool {
    if command != libc::F_DUPFD_CLOEXEC {
        return false;
    }
    if IS_LOOKING.get() && is_socket(fd) {
        RECEIVER.store(fd, Ordering::Release);
    }
    fd == RECEIVER.load(Ordering::Acquire)
}

fn is_socket(fd: c_int) -> bool {
    let mut status = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: there is room for a value, of which all zeros is one.
    let mode = unsafe {
        libc::fstat(fd, status.as_mut_ptr());
        status.assume_init().st_mode
    };
    mode & libc::S_IFMT == libc::S_IFSOCK
}
