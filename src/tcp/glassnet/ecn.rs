//! Explicit congestion notification (RFC 3168): a router marks a packet instead of dropping it, its
//! receiver says ECE until it hears CWR, and the sender reduces its window once a round trip.

use crate::wire::ip::{CE, ECT_0, ecn};
use crate::wire::tcp::{CWR, ECE, Segment};

/// Where a connection stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ecn {
    is_agreed: bool,
    has_asked: bool,
    /// Packets of the peer that may be marked have come.
    has_seen_ect: bool,
    /// ECE is said until the peer says CWR.
    echoes: bool,
}

impl Ecn {
    #[inline]
    pub(super) fn is_agreed(&self) -> bool {
        self.is_agreed
    }

    /// Both ends want it, or not.
    pub(super) fn agree(&mut self, is_agreed: bool) {
        self.is_agreed = is_agreed;
    }

    /// The flags of our SYN, which asks (RFC 3168 6.1.1).
    pub(super) fn ask(&mut self) -> u8 {
        self.has_asked = true;
        ECE | CWR
    }

    /// The flags of our SYN-ACK.
    pub(super) fn answer(&self) -> u8 {
        if self.is_agreed { ECE } else { 0 }
    }

    /// The peer's SYN, or SYN-ACK, has arrived.
    pub(super) fn on_syn(&mut self, segment: &Segment, packet: &[u8], is_passive: bool) {
        self.is_agreed = if segment.ack.is_some() {
            self.has_asked && segment.ece() && !segment.cwr()
        } else {
            (is_passive || self.has_asked) && segment.asks_for_ecn(packet)
        };
    }

    /// Data has arrived; true if the peer is to hear of it at once.
    pub(super) fn on_data(&mut self, segment: &Segment, packet: &[u8]) -> bool {
        let mut is_urgent = false;
        if segment.cwr() {
            // Its window may be very small now.
            (self.echoes, is_urgent) = (false, true);
        }
        match ecn(packet) {
            // Linux: without a mark it is a retransmission, where others could be marked.
            0 => is_urgent |= self.has_seen_ect,
            CE => {
                is_urgent |= !self.echoes;
                (self.echoes, self.has_seen_ect) = (true, true);
            }
            _ => self.has_seen_ect = true,
        }
        is_urgent
    }

    /// The flag of a segment with an ACK.
    #[inline]
    pub(super) fn echo(&self) -> u8 {
        if self.echoes { ECE } else { 0 }
    }

    /// What the IP header of data says that leaves for the first time (RFC 3168 6.1.5).
    #[inline]
    pub(super) fn mark(&self, is_retransmission: bool) -> u8 {
        if self.is_agreed && !is_retransmission { ECT_0 } else { 0 }
    }
}
