//! Frames that a link holds, as they are looked at.

use std::fmt;

use crate::network::FrameKind;
use crate::time::Instant;
use crate::world::core::describe::describe_alone;
use crate::world::core::held::Held;
use crate::world::core::observe::TcpSegment;

/// A frame that a link holds: see [`Faults::held`](crate::Faults::held). `Display` is one line about
/// it, with its sequence numbers as they are on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldFrame {
    from: String,
    to: String,
    ends: (u32, u32),
    packet_id: u64,
    sent: u64,
    frame: Vec<u8>,
}

impl HeldFrame {
    pub(super) fn new((from, to): (&str, &str), ends: (u32, u32), held: &Held) -> HeldFrame {
        HeldFrame {
            from: from.to_owned(),
            to: to.to_owned(),
            ends,
            packet_id: held.packet_id,
            sent: held.sent,
            frame: held.frame.bytes().to_vec(),
        }
    }

    pub(super) fn ends(&self) -> (u32, u32) {
        self.ends
    }

    /// The host that sent it.
    #[must_use]
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The host that it is for.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }

    /// When it was sent.
    #[must_use]
    pub fn sent(&self) -> Instant {
        Instant::from_nanos(self.sent)
    }

    /// The number of the packet: the same wherever this frame is seen, captures included.
    #[must_use]
    pub fn packet_id(&self) -> u64 {
        self.packet_id
    }

    /// The Ethernet frame, without FCS.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Its TCP header, if it has one.
    #[must_use]
    pub fn segment(&self) -> Option<TcpSegment> {
        TcpSegment::parse(&self.frame)
    }

    /// Whether it is of a kind.
    #[must_use]
    pub fn is(&self, kind: FrameKind) -> bool {
        kind.matches(&self.frame)
    }
}

impl fmt::Display for HeldFrame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HeldFrame { from, to, packet_id, frame, .. } = self;
        let what = describe_alone(frame, frame.len());
        write!(formatter, "{} {from} -> {to}: {what} (packet {packet_id})", self.sent())
    }
}
