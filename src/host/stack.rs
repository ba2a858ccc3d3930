//! The host itself: frames in, frames out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::Waker;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::wire::HardwareAddress;

use super::address::{Addresses, Gateways, Prefix};
use super::datagram::Datagrams;
use super::demux::Demux;
use super::discard::{DiscardReason, Discarded, HostCounters};
use super::engine::{SocketBuffers, Wire, to_engine_time};
use super::flow::{Flow, FlowId, Owner};
use super::fragment::Reassembler;
use super::icmp::{IcmpError, IcmpLimiter};
use super::ip::PathMtus;
use super::listener::Listeners;
use super::local::LocalSockets;
use super::membership::PendingReports;
use super::neighbor::{Neighbors, Unreachable};
use super::options::HostOptions;
use super::ports::Ports;
use super::recent::RecentTuples;
use super::repair::Repairs;
use super::state::TcpState;
use super::time_wait::TimeWaits;
use super::wakers::Woken;
use crate::error::Errno;
use crate::rng::Stream;
use crate::time::Deadlines;
use crate::wire::ethernet::{ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Mac};
use crate::wire::frame::{FrameBuffer, FramePool};

/// Frames to the host itself that are handled in one go.
const LOCAL_BATCH: usize = 64;

/// A connection went from one state to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateChange {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) from: TcpState,
    pub(crate) to: TcpState,
    /// How many frames of the outbox were sent before.
    pub(crate) frames_before: usize,
}

/// One machine's stack.
pub(crate) struct Host {
    /// When it was last told the time.
    pub(super) now: u64,
    pub(super) mac: Mac,
    pub(super) addresses: Addresses,
    pub(super) path_mtus: PathMtus,
    pub(super) reassembler: Reassembler,
    pub(super) icmp_limiter: IcmpLimiter,
    pub(super) datagrams: Datagrams,
    pub(super) pending_reports: PendingReports,
    pub(super) udp_ports: Ports,
    /// The identifiers of echoes, which are to them what ports are to UDP.
    pub(super) echo_ids: Ports,
    /// Identifies the fragments of a packet.
    pub(super) next_ident: u32,
    pub(super) options: HostOptions,
    pub(super) repairs: Repairs,
    pub(super) interface: Interface,
    /// What is for nobody is fed to this: the interface answers with a RST.
    pub(super) nobody: SocketSet<'static>,
    pub(super) flows: Vec<Slot>,
    pub(super) free_slots: Vec<u32>,
    pub(super) open_flows: usize,
    /// Flows that no application holds and that are not over for the network.
    pub(super) orphans: usize,
    pub(super) demux: Demux,
    pub(super) time_waits: TimeWaits,
    pub(super) recent: RecentTuples,
    pub(super) listeners: Listeners,
    pub(super) ports: Ports,
    pub(super) neighbors: Neighbors,
    pub(super) dirty: Vec<FlowId>,
    /// When connections want to be looked at, by slot.
    pub(super) deadlines: Deadlines,
    /// A deadline was queued that [`Host::poll`] has not told of yet.
    pub(super) has_new_deadline: bool,
    pub(super) buffers: Vec<SocketBuffers>,
    /// Frames from the host to itself: they never reach a link.
    pub(super) local: VecDeque<FrameBuffer>,
    /// `AF_UNIX`.
    pub(crate) unix: LocalSockets,
    pub(super) sent: Vec<FrameBuffer>,
    pub(super) outbox: Vec<FrameBuffer>,
    /// What never left.
    pub(super) discarded: Vec<Discarded>,
    pub(super) counters: HostCounters,
    pub(super) sends_in_calls: bool,
    /// Frames for what leaves in calls.
    pub(super) reserve: FramePool,
    /// The most frames that calls have needed between two turns.
    pub(super) reserve_len: usize,
    pub(super) woken: Woken,
    pub(super) observed: bool,
    pub(super) state_changed: bool,
    /// More frames follow in this instant.
    pub(super) more_follows: bool,
    /// Octets of a burst that one ACK may stand for.
    pub(super) ack_stretch: u32,
    pub(super) changes: Vec<StateChange>,
    pub(super) retransmissions: u64,
}

#[derive(Default)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) flow: Option<Box<Flow>>,
}

