//! IP: packets in, to what they are for, and packets out, to where they go.

use std::collections::BTreeMap;
use std::net::IpAddr;

use smoltcp::wire::{Ipv4Packet, Ipv6Packet};

use super::datagram::SocketCharge;
use super::fragment::{Fragment, Piece, split_ipv4, split_ipv6};
use super::icmp::IcmpError;
use super::stack::Host;
use crate::error::Errno;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::{IPV6_HEADER, IpHeader, protocol, to_v6};
use crate::wire::ipv6::ALL_NODES;
use crate::wire::ndp::is_ndp;

/// The most that an IPv4 packet holds, header included, and an IPv6 one without its header.
const LARGEST: usize = 65_535;
/// Packets to the host itself that wait, apart from TCP's, which its windows bound (Linux's
/// `netdev_max_backlog`).
const LOOPED_BACK: usize = 1_000;

impl Host {
    /// Takes in an IP packet, from the link or, unless `from_outside`, from this host itself.
    pub(super) fn receive_ip(
        &mut self,
        now: u64,
        packet: &[u8],
        intact: bool,
        from_outside: bool,
        pool: &mut FramePool,
    ) {
        match packet {
            // A whole segment, which is judged when its connection is known: most packets are.
            [0x45, _, _, _, _, _, 0 | 0x40, 0, _, protocol::TCP, ..]
            | [0x60..=0x6f, _, _, _, _, _, protocol::TCP, ..] => {
                self.receive_segment(now, packet, intact, from_outside, pool);
            }
            [0x40..=0x4f, ..] => self.receive_v4(now, packet, intact, from_outside, pool),
            [0x60..=0x6f, ..] => self.receive_v6(now, packet, intact, from_outside, pool),
            _ => self.counters.ip_header_errors += 1,
        }
    }

    fn receive_v4(
        &mut self,
        now: u64,
        packet: &[u8],
        intact: bool,
        from_outside: bool,
        pool: &mut FramePool,
    ) {
        let Ok(ip) = Ipv4Packet::new_checked(packet) else {
            self.counters.ip_header_errors += 1;
            return;
        };
        let header = IpHeader {
            source: ip.src_addr().into(),
            destination: ip.dst_addr().into(),
            protocol: ip.next_header().into(),
            hop_limit: ip.hop_limit(),
            traffic_class: ip.dscp() << 2 | ip.ecn(),
        };
        if !self.is_acceptable(&header, from_outside) {
            self.counters.ip_address_errors += 1;
            return;
        }
        if ip.more_frags() || ip.frag_offset() != 0 {
            if intact || ip.verify_checksum() {
                self.receive_fragment(now, packet, intact, from_outside, pool);
            } else {
                self.counters.ip_header_errors += 1;
            }
            return;
        }
        if header.protocol == protocol::TCP {
            // Its checksums are verified together.
            return self.receive_segment(now, packet, intact, from_outside, pool);
        }
        if !intact && !ip.verify_checksum() {
            self.counters.ip_header_errors += 1;
            return;
        }
        // What follows the packet in its frame is padding.
        let packet = &packet[..usize::from(ip.total_len())];
        self.receive_whole(now, &header, ip.payload(), packet, intact);
    }

