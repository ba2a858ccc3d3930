//! Variadic functions: fixed integer arguments are passed in the same places on x86-64 and aarch64
//! Linux.

use libc::{c_int, c_long, c_ulong};

use super::descriptors::{control, io_control};
use super::hook;
use super::threads::{futex, is_futex_of_world};
use crate::seam::descriptors::is_ours;

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
    if is_futex_of_world(number, first, second) => unsafe { futex(first, second, third, fourth) }
}
