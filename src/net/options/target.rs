//! What options are of.

use std::io;

use crate::error::Errno;
use crate::host::{DatagramOptions, TcpInfo, TcpOptions};
use crate::net::datagram::DatagramSocket;
use crate::net::tcp::TcpRef;
use crate::net::unix::LocalSocket;

/// A socket of any protocol.
#[derive(Clone, Copy)]
pub(in crate::net) enum Target<'s> {
    Tcp(TcpRef<'s>),
    Datagram(&'s DatagramSocket),
    Local(&'s LocalSocket),
}

/// A level of `setsockopt(2)`. An option of TCP's that another socket does not have is refused
/// with another error at each.
#[derive(Clone, Copy)]
pub(in crate::net) enum Level {
    /// `SOL_SOCKET`: EOPNOTSUPP.
    Socket,
    /// `IPPROTO_TCP`: ENOPROTOOPT over IP.
    Tcp,
}

impl<'s> Target<'s> {
    /// The options of a TCP socket.
    pub(in crate::net) fn tcp(self, level: Level) -> io::Result<TcpOptions> {
        match self {
            Target::Tcp(tcp) => tcp.options(),
            other => Err(other.is_not_tcp(level)),
        }
    }

    /// `TCP_INFO`.
    pub(in crate::net) fn tcp_info(self) -> io::Result<TcpInfo> {
        match self {
            Target::Tcp(tcp) => tcp.info(),
            other => Err(other.is_not_tcp(Level::Tcp)),
        }
    }

    /// Changes options of a TCP socket: all that `change` changes, or nothing when it fails.
    pub(in crate::net) fn change_tcp(
        self,
        level: Level,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Target::Tcp(tcp) => tcp.change_options(change),
            other => Err(other.is_not_tcp(level)),
        }
    }

    fn is_not_tcp(self, level: Level) -> io::Error {
        match (self, level) {
            (Target::Local(_), _) | (_, Level::Socket) => Errno::OperationNotSupported.into(),
            (_, Level::Tcp) => Errno::NoProtocolOption.into(),
        }
    }

    /// An option that both TCP sockets and datagram sockets have.
    pub(in crate::net) fn inet<T>(
        self,
        of_tcp: impl FnOnce(TcpOptions) -> T,
        of_datagram: impl FnOnce(DatagramOptions) -> T,
    ) -> io::Result<T> {
        match self {
            Target::Datagram(datagram) => datagram.options().map(of_datagram),
            tcp => tcp.tcp(Level::Socket).map(of_tcp),
        }
    }

    /// Changes options that both TCP sockets and datagram sockets have.
    pub(in crate::net) fn change_inet(
        self,
        of_tcp: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
        of_datagram: impl FnOnce(&mut DatagramOptions) -> Result<(), Errno>,
    ) -> io::Result<()> {
        match self {
            Target::Datagram(datagram) => datagram.change_options(of_datagram),
            tcp => tcp.change_tcp(Level::Socket, of_tcp),
        }
    }

    /// The socket of an option that only datagram sockets have.
    pub(in crate::net) fn datagram(self) -> io::Result<&'s DatagramSocket> {
        match self {
            Target::Datagram(datagram) => Ok(datagram),
            _ => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// The socket, if it is of IPv6. For one of IPv4 the error is `otherwise`.
    pub(in crate::net) fn v6(self, otherwise: Errno) -> io::Result<Target<'s>> {
        let is_v6 = match self {
            Target::Tcp(tcp) => tcp.is_v6(),
            Target::Datagram(datagram) => datagram.is_v6(),
            Target::Local(_) => return Err(Errno::OperationNotSupported.into()),
        };
        if is_v6 { Ok(self) } else { Err(otherwise.into()) }
    }

    /// `IPV6_V6ONLY`.
    pub(in crate::net) fn only_v6(self) -> io::Result<bool> {
        match self {
            Target::Tcp(tcp) => tcp.only_v6(),
            Target::Datagram(datagram) => Ok(datagram.options()?.only_v6),
            Target::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    pub(in crate::net) fn set_only_v6(self, only_v6: bool) -> io::Result<()> {
        match self {
            Target::Tcp(tcp) => tcp.set_only_v6(only_v6),
            Target::Datagram(datagram) => datagram.change_options(|options| {
                options.only_v6 = only_v6;
                Ok(())
            }),
            Target::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// `SO_SNDBUF`.
    pub(in crate::net) fn send_buffer(self) -> io::Result<usize> {
        match self {
            Target::Local(local) => Ok(local.send_buffer()),
            inet => {
                inet.inet(|options| options.send_buffer() as usize, |options| options.send_buffer)
            }
        }
    }

    pub(in crate::net) fn set_send_buffer(self, size: usize) -> io::Result<()> {
        if let Target::Local(local) = self {
            local.set_send_buffer(size);
            return Ok(());
        }
        self.change_inet(
            |options| options.set_send_buffer(u32::try_from(size).unwrap_or(u32::MAX)),
            |options| {
                options.set_send_buffer(size);
                Ok(())
            },
        )
    }
}
