//! What is counted of a connection beside its socket.

use crate::tcp::counters::{Counters, millis_since};
use crate::tcp::info::TcpInfo;
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER};
use crate::wire::tcp::Segment;

/// What is counted of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    segments: Counters,
    retransmissions: u32,
    bytes_sent: u64,
    bytes_repeated: u64,
    bytes_acked: u64,
    bytes_received: u64,
    data_sent_at: u64,
    data_received_at: u64,
    ip_header: u32,
    /// The peer has told how far its windows are shifted.
    peer_scales: bool,
}

impl Account {
    pub(super) fn begin(&mut self, now: u64, is_ipv4: bool) {
        (self.data_sent_at, self.data_received_at) = (now, now);
        self.ip_header = if is_ipv4 { IPV4_HEADER } else { IPV6_HEADER } as u32;
    }

    #[inline]
    pub(super) fn received(&mut self, now: u64, segment: &Segment) {
        self.segments.received(segment);
        if segment.payload_len > 0 {
            self.data_received_at = now;
        }
    }

    /// A segment leaves with `len` bytes of payload.
    #[inline]
    pub(super) fn sent(&mut self, now: u64, len: u32, is_retransmission: bool) {
        self.segments.sent(len);
        self.bytes_sent += u64::from(len);
        if is_retransmission {
            self.retransmissions += 1;
            self.bytes_repeated += u64::from(len);
        }
        if len > 0 {
            self.data_sent_at = now;
        }
    }

    /// So many bytes more were acknowledged, and received in order.
    #[inline]
    pub(super) fn progress(&mut self, acked: u32, received: u32) {
        self.bytes_acked += u64::from(acked);
        self.bytes_received += u64::from(received);
    }

    /// The peer's SYN says whether it scales its windows.
    pub(super) fn note_scale(&mut self, peer_scales: bool) {
        self.peer_scales = peer_scales;
    }

    pub(super) fn peer_scales(&self) -> bool {
        self.peer_scales
    }

    pub(super) fn ip_header(&self) -> u32 {
        self.ip_header
    }

    /// Puts what it has counted into `info`.
    pub(super) fn inform(&self, now: u64, info: &mut TcpInfo) {
        self.segments.inform(info);
        info.last_data_sent = millis_since(now, self.data_sent_at);
        info.last_data_recv = millis_since(now, self.data_received_at);
        info.total_retrans = self.retransmissions;
        (info.bytes_sent, info.bytes_retrans) = (self.bytes_sent, self.bytes_repeated);
        (info.bytes_acked, info.bytes_received) = (self.bytes_acked, self.bytes_received);
    }
}
