//! Reading and writing.

use std::sync::Arc;
use std::task::Waker;

use libc::{
    c_int, c_uint, c_void, iovec, mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec,
};

use super::{file, hook, number, with_socket};
use crate::net::socket::SockAddr;
use crate::seam::address;
use crate::seam::descriptors::is_ours;
use crate::seam::file::{File, Kind};
use crate::seam::socket_file::{Direction, SocketFile};
use crate::seam::threads;

/// The most bytes one call moves when they are spread over buffers.
const MAX_GATHERED: usize = 1 << 20;

/// A buffer of the caller's, to be read.
///
/// # Safety
/// It is null or has `len` bytes.
unsafe fn input<'a>(buffer: *const c_void, len: size_t) -> Result<&'a [u8], i32> {
    match len {
        0 => Ok(&[]),
        _ if buffer.is_null() => Err(libc::EFAULT),
        // SAFETY: as the caller promises.
        _ => Ok(unsafe { std::slice::from_raw_parts(buffer.cast(), len.min(isize::MAX as usize)) }),
    }
}

/// A buffer of the caller's, to be written.
///
/// # Safety
/// It is null or has room for `len` bytes.
unsafe fn output<'a>(buffer: *mut c_void, len: size_t) -> Result<&'a mut [u8], i32> {
    match len {
        0 => Ok(&mut []),
        _ if buffer.is_null() => Err(libc::EFAULT),
        // SAFETY: as the caller promises.
        _ => Ok(unsafe {
            std::slice::from_raw_parts_mut(buffer.cast(), len.min(isize::MAX as usize))
        }),
    }
}

/// The buffers of a vector.
///
/// # Safety
/// It is null or has `count` buffers.
unsafe fn vector<'a>(buffers: *const iovec, count: usize) -> Result<&'a [iovec], i32> {
    match count {
        0 => Ok(&[]),
        _ if buffers.is_null() => Err(libc::EFAULT),
        _ if count > libc::UIO_MAXIOV as usize => Err(libc::EINVAL),
        // SAFETY: as the caller promises.
        _ => Ok(unsafe { std::slice::from_raw_parts(buffers, count) }),
    }
}

/// What the buffers of a vector hold, in one.
///
/// # Safety
/// Each buffer is readable for its length.
unsafe fn gathered(buffers: &[iovec], max: usize) -> Result<Vec<u8>, i32> {
    let mut bytes = Vec::new();
    for buffer in buffers {
        // SAFETY: as the caller promises.
        let part = unsafe { input(buffer.iov_base, buffer.iov_len)? };
        let room = max - bytes.len();
        bytes.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() > room {
            break;
        }
    }
    Ok(bytes)
}

/// Moves bytes to the buffers of a vector.
///
/// # Safety
/// Each buffer is writable for its length.
unsafe fn scatter(mut bytes: &[u8], buffers: &[iovec]) -> Result<(), i32> {
    for buffer in buffers {
        // SAFETY: as the caller promises.
        let part = unsafe { output(buffer.iov_base, buffer.iov_len)? };
        let moved = part.len().min(bytes.len());
        part[..moved].copy_from_slice(&bytes[..moved]);
        bytes = &bytes[moved..];
    }
    Ok(())
}

fn room_of(buffers: &[iovec]) -> usize {
    buffers.iter().fold(0, |sum: usize, buffer| sum.saturating_add(buffer.iov_len))
}

fn read_file(file: &Arc<File>, buffer: &mut [u8]) -> Result<isize, i32> {
    let take: &dyn Fn() -> Option<u64> = match &file.kind {
        Kind::Socket(socket) => return receive(file, socket, buffer, 0),
        Kind::Event(counter) => &|| counter.read(),
        Kind::Timer(timer) => &|| timer.read(),
        Kind::Epoll(_) => return Err(libc::EINVAL),
    };
    let Some(room) = buffer.get_mut(..8) else { return Err(libc::EINVAL) };
    room.copy_from_slice(&count(file, take)?.to_ne_bytes());
    Ok(8)
}

/// The number that a file counts, once there is one.
fn count(file: &File, take: &dyn Fn() -> Option<u64>) -> Result<u64, i32> {
    loop {
        if let Some(count) = take() {
            return Ok(count);
        }
        if file.is_nonblocking() {
            return Err(libc::EAGAIN);
        }
        // On the thread that drives the world nothing can wait.
        let thread = threads::current().ok_or(libc::EDEADLK)?;
        let waker = Waker::from(thread.clone());
        thread.block(None, || file.wake_when_ready(libc::EPOLLIN as u32, &waker));
    }
}

