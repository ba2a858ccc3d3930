//! What a packet that arrived is for.

use std::borrow::Cow;

use super::fragment::Whole;
use super::icmp::Reported;
use crate::host::packet::IpPacket;

/// What a packet is for.
pub(in crate::host) enum Delivery<'p> {
    /// It is dealt with, or dropped.
    Done,
    /// A packet with a TCP segment and no extension headers; nothing of it is verified.
    Segment(Cow<'p, [u8]>),
    Udp(IpPacket<'p>),
    Icmp(IpPacket<'p>, IcmpInput),
    /// The last fragment that was missing: the packet is yet to be received.
    Reassembled(Whole),
}

/// What an ICMP message is, apart from something for raw sockets to see.
pub(in crate::host) enum IcmpInput {
    EchoReply,
    /// Something is wrong with a packet that this host sent.
    Error(Reported),
    /// Nothing, or the host has answered it.
    Other,
}
