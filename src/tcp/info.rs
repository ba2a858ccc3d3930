//! What a connection tells of itself: Linux's `struct tcp_info` (`include/uapi/linux/tcp.h`).

use super::state::TcpState;

/// What the sender makes of its losses: Linux's `enum tcp_ca_state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TcpCaState {
    /// `TCP_CA_Open`, 0: nothing is amiss.
    #[default]
    Open,
    /// `TCP_CA_Disorder`, 1: there were SACK blocks or duplicate ACKs, too few for a loss.
    Disorder,
    /// `TCP_CA_CWR`, 2: the congestion window shrinks without a loss, as after ECN or a tail loss
    /// probe.
    Cwr,
    /// `TCP_CA_Recovery`, 3: fast recovery.
    Recovery,
    /// `TCP_CA_Loss`, 4: after a retransmission timeout.
    Loss,
}

impl TcpCaState {
    /// Linux's number for it.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl TcpState {
    /// Linux's number for it, as `tcpi_state` has it: `TCP_ESTABLISHED` is 1, `TCP_CLOSE` 7.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            TcpState::Established => 1,
            TcpState::SynSent => 2,
            TcpState::SynReceived => 3,
            TcpState::FinWait1 => 4,
            TcpState::FinWait2 => 5,
            TcpState::TimeWait => 6,
            TcpState::Closed => 7,
            TcpState::CloseWait => 8,
            TcpState::LastAck => 9,
            TcpState::Listen => 10,
            TcpState::Closing => 11,
        }
    }
}

/// No threshold: Linux's `TCP_INFINITE_SSTHRESH`.
const INFINITE: u32 = 0x7fff_ffff;

