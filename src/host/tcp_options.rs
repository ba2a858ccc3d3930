//! The options of a TCP socket: what `setsockopt(2)` sets, and what it refuses.
//!
//! A socket has them before it listens or connects; a connection that was accepted begins with
//! those of its listener, as on Linux.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::flow::FlowId;
use super::listener::ListenerId;
use super::options::{CongestionControl, HostOptions};
use super::ports::{BindingId, Reuse};
use super::stack::Host;
use crate::error::Errno;
use crate::wire::ip::IpFields;

/// Linux's `MAX_TCP_KEEPIDLE` and `MAX_TCP_KEEPINTVL`, in seconds.
const MOST_KEEP_ALIVE_SECONDS: u64 = 32_767;
/// Linux's `MAX_TCP_KEEPCNT`.
const MOST_KEEP_ALIVE_RETRIES: u32 = 127;
/// The most that a window can advertise (RFC 7323 2.3).
const LARGEST_BUFFER: u32 = 1 << 30;
/// The bits of a traffic class that belong to congestion notification (RFC 3168 section 5).
const ECN: u8 = 0x03;

/// The options of one TCP socket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TcpOptions {
    /// `SO_REUSEADDR`.
    pub(crate) reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub(crate) reuse_port: bool,
    /// `TCP_NODELAY`: Nagle's algorithm is off.
    pub(crate) nodelay: bool,
    /// `TCP_QUICKACK`: acknowledgments do not wait, whatever `ack_delay` says.
    pub(crate) quickack: bool,
    /// How long an acknowledgment may wait.
    pub(crate) ack_delay: Option<Duration>,
    /// `TCP_CONGESTION`.
    pub(crate) congestion_control: CongestionControl,
    /// `SO_KEEPALIVE`.
    pub(crate) keep_alive: bool,
    keep_alive_time: Duration,
    keep_alive_interval: Duration,
    keep_alive_retries: u32,
    linger: Option<Duration>,
    user_timeout: Option<Duration>,
    ttl: u8,
    tos: u8,
    hop_limit: u8,
    traffic_class: u8,
    recv_buffer: u32,
    send_buffer: u32,
}

impl TcpOptions {
    /// Those of a new socket of a host.
    pub(crate) fn new(options: &HostOptions) -> TcpOptions {
        TcpOptions {
            reuse_address: false,
            reuse_port: false,
            nodelay: !options.nagle,
            quickack: false,
            ack_delay: options.ack_delay,
            congestion_control: options.congestion_control,
            keep_alive: false,
            // Linux's `tcp_keepalive_time`, `tcp_keepalive_intvl` and `tcp_keepalive_probes`.
            keep_alive_time: Duration::from_secs(7_200),
            keep_alive_interval: Duration::from_secs(75),
            keep_alive_retries: 9,
            linger: None,
            user_timeout: None,
            ttl: IpFields::default().hop_limit,
            tos: 0,
            hop_limit: IpFields::default().hop_limit,
            traffic_class: 0,
            // Host options are within 2^30.
            recv_buffer: options.recv_buffer as u32,
            send_buffer: options.send_buffer as u32,
        }
    }

    pub(crate) fn reuse(&self) -> Reuse {
        Reuse { address: self.reuse_address, port: self.reuse_port }
    }

    /// How long an acknowledgment waits.
    pub(crate) fn ack_delay_in_force(&self) -> Option<Duration> {
        if self.quickack { None } else { self.ack_delay }
    }

    /// `TCP_KEEPIDLE`: how long a connection is silent before it is probed.
    pub(crate) fn keep_alive_time(&self) -> Duration {
        self.keep_alive_time
    }

    /// Whole seconds count, of which Linux takes 1 to 32767.
    pub(crate) fn set_keep_alive_time(&mut self, time: Duration) -> io::Result<()> {
        self.keep_alive_time = keep_alive_seconds(time)?;
        Ok(())
    }

    /// `TCP_KEEPINTVL`: how long after one probe the next follows.
    pub(crate) fn keep_alive_interval(&self) -> Duration {
        self.keep_alive_interval
    }

    /// Whole seconds count, of which Linux takes 1 to 32767.
    pub(crate) fn set_keep_alive_interval(&mut self, interval: Duration) -> io::Result<()> {
        self.keep_alive_interval = keep_alive_seconds(interval)?;
        Ok(())
    }

    /// `TCP_KEEPCNT`: how many probes go unanswered before the connection has timed out.
    pub(crate) fn keep_alive_retries(&self) -> u32 {
        self.keep_alive_retries
    }

    /// Linux takes 1 to 127.
    pub(crate) fn set_keep_alive_retries(&mut self, retries: u32) -> io::Result<()> {
        if !(1..=MOST_KEEP_ALIVE_RETRIES).contains(&retries) {
            return Err(Errno::Invalid.into());
        }
        self.keep_alive_retries = retries;
        Ok(())
    }

    /// `SO_LINGER`.
    pub(crate) fn linger(&self) -> Option<Duration> {
        self.linger
    }

    /// Whole seconds count, as in `struct linger`.
    pub(crate) fn set_linger(&mut self, linger: Option<Duration>) {
        self.linger = linger.map(|time| Duration::from_secs(time.as_secs()));
    }

