//! Nodes, their ports, and the links between ports.

use std::collections::BTreeMap;
use std::fmt;

use super::fate::Fate;
use super::half_link::{HalfLink, HalfLinkId, Stop, StoppedBy};
use super::impairment::Impairments;
use super::switch::{Egress, Switch};
use crate::rng::Stream;
use crate::time::Instant;
use crate::wire::frame::FrameBuffer;
use crate::wire::resolution::is_address_resolution;

/// The delay of a path that was never named, one way, in nanoseconds.
const DEFAULT_DELAY: u64 = 1_000_000;

/// A node, by its kind and its number among those of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    /// A machine with a stack.
    Host(u32),
    /// Hands frames on to the port that they are for.
    Switch(u32),
    /// Where the network of a world ends: a TAP device or a cable, with others behind it.
    Device(u32),
}

/// The switch that hosts are on unless they are connected to something else.
const LAN: Node = Node::Switch(0);

/// Where a node meets a link. Port n of a host is its interface `eth`n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    pub(crate) node: Node,
    pub(crate) number: u16,
}

impl Port {
    /// The first interface of a host.
    pub(crate) const fn of_host(host: u32) -> Port {
        Port { node: Node::Host(host), number: 0 }
    }

    /// The only port of a device.
    pub(crate) const fn of_device(device: u32) -> Port {
        Port { node: Node::Device(device), number: 0 }
    }

    /// The host whose interface it is, if it is one.
    pub(crate) const fn host(self) -> Option<u32> {
        match self.node {
            Node::Host(host) => Some(host),
            Node::Switch(_) | Node::Device(_) => None,
        }
    }
}

/// The name of an interface of a host, as captures have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InterfaceName<'h> {
    pub(crate) host: &'h str,
    pub(crate) number: u16,
}

impl fmt::Display for InterfaceName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.eth{}", self.host, self.number)
    }
}

/// What joins two ports.
struct Link {
    /// From the first port to the second, and back.
    halves: [HalfLink; 2],
}

/// Where a frame goes from a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextHop {
    Port(Port),
    /// Every host of the LAN but the sender that listens to it.
    Many,
    /// No host has the address.
    Nobody,
}

/// Everything between the interfaces of hosts.
#[derive(Default)]
pub(crate) struct Topology {
    lan: Switch,
    links: Vec<Link>,
    /// What is connected to a port, and over what, where that is not the LAN.
    connections: BTreeMap<Port, (Port, HalfLinkId)>,
}

impl Topology {
    /// Adds a host, which is on the LAN. Hosts are numbered in the order in which they are added.
    pub(crate) fn add_host(&mut self) {
        self.lan.add_port();
    }

    /// How many hosts the LAN has.
    pub(crate) fn hosts_of_lan(&self) -> u32 {
        self.lan.ports()
    }

    /// Joins two ports by a link of their own. `streams` are what its halves draw from.
    pub(crate) fn connect(&mut self, a: Port, b: Port, streams: [Stream; 2]) -> HalfLinkId {
        let forward = self.add_link(streams);
        self.connections.insert(a, (b, forward));
        self.connections.insert(b, (a, forward.reverse()));
        forward
    }

    /// The path through the LAN from one host to another, which from now on is theirs alone.
    /// `stream` gives what each of its directions draws from.
    pub(crate) fn name_path(
        &mut self,
        from: u32,
        to: u32,
        stream: impl Fn(u32, u32) -> Stream,
    ) -> HalfLinkId {
        let (a, b) = (from as u16, to as u16);
        if let Some(path) = self.lan.path(a, b) {
            return path;
        }
        let path = match self.lan.path(b, a) {
            Some(back) => back.reverse(),
            None => self.add_link([stream(from, to), stream(to, from)]),
        };
        self.lan.set_path(a, b, path);
        path
    }

    fn add_link(&mut self, streams: [Stream; 2]) -> HalfLinkId {
        self.links.push(Link { halves: streams.map(HalfLink::new) });
        HalfLinkId::first_of(self.links.len() - 1)
    }

