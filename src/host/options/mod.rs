//! What can be set on a host's stack.

mod buffers;
mod check;
mod tcp;
mod timers;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::tcp::{CongestionControl, HyStart, MAX_ASKED, TcpEngine};
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
    pub(crate) recv_buffer_min: usize,
    pub(crate) send_buffer_min: usize,
    pub(crate) recv_buffer_max: usize,
    pub(crate) send_buffer_max: usize,
    pub(crate) rmem_max: u32,
    pub(crate) wmem_max: u32,
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
    pub(crate) keepalive_time: Duration,
    pub(crate) keepalive_interval: Duration,
    pub(crate) keepalive_probes: u32,
    pub(crate) sack: bool,
    pub(crate) timestamps: bool,
    pub(crate) window_scaling: bool,
    pub(crate) ecn: bool,
    pub(crate) initial_window: u32,
    pub(crate) initial_window_bytes: Option<u32>,
    pub(crate) slow_start_after_idle: bool,
    pub(crate) hystart: HyStart,
    pub(crate) rto_initial: Duration,
    pub(crate) rto_min: Duration,
    pub(crate) rto_floor: Duration,
    pub(crate) rto_max: Duration,
    pub(crate) tail_loss_probe: bool,
    pub(crate) ack_delay_min: Duration,
    pub(crate) quick_acks: u8,
    pub(crate) syn_linear_timeouts: u32,
    /// What was asked for that smoltcp's engine cannot do.
    pub(crate) needs_glassnet: BTreeSet<&'static str>,
}

impl Default for HostOptions {
    fn default() -> HostOptions {
        HostOptions {
            mtu: None,
            tcp_engine: TcpEngine::default(),
            recv_buffer: 65_535,
            send_buffer: 98_304,
            recv_buffer_min: 4_096,
            send_buffer_min: 4_096,
            recv_buffer_max: 0,
            send_buffer_max: 0,
            rmem_max: MAX_ASKED,
            wmem_max: MAX_ASKED,
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
            keepalive_time: Duration::from_secs(7_200),
            keepalive_interval: Duration::from_secs(75),
            keepalive_probes: 9,
            sack: true,
            timestamps: true,
            window_scaling: true,
            ecn: false,
            initial_window: 10,
            initial_window_bytes: None,
            slow_start_after_idle: true,
            hystart: HyStart::default(),
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_millis(200),
            rto_floor: Duration::ZERO,
            rto_max: Duration::from_secs(120),
            tail_loss_probe: true,
            ack_delay_min: Duration::from_millis(40),
            quick_acks: 16,
            syn_linear_timeouts: 0,
            needs_glassnet: BTreeSet::new(),
        }
    }
}

impl HostOptions {
    /// Linux 6.1 as Debian 12 configures it: glassnet's own TCP with CUBIC, buffers that grow from
    /// 128 KiB and 85 KiB to 6 MiB and 4 MiB, of which half is advertised, delayed ACKs of 40 to
    /// 200 ms.
    pub fn linux() -> HostOptions {
        let options = HostOptions {
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
        };
        options.needing_glassnet("HostOptions::linux()", true)
    }

    /// What the RFCs ask for where Linux does otherwise, and Linux's values elsewhere: a
    /// retransmission timeout of at least 1 s (RFC 6298 2.4), an initial window of ten segments, but
    /// of no more than 14,600 bytes or two segments (RFC 6928), CUBIC (RFC 9438) with HyStart++
    /// (RFC 9406), an acknowledgment
    /// of every second segment from the first on (RFC 5681 4.2), a SYN that is tried for three
    /// minutes and longer (RFC 9293 3.8.3), a TIME-WAIT of 2 MSL, which are four minutes (RFC 9293
    /// 3.6.1), all of the receive buffer as window, and as many retransmissions for who has closed
    /// as for who has not.
    ///
    /// Where the RFCs leave a choice it is Linux's: the variance in the timeout is at least
    /// [`rto_min`](HostOptions::rto_min); the window of an idle connection halves with each timeout
    /// (RFC 2861) instead of falling to the initial window at once (RFC 5681 4.1); acknowledgments
    /// wait 40 to 200 ms (at most 500 in RFC 9293 3.8.6.3); CUBIC's beta is 717/1024 for 0.7 and its
    /// threshold after a loss is taken from the congestion window, not from what is in flight
    /// (RFC 9438 4.6).
    pub fn rfc() -> HostOptions {
        let options = HostOptions {
            adv_win_scale: 0,
            rto_floor: Duration::from_secs(1),
            initial_window_bytes: Some(14_600),
            hystart: HyStart::PlusPlus,
            quick_acks: 0,
            syn_retries: 7,
            synack_retries: 7,
            orphan_retries: 15,
            time_wait: Duration::from_secs(240),
            needs_glassnet: BTreeSet::new(),
            ..HostOptions::linux()
        };
        options.needing_glassnet("HostOptions::rfc()", true)
    }

    /// What speaks TCP on the host. Default [`TcpEngine::Smoltcp`].
    pub fn tcp_engine(mut self, engine: TcpEngine) -> HostOptions {
        self.tcp_engine = engine;
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

    /// Congestion control of each TCP socket (Linux's `tcp_congestion_control`). Default
    /// [`CongestionControl::Reno`]. `TCP_CONGESTION` changes it for one socket.
    pub fn congestion_control(mut self, control: CongestionControl) -> HostOptions {
        self.congestion_control = control;
        self
    }

    /// Nagle's algorithm (RFC 9293 section 3.7.4), where a socket does not set `TCP_NODELAY`.
    /// Default on.
    pub fn nagle(mut self, on: bool) -> HostOptions {
        self.nagle = on;
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
    /// that the ACK begins has neither window scaling nor SACK; with
    /// [`TcpEngine::Glassnet`](crate::TcpEngine::Glassnet) and a peer that has timestamps it has both,
    /// as on Linux: they are in the timestamp that the peer echoes. A SYN-ACK with a cookie is not sent
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
}
