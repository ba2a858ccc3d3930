//! Calls that make, name, connect and close sockets.

use std::net::Shutdown;

use libc::{c_int, sockaddr, socklen_t};

use super::{hook, number, with_socket};
use crate::net::addr::{Domain, Protocol, Type};
use crate::net::socket::Socket;
use crate::seam::address;
use crate::seam::descriptors::{insert, is_ours, remove};
use crate::seam::file::{File, Kind};
use crate::seam::seat;
use crate::seam::socket_file::{self, Direction, SocketFile};

const FLAGS: c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

hook! {
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    if seat::is_taken() => {
        let ty = Type::from(kind & !FLAGS);
        let made = match domain {
            // Netlink, packets and the like would be the machine's.
            libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX => {
                let protocol = (protocol != 0).then(|| Protocol::from(protocol));
                as_task(|| Socket::new(Domain::from(domain), ty, protocol))
            }
            _ => Err(libc::EAFNOSUPPORT),
        };
        made.and_then(|socket| open(socket, kind))
    }
}

hook! {
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int;
    if seat::is_taken() => {
        let ty = Type::from(kind & !FLAGS);
        let protocol = (protocol != 0).then(|| Protocol::from(protocol));
        as_task(|| Socket::pair(Domain::from(domain), ty, protocol))
            .and_then(|(first, second)| {
            let first = open(first, kind)?;
            let second = open(second, kind).inspect_err(|_| {
                let _ = remove(first);
            })?;
            // SAFETY: there is room for two numbers.
            unsafe {
                *pair = first;
                *pair.add(1) = second;
            }
            Ok(0)
        })
    }
}

/// Makes a socket of the host that answers on this thread.
fn as_task<T>(make: impl FnOnce() -> std::io::Result<T>) -> Result<T, i32> {
    let Some(seat) = seat::current() else { return Err(libc::ENOSYS) };
    let made = seat.as_task(make).ok_or(libc::ENETDOWN)?;
    made.map_err(|error| socket_file::number(&error))
}

/// Gives a socket a number, with the flags of `socket(2)` and `accept4(2)`.
fn open(socket: Socket, flags: c_int) -> Result<i32, i32> {
    let is_nonblocking = flags & libc::SOCK_NONBLOCK != 0;
    let file = File::new(Kind::Socket(SocketFile::new(socket)), is_nonblocking);
    insert(file, flags & libc::SOCK_CLOEXEC != 0).map_err(number)
}

hook! {
    fn bind(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        // SAFETY: the address is the caller's.
        let address = unsafe { address::read(address, len) }.map_err(number)?;
        let address = address.ok_or(libc::EAFNOSUPPORT)?;
        socket.socket.bind(&address).map_err(|error| socket_file::number(&error))?;
        Ok(0)
    })
}

hook! {
    fn listen(fd: c_int, backlog: c_int) -> c_int;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        socket.socket.listen(backlog).map_err(|error| socket_file::number(&error))?;
        socket.watchers.notify();
        Ok(0)
    })
}

hook! {
    fn accept(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int;
    // SAFETY: the address is the caller's.
    if is_ours(fd) => unsafe { accept_from(fd, address, len, 0) }
}

hook! {
    fn accept4(fd: c_int, address: *mut sockaddr, len: *mut socklen_t, flags: c_int) -> c_int;
    // SAFETY: the address is the caller's.
    if is_ours(fd) => unsafe { accept_from(fd, address, len, flags) }
}

/// # Safety
/// As of [`address::write`].
unsafe fn accept_from(
    fd: c_int,
    to: *mut sockaddr,
    len: *mut socklen_t,
    flags: c_int,
) -> Result<i32, i32> {
    with_socket(fd, |file, socket| {
        let accept = || socket.call(socket.socket.accept());
        let (accepted, peer) = socket.when_ready(file.is_nonblocking(), Direction::Read, accept)?;
        let accepted = open(accepted, flags)?;
        // SAFETY: as the caller promises.
        unsafe { address::write(&peer, to, len) };
        Ok(accepted)
    })
}

hook! {
    fn connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int;
    if is_ours(fd) => with_socket(fd, |file, socket| {
        // SAFETY: the address is the caller's.
        let address = unsafe { address::read(address, len) }.map_err(number)?;
        let address = address.ok_or(libc::EAFNOSUPPORT)?;
        let mut begun = false;
        let connected = socket.when_ready(file.is_nonblocking(), Direction::Write, || {
            let connected = socket.call(socket.socket.connect(&address));
            socket.watchers.notify();
            match connected {
                // Where the call waits, it goes on until the attempt is over.
                Err(libc::EINPROGRESS) => begun = true,
                Err(libc::EALREADY) if begun => {}
                other => return other.map(|()| 0),
            }
            Err(if file.is_nonblocking() { libc::EINPROGRESS } else { libc::EAGAIN })
        });
        match connected {
            // The time ran out (SO_SNDTIMEO), and the attempt goes on.
            Err(libc::EAGAIN) if begun => Err(libc::EINPROGRESS),
            connected => connected,
        }
    })
}

hook! {
    fn shutdown(fd: c_int, how: c_int) -> c_int;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        let how = match how {
            libc::SHUT_RD => Shutdown::Read,
            libc::SHUT_WR => Shutdown::Write,
            libc::SHUT_RDWR => Shutdown::Both,
            _ => return Err(libc::EINVAL),
        };
        socket.socket.shutdown(how).map_err(|error| socket_file::number(&error))?;
        socket.watchers.notify();
        Ok(0)
    })
}

hook! {
    fn getsockname(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        let local = socket.socket.local_addr().map_err(|error| socket_file::number(&error))?;
        // SAFETY: the address is the caller's.
        unsafe { address::write(&local, address, len) };
        Ok(0)
    })
}

hook! {
    fn getpeername(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        let peer = socket.socket.peer_addr().map_err(|error| socket_file::number(&error))?;
        // SAFETY: the address is the caller's.
        unsafe { address::write(&peer, address, len) };
        Ok(0)
    })
}
