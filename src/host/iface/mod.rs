//! Where a host meets its links.
//!
//! - `addresses`: what an interface answers to; `neighbor` and `unresolved`: who is on its link, and
//!   what waits until that is known; `membership`: the groups it is in.

mod addresses;
pub(super) mod membership;
pub(super) mod neighbor;
mod unresolved;

use std::net::{IpAddr, Ipv6Addr};

use addresses::Addresses;
pub(crate) use addresses::Prefix;
use membership::{Link, Memberships};
use neighbor::Neighbors;
pub(super) use neighbor::{NeighborId, Unreachable};

use super::context::Ctx;
use super::outbox::SocketCharge;
use super::packet::IpPacket;
use crate::rng::Stream;
use crate::wire::ethernet::Mac;
use crate::wire::frame::FrameBuffer;
use crate::wire::ip::IPV6_MIN_MTU;

/// An interface of a host.
pub(super) struct Interface {
    mtu: usize,
    addresses: Addresses,
    /// What only an interface has that others are beyond: the loopback interface has none.
    ethernet: Option<Ethernet>,
}

struct Ethernet {
    neighbors: Neighbors,
    memberships: Memberships,
}

impl Interface {
    /// `lo`: what leaves by it arrives at the host itself.
    pub(super) fn loopback(mtu: usize) -> Interface {
        Interface { mtu, addresses: Addresses::loopback(), ethernet: None }
    }

    /// One on an Ethernet, which has a link-local address beside those given; but no address of IPv6
    /// at all where its link carries too little for that, as on Linux. Delays of its answers about
    /// groups are drawn from `stream`.
    pub(super) fn ethernet(mac: Mac, mtu: usize, prefixes: &[Prefix], stream: Stream) -> Interface {
        let neighbors = Neighbors::default();
        let ethernet = Some(Ethernet { neighbors, memberships: Memberships::new(stream) });
        let addresses = if mtu < IPV6_MIN_MTU {
            Addresses::without_v6(mac, prefixes)
        } else {
            Addresses::new(mac, prefixes)
        };
        Interface { mtu, addresses, ethernet }
    }

    /// Whether IPv6 goes in and out here.
    pub(super) fn has_v6(&self) -> bool {
        self.is_loopback() || self.mtu >= IPV6_MIN_MTU
    }

    /// The largest IP packet it sends.
    pub(super) fn mtu(&self) -> usize {
        self.mtu
    }

