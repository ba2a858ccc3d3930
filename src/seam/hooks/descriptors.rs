//! `close(2)`, `dup(2)` and what `fcntl(2)` and `ioctl(2)` do.

use libc::{c_int, c_uint};

use super::interfaces::{ask_interface, is_of_interface};
use super::{file, hook};
use crate::seam::descriptors::{
    closes_on_exec, insert_from, is_ours, numbers_of, remove, replace, set_close_on_exec,
};
use crate::seam::file::{File, Kind};
use crate::seam::seat;
use crate::seam::socket_file::{self, SocketFile};
use crate::seam::unanswered::refuse;

hook! {
    fn close(fd: c_int) -> c_int;
    if is_ours(fd) => remove(fd).map(|()| 0).map_err(i32::from)
}

hook! {
    fn dup(fd: c_int) -> c_int;
    if is_ours(fd) => duplicate(fd, 0, false)
}

hook! {
    fn dup2(fd: c_int, new: c_int) -> c_int;
    if is_ours(fd) || is_ours(new) => {
        if fd == new { file(fd).map(|_| fd) } else { duplicate_to(fd, new, false) }
    }
}

hook! {
    fn dup3(fd: c_int, new: c_int, flags: c_int) -> c_int;
    if is_ours(fd) || is_ours(new) => {
        if fd == new || flags & !libc::O_CLOEXEC != 0 {
            Err(libc::EINVAL)
        } else {
            duplicate_to(fd, new, flags & libc::O_CLOEXEC != 0)
        }
    }
}

fn duplicate(fd: c_int, min: c_int, close_on_exec: bool) -> Result<i32, i32> {
    insert_from(min, file(fd)?, close_on_exec).map_err(i32::from)
}

fn duplicate_to(fd: c_int, new: c_int, close_on_exec: bool) -> Result<i32, i32> {
    if !is_ours(fd) || !is_ours(new) {
        let why = "a file of the world has none of the kernel's numbers, nor one of the kernel's a \
                   number of the world's";
        return Err(refuse("dup2", why, libc::EBADF));
    }
    replace(new, file(fd)?, close_on_exec).map_err(i32::from)
}

hook! {
    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int;
    if seat::is_taken() => {
        if first > last || flags & !(CLOSE_ON_EXEC | UNSHARE) != 0 {
            Err(libc::EINVAL)
        } else {
            close_from(first, last, flags & CLOSE_ON_EXEC != 0);
            Ok(0)
        }
    }
}

hook! {
    fn closefrom(first: c_int) -> ();
    if seat::is_taken() => {
        close_from(c_uint::try_from(first).unwrap_or(0), c_uint::MAX, false);
        super::Plain(())
    }
}

/// Flags of `close_range(2)`.
const UNSHARE: c_int = 1 << 1;
const CLOSE_ON_EXEC: c_int = 1 << 2;

/// Closes what the program has of the world. The kernel's descriptors are the test's as well, and
/// stay open.
fn close_from(first: c_uint, last: c_uint, on_exec: bool) {
    let number = |number: c_uint| c_int::try_from(number).unwrap_or(c_int::MAX);
    for fd in numbers_of(seat::owner(), number(first), number(last)) {
        let _ = if on_exec { set_close_on_exec(fd, true) } else { remove(fd) };
    }
}

/// `fcntl(2)` of a file of a world.
pub(super) fn control(fd: c_int, command: c_int, argument: usize) -> Result<i32, i32> {
    if !is_ours(fd) {
        return receiver_of_signals();
    }
    match command {
        libc::F_GETFD => {
            let closes = closes_on_exec(fd).map_err(i32::from)?;
            Ok(if closes { libc::FD_CLOEXEC } else { 0 })
        }
        libc::F_SETFD => {
            let closes = argument as c_int & libc::FD_CLOEXEC != 0;
            set_close_on_exec(fd, closes).map(|()| 0).map_err(i32::from)
        }
        libc::F_GETFL => {
            let nonblocking = file(fd)?.is_nonblocking();
            Ok(libc::O_RDWR | if nonblocking { libc::O_NONBLOCK } else { 0 })
        }
        libc::F_SETFL => {
            file(fd)?.set_nonblocking(argument as c_int & libc::O_NONBLOCK != 0);
            Ok(0)
        }
        libc::F_DUPFD => duplicate(fd, argument as c_int, false),
        libc::F_DUPFD_CLOEXEC => duplicate(fd, argument as c_int, true),
        _ => {
            file(fd)?;
            let call = format!("fcntl with command {command}");
            Err(refuse(&call, "a file of a world does not have it", libc::EINVAL))
        }
    }
}

/// What a runtime hears of signals from, instead of the socket of the process.
fn receiver_of_signals() -> Result<i32, i32> {
    let receiver = seat::current().ok_or(libc::EBADF)?.receiver_of_signals();
    let socket = receiver.map_err(|error| socket_file::number(&error))?;
    let file = File::new(Kind::Socket(SocketFile::new(socket)), true);
    insert(file, true).map_err(i32::from)
}

/// `ioctl(2)` of a file of a world.
///
/// # Safety
/// `argument` is what the request asks for.
pub(super) unsafe fn io_control(fd: c_int, request: u64, argument: usize) -> Result<i32, i32> {
    let file = file(fd)?;
    let number = argument as *mut c_int;
    if number.is_null() {
        return Err(libc::EFAULT);
    }
    match request {
        libc::FIONBIO => {
            // SAFETY: the request has a pointer to an int.
            file.set_nonblocking(unsafe { *number } != 0);
            Ok(0)
        }
        libc::FIONREAD => match &file.kind {
            Kind::Socket(socket) => {
                if socket.socket.is_listening() {
                    return Err(libc::EINVAL);
                }
                let queued = socket.socket.recv_queue();
                // SAFETY: the request has a pointer to an int.
                unsafe { *number = c_int::try_from(queued).unwrap_or(c_int::MAX) };
                Ok(0)
            }
            _ => Err(libc::ENOTTY),
        },
        request if matches!(&file.kind, Kind::Socket(_)) && is_of_interface(request) => {
            // SAFETY: the request has a pointer to a `struct ifreq`.
            unsafe { ask_interface(request, argument as *mut u8) }
        }
        request => {
            let call = format!("ioctl with request {request:#x}");
            Err(refuse(&call, "a file of a world does not have it", libc::ENOTTY))
        }
    }
}
