//! What the machine is.

use libc::{c_char, c_int, size_t};

use super::hook;
use crate::seam::seat;

hook! {
    fn gethostname(name: *mut c_char, len: size_t) -> c_int;
    if seat::is_taken() => {
        let host = crate::task::context::scope().map(|scope| scope.name().to_owned()).unwrap_or_default();
        let bytes = host.as_bytes();
        if name.is_null() {
            Err(libc::EFAULT)
        } else if bytes.len() + 1 > len {
            Err(libc::ENAMETOOLONG)
        } else {
            // SAFETY: there is room for the name and its NUL.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), name.cast::<u8>(), bytes.len());
                *name.add(bytes.len()) = 0;
            }
            Ok(0)
        }
    }
}
