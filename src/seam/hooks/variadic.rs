//! Variadic functions: fixed integer arguments are passed in the same places on x86-64 and aarch64
//! Linux.

use libc::{c_int, c_long, c_ulong};

use super::descriptors::{control, io_control};
use super::{Answer, hook, numbers};
use crate::seam::baton::real_syscall;
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

/// `syscall(2)`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn syscall(
    number: c_long,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
    sixth: usize,
) -> isize {
    let arguments = [first, second, third, fourth, fifth, sixth];
    // SAFETY: the arguments are the caller's.
    if let Some(answer) = unsafe { numbers::answer(number, arguments) } {
        return answer.answer();
    }
    // SAFETY: as above.
    unsafe { real_syscall(number, arguments) }
}
