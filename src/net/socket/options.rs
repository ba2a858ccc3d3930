//! The options of a socket: `setsockopt(2)` and `getsockopt(2)`.

mod ip;
mod tcp;

use std::io;
use std::time::Duration;

use super::stream::StreamSocket;
use super::{Domain, End, Socket};
use crate::error::Errno;
use crate::host::{DatagramOptions, TcpOptions};
use crate::net::datagram::DatagramSocket;

/// What an option is of.
impl Socket {
    pub(super) fn is_v6(&self) -> bool {
        self.domain == Domain::IPV6
    }

    /// The stream that an option of TCP's is of.
    pub(super) fn tcp(&self) -> io::Result<&StreamSocket> {
        match &self.end {
            End::Stream(stream) => Ok(stream),
            End::Datagram(_) => Err(Errno::NoProtocolOption.into()),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// The datagram socket that an option is of which only datagrams have.
    pub(super) fn datagrams(&self) -> io::Result<&DatagramSocket> {
        match &self.end {
            End::Datagram(datagram) => Ok(datagram),
            End::Stream(_) | End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    pub(super) fn datagrams_v6(&self) -> io::Result<&DatagramSocket> {
        self.must_be_v6()?;
        self.datagrams()
    }

    pub(super) fn must_be_v6(&self) -> io::Result<()> {
        match self.domain {
            Domain::IPV6 => Ok(()),
            Domain::UNIX => Err(Errno::OperationNotSupported.into()),
            _ => Err(Errno::NoProtocolOption.into()),
        }
    }

    /// An option of sockets of an IP domain.
    pub(super) fn ip<T>(
        &self,
        of_stream: impl FnOnce(TcpOptions) -> T,
        of_datagram: impl FnOnce(DatagramOptions) -> T,
    ) -> io::Result<T> {
        match &self.end {
            End::Stream(stream) => stream.options().map(of_stream),
            End::Datagram(datagram) => datagram.options().map(of_datagram),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    pub(super) fn set_ip(
        &self,
        of_stream: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
        of_datagram: impl FnOnce(&mut DatagramOptions) -> Result<(), Errno>,
    ) -> io::Result<()> {
        match &self.end {
            End::Stream(stream) => stream.change_options(of_stream),
            End::Datagram(datagram) => datagram.change_options(of_datagram),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }
}

/// Options of every socket, and of those of the IP domains: `socket(7)`.
impl Socket {
    /// Whether calls return at once: `O_NONBLOCK`.
    ///
    /// # Errors
    /// None; the signature is `socket2`'s.
    pub fn nonblocking(&self) -> io::Result<bool> {
        Ok(self.modes().nonblocking)
    }

    /// Makes calls return at once, with [`WouldBlock`](io::ErrorKind::WouldBlock) where they would
    /// wait, and `connect` with EINPROGRESS.
    ///
    /// # Errors
    /// None; the signature is `socket2`'s.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.modes().nonblocking = nonblocking;
        Ok(())
    }

    /// `SO_RCVTIMEO`.
    ///
    /// # Errors
    /// None; the signature is `socket2`'s.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes().read_timeout)
    }

    /// `SO_RCVTIMEO`: how long receiving and accepting wait, before they give
    /// [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for no time at all.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes().read_timeout = not_zero(timeout)?;
        Ok(())
    }

    /// `SO_SNDTIMEO`.
    ///
    /// # Errors
    /// None; the signature is `socket2`'s.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes().write_timeout)
    }

    /// `SO_SNDTIMEO`: how long sending waits before it gives
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), and connecting before it gives EINPROGRESS.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for no time at all.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes().write_timeout = not_zero(timeout)?;
        Ok(())
    }

    /// `SO_REUSEADDR`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn reuse_address(&self) -> io::Result<bool> {
        self.ip(|options| options.reuse_address, |options| options.reuse_address)
    }

