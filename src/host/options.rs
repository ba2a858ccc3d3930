//! What can be set on a host's stack.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::tcp::{CongestionControl, TcpEngine};
use crate::wire::ip::IPV6_MIN_MTU;

/// The MTU of Ethernet, in bytes.
const ETHERNET_MTU: usize = 1500;
/// What the connections of a host may take together, in bytes.
const DEFAULT_TCP_MEM: u64 = 256 << 20;

/// The settings of a host's TCP/IP stack: [`HostOptions::default`], and a method for each that is to
/// have another value. `Debug` shows all values.
///
/// ```
/// use glassnet::{HostOptions, Sim};
///
/// let mut sim = Sim::new(1);
/// sim.host_options("server", HostOptions::default().mtu(9000).recv_buffer(1 << 20));
/// # sim.host("server", || async { Ok(()) }).client("client", async { Ok(()) });
/// # sim.run().unwrap();
/// ```
///
/// A value outside its range is an error of the next run, which names it.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "options do nothing until `host_options` gives them to a host"]
pub struct HostOptions {
    /// That of its device, or of Ethernet, where none is set.
    pub(crate) mtu: Option<usize>,
    pub(crate) tcp_engine: TcpEngine,
    pub(crate) recv_buffer: usize,
    pub(crate) send_buffer: usize,
    pub(crate) recv_buffer_max: usize,
    pub(crate) send_buffer_max: usize,
    pub(crate) adv_win_scale: u8,
    pub(crate) congestion_control: CongestionControl,
    pub(crate) ack_delay: Option<Duration>,
    pub(crate) nagle: bool,
    pub(crate) syn_retries: u32,
    pub(crate) synack_retries: u32,
    pub(crate) retries: u32,
    pub(crate) orphan_retries: u32,
    pub(crate) fin_timeout: Duration,
    pub(crate) time_wait: Duration,
    pub(crate) ip_local_port_range: RangeInclusive<u16>,
    pub(crate) syn_backlog: usize,
    pub(crate) syn_cookies: bool,
    pub(crate) reset_on_overflow: bool,
    /// 256 MiB, or in a Live world a quarter of the machine's memory, where none is set.
    pub(crate) tcp_mem: Option<u64>,
    pub(crate) max_connections: usize,
}

impl Default for HostOptions {
    fn default() -> HostOptions {
        HostOptions {
            mtu: None,
            tcp_engine: TcpEngine::default(),
            recv_buffer: 65_535,
            send_buffer: 98_304,
            recv_buffer_max: 0,
            send_buffer_max: 0,
            adv_win_scale: 0,
            congestion_control: CongestionControl::Reno,
            ack_delay: Some(Duration::from_millis(10)),
            nagle: true,
            syn_retries: 6,
            synack_retries: 5,
            retries: 15,
            orphan_retries: 15,
            fin_timeout: Duration::from_secs(60),
            time_wait: Duration::from_secs(60),
            ip_local_port_range: 32_768..=60_999,
            syn_backlog: 1024,
            syn_cookies: true,
            reset_on_overflow: false,
            tcp_mem: None,
            max_connections: 1 << 20,
        }
    }
}

impl HostOptions {
    /// Linux 6.1 as Debian 12 configures it: glassnet's own TCP with CUBIC, buffers that grow from
    /// 128 KiB and 85 KiB to 6 MiB and 4 MiB, of which half is advertised, delayed ACKs of 40 to
    /// 200 ms.
    pub fn linux() -> HostOptions {
        HostOptions {
            tcp_engine: TcpEngine::Glassnet,
            recv_buffer: 131_072,
            // What `tcp_wmem` says, grown to the initial window when a connection is established.
            send_buffer: 87_040,
            recv_buffer_max: 6_291_456,
            send_buffer_max: 4_194_304,
            adv_win_scale: 1,
            congestion_control: CongestionControl::Cubic,
            ack_delay: Some(Duration::from_millis(200)),
            orphan_retries: 8,
            ..HostOptions::default()
        }
    }

