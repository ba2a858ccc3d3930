//! Neighbours: which Ethernet address has an IP address, asked by ARP (RFC 826) or by neighbour
//! discovery (RFC 4861).
//!
//! The states, the retries and the queue are those of Linux's neighbour table (`arp(7)`): an
//! unknown neighbour is asked for three times, a second apart, while its packets wait; one not
//! heard of for 30 seconds is used for 5 more and then asked again, unless TCP confirms it.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use rustc_hash::FxHashMap;

use super::addresses::Addresses;
use super::unresolved::{Queue, Unresolved};
use crate::host::context::Ctx;
use crate::host::discard::DiscardReason;
use crate::host::outbox::SocketCharge;
use crate::wire::arp::ArpPacket;
use crate::wire::ethernet::{BROADCAST, Mac, ethertype_of, group_mac, write_ethernet_header};
use crate::wire::frame::FrameBuffer;
use crate::wire::ip::protocol;
use crate::wire::ipv6::{ALL_NODES, solicited_node};
use crate::wire::ndp::Ndp;
use crate::wire::packet::Carried;

const SECOND: u64 = 1_000_000_000;
const RETRANSMIT: u64 = SECOND;
const MAX_PROBES: u8 = 3;
const REACHABLE: u64 = 30 * SECOND;
const DELAY_FIRST_PROBE: u64 = 5 * SECOND;
/// Neighbours that are remembered because they asked (Linux's `gc_thresh3`).
const MAX_HEARD_OF: usize = 1024;
/// Neighbours of any kind. When there are as many, one that no connection uses gives way.
const MAX_ENTRIES: usize = 65_536;
/// Neighbours that are looked at for one that may give way.
const MAX_LOOKED_AT: usize = 64;

/// One neighbour, for as long as the host lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NeighborId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reachability {
    Incomplete,
    Reachable,
    Stale,
    Delay,
    Probe,
    Failed,
    /// Never asked: Linux's `NUD_NOARP`.
    Permanent,
}

struct Neighbor {
    address: IpAddr,
    mac: Mac,
    reachability: Reachability,
    confirmed_at: Option<u64>,
    probes_sent: u8,
    deadline: Option<u64>,
    waiting: Queue,
    /// Connections that hold its id.
    users: u32,
}

impl Neighbor {
    fn is_confirmed(&self, now: u64) -> bool {
        self.confirmed_at.is_some_and(|at| now < at.saturating_add(REACHABLE))
    }
}

/// A neighbour that does not answer, and the packets that waited for it.
pub(in crate::host) struct Unreachable {
    pub(in crate::host) neighbor: NeighborId,
    pub(in crate::host) undelivered: VecDeque<FrameBuffer>,
}

/// What a neighbour said of itself.
struct Heard {
    address: IpAddr,
    mac: Mac,
    /// It answered a question of ours.
    answers: bool,
    /// It replaces another Ethernet address that is known.
    overrides: bool,
}

/// The neighbour table of an interface.
#[derive(Default)]
pub(in crate::host) struct Neighbors {
    /// There is one neighbour, who takes everything and is never asked for.
    point_to_point: Option<Mac>,
    by_address: FxHashMap<IpAddr, NeighborId>,
    entries: Vec<Neighbor>,
    /// Where the next one is looked for that may give way.
    hand: usize,
    deadlines: BTreeSet<(u64, u32)>,
    unresolved: Unresolved,
}

impl Neighbors {
    /// The only neighbour there is, where it needs no asking.
    pub(super) fn point_to_point(&self) -> Option<Mac> {
        self.point_to_point
    }

    /// What is known of neighbours stays, and who has a connection keeps its neighbour.
    pub(super) fn set_point_to_point(&mut self, mac: Option<Mac>) {
        self.point_to_point = mac;
    }

    pub(super) fn forget_everything(&mut self) {
        *self = Neighbors { point_to_point: self.point_to_point, ..Neighbors::default() };
    }