    fn receive_v6(
        &mut self,
        now: u64,
        packet: &[u8],
        intact: bool,
        from_outside: bool,
        pool: &mut FramePool,
    ) {
        let Ok(ip) = Ipv6Packet::new_checked(packet) else {
            self.counters.ip_header_errors += 1;
            return;
        };
        let mut header = IpHeader {
            source: ip.src_addr().into(),
            destination: ip.dst_addr().into(),
            protocol: ip.next_header().into(),
            hop_limit: ip.hop_limit(),
            traffic_class: ip.traffic_class(),
        };
        if !self.is_acceptable(&header, from_outside) {
            self.counters.ip_address_errors += 1;
            return;
        }
        let packet = &packet[..ip.total_len()];
        let mut payload = &packet[IPV6_HEADER..];
        while let protocol::HOP_BY_HOP
        | protocol::ROUTING
        | protocol::DESTINATION_OPTIONS
        | protocol::FRAGMENT = header.protocol
        {
            if header.protocol == protocol::FRAGMENT {
                return self.receive_fragment(now, packet, intact, from_outside, pool);
            }
            let [next, eighths, _, segments_left, ..] = *payload else {
                self.counters.ip_header_errors += 1;
                return;
            };
            // RFC 8200 4.4 and 4.2: the way on, and options that must be understood, are not for
            // a host that knows none.
            let is_way_on = header.protocol == protocol::ROUTING && segments_left != 0;
            let Some((options, rest)) = payload.split_at_checked((usize::from(eighths) + 1) * 8)
            else {
                self.counters.ip_header_errors += 1;
                return;
            };
            if is_way_on
                || (header.protocol != protocol::ROUTING && !may_skip_options(&options[2..]))
            {
                self.counters.ip_header_errors += 1;
                return;
            }
            header.protocol = next;
            payload = rest;
        }
        if header.protocol == protocol::TCP {
            // The engine knows no extension headers.
            let mut plain = packet[..IPV6_HEADER].to_vec();
            plain.extend(payload);
            header.write(&mut plain, true);
            return self.receive_segment(now, &plain, intact, from_outside, pool);
        }
        if header.protocol == protocol::ICMPV6 && is_ndp(payload) {
            let addresses = (to_v6(header.source), to_v6(header.destination));
            let (neighbors, out) = (&mut self.neighbors, &mut self.outbox);
            neighbors.receive_ndp(now, addresses, header.hop_limit, payload, pool, out);
            return;
        }
        self.receive_whole(now, &header, payload, packet, intact);
    }

    fn receive_fragment(
        &mut self,
        now: u64,
        packet: &[u8],
        intact: bool,
        from_outside: bool,
        pool: &mut FramePool,
    ) {
        let Some(fragment) = Fragment::parse(packet) else {
            self.counters.ip_header_errors += 1;
            return;
        };
        let Some(whole) = self.reassembler.add(now, &fragment, intact) else { return };
        // A fragment within a fragment has no honest sender.
        if Fragment::parse(&whole.packet).is_some() {
            self.counters.ip_header_errors += 1;
            return;
        }
        self.receive_ip(now, &whole.packet, whole.intact, from_outside, pool);
    }

    /// Whether a packet is for this host, and may be: RFC 1122 3.2.1.3, RFC 4291 2.5.3.
    fn is_acceptable(&self, header: &IpHeader, from_outside: bool) -> bool {
        let addresses = &self.addresses;
        let to = header.destination;
        if header.source.is_multicast() || addresses.is_broadcast(header.source) {
            return false;
        }
        if from_outside && (to.is_loopback() || addresses.is_own(header.source)) {
            return false;
        }
        addresses.is_own(to) || addresses.is_broadcast(to) || (to.is_multicast() && self.hears(to))
    }

    /// Whether the interface would let a frame in that is for many.
    pub(crate) fn listens_to(&self, frame: &FrameBuffer) -> bool {
        let packet = frame.packet();
        let to = match packet.first().map(|first| first >> 4) {
            Some(4) => Ipv4Packet::new_checked(packet).map(|ip| IpAddr::V4(ip.dst_addr())),
            Some(6) => Ipv6Packet::new_checked(packet).map(|ip| IpAddr::V6(ip.dst_addr())),
            _ => return false,
        };
        to.is_ok_and(|to| !to.is_multicast() || self.hears(to))
    }

    /// Whether the interface listens to a group.
    fn hears(&self, group: IpAddr) -> bool {
        match group {
            IpAddr::V4(group) if group.octets() == [224, 0, 0, 1] => true,
            IpAddr::V6(group) if group == ALL_NODES || self.addresses.is_solicited_node(group) => {
                true
            }
            group => self.is_member(group),
        }
    }