    /// `SO_REUSEADDR`: a stream may bind to a port with connections that are closing, if both old
    /// and new socket have it; datagram sockets that all have it may share a port.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn set_reuse_address(&self, reuse: bool) -> io::Result<()> {
        self.set_ip(
            |options| {
                options.reuse_address = reuse;
                Ok(())
            },
            |options| {
                options.reuse_address = reuse;
                Ok(())
            },
        )
    }

    /// `SO_REUSEPORT`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn reuse_port(&self) -> io::Result<bool> {
        Ok(self.streams()?.options()?.reuse_port)
    }

    /// `SO_REUSEPORT`: several listeners that all have it share a port, and the connections that
    /// come to it.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn set_reuse_port(&self, reuse: bool) -> io::Result<()> {
        self.streams()?.change_options(|options| {
            options.reuse_port = reuse;
            Ok(())
        })
    }

    /// `SO_BROADCAST`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn broadcast(&self) -> io::Result<bool> {
        Ok(self.datagrams()?.options()?.broadcast)
    }

    /// `SO_BROADCAST`: lets the socket send to broadcast addresses.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.datagrams()?.change_options(|options| {
            options.broadcast = broadcast;
            Ok(())
        })
    }

    /// `SO_RCVBUF`, in octets.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.ip(|options| options.recv_buffer() as usize, |options| options.recv_buffer)
    }

    /// `SO_RCVBUF`, in octets: of a stream the largest window it advertises, which unlike Linux's
    /// is not doubled; of a datagram socket, which keeps accounts beside the data, it is.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) outside 1 to 2^30 for a stream;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a stream that is connected or connecting,
    /// whose buffers are settled, and in the UNIX domain, where it has no meaning.
    pub fn set_recv_buffer_size(&self, size: usize) -> io::Result<()> {
        self.set_ip(
            |options| options.set_recv_buffer(u32::try_from(size).unwrap_or(u32::MAX)),
            |options| {
                options.set_recv_buffer(size);
                Ok(())
            },
        )
    }

    /// `SO_SNDBUF`, in octets.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        if let End::Local(local) = &self.end {
            return Ok(local.send_buffer());
        }
        self.ip(|options| options.send_buffer() as usize, |options| options.send_buffer)
    }

    /// `SO_SNDBUF`, in octets. That of a TCP socket is, unlike Linux's, not doubled.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) outside 1 to 2^30 for TCP's;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a stream that is connected or connecting,
    /// whose buffers are settled.
    pub fn set_send_buffer_size(&self, size: usize) -> io::Result<()> {
        if let End::Local(local) = &self.end {
            local.set_send_buffer(size);
            return Ok(());
        }
        self.set_ip(
            |options| options.set_send_buffer(u32::try_from(size).unwrap_or(u32::MAX)),
            |options| {
                options.set_send_buffer(size);
                Ok(())
            },
        )
    }

    /// `SO_LINGER`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.streams()?.options()?.linger())
    }

    /// `SO_LINGER`, in whole seconds: with none of them closing resets the connection; with more
    /// [`close`](Socket::close) waits, at most that long, until all is delivered.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.streams()?.change_options(|options| {
            options.set_linger(linger);
            Ok(())
        })
    }

    fn streams(&self) -> io::Result<&StreamSocket> {
        self.tcp().map_err(|_| Errno::OperationNotSupported.into())
    }

    /// `SO_KEEPALIVE`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn keepalive(&self) -> io::Result<bool> {
        Ok(self.streams()?.options()?.keep_alive)
    }

    /// `SO_KEEPALIVE`: probes the peer of a silent connection (RFC 9293 3.8.4).
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.streams()?.change_options(|options| {
            options.keep_alive = keepalive;
            Ok(())
        })
    }
}

fn not_zero(timeout: Option<Duration>) -> io::Result<Option<Duration>> {
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        let text = "cannot set a 0 duration timeout";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(timeout)
}