    /// The entry of `address`, made if need be; `None` when all that could give way are used.
    pub(super) fn entry(
        &mut self,
        ctx: &mut Ctx<'_>,
        addresses: &Addresses,
        address: IpAddr,
    ) -> Option<NeighborId> {
        if let Some(id) = self.by_address.get(&address) {
            return Some(*id);
        }
        let (mac, reachability) = match self.point_to_point {
            Some(mac) => (mac, Reachability::Permanent),
            None => (BROADCAST, Reachability::Failed),
        };
        let neighbor = Neighbor {
            address,
            mac,
            reachability,
            confirmed_at: None,
            probes_sent: 0,
            deadline: None,
            waiting: Queue::default(),
            users: 0,
        };
        let id = if self.entries.len() < MAX_ENTRIES {
            self.entries.push(neighbor);
            NeighborId((self.entries.len() - 1) as u32)
        } else {
            let id = self.make_room(ctx, addresses)?;
            self.entries[id.0 as usize] = neighbor;
            id
        };
        self.by_address.insert(address, id);
        Some(id)
    }

    /// The entry of `address`, which stays until it is released as many times as it was held.
    pub(super) fn hold(
        &mut self,
        ctx: &mut Ctx<'_>,
        addresses: &Addresses,
        address: IpAddr,
    ) -> Option<NeighborId> {
        let id = self.entry(ctx, addresses, address)?;
        self.entries[id.0 as usize].users += 1;
        Some(id)
    }

    pub(super) fn release(&mut self, id: NeighborId) {
        let users = &mut self.entries[id.0 as usize].users;
        *users = users.saturating_sub(1);
    }

