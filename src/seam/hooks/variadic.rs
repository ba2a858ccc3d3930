//! Variadic functions: fixed integer arguments are passed in the same places on x86-64 and aarch64
//! Linux.

use libc::{c_int, c_long, c_ulong};

use super::descriptors::{control, io_control};
use super::entropy::fill;
use super::hook;
use super::threads::{futex, is_futex_of_world};
use crate::seam::descriptors::is_ours;
use crate::seam::seat;

hook! {
    fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int;
    if is_ours(fd) => control(fd, command, argument)
}

hook! {
    fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int;
    if is_ours(fd) => control(fd, command, argument)
}

hook! {
    fn ioctl(fd: c_int, request: c_ulong, argument: usize) -> c_int;
    // SAFETY: the argument is the caller's.
    if is_ours(fd) => unsafe { io_control(fd, request, argument) }
}

hook! {
    fn syscall(
        number: c_long,
        first: usize,
        second: usize,
        third: usize,
        fourth: usize,
        fifth: usize,
        sixth: usize,
    ) -> isize;
    // SAFETY: the arguments are the caller's.
    if is_answered(number, second) => unsafe {
        match number {
            libc::SYS_getrandom => {
                fill(first as *mut libc::c_void, second);
                Ok(second as isize)
            }
            _ => futex(first, second, third, fourth),
        }
    }
}

/// Whether a system call without a function of its own is answered here.
fn is_answered(number: c_long, second: usize) -> bool {
    match number {
        libc::SYS_futex => is_futex_of_world(second),
        libc::SYS_getrandom => seat::is_taken(),
        _ => false,
    }
}
