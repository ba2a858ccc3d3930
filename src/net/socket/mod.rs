//! The calls of BSD sockets, one by one: [`Socket`].
//!
//! The names are `socket2`'s, which are those of `socket(2)` and its manual pages; what may wait
//! is `async`. One type serves all domains and types:
//!
//! | | [`Type::STREAM`] | [`Type::DGRAM`] | [`Type::RAW`] |
//! |---|---|---|---|
//! | [`Domain::IPV4`], [`Domain::IPV6`] | TCP | UDP; echoes of ICMP | ICMP |
//! | [`Domain::UNIX`] | streams of one host | datagrams of one host | - |
//!
//! ```
//! # use glassnet::{Sim, net::socket::{Domain, SockAddr, Socket, Type}};
//! # use std::net::SocketAddr;
//! # let mut sim = Sim::new(7);
//! # sim.client("alone", async {
//! let server = Socket::new(Domain::IPV4, Type::STREAM, None)?;
//! server.bind(&SocketAddr::from(([127, 0, 0, 1], 12345)).into())?;
//! server.listen(5)?;
//!
//! let client = Socket::new(Domain::IPV4, Type::STREAM, None)?;
//! client.connect(&server.local_addr()?).await?;
//! let (connection, peer) = server.accept().await?;
//! println!("Got connection from {peer:?}");
//! connection.send(b"Thank you for connecting").await?;
//!
//! let mut greeting = [0; 1024];
//! let len = client.recv(&mut greeting).await?;
//! assert_eq!(&greeting[..len], b"Thank you for connecting");
//! # Ok(())
//! # });
//! # sim.run().unwrap();
//! ```
//!
//! Errors are Linux's, with its numbers. An option that the stack cannot honour is refused with
//! [`Unsupported`](std::io::ErrorKind::Unsupported); one of another protocol with `ENOPROTOOPT`,
//! as on Linux. Left out is what hands out descriptors of the operating system.

mod address;
mod calls;
mod message;
mod options;
mod readiness;
mod wait;

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use address::SockAddr;
pub use message::{PacketInfo, ReceivedMessage, SendOptions};

pub use super::addr::{Domain, Protocol, Type};
use super::datagram::DatagramSocket;
use super::tcp::Endpoint;
pub use super::tcp::TcpKeepalive;
use super::unix::LocalSocket;
use crate::error::Errno;
pub use crate::host::MtuDiscovery;
use crate::host::{DatagramKind, TcpState, UnixKind};
use wait::Modes;

/// A socket, as `socket(2)` makes it. Dropping it is `close(2)`.
///
/// All calls take `&self`: two tasks may share a socket behind an `Arc`, one sending while the
/// other receives.
///
/// # Errors
/// Methods have the errors that they name, options also those of their group, and no others. On a
/// host that has crashed sending fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe), receiving
/// with [`ConnectionReset`](io::ErrorKind::ConnectionReset), and other calls with either that,
/// [`NotConnected`](io::ErrorKind::NotConnected) or [`InvalidInput`](io::ErrorKind::InvalidInput).
pub struct Socket {
    domain: Domain,
    kind: Type,
    protocol: Option<Protocol>,
    end: End,
    modes: Mutex<Modes>,
}

enum End {
    Stream(Box<Endpoint>),
    Datagram(DatagramSocket),
    Local(LocalSocket),
}

