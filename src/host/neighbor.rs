//! Neighbours: which Ethernet address has an IPv4 address, asked by ARP (RFC 826).
//!
//! The states, the retries and the queue are those of Linux's neighbour table (`arp(7)`): an
//! unknown neighbour is asked for three times, a second apart, while its packets wait; one not
//! heard of for 30 seconds is used for 5 more and then asked again, unless TCP confirms it.

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;

use rustc_hash::FxHashMap;
use smoltcp::wire::Ipv4Cidr;

use super::frame::{ETHERNET_HEADER, FrameBuffer, FramePool};

/// An Ethernet address.
pub(crate) type Mac = [u8; 6];

pub(crate) const BROADCAST: Mac = [0xff; 6];
pub(crate) const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
pub(crate) const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];

const SECOND: u64 = 1_000_000_000;
const RETRANSMIT: u64 = SECOND;
const PROBES: u8 = 3;
const REACHABLE: u64 = 30 * SECOND;
const DELAY_FIRST_PROBE: u64 = 5 * SECOND;
/// Packets that wait for one neighbour; the oldest gives way.
const QUEUED: usize = 64;
/// Neighbours that are remembered because they asked; those that the host itself needs, of which
/// its network bounds the number, are always (Linux's `gc_thresh3`).
const HEARD_OF: usize = 1024;

const ARP_LEN: usize = 28;
const ARP_REQUEST: u8 = 1;
const ARP_REPLY: u8 = 2;

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
}

struct Neighbor {
    address: Ipv4Addr,
    mac: Mac,
    reachability: Reachability,
    confirmed_at: Option<u64>,
    probes_sent: u8,
    deadline: Option<u64>,
    waiting: VecDeque<FrameBuffer>,
}

impl Neighbor {
    fn is_confirmed(&self, now: u64) -> bool {
        self.confirmed_at.is_some_and(|at| now < at + REACHABLE)
    }
}

/// The neighbour table of an interface.
pub(crate) struct Neighbors {
    mac: Mac,
    network: Ipv4Cidr,
    by_address: FxHashMap<Ipv4Addr, NeighborId>,
    entries: Vec<Neighbor>,
    deadlines: BTreeSet<(u64, u32)>,
}

