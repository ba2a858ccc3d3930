//! `sendmsg(2)`, `recvmsg(2)`, and those for many messages.

use libc::{c_int, c_uint, mmsghdr, msghdr, ssize_t, timespec};

use super::transfer::{
    MAX_GATHERED, destination, gathered, input, output, receive_message, room_of, scatter,
    send_bytes, vector, waiting,
};
use super::{hook, with_socket};
use crate::net::addr::{Domain, Type};
use crate::net::socket::SendOptions;
use crate::seam::control::{self, ControlRoom, Given};
use crate::seam::descriptors::is_ours;
use crate::seam::file::File;
use crate::seam::seat;
use crate::seam::socket_file::{Direction, SocketFile};
use crate::seam::unanswered::refuse;

hook! {
    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    // SAFETY: the message is the caller's.
    if is_ours(fd) => with_socket(fd, |file, socket| unsafe {
        send_message(file, socket, message, flags)
    })
}

/// # Safety
/// `message` is null or points to a message.
unsafe fn send_message(
    file: &File,
    socket: &SocketFile,
    message: *const msghdr,
    flags: c_int,
) -> Result<isize, i32> {
    // SAFETY: as the caller promises.
    let (buffers, to, control) = unsafe {
        let message = message.as_ref().ok_or(libc::EFAULT)?;
        let buffers = vector(message.msg_iov, message.msg_iovlen)?;
        let to = destination(message.msg_name.cast(), message.msg_namelen)?;
        (buffers, to, input(message.msg_control, message.msg_controllen)?)
    };
    let together;
    let bytes = match buffers {
        // SAFETY: the buffer is the caller's.
        [one] => unsafe { input(one.iov_base, one.iov_len)? },
        many => {
            // SAFETY: the buffers are the caller's.
            together = unsafe { gathered(many, MAX_GATHERED)? };
            &together
        }
    };
    let options = read_control(socket, control)?;
    let Some(options) = options else {
        return match to {
            None => send_bytes(file, socket, bytes, flags),
            Some(to) => {
                let call = || socket.call(socket.socket.send_to(bytes, &to));
                waiting(file, socket, Direction::Write, flags, call).map(|len| len as isize)
            }
        };
    };
    let call = || socket.call(socket.socket.send_message(bytes, to.as_ref(), options));
    waiting(file, socket, Direction::Write, flags, call).map(|len| len as isize)
}

/// What control messages ask for; `None` for nothing.
fn read_control(socket: &SocketFile, control: &[u8]) -> Result<Option<SendOptions>, i32> {
    if control.is_empty() {
        return Ok(None);
    }
    let (domain, kind) = match (socket.socket.domain(), socket.socket.r#type()) {
        (Ok(domain), Ok(kind)) => (domain, kind),
        _ => return Err(libc::EINVAL),
    };
    let mut options = SendOptions::new();
    control::read(control, |given: Given<'_>| {
        if domain == Domain::UNIX {
            return match (given.level, given.kind) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => Err(refuse(
                    "sendmsg with SCM_RIGHTS",
                    "files are not passed between processes of a world",
                    libc::EOPNOTSUPP,
                )),
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => Err(refuse(
                    "sendmsg with SCM_CREDENTIALS",
                    "processes of a world have no credentials",
                    libc::EOPNOTSUPP,
                )),
                (libc::SOL_SOCKET, _) => Err(libc::EINVAL),
                _ => Ok(()),
            };
        }
        if kind == Type::STREAM {
            // As Linux, TCP looks at no more than those of every socket, of which there are none.
            return if given.level == libc::SOL_SOCKET { Err(libc::EINVAL) } else { Ok(()) };
        }
        options = given.apply(options, domain == Domain::IPV6)?;
        Ok(())
    })?;
    Ok((domain != Domain::UNIX && kind != Type::STREAM).then_some(options))
}

hook! {
    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    // SAFETY: the message is the caller's.
    if is_ours(fd) => with_socket(fd, |file, socket| unsafe {
        take_message(file, socket, message, flags)
    })
}