impl Socket {
    /// `socket(2)`: a socket of the calling task's host. Without a protocol it is the only one
    /// there is for the domain and the type. A datagram socket of ICMP sends echo requests and
    /// receives the replies to them (`icmp(7)`); its port is their identifier.
    ///
    /// # Errors
    /// EPROTONOSUPPORT for a protocol that does not go with them, ESOCKTNOSUPPORT for a type that
    /// the domain does not have, EAFNOSUPPORT for a domain that is not known; also when the
    /// caller is not a task of a host.
    pub fn new(domain: Domain, ty: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
        let is_v6 = domain == Domain::IPV6;
        let end = match (domain, ty, protocol) {
            (Domain::UNIX, Type::STREAM, None) => End::Local(LocalSocket::new(UnixKind::Stream)?),
            (Domain::UNIX, Type::DGRAM, None) => End::Local(LocalSocket::new(UnixKind::Datagram)?),
            (Domain::UNIX, Type::STREAM | Type::DGRAM, Some(_)) => {
                return Err(Errno::ProtocolNotSupported.into());
            }
            (Domain::IPV4 | Domain::IPV6, Type::STREAM, None | Some(Protocol::TCP)) => {
                End::Stream(Box::new(Endpoint::new(is_v6)?))
            }
            (Domain::IPV4 | Domain::IPV6, Type::DGRAM, None | Some(Protocol::UDP)) => {
                End::Datagram(DatagramSocket::new(DatagramKind::Udp, is_v6)?)
            }
            (Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))
            | (Domain::IPV6, Type::DGRAM, Some(Protocol::ICMPV6)) => {
                End::Datagram(DatagramSocket::new(DatagramKind::Ping, is_v6)?)
            }
            (Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))
            | (Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)) => {
                End::Datagram(DatagramSocket::new(DatagramKind::Raw, is_v6)?)
            }
            (Domain::IPV4 | Domain::IPV6, Type::STREAM | Type::DGRAM | Type::RAW, _) => {
                return Err(Errno::ProtocolNotSupported.into());
            }
            (Domain::IPV4 | Domain::IPV6 | Domain::UNIX, ..) => {
                return Err(Errno::SocketTypeNotSupported.into());
            }
            _ => return Err(Errno::AddressFamilyNotSupported.into()),
        };
        Ok(Socket::of(domain, ty, protocol, end))
    }

    /// `socketpair(2)`: two sockets of the UNIX domain that are connected to each other.
    ///
    /// # Errors
    /// EOPNOTSUPP for another domain, and those of [`Socket::new`].
    pub fn pair(
        domain: Domain,
        ty: Type,
        protocol: Option<Protocol>,
    ) -> io::Result<(Socket, Socket)> {
        if domain != Domain::UNIX {
            return Err(Errno::OperationNotSupported.into());
        }
        let kind = match (ty, protocol) {
            (Type::STREAM, None) => UnixKind::Stream,
            (Type::DGRAM, None) => UnixKind::Datagram,
            (Type::STREAM | Type::DGRAM, Some(_)) => {
                return Err(Errno::ProtocolNotSupported.into());
            }
            _ => return Err(Errno::SocketTypeNotSupported.into()),
        };
        let (first, second) = LocalSocket::pair(kind)?;
        let of = |end| Socket::of(domain, ty, protocol, End::Local(end));
        Ok((of(first), of(second)))
    }

    fn of(domain: Domain, kind: Type, protocol: Option<Protocol>, end: End) -> Socket {
        Socket { domain, kind, protocol, end, modes: Mutex::default() }
    }

    /// `SO_DOMAIN`.
    pub fn domain(&self) -> io::Result<Domain> {
        Ok(self.domain)
    }

    /// `SO_TYPE`.
    pub fn r#type(&self) -> io::Result<Type> {
        Ok(self.kind)
    }

    /// `SO_PROTOCOL`, as it was given.
    pub fn protocol(&self) -> io::Result<Option<Protocol>> {
        Ok(self.protocol)
    }

    /// The state of a TCP socket; `None` for another.
    pub(crate) fn tcp_state(&self) -> Option<TcpState> {
        match &self.end {
            End::Stream(endpoint) => Some(endpoint.state()),
            End::Datagram(_) | End::Local(_) => None,
        }
    }

    fn modes(&self) -> MutexGuard<'_, Modes> {
        self.modes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Socket");
        debug.field("domain", &self.domain).field("type", &self.kind);
        debug.field("local", &self.local_addr().ok()).field("peer", &self.peer_addr().ok());
        debug.finish_non_exhaustive()
    }
}