    /// What speaks TCP on the host. Default [`TcpEngine::Smoltcp`].
    pub fn tcp_engine(mut self, engine: TcpEngine) -> HostOptions {
        self.tcp_engine = engine;
        self
    }

    /// What the receive buffer of a TCP socket grows to as its application reads, unless the socket
    /// sets its size: 0 to 2^30 bytes (Linux's third `tcp_rmem`; dynamic right-sizing). Default 0:
    /// it does not grow. Only [`TcpEngine::Glassnet`] grows buffers; with the other it is an error.
    pub fn recv_buffer_max(mut self, bytes: usize) -> HostOptions {
        self.recv_buffer_max = bytes;
        self
    }

    /// What the send buffer of a TCP socket grows to with the congestion window, unless the socket
    /// sets its size: 0 to 2^30 bytes (Linux's third `tcp_wmem`). Default 0: it does not grow. Only
    /// [`TcpEngine::Glassnet`] grows buffers; with the other it is an error.
    pub fn send_buffer_max(mut self, bytes: usize) -> HostOptions {
        self.send_buffer_max = bytes;
        self
    }

    /// How much of the receive buffer the peer is not told of: its size shifted right by this
    /// (Linux's `tcp_adv_win_scale`), 0 to 31, where 0 tells of all. Default 0. Only
    /// [`TcpEngine::Glassnet`] keeps anything back; with the other it is an error.
    pub fn adv_win_scale(mut self, shift: u8) -> HostOptions {
        self.adv_win_scale = shift;
        self
    }

    /// Largest IP packet the interface sends or receives, in bytes: 68 to 65,535 (`ip link set mtu`
    /// on Linux). Default 1500, or that of the device of a [`Live`](crate::Live) host, which it
    /// must not exceed.
    ///
    /// Below 1280 it has no IPv6 (RFC 8200 section 5), as on Linux: its name stands for its IPv4
    /// address alone, binding an IPv6 address fails with `EADDRNOTAVAIL`
    /// ([`AddrNotAvailable`](std::io::ErrorKind::AddrNotAvailable)), and sending or connecting to one
    /// with `ENETUNREACH` ([`NetworkUnreachable`](std::io::ErrorKind::NetworkUnreachable)); `::` and
    /// `::1` still work. A world that is to use IPv6
    /// ([`Sim::ip_version`](crate::Sim::ip_version)) does not start with such a host.
    pub fn mtu(mut self, bytes: usize) -> HostOptions {
        self.mtu = Some(bytes);
        self
    }

    /// Receive buffer of each TCP socket in bytes, which is also the largest window it advertises:
    /// 1 to 2^30 (Linux's `tcp_rmem`). Default 65,535, the most that needs no window scaling.
    /// `SO_RCVBUF` changes it for one socket.
    pub fn recv_buffer(mut self, bytes: usize) -> HostOptions {
        self.recv_buffer = bytes;
        self
    }

    /// Send buffer of each TCP socket in bytes: 1 to 2^30 (Linux's `tcp_wmem`). A writer that found
    /// it full is woken when a third of it is free, so a flow fills the peer's window all the time
    /// if the buffer is one and a half windows or more. Default 98,304, one and a half of the
    /// default [`recv_buffer`](HostOptions::recv_buffer). `SO_SNDBUF` changes it for one socket.
    pub fn send_buffer(mut self, bytes: usize) -> HostOptions {
        self.send_buffer = bytes;
        self
    }

    /// Congestion control of each TCP socket (Linux's `tcp_congestion_control`). Default
    /// [`CongestionControl::Reno`]. `TCP_CONGESTION` changes it for one socket.
    pub fn congestion_control(mut self, control: CongestionControl) -> HostOptions {
        self.congestion_control = control;
        self
    }

