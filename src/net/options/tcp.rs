//! `IPPROTO_TCP`: `tcp(7)`.

use crate::error::Errno;
use crate::host::CongestionControl;

macro_rules! tcp_option {
    (keepalive parameters, $set:ident) => {
        /// Switches `SO_KEEPALIVE` on, and sets those of its parameters that `params` has:
        /// `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT`.
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) for times outside 1 to 32,767
        /// whole seconds, and for retries outside 1 to 127. Nothing is changed then.
        pub fn $set(&self, params: &$crate::net::tcp::TcpKeepalive) -> ::std::io::Result<()> {
            self.target()
                .change_tcp($crate::net::options::Level::Tcp, |options| params.apply(options))
        }
    };

    (TCP_KEEPIDLE, $get:ident) => {
        /// `TCP_KEEPIDLE`: how long the peer is silent before keep-alive asks it. Two hours by
        /// default.
        pub fn $get(&self) -> ::std::io::Result<::std::time::Duration> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.keep_alive_time())
        }
    };

    (TCP_KEEPINTVL, $get:ident) => {
        /// `TCP_KEEPINTVL`: how long after one question of keep-alive the next follows. 75 seconds
        /// by default.
        pub fn $get(&self) -> ::std::io::Result<::std::time::Duration> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.keep_alive_interval())
        }
    };

    (TCP_KEEPCNT, $get:ident) => {
        /// `TCP_KEEPCNT`: after how many unanswered questions of keep-alive the connection fails
        /// with [`TimedOut`](::std::io::ErrorKind::TimedOut). 9 by default.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.keep_alive_retries())
        }
    };

    (TCP_NODELAY, $get:ident, $set:ident) => {
        /// `TCP_NODELAY`: whether Nagle's algorithm (RFC 9293 section 3.7.4) is off. With it, less
        /// than a full segment waits while something is unacknowledged; without it each write
        /// leaves at once, in segments of its own. On or off by default as
        /// [`HostOptions::nagle`](crate::HostOptions::nagle) says.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.nodelay)
        }

        #[doc = $crate::net::options::sets!("TCP_NODELAY", $get)]
        /// When it is set, what waits leaves.
        pub fn $set(&self, nodelay: bool) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Tcp, |options| {
                options.nodelay = nodelay;
                Ok(())
            })
        }
    };

    (TCP_QUICKACK, $get:ident, $set:ident) => {
        /// `TCP_QUICKACK`: whether acknowledgments leave at once, because the option is set or
        /// because the socket has no delay for them.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            let options = self.target().tcp($crate::net::options::Level::Tcp)?;
            Ok(options.ack_delay_in_force().is_none())
        }

        /// Sets `TCP_QUICKACK`: acknowledgments leave at once (`true`), or wait as long as the
        /// socket's delay for them says. Unlike Linux, which returns to delaying as it sees fit,
        /// this lasts. An acknowledgment that waits already goes on waiting.
        pub fn $set(&self, quickack: bool) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Tcp, |options| {
                options.quickack = quickack;
                Ok(())
            })
        }
    };

    (ack delay, $get:ident, $set:ident) => {
        /// How long an acknowledgment may wait for data to ride on, or for a second segment (RFC
        /// 9293 section 3.8.6.3); `None` is not at all. Linux has no such option. The default is
        /// [`HostOptions::ack_delay`](crate::HostOptions::ack_delay).
        pub fn $get(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.ack_delay)
        }

        #[doc = $crate::net::options::sets!("ack_delay", $get)]
        pub fn $set(&self, delay: Option<::std::time::Duration>) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Tcp, |options| {
                options.ack_delay = delay;
                Ok(())
            })
        }
    };

    (TCP_INFO, $get:ident) => {
        /// `TCP_INFO`: what the connection tells of itself; see [`TcpInfo`](crate::TcpInfo). It goes
        /// on telling when the connection is over.
        pub fn $get(&self) -> ::std::io::Result<$crate::TcpInfo> {
            self.target().tcp_info()
        }
    };

    (TCP_CONGESTION, $get:ident, $set:ident) => {
        /// `TCP_CONGESTION`: the name of the congestion control, `reno`, `cubic` or `none`. The
        /// default is [`HostOptions::congestion_control`](crate::HostOptions::congestion_control).
        pub fn $get(&self) -> ::std::io::Result<Vec<u8>> {
            let options = self.target().tcp($crate::net::options::Level::Tcp)?;
            let name = $crate::net::options::name_of_congestion_control(options.congestion_control);
            Ok(name.to_vec())
        }

        #[doc = $crate::net::options::sets!("TCP_CONGESTION", $get)]
        /// A connection begins anew with the initial window.
        ///
        /// # Errors
        /// [`NotFound`](::std::io::ErrorKind::NotFound) for another name.
        pub fn $set(&self, name: &[u8]) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Tcp, |options| {
                options.congestion_control = $crate::net::options::congestion_control_named(name)?;
                Ok(())
            })
        }
    };

    (TCP_USER_TIMEOUT, $get:ident, $set:ident) => {
        /// `TCP_USER_TIMEOUT` (RFC 5482): how long what was sent, a SYN included, may stay
        /// unacknowledged, and what was written may wait for a window, before the connection fails
        /// with [`TimedOut`](::std::io::ErrorKind::TimedOut). It counts from the peer's last
        /// acknowledgment, and replaces the host's `retries`. `None` by default.
        pub fn $get(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.user_timeout())
        }

        #[doc = $crate::net::options::sets!("TCP_USER_TIMEOUT", $get)]
        /// Only whole milliseconds count; less than one is `None`.
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) for more than 2^31 - 1
        /// milliseconds.
        pub fn $set(&self, timeout: Option<::std::time::Duration>) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Tcp, |options| {
                options.set_user_timeout(timeout)
            })
        }
    };
}

pub(in crate::net) use tcp_option;

const CONGESTION_CONTROLS: [(&[u8], CongestionControl); 3] = [
    (b"reno", CongestionControl::Reno),
    (b"cubic", CongestionControl::Cubic),
    (b"none", CongestionControl::None),
];

pub(in crate::net) fn name_of_congestion_control(control: CongestionControl) -> &'static [u8] {
    let named = CONGESTION_CONTROLS.iter().find(|(_, named)| *named == control);
    named.map_or(b"", |(name, _)| name)
}

pub(in crate::net) fn congestion_control_named(name: &[u8]) -> Result<CongestionControl, Errno> {
    let named = CONGESTION_CONTROLS.iter().find(|(known, _)| *known == name);
    named.map(|(_, control)| *control).ok_or(Errno::NoEntry)
}