impl Host {
    /// A host with one Ethernet interface, which has a link-local address beside those given.
    /// `stream` feeds its initial sequence numbers and ports.
    pub(crate) fn new(
        mac: Mac,
        prefixes: &[Prefix],
        options: HostOptions,
        mut stream: Stream,
    ) -> Host {
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = stream.next_u64();
        let mut wire = Wire {
            received: None,
            sent: &mut Vec::new(),
            pool: &mut FramePool::default(),
            mtu: options.mtu,
        };
        let mut interface = Interface::new(config, &mut wire, to_engine_time(0));
        // The host itself decides what is for it, and hands its engines nothing else.
        interface.set_any_ip(true);
        let addresses = Addresses::new(mac, prefixes);
        let ports = Ports::new(&mut stream);
        let next_ident = stream.next_u64() as u32;
        let udp_ports = Ports::new(&mut stream);
        let echo_ids = Ports::new(&mut stream);
        Host {
            now: 0,
            mac,
            neighbors: Neighbors::new(mac, &addresses),
            addresses,
            path_mtus: PathMtus::default(),
            reassembler: Reassembler::default(),
            icmp_limiter: IcmpLimiter::default(),
            datagrams: Datagrams::default(),
            pending_reports: PendingReports::new(stream),
            udp_ports,
            echo_ids,
            next_ident,
            options,
            repairs: Repairs::default(),
            interface,
            nobody: SocketSet::new(Vec::new()),
            flows: Vec::new(),
            free_slots: Vec::new(),
            open_flows: 0,
            orphans: 0,
            demux: Demux::default(),
            time_waits: TimeWaits::default(),
            recent: RecentTuples::default(),
            listeners: Listeners::default(),
            ports,
            dirty: Vec::new(),
            deadlines: Deadlines::default(),
            has_new_deadline: false,
            buffers: Vec::new(),
            local: VecDeque::new(),
            unix: LocalSockets::default(),
            sent: Vec::new(),
            outbox: Vec::new(),
            discarded: Vec::new(),
            counters: HostCounters::default(),
            sends_in_calls: true,
            reserve: FramePool::default(),
            reserve_len: 0,
            woken: Woken::default(),
            observed: false,
            state_changed: false,
            more_follows: false,
            ack_stretch: 0,
            changes: Vec::new(),
            retransmissions: 0,
        }
    }

    /// Gives it a way to what is not on its link.
    pub(crate) fn set_gateways(&mut self, gateways: Gateways) {
        self.addresses.set_gateways(gateways);
        self.neighbors.set_addresses(&self.addresses);
    }

    /// Acknowledges up to `octets` of a burst at once, as Linux does where its interface hands it
    /// segments together (GRO), and not every second segment as RFC 9293 3.8.6.3 would have it. A
    /// peer whose congestion window grows by the ACK and not by the octet grows it more slowly.
    pub(crate) fn stretch_acks(&mut self, octets: u32) {
        self.ack_stretch = octets;
    }

    /// Takes in a frame. What it causes to be sent leaves with the next [`Host::poll`].
    pub(crate) fn receive(&mut self, now: u64, frame: FrameBuffer, pool: &mut FramePool) {
        self.now = now;
        if let Some((header, packet)) = frame.bytes().split_at_checked(ETHERNET_HEADER) {
            let is_for_many = header[0] & 1 != 0;
            if is_for_many || header[..6] == self.mac {
                match [header[12], header[13]] {
                    ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => {
                        self.receive_ip(now, packet, frame.is_intact(), true, pool);
                    }
                    ETHERTYPE_ARP => {
                        self.neighbors.receive_arp(now, packet, pool, &mut self.outbox);
                    }
                    _ => self.counters.unknown_ethertype += 1,
                }
            } else {
                self.counters.other_host += 1;
            }
        } else {
            self.counters.unknown_ethertype += 1;
        }
        pool.give_back(frame);
    }

    /// Takes in a frame after which more follow in this instant; what can wait for the last of
    /// them waits. True when it cannot, because a connection changed its state.
    pub(crate) fn receive_in_burst(
        &mut self,
        now: u64,
        frame: FrameBuffer,
        pool: &mut FramePool,
    ) -> bool {
        self.more_follows = true;
        self.receive(now, frame, pool);
        self.more_follows = false;
        self.state_changed
    }

    /// Does what is due, and puts what there is to send into the outbox. Returns when it wants
    /// to be polled next if nothing arrives and no socket is used; a time not after `now` means
    /// that there is more to do when the tasks have had their turn.
    pub(crate) fn poll(&mut self, now: u64, pool: &mut FramePool) -> Option<u64> {
        self.now = now;
        self.expire(now, pool);
        self.drain(now, pool);
        for _ in 0..LOCAL_BATCH {
            let Some(frame) = self.local.pop_front() else { break };
            self.receive_ip(now, frame.packet(), true, false, pool);
            pool.give_back(frame);
            self.drain(now, pool);
        }
        self.note_neighbors();
        if !self.local.is_empty() {
            return Some(now);
        }
        if self.datagrams.has_unsent() {
            self.datagrams_left();
        }
        self.has_new_deadline = false;
        self.deadline()
    }

    /// Takes note of what waited for neighbours, and waits no longer.
    fn note_neighbors(&mut self) {
        self.datagrams_wait_no_longer();
        for Discarded { frame, reason } in self.neighbors.take_discarded() {
            self.discard(frame, reason);
        }
    }

    /// Moves what there is to send to `frames`. Checksums may be left out, for
    /// [`FrameBuffer::fill_checksums`], unless they are `summed`.
    pub(crate) fn take_outbox(&mut self, frames: &mut Vec<FrameBuffer>, summed: bool) {
        if !self.outbox.is_empty() {
            if summed {
                self.outbox.iter_mut().for_each(FrameBuffer::fill_checksums);
            }
            frames.append(&mut self.outbox);
        }
    }