    /// How long an acknowledgment may wait for data to ride on, or for a second segment (RFC 9293
    /// section 3.8.6.3); `None` acknowledges at once. Default 10 ms. On Linux it is 40 ms to 200 ms,
    /// and no setting.
    pub fn ack_delay(mut self, delay: impl Into<Option<Duration>>) -> HostOptions {
        self.ack_delay = delay.into();
        self
    }

    /// Nagle's algorithm (RFC 9293 section 3.7.4), where a socket does not set `TCP_NODELAY`.
    /// Default on.
    pub fn nagle(mut self, on: bool) -> HostOptions {
        self.nagle = on;
        self
    }

    /// Number of SYN retransmissions before `connect` fails with
    /// [`TimedOut`](std::io::ErrorKind::TimedOut): Linux's `tcp_syn_retries`. Default 6, which gives
    /// up 127 seconds after the first.
    pub fn syn_retries(mut self, retransmissions: u32) -> HostOptions {
        self.syn_retries = retransmissions;
        self
    }

    /// Number of SYN-ACK retransmissions before a half-open connection is forgotten: Linux's
    /// `tcp_synack_retries`. Default 5, which is 63 seconds.
    pub fn synack_retries(mut self, retransmissions: u32) -> HostOptions {
        self.synack_retries = retransmissions;
        self
    }

    /// Number of retransmissions of the first unacknowledged segment before the connection fails
    /// with [`TimedOut`](std::io::ErrorKind::TimedOut): Linux's `tcp_retries2`. Default 15.
    pub fn retries(mut self, retransmissions: u32) -> HostOptions {
        self.retries = retransmissions;
        self
    }

    /// The same for a connection that no application holds any more: Linux's
    /// `tcp_orphan_retries`. Default 15; Linux's is 8, which gave up once in 50,000 echoes of 20 kB
    /// over a link that loses a tenth.
    pub fn orphan_retries(mut self, retransmissions: u32) -> HostOptions {
        self.orphan_retries = retransmissions;
        self
    }

    /// How long a connection that no application holds waits in FIN-WAIT-2 for the peer's FIN:
    /// Linux's `tcp_fin_timeout`. Default 60 s.
    pub fn fin_timeout(mut self, timeout: Duration) -> HostOptions {
        self.fin_timeout = timeout;
        self
    }

    /// How long TIME-WAIT lasts. Default 60 s, as on Linux, where it is no setting.
    pub fn time_wait(mut self, duration: Duration) -> HostOptions {
        self.time_wait = duration;
        self
    }

    /// The ports from which one is taken where a socket asks for none, 1 to 65,535: Linux's
    /// `ip_local_port_range`. Default 32768 to 60999. Where they begin is drawn from the host's
    /// random stream; from there they go up. To one address and port there are no more connections
    /// than these at a time, those in TIME-WAIT included: then `connect` fails with
    /// [`AddrNotAvailable`](std::io::ErrorKind::AddrNotAvailable). On the loopback those in TIME-WAIT
    /// do not count (Linux's `tcp_tw_reuse` of 2).
    pub fn ip_local_port_range(mut self, ports: RangeInclusive<u16>) -> HostOptions {
        self.ip_local_port_range = ports;
        self
    }

    /// How many half-open connections a listener keeps, 1 to 2^20: Linux's `tcp_max_syn_backlog`.
    /// Default 1024. A SYN beyond them is answered with a cookie, or dropped without
    /// [`syn_cookies`](HostOptions::syn_cookies).
    pub fn syn_backlog(mut self, connections: usize) -> HostOptions {
        self.syn_backlog = connections;
        self
    }