    pub(super) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.ethernet.is_none()
    }

    /// Whether an address is that of everybody on its link.
    pub(super) fn is_broadcast(&self, address: IpAddr) -> bool {
        !self.is_loopback() && self.addresses.is_broadcast(address)
    }

    /// The only neighbour there is, who takes everything and is never asked for: the other end of a
    /// link without addresses of its own.
    pub(super) fn set_point_to_point(&mut self, mac: Option<Mac>) {
        if let Some(ethernet) = &mut self.ethernet {
            ethernet.neighbors.set_point_to_point(mac);
        }
    }

    pub(super) fn is_point_to_point(&self) -> bool {
        self.ethernet.as_ref().is_some_and(|ethernet| ethernet.neighbors.point_to_point().is_some())
    }

    /// The entry of a neighbour, made if need be; `None` when all that could give way are used.
    pub(super) fn neighbor(&mut self, ctx: &mut Ctx<'_>, address: IpAddr) -> Option<NeighborId> {
        self.ethernet.as_mut()?.neighbors.entry(ctx, &self.addresses, address)
    }

    /// As [`Interface::neighbor`]; the entry stays until it is released as many times as it was held.
    pub(super) fn hold(&mut self, ctx: &mut Ctx<'_>, address: IpAddr) -> Option<NeighborId> {
        self.ethernet.as_mut()?.neighbors.hold(ctx, &self.addresses, address)
    }

    pub(super) fn release(&mut self, id: NeighborId) {
        if let Some(ethernet) = &mut self.ethernet {
            ethernet.neighbors.release(id);
        }
    }

    /// A neighbour answered at a higher layer: there is no need to ask whether it is there.
    #[inline]
    pub(super) fn confirm(&mut self, now: u64, id: NeighborId) {
        if let Some(ethernet) = &mut self.ethernet {
            ethernet.neighbors.confirm(now, id);
        }
    }

    /// Sends `frame`, whose Ethernet header is not yet written, or keeps it until the neighbour is
    /// known: true when it waits. Until it does so no longer it takes what `socket` says of that
    /// socket's send buffer.
    #[inline]
    pub(super) fn send(
        &mut self,
        ctx: &mut Ctx<'_>,
        to: NeighborId,
        frame: FrameBuffer,
        socket: Option<SocketCharge>,
    ) -> bool {
        let Some(ethernet) = &mut self.ethernet else { return false };
        ethernet.neighbors.send(ctx, &self.addresses, to, frame, socket)
    }

    /// Sends `frame`, whose Ethernet header is not yet written, to everybody or to a group.
    pub(super) fn send_to_many(&self, ctx: &mut Ctx<'_>, to: IpAddr, frame: FrameBuffer) {
        neighbor::send_to_many(ctx, self.addresses.mac(), to, frame);
    }

    /// Takes in an ARP packet (without its Ethernet header).
    pub(super) fn receive_arp(&mut self, ctx: &mut Ctx<'_>, packet: &[u8]) {
        if let Some(ethernet) = &mut self.ethernet {
            ethernet.neighbors.receive_arp(ctx, &self.addresses, packet);
        }
    }

    /// Takes in a message of neighbour discovery, from a packet with these addresses.
    pub(super) fn receive_ndp(
        &mut self,
        ctx: &mut Ctx<'_>,
        ends: (Ipv6Addr, Ipv6Addr),
        hop_limit: u8,
        message: &[u8],
    ) {
        if let Some(ethernet) = &mut self.ethernet {
            ethernet.neighbors.receive_ndp(ctx, &self.addresses, ends, hop_limit, message);
        }
    }

    /// Takes in an IGMP message: RFC 3376 4 and 9.1.
    pub(super) fn receive_igmp(&mut self, ctx: &mut Ctx<'_>, packet: &IpPacket<'_>) {
        if let Some((memberships, link)) = self.memberships() {
            memberships.receive_igmp(ctx, link, packet);
        }
    }

    /// Takes in an MLD message whose checksum is good: RFC 3810 6.2.
    pub(super) fn receive_mld(&mut self, ctx: &mut Ctx<'_>, packet: &IpPacket<'_>) {
        if let Some((memberships, link)) = self.memberships() {
            memberships.receive_mld(ctx, link, packet);
        }
    }

    /// A socket has joined a group.
    pub(super) fn join(&mut self, ctx: &mut Ctx<'_>, group: IpAddr) {
        if let Some((memberships, link)) = self.memberships() {
            memberships.join(ctx, link, group);
        }
    }

    /// A socket that was in a group is not any more.
    pub(super) fn leave(&mut self, ctx: &mut Ctx<'_>, group: IpAddr) {
        if let Some((memberships, link)) = self.memberships() {
            memberships.leave(ctx, link, group);
        }
    }

    /// Whether a socket of this host has joined a group here.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        self.ethernet.as_ref().is_some_and(|ethernet| ethernet.memberships.is_member(group))
    }

    /// Tells switches that hand groups only to those who listen, that this host listens to those in
    /// which its neighbours look for it (RFC 4861 7.2.1). In a simulated world no switch does.
    pub(super) fn report_solicited_nodes(&mut self, ctx: &mut Ctx<'_>) {
        if let Some((_, link)) = self.memberships() {
            membership::report_solicited_nodes(ctx, link);
        }
    }

    fn memberships(&mut self) -> Option<(&mut Memberships, Link<'_>)> {
        let link = Link { addresses: &self.addresses, mtu: self.mtu };
        Some((&mut self.ethernet.as_mut()?.memberships, link))
    }

    /// Whether it wants to be asked again.
    #[inline]
    pub(super) fn has_deadline(&self) -> bool {
        let has_deadline =
            |it: &Ethernet| it.neighbors.has_deadline() || it.memberships.has_deadline();
        self.ethernet.as_ref().is_some_and(has_deadline)
    }

    /// When it wants to be asked again.
    pub(super) fn deadline(&self) -> Option<u64> {
        let Ethernet { neighbors, memberships } = self.ethernet.as_ref()?;
        earlier(neighbors.deadline(), memberships.deadline())
    }

    /// Asks neighbours again, and gives up on those that never answered: these are returned.
    pub(super) fn expire_neighbors(&mut self, ctx: &mut Ctx<'_>) -> Vec<Unreachable> {
        let Some(Ethernet { neighbors, .. }) = &mut self.ethernet else { return Vec::new() };
        if neighbors.deadline().is_some_and(|deadline| deadline <= ctx.now) {
            neighbors.expire(ctx, &self.addresses)
        } else {
            Vec::new()
        }
    }

    /// Answers what was asked about groups, and is due.
    pub(super) fn answer_queries(&mut self, ctx: &mut Ctx<'_>) {
        if let Some((memberships, link)) = self.memberships() {
            memberships.answer_queries(ctx, link);
        }
    }

    /// How many neighbours there are, and how many packets wait for them.
    pub(super) fn sizes(&self) -> (usize, usize) {
        self.ethernet.as_ref().map_or((0, 0), |ethernet| ethernet.neighbors.sizes())
    }

    /// The power went: what it knew of its neighbours, and who listened, is gone.
    pub(super) fn forget_everything(&mut self) {
        if let Some(Ethernet { neighbors, memberships }) = &mut self.ethernet {
            neighbors.forget_everything();
            memberships.forget_members();
        }
    }
}

/// The earlier of two deadlines.
#[inline]
pub(super) fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
