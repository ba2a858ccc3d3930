//! Neighbours: which Ethernet address has an IP address, asked by ARP (RFC 826) or by neighbour
//! discovery (RFC 4861).
//!
//! The states, the retries and the queue are those of Linux's neighbour table (`arp(7)`): an
//! unknown neighbour is asked for three times, a second apart, while its packets wait; one not
//! heard of for 30 seconds is used for 5 more and then asked again, unless TCP confirms it.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use rustc_hash::FxHashMap;

use super::address::Addresses;
use super::datagram::SocketCharge;
use super::discard::{DiscardReason, Discarded};
use super::unresolved::{Queue, Unresolved};
use crate::wire::arp::{Arp, REPLY, REQUEST};
use crate::wire::ethernet::{BROADCAST, Mac, ethertype_of, group_mac, write_ethernet_header};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ipv6::{ALL_NODES, solicited_node};
use crate::wire::ndp::Ndp;

const SECOND: u64 = 1_000_000_000;
const RETRANSMIT: u64 = SECOND;
const PROBES: u8 = 3;
const REACHABLE: u64 = 30 * SECOND;
const DELAY_FIRST_PROBE: u64 = 5 * SECOND;
/// Neighbours that are remembered because they asked (Linux's `gc_thresh3`).
const HEARD_OF: usize = 1024;
/// Neighbours of any kind. When there are as many, one that no connection uses gives way.
const MOST: usize = 65_536;
/// Neighbours that are looked at for one that may give way.
const LOOKED_AT: usize = 64;

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
pub(crate) struct Unreachable {
    pub(crate) neighbor: NeighborId,
    pub(crate) undelivered: VecDeque<FrameBuffer>,
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
pub(crate) struct Neighbors {
    mac: Mac,
    addresses: Addresses,
    by_address: FxHashMap<IpAddr, NeighborId>,
    entries: Vec<Neighbor>,
    /// Where the next one is looked for that may give way.
    hand: usize,
    deadlines: BTreeSet<(u64, u32)>,
    unresolved: Unresolved,
    /// Packets that made no sense.
    malformed: u64,
}

impl Neighbors {
    pub(crate) fn new(mac: Mac, addresses: &Addresses) -> Neighbors {
        Neighbors {
            mac,
            addresses: addresses.clone(),
            by_address: FxHashMap::default(),
            entries: Vec::new(),
            hand: 0,
            deadlines: BTreeSet::new(),
            unresolved: Unresolved::default(),
            malformed: 0,
        }
    }

    /// What is known of neighbours stays, and who has a connection keeps its neighbour.
    pub(crate) fn set_addresses(&mut self, addresses: &Addresses) {
        self.addresses = addresses.clone();
    }

    /// The entry of `address`, made if need be; `None` when all that could give way are used.
    pub(crate) fn entry(&mut self, address: IpAddr) -> Option<NeighborId> {
        if let Some(id) = self.by_address.get(&address) {
            return Some(*id);
        }
        let (mac, reachability) = match self.addresses.point_to_point() {
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
        let id = if self.entries.len() < MOST {
            self.entries.push(neighbor);
            NeighborId((self.entries.len() - 1) as u32)
        } else {
            let id = self.make_room()?;
            self.entries[id.0 as usize] = neighbor;
            id
        };
        self.by_address.insert(address, id);
        Some(id)
    }

    /// The entry of `address`, which stays until it is released as often as it was held.
    pub(crate) fn hold(&mut self, address: IpAddr) -> Option<NeighborId> {
        let id = self.entry(address)?;
        self.entries[id.0 as usize].users += 1;
        Some(id)
    }

    pub(crate) fn release(&mut self, id: NeighborId) {
        let users = &mut self.entries[id.0 as usize].users;
        *users = users.saturating_sub(1);
    }

    /// The charges of packets that wait no longer.
    pub(super) fn take_released(&mut self) -> Vec<SocketCharge> {
        self.unresolved.take_released()
    }

    /// Packets that gave way to others.
    pub(super) fn take_discarded(&mut self) -> Vec<Discarded> {
        self.unresolved.take_discarded()
    }

    /// Packets that made no sense, so far.
    pub(super) fn malformed(&self) -> u64 {
        self.malformed
    }

    /// How many there are, and how many packets wait for them.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.entries.len(), self.entries.iter().map(|neighbor| neighbor.waiting.len()).sum())
    }

