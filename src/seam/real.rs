//! The kernel's answer: the function that a symbol of ours stands before.

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

/// A function of libc that a symbol of this crate is asked before.
pub(super) struct Real {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Real {
    pub(super) const fn new(name: &'static CStr) -> Real {
        Real { name, address: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Where it is. The process ends when libc does not have it, as nothing could be answered.
    #[inline]
    pub(super) fn address(&self) -> *mut c_void {
        let known = self.address.load(Ordering::Relaxed);
        if known.is_null() { self.look_up() } else { known }
    }

    #[cold]
    fn look_up(&self) -> *mut c_void {
        // SAFETY: the name ends with a NUL, and RTLD_NEXT asks for no object of our own.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        if found.is_null() {
            abort(&[b"glassnet: libc has no ", self.name.to_bytes(), b"\n"]);
        }
        self.address.store(found, Ordering::Relaxed);
        found
    }
}

/// Writes a message to standard error, without memory or locks.
pub(super) fn say(parts: &[&[u8]]) {
    for part in parts {
        // SAFETY: the bytes are valid for their length, and the descriptor is a number.
        unsafe { libc::syscall(libc::SYS_write, 2, part.as_ptr(), part.len()) };
    }
}

/// Ends the process with a message, without memory or locks.
pub(super) fn abort(parts: &[&[u8]]) -> ! {
    say(parts);
    // SAFETY: it takes nothing.
    unsafe { libc::abort() }
}
