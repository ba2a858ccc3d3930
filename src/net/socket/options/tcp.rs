//! The options of TCP sockets.

use std::io;
use std::time::Duration;

use crate::error::Errno;
use crate::host::CongestionControl;
use crate::net::socket::Socket;
use crate::net::tcp::TcpKeepalive;

/// Options of TCP: `tcp(7)`. For another socket they give ENOPROTOOPT, as on Linux, or
/// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
impl Socket {
    /// Switches `SO_KEEPALIVE` on, with these parameters.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for times outside 1 to 32767 s, and more
    /// than 127 retries or none.
    pub fn set_tcp_keepalive(&self, params: &TcpKeepalive) -> io::Result<()> {
        self.tcp()?.change_options(|options| params.apply(options))
    }

    /// `TCP_KEEPIDLE`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn tcp_keepalive_time(&self) -> io::Result<Duration> {
        Ok(self.tcp()?.options()?.keep_alive_time())
    }

    /// `TCP_KEEPINTVL`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn tcp_keepalive_interval(&self) -> io::Result<Duration> {
        Ok(self.tcp()?.options()?.keep_alive_interval())
    }

    /// `TCP_KEEPCNT`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn tcp_keepalive_retries(&self) -> io::Result<u32> {
        Ok(self.tcp()?.options()?.keep_alive_retries())
    }

    /// `TCP_NODELAY`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn tcp_nodelay(&self) -> io::Result<bool> {
        Ok(self.tcp()?.options()?.nodelay)
    }

    /// `TCP_NODELAY`: switches Nagle's algorithm off.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn set_tcp_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.tcp()?.change_options(|options| {
            options.nodelay = nodelay;
            Ok(())
        })
    }

    /// `TCP_USER_TIMEOUT`; `None` is the host's count of retries.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn tcp_user_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.tcp()?.options()?.user_timeout())
    }

    /// `TCP_USER_TIMEOUT` (RFC 5482), in whole milliseconds: how long what was sent may stay
    /// unacknowledged before the connection has timed out.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for more than 2^31 - 1 ms.
    pub fn set_tcp_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp()?.change_options(|options| options.set_user_timeout(timeout))
    }

    /// `TCP_CONGESTION`: `reno`, `cubic`, or `none`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn tcp_congestion(&self) -> io::Result<Vec<u8>> {
        let control = self.tcp()?.options()?.congestion_control;
        let named = CONGESTION_CONTROLS.iter().find(|(_, named)| *named == control);
        Ok(named.map_or(&b""[..], |(name, _)| name).to_vec())
    }

    /// `TCP_CONGESTION`.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) for a name other than `reno`, `cubic` and `none`.
    pub fn set_tcp_congestion(&self, name: &[u8]) -> io::Result<()> {
        let named = CONGESTION_CONTROLS.iter().find(|(known, _)| *known == name);
        let (_, control) = *named.ok_or(Errno::NoEntry)?;
        self.tcp()?.change_options(|options| {
            options.congestion_control = control;
            Ok(())
        })
    }

    /// `TCP_QUICKACK`.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn tcp_quickack(&self) -> io::Result<bool> {
        Ok(self.tcp()?.options()?.quickack)
    }

    /// `TCP_QUICKACK`: acknowledgments do not wait. Unlike Linux's it stays as it is set.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn set_tcp_quickack(&self, quickack: bool) -> io::Result<()> {
        self.tcp()?.change_options(|options| {
            options.quickack = quickack;
            Ok(())
        })
    }

    /// How long an acknowledgment waits for company; `None`: not at all.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn tcp_ack_delay(&self) -> io::Result<Option<Duration>> {
        Ok(self.tcp()?.options()?.ack_delay)
    }

    /// How long an acknowledgment may wait for data to ride on, or for a second segment (RFC 9293
    /// 3.8.6.3). It is the socket's own [`HostOptions::ack_delay`](crate::HostOptions); Linux has
    /// no such option.
    ///
    /// # Errors
    /// ENOPROTOOPT for a socket that is not TCP's, [`Unsupported`](io::ErrorKind::Unsupported) in
    /// the UNIX domain.
    pub fn set_tcp_ack_delay(&self, delay: Option<Duration>) -> io::Result<()> {
        self.tcp()?.change_options(|options| {
            options.ack_delay = delay;
            Ok(())
        })
    }
}

const CONGESTION_CONTROLS: [(&[u8], CongestionControl); 3] = [
    (b"reno", CongestionControl::Reno),
    (b"cubic", CongestionControl::Cubic),
    (b"none", CongestionControl::None),
];