    /// Whether a listener that keeps as many half-open connections as it may answers further SYNs
    /// with a cookie (RFC 4987 section 3.6): Linux's `tcp_syncookies` of 1. Default on. Nothing is
    /// kept of such a SYN: its maximum segment size is in the sequence number of the SYN-ACK, rounded
    /// down to 536, 1300, 1440 or 1460 bytes (1220, 1420, 1440 or 8940 of IPv6), and the connection
    /// that the ACK begins has neither window scaling nor SACK. A SYN-ACK with a cookie is not sent
    /// again, and is good for one to two minutes.
    pub fn syn_cookies(mut self, on: bool) -> HostOptions {
        self.syn_cookies = on;
        self
    }

    /// Whether a listener with a full accept queue answers a SYN with RST. Default off: the SYN is
    /// dropped silently, as on Linux, and the client tries again.
    pub fn reset_on_overflow(mut self, on: bool) -> HostOptions {
        self.reset_on_overflow = on;
        self
    }

    /// Bytes that the buffers of all TCP connections of the host may take together, each counted as
    /// what it holds when it is full, at least 8192: Linux's `tcp_mem`. Default 256 MiB; in a
    /// [`Live`](crate::Live) world a quarter of the machine's memory. When half of it is taken, a
    /// connection that begins gets smaller buffers, and so a smaller window: of what is left a
    /// 4096th part each, down to 4096 bytes. When even for that there is no room, SYNs are dropped
    /// (`tcp_memory_drops`) and `connect` fails with `ENOBUFS`. Connections that there are do not
    /// notice.
    pub fn tcp_mem(mut self, bytes: u64) -> HostOptions {
        self.tcp_mem = Some(bytes);
        self
    }

    /// How many TCP connections the host keeps, TIME-WAIT not counted; beyond them `connect` fails
    /// with `EMFILE` and SYNs are dropped. Default 1,048,576.
    pub fn max_connections(mut self, connections: usize) -> HostOptions {
        self.max_connections = connections;
        self
    }

    /// The bound on the memory of all connections that is in force, in bytes.
    pub(crate) fn tcp_mem_in_force(&self) -> u64 {
        self.tcp_mem.unwrap_or(DEFAULT_TCP_MEM)
    }

    /// The MTU in force, in bytes.
    pub(crate) fn mtu_in_force(&self) -> usize {
        self.mtu.unwrap_or(ETHERNET_MTU)
    }

    /// Whether the interface has IPv6.
    pub(crate) fn has_v6(&self) -> bool {
        self.mtu_in_force() >= IPV6_MIN_MTU
    }

    /// What is wrong with these settings, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let within = |what: &str, value: usize, min: usize, max: usize| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                Err(format!("{what} of {value} is not within {min} to {max}"))
            }
        };
        let (first, last) = (*self.ip_local_port_range.start(), *self.ip_local_port_range.end());
        if first == 0 || first > last {
            return Err(format!("ip_local_port_range of {first} to {last} holds no ports"));
        }
        // 68 is the least that every IPv4 module must take (RFC 791 3.2).
        within("mtu", self.mtu_in_force(), 68, 65_535)?;
        within("recv_buffer", self.recv_buffer, 1, 1 << 30)?;
        within("send_buffer", self.send_buffer, 1, 1 << 30)?;
        within("recv_buffer_max", self.recv_buffer_max, 0, 1 << 30)?;
        within("send_buffer_max", self.send_buffer_max, 0, 1 << 30)?;
        within("adv_win_scale", self.adv_win_scale.into(), 0, 31)?;
        let grows = self.recv_buffer_max > 0 || self.send_buffer_max > 0 || self.adv_win_scale > 0;
        if grows && self.tcp_engine == TcpEngine::Smoltcp {
            return Err("recv_buffer_max, send_buffer_max and adv_win_scale need \
                        tcp_engine(TcpEngine::Glassnet): smoltcp's buffers have one size"
                .to_owned());
        }
        let tcp_mem = self.tcp_mem_in_force();
        if tcp_mem < 8_192 {
            return Err(format!("tcp_mem of {tcp_mem} is less than 8192"));
        }
        within("syn_backlog", self.syn_backlog, 1, 1 << 20)
    }
}
