//! The options of a TCP socket: what `setsockopt(2)` sets, and what it refuses.
//!
//! A socket has them before it listens or connects; a connection that was accepted begins with
//! those of its listener, as on Linux.

mod buffers;
mod segments;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::error::Errno;
use crate::wire::ip::IpFields;

/// Linux's `MAX_TCP_KEEPIDLE` and `MAX_TCP_KEEPINTVL`, in seconds.
pub(crate) const MAX_KEEP_ALIVE_SECONDS: u16 = 32_767;
/// Linux's `MAX_TCP_KEEPCNT`.
pub(crate) const MAX_KEEP_ALIVE_RETRIES: u8 = 127;
/// Linux's `rmem_max` and `wmem_max`: the most that `SO_RCVBUF` and `SO_SNDBUF` may ask for.
pub(crate) const MAX_ASKED: u32 = 212_992;
/// The bits of a traffic class that belong to congestion notification (RFC 3168 section 5).
const ECN: u8 = 0x03;

/// What speaks TCP for the connections of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpEngine {
    /// smoltcp's TCP.
    Smoltcp,
    /// glassnet's own, with Linux's mechanisms: SACK, RACK-TLP, PRR, F-RTO, timestamps.
    Glassnet,
}

impl Default for TcpEngine {
    /// smoltcp's, unless the project's own tests were built with `--cfg glassnet_own_tcp`.
    fn default() -> TcpEngine {
        if cfg!(glassnet_own_tcp) { TcpEngine::Glassnet } else { TcpEngine::Smoltcp }
    }
}

/// A congestion control algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CongestionControl {
    /// RFC 5681. In integers only, so the same on every processor.
    #[default]
    Reno,
    /// RFC 9438.
    Cubic,
    /// None: the sender fills the peer's window. It collapses where a queue overflows.
    None,
}

/// How CUBIC's slow start ends before it overflows a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HyStart {
    /// Not at all: with a loss.
    Off,
    /// As Linux's `tcp_cubic` has it: when a train of acknowledgments is as long as half of the path,
    /// or the delay grows.
    #[default]
    Linux,
    /// HyStart++ (RFC 9406): when the delay grows and goes on growing through five rounds in which
    /// the window grows a quarter as fast.
    PlusPlus,
}

/// The options of one TCP socket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TcpOptions {
    /// What keeps them.
    engine: TcpEngine,
    /// `SO_REUSEADDR`.
    pub(crate) reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub(crate) reuse_port: bool,
    /// `TCP_NODELAY`: Nagle's algorithm is off.
    pub(crate) nodelay: bool,
    /// How long an acknowledgment may wait.
    pub(crate) ack_delay: Option<Duration>,
    /// `TCP_CONGESTION`.
    pub(crate) congestion_control: CongestionControl,
    /// `SO_KEEPALIVE`.
    pub(crate) keep_alive: bool,
    // In the units in which Linux counts: each connection has a copy of these.
    keep_alive_seconds: u16,
    keep_alive_interval_seconds: u16,
    keep_alive_retries: u8,
    linger_seconds: Option<u32>,
    /// None when 0.
    user_timeout_milliseconds: u32,
    ttl: u8,
    tos: u8,
    hop_limit: u8,
    traffic_class: u8,
    buffers: Buffers,
    segments: Segments,
}

/// The buffers of a socket.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Buffers {
    recv: u32,
    send: u32,
    /// What they may grow to.
    max_recv: u32,
    max_send: u32,
    /// The application has set the receive buffer.
    recv_is_set: bool,
    /// How much of the receive buffer is not advertised: it, shifted right by this; all is when 0.
    adv_win_scale: u8,
    /// How much of the send buffer has come by growth.
    grown: u32,
    /// `TCP_WINDOW_CLAMP`; none when 0.
    window_clamp: u32,
    /// The most that may be asked for.
    max_asked_recv: u32,
    max_asked_send: u32,
}

/// What a socket says of its segments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Segments {
    /// `TCP_CORK`.
    cork: bool,
    /// `TCP_NODELAY` was set since the engine last took note.
    nodelay_was_set: bool,
    /// `TCP_QUICKACK` of smoltcp's engine: acknowledgments do not wait, whatever `ack_delay` says.
    quickack: bool,
    /// What was asked of glassnet's since it last took note.
    quickack_asked: Option<bool>,
    /// What its connection does, where there is one.
    quickack_in_force: Option<bool>,
    /// `TCP_MAXSEG`; none when 0.
    mss: u16,
    /// That of the connection, where there is one.
    mss_in_force: u16,
    /// `TCP_NOTSENT_LOWAT`; none when 0.
    notsent_lowat: u32,
}

