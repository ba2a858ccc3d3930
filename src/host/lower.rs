//! What the transports of a host stand on: the way out, and what a call has to do with.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::address::Addresses;
use super::datagram::SocketCharge;
use super::discard::{DiscardReason, Discarded, HostCounters};
use super::ip::PathMtus;
use super::neighbor::{NeighborId, Neighbors};
use super::options::HostOptions;
use super::wakers::Woken;
use crate::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Mac, write_ethernet_header};
use crate::wire::frame::{FrameBuffer, FramePool};

const NOBODY: Mac = [0; 6];

pub(super) struct Lower<'a> {
    pub(super) now: u64,
    pub(super) mac: Mac,
    pub(super) options: &'a HostOptions,
    pub(super) addresses: &'a Addresses,
    pub(super) path_mtus: &'a PathMtus,
    pub(super) neighbors: &'a mut Neighbors,
    pub(super) outbox: &'a mut Vec<FrameBuffer>,
    /// Frames from the host to itself.
    pub(super) local: &'a mut VecDeque<FrameBuffer>,
    pub(super) discarded: &'a mut Vec<Discarded>,
    pub(super) counters: &'a mut HostCounters,
    pub(super) woken: &'a mut Woken,
    pub(super) pool: &'a mut FramePool,
    pub(super) sends_in_calls: bool,
}

impl Lower<'_> {
    /// Sends a packet on its way; true when it waits for its neighbour, and takes what `socket`
    /// says of that socket's send buffer.
    #[inline]
    pub(super) fn route(
        &mut self,
        to: IpAddr,
        neighbor: Option<NeighborId>,
        frame: FrameBuffer,
        socket: Option<SocketCharge>,
    ) -> bool {
        let neighbor = if neighbor.is_some() {
            neighbor
        } else if self.addresses.is_own(to) {
            self.local.push_back(frame);
            return false;
        } else if to.is_multicast() || self.addresses.is_broadcast(to) {
            self.neighbors.send_to_many(to, frame, self.outbox);
            return false;
        } else if let Some(next_hop) = self.addresses.next_hop(to) {
            self.neighbors.entry(next_hop)
        } else {
            self.discard(frame, DiscardReason::NoRoute);
            return false;
        };
        let Some(neighbor) = neighbor else {
            self.discard(frame, DiscardReason::NeighborTableFull);
            return false;
        };
        self.neighbors.send(self.now, neighbor, frame, socket, self.pool, self.outbox)
    }

    /// A packet does not leave: nobody knows for which Ethernet address it is.
    pub(super) fn discard(&mut self, mut frame: FrameBuffer, reason: DiscardReason) {
        let is_v6 = frame.packet().first().is_some_and(|first| first >> 4 == 6);
        let ethertype = if is_v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 };
        write_ethernet_header(frame.bytes_mut(), NOBODY, self.mac, ethertype);
        frame.fill_checksums();
        let counter = match reason {
            DiscardReason::NeighborUnreachable => &mut self.counters.neighbor_unreachable,
            DiscardReason::NeighborQueueFull => &mut self.counters.neighbor_queue_full,
            DiscardReason::NeighborTableFull => &mut self.counters.neighbor_table_full,
            DiscardReason::NoRoute => &mut self.counters.no_route,
        };
        *counter += 1;
        self.discarded.push(Discarded { frame, reason });
    }

    /// The largest IP packet that reaches an address, as far as is known.
    pub(super) fn path_mtu(&self, to: IpAddr) -> usize {
        let learned = self.path_mtus.get(self.now, to);
        learned.map_or(self.options.mtu, |mtu| mtu.min(self.options.mtu))
    }
}
