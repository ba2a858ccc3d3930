//! What a socket speaks, and to whom.

use std::fmt;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::Path;

use crate::net::addr::Domain;
use crate::net::unix;

/// The address of a socket of any domain.
#[derive(Clone, PartialEq, Eq)]
pub struct SockAddr(pub(super) Address);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Address {
    Inet(SocketAddr),
    Unix(unix::SocketAddr),
}

impl SockAddr {
    /// The address of a socket of the UNIX domain with a path for its name, or, when `path` begins
    /// with a NUL, with an abstract name. An empty one stands for no name: bound to it, a socket
    /// takes an abstract name that is free.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a path of 108 bytes or more, or with a
    /// NUL within.
    pub fn unix<P: AsRef<Path>>(path: P) -> io::Result<SockAddr> {
        let path = path.as_ref();
        if path.as_os_str().is_empty() {
            return Ok(unix::SocketAddr::unnamed().into());
        }
        unix::SocketAddr::from_path_or_abstract(path).map(SockAddr::from)
    }

    /// Its domain.
    #[must_use]
    pub fn domain(&self) -> Domain {
        match &self.0 {
            Address::Inet(address) => Domain::for_address(*address),
            Address::Unix(_) => Domain::UNIX,
        }
    }

    /// The address and port, if it is of an IP domain.
    #[must_use]
    pub fn as_socket(&self) -> Option<SocketAddr> {
        match &self.0 {
            Address::Inet(address) => Some(*address),
            Address::Unix(_) => None,
        }
    }

    /// The address and port, if it is of IPv4.
    #[must_use]
    pub fn as_socket_ipv4(&self) -> Option<SocketAddrV4> {
        match self.as_socket() {
            Some(SocketAddr::V4(address)) => Some(address),
            _ => None,
        }
    }

    /// The address and port, if it is of IPv6.
    #[must_use]
    pub fn as_socket_ipv6(&self) -> Option<SocketAddrV6> {
        match self.as_socket() {
            Some(SocketAddr::V6(address)) => Some(address),
            _ => None,
        }
    }

    /// The name, if it is of the UNIX domain.
    #[must_use]
    pub fn as_unix(&self) -> Option<&unix::SocketAddr> {
        match &self.0 {
            Address::Inet(_) => None,
            Address::Unix(address) => Some(address),
        }
    }

    /// The path, if it is of the UNIX domain and has one.
    #[must_use]
    pub fn as_pathname(&self) -> Option<&Path> {
        self.as_unix().and_then(unix::SocketAddr::as_pathname)
    }
}

impl From<SocketAddr> for SockAddr {
    fn from(address: SocketAddr) -> SockAddr {
        SockAddr(Address::Inet(address))
    }
}

impl From<SocketAddrV4> for SockAddr {
    fn from(address: SocketAddrV4) -> SockAddr {
        SocketAddr::V4(address).into()
    }
}

impl From<SocketAddrV6> for SockAddr {
    fn from(address: SocketAddrV6) -> SockAddr {
        SocketAddr::V6(address).into()
    }
}

impl From<unix::SocketAddr> for SockAddr {
    fn from(address: unix::SocketAddr) -> SockAddr {
        SockAddr(Address::Unix(address))
    }
}

impl fmt::Debug for SockAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Inet(address) => fmt::Debug::fmt(address, formatter),
            Address::Unix(address) => fmt::Debug::fmt(address, formatter),
        }
    }
}
