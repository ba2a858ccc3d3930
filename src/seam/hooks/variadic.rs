//! Variadic functions: fixed integer arguments are passed in the same places on x86-64 and aarch64
//! Linux.

use libc::{c_int, c_ulong};

use super::descriptors::{control, io_control};
use super::hook;
use crate::seam::descriptors::is_ours;
use crate::seam::seat;
use crate::seam::signals::is_receiver;

hook! {
    fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int;
    if is_ours(fd) || is_receiver(fd, command) && seat::is_taken() => control(fd, command, argument)
}

hook! {
    fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int;
    if is_ours(fd) || is_receiver(fd, command) && seat::is_taken() => control(fd, command, argument)
}

hook! {
    fn ioctl(fd: c_int, request: c_ulong, argument: usize) -> c_int;
    // SAFETY: the argument is the caller's.
    if is_ours(fd) => unsafe { io_control(fd, request, argument) }
}