    fn receive_whole(
        &mut self,
        now: u64,
        header: &IpHeader,
        payload: &[u8],
        packet: &[u8],
        intact: bool,
    ) {
        match (header.protocol, header.destination) {
            (protocol::UDP, _) => self.receive_udp(now, header, payload, packet, intact),
            (protocol::ICMP, IpAddr::V4(_)) | (protocol::ICMPV6, IpAddr::V6(_)) => {
                self.receive_icmp(now, header, payload, packet, intact);
            }
            (protocol::IGMP, IpAddr::V4(_)) => {
                self.receive_igmp(now, header, payload, packet, intact)
            }
            (protocol::IGMP | protocol::NO_NEXT_HEADER, _) => {}
            _ => {
                self.counters.unknown_protocols += 1;
                self.send_icmp_error(now, IcmpError::ProtocolUnreachable, packet);
            }
        }
    }

    /// Sends a packet, in fragments when it is larger than what its path carries. What waits for
    /// its neighbour takes what `socket` says of that socket's send buffer; the last fragment
    /// stands for all.
    pub(super) fn send_packet(
        &mut self,
        now: u64,
        header: &IpHeader,
        payload: &[u8],
        socket: Option<SocketCharge>,
    ) -> Result<(), Errno> {
        let to = header.destination;
        let addresses = &self.addresses;
        let is_own = addresses.is_own(to);
        let is_for_many = to.is_multicast() || addresses.is_broadcast(to);
        if !is_own && !is_for_many && addresses.next_hop(to).is_none() {
            return Err(Errno::NetUnreachable);
        }
        let packet_len = header.len() + payload.len();
        let largest = if to.is_ipv4() { LARGEST } else { LARGEST + IPV6_HEADER };
        if packet_len > largest {
            return Err(Errno::MessageSize);
        }
        if is_own {
            self.loop_back(header, payload);
            return Ok(());
        }
        let mut pool = FramePool::default();
        if packet_len <= self.path_mtu(to) {
            let frame = write_packet(header, payload, true);
            self.route(now, to, None, frame, socket, &mut pool);
            return Ok(());
        }
        let fragments = self.fragments(header, payload);
        let last = fragments.len().saturating_sub(1);
        for (index, frame) in fragments.into_iter().enumerate() {
            let of_fragment = |socket: SocketCharge| SocketCharge {
                bytes: if index == last { socket.bytes } else { 0 },
                ..socket
            };
            self.route(now, to, None, frame, socket.map(of_fragment), &mut pool);
        }
        Ok(())
    }

    fn fragments(&mut self, header: &IpHeader, payload: &[u8]) -> Vec<FrameBuffer> {
        let mtu = self.path_mtu(header.destination);
        let id = self.next_ident;
        self.next_ident = self.next_ident.wrapping_add(1);
        let mut whole = write_packet(header, payload, false);
        if header.destination.is_ipv6() {
            let pieces = split_ipv6(whole.packet(), mtu, id).into_iter().flatten();
            return pieces.map(|piece| write_piece(&piece)).collect();
        }
        // The checksums of the fragments are their own.
        whole.packet_mut()[4..6].copy_from_slice(&(id as u16).to_be_bytes());
        let pieces = split_ipv4(whole.packet(), mtu).into_iter().flatten();
        pieces.map(|piece| write_piece(&piece)).collect()
    }

    /// Hands a packet to this host itself, which it reaches like one from the link.
    pub(super) fn loop_back(&mut self, header: &IpHeader, payload: &[u8]) {
        if self.local.len() < LOOPED_BACK {
            self.local.push_back(write_packet(header, payload, true));
        } else {
            self.counters.loopback_queue_full += 1;
        }
    }

    /// The largest IP packet that reaches an address, as far as is known.
    pub(super) fn path_mtu(&self, to: IpAddr) -> usize {
        let learned = self.path_mtus.get(self.now, to);
        learned.map_or(self.options.mtu, |mtu| mtu.min(self.options.mtu))
    }