    /// A close resets the connection.
    pub(crate) fn resets_on_close(&self) -> bool {
        self.linger == Some(Duration::ZERO)
    }

    /// `TCP_USER_TIMEOUT`.
    pub(crate) fn user_timeout(&self) -> Option<Duration> {
        self.user_timeout
    }

    /// Whole milliseconds count; none, or `None`, is no timeout of the user's.
    pub(crate) fn set_user_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let milliseconds = timeout.map_or(0, |timeout| timeout.as_millis());
        let milliseconds = i32::try_from(milliseconds).map_err(|_| Errno::Invalid)?;
        let timeout = Duration::from_millis(u64::from(milliseconds.unsigned_abs()));
        self.user_timeout = (!timeout.is_zero()).then_some(timeout);
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

    /// `SO_RCVBUF`: unlike Linux's, neither doubled nor changed as time goes by.
    pub(crate) fn recv_buffer(&self) -> u32 {
        self.recv_buffer
    }

    /// 1 to 2^30.
    pub(crate) fn set_recv_buffer(&mut self, size: u32) -> io::Result<()> {
        self.recv_buffer = buffer_size("receive", size)?;
        Ok(())
    }

    /// `SO_SNDBUF`: unlike Linux's, neither doubled nor changed as time goes by.
    pub(crate) fn send_buffer(&self) -> u32 {
        self.send_buffer
    }

    /// 1 to 2^30.
    pub(crate) fn set_send_buffer(&mut self, size: u32) -> io::Result<()> {
        self.send_buffer = buffer_size("send", size)?;
        Ok(())
    }

    /// What the headers of packets to `remote` carry.
    pub(super) fn ip_fields(&self, remote: IpAddr) -> IpFields {
        match remote {
            IpAddr::V4(_) => IpFields { hop_limit: self.ttl, traffic_class: self.tos },
            IpAddr::V6(_) => {
                IpFields { hop_limit: self.hop_limit, traffic_class: self.traffic_class }
            }
        }
    }
}

fn keep_alive_seconds(duration: Duration) -> io::Result<Duration> {
    match duration.as_secs() {
        seconds @ 1..=MOST_KEEP_ALIVE_SECONDS => Ok(Duration::from_secs(seconds)),
        _ => Err(Errno::Invalid.into()),
    }
}

fn buffer_size(which: &str, size: u32) -> io::Result<u32> {
    if (1..=LARGEST_BUFFER).contains(&size) {
        return Ok(size);
    }
    let text = format!("a {which} buffer of {size} octets is not within 1 to {LARGEST_BUFFER}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

impl Host {
    /// The options of a new socket.
    pub(crate) fn new_tcp_options(&self) -> TcpOptions {
        TcpOptions::new(&self.options)
    }

    /// The options of a connection, for as long as the application holds it.
    pub(crate) fn flow_options(&self, id: FlowId) -> io::Result<TcpOptions> {
        Ok(self.flow(id).ok_or(Errno::NotConnected)?.options)
    }

    /// Changes the options of a connection. All that `change` changes is in force at once, or
    /// nothing is; sizes of buffers cannot change any more.
    pub(crate) fn change_flow_options(
        &mut self,
        now: u64,
        id: FlowId,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let flow = self.flow_mut(id).ok_or(Errno::NotConnected)?;
        let old = flow.options;
        let mut new = old;
        change(&mut new)?;
        if (new.recv_buffer, new.send_buffer) != (old.recv_buffer, old.send_buffer) {
            return Err(Errno::OperationNotSupported.into());
        }
        flow.options = new;
        flow.engine.apply(&old, &new);
        if new.keep_alive && !old.keep_alive {
            flow.keep_alive.begin(now);
        }
        if new.reuse() != old.reuse() && !flow.detached {
            let port = flow.tuple.local_port;
            self.ports.connection_ends(port, old.reuse());
            self.ports.connection_begins(port, new.reuse());
        }
        // What waited for Nagle's algorithm leaves when that is switched off.
        self.transmit(now, id);
        Ok(())
    }

    /// The options of a listener.
    pub(crate) fn listener_options(&mut self, id: ListenerId) -> io::Result<TcpOptions> {
        Ok(self.listeners.get_mut(id).ok_or(Errno::Invalid)?.options)
    }

    /// Changes the options with which the connections of a listener begin.
    pub(crate) fn change_listener_options(
        &mut self,
        id: ListenerId,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let listener = self.listeners.get_mut(id).ok_or(Errno::Invalid)?;
        let mut new = listener.options;
        change(&mut new)?;
        listener.options = new;
        self.ports.set_reuse(listener.local.port(), listener.binding, new.reuse());
        Ok(())
    }

    /// A bound socket changes who may share its address and port.
    pub(crate) fn set_binding_reuse(&mut self, port: u16, binding: BindingId, reuse: Reuse) {
        self.ports.set_reuse(port, binding, reuse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TcpOptions {
        TcpOptions::new(&HostOptions::default())
    }

    #[test]
    fn the_defaults_are_linuxs_or_the_hosts() {
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
        let refused: [io::Result<()>; 12] = [
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
            options.set_recv_buffer(0),
            options.set_send_buffer((1 << 30) + 1),
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