    /// Forgets a neighbour that no connection holds, and whatever waits for it.
    fn make_room(&mut self) -> Option<NeighborId> {
        for _ in 0..LOOKED_AT {
            self.hand = (self.hand + 1) % self.entries.len();
            if self.entries[self.hand].users == 0 {
                let id = NeighborId(self.hand as u32);
                self.set_deadline(id, None);
                for frame in self.take_waiting(id) {
                    self.unresolved.discard(frame, DiscardReason::NeighborTableFull);
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
    pub(crate) fn send(
        &mut self,
        now: u64,
        to: NeighborId,
        mut frame: FrameBuffer,
        socket: Option<SocketCharge>,
        pool: &mut FramePool,
        out: &mut Vec<FrameBuffer>,
    ) -> bool {
        let neighbor = &mut self.entries[to.0 as usize];
        match neighbor.reachability {
            Reachability::Incomplete | Reachability::Failed => {
                let is_failed = neighbor.reachability == Reachability::Failed;
                let waits = self.unresolved.wait(&mut neighbor.waiting, frame, socket);
                if is_failed {
                    let neighbor = &mut self.entries[to.0 as usize];
                    neighbor.reachability = Reachability::Incomplete;
                    neighbor.probes_sent = 0;
                    self.probe(now, to, pool, out);
                }
                return waits;
            }
            Reachability::Reachable if !neighbor.is_confirmed(now) => {
                neighbor.reachability = Reachability::Delay;
                self.set_deadline(to, Some(now.saturating_add(DELAY_FIRST_PROBE)));
            }
            Reachability::Stale => {
                neighbor.reachability = Reachability::Delay;
                self.set_deadline(to, Some(now.saturating_add(DELAY_FIRST_PROBE)));
            }
            Reachability::Reachable
            | Reachability::Delay
            | Reachability::Probe
            | Reachability::Permanent => {}
        }
        let neighbor = &self.entries[to.0 as usize];
        let ethertype = ethertype_of(neighbor.address);
        write_ethernet_header(frame.bytes_mut(), neighbor.mac, self.mac, ethertype);
        out.push(frame);
        false
    }

    /// What waits for a neighbour waits no longer.
    fn take_waiting(&mut self, id: NeighborId) -> VecDeque<FrameBuffer> {
        self.unresolved.take(&mut self.entries[id.0 as usize].waiting)
    }

    /// Sends `frame`, whose Ethernet header is not yet written, to everybody or to a group.
    pub(crate) fn send_to_many(
        &self,
        to: IpAddr,
        mut frame: FrameBuffer,
        out: &mut Vec<FrameBuffer>,
    ) {
        let mac = if to.is_multicast() { group_mac(to) } else { BROADCAST };
        write_ethernet_header(frame.bytes_mut(), mac, self.mac, ethertype_of(to));
        out.push(frame);
    }

    /// The neighbour answered at a higher layer: there is no need to ask whether it is there.
    pub(crate) fn confirm(&mut self, now: u64, id: NeighborId) {
        self.entries[id.0 as usize].confirmed_at = Some(now);
    }

    /// Takes in an ARP packet (without its Ethernet header).
    pub(crate) fn receive_arp(
        &mut self,
        now: u64,
        packet: &[u8],
        pool: &mut FramePool,
        out: &mut Vec<FrameBuffer>,
    ) {
        let Some(arp) = Arp::parse(packet) else {
            self.malformed += 1;
            return;
        };
        let (address, sender) = (arp.target_address, arp.sender_address);
        if !self.addresses.has(address.into()) {
            // RFC 5227 2.3: who announces its address puts right what is known of it.
            if address == sender && self.by_address.contains_key(&IpAddr::V4(sender)) {
                let address = sender.into();
                let heard = Heard { address, mac: arp.sender_mac, answers: false, overrides: true };
                self.hear(now, &heard, pool, out);
            }
            return;
        }
        let is_request = arp.operation == REQUEST;
        if is_request {
            let reply = Arp {
                operation: REPLY,
                sender_mac: self.mac,
                sender_address: address,
                target_mac: arp.sender_mac,
                target_address: sender,
            };
            out.push(reply.write(arp.sender_mac, pool));
        }
        let heard = Heard {
            address: sender.into(),
            mac: arp.sender_mac,
            answers: !is_request,
            overrides: true,
        };
        self.hear(now, &heard, pool, out);
    }

    /// Takes in a message of neighbour discovery, from a packet with these addresses.
    pub(crate) fn receive_ndp(
        &mut self,
        now: u64,
        (source, destination): (Ipv6Addr, Ipv6Addr),
        hop_limit: u8,
        message: &[u8],
        pool: &mut FramePool,
        out: &mut Vec<FrameBuffer>,
    ) {
        let heard = match Ndp::parse(source, destination, hop_limit, message) {
            Some(Ndp::Solicitation { target, sender_mac }) => {
                if !self.addresses.has(target.into()) {
                    return;
                }
                let reply = Ndp::Advertisement {
                    target,
                    mac: Some(self.mac),
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
                out.push(reply.write((target, self.mac), (to, to_mac), pool));
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
                self.malformed += 1;
                return;
            }
        };
        self.hear(now, &heard, pool, out);
    }

    fn hear(&mut self, now: u64, heard: &Heard, pool: &mut FramePool, out: &mut Vec<FrameBuffer>) {
        let sender = heard.address;
        let is_neighbor = self.addresses.is_on_link(sender)
            && !self.addresses.has(sender)
            && self.addresses.is_unicast(sender);
        // Who is only heard of need not be remembered: it can be asked when it is needed.
        let is_known = self.by_address.contains_key(&sender);
        if !is_neighbor || (!is_known && self.entries.len() >= HEARD_OF) {
            return;
        }
        let Some(id) = self.entry(sender) else { return };
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
            neighbor.confirmed_at = Some(now);
            self.set_deadline(id, None);
        } else if is_new {
            neighbor.reachability = Reachability::Stale;
            self.set_deadline(id, None);
        }
        if waited_for {
            for frame in self.take_waiting(id) {
                self.send(now, id, frame, None, pool, out);
            }
        }
    }

    /// When [`Neighbors::expire`] is next needed.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Asks again, and gives up on those that never answered: these are returned.
    pub(crate) fn expire(
        &mut self,
        now: u64,
        pool: &mut FramePool,
        out: &mut Vec<FrameBuffer>,
    ) -> Vec<Unreachable> {
        let mut unreachable = Vec::new();
        while let Some((deadline, index)) = self.deadlines.first().copied()
            && deadline <= now
        {
            let id = NeighborId(index);
            self.set_deadline(id, None);
            let neighbor = &mut self.entries[index as usize];
            match neighbor.reachability {
                Reachability::Delay if neighbor.is_confirmed(now) => {
                    neighbor.reachability = Reachability::Reachable;
                }
                Reachability::Delay => {
                    neighbor.reachability = Reachability::Probe;
                    neighbor.probes_sent = 0;
                    self.probe(now, id, pool, out);
                }
                Reachability::Incomplete | Reachability::Probe if neighbor.probes_sent < PROBES => {
                    self.probe(now, id, pool, out);
                }
                Reachability::Incomplete | Reachability::Probe => {
                    neighbor.reachability = Reachability::Failed;
                    let undelivered = self.take_waiting(id);
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

    fn probe(
        &mut self,
        now: u64,
        id: NeighborId,
        pool: &mut FramePool,
        out: &mut Vec<FrameBuffer>,
    ) {
        let neighbor = &mut self.entries[id.0 as usize];
        neighbor.probes_sent += 1;
        let is_known = neighbor.reachability == Reachability::Probe;
        let (address, mac) = (neighbor.address, neighbor.mac);
        let source = self.addresses.source_for(address);
        let question = match (address, source) {
            (IpAddr::V4(target), Ok(IpAddr::V4(source))) => {
                let request = Arp {
                    operation: REQUEST,
                    sender_mac: self.mac,
                    sender_address: source,
                    target_mac: [0; 6],
                    target_address: target,
                };
                Some(request.write(if is_known { mac } else { BROADCAST }, pool))
            }
            (IpAddr::V6(target), Ok(IpAddr::V6(source))) => {
                let solicitation = Ndp::Solicitation { target, sender_mac: Some(self.mac) };
                let group = solicited_node(target);
                let to = if is_known { (target, mac) } else { (group, group_mac(group.into())) };
                Some(solicitation.write((source, self.mac), to, pool))
            }
            // Without an address there is nobody who could ask.
            _ => None,
        };
        out.extend(question);
        self.set_deadline(id, Some(now.saturating_add(RETRANSMIT)));
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
