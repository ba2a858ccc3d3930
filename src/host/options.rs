//! What can be set on a host's stack.

use std::time::Duration;

use crate::tcp::{CongestionControl, TcpEngine};

/// The settings of a host's TCP/IP stack, with their defaults in [`HostOptions::default`].
///
/// ```
/// use glassnet::{HostOptions, Sim};
///
/// let mut sim = Sim::new(1);
/// sim.host_options("server", HostOptions { mtu: 9000, ..HostOptions::default() });
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HostOptions {
    /// Largest IP packet the interface sends or receives, in bytes: 68 to 65535. Default 1500.
    pub mtu: usize,
    /// What speaks TCP. Default [`TcpEngine::Smoltcp`].
    pub tcp_engine: TcpEngine,
    /// Receive buffer of each TCP socket in bytes, which is also the largest window it
    /// advertises: 1 to 2^30. Default 65535, the most that needs no window scaling.
    pub recv_buffer: usize,
    /// Send buffer of each TCP socket in bytes: 1 to 2^30. A writer that found it full is woken when
    /// a third of it is free, so a flow fills the peer's window all the time if the buffer is one and
    /// a half windows or more. Default 98304, one and a half of the default `recv_buffer`.
    pub send_buffer: usize,
    /// What the receive buffer of a TCP socket grows to as its application reads, unless the socket
    /// sets its size (Linux's third `tcp_rmem`; dynamic right-sizing): at most 2^30. Default 0: it
    /// does not grow. Only [`TcpEngine::Glassnet`] grows buffers.
    pub recv_buffer_max: usize,
    /// What the send buffer of a TCP socket grows to with the congestion window, unless the socket
    /// sets its size (Linux's third `tcp_wmem`): at most 2^30. Default 0: it does not grow.
    pub send_buffer_max: usize,
    /// How much of the receive buffer the peer is not told of: its size shifted right by this
    /// (Linux's `tcp_adv_win_scale`): 0 to 31, where 0 tells of all. Default 0.
    pub adv_win_scale: u8,
    /// Congestion control of each TCP socket. Default [`CongestionControl::Reno`].
    pub congestion_control: CongestionControl,
    /// How long an acknowledgment may wait for data to ride on, or for a second segment
    /// (RFC 9293 3.8.6.3). Default 10 ms; `None` acknowledges at once.
    pub ack_delay: Option<Duration>,
    /// Nagle's algorithm (RFC 9293 3.7.4), where a socket does not set `nodelay`. Default on.
    pub nagle: bool,
    /// Number of SYN retransmissions before `connect` fails with `TimedOut`: Linux's
    /// `tcp_syn_retries`. Default 6, which gives up 127 seconds after the first.
    pub syn_retries: u32,
    /// Number of SYN-ACK retransmissions before a half-open connection is forgotten: Linux's
    /// `tcp_synack_retries`. Default 5, which is 63 seconds.
    pub synack_retries: u32,
    /// Number of retransmissions of the first unacknowledged segment before the connection fails
    /// with `TimedOut`: Linux's `tcp_retries2`. Default 15.
    pub retries: u32,
    /// The same for a connection that no application holds any more: Linux's
    /// `tcp_orphan_retries`. Default 15; Linux's is 8, which gave up once in 50,000 echoes of 20 kB
    /// over a link that loses a tenth.
    pub orphan_retries: u32,
    /// How long a connection that no application holds waits in FIN-WAIT-2 for the peer's FIN:
    /// Linux's `tcp_fin_timeout`. Default 60 s.
    pub fin_timeout: Duration,
    /// How long TIME-WAIT lasts. Default 60 s, as on Linux.
    pub time_wait: Duration,
    /// How many half-open connections a listener keeps; a SYN beyond them is dropped: Linux's
    /// `tcp_max_syn_backlog`. Default 1024.
    pub syn_backlog: usize,
    /// What a listener with a full accept queue does with a SYN. Default: it is dropped
    /// silently, as on Linux, and the client tries again.
    pub reset_on_overflow: bool,
    /// How many TCP connections the host keeps, TIME-WAIT not counted; beyond them `connect`
    /// fails with `EMFILE` and SYNs are dropped. Default 1,048,576.
    pub max_connections: usize,
}

impl Default for HostOptions {
    fn default() -> HostOptions {
        HostOptions {
            mtu: 1500,
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
            syn_backlog: 1024,
            reset_on_overflow: false,
            max_connections: 1 << 20,
        }
    }
}

impl HostOptions {
    /// Linux 6.1 as Debian 12 configures it: glassnet's own TCP with CUBIC, buffers that grow from
    /// 128 KiB and 85 KiB to 6 MiB and 4 MiB, of which half is advertised, delayed ACKs of 40 to
    /// 200 ms.
    #[must_use]
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

    /// What is wrong with these settings, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let within = |what: &str, value: usize, min: usize, max: usize| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                Err(format!("{what} of {value} is not within {min} to {max}"))
            }
        };
        // 68 is the least that every IPv4 module must take (RFC 791 3.2).
        within("mtu", self.mtu, 68, 65_535)?;
        within("recv_buffer", self.recv_buffer, 1, 1 << 30)?;
        within("send_buffer", self.send_buffer, 1, 1 << 30)?;
        within("recv_buffer_max", self.recv_buffer_max, 0, 1 << 30)?;
        within("send_buffer_max", self.send_buffer_max, 0, 1 << 30)?;
        within("adv_win_scale", self.adv_win_scale.into(), 0, 31)?;
        within("syn_backlog", self.syn_backlog, 1, 1 << 20)
    }
}