impl Buffers {
    fn new(recv: u32, send: u32) -> Buffers {
        Buffers {
            recv,
            send,
            max_recv: recv,
            max_send: send,
            recv_is_set: false,
            adv_win_scale: 0,
            grown: 0,
            window_clamp: 0,
            max_asked_recv: MAX_ASKED,
            max_asked_send: MAX_ASKED,
        }
    }
}

impl TcpOptions {
    /// Those of a new socket, with buffers of these sizes.
    pub(crate) fn new(recv_buffer: u32, send_buffer: u32) -> TcpOptions {
        TcpOptions {
            engine: TcpEngine::Smoltcp,
            reuse_address: false,
            reuse_port: false,
            nodelay: false,
            ack_delay: None,
            congestion_control: CongestionControl::default(),
            keep_alive: false,
            // Linux's `tcp_keepalive_time`, `tcp_keepalive_intvl` and `tcp_keepalive_probes`.
            keep_alive_seconds: 7_200,
            keep_alive_interval_seconds: 75,
            keep_alive_retries: 9,
            linger_seconds: None,
            user_timeout_milliseconds: 0,
            ttl: IpFields::default().hop_limit,
            tos: 0,
            hop_limit: IpFields::default().hop_limit,
            traffic_class: 0,
            buffers: Buffers::new(recv_buffer, send_buffer),
            segments: Segments::default(),
        }
    }

    pub(crate) fn set_engine(&mut self, engine: TcpEngine) {
        self.engine = engine;
    }

    fn is_glassnets(&self) -> bool {
        self.engine == TcpEngine::Glassnet
    }

    /// How keep-alive asks, where the socket does not say: times in whole seconds, within Linux's
    /// bounds.
    pub(crate) fn keep_alive_by_default(
        &mut self,
        time: Duration,
        interval: Duration,
        probes: u32,
    ) {
        let seconds = |time: Duration| u16::try_from(time.as_secs()).unwrap_or(u16::MAX);
        self.keep_alive_seconds = seconds(time).clamp(1, MAX_KEEP_ALIVE_SECONDS);
        self.keep_alive_interval_seconds = seconds(interval).clamp(1, MAX_KEEP_ALIVE_SECONDS);
        let probes = u8::try_from(probes).unwrap_or(u8::MAX);
        self.keep_alive_retries = probes.clamp(1, MAX_KEEP_ALIVE_RETRIES);
    }

    /// `TCP_KEEPIDLE`: how long a connection is silent before it is probed.
    pub(crate) fn keep_alive_time(&self) -> Duration {
        Duration::from_secs(self.keep_alive_seconds.into())
    }

    /// Whole seconds count, of which Linux takes 1 to 32767.
    pub(crate) fn set_keep_alive_time(&mut self, time: Duration) -> io::Result<()> {
        self.keep_alive_seconds = keep_alive_seconds(time)?;
        Ok(())
    }

    /// `TCP_KEEPINTVL`: how long after one probe the next follows.
    pub(crate) fn keep_alive_interval(&self) -> Duration {
        Duration::from_secs(self.keep_alive_interval_seconds.into())
    }

    /// Whole seconds count, of which Linux takes 1 to 32767.
    pub(crate) fn set_keep_alive_interval(&mut self, interval: Duration) -> io::Result<()> {
        self.keep_alive_interval_seconds = keep_alive_seconds(interval)?;
        Ok(())
    }

    /// `TCP_KEEPCNT`: how many probes go unanswered before the connection has timed out.
    pub(crate) fn keep_alive_retries(&self) -> u32 {
        self.keep_alive_retries.into()
    }

    /// Linux takes 1 to 127.
    pub(crate) fn set_keep_alive_retries(&mut self, retries: u32) -> io::Result<()> {
        self.keep_alive_retries = match u8::try_from(retries) {
            Ok(retries @ 1..=MAX_KEEP_ALIVE_RETRIES) => retries,
            _ => return Err(Errno::Invalid.into()),
        };
        Ok(())
    }

