//! A word on which a thread really sleeps until another lets it go on.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{c_long, timespec};

use super::real::Real;

/// `syscall(2)`, past our own symbol of that name.
pub(super) static SYSCALL: Real = Real::new(c"syscall");

type Syscall = unsafe extern "C" fn(c_long, ...) -> c_long;

/// Has the kernel answer a system call.
///
/// # Safety
/// As that system call.
pub(super) unsafe fn real_syscall(number: c_long, arguments: [usize; 6]) -> isize {
    let [first, second, third, fourth, fifth, sixth] = arguments;
    // SAFETY: it is libc's function of this name, which is variadic.
    let syscall: Syscall = unsafe { std::mem::transmute(SYSCALL.address()) };
    // SAFETY: as the caller promises.
    unsafe { syscall(number, first, second, third, fourth, fifth, sixth) as isize }
}

/// Passed from thread to thread: who has it runs.
#[derive(Default)]
pub(super) struct Baton(AtomicU32);

impl Baton {
    /// Lets the thread go on that waits, or will wait, for this one.
    pub(super) fn give(&self) {
        self.0.store(1, Ordering::Release);
        real_futex(&self.0, libc::FUTEX_WAKE, 1, None);
    }

    /// Waits until it is given.
    pub(super) fn take(&self) {
        while self.0.swap(0, Ordering::Acquire) == 0 {
            real_futex(&self.0, libc::FUTEX_WAIT, 0, None);
        }
    }
}

/// Sleeps for a real while, unless the word has changed or somebody wakes its waiters.
pub(super) fn real_wait(word: &AtomicU32, value: u32, limit: Duration) {
    real_futex(word, libc::FUTEX_WAIT, value, Some(limit));
}

/// Wakes threads that really sleep on a word, at most so many. Returns how many.
pub(super) fn real_wake(word: &AtomicU32, max: u32) -> u32 {
    u32::try_from(real_futex(word, libc::FUTEX_WAKE, max, None)).unwrap_or(0)
}

fn real_futex(word: &AtomicU32, operation: i32, value: u32, limit: Option<Duration>) -> c_long {
    let limit = limit.map(|limit| timespec {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(limit.subsec_nanos() as i32),
    });
    let limit_ptr = limit.as_ref().map_or(std::ptr::null(), |limit| limit as *const timespec);
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    let arguments =
        [word.as_ptr() as usize, operation as usize, value as usize, limit_ptr as usize, 0, 0];
    // SAFETY: the word and the limit are valid while the call lasts.
    unsafe { real_syscall(libc::SYS_futex, arguments) as c_long }
}