    /// Changes what a link does to frames that it has not yet carried.
    pub(crate) fn set_impairments(&mut self, half: HalfLinkId, impairments: &Impairments) {
        self.half(half).set_impairments(impairments);
    }

    /// Begins or ends what stops the IP packets of a direction. Returns whether it is in force now.
    pub(crate) fn set_stop(&mut self, id: HalfLinkId, stop: Stop, by: StoppedBy, on: bool) -> bool {
        self.half(id).set_stop(stop, by, on)
    }

    /// When a frame that a direction holds arrives if it is let go at `now`.
    pub(crate) fn released_at(&mut self, half: HalfLinkId, now: u64) -> u64 {
        self.half(half).released_at(now)
    }

    /// Where a frame goes that leaves by a port.
    #[inline]
    pub(crate) fn next_hop(&self, from: Port, frame: &FrameBuffer) -> NextHop {
        match self.peer(from) {
            Some(Port { node: Node::Switch(_), .. }) => match self.lan.egress(frame) {
                Egress::Port(port) => NextHop::Port(Port::of_host(port.into())),
                Egress::Many => NextHop::Many,
                Egress::Nobody => NextHop::Nobody,
            },
            Some(peer) => NextHop::Port(peer),
            None => NextHop::Nobody,
        }
    }

    /// What is at the other end of a port.
    #[inline]
    fn peer(&self, port: Port) -> Option<Port> {
        if !self.connections.is_empty()
            && let Some((peer, _)) = self.connections.get(&port)
        {
            return Some(*peer);
        }
        self.port_of_lan(port).map(|number| Port { node: LAN, number })
    }

    /// The port of the LAN's switch that the interface of a host is joined to.
    #[inline]
    fn port_of_lan(&self, interface: Port) -> Option<u16> {
        match interface {
            Port { node: Node::Host(host), number: 0 } => Some(host as u16),
            _ => None,
        }
    }

    /// The half-link that carries what goes from one port to another, if it is one that was named.
    #[inline]
    pub(crate) fn half_link(&self, from: Port, to: Port) -> Option<HalfLinkId> {
        if !self.connections.is_empty()
            && let Some((peer, half)) = self.connections.get(&from)
        {
            return (*peer == to).then_some(*half);
        }
        self.lan.path(self.port_of_lan(from)?, self.port_of_lan(to)?)
    }

    /// Carries a frame from one port to another.
    #[inline]
    pub(crate) fn carry(
        &mut self,
        now: u64,
        from: Port,
        to: Port,
        frame: &mut FrameBuffer,
    ) -> Fate {
        // Where no link was named there is nothing to look for.
        let link = if self.links.is_empty() { None } else { self.half_link(from, to) };
        match link {
            Some(link) => self.carry_over(link, now, frame),
            None => {
                let at = Instant::from_nanos(now.saturating_add(DEFAULT_DELAY));
                Fate::Arrives { at, duplicate_at: None }
            }
        }
    }

    fn carry_over(&mut self, id: HalfLinkId, now: u64, frame: &mut FrameBuffer) -> Fate {
        let half = self.half(id);
        if is_address_resolution(frame) {
            return half.carry_arp(now);
        }
        let fate = half.carry(now, frame.len(), frame.packet().len());
        if !matches!(fate, Fate::Dropped(_)) {
            frame.enter_link(id.number());
        }
        fate
    }

    /// A frame that was carried has arrived.
    #[inline]
    pub(crate) fn arrived(&mut self, frame: &mut FrameBuffer) {
        if let Some(half) = frame.leave_link() {
            self.half(HalfLinkId::numbered(half)).arrived(frame.len());
        }
    }

    /// The interface that sent a frame into the LAN, as far as the frame tells.
    pub(crate) fn sender(&self, frame: &FrameBuffer) -> Option<Port> {
        self.lan.ingress(frame).map(|port| Port::of_host(port.into()))
    }