    /// `SO_LINGER`.
    pub(crate) fn linger(&self) -> Option<Duration> {
        self.linger_seconds.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Whole seconds count, as in `struct linger`, and no more than 136 years of them.
    pub(crate) fn set_linger(&mut self, linger: Option<Duration>) {
        self.linger_seconds = linger.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    }

    /// A close resets the connection.
    pub(crate) fn resets_on_close(&self) -> bool {
        self.linger_seconds == Some(0)
    }

    /// `TCP_USER_TIMEOUT`.
    #[inline]
    pub(crate) fn user_timeout(&self) -> Option<Duration> {
        let milliseconds = u64::from(self.user_timeout_milliseconds);
        (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
    }

    /// Whole milliseconds count; none, or `None`, is no timeout of the user's.
    pub(crate) fn set_user_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let milliseconds = timeout.map_or(0, |timeout| timeout.as_millis());
        let milliseconds = i32::try_from(milliseconds).map_err(|_| Errno::Invalid)?;
        self.user_timeout_milliseconds = milliseconds.unsigned_abs();
        Ok(())
    }

    /// `IP_TTL`.
    pub(crate) fn ttl(&self) -> u8 {
        self.ttl
    }

    /// Linux takes 1 to 255.
    pub(crate) fn set_ttl(&mut self, ttl: u32) -> io::Result<()> {
        self.ttl = match u8::try_from(ttl) {
            Ok(ttl) if ttl > 0 => ttl,
            _ => return Err(Errno::Invalid.into()),
        };
        Ok(())
    }

    /// `IPV6_UNICAST_HOPS`.
    pub(crate) fn hop_limit(&self) -> u8 {
        self.hop_limit
    }

    /// EINVAL above 255; 0 is allowed, as on Linux.
    pub(crate) fn set_hop_limit(&mut self, limit: u32) -> io::Result<()> {
        self.hop_limit = u8::try_from(limit).map_err(|_| Errno::Invalid)?;
        Ok(())
    }

    /// `IP_TOS`.
    pub(crate) fn tos(&self) -> u8 {
        self.tos
    }

    /// The lowest eight bits count, without the two of ECN, which are TCP's own.
    pub(crate) fn set_tos(&mut self, tos: u32) {
        self.tos = tos.to_be_bytes()[3] & !ECN;
    }

    /// `IPV6_TCLASS`.
    pub(crate) fn traffic_class(&self) -> u8 {
        self.traffic_class
    }

    /// 0 to 255; the two bits of ECN are TCP's own, and left out.
    pub(crate) fn set_traffic_class(&mut self, class: u32) -> io::Result<()> {
        let class = u8::try_from(class).map_err(|_| Errno::Invalid)?;
        self.traffic_class = class & !ECN;
        Ok(())
    }

    /// What the headers of packets to `remote` carry.
    pub(crate) fn ip_fields(&self, remote: IpAddr) -> IpFields {
        match remote {
            IpAddr::V4(_) => IpFields { hop_limit: self.ttl, traffic_class: self.tos },
            IpAddr::V6(_) => {
                IpFields { hop_limit: self.hop_limit, traffic_class: self.traffic_class }
            }
        }
    }
}

fn keep_alive_seconds(duration: Duration) -> io::Result<u16> {
    match u16::try_from(duration.as_secs()) {
        Ok(seconds @ 1..=MAX_KEEP_ALIVE_SECONDS) => Ok(seconds),
        _ => Err(Errno::Invalid.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TcpOptions {
        TcpOptions::new(65_535, 98_304)
    }

    #[test]
    fn the_defaults_are_linuxs() {
        let options = options();
        assert_eq!(options.keep_alive_time(), Duration::from_secs(7_200));
        assert_eq!(options.keep_alive_interval(), Duration::from_secs(75));
        assert_eq!(options.keep_alive_retries(), 9);
        assert_eq!((options.ttl(), options.hop_limit()), (64, 64));
        assert_eq!((options.tos(), options.traffic_class()), (0, 0));
        assert_eq!((options.linger(), options.user_timeout()), (None, None));
        assert_eq!((options.recv_buffer(), options.send_buffer()), (65_535, 98_304));
    }

    #[test]
    fn times_are_cut_to_what_linux_counts_in() {
        let mut options = options();
        options.set_keep_alive_time(Duration::from_millis(2_900)).unwrap();
        assert_eq!(options.keep_alive_time(), Duration::from_secs(2));
        options.set_linger(Some(Duration::from_millis(999)));
        assert!(options.resets_on_close());
        options.set_user_timeout(Some(Duration::from_micros(1_500))).unwrap();
        assert_eq!(options.user_timeout(), Some(Duration::from_millis(1)));
        options.set_user_timeout(Some(Duration::from_micros(500))).unwrap();
        assert_eq!(options.user_timeout(), None);
    }

    #[test]
    fn what_linux_refuses_is_invalid_and_changes_nothing() {
        let mut options = options();
        let before = options;
        let refused: [io::Result<()>; 10] = [
            options.set_keep_alive_time(Duration::from_millis(999)),
            options.set_keep_alive_time(Duration::from_secs(32_768)),
            options.set_keep_alive_interval(Duration::ZERO),
            options.set_keep_alive_retries(0),
            options.set_keep_alive_retries(128),
            options.set_user_timeout(Some(Duration::from_secs(1 << 32))),
            options.set_ttl(0),
            options.set_ttl(256),
            options.set_hop_limit(256),
            options.set_traffic_class(256),
        ];
        for result in refused {
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(options, before);
    }

    #[test]
    fn the_bits_of_congestion_notification_are_not_the_applications() {
        let mut options = options();
        options.set_tos(0x1bb);
        assert_eq!(options.tos(), 0xb8);
        options.set_traffic_class(0xff).unwrap();
        assert_eq!(options.traffic_class(), 0xfc);
    }
}
