//! A TCP socket as its options see it.

use std::io;
use std::net::{Shutdown, SocketAddr};

use super::connection::Connection;
use super::endpoint::Endpoint;
use crate::error::Errno;
use crate::host::{TcpInfo, TcpOptions};

/// What one of the types of `net` holds.
#[derive(Clone, Copy)]
pub(in crate::net) enum TcpRef<'s> {
    Endpoint(&'s Endpoint),
    Connection(&'s Connection),
}

impl TcpRef<'_> {
    pub(in crate::net) fn options(self) -> io::Result<TcpOptions> {
        match self {
            TcpRef::Endpoint(endpoint) => endpoint.options(),
            TcpRef::Connection(connection) => connection.options(),
        }
    }

    /// `TCP_INFO`.
    pub(in crate::net) fn info(self) -> io::Result<TcpInfo> {
        match self {
            TcpRef::Endpoint(endpoint) => endpoint.info(),
            TcpRef::Connection(connection) => connection.info(),
        }
    }

    /// Changes options: all that `change` changes, or nothing when it fails.
    pub(in crate::net) fn change_options(
        self,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            TcpRef::Endpoint(endpoint) => endpoint.change_options(change),
            TcpRef::Connection(connection) => connection.change_options(change),
        }
    }

    pub(in crate::net) fn is_v6(self) -> bool {
        match self {
            TcpRef::Endpoint(endpoint) => endpoint.is_v6(),
            TcpRef::Connection(connection) => connection.local_addr().is_ipv6(),
        }
    }

    pub(in crate::net) fn only_v6(self) -> io::Result<bool> {
        Ok(self.endpoint()?.only_v6())
    }

    pub(in crate::net) fn set_only_v6(self, only_v6: bool) -> io::Result<()> {
        self.endpoint()?.set_only_v6(only_v6)
    }

    fn endpoint(&self) -> io::Result<&Endpoint> {
        match self {
            TcpRef::Endpoint(endpoint) => Ok(endpoint),
            TcpRef::Connection(_) => Err(Errno::Invalid.into()),
        }
    }

    pub(super) fn local_addr(self) -> SocketAddr {
        match self {
            TcpRef::Endpoint(endpoint) => endpoint.local_addr(),
            TcpRef::Connection(connection) => connection.local_addr(),
        }
    }

    pub(super) fn peer_addr(self) -> io::Result<SocketAddr> {
        match self {
            TcpRef::Endpoint(endpoint) => endpoint.peer_addr(),
            TcpRef::Connection(connection) => connection.peer_addr(),
        }
    }

    pub(super) fn take_error(self) -> Option<io::Error> {
        match self {
            TcpRef::Endpoint(endpoint) => endpoint.take_error(),
            TcpRef::Connection(connection) => connection.take_error(),
        }
    }

    pub(super) fn shut_down(self, how: Shutdown) -> io::Result<()> {
        match self {
            TcpRef::Endpoint(endpoint) => endpoint.shut_down(how),
            TcpRef::Connection(connection) => connection.shut_down(how),
        }
    }
}