    /// A router said how much reaches an address: RFC 1191 section 3, RFC 8201 section 4.
    pub(super) fn lower_path_mtu(&mut self, now: u64, to: IpAddr, mtu: usize) {
        let least = if to.is_ipv4() { LEAST_PATH_MTU_V4 } else { LEAST_PATH_MTU_V6 };
        let mtu = mtu.max(least);
        if mtu >= self.path_mtu(to) {
            return;
        }
        self.path_mtus.insert(now, to, mtu);
        self.tcp.lower_path_mtu(to, mtu);
    }
}

/// Below this nobody is believed: Linux's `min_pmtu`.
const LEAST_PATH_MTU_V4: usize = 552;
/// RFC 8200 section 5.
const LEAST_PATH_MTU_V6: usize = 1280;

pub(super) fn write_packet(header: &IpHeader, payload: &[u8], dont_fragment: bool) -> FrameBuffer {
    let header_len = header.len();
    let mut frame = FramePool::default().take(ETHERNET_HEADER + header_len + payload.len());
    let packet = frame.packet_mut();
    packet[header_len..].copy_from_slice(payload);
    header.write(packet, dont_fragment);
    frame
}

fn write_piece(piece: &Piece<'_>) -> FrameBuffer {
    let mut frame = FramePool::default().take(ETHERNET_HEADER + piece.len());
    piece.write(frame.packet_mut());
    frame
}

/// Whether a host that knows no option may go on to the next header: RFC 8200 4.2.
fn may_skip_options(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        if *kind == 0 {
            options = rest;
            continue;
        }
        let Some(len) = rest.first() else { return false };
        // The two highest bits say what to do with one that is not known; router alert is.
        if kind >> 6 != 0 && *kind != 5 {
            return false;
        }
        let Some(rest) = rest.get(1 + usize::from(*len)..) else { return false };
        options = rest;
    }
    true
}

/// What is known of paths narrower than the interface.
#[derive(Default)]
pub(super) struct PathMtus(BTreeMap<IpAddr, (usize, u64)>);

impl PathMtus {
    /// After this a larger packet is tried again: Linux's `mtu_expires`, RFC 1191 6.3.
    const EXPIRES: u64 = 600_000_000_000;
    /// Paths that are remembered; the first to be forgotten gives way.
    const MOST: usize = 1_024;

    pub(super) fn get(&self, now: u64, to: IpAddr) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&to).filter(|(_, expires)| *expires > now).map(|(mtu, _)| *mtu)
    }

    fn insert(&mut self, now: u64, to: IpAddr, mtu: usize) {
        if self.0.len() >= Self::MOST
            && let Some(oldest) =
                self.0.iter().min_by_key(|(_, (_, expires))| *expires).map(|(to, _)| *to)
        {
            self.0.remove(&oldest);
        }
        self.0.insert(to, (mtu, now.saturating_add(Self::EXPIRES)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_mtus_are_forgotten_after_ten_minutes_and_bounded() {
        let mut mtus = PathMtus::default();
        let to = |host: u32| IpAddr::from(host.to_be_bytes());
        for host in 0..2_000 {
            mtus.insert(u64::from(host), to(host), 1_000);
        }
        assert_eq!(mtus.0.len(), PathMtus::MOST);
        assert_eq!(mtus.get(0, to(0)), None);
        assert_eq!(mtus.get(0, to(1_999)), Some(1_000));
        assert_eq!(mtus.get(PathMtus::EXPIRES + 1_999, to(1_999)), None);
    }

    #[test]
    fn options_that_must_be_understood_stop_a_packet() {
        assert!(may_skip_options(&[1, 4, 0, 0, 0, 0]));
        assert!(may_skip_options(&[5, 2, 0, 0, 0, 0]));
        assert!(!may_skip_options(&[0xc2, 4, 0, 0, 0, 0]));
        assert!(!may_skip_options(&[1, 9, 0]));
        assert!(may_skip_options(&[0, 0, 0, 0, 0, 0]));
    }
}
