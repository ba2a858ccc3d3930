//! The host itself: frames in, frames out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::task::Waker;

use super::address::{Addresses, Gateways, Prefix};
use super::datagram::{Datagrams, SocketCharge};
use super::discard::{DiscardReason, Discarded, HostCounters};
use super::fragment::Reassembler;
use super::icmp::{IcmpError, IcmpLimiter};
use super::ip::PathMtus;
use super::local::LocalSockets;
use super::lower::Lower;
use super::membership::PendingReports;
use super::neighbor::{NeighborId, Neighbors, Unreachable};
use super::options::HostOptions;
use super::ports::Ports;
use super::tcp::{StateChange, Tcp, Way};
use super::wakers::Woken;
use crate::rng::Stream;
use crate::wire::ethernet::{ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Mac};
use crate::wire::frame::{FrameBuffer, FramePool};

/// Frames a host keeps for calls, at most; a call that needs more allocates. The default window is
/// 45 segments.
const MAX_RESERVE: usize = 64;
/// Frames to the host itself that are handled in one go.
const LOCAL_BATCH: usize = 64;

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
    pub(super) tcp: Tcp,
    pub(super) neighbors: Neighbors,
    /// Frames from the host to itself: they never reach a link.
    pub(super) local: VecDeque<FrameBuffer>,
    /// `AF_UNIX`.
    pub(crate) unix: LocalSockets,
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
    /// More frames follow in this instant.
    pub(super) more_follows: bool,
    /// Octets of a burst that one ACK may stand for.
    pub(super) ack_stretch: u32,
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
        let seed = stream.next_u64();
        let addresses = Addresses::new(mac, prefixes);
        let tcp = Tcp::new(&options, seed, &mut stream);
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
            tcp,
            local: VecDeque::new(),
            unix: LocalSockets::default(),
            outbox: Vec::new(),
            discarded: Vec::new(),
            counters: HostCounters::default(),
            sends_in_calls: true,
            reserve: FramePool::default(),
            reserve_len: 0,
            woken: Woken::default(),
            more_follows: false,
            ack_stretch: 0,
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
        self.tcp.has_state_changed()
    }

    /// Does what is due, and puts what there is to send into the outbox. Returns when it wants
    /// to be polled next if nothing arrives and no socket is used; a time not after `now` means
    /// that there is more to do when the tasks have had their turn.
    pub(crate) fn poll(&mut self, now: u64, pool: &mut FramePool) -> Option<u64> {
        self.now = now;
        self.expire(now, pool);
        self.drain_tcp(now, pool);
        for _ in 0..LOCAL_BATCH {
            let Some(frame) = self.local.pop_front() else { break };
            self.receive_ip(now, frame.packet(), true, false, pool);
            pool.give_back(frame);
            self.drain_tcp(now, pool);
        }
        self.note_neighbors();
        if !self.local.is_empty() {
            return Some(now);
        }
        if self.datagrams.has_unsent() {
            self.datagrams_left();
        }
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
        self.tcp.take_changes(changes);
    }

    /// Whether a segment or a timer changed a connection's state since this was last asked.
    pub(crate) fn take_state_changed(&mut self) -> bool {
        self.tcp.take_state_changed()
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
        self.tcp.has_work()
            || !self.local.is_empty()
            || !self.outbox.is_empty()
            || self.datagrams.has_unsent()
    }

    /// Whether state changes are to be noted for [`Host::take_changes`].
    pub(crate) fn observe(&mut self, observed: bool) {
        self.tcp.observe(observed);
    }

    /// Segments sent again so far.
    pub(crate) fn retransmissions(&self) -> u64 {
        self.tcp.retransmissions()
    }

    /// Whether a connection that no application holds still has something to deliver; or, when
    /// `waiting` counts too, waits for the other side's FIN.
    pub(crate) fn has_unfinished_orphans(&self, waiting: bool) -> bool {
        self.tcp.has_unfinished_orphans(waiting)
    }

    fn deadline(&mut self) -> Option<u64> {
        let connections = self.tcp.deadline();
        let earlier = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let first = earlier(connections, self.pending_reports.deadline());
        earlier(first, earlier(self.neighbors.deadline(), self.reassembler.deadline()))
    }

    fn expire(&mut self, now: u64, pool: &mut FramePool) {
        self.tcp.expire(now);
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

    /// Lets TCP send what it has to send.
    fn drain_tcp(&mut self, now: u64, pool: &mut FramePool) {
        let (tcp, mut lower) = self.tcp_in_turn(now, pool);
        tcp.drain(&mut lower);
    }

    /// Takes in a whole TCP segment, from the link or, unless `from_outside`, from this host itself.
    pub(super) fn receive_segment(
        &mut self,
        now: u64,
        packet: &[u8],
        intact: bool,
        from_outside: bool,
        pool: &mut FramePool,
    ) {
        let (more_follows, ack_stretch) = (self.more_follows, self.ack_stretch);
        let (tcp, mut lower) = self.tcp_in_turn(now, pool);
        tcp.receive(&mut lower, packet, intact, Way { from_outside, more_follows, ack_stretch });
    }

    /// TCP and what it stands on, in a call of a socket, which has the reserve of frames.
    #[inline]
    pub(super) fn tcp_in_call(&mut self, now: u64) -> (&mut Tcp, Lower<'_>) {
        self.now = now;
        let lower = Lower {
            now,
            mac: self.mac,
            options: &self.options,
            addresses: &self.addresses,
            path_mtus: &self.path_mtus,
            neighbors: &mut self.neighbors,
            outbox: &mut self.outbox,
            local: &mut self.local,
            discarded: &mut self.discarded,
            counters: &mut self.counters,
            woken: &mut self.woken,
            pool: &mut self.reserve,
            sends_in_calls: self.sends_in_calls,
        };
        (&mut self.tcp, lower)
    }

    /// The same in the host's turn, which has the world's pool.
    #[inline]
    fn tcp_in_turn<'a>(
        &'a mut self,
        now: u64,
        pool: &'a mut FramePool,
    ) -> (&'a mut Tcp, Lower<'a>) {
        let (tcp, lower) = self.tcp_in_call(now);
        (tcp, Lower { pool, ..lower })
    }

    /// Sends a packet on its way. What waits for its neighbour takes what `socket` says of that
    /// socket's send buffer.
    pub(super) fn route(
        &mut self,
        now: u64,
        to: IpAddr,
        neighbor: Option<NeighborId>,
        frame: FrameBuffer,
        socket: Option<SocketCharge>,
        pool: &mut FramePool,
    ) {
        let (_, mut lower) = self.tcp_in_turn(now, pool);
        if lower.route(to, neighbor, frame, socket)
            && let Some(charge) = socket
        {
            self.datagram_waits(charge);
        }
    }

    /// Makes up for the frames that calls have used, as far as the world's pool has any: it is where
    /// they come back to, wherever they end. It comes before anything else in a turn.
    pub(crate) fn refill_reserve(&mut self, pool: &mut FramePool) {
        // What is in the outbox before a turn was put there by calls.
        let used = self.outbox.len().min(MAX_RESERVE);
        self.reserve_len = self.reserve_len.max(used);
        self.reserve.refill(pool, self.reserve_len);
    }

    /// The power goes: every connection and listener is gone, and no peer is told. Who waits for a
    /// socket of this host and is no task of it, which may be another thread, finds it dead.
    pub(crate) fn crash(&mut self) {
        self.tcp.crash(&mut self.woken);
        self.unix.crash();
        for socket in self.datagrams.iter_mut() {
            socket.readers.wake_all(&mut self.woken);
            socket.writers.wake_all(&mut self.woken);
        }
        self.forget_everything();
    }

    fn forget_everything(&mut self) {
        self.tcp.forget_everything();
        self.outbox.clear();
        self.discarded.clear();
        self.local.clear();
        self.neighbors = Neighbors::new(self.mac, &self.addresses);
        self.path_mtus = PathMtus::default();
        self.reassembler = Reassembler::default();
        self.icmp_limiter = IcmpLimiter::default();
        self.datagrams = Datagrams::default();
        self.udp_ports.forget_everything();
        self.echo_ids.forget_everything();
    }

    /// Connection attempts to a neighbour that does not answer fail with EHOSTUNREACH. What is
    /// established goes on trying, as on Linux.
    fn neighbor_unreachable(&mut self, now: u64, unreachable: Unreachable) {
        let Unreachable { neighbor, undelivered } = unreachable;
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.neighbor_unreachable(&mut lower, neighbor);
        for frame in undelivered {
            self.undeliverable(now, frame.packet());
            self.discard(frame, DiscardReason::NeighborUnreachable);
        }
    }
}