    pub(crate) fn take_changes(&mut self, changes: &mut Vec<StateChange>) {
        if self.observed {
            changes.append(&mut self.changes);
        }
    }

    /// Whether a segment or a timer changed a connection's state since this was last asked.
    pub(crate) fn take_state_changed(&mut self) -> bool {
        std::mem::take(&mut self.state_changed)
    }

    /// Whether there is anything for [`Host::take_woken`] to take.
    pub(crate) fn has_woken(&self) -> bool {
        !self.woken.is_empty() || self.unix.has_woken()
    }

    pub(crate) fn take_woken(&mut self, woken: &mut Vec<Waker>) {
        self.woken.take(woken);
        self.unix.take_woken(woken);
    }

    /// Tells what changes when every task that could run has run.
    pub(crate) fn set_round(&mut self, round: u32) {
        self.woken.set_round(round);
        self.unix.set_round(round);
    }

    /// Whether what a call has to send leaves in the call, or with the next [`Host::poll`].
    pub(crate) fn send_in_calls(&mut self, in_calls: bool) {
        self.sends_in_calls = in_calls;
    }

    /// Whether a call has left something for [`Host::poll`] to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.dirty.is_empty()
            || !self.local.is_empty()
            || !self.outbox.is_empty()
            || self.has_new_deadline
            || self.state_changed
            || self.datagrams.has_unsent()
    }

    /// Whether state changes are to be noted for [`Host::take_changes`].
    pub(crate) fn observe(&mut self, observed: bool) {
        self.observed = observed;
    }

    /// Segments sent again so far.
    pub(crate) fn retransmissions(&self) -> u64 {
        self.retransmissions
    }

    /// Whether a connection that no application holds still has something to deliver; or, when
    /// `waiting` counts too, waits for the other side's FIN.
    pub(crate) fn has_unfinished_orphans(&self, waiting: bool) -> bool {
        self.orphans > 0
            && (waiting
                || self
                    .open_flows()
                    .any(|flow| flow.owner == Owner::Nobody && flow.state != TcpState::FinWait2))
    }

    fn deadline(&self) -> Option<u64> {
        let flows = self.deadlines.first().map(|first| first.at);
        let earlier = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let flows = earlier(flows, self.pending_reports.deadline());
        earlier(flows, earlier(self.neighbors.deadline(), self.reassembler.deadline()))
    }

    fn expire(&mut self, now: u64, pool: &mut FramePool) {
        while let Some(due) = self.deadlines.first().copied()
            && due.at <= now
        {
            self.deadlines.remove(due.id);
            let id = self.demand_id(due.id as usize);
            let Some(flow) = self.flow_mut(id) else { continue };
            flow.queued_deadline = None;
            match flow.deadline {
                Some(deadline) if deadline > now => self.queue_deadline(id),
                Some(_) => self.mark_dirty(id),
                None => {}
            }
        }
        if self.neighbors.deadline().is_some_and(|deadline| deadline <= now) {
            for unreachable in self.neighbors.expire(now, pool, &mut self.outbox) {
                self.neighbor_unreachable(now, unreachable);
            }
        }
        self.answer_queries(now);
        if self.reassembler.deadline().is_some_and(|deadline| deadline <= now) {
            for expired in self.reassembler.expire(now) {
                self.send_icmp_error(now, IcmpError::ReassemblyTimeExceeded, &expired.first);
            }
        }
    }

    /// Connection attempts to a neighbour that does not answer fail with EHOSTUNREACH. What is
    /// established goes on trying, as on Linux.
    fn neighbor_unreachable(&mut self, now: u64, unreachable: Unreachable) {
        let Unreachable { neighbor, undelivered } = unreachable;
        for index in 0..self.flows.len() {
            let Some(mut flow) = self.flows[index].flow.take() else { continue };
            if flow.neighbor == Some(neighbor) && flow.state == TcpState::SynSent {
                self.fail(&mut flow, Errno::HostUnreachable);
            }
            self.flows[index].flow = Some(flow);
        }
        for frame in undelivered {
            self.undeliverable(now, frame.packet());
            self.discard(frame, DiscardReason::NeighborUnreachable);
        }
    }
}

/// How long an attempt lasts that sends a SYN, or SYN-ACK, again `retries` times: the timeout
/// doubles from one second to at most Linux's `TCP_RTO_MAX`, two minutes.
pub(super) fn handshake_timeout(retries: u32) -> u64 {
    // 1, 2, 4, ... 64 seconds; then two minutes each time.
    const DOUBLINGS: u32 = 6;
    let doubled = (2u64 << retries.min(DOUBLINGS)) - 1;
    let constant = u64::from(retries.saturating_sub(DOUBLINGS)) * 120;
    (doubled + constant).saturating_mul(1_000_000_000)
}

/// Whole nanoseconds; durations beyond the world's time are its end.
pub(super) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
