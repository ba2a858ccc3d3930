//! IP: packets in, to what they are for, and packets out, to where they go.
//!
//! - `input` and `output`: the two ways; `route`: where packets go; `pmtu`: how much a path carries;
//! - `fragment`: packets that are larger than that; `icmp`: echoes and errors.
//!
//! It knows no transport: what arrives for one is handed back to the host.

mod delivery;
mod discovery;
mod fragment;
mod icmp;
mod input;
mod output;
mod pmtu;
mod route;
mod routes;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(super) use delivery::{Delivery, IcmpInput};
pub use discovery::MtuDiscovery;
use fragment::Reassembler;
pub(super) use fragment::ReassemblyCounters;
use icmp::IcmpLimiter;
pub(super) use icmp::{Problem, Reported};
pub(super) use input::is_plain_segment;
use pmtu::PathMtus;
pub(crate) use routes::Gateways;
use routes::Routes;
pub(super) use routes::{InterfaceId, NextHop};

use super::address::{BindAddress, Scope, canonical, scope_of};
use super::context::Ctx;
use super::discard::DiscardReason;
use super::iface::{Interface, Prefix, earlier};
use super::mib::PerFamily;
use crate::error::Errno;
use crate::rng::Stream;
use crate::wire::ethernet::Mac;
use crate::wire::icmp::IcmpError;

/// The interfaces of a host, and what it knows of the networks beyond.
pub(super) struct Ip {
    /// By [`InterfaceId`]: `lo` and `eth0`.
    interfaces: Vec<Interface>,
    routes: Routes,
    reassembler: Reassembler,
    icmp_limiter: IcmpLimiter,
    path_mtus: PathMtus,
    /// Identifies the fragments of a packet.
    next_ident: u32,
}

impl Ip {
    /// With `lo`, and an Ethernet interface that has a link-local address beside those given.
    pub(super) fn new(
        mac: Mac,
        prefixes: &[Prefix],
        mtu: usize,
        next_ident: u32,
        stream: Stream,
    ) -> Ip {
        Ip {
            interfaces: vec![
                Interface::loopback(mtu),
                Interface::ethernet(mac, mtu, prefixes, stream),
            ],
            routes: Routes::default(),
            reassembler: Reassembler::default(),
            icmp_limiter: IcmpLimiter::default(),
            path_mtus: PathMtus::default(),
            next_ident,
        }
    }

    pub(super) fn interface(&self, id: InterfaceId) -> &Interface {
        &self.interfaces[id.position()]
    }

    pub(super) fn interface_mut(&mut self, id: InterfaceId) -> &mut Interface {
        &mut self.interfaces[id.position()]
    }

    /// The interfaces that have a link.
    fn links(&self) -> impl Iterator<Item = InterfaceId> {
        let all = self.interfaces.iter().enumerate();
        all.filter(|(_, interface)| !interface.is_loopback()).map(|(at, _)| InterfaceId::at(at))
    }