    fn half(&mut self, half: HalfLinkId) -> &mut HalfLink {
        &mut self.links[half.link()].halves[half.side()]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::network::{DropReason, HostAddresses};
    use crate::rng::Seed;
    use crate::wire::frame::FramePool;

    const MS: u64 = 1_000_000;

    fn stream(from: u32, to: u32) -> Stream {
        Seed(7).stream(&format!("link {from}>{to}"))
    }

    /// A frame of a UDP packet for a host of the LAN.
    fn frame_for(host: u32) -> FrameBuffer {
        let mut frame = FramePool::default().take(60);
        let bytes = frame.bytes_mut();
        bytes.fill(0);
        bytes[..6].copy_from_slice(&HostAddresses::nth(host).unwrap().mac);
        bytes[6..12].copy_from_slice(&HostAddresses::nth(0).unwrap().mac);
        (bytes[12], bytes[14]) = (0x08, 0x45);
        frame
    }

    fn arrival(fate: Fate) -> u64 {
        match fate {
            Fate::Arrives { at, .. } => at.as_nanos(),
            fate => panic!("{fate:?}"),
        }
    }

    #[test]
    fn the_lan_hands_a_frame_to_the_host_it_is_for() {
        let mut topology = Topology::default();
        (0..3).for_each(|_| topology.add_host());
        let first = Port::of_host(0);
        let hop = topology.next_hop(first, &frame_for(2));
        assert_eq!(hop, NextHop::Port(Port::of_host(2)));
        assert_eq!(topology.next_hop(first, &frame_for(3)), NextHop::Nobody);
        assert_eq!(topology.sender(&frame_for(2)), Some(first));
    }

    #[test]
    fn a_path_that_was_named_is_that_of_one_pair_and_one_direction() {
        let mut topology = Topology::default();
        (0..3).for_each(|_| topology.add_host());
        let ports = [0, 1, 2].map(Port::of_host);
        let there = topology.name_path(0, 1, stream);
        let slow = Impairments::default().delay(Duration::from_millis(20));
        topology.set_impairments(there, &slow);
        let mut frame = frame_for(1);
        assert_eq!(arrival(topology.carry(0, ports[0], ports[1], &mut frame)), 20 * MS);
        assert_eq!(arrival(topology.carry(0, ports[0], ports[2], &mut frame)), MS);
        assert_eq!(arrival(topology.carry(0, ports[1], ports[0], &mut frame)), MS);
        assert_eq!(topology.half_link(ports[1], ports[0]), None);
        let back = topology.name_path(1, 0, stream);
        assert_eq!((back, topology.links.len()), (there.reverse(), 1));
        assert_eq!(topology.name_path(0, 1, stream), there);
        topology.set_stop(back, Stop::Partition, StoppedBy::Call, true);
        let fate = topology.carry(0, ports[1], ports[0], &mut frame);
        assert_eq!(fate, Fate::Dropped(DropReason::Partition));
        assert_eq!(arrival(topology.carry(0, ports[0], ports[1], &mut frame)), 20 * MS);
    }

    #[test]
    fn what_is_connected_to_a_device_is_not_on_the_lan() {
        let mut topology = Topology::default();
        topology.add_host();
        let (host, device) = (Port::of_host(0), Port::of_device(0));
        let half = topology.connect(host, device, [stream(0, 1), stream(1, 0)]);
        assert_eq!(topology.next_hop(host, &frame_for(7)), NextHop::Port(device));
        assert_eq!(topology.next_hop(device, &frame_for(7)), NextHop::Port(host));
        assert_eq!(topology.half_link(host, device), Some(half));
        assert_eq!(topology.half_link(host, Port::of_host(1)), None);
    }

    #[test]
    fn interfaces_are_named_by_host_and_number() {
        assert_eq!(InterfaceName { host: "server", number: 0 }.to_string(), "server.eth0");
    }
}
