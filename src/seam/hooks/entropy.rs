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
        let _ = flags;
        // SAFETY: the buffer is the caller's.
        unsafe { fill(buffer, len) };
        Ok::<isize, i32>(len as ssize_t)
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
