//! Looking at what the host has sent.

use std::time::Duration;

use super::datagram::Datagram;
use super::event::{Frame, Sent};
use super::icmp::IcmpMessage;
use super::segment::Segment;
use super::wire::Wire;
use crate::wire::arp::ArpPacket;

/// What was sent, and nobody has taken. No time passes, but in
/// [`expect_nothing_for`](Wire::expect_nothing_for).
impl Wire {
    /// Takes the oldest frame.
    pub fn next_frame(&mut self) -> Option<Frame> {
        self.events().take_first(|frame| Some(frame.clone()))
    }

    /// Takes the oldest TCP segment; other frames stay.
    pub fn next_segment(&mut self) -> Option<Sent<Segment>> {
        self.events().take_first(Frame::segment)
    }

    /// Takes the oldest UDP datagram; other frames stay.
    pub fn next_datagram(&mut self) -> Option<Sent<Datagram>> {
        self.events().take_first(Frame::datagram)
    }

    /// Takes the oldest message of ICMP or ICMPv6, neighbour discovery and reports about groups
    /// included; other frames stay.
    pub fn next_icmp(&mut self) -> Option<Sent<IcmpMessage>> {
        self.events().take_first(Frame::icmp)
    }

    /// Takes the oldest ARP packet, but for requests that the peer has answered; other frames stay.
    pub fn next_arp(&mut self) -> Option<Sent<ArpPacket>> {
        self.events().take_first(Frame::arp)
    }

    /// Takes all TCP segments; other frames stay.
    pub fn take_segments(&mut self) -> Vec<Sent<Segment>> {
        std::iter::from_fn(|| self.next_segment()).collect()
    }

    /// Takes the oldest TCP segment, which must have these [flags](Segment::flags); PSH is left out
    /// of account, unless `flags` has it.
    ///
    /// # Panics
    /// When there is none, or it has others.
    #[track_caller]
    pub fn expect_segment(&mut self, flags: &str) -> Sent<Segment> {
        let Some(segment) = self.next_segment() else {
            let now = self.now();
            panic!("at {now} the host should have sent a segment with {flags}, and sent none")
        };
        let seen = match flags.contains("PSH") {
            true => segment.flags(),
            false => Segment { psh: false, ..segment.packet.clone() }.flags(),
        };
        assert!(seen == flags, "the host should have sent a segment with {flags}, not: {segment}");
        segment
    }

    /// Nothing is there that was sent.
    ///
    /// # Panics
    /// When a frame is there.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        if let Some(frame) = self.events().first_frame() {
            panic!("the host should have sent nothing, not: {frame}");
        }
    }

    /// Lets time pass, in which the host sends nothing.
    ///
    /// # Panics
    /// When it sends a frame, or nobody has taken one that it sent before; and when it does not come
    /// to rest.
    #[track_caller]
    pub fn expect_nothing_for(&mut self, duration: Duration) {
        let passed = self.advance(duration);
        self.expect_nothing();
        if let Err(error) = passed {
            panic!("{error}");
        }
    }
}
