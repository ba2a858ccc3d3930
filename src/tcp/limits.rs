//! What the connections of a host go by, whatever their sockets say: Linux's sysctls, and the
//! constants of its TCP.

use std::time::Duration;

use super::options::{HyStart, TcpEngine};

/// What the connections of a host go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) engine: TcpEngine,
    /// The interface's: largest IP packet.
    pub(crate) mtu: usize,
    /// `tcp_syn_retries`.
    pub(crate) syn_retries: u32,
    /// `tcp_syn_linear_timeouts`.
    pub(crate) syn_linear_timeouts: u32,
    /// `tcp_synack_retries`.
    pub(crate) synack_retries: u32,
    /// `tcp_retries2`.
    pub(crate) retries: u32,
    /// `tcp_orphan_retries`.
    pub(crate) orphan_retries: u32,
    /// `tcp_fin_timeout`.
    pub(crate) fin_timeout: Duration,
    pub(crate) rto: RtoBounds,
    /// Segments (RFC 6928).
    pub(crate) initial_window: u32,
    /// The most bytes of them, unless two segments are more.
    pub(crate) initial_window_bytes: u32,
    /// `tcp_slow_start_after_idle`.
    pub(crate) slow_start_after_idle: bool,
    /// `tcp_cubic`'s `hystart`.
    pub(crate) hystart: HyStart,
    /// `tcp_sack`.
    pub(crate) sack: bool,
    /// `tcp_timestamps`.
    pub(crate) timestamps: bool,
    /// A SYN asks for it: a `tcp_ecn` of 1.
    pub(crate) ecn: bool,
    /// `tcp_window_scaling`.
    pub(crate) window_scaling: bool,
    /// RFC 8985 section 7; `tcp_early_retrans`.
    pub(crate) tail_loss_probe: bool,
    /// The least that an ACK waits, where it may, in nanoseconds: `TCP_DELACK_MIN`.
    pub(crate) ack_delay_min: u64,
    /// ACKs that leave at once when a connection begins: `TCP_MAX_QUICKACKS`.
    pub(crate) quick_acks: u8,
}

/// What a retransmission timeout is within, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RtoBounds {
    /// Before there is a sample (RFC 6298 2.1): `TCP_TIMEOUT_INIT`.
    pub(crate) initial: u32,
    /// What is added to the smoothed round-trip time, at least: `TCP_RTO_MIN`.
    pub(crate) min: u32,
    /// The least, whatever the round-trip time (RFC 6298 2.4).
    pub(crate) floor: u32,
    /// `TCP_RTO_MAX`.
    pub(crate) max: u32,
}

impl RtoBounds {
    /// Linux's.
    #[cfg(test)]
    pub(crate) const LINUX: RtoBounds =
        RtoBounds { initial: 1_000_000, min: 200_000, floor: 0, max: 120_000_000 };
}
