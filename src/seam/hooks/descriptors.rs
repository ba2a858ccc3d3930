//! `close(2)`, `dup(2)` and what `fcntl(2)` and `ioctl(2)` do.

use libc::c_int;

use super::{file, hook};
use crate::seam::descriptors::{closes_on_exec, insert, is_ours, remove, set_close_on_exec};
use crate::seam::file::{File, Kind};
use crate::seam::seat;
use crate::seam::socket_file::{self, SocketFile};

hook! {
    fn close(fd: c_int) -> c_int;
    if is_ours(fd) => remove(fd).map(|()| 0).map_err(i32::from)
}

hook! {
    fn dup(fd: c_int) -> c_int;
    if is_ours(fd) => duplicate(fd, false)
}

fn duplicate(fd: c_int, close_on_exec: bool) -> Result<i32, i32> {
    insert(file(fd)?, close_on_exec).map_err(i32::from)
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
        libc::F_DUPFD => duplicate(fd, false),
        libc::F_DUPFD_CLOEXEC => duplicate(fd, true),
        _ => Err(libc::EINVAL),
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
                let queued = socket.socket.recv_queue().ok_or(libc::ENOTTY)?;
                // SAFETY: the request has a pointer to an int.
                unsafe { *number = c_int::try_from(queued).unwrap_or(c_int::MAX) };
                Ok(0)
            }
            _ => Err(libc::ENOTTY),
        },
        _ => Err(libc::ENOTTY),
    }
}
