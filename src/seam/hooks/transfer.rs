//! Reading and writing.

use std::sync::Arc;

use libc::{c_int, c_void, iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use super::{file, hook, number, with_socket};
use crate::seam::address;
use crate::seam::descriptors::is_ours;
use crate::seam::file::{File, Kind};
use crate::seam::socket_file::SocketFile;

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
    let counted = match &file.kind {
        Kind::Socket(socket) => return receive(socket, buffer, 0),
        Kind::Event(counter) => counter.read(),
        Kind::Timer(timer) => timer.read(),
        Kind::Epoll(_) => return Err(libc::EINVAL),
    };
    let Some(room) = buffer.get_mut(..8) else { return Err(libc::EINVAL) };
    room.copy_from_slice(&counted.ok_or(libc::EAGAIN)?.to_ne_bytes());
    Ok(8)
}

fn write_file(file: &Arc<File>, bytes: &[u8]) -> Result<isize, i32> {
    match &file.kind {
        Kind::Socket(socket) => send_bytes(socket, bytes),
        Kind::Event(counter) => {
            let Some(more) = bytes.first_chunk::<8>() else { return Err(libc::EINVAL) };
            counter.write(u64::from_ne_bytes(*more)).map_err(number)?;
            Ok(8)
        }
        Kind::Timer(_) | Kind::Epoll(_) => Err(libc::EINVAL),
    }
}

fn receive(socket: &SocketFile, buffer: &mut [u8], flags: c_int) -> Result<isize, i32> {
    refuse(flags)?;
    let received = if flags & libc::MSG_PEEK != 0 {
        socket.call(socket.socket.peek(buffer))
    } else {
        socket.call(socket.socket.recv(buffer))
    };
    received.map(|len| len as isize)
}

fn send_bytes(socket: &SocketFile, bytes: &[u8]) -> Result<isize, i32> {
    socket.call(socket.socket.send(bytes)).map(|len| len as isize)
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
    if is_ours(fd) => with_socket(fd, |_, socket| {
        // SAFETY: the buffer is the caller's.
        receive(socket, unsafe { output(buffer, len)? }, flags)
    })
}

hook! {
    fn send(fd: c_int, buffer: *const c_void, len: size_t, flags: c_int) -> ssize_t;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        refuse(flags)?;
        // SAFETY: the buffer is the caller's.
        send_bytes(socket, unsafe { input(buffer, len)? })
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
    if is_ours(fd) => with_socket(fd, |_, socket| {
        refuse(flags)?;
        // SAFETY: the buffer is the caller's.
        let buffer = unsafe { output(buffer, len)? };
        if address.is_null() {
            return receive(socket, buffer, flags);
        }
        let (len, from) = if flags & libc::MSG_PEEK != 0 {
            socket.call(socket.socket.peek_from(buffer))?
        } else {
            socket.call(socket.socket.recv_from(buffer))?
        };
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
    if is_ours(fd) => with_socket(fd, |_, socket| {
        refuse(flags)?;
        // SAFETY: the buffer and the address are the caller's.
        let (bytes, to) = unsafe { (input(buffer, len)?, destination(address, address_len)?) };
        match to {
            Some(to) => socket.call(socket.socket.send_to(bytes, &to)).map(|len| len as isize),
            None => send_bytes(socket, bytes),
        }
    })
}

/// # Safety
/// As of [`address::read`].
unsafe fn destination(
    address: *const sockaddr,
    len: socklen_t,
) -> Result<Option<crate::net::socket::SockAddr>, i32> {
    if address.is_null() || len == 0 {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    unsafe { address::read(address, len) }.map_err(number)
}

hook! {
    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        refuse(flags)?;
        // SAFETY: the message is the caller's.
        unsafe {
            let message = message.as_ref().ok_or(libc::EFAULT)?;
            let bytes = gathered(vector(message.msg_iov, message.msg_iovlen)?, MAX_GATHERED)?;
            match destination(message.msg_name.cast(), message.msg_namelen)? {
                Some(to) => socket.call(socket.socket.send_to(&bytes, &to)).map(|len| len as isize),
                None => send_bytes(socket, &bytes),
            }
        }
    })
}

hook! {
    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        refuse(flags)?;
        // SAFETY: the message is the caller's.
        unsafe {
            let message = message.as_mut().ok_or(libc::EFAULT)?;
            let buffers = vector(message.msg_iov, message.msg_iovlen)?;
            let mut bytes = vec![0; room_of(buffers).min(MAX_GATHERED)];
            let (len, from) = if flags & libc::MSG_PEEK != 0 {
                socket.call(socket.socket.peek_from(&mut bytes))?
            } else {
                socket.call(socket.socket.recv_from(&mut bytes))?
            };
            scatter(&bytes[..len], buffers)?;
            let name_len = &raw mut message.msg_namelen;
            address::write(&from, message.msg_name.cast(), name_len);
            message.msg_controllen = 0;
            message.msg_flags = 0;
            Ok(len as isize)
        }
    })
}
