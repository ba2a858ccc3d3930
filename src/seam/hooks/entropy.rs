//! Random bytes: those of the host's stream.

use libc::{c_int, c_uint, c_void, size_t, ssize_t};

use super::{Plain, hook};
use crate::seam::seat;

/// Fills a buffer of the caller's.
///
/// # Safety
/// `buffer` has room for `len` bytes.
pub(super) unsafe fn fill(buffer: *mut c_void, len: size_t) {
    if buffer.is_null() || len == 0 {
        return;
    }
    // SAFETY: as the caller promises.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), len) };
    seat::with_seat(|seat| {
        if let Some(seat) = seat {
            seat.fill_random(bytes);
        }
    });
}

hook! {
    fn getrandom(buffer: *mut c_void, len: size_t, flags: c_uint) -> ssize_t;
    if seat::is_taken() => {
        if flags & !(libc::GRND_NONBLOCK | libc::GRND_RANDOM | libc::GRND_INSECURE) != 0 {
            Err(libc::EINVAL)
        } else if buffer.is_null() && len > 0 {
            Err(libc::EFAULT)
        } else {
            // SAFETY: the buffer is the caller's.
            unsafe { fill(buffer, len) };
            Ok(len as ssize_t)
        }
    }
}

hook! {
    fn getentropy(buffer: *mut c_void, len: size_t) -> c_int;
    if seat::is_taken() => {
        if len > 256 {
            Err(libc::EIO)
        } else {
            // SAFETY: the buffer is the caller's.
            unsafe { fill(buffer, len) };
            Ok(0)
        }
    }
}

hook! {
    fn arc4random_buf(buffer: *mut c_void, len: size_t) -> ();
    if seat::is_taken() => {
        // SAFETY: the buffer is the caller's.
        unsafe { fill(buffer, len) };
        Plain(())
    }
}

hook! {
    fn arc4random() -> u32;
    if seat::is_taken() => {
        let mut bytes = [0; 4];
        // SAFETY: the buffer is of this length.
        unsafe { fill(bytes.as_mut_ptr().cast(), bytes.len()) };
        Plain(u32::from_ne_bytes(bytes))
    }
}

hook! {
    fn arc4random_uniform(bound: u32) -> u32;
    if seat::is_taken() => Plain(uniform(bound))
}

/// A number below `bound`, each as likely as any other; 0 below 2.
fn uniform(bound: u32) -> u32 {
    if bound < 2 {
        return 0;
    }
    // Of the numbers there are, so many would make the lowest likelier.
    let excess = bound.wrapping_neg() % bound;
    loop {
        let mut bytes = [0; 4];
        // SAFETY: the buffer is of this length.
        unsafe { fill(bytes.as_mut_ptr().cast(), bytes.len()) };
        let number = u32::from_ne_bytes(bytes);
        if number >= excess {
            return number % bound;
        }
    }
}