impl Neighbors {
    /// `network` is the host's address with the length of its prefix.
    pub(crate) fn new(mac: Mac, network: Ipv4Cidr) -> Neighbors {
        Neighbors {
            mac,
            network,
            by_address: FxHashMap::default(),
            entries: Vec::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// The entry of `address`, made if need be.
    pub(crate) fn entry(&mut self, address: Ipv4Addr) -> NeighborId {
        if let Some(id) = self.by_address.get(&address) {
            return *id;
        }
        let id = NeighborId(self.entries.len() as u32);
        self.entries.push(Neighbor {
            address,
            mac: BROADCAST,
            reachability: Reachability::Failed,
            confirmed_at: None,
            probes_sent: 0,
            deadline: None,
            waiting: VecDeque::new(),
        });
        self.by_address.insert(address, id);
        id
    }

    /// Sends `frame`, whose Ethernet header is not yet written, or keeps it until the neighbour
    /// is known.
    pub(crate) fn send(
        &mut self,
        now: u64,
        to: NeighborId,
        mut frame: FrameBuffer,
        pool: &mut FramePool,
        out: &mut Vec<FrameBuffer>,
    ) {
        let neighbor = &mut self.entries[to.0 as usize];
        match neighbor.reachability {
            Reachability::Incomplete | Reachability::Failed => {
                if neighbor.waiting.len() >= QUEUED
                    && let Some(oldest) = neighbor.waiting.pop_front()
                {
                    pool.give_back(oldest);
                }
                neighbor.waiting.push_back(frame);
                if neighbor.reachability == Reachability::Failed {
                    neighbor.reachability = Reachability::Incomplete;
                    neighbor.probes_sent = 0;
                    self.probe(now, to, pool, out);
                }
                return;
            }
            Reachability::Reachable if !neighbor.is_confirmed(now) => {
                neighbor.reachability = Reachability::Delay;
                self.set_deadline(to, Some(now + DELAY_FIRST_PROBE));
            }
            Reachability::Stale => {
                neighbor.reachability = Reachability::Delay;
                self.set_deadline(to, Some(now + DELAY_FIRST_PROBE));
            }
            Reachability::Reachable | Reachability::Delay | Reachability::Probe => {}
        }
        let neighbor = &self.entries[to.0 as usize];
        write_ethernet_header(frame.bytes_mut(), neighbor.mac, self.mac, ETHERTYPE_IPV4);
        out.push(frame);
    }

    /// The neighbour answered at a higher layer: there is no need to ask whether it is there.
    pub(crate) fn confirm(&mut self, now: u64, id: NeighborId) {
        self.entries[id.0 as usize].confirmed_at = Some(now);
    }

    /// Takes in an ARP packet (without its Ethernet header).
    pub(crate) fn receive(
        &mut self,
        now: u64,
        packet: &[u8],
        pool: &mut FramePool,
        out: &mut Vec<FrameBuffer>,
    ) {
        let Some(arp) = Arp::parse(packet) else { return };
        let address = self.network.address();
        if arp.target_address != address {
            return;
        }
        let is_request = arp.operation == ARP_REQUEST;
        if is_request {
            let reply = Arp {
                operation: ARP_REPLY,
                sender_mac: self.mac,
                sender_address: address,
                target_mac: arp.sender_mac,
                target_address: arp.sender_address,
            };
            out.push(reply.write(arp.sender_mac, pool));
        }
        let sender = arp.sender_address;
        let is_neighbor = self.network.contains_addr(&sender)
            && sender != address
            && Some(sender) != self.network.broadcast();
        // Who is only heard of need not be remembered: it can be asked when it is needed.
        let is_known = self.by_address.contains_key(&sender);
        if !is_neighbor || (!is_known && self.entries.len() >= HEARD_OF) {
            return;
        }
        let id = self.entry(sender);
        let neighbor = &mut self.entries[id.0 as usize];
        let waited_for = matches!(neighbor.reachability, Reachability::Incomplete);
        neighbor.mac = arp.sender_mac;
        if !is_request {
            neighbor.reachability = Reachability::Reachable;
            neighbor.confirmed_at = Some(now);
            self.set_deadline(id, None);
        } else if matches!(neighbor.reachability, Reachability::Incomplete | Reachability::Failed) {
            neighbor.reachability = Reachability::Stale;
            self.set_deadline(id, None);
        }
        if waited_for {
            let waiting = std::mem::take(&mut self.entries[id.0 as usize].waiting);
            for frame in waiting {
                self.send(now, id, frame, pool, out);
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
    ) -> Vec<NeighborId> {
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
                    for frame in neighbor.waiting.drain(..) {
                        pool.give_back(frame);
                    }
                    unreachable.push(id);
                }
                Reachability::Reachable | Reachability::Stale | Reachability::Failed => {}
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
        let to = match neighbor.reachability {
            Reachability::Probe => neighbor.mac,
            _ => BROADCAST,
        };
        let request = Arp {
            operation: ARP_REQUEST,
            sender_mac: self.mac,
            sender_address: self.network.address(),
            target_mac: [0; 6],
            target_address: neighbor.address,
        };
        out.push(request.write(to, pool));
        self.set_deadline(id, Some(now + RETRANSMIT));
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

/// Writes destination, source and type in front of a packet.
fn write_ethernet_header(frame: &mut [u8], to: Mac, from: Mac, ethertype: [u8; 2]) {
    frame[0..6].copy_from_slice(&to);
    frame[6..12].copy_from_slice(&from);
    frame[12..14].copy_from_slice(&ethertype);
}

/// An ARP packet for Ethernet and IPv4.
struct Arp {
    operation: u8,
    sender_mac: Mac,
    sender_address: Ipv4Addr,
    target_mac: Mac,
    target_address: Ipv4Addr,
}

/// Hardware type Ethernet, protocol type IPv4, lengths 6 and 4.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

impl Arp {
    fn parse(packet: &[u8]) -> Option<Arp> {
        let packet: &[u8; ARP_LEN] = packet.first_chunk()?;
        if packet[..6] != ETHERNET_IPV4 || packet[6] != 0 {
            return None;
        }
        let mac = |at: usize| std::array::from_fn(|octet| packet[at + octet]);
        let address =
            |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        let arp = Arp {
            operation: packet[7],
            sender_mac: mac(8),
            sender_address: address(14),
            target_mac: mac(18),
            target_address: address(24),
        };
        // A group address is nobody's own: such a sender would poison the table.
        let is_unicast = arp.sender_mac[0] & 1 == 0;
        (is_unicast && matches!(arp.operation, ARP_REQUEST | ARP_REPLY)).then_some(arp)
    }

    fn write(&self, to: Mac, pool: &mut FramePool) -> FrameBuffer {
        let mut frame = pool.take(ETHERNET_HEADER + ARP_LEN);
        write_ethernet_header(frame.bytes_mut(), to, self.sender_mac, ETHERTYPE_ARP);
        let packet = frame.packet_mut();
        packet[..6].copy_from_slice(&ETHERNET_IPV4);
        packet[6..8].copy_from_slice(&[0, self.operation]);
        packet[8..14].copy_from_slice(&self.sender_mac);
        packet[14..18].copy_from_slice(&self.sender_address.octets());
        packet[18..24].copy_from_slice(&self.target_mac);
        packet[24..28].copy_from_slice(&self.target_address.octets());
        frame
    }
}

/// Who an ARP packet asks for, or answers: what a LAN needs to hand a broadcast to its target.
pub(crate) fn arp_target(packet: &[u8]) -> Option<Ipv4Addr> {
    Arp::parse(packet).map(|arp| arp.target_address)
}
