//! What the machine is.

use libc::{c_char, c_int, size_t};

use super::hook;
use crate::seam::seat;

/// A machine has one processor in a world: one thread of a world runs at a time.
const PROCESSORS: usize = 1;

hook! {
    fn sched_getaffinity(thread: libc::pid_t, len: size_t, set: *mut libc::cpu_set_t) -> c_int;
    if seat::is_taken() => {
        let _ = thread;
        if set.is_null() || len < 8 {
            Err(libc::EINVAL)
        } else {
            // SAFETY: the set has `len` bytes.
            unsafe {
                std::ptr::write_bytes(set.cast::<u8>(), 0, len);
                *set.cast::<u8>() = (1 << PROCESSORS) - 1;
            }
            Ok(0)
        }
    }
}

hook! {
    fn sysconf(name: c_int) -> libc::c_long;
    if seat::is_taken()
        && matches!(name, libc::_SC_NPROCESSORS_ONLN | libc::_SC_NPROCESSORS_CONF)
        => crate::seam::hooks::Plain(PROCESSORS as libc::c_long)
}

hook! {
    fn gethostname(name: *mut c_char, len: size_t) -> c_int;
    if seat::is_taken() => {
        let host = seat::with_seat(|seat| seat.map(|seat| seat.host_name().to_owned()));
        let host = host.unwrap_or_default();
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