    /// How many there are, and how many packets wait for them.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.entries.len(), self.entries.iter().map(|neighbor| neighbor.waiting.len()).sum())
    }

    /// Forgets a neighbour that no connection holds, and whatever waits for it.
    fn make_room(&mut self, ctx: &mut Ctx<'_>, addresses: &Addresses) -> Option<NeighborId> {
        for _ in 0..MAX_LOOKED_AT {
            self.hand = (self.hand + 1) % self.entries.len();
            if self.entries[self.hand].users == 0 {
                let id = NeighborId(self.hand as u32);
                self.set_deadline(id, None);
                for frame in self.take_waiting(ctx, id) {
                    ctx.discard(addresses.mac(), frame, DiscardReason::NeighborTableFull);
                }
                self.by_address.remove(&self.entries[self.hand].address);
                return Some(id);
            }
        }
        None
    }

    /// Sends `frame`, whose Ethernet header is not yet written, or keeps it until the neighbour
    /// is known: true when it waits. Until it does so no longer it takes what `socket` says of
    /// that socket's send buffer.
    #[inline]
    pub(super) fn send(
        &mut self,
        ctx: &mut Ctx<'_>,
        addresses: &Addresses,
        to: NeighborId,
        mut frame: FrameBuffer,
        socket: Option<SocketCharge>,
    ) -> bool {
        let neighbor = &mut self.entries[to.0 as usize];
        match neighbor.reachability {
            Reachability::Incomplete | Reachability::Failed => {
                let is_failed = neighbor.reachability == Reachability::Failed;
                let mac = addresses.mac();
                let waits = self.unresolved.wait(ctx, mac, &mut neighbor.waiting, frame, socket);
                if is_failed {
                    neighbor.reachability = Reachability::Incomplete;
                    neighbor.probes_sent = 0;
                    self.probe(ctx, addresses, to);
                }
                return waits;
            }
            Reachability::Reachable if !neighbor.is_confirmed(ctx.now) => {
                neighbor.reachability = Reachability::Delay;
                self.set_deadline(to, Some(ctx.now.saturating_add(DELAY_FIRST_PROBE)));
            }
            Reachability::Stale => {
                neighbor.reachability = Reachability::Delay;
                self.set_deadline(to, Some(ctx.now.saturating_add(DELAY_FIRST_PROBE)));
            }
            Reachability::Reachable
            | Reachability::Delay
            | Reachability::Probe
            | Reachability::Permanent => {}
        }
        let neighbor = &self.entries[to.0 as usize];
        let ethertype = ethertype_of(neighbor.address);
        write_ethernet_header(frame.bytes_mut(), neighbor.mac, addresses.mac(), ethertype);
        ctx.outbox.send(frame);
        false
    }

    /// What waits for a neighbour waits no longer.
    fn take_waiting(&mut self, ctx: &mut Ctx<'_>, id: NeighborId) -> VecDeque<FrameBuffer> {
        self.unresolved.take(ctx, &mut self.entries[id.0 as usize].waiting)
    }

    /// The neighbour answered at a higher layer: there is no need to ask whether it is there.
    pub(super) fn confirm(&mut self, now: u64, id: NeighborId) {
        self.entries[id.0 as usize].confirmed_at = Some(now);
    }

    /// Takes in an ARP packet (without its Ethernet header).
    pub(super) fn receive_arp(&mut self, ctx: &mut Ctx<'_>, addresses: &Addresses, packet: &[u8]) {
        let Some(arp) = ArpPacket::of_packet(packet) else {
            ctx.counters.neighbor_errors += 1;
            return;
        };
        let (address, sender) = (arp.target, arp.sender);
        if !addresses.has(address.into()) {
            // RFC 5227 2.3: who announces its address puts right what is known of it.
            if address == sender && self.by_address.contains_key(&IpAddr::V4(sender)) {
                let address = sender.into();
                let heard = Heard { address, mac: arp.sender_mac, answers: false, overrides: true };
                self.hear(ctx, addresses, &heard);
            }
            return;
        }
        if !arp.is_reply {
            let reply = arp.reply_from(addresses.mac(), address);
            ctx.outbox.send(reply.write(arp.sender_mac, ctx.pool));
        }
        let heard = Heard {
            address: sender.into(),
            mac: arp.sender_mac,
            answers: arp.is_reply,
            overrides: true,
        };
        self.hear(ctx, addresses, &heard);
    }

    /// Takes in a message of neighbour discovery, from a packet with these addresses.
    pub(super) fn receive_ndp(
        &mut self,
        ctx: &mut Ctx<'_>,
        addresses: &Addresses,
        (source, destination): (Ipv6Addr, Ipv6Addr),
        hop_limit: u8,
        message: &[u8],
    ) {
        let heard = match Ndp::parse(source, destination, hop_limit, message) {
            Some(Ndp::Solicitation { target, sender_mac }) => {
                if !addresses.has(target.into()) {
                    return;
                }
                let reply = Ndp::Advertisement {
                    target,
                    mac: Some(addresses.mac()),
                    solicited: !source.is_unspecified(),
                    overrides: true,
                };
                // RFC 4861 7.2.4: one that has no address yet is answered where all listen.
                let to = if source.is_unspecified() { ALL_NODES } else { source };
                let to_mac = match sender_mac {
                    Some(mac) => mac,
                    None if to == ALL_NODES => group_mac(to.into()),
                    None => match self.by_address.get(&IpAddr::V6(source)) {
                        Some(id) => self.entries[id.0 as usize].mac,
                        None => return,
                    },
                };
                let from = (target, addresses.mac());
                let reply = reply.write(from, (to, to_mac), ctx.pool);
                count_control(ctx, &reply);
                ctx.outbox.send(reply);
                let Some(mac) = sender_mac else { return };
                Heard { address: source.into(), mac, answers: false, overrides: true }
            }
            Some(Ndp::Advertisement { target, mac: Some(mac), solicited, overrides }) => {
                // RFC 4861 7.2.5: who was not asked for is of no interest.
                if !self.by_address.contains_key(&IpAddr::V6(target)) {
                    return;
                }
                Heard { address: target.into(), mac, answers: solicited, overrides }
            }
            Some(Ndp::Advertisement { mac: None, .. }) => return,
            None => {
                ctx.counters.neighbor_errors += 1;
                return;
            }
        };
        self.hear(ctx, addresses, &heard);
    }

    fn hear(&mut self, ctx: &mut Ctx<'_>, addresses: &Addresses, heard: &Heard) {
        let sender = heard.address;
        let is_neighbor =
            addresses.is_on_link(sender) && !addresses.has(sender) && addresses.is_unicast(sender);
        // Who is only heard of need not be remembered: it can be asked when it is needed.
        let is_known = self.by_address.contains_key(&sender);
        if !is_neighbor || (!is_known && self.entries.len() >= MAX_HEARD_OF) {
            return;
        }
        let Some(id) = self.entry(ctx, addresses, sender) else { return };
        let neighbor = &mut self.entries[id.0 as usize];
        let waited_for = matches!(neighbor.reachability, Reachability::Incomplete);
        let is_new =
            matches!(neighbor.reachability, Reachability::Incomplete | Reachability::Failed);
        if !is_new && !heard.overrides && neighbor.mac != heard.mac {
            return;
        }
        neighbor.mac = heard.mac;
        if heard.answers {
            neighbor.reachability = Reachability::Reachable;
            neighbor.confirmed_at = Some(ctx.now);
            self.set_deadline(id, None);
        } else if is_new {
            neighbor.reachability = Reachability::Stale;
            self.set_deadline(id, None);
        }
        if waited_for {
            for frame in self.take_waiting(ctx, id) {
                self.send(ctx, addresses, id, frame, None);
            }
        }
    }

    /// Whether there is one: asked in each turn, and most hosts have none.
    #[inline]
    pub(super) fn has_deadline(&self) -> bool {
        !self.deadlines.is_empty()
    }

    /// When [`Neighbors::expire`] is next needed.
    #[inline]
    pub(super) fn deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Asks again, and gives up on those that never answered: these are returned.
    pub(super) fn expire(&mut self, ctx: &mut Ctx<'_>, addresses: &Addresses) -> Vec<Unreachable> {
        let mut unreachable = Vec::new();
        while let Some((deadline, index)) = self.deadlines.first().copied()
            && deadline <= ctx.now
        {
            let id = NeighborId(index);
            self.set_deadline(id, None);
            let neighbor = &mut self.entries[index as usize];
            match neighbor.reachability {
                Reachability::Delay if neighbor.is_confirmed(ctx.now) => {
                    neighbor.reachability = Reachability::Reachable;
                }
                Reachability::Delay => {
                    neighbor.reachability = Reachability::Probe;
                    neighbor.probes_sent = 0;
                    self.probe(ctx, addresses, id);
                }
                Reachability::Incomplete | Reachability::Probe
                    if neighbor.probes_sent < MAX_PROBES =>
                {
                    self.probe(ctx, addresses, id);
                }
                Reachability::Incomplete | Reachability::Probe => {
                    neighbor.reachability = Reachability::Failed;
                    let undelivered = self.take_waiting(ctx, id);
                    unreachable.push(Unreachable { neighbor: id, undelivered });
                }
                Reachability::Reachable
                | Reachability::Stale
                | Reachability::Failed
                | Reachability::Permanent => {}
            }
        }
        unreachable
    }

    fn probe(&mut self, ctx: &mut Ctx<'_>, addresses: &Addresses, id: NeighborId) {
        let neighbor = &mut self.entries[id.0 as usize];
        neighbor.probes_sent += 1;
        let is_known = neighbor.reachability == Reachability::Probe;
        let (address, mac) = (neighbor.address, neighbor.mac);
        let source = addresses.source_for(address);
        let question = match (address, source) {
            (IpAddr::V4(target), Some(IpAddr::V4(source))) => {
                let request = ArpPacket::request(addresses.mac(), source, target);
                Some(request.write(if is_known { mac } else { BROADCAST }, ctx.pool))
            }
            (IpAddr::V6(target), Some(IpAddr::V6(source))) => {
                let solicitation = Ndp::Solicitation { target, sender_mac: Some(addresses.mac()) };
                let group = solicited_node(target);
                let to = if is_known { (target, mac) } else { (group, group_mac(group.into())) };
                Some(solicitation.write((source, addresses.mac()), to, ctx.pool))
            }
            // Without an address there is nobody who could ask.
            _ => None,
        };
        if let Some(question) = question {
            count_control(ctx, &question);
            ctx.outbox.send(question);
        }
        self.set_deadline(id, Some(ctx.now.saturating_add(RETRANSMIT)));
    }

    fn set_deadline(&mut self, id: NeighborId, deadline: Option<u64>) {
        let neighbor = &mut self.entries[id.0 as usize];
        if let Some(old) = neighbor.deadline {
            self.deadlines.remove(&(old, id.0));
        }
        neighbor.deadline = deadline;
        if let Some(new) = deadline {
            self.deadlines.insert((new, id.0));
        }
    }
}

/// Counts a packet that is sent for IP's own sake; ARP is none.
pub(super) fn count_control(ctx: &mut Ctx<'_>, frame: &FrameBuffer) {
    let packet = frame.packet();
    let Some(carried) = Carried::parse(packet) else { return };
    match carried.protocol {
        protocol::IGMP => {}
        protocol::ICMPV6 => ctx.mib.icmp.v6.count_out(carried.payload),
        _ => return,
    }
    ctx.mib.ip.of_packet(packet).out_requests += 1;
}

/// Sends `frame`, whose Ethernet header is not yet written, to everybody or to a group.
pub(super) fn send_to_many(ctx: &mut Ctx<'_>, from: Mac, to: IpAddr, mut frame: FrameBuffer) {
    let mac = if to.is_multicast() { group_mac(to) } else { BROADCAST };
    write_ethernet_header(frame.bytes_mut(), mac, from, ethertype_of(to));
    ctx.outbox.send(frame);
}