fn write_file(file: &Arc<File>, bytes: &[u8]) -> Result<isize, i32> {
    match &file.kind {
        Kind::Socket(socket) => send_bytes(file, socket, bytes, 0),
        Kind::Event(counter) => {
            let Some(more) = bytes.first_chunk::<8>() else { return Err(libc::EINVAL) };
            counter.write(u64::from_ne_bytes(*more)).map_err(number)?;
            Ok(8)
        }
        Kind::Timer(_) | Kind::Epoll(_) => Err(libc::EINVAL),
    }
}

/// Makes a call that may wait, unless its flags say otherwise.
fn waiting<T>(
    file: &File,
    socket: &SocketFile,
    direction: Direction,
    flags: c_int,
    mut call: impl FnMut() -> Result<T, i32>,
) -> Result<T, i32> {
    refuse(flags)?;
    if flags & libc::MSG_DONTWAIT != 0 {
        call()
    } else {
        socket.when_ready(file.is_nonblocking(), direction, call)
    }
}

fn receive(
    file: &File,
    socket: &SocketFile,
    buffer: &mut [u8],
    flags: c_int,
) -> Result<isize, i32> {
    let received = waiting(file, socket, Direction::Read, flags, || {
        if flags & libc::MSG_PEEK != 0 {
            socket.call(socket.socket.peek(buffer))
        } else {
            socket.call(socket.socket.recv(buffer))
        }
    });
    received.map(|len| len as isize)
}

fn receive_from(
    file: &File,
    socket: &SocketFile,
    buffer: &mut [u8],
    flags: c_int,
) -> Result<(usize, SockAddr), i32> {
    waiting(file, socket, Direction::Read, flags, || {
        if flags & libc::MSG_PEEK != 0 {
            socket.call(socket.socket.peek_from(buffer))
        } else {
            socket.call(socket.socket.recv_from(buffer))
        }
    })
}

/// A stream that waits takes all of it, as in a kernel.
fn send_bytes(file: &File, socket: &SocketFile, bytes: &[u8], flags: c_int) -> Result<isize, i32> {
    let mut sent = 0;
    loop {
        let rest = &bytes[sent..];
        let call = || socket.call(socket.socket.send(rest));
        match waiting(file, socket, Direction::Write, flags, call) {
            Ok(len) => sent += len,
            Err(_) if sent > 0 => return Ok(sent as isize),
            Err(error) => return Err(error),
        }
        if sent == bytes.len() || file.is_nonblocking() || flags & libc::MSG_DONTWAIT != 0 {
            return Ok(sent as isize);
        }
    }
}

fn send_to(
    file: &File,
    socket: &SocketFile,
    bytes: &[u8],
    to: &SockAddr,
    flags: c_int,
) -> Result<isize, i32> {
    let call = || socket.call(socket.socket.send_to(bytes, to));
    waiting(file, socket, Direction::Write, flags, call).map(|len| len as isize)
}

/// Flags that nothing here does.
fn refuse(flags: c_int) -> Result<(), i32> {
    if flags & (libc::MSG_OOB | libc::MSG_ERRQUEUE) != 0 { Err(libc::EOPNOTSUPP) } else { Ok(()) }
}

hook! {
    fn read(fd: c_int, buffer: *mut c_void, len: size_t) -> ssize_t;
    // SAFETY: the buffer is the caller's.
    if is_ours(fd) => file(fd).and_then(|file| read_file(&file, unsafe { output(buffer, len)? }))
}

hook! {
    fn write(fd: c_int, buffer: *const c_void, len: size_t) -> ssize_t;
    // SAFETY: the buffer is the caller's.
    if is_ours(fd) => file(fd).and_then(|file| write_file(&file, unsafe { input(buffer, len)? }))
}

hook! {
    fn readv(fd: c_int, buffers: *const iovec, count: c_int) -> ssize_t;
    // SAFETY: the buffers are the caller's.
    if is_ours(fd) => file(fd).and_then(|file| unsafe {
        let buffers = vector(buffers, usize::try_from(count).map_err(|_| libc::EINVAL)?)?;
        let mut bytes = vec![0; room_of(buffers).min(MAX_GATHERED)];
        let len = read_file(&file, &mut bytes)?;
        scatter(&bytes[..len as usize], buffers)?;
        Ok(len)
    })
}

hook! {
    fn writev(fd: c_int, buffers: *const iovec, count: c_int) -> ssize_t;
    // SAFETY: the buffers are the caller's.
    if is_ours(fd) => file(fd).and_then(|file| unsafe {
        let buffers = vector(buffers, usize::try_from(count).map_err(|_| libc::EINVAL)?)?;
        write_file(&file, &gathered(buffers, MAX_GATHERED)?)
    })
}

hook! {
    fn recv(fd: c_int, buffer: *mut c_void, len: size_t, flags: c_int) -> ssize_t;
    if is_ours(fd) => with_socket(fd, |file, socket| {
        // SAFETY: the buffer is the caller's.
        receive(file, socket, unsafe { output(buffer, len)? }, flags)
    })
}

