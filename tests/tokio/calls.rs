//! The calls of C, as the tests make them.

use std::io;
use std::mem::size_of_val;
use std::net::SocketAddrV4;

use glassnet::Sim;
use libc::{c_int, c_void, sockaddr, sockaddr_in, socklen_t};

/// Runs something on a host of its own, 10.0.0.1.
pub(crate) fn alone(main: impl Future<Output = glassnet::Result> + 'static) -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.client("alone", main);
    sim.run()
}

/// Runs something on a thread of a host of its own, where calls may wait.
pub(crate) fn in_a_thread(main: fn() -> io::Result<()>) -> glassnet::Result {
    alone(async move { Ok(tokio::task::spawn_blocking(main).await.unwrap()?) })
}

/// What a call returned, or its error.
pub(crate) fn done<T: Into<i64>>(returned: T) -> io::Result<usize> {
    usize::try_from(returned.into()).map_err(|_| io::Error::last_os_error())
}

/// The number of a call's error.
pub(crate) fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

pub(crate) fn sockaddr(address: &str) -> sockaddr_in {
    let address: SocketAddrV4 = address.parse().unwrap();
    let mut raw: sockaddr_in = unsafe { std::mem::zeroed() };
    raw.sin_family = libc::AF_INET as u16;
    raw.sin_port = address.port().to_be();
    raw.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
    raw
}

/// A socket that is closed when it is dropped.
pub(crate) struct Socket(pub(crate) c_int);

impl Socket {
    pub(crate) fn new(domain: c_int, kind: c_int) -> io::Result<Socket> {
        done(unsafe { libc::socket(domain, kind, 0) }).map(|fd| Socket(fd as c_int))
    }

    /// A datagram socket that does not wait.
    pub(crate) fn udp(local: &str) -> io::Result<Socket> {
        let socket = Socket::new(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK)?;
        socket.bind(local)?;
        Ok(socket)
    }

    pub(crate) fn bind(&self, local: &str) -> io::Result<()> {
        let address = sockaddr(local);
        let at = (&raw const address).cast::<sockaddr>();
        done(unsafe { libc::bind(self.0, at, size_of_val(&address) as socklen_t) }).map(drop)
    }

    pub(crate) fn connect(&self, peer: &str) -> io::Result<()> {
        let address = sockaddr(peer);
        let at = (&raw const address).cast::<sockaddr>();
        done(unsafe { libc::connect(self.0, at, size_of_val(&address) as socklen_t) }).map(drop)
    }

    pub(crate) fn set(&self, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
        let at = (&raw const value).cast::<c_void>();
        done(unsafe { libc::setsockopt(self.0, level, option, at, 4) }).map(drop)
    }

    pub(crate) fn get(&self, level: c_int, option: c_int) -> io::Result<c_int> {
        let (mut value, mut len) = (0 as c_int, 4);
        let at = (&raw mut value).cast::<c_void>();
        done(unsafe { libc::getsockopt(self.0, level, option, at, &mut len) }).map(|_| value)
    }

    pub(crate) fn recv(&self, buffer: &mut [u8], flags: c_int) -> io::Result<usize> {
        let at = buffer.as_mut_ptr().cast();
        done(unsafe { libc::recv(self.0, at, buffer.len(), flags) } as i64)
    }

    pub(crate) fn send(&self, bytes: &[u8], flags: c_int) -> io::Result<usize> {
        done(unsafe { libc::send(self.0, bytes.as_ptr().cast(), bytes.len(), flags) } as i64)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        unsafe { libc::close(self.0) };
    }
}
