//! The switch of the default LAN.

use rustc_hash::FxHashMap;

use super::addresses::{host_at, host_at_v6, host_with};
use super::half_link::HalfLinkId;
use crate::wire::arp::arp_target;
use crate::wire::ethernet::{BROADCAST, ETHERTYPE_ARP, EthernetHeader, is_group, source_mac};
use crate::wire::frame::FrameBuffer;
use crate::wire::ndp::solicited_target;

/// The ports that a switch hands a frame to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Egress {
    Port(u16),
    /// Every port but the sender's behind which somebody listens to it.
    Many,
    /// No port leads to the address.
    Nobody,
}

/// An ideal switch with a port for each host, of the same number. Its ports are virtual: a frame
/// passes it in no time and without an event of its own, over a path that leads from one host to
/// another. Nothing is stored for a pair of hosts until its path is named.
#[derive(Debug, Default)]
pub(super) struct Switch {
    ports: u32,
    /// The paths that were named, from port to port.
    paths: FxHashMap<(u16, u16), HalfLinkId>,
}

impl Switch {
    /// One more port.
    pub(super) fn add_port(&mut self) {
        self.ports += 1;
    }

    pub(super) fn ports(&self) -> u32 {
        self.ports
    }

    /// Where a frame leaves. A question of ARP or of neighbour discovery goes to the host it asks
    /// for alone: the others would drop it, and there may be ten thousand.
    pub(super) fn egress(&self, frame: &FrameBuffer) -> Egress {
        let Some((header, packet)) = EthernetHeader::split_from(frame.bytes()) else {
            return Egress::Nobody;
        };
        let to = header.destination;
        let port = if !is_group(to) {
            host_with(to)
        } else if to == BROADCAST && header.ethertype == ETHERTYPE_ARP {
            arp_target(packet).and_then(host_at)
        } else if let Some(target) = solicited_target(packet) {
            host_at_v6(target)
        } else {
            return Egress::Many;
        };
        match port {
            Some(port) if port < self.ports => Egress::Port(port as u16),
            _ => Egress::Nobody,
        }
    }

    /// The port that a frame came in by, as far as its source address tells.
    pub(super) fn ingress(&self, frame: &FrameBuffer) -> Option<u16> {
        host_with(source_mac(frame.bytes())?)
            .filter(|port| *port < self.ports)
            .map(|port| port as u16)
    }

    /// The path from one port to another, if it was named.
    #[inline]
    pub(super) fn path(&self, from: u16, to: u16) -> Option<HalfLinkId> {
        if self.paths.is_empty() { None } else { self.paths.get(&(from, to)).copied() }
    }

    /// Lets what goes from one port to another take a path of its own.
    pub(super) fn set_path(&mut self, from: u16, to: u16, path: HalfLinkId) {
        self.paths.insert((from, to), path);
    }
}