hook! {
    fn send(fd: c_int, buffer: *const c_void, len: size_t, flags: c_int) -> ssize_t;
    if is_ours(fd) => with_socket(fd, |file, socket| {
        // SAFETY: the buffer is the caller's.
        send_bytes(file, socket, unsafe { input(buffer, len)? }, flags)
    })
}

hook! {
    fn recvfrom(
        fd: c_int,
        buffer: *mut c_void,
        len: size_t,
        flags: c_int,
        address: *mut sockaddr,
        address_len: *mut socklen_t,
    ) -> ssize_t;
    if is_ours(fd) => with_socket(fd, |file, socket| {
        // SAFETY: the buffer is the caller's.
        let buffer = unsafe { output(buffer, len)? };
        if address.is_null() {
            return receive(file, socket, buffer, flags);
        }
        let (len, from) = receive_from(file, socket, buffer, flags)?;
        // SAFETY: the address is the caller's.
        unsafe { address::write(&from, address, address_len) };
        Ok(len as isize)
    })
}

hook! {
    fn sendto(
        fd: c_int,
        buffer: *const c_void,
        len: size_t,
        flags: c_int,
        address: *const sockaddr,
        address_len: socklen_t,
    ) -> ssize_t;
    if is_ours(fd) => with_socket(fd, |file, socket| {
        // SAFETY: the buffer and the address are the caller's.
        let (bytes, to) = unsafe { (input(buffer, len)?, destination(address, address_len)?) };
        match to {
            Some(to) => send_to(file, socket, bytes, &to, flags),
            None => send_bytes(file, socket, bytes, flags),
        }
    })
}

/// # Safety
/// As of [`address::read`].
unsafe fn destination(address: *const sockaddr, len: socklen_t) -> Result<Option<SockAddr>, i32> {
    if address.is_null() || len == 0 {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    unsafe { address::read(address, len) }.map_err(number)
}

hook! {
    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    // SAFETY: the message is the caller's.
    if is_ours(fd) => unsafe { send_message(fd, message, flags) }
}

/// # Safety
/// `message` is null or points to a message.
unsafe fn send_message(fd: c_int, message: *const msghdr, flags: c_int) -> Result<isize, i32> {
    with_socket(fd, |file, socket| {
        // SAFETY: as the caller promises.
        let (bytes, to) = unsafe {
            let message = message.as_ref().ok_or(libc::EFAULT)?;
            let bytes = gathered(vector(message.msg_iov, message.msg_iovlen)?, MAX_GATHERED)?;
            (bytes, destination(message.msg_name.cast(), message.msg_namelen)?)
        };
        match to {
            Some(to) => send_to(file, socket, &bytes, &to, flags),
            None => send_bytes(file, socket, &bytes, flags),
        }
    })
}

hook! {
    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    // SAFETY: the message is the caller's.
    if is_ours(fd) => unsafe { receive_message(fd, message, flags) }
}

/// # Safety
/// `message` is null or points to a message.
unsafe fn receive_message(fd: c_int, message: *mut msghdr, flags: c_int) -> Result<isize, i32> {
    with_socket(fd, |file, socket| {
        // SAFETY: as the caller promises.
        unsafe {
            let message = message.as_mut().ok_or(libc::EFAULT)?;
            let buffers = vector(message.msg_iov, message.msg_iovlen)?;
            let mut bytes = vec![0; room_of(buffers).min(MAX_GATHERED)];
            let len = if message.msg_name.is_null() {
                receive(file, socket, &mut bytes, flags)? as usize
            } else {
                let (len, from) = receive_from(file, socket, &mut bytes, flags)?;
                address::write(&from, message.msg_name.cast(), &raw mut message.msg_namelen);
                len
            };
            scatter(&bytes[..len], buffers)?;
            message.msg_controllen = 0;
            message.msg_flags = 0;
            Ok(len as isize)
        }
    })
}

hook! {
    fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int;
    // SAFETY: the messages are the caller's.
    if is_ours(fd) => unsafe {
        each(messages, count, |message| send_message(fd, message, flags))
    }
}

hook! {
    fn recvmmsg(
        fd: c_int,
        messages: *mut mmsghdr,
        count: c_uint,
        flags: c_int,
        timeout: *mut timespec,
    ) -> c_int;
    // SAFETY: the messages are the caller's.
    if is_ours(fd) => unsafe {
        let _ = timeout;
        let mut flags = flags;
        each(messages, count, |message| {
            let received = receive_message(fd, message, flags & !libc::MSG_WAITFORONE);
            if flags & libc::MSG_WAITFORONE != 0 {
                flags |= libc::MSG_DONTWAIT;
            }
            received
        })
    }
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
