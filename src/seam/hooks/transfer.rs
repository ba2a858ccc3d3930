//! Reading and writing.

use std::sync::Arc;
use std::task::Waker;

use libc::{c_int, c_void, iovec, size_t, sockaddr, socklen_t, ssize_t};

use super::{check_room, file, hook, number, with_socket};
use crate::net::addr::Type;
use crate::net::socket::{ReceivedMessage, SockAddr};
use crate::seam::address;
use crate::seam::descriptors::is_ours;
use crate::seam::file::{File, Kind};
use crate::seam::socket_file::{Direction, SocketFile};
use crate::seam::threads;
use crate::seam::unanswered::refuse;

/// The most bytes one call moves when they are spread over buffers.
pub(super) const MAX_GATHERED: usize = 1 << 20;

/// A buffer of the caller's, to be read.
///
/// # Safety
/// It is null or has `len` bytes.
pub(super) unsafe fn input<'a>(buffer: *const c_void, len: size_t) -> Result<&'a [u8], i32> {
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
pub(super) unsafe fn output<'a>(buffer: *mut c_void, len: size_t) -> Result<&'a mut [u8], i32> {
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
pub(super) unsafe fn vector<'a>(buffers: *const iovec, count: usize) -> Result<&'a [iovec], i32> {
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
pub(super) unsafe fn gathered(buffers: &[iovec], max: usize) -> Result<Vec<u8>, i32> {
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
pub(super) unsafe fn scatter(mut bytes: &[u8], buffers: &[iovec]) -> Result<(), i32> {
    for buffer in buffers {
        // SAFETY: as the caller promises.
        let part = unsafe { output(buffer.iov_base, buffer.iov_len)? };
        let moved = part.len().min(bytes.len());
        part[..moved].copy_from_slice(&bytes[..moved]);
        bytes = &bytes[moved..];
    }
    Ok(())
}

pub(super) fn room_of(buffers: &[iovec]) -> usize {
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
pub(super) fn waiting<T>(
    file: &File,
    socket: &SocketFile,
    direction: Direction,
    flags: c_int,
    mut call: impl FnMut() -> Result<T, i32>,
) -> Result<T, i32> {
    check(flags)?;
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
    if flags & libc::MSG_TRUNC != 0 {
        return Ok(receive_message(file, socket, buffer, flags)?.returned(flags));
    }
    let is_stream = matches!(socket.socket.r#type(), Ok(Type::STREAM));
    let waits_for_all = is_stream
        && flags & (libc::MSG_WAITALL | libc::MSG_PEEK) == libc::MSG_WAITALL
        && flags & libc::MSG_DONTWAIT == 0
        && !file.is_nonblocking();
    let mut filled = 0;
    loop {
        let rest = &mut buffer[filled..];
        let received = waiting(file, socket, Direction::Read, flags, || {
            if flags & libc::MSG_PEEK != 0 {
                socket.call(socket.socket.peek(rest))
            } else {
                socket.call(socket.socket.recv(rest))
            }
        });
        match received {
            Ok(0) => return Ok(filled as isize),
            Ok(len) => filled += len,
            Err(_) if filled > 0 => return Ok(filled as isize),
            Err(error) => return Err(error),
        }
        if filled == buffer.len() || !waits_for_all {
            return Ok(filled as isize);
        }
    }
}

/// Receives, with what goes with it.
pub(super) fn receive_message(
    file: &File,
    socket: &SocketFile,
    buffer: &mut [u8],
    flags: c_int,
) -> Result<ReceivedMessage, i32> {
    if flags & libc::MSG_TRUNC != 0 && matches!(socket.socket.r#type(), Ok(Type::STREAM)) {
        return Err(refuse(
            "recv with MSG_TRUNC",
            "bytes of a stream are not thrown away",
            libc::EOPNOTSUPP,
        ));
    }
    waiting(file, socket, Direction::Read, flags, || {
        if flags & libc::MSG_PEEK != 0 {
            socket.call(socket.socket.peek_message(buffer))
        } else {
            socket.call(socket.socket.recv_message(buffer))
        }
    })
}

impl ReceivedMessage {
    /// What a call returns: with `MSG_TRUNC` the length of the whole datagram.
    pub(super) fn returned(&self, flags: c_int) -> isize {
        (if flags & libc::MSG_TRUNC != 0 { self.whole_len } else { self.len }) as isize
    }

    /// Writes the sender's address where the caller wants it. That of a TCP connection is not
    /// given.
    ///
    /// # Safety
    /// As of [`address::write`].
    pub(super) unsafe fn write_sender(&self, to: *mut sockaddr, len: *mut socklen_t) {
        match &self.from {
            // SAFETY: as the caller promises.
            Some(from) => unsafe { address::write(from, to, len) },
            // SAFETY: as the caller promises.
            None if !len.is_null() => unsafe { *len = 0 },
            None => {}
        }
    }
}

/// A stream that waits takes all of it, as in a kernel.
pub(super) fn send_bytes(
    file: &File,
    socket: &SocketFile,
    bytes: &[u8],
    flags: c_int,
) -> Result<isize, i32> {
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

/// Flags that nothing here does, and the queue of errors, which is always empty.
fn check(flags: c_int) -> Result<(), i32> {
    if flags & libc::MSG_OOB != 0 {
        return Err(refuse(
            "send or recv with MSG_OOB",
            "there is no urgent data",
            libc::EOPNOTSUPP,
        ));
    }
    if flags & libc::MSG_ERRQUEUE != 0 { Err(libc::EAGAIN) } else { Ok(()) }
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
        let received = receive_message(file, socket, buffer, flags)?;
        // SAFETY: the address is the caller's.
        unsafe { received.write_sender(address, address_len) };
        Ok(received.returned(flags))
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
pub(super) unsafe fn destination(
    address: *const sockaddr,
    len: socklen_t,
) -> Result<Option<SockAddr>, i32> {
    if address.is_null() || len == 0 {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    unsafe { address::read(address, len) }.map_err(number)
}

hook! {
    fn __read_chk(fd: c_int, buffer: *mut c_void, len: size_t, room: size_t) -> ssize_t;
    if is_ours(fd) => {
        check_room("__read_chk", len, room);
        // SAFETY: the buffer is the caller's.
        file(fd).and_then(|file| read_file(&file, unsafe { output(buffer, len)? }))
    }
}

hook! {
    fn __recv_chk(
        fd: c_int,
        buffer: *mut c_void,
        len: size_t,
        room: size_t,
        flags: c_int,
    ) -> ssize_t;
    if is_ours(fd) => {
        check_room("__recv_chk", len, room);
        with_socket(fd, |file, socket| {
            // SAFETY: the buffer is the caller's.
            receive(file, socket, unsafe { output(buffer, len)? }, flags)
        })
    }
}

hook! {
    fn __recvfrom_chk(
        fd: c_int,
        buffer: *mut c_void,
        len: size_t,
        room: size_t,
        flags: c_int,
        address: *mut sockaddr,
        address_len: *mut socklen_t,
    ) -> ssize_t;
    if is_ours(fd) => {
        check_room("__recvfrom_chk", len, room);
        // SAFETY: it is the function above, with the caller's arguments.
        Ok(unsafe { recvfrom(fd, buffer, len, flags, address, address_len) })
    }
}