macro_rules! tcp_info {
    ($($(#[$doc:meta])* $name:ident: $type:ident at $at:literal,)*) => {
        /// What a TCP socket tells of itself: Linux's `struct tcp_info` (`tcp(7)`, `TCP_INFO`), as
        /// of Linux 6.2, up to `tcpi_rcv_wnd`. The names are the kernel's, without `tcpi_`, and so are
        /// the units: times in microseconds unless a field says otherwise, windows in segments, and
        /// what is counted begins with the connection.
        ///
        /// Always 0, as on Linux, are `fackets` and `last_ack_sent`. `fastopen_client_fail` is 0
        /// because there is no TCP Fast Open here.
        ///
        /// smoltcp's engine ([`TcpEngine::Smoltcp`](crate::TcpEngine)) keeps its control block to
        /// itself. Of a connection of its the following is told, and the rest is 0: `state`,
        /// `retransmits`, `probes`, `options` (window scale), `snd_wscale`, `rcv_wscale`,
        /// `last_data_sent`, `last_data_recv`, `last_ack_recv`, `pmtu`, `advmss`, `total_retrans`,
        /// `bytes_acked`, `bytes_received`, `segs_out`, `segs_in`, `data_segs_out`, `data_segs_in`,
        /// `notsent_bytes`, `bytes_sent`, `bytes_retrans`, `snd_wnd`, `rcv_wnd`, `max_pacing_rate`.
        ///
        /// Of a listener only `state`, `unacked`, `sacked`, `snd_cwnd`, `reordering` and the pacing
        /// rates are told, as on Linux.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct TcpInfo {
            /// The state of the connection; see [`TcpState::number`].
            pub state: TcpState,
            /// What the sender makes of its losses; see [`TcpCaState::number`].
            pub ca_state: TcpCaState,
            /// How far windows of the peer's are shifted (RFC 7323).
            pub snd_wscale: u8,
            /// How far ours are.
            pub rcv_wscale: u8,
            /// `delivery_rate` is what the application gave to send, and not what the path takes.
            pub delivery_rate_app_limited: bool,
            /// Always 0.
            pub fastopen_client_fail: u8,
            $($(#[$doc])* pub $name: $type,)*
        }

        impl TcpInfo {
            /// All that is not known is 0.
            pub(super) fn new(state: TcpState) -> TcpInfo {
                TcpInfo {
                    state,
                    ca_state: TcpCaState::Open,
                    snd_wscale: 0,
                    rcv_wscale: 0,
                    delivery_rate_app_limited: false,
                    fastopen_client_fail: 0,
                    $($name: 0,)*
                }
            }

            /// The value of the field with this name, with or without its `tcpi_`: the states as
            /// the kernel's numbers, a flag as 0 or 1. `None` when there is no such field.
            #[must_use]
            pub fn field(&self, name: &str) -> Option<u64> {
                Some(match name.strip_prefix("tcpi_").unwrap_or(name) {
                    "state" => self.state.number().into(),
                    "ca_state" => self.ca_state.number().into(),
                    "snd_wscale" => self.snd_wscale.into(),
                    "rcv_wscale" => self.rcv_wscale.into(),
                    "delivery_rate_app_limited" => self.delivery_rate_app_limited.into(),
                    "fastopen_client_fail" => self.fastopen_client_fail.into(),
                    $(stringify!($name) => self.$name.into(),)*
                    _ => return None,
                })
            }

            /// As `getsockopt(TCP_INFO)` of a 64-bit Linux 6.2 lays it out, with its numbers in this
            /// machine's byte order.
            #[must_use]
            pub fn to_bytes(&self) -> [u8; TcpInfo::LEN] {
                let mut bytes = [0; TcpInfo::LEN];
                bytes[0] = self.state.number();
                bytes[1] = self.ca_state.number();
                // The first bit field of a byte has its lowest bits, where the lowest byte comes
                // first; elsewhere its highest.
                let nibbles = (self.snd_wscale & 15, self.rcv_wscale & 15);
                let is_limited = u8::from(self.delivery_rate_app_limited);
                let failure = self.fastopen_client_fail & 3;
                if cfg!(target_endian = "little") {
                    bytes[6] = nibbles.0 | nibbles.1 << 4;
                    bytes[7] = is_limited | failure << 1;
                } else {
                    bytes[6] = nibbles.0 << 4 | nibbles.1;
                    bytes[7] = is_limited << 7 | failure << 5;
                }
                $(bytes[$at..$at + size_of::<$type>()].copy_from_slice(&self.$name.to_ne_bytes());)*
                bytes
            }
        }

        #[cfg(test)]
        const LAYOUT: &[(&str, usize, usize)] = &[$((stringify!($name), $at, size_of::<$type>()),)*];
    };
}

tcp_info! {
    /// Retransmission timeouts in a row (of a SYN, too).
    retransmits: u8 at 2,
    /// Probes of a closed window, and of keep-alive, that were not answered.
    probes: u8 at 3,
    /// How often the time until the next timeout, or window probe, has doubled.
    backoff: u8 at 4,
    /// What both sides agreed on: 1 timestamps, 2 SACK, 4 window scale, 8 ECN, 16 ECN and a packet
    /// with ECN's bits was seen, 32 data in the SYN was acknowledged (never).
    options: u8 at 5,
    /// The retransmission timeout.
    rto: u32 at 8,
    /// How long an acknowledgment waits that may.
    ato: u32 at 12,
    /// Bytes of payload of a full segment, beside timestamps.
    snd_mss: u32 at 16,
    /// Bytes of the peer's full segments, as far as they show.
    rcv_mss: u32 at 20,
    /// Segments sent that are not acknowledged, SACKed ones included; of a listener, connections
    /// that wait to be accepted.
    unacked: u32 at 24,
    /// Those of them that the peer has SACKed; without SACK, duplicate ACKs; of a listener, its
    /// backlog.
    sacked: u32 at 28,
    /// Those of them that are taken for lost.
    lost: u32 at 32,
    /// Those of them that were sent again, and are on their way.
    retrans: u32 at 36,
    /// Always 0, since Linux 4.15.
    fackets: u32 at 40,
    /// Milliseconds since data was last sent.
    last_data_sent: u32 at 44,
    /// Always 0: Linux does not remember it.
    last_ack_sent: u32 at 48,
    /// Milliseconds since data last arrived.
    last_data_recv: u32 at 52,
    /// Milliseconds since an acknowledgment last arrived.
    last_ack_recv: u32 at 56,
    /// Bytes of the largest IP packet that reaches the peer, as far as is known.
    pmtu: u32 at 60,
    /// Bytes of the receive buffer that may be advertised now.
    rcv_ssthresh: u32 at 64,
    /// The smoothed round-trip time.
    rtt: u32 at 68,
    /// Its mean deviation.
    rttvar: u32 at 72,
    /// The slow-start threshold; 0x7fffffff when there is none.
    snd_ssthresh: u32 at 76,
    /// The congestion window.
    snd_cwnd: u32 at 80,
    /// Bytes of payload of a full segment that we told the peer of, beside timestamps.
    advmss: u32 at 84,
    /// Segments by which others are expected to overtake one.
    reordering: u32 at 88,
    /// The round-trip time as the receiver sees it; 0 before it is known.
    rcv_rtt: u32 at 92,
    /// Bytes that were read in a round trip, by which the receive buffer is tuned.
    rcv_space: u32 at 96,
    /// Segments sent again.
    total_retrans: u32 at 100,
    /// Bytes a second with which the sender would be paced, as `fq` does it on Linux: nothing is
    /// paced here. The largest number before there is a round-trip time.
    pacing_rate: u64 at 104,
    /// The largest number: there is no limit.
    max_pacing_rate: u64 at 112,
    /// Bytes acknowledged by the peer, with its SYN, if the connection was opened from here, and
    /// its FIN as one each (RFC 4898 `HCThruOctetsAcked`).
    bytes_acked: u64 at 120,
    /// Bytes received in order, with the FIN as one (RFC 4898 `HCThruOctetsReceived`).
    bytes_received: u64 at 128,
    /// Segments sent (RFC 4898 `SegsOut`), without a SYN-ACK, as on Linux.
    segs_out: u32 at 136,
    /// Segments received (RFC 4898 `SegsIn`).
    segs_in: u32 at 140,
    /// Bytes written that have not been sent.
    notsent_bytes: u32 at 144,
    /// The smallest round-trip time of the last five minutes; the largest number when there is none.
    min_rtt: u32 at 148,
    /// Segments with data received (RFC 4898 `DataSegsIn`).
    data_segs_in: u32 at 152,
    /// Segments with data sent (RFC 4898 `DataSegsOut`).
    data_segs_out: u32 at 156,
    /// Bytes a second that were delivered when it was last measured, which is done once a round trip
    /// (on Linux with each acknowledgment).
    delivery_rate: u64 at 160,
    /// How long there was something to send, or in flight.
    busy_time: u64 at 168,
    /// How long of that the peer's window held it back.
    rwnd_limited: u64 at 176,
    /// How long of that the send buffer did.
    sndbuf_limited: u64 at 184,
    /// Segments delivered, the SYN included.
    delivered: u32 at 192,
    /// Those of them of which the peer said that a router saw congestion.
    delivered_ce: u32 at 196,
    /// Bytes of data sent, those sent again included (RFC 4898 `HCDataOctetsOut`).
    bytes_sent: u64 at 200,
    /// Bytes of data sent again (RFC 4898 `OctetsRetrans`).
    bytes_retrans: u64 at 208,
    /// Segments of which the peer said with a DSACK that it had received them twice (RFC 4898
    /// `DSACKDups`).
    dsack_dups: u32 at 216,
    /// How often a segment was seen to arrive after later ones.
    reord_seen: u32 at 220,
    /// Segments received that waited behind a gap.
    rcv_ooopack: u32 at 224,
    /// Bytes of the peer's window.
    snd_wnd: u32 at 228,
    /// Bytes of the window last advertised to the peer.
    rcv_wnd: u32 at 232,
}

/// Bits of [`TcpInfo::options`]: Linux's `TCPI_OPT_TIMESTAMPS`, `TCPI_OPT_SACK`, `TCPI_OPT_WSCALE`.
pub(super) const TIMESTAMPS: u8 = 1;
pub(super) const SACK: u8 = 2;
pub(super) const WSCALE: u8 = 4;

impl TcpInfo {
    /// Bytes of Linux 6.2's `struct tcp_info`, `tcpi_rehash`, which is 0, included.
    pub const LEN: usize = 240;

    /// Of a socket that neither listens nor connects.
    pub(crate) fn of_closed() -> TcpInfo {
        TcpInfo {
            delivery_rate_app_limited: true,
            rto: 1_000_000,
            snd_mss: 536,
            rttvar: 250_000,
            snd_ssthresh: INFINITE,
            min_rtt: u32::MAX,
            ..TcpInfo::of_any(TcpState::Closed)
        }
    }

    /// Of a listener with so many connections that wait to be accepted.
    pub(crate) fn of_listener(queued: u32, backlog: u32) -> TcpInfo {
        TcpInfo { unacked: queued, sacked: backlog, ..TcpInfo::of_any(TcpState::Listen) }
    }

    fn of_any(state: TcpState) -> TcpInfo {
        TcpInfo {
            snd_cwnd: 10,
            reordering: 3,
            pacing_rate: u64::MAX,
            max_pacing_rate: u64::MAX,
            ..TcpInfo::new(state)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_follow_each_other_as_c_aligns_them() {
        let mut end = 2usize;
        for (name, at, size) in LAYOUT {
            // The two bytes of bit fields stand before the first word.
            end = if *name == "rto" { end + 2 } else { end };
            assert_eq!(*at, end.next_multiple_of(*size), "{name}");
            end = at + size;
        }
        assert_eq!((end + 4).next_multiple_of(8), TcpInfo::LEN);
    }

    #[test]
    fn a_field_is_found_by_the_kernels_name_and_by_ours() {
        let info = TcpInfo { snd_cwnd: 12, ..TcpInfo::of_closed() };
        assert_eq!(info.field("tcpi_snd_cwnd"), Some(12));
        assert_eq!(info.field("snd_cwnd"), Some(12));
        assert_eq!(info.field("tcpi_state"), Some(7));
        assert_eq!(info.field("tcpi_nonsense"), None);
        assert!(LAYOUT.iter().all(|(name, ..)| info.field(name).is_some()));
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn bytes_are_the_kernels() {
        let info = TcpInfo {
            snd_wscale: 7,
            rcv_wscale: 10,
            delivery_rate_app_limited: true,
            snd_cwnd: 0x0102_0304,
            pacing_rate: 5,
            ..TcpInfo::new(TcpState::Established)
        };
        let bytes = info.to_bytes();
        assert_eq!(bytes[..8], [1, 0, 0, 0, 0, 0, 0xa7, 1]);
        assert_eq!(bytes[80..84], [4, 3, 2, 1]);
        assert_eq!(bytes[104..112], [5, 0, 0, 0, 0, 0, 0, 0]);
    }
}
