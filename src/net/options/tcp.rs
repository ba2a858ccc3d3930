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
                options.set_nodelay(nodelay);
                Ok(())
            })
        }
    };

    (TCP_QUICKACK, $get:ident, $set:ident) => {
        /// `TCP_QUICKACK`: whether acknowledgments do not wait for a response to ride on.
        ///
        /// With [`TcpEngine::Glassnet`](crate::TcpEngine::Glassnet) it is Linux's: a connection goes
        /// over to waiting, and back, by what it sees. With the other it says whether they leave at
        /// once, because the option is set or because the socket has no delay for them.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.quickack())
        }

        /// Sets `TCP_QUICKACK`. With [`TcpEngine::Glassnet`](crate::TcpEngine::Glassnet) as on Linux:
        /// an acknowledgment that is owed for what was read leaves now, and those to come wait for
        /// no response (`true`), or do (`false`), until the connection sees otherwise.
        ///
        /// With the other engine acknowledgments leave at once (`true`), or wait as long as the
        /// socket's delay for them says, and this lasts; one that waits already goes on waiting.
        pub fn $set(&self, quickack: bool) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Tcp, |options| {
                options.set_quickack(quickack);
                Ok(())
            })
        }
    };

    (TCP_CORK, $get:ident, $set:ident) => {
        /// `TCP_CORK`: whether less than a full segment waits for more, with `TCP_NODELAY` too.
        /// Nothing that can leave waits for ever: when nothing is in flight, what there is leaves
        /// after a retransmission timeout, which is 200 ms and a round trip on Linux. A close sends
        /// it as well. Off by default.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.cork())
        }

        #[doc = $crate::net::options::sets!("TCP_CORK", $get)]
        /// When it is taken back, what waits leaves, as far as Nagle's algorithm lets it.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) when it is set on a host with
        /// [`TcpEngine::Smoltcp`](crate::TcpEngine::Smoltcp).
        pub fn $set(&self, cork: bool) -> ::std::io::Result<()> {
            self.target()
                .change_tcp($crate::net::options::Level::Tcp, |options| options.set_cork(cork))
        }
    };

    (TCP_MAXSEG, $get:ident, $set:ident) => {
        /// `TCP_MAXSEG`: how many bytes of payload a segment carries at most. Without a connection
        /// it is what was set, or 536; of a connection it is what the path and the peer allow now,
        /// timestamps not counted.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a connection of
        /// [`TcpEngine::Smoltcp`](crate::TcpEngine::Smoltcp).
        pub fn $get(&self) -> ::std::io::Result<u32> {
            self.target().tcp($crate::net::options::Level::Tcp)?.mss()
        }

        #[doc = $crate::net::options::sets!("TCP_MAXSEG", $get)]
        /// A SYN to come says no more than this, and no segment of its connection carries more; what
        /// is connected already stays as it is, as on Linux. 0 takes it back.
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) outside 88 to 32,767;
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) on a host with
        /// [`TcpEngine::Smoltcp`](crate::TcpEngine::Smoltcp).
        pub fn $set(&self, bytes: u32) -> ::std::io::Result<()> {
            self.target()
                .change_tcp($crate::net::options::Level::Tcp, |options| options.set_mss(bytes))
        }
    };

    (TCP_NOTSENT_LOWAT, $get:ident, $set:ident) => {
        /// `TCP_NOTSENT_LOWAT`: how many bytes may wait to be sent for the first time before a
        /// write waits. 0, the default, is no bound but the send buffer.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.notsent_lowat())
        }

        #[doc = $crate::net::options::sets!("TCP_NOTSENT_LOWAT", $get)]
        /// As on Linux a write takes 64 KiB more at a time until so much waits, and the socket is
        /// writable again when less than half of it does.
        pub fn $set(&self, bytes: u32) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Tcp, |options| {
                options.set_notsent_lowat(bytes);
                Ok(())
            })
        }
    };

    (TCP_WINDOW_CLAMP, $get:ident, $set:ident) => {
        /// `TCP_WINDOW_CLAMP`: the most bytes of window that are advertised, if it was set, else 0.
        pub fn $get(&self) -> ::std::io::Result<u32> {
            Ok(self.target().tcp($crate::net::options::Level::Tcp)?.window_clamp())
        }

        #[doc = $crate::net::options::sets!("TCP_WINDOW_CLAMP", $get)]
        /// Less than 1152 counts as that; 0 takes it back. What was advertised already stays
        /// advertised.
        ///
        /// # Errors
        /// [`InvalidInput`](::std::io::ErrorKind::InvalidInput) when it is taken back of a listener
        /// or a connection; [`Unsupported`](::std::io::ErrorKind::Unsupported) when it is set on a
        /// host with [`TcpEngine::Smoltcp`](crate::TcpEngine::Smoltcp).
        pub fn $set(&self, bytes: u32) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Tcp, |options| {
                options.set_window_clamp(bytes)
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
        /// A connection of [`TcpEngine::Glassnet`](crate::TcpEngine::Glassnet) goes on with the
        /// window it has, as on Linux; one of the other begins anew with the initial window.
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