    /// Whether the host itself answers to an address.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.is_of_interface(address) || address.is_loopback()
    }

    /// Whether an address is one that an interface was given.
    pub(super) fn is_of_interface(&self, address: IpAddr) -> bool {
        let mut links = self.interfaces.iter().filter(|interface| !interface.is_loopback());
        links.any(|interface| interface.addresses().has(address))
    }

    /// Whether an address is that of everybody on a link.
    pub(super) fn is_broadcast(&self, address: IpAddr) -> bool {
        self.interfaces.iter().any(|interface| interface.is_broadcast(address))
    }

    /// Whether an address names one host, as far as can be told from here.
    pub(super) fn is_unicast(&self, address: IpAddr) -> bool {
        !address.is_unspecified() && !address.is_multicast() && !self.is_broadcast(address)
    }

    /// The address from which to send to `destination`: RFC 6724 section 5.
    pub(super) fn source_for(&self, destination: IpAddr) -> Result<IpAddr, Errno> {
        if self.is_own(destination) {
            return Ok(destination);
        }
        let interface = self.interface(self.interface_beyond(destination));
        interface.addresses().source_for(destination).ok_or(Errno::NetUnreachable)
    }

    /// Where something from `from` to `to` came in, as `IP_PKTINFO` tells it: the address of the
    /// host that an answer is sent from, and the number of the interface.
    pub(super) fn packet_info(&self, from: IpAddr, to: IpAddr) -> (IpAddr, u32) {
        let is_looped_back = self.is_own(from) && self.is_own(to);
        let interface = if is_looped_back {
            InterfaceId::LOOPBACK
        } else {
            let has_it = |id: &InterfaceId| self.interface(*id).addresses().has(to);
            self.links().find(has_it).unwrap_or(InterfaceId::ETH0)
        };
        let local = if self.is_own(to) { to } else { self.source_for(from).unwrap_or(to) };
        (local, interface.number())
    }

    /// What `bind(2)` makes of an address: EADDRNOTAVAIL for one that is not the host's own; for a
    /// link-local one EINVAL without a scope, ENODEV with another interface's (`ipv6(7)`).
    pub(super) fn to_bind(&self, local: SocketAddr, only_v6: bool) -> Result<BindAddress, Errno> {
        let wildcard = match local.ip() {
            IpAddr::V4(_) => BindAddress::AnyV4,
            IpAddr::V6(_) if only_v6 => BindAddress::AnyV6,
            IpAddr::V6(_) => BindAddress::Any,
        };
        let address = canonical(local.ip());
        if address.is_unspecified() {
            let is_mapped = local.is_ipv6() && address.is_ipv4();
            return Ok(if is_mapped { BindAddress::AnyV4 } else { wildcard });
        }
        match scope_of(local) {
            Scope::Missing => Err(Errno::Invalid),
            Scope::Other => Err(Errno::NoDevice),
            _ if only_v6 && local.is_ipv6() && address.is_ipv4() => Err(Errno::AddrNotAvailable),
            _ if self.is_own(address) => Ok(BindAddress::One(address)),
            _ => Err(Errno::AddrNotAvailable),
        }
    }

    /// The interface with one of the host's addresses; without one, that by which groups are
    /// joined that are joined on none in particular.
    pub(super) fn interface_with(&self, address: Ipv4Addr) -> Option<InterfaceId> {
        if address.is_unspecified() {
            return Some(InterfaceId::ETH0);
        }
        self.links().find(|id| self.interface(*id).addresses().has(address.into()))
    }

    /// The interface of a number (`if_nametoindex(3)`); 0 is any.
    pub(super) fn interface_numbered(&self, index: u32) -> Option<InterfaceId> {
        if index == 0 {
            return Some(InterfaceId::ETH0);
        }
        self.links().find(|id| id.number() == index)
    }

    /// The way to one host, whose neighbour stays until it is released: where packets are handed to
    /// (`None` for an address of the host's own, and without a way), and the largest that may be.
    pub(super) fn hold_path(&mut self, ctx: &mut Ctx<'_>, to: IpAddr) -> (Option<NextHop>, usize) {
        let way = if self.is_own(to) { None } else { self.next_hop(to) };
        let Some((interface, neighbor)) = way else { return (None, self.path_mtu(ctx.now, to)) };
        let mtu = self.interface(interface).mtu();
        let mtu = self.path_mtus.get(ctx.now, to).map_or(mtu, |learned| learned.min(mtu));
        let neighbor = self.interface_mut(interface).hold(ctx, neighbor);
        (neighbor.map(|neighbor| NextHop { interface, neighbor }), mtu)
    }

    pub(super) fn release(&mut self, NextHop { interface, neighbor }: NextHop) {
        self.interface_mut(interface).release(neighbor);
    }

    /// A neighbour answered at a higher layer: there is no need to ask whether it is there.
    #[inline]
    pub(super) fn confirm(&mut self, now: u64, NextHop { interface, neighbor }: NextHop) {
        self.interface_mut(interface).confirm(now, neighbor);
    }

    /// The largest IP packet that reaches an address, as far as is known.
    pub(super) fn path_mtu(&self, now: u64, to: IpAddr) -> usize {
        let mtu = self.interface(self.interface_to(to)).mtu();
        self.path_mtus.get(now, to).map_or(mtu, |learned| learned.min(mtu))
    }

    /// A router said how much reaches an address: RFC 1191 section 3, RFC 8201 section 4. Returns
    /// how much that is, if it is less than was known.
    pub(super) fn lower_path_mtu(&mut self, now: u64, to: IpAddr, mtu: usize) -> Option<usize> {
        let known = self.path_mtu(now, to);
        self.path_mtus.lower(now, to, mtu, known)
    }

    /// Whether an interface carries the family of an address.
    pub(super) fn carries(&self, interface: InterfaceId, address: IpAddr) -> bool {
        address.is_ipv4() || self.interface(interface).has_v6()
    }

    /// A socket has joined a group.
    pub(super) fn join(&mut self, ctx: &mut Ctx<'_>, interface: InterfaceId, group: IpAddr) {
        self.interface_mut(interface).join(ctx, group);
    }

    /// A socket that was in a group is not any more.
    pub(super) fn leave(&mut self, ctx: &mut Ctx<'_>, interface: InterfaceId, group: IpAddr) {
        self.interface_mut(interface).leave(ctx, group);
    }

    /// Tells switches which groups its neighbours look for the host in.
    pub(super) fn report_solicited_nodes(&mut self, ctx: &mut Ctx<'_>) {
        self.interfaces.iter_mut().for_each(|interface| interface.report_solicited_nodes(ctx));
    }

    /// Whether it wants to be asked again: this is looked at twice in each turn of a host.
    #[inline]
    pub(super) fn has_deadline(&self) -> bool {
        self.reassembler.has_deadline()
            || self.interfaces.iter().skip(1).any(Interface::has_deadline)
    }

    /// When it wants to be asked again.
    pub(super) fn deadline(&self) -> Option<u64> {
        let mut first = self.reassembler.deadline();
        // `lo` waits for nothing.
        for interface in self.interfaces.iter().skip(1) {
            first = earlier(first, interface.deadline());
        }
        first
    }

    /// Asks neighbours again, and gives up on those that never answered: these are returned. Whoever
    /// sent what waited for one is told.
    pub(super) fn expire_neighbors(&mut self, ctx: &mut Ctx<'_>) -> Vec<NextHop> {
        let mut lost = Vec::new();
        for at in 0..self.interfaces.len() {
            let mac = self.interfaces[at].addresses().mac();
            for unreachable in self.interfaces[at].expire_neighbors(ctx) {
                let interface = InterfaceId::at(at);
                lost.push(NextHop { interface, neighbor: unreachable.neighbor });
                for frame in unreachable.undelivered {
                    self.tell_of_undelivered(ctx, frame.packet());
                    ctx.discard(mac, frame, DiscardReason::NeighborUnreachable);
                }
            }
        }
        lost
    }

    /// Answers what was asked about groups, and gives up what was not put together in time.
    pub(super) fn expire(&mut self, ctx: &mut Ctx<'_>) {
        self.interfaces.iter_mut().for_each(|interface| interface.answer_queries(ctx));
        if self.reassembler.deadline().is_some_and(|deadline| deadline <= ctx.now) {
            for expired in self.reassembler.expire(ctx.now) {
                self.send_icmp_error(ctx, IcmpError::ReassemblyTimeExceeded, &expired.first);
            }
        }
    }

    /// Packets whose fragments did not all come, or made no sense, so far.
    pub(super) fn reassembly_failures(&self) -> u64 {
        self.reassembler.counters().failures()
    }

    /// What became of fragments so far.
    pub(super) fn reassembly(&self) -> PerFamily<ReassemblyCounters> {
        self.reassembler.counters_of_each()
    }

    /// How many packets are being put together.
    pub(super) fn reassemblies(&self) -> usize {
        self.reassembler.len()
    }

    /// How many neighbours there are, and how many packets wait for them.
    pub(super) fn neighbors(&self) -> (usize, usize) {
        let sizes = self.interfaces.iter().map(Interface::sizes);
        sizes.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// The power went: what was learned is gone, and who listened to groups.
    pub(super) fn forget_everything(&mut self) {
        self.interfaces.iter_mut().for_each(Interface::forget_everything);
        self.path_mtus = PathMtus::default();
        self.reassembler = Reassembler::default();
        self.icmp_limiter = IcmpLimiter::default();
    }
}
