//! Frames in words, as the ladder of the demo has them: sequence numbers count from the SYN.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

use super::observe::TcpSegment;
use crate::wire::arp::ArpPacket;
use crate::wire::ethernet::{ETHERNET_HEADER, ETHERTYPE_ARP, ethertype};
use crate::wire::icmp;
use crate::wire::ip::protocol;
use crate::wire::ndp::describe_ndp;
use crate::wire::packet::Excerpt;
use crate::wire::udp;

/// Describes frames in the order in which they were sent.
#[derive(Default)]
pub(in crate::world) struct Describer {
    /// Where the sequence numbers from one address to another begin.
    initial: BTreeMap<(SocketAddr, SocketAddr), u32>,
}

impl Describer {
    /// One line about a frame of `len` bytes, of which only the headers may be there. Of a
    /// connection whose SYN was not among the frames, `initial_of` may know the initial sequence
    /// numbers of its source and its destination.
    pub(in crate::world) fn describe(
        &mut self,
        headers: &[u8],
        len: usize,
        initial_of: impl Fn(SocketAddr, SocketAddr) -> Option<(u32, Option<u32>)>,
    ) -> String {
        let packet = headers.get(ETHERNET_HEADER..).unwrap_or_default();
        if ethertype(headers) == Some(ETHERTYPE_ARP) {
            let arp = ArpPacket::of_packet(packet);
            return arp.map_or_else(|| format!("ARP, {len} bytes"), |arp| arp.to_string());
        }
        if let Some(neighbors) = describe_ndp(packet) {
            return neighbors;
        }
        if let Some(datagram) = describe_datagram(packet) {
            return format!("{datagram}, {len} bytes");
        }
        // The parser wants the whole packet, of which the end is missing here.
        let mut whole = headers.to_vec();
        whole.resize(len.max(headers.len()), 0);
        match TcpSegment::parse(&whole) {
            Some(segment) => self.describe_segment(&segment, initial_of),
            None => format!("{len} bytes"),
        }
    }

    fn describe_segment(
        &mut self,
        segment: &TcpSegment,
        initial_of: impl Fn(SocketAddr, SocketAddr) -> Option<(u32, Option<u32>)>,
    ) -> String {
        let TcpSegment { source, destination, seq, .. } = *segment;
        let (forward, backward) = ((source, destination), (destination, source));
        if segment.syn {
            self.initial.insert(forward, seq);
        }
        if !self.initial.contains_key(&forward) || !self.initial.contains_key(&backward) {
            let (own, peer) = initial_of(source, destination).unzip();
            // As Wireshark counts in a connection that it has not seen begin. A RST may have any
            // number.
            let own = own.or_else(|| (!segment.rst).then(|| seq.wrapping_sub(1)));
            let acked = segment.ack.map(|ack| ack.wrapping_sub(1));
            let peer = peer.flatten().or(acked);
            for (direction, initial) in [(forward, own), (backward, peer)] {
                if let Some(initial) = initial {
                    self.initial.entry(direction).or_insert(initial);
                }
            }
        }
        let relative = |direction, number: u32| {
            number.wrapping_sub(self.initial.get(&direction).copied().unwrap_or(0))
        };
        let flags = segment.flags();
        let mut text = format!("{source} > {destination} {flags} seq={}", relative(forward, seq));
        if let Some(ack) = segment.ack {
            let _ = write!(text, " ack={}", relative(backward, ack));
        }
        if segment.len > 0 {
            let _ = write!(text, " len={}", segment.len);
        }
        let _ = write!(text, " win={}", segment.window);
        if segment.syn {
            let _ = write!(text, " (ISN {seq})");
        }
        text
    }
}

/// One line about a frame whose connection is not looked at: its numbers count from itself.
pub(in crate::world) fn describe_alone(headers: &[u8], len: usize) -> String {
    Describer::default().describe(headers, len, |_, _| None)
}

/// What an IP packet with UDP or ICMP in it is, or a fragment.
fn describe_datagram(packet: &[u8]) -> Option<String> {
    let Excerpt { header, fragment_offset, payload } = Excerpt::parse(packet)?;
    let (source, destination) = (header.source, header.destination);
    if let Some(offset) = fragment_offset {
        return Some(format!("fragment {source} > {destination} offset={offset}"));
    }
    let [kind, code, ..] = *payload else { return None };
    match (header.protocol, kind) {
        (protocol::UDP, _) => {
            let (source_port, destination_port) = udp::ports(payload)?;
            let source = SocketAddr::new(source, source_port);
            let destination = SocketAddr::new(destination, destination_port);
            Some(format!("UDP {source} > {destination}"))
        }
        (protocol::ICMP, icmp::v4::ECHO_REQUEST) | (protocol::ICMPV6, icmp::v6::ECHO_REQUEST) => {
            Some(format!("echo request {source} > {destination}"))
        }
        (protocol::ICMP, icmp::v4::ECHO_REPLY) | (protocol::ICMPV6, icmp::v6::ECHO_REPLY) => {
            Some(format!("echo reply {source} > {destination}"))
        }
        (protocol::ICMP | protocol::ICMPV6, _) => {
            Some(format!("ICMP type {kind} code {code} {source} > {destination}"))
        }
        _ => None,
    }
}