/// # Safety
/// `message` is null or points to a message.
unsafe fn take_message(
    file: &File,
    socket: &SocketFile,
    message: *mut msghdr,
    flags: c_int,
) -> Result<isize, i32> {
    // SAFETY: as the caller promises.
    let message = unsafe { message.as_mut().ok_or(libc::EFAULT)? };
    // SAFETY: the buffers are the caller's.
    let buffers = unsafe { vector(message.msg_iov, message.msg_iovlen)? };
    let received = match buffers {
        [one] => {
            // SAFETY: the buffer is the caller's.
            let buffer = unsafe { output(one.iov_base, one.iov_len)? };
            receive_message(file, socket, buffer, flags)?
        }
        many => {
            let mut bytes = vec![0; room_of(many).min(MAX_GATHERED)];
            let received = receive_message(file, socket, &mut bytes, flags)?;
            // SAFETY: the buffers are the caller's.
            unsafe { scatter(&bytes[..received.len], many)? };
            received
        }
    };
    if !message.msg_name.is_null() {
        let len = &raw mut message.msg_namelen;
        // SAFETY: the name and its length are the caller's.
        unsafe { received.write_sender(message.msg_name.cast(), len) };
    }
    message.msg_flags = flags & libc::MSG_CMSG_CLOEXEC;
    if received.whole_len > received.len {
        message.msg_flags |= libc::MSG_TRUNC;
    }
    // SAFETY: the room is the caller's.
    let mut room = unsafe { ControlRoom::new(message.msg_control.cast(), message.msg_controllen) };
    if let Some(packet) = &received.packet {
        let is_v6 = matches!(socket.socket.domain(), Ok(Domain::IPV6));
        socket.wishes.write(packet, is_v6, &mut room);
    }
    if room.is_truncated {
        message.msg_flags |= libc::MSG_CTRUNC;
    }
    message.msg_controllen = room.used;
    Ok(received.returned(flags))
}

hook! {
    fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int;
    // SAFETY: the messages are the caller's.
    if is_ours(fd) => with_socket(fd, |file, socket| unsafe {
        each(messages, count, |message| send_message(file, socket, message, flags))
    })
}

hook! {
    fn recvmmsg(
        fd: c_int,
        messages: *mut mmsghdr,
        count: c_uint,
        flags: c_int,
        timeout: *mut timespec,
    ) -> c_int;
    // SAFETY: the messages and the timeout are the caller's.
    if is_ours(fd) => with_socket(fd, |file, socket| unsafe {
        take_messages(file, socket, messages, count, flags, timeout)
    })
}

/// # Safety
/// As of [`each`]; `timeout` is null or points to a time.
unsafe fn take_messages(
    file: &File,
    socket: &SocketFile,
    messages: *mut mmsghdr,
    count: c_uint,
    mut flags: c_int,
    timeout: *mut timespec,
) -> Result<i32, i32> {
    let now = || seat::with_seat(|seat| seat.map_or(0, |seat| seat.now()));
    // SAFETY: as the caller promises.
    let until = match unsafe { timeout.as_ref() } {
        Some(limit) => {
            let seconds = u64::try_from(limit.tv_sec).map_err(|_| libc::EINVAL)?;
            let part = u64::try_from(limit.tv_nsec).map_err(|_| libc::EINVAL)?;
            Some(now().saturating_add(seconds.saturating_mul(1_000_000_000)).saturating_add(part))
        }
        None => None,
    };
    let mut is_late = false;
    let take = |message: *mut msghdr| {
        if is_late {
            return Err(libc::EAGAIN);
        }
        // SAFETY: as the caller promises.
        let received =
            unsafe { take_message(file, socket, message, flags & !libc::MSG_WAITFORONE) };
        if flags & libc::MSG_WAITFORONE != 0 {
            flags |= libc::MSG_DONTWAIT;
        }
        // As Linux, it is looked at when one has come.
        is_late = until.is_some_and(|until| now() >= until);
        received
    };
    // SAFETY: as the caller promises.
    unsafe { each(messages, count, take) }
}

/// Makes a call for each message, and notes how many bytes it moved, until one fails. Returns how
/// many did not.
///
/// # Safety
/// `messages` is null or points to `count` messages.
unsafe fn each(
    messages: *mut mmsghdr,
    count: c_uint,
    mut call: impl FnMut(*mut msghdr) -> Result<isize, i32>,
) -> Result<i32, i32> {
    if messages.is_null() {
        return Err(libc::EFAULT);
    }
    let mut done = 0;
    while done < count.min(libc::UIO_MAXIOV as c_uint) {
        // SAFETY: as the caller promises.
        let message = unsafe { &mut *messages.add(done as usize) };
        match call(&raw mut message.msg_hdr) {
            Ok(len) => message.msg_len = len as c_uint,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        done += 1;
    }
    Ok(done as i32)
}
