//! The host itself: frames in, frames out.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::Waker;

use rustc_hash::FxHashMap;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::wire::{HardwareAddress, IpCidr, Ipv4Cidr};

use super::engine::{Engine, SocketBuffers, Wire, to_engine_time};
use super::flow::{Departure, Flow, FlowId, Owner};
use super::frame::{ETHERNET_HEADER, FrameBuffer, FramePool};
use super::listener::{ListenerId, Listeners};
use super::neighbor::{BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, Mac, NeighborId, Neighbors};
use super::options::HostOptions;
use super::ports::Ports;
use super::repair::{self, Repairs, Reset};
use super::segment::{BARE_ACK_LEN, BareAck, FourTuple, Segment, rewrite_seq, write_bare_ack};
use super::state::TcpState;
use super::time_wait::{TimeWaits, Verdict};
use crate::error::Errno;
use crate::rng::Stream;

/// No challenge ACK within this time of another (RFC 5961 section 7; Linux's
/// `tcp_invalid_ratelimit`).
const CHALLENGE_INTERVAL: u64 = 500_000_000;
/// Frames to the host itself that are handled in one go.
const LOCAL_BATCH: usize = 64;
/// Socket buffers that wait for the next connection.
const POOLED_BUFFERS: usize = 32;

/// A connection went from one state to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateChange {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) from: TcpState,
    pub(crate) to: TcpState,
}

/// One machine's stack.
pub(crate) struct Host {
    pub(super) name: String,
    mac: Mac,
    pub(super) address: Ipv4Addr,
    network: Ipv4Cidr,
    pub(super) options: HostOptions,
    pub(super) repairs: Repairs,
    pub(super) interface: Interface,
    /// What is for nobody is fed to this: the interface answers with a RST.
    nobody: SocketSet<'static>,
    pub(super) flows: Vec<Slot>,
    free_slots: Vec<u32>,
    pub(super) open_flows: usize,
    /// Flows that no application holds and that are not over for the network.
    pub(super) orphans: usize,
    pub(super) demux: FxHashMap<FourTuple, FlowId>,
    pub(super) time_waits: TimeWaits,
    pub(super) listeners: Listeners,
    pub(super) ports: Ports,
    pub(super) neighbors: Neighbors,
    dirty: Vec<FlowId>,
    deadlines: BinaryHeap<Reverse<(u64, FlowId)>>,
    buffers: Vec<SocketBuffers>,
    /// Frames from the host to itself: they never reach a link.
    local: VecDeque<FrameBuffer>,
    sent: Vec<FrameBuffer>,
    pub(super) outbox: Vec<FrameBuffer>,
    pub(super) woken: Vec<Waker>,
    pub(super) observed: bool,
    state_changed: bool,
    pub(super) changes: Vec<StateChange>,
    pub(super) retransmissions: u64,
}

#[derive(Default)]
pub(super) struct Slot {
    generation: u32,
    pub(super) flow: Option<Box<Flow>>,
}

impl Host {
    /// A host with one Ethernet interface. `stream` feeds its initial sequence numbers and ports.
    pub(crate) fn new(
        name: &str,
        mac: Mac,
        address: Ipv4Addr,
        prefix_len: u8,
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
        let network = Ipv4Cidr::new(address, prefix_len);
        interface.update_ip_addrs(|addresses| {
            // Eight fit, two are given.
            let _ = addresses.push(IpCidr::Ipv4(network));
            let _ = addresses.push(IpCidr::Ipv4(Ipv4Cidr::new(Ipv4Addr::LOCALHOST, 8)));
        });
        Host {
            name: name.to_owned(),
            mac,
            address,
            network,
            options,
            repairs: Repairs::default(),
            interface,
            nobody: SocketSet::new(Vec::new()),
            flows: Vec::new(),
            free_slots: Vec::new(),
            open_flows: 0,
            orphans: 0,
            demux: FxHashMap::default(),
            time_waits: TimeWaits::default(),
            listeners: Listeners::default(),
            ports: Ports::new(&mut stream),
            neighbors: Neighbors::new(mac, address),
            dirty: Vec::new(),
            deadlines: BinaryHeap::new(),
            buffers: Vec::new(),
            local: VecDeque::new(),
            sent: Vec::new(),
            outbox: Vec::new(),
            woken: Vec::new(),
            observed: false,
            state_changed: false,
            changes: Vec::new(),
            retransmissions: 0,
        }
    }

    /// Takes in a frame. What it causes to be sent leaves with the next [`Host::poll`].
    pub(crate) fn receive(&mut self, now: u64, frame: FrameBuffer, pool: &mut FramePool) {
        if let Some((header, packet)) = frame.bytes().split_at_checked(ETHERNET_HEADER) {
            let for_us = header[..6] == self.mac || header[..6] == BROADCAST;
            if for_us && header[12..] == ETHERTYPE_IPV4 {
                self.receive_packet(now, packet, frame.intact, pool);
            } else if for_us && header[12..] == ETHERTYPE_ARP {
                self.neighbors.receive(now, packet, pool, &mut self.outbox);
            }
        }
        pool.give_back(frame);
    }

    /// Does what is due, and puts what there is to send into the outbox. Returns when it wants
    /// to be polled next if nothing arrives and no socket is used; a time not after `now` means
    /// that there is more to do when the tasks have had their turn.
    pub(crate) fn poll(&mut self, now: u64, pool: &mut FramePool) -> Option<u64> {
        self.expire(now, pool);
        for _ in 0..LOCAL_BATCH {
            self.drain(now, pool);
            let Some(frame) = self.local.pop_front() else { break };
            self.receive_packet(now, frame.packet(), true, pool);
            pool.give_back(frame);
        }
        self.drain(now, pool);
        if !self.local.is_empty() {
            return Some(now);
        }
        self.deadline()
    }

    pub(crate) fn take_outbox(&mut self, frames: &mut Vec<FrameBuffer>) {
        frames.append(&mut self.outbox);
    }

    pub(crate) fn take_changes(&mut self, changes: &mut Vec<StateChange>) {
        changes.append(&mut self.changes);
    }

    /// Whether a segment or a timer changed a connection's state since this was last asked.
    pub(crate) fn take_state_changed(&mut self) -> bool {
        std::mem::take(&mut self.state_changed)
    }

    pub(crate) fn take_woken(&mut self, woken: &mut Vec<Waker>) {
        woken.append(&mut self.woken);
    }

    /// Whether a call has left something for [`Host::poll`] to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.dirty.is_empty() || !self.local.is_empty()
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

    fn deadline(&mut self) -> Option<u64> {
        // Entries that no longer speak for their flow are thrown away here, so that no time
        // passes for nothing.
        while let Some(Reverse((at, id))) = self.deadlines.peek().copied() {
            if self.flow(id).is_some_and(|flow| flow.queued_deadline == Some(at)) {
                break;
            }
            self.deadlines.pop();
        }
        let flows = self.deadlines.peek().map(|Reverse((at, _))| *at);
        match (flows, self.neighbors.deadline()) {
            (Some(flows), Some(neighbors)) => Some(flows.min(neighbors)),
            (flows, neighbors) => flows.or(neighbors),
        }
    }

    fn expire(&mut self, now: u64, pool: &mut FramePool) {
        while let Some(Reverse((at, id))) = self.deadlines.peek().copied()
            && at <= now
        {
            self.deadlines.pop();
            let Some(flow) = self.flow_mut(id) else { continue };
            if flow.queued_deadline != Some(at) {
                continue;
            }
            flow.queued_deadline = None;
            match flow.deadline {
                Some(deadline) if deadline > now => self.queue_deadline(id, deadline),
                Some(_) => self.mark_dirty(id),
                None => {}
            }
        }
        if self.neighbors.deadline().is_some_and(|deadline| deadline <= now) {
            for neighbor in self.neighbors.expire(now, pool, &mut self.outbox) {
                self.neighbor_unreachable(neighbor);
            }
        }
    }

    /// Connection attempts to a neighbour that does not answer fail with EHOSTUNREACH. What is
    /// established goes on trying, as on Linux.
    fn neighbor_unreachable(&mut self, neighbor: NeighborId) {
        for index in 0..self.flows.len() {
            let Some(mut flow) = self.flows[index].flow.take() else { continue };
            if flow.neighbor == Some(neighbor) && flow.state == TcpState::SynSent {
                self.fail(&mut flow, Errno::HostUnreachable);
            }
            self.flows[index].flow = Some(flow);
        }
    }

    // ---- Frames in -------------------------------------------------------------------------

    fn receive_packet(&mut self, now: u64, packet: &[u8], intact: bool, pool: &mut FramePool) {
        let Some(segment) = Segment::parse(packet, intact) else { return };
        let tuple = segment.tuple_of_receiver();
        if let Some(id) = self.demux.get(&tuple).copied() {
            self.receive_for_flow(now, id, &segment, packet, pool);
            return;
        }
        if self.receive_in_time_wait(now, &tuple, &segment, pool) {
            return;
        }
        let is_syn = segment.syn && segment.ack.is_none() && !segment.rst && !segment.fin;
        if is_syn && let Some(listener) = self.listeners.find(tuple.local_addr, tuple.local_port) {
            self.receive_syn(now, listener, tuple, &segment, packet, pool);
            return;
        }
        self.feed_nobody(now, packet, pool);
    }

    /// True when the segment was for a connection in TIME-WAIT and is done with.
    fn receive_in_time_wait(
        &mut self,
        now: u64,
        tuple: &FourTuple,
        segment: &Segment,
        pool: &mut FramePool,
    ) -> bool {
        self.expire_time_waits(now);
        let expires = now.saturating_add(nanos(self.options.time_wait));
        match self.time_waits.receive(tuple, segment, expires) {
            None => false,
            Some((Verdict::Reopen, _)) => {
                self.time_waits.remove(tuple);
                self.ports.connection_ends(tuple.local_port);
                false
            }
            Some((Verdict::Acknowledge, ack)) => {
                self.send_bare_ack(now, tuple, ack, pool);
                true
            }
            Some((Verdict::Ignore, _)) => true,
        }
    }

    fn expire_time_waits(&mut self, now: u64) {
        let ports = &mut self.ports;
        self.time_waits.expire(now, |tuple| ports.connection_ends(tuple.local_port));
    }

    fn receive_syn(
        &mut self,
        now: u64,
        id: ListenerId,
        tuple: FourTuple,
        segment: &Segment,
        packet: &[u8],
        pool: &mut FramePool,
    ) {
        let room = self.open_flows < self.options.max_connections;
        let Some(listener) = self.listeners.get_mut(id) else { return };
        if !room || listener.is_full() || listener.half_open() >= self.options.syn_backlog {
            tracing::debug!(target: "glassnet::tcp", time = now, host = %self.name, flow = %tuple, "backlog full: SYN dropped");
            if self.options.reset_on_overflow {
                self.feed_nobody(now, packet, pool);
            }
            return;
        }
        listener.half_open_begins();
        let mut engine = self.new_engine();
        let listens = engine.listen(&tuple);
        debug_assert!(listens.is_ok(), "a new socket can listen");
        let mut flow = Flow::new(tuple, engine, Owner::Listener(id));
        flow.give_up_at = Some(now.saturating_add(handshake_timeout(self.options.synack_retries)));
        let flow = self.insert_flow(flow);
        self.receive_for_flow(now, flow, segment, packet, pool);
    }

    fn receive_for_flow(
        &mut self,
        now: u64,
        id: FlowId,
        segment: &Segment,
        packet: &[u8],
        pool: &mut FramePool,
    ) {
        let Some(mut flow) = self.take_flow(id) else { return };
        if self.admit(now, &mut flow, segment, packet, pool) {
            flow.arrives(segment);
            let snd_una = flow.snd_una();
            let mut wire =
                Wire { received: Some(packet), sent: &mut self.sent, pool, mtu: self.options.mtu };
            let interface = &mut self.interface;
            flow.engine
                .with_set(|set| interface.poll_ingress_single(to_engine_time(now), &mut wire, set));
            self.after_ingress(now, id, &mut flow, segment);
            if flow.snd_una().is_after(snd_una) {
                self.progress(&mut flow);
            }
            self.flush(now, &mut flow, pool);
            self.drain_flow(now, &mut flow, pool);
        }
        self.put_back(id, flow);
    }

    /// Decides whether the engine may see a segment, and answers it if not.
    fn admit(
        &mut self,
        now: u64,
        flow: &mut Flow,
        segment: &Segment,
        packet: &[u8],
        pool: &mut FramePool,
    ) -> bool {
        let opening = flow.state.is_opening() || flow.state == TcpState::Closed;
        if segment.rst && !opening && self.repairs.blind_reset {
            match repair::judge_reset(flow, segment) {
                Reset::Accept => return true,
                Reset::Challenge => self.challenge(now, flow, pool),
                Reset::Drop => {}
            }
            return false;
        }
        if segment.syn && !opening {
            // RFC 5961 section 4.2. A SYN-ACK again means that our ACK of it was lost.
            self.challenge(now, flow, pool);
            return false;
        }
        if let (Owner::Listener(listener), TcpState::SynReceived, Some(_), false) =
            (flow.owner, flow.state, segment.ack, segment.rst)
            && self.listeners.get_mut(listener).is_some_and(|listener| listener.is_full())
        {
            // Linux does the same: the client believes itself connected, and its data, or our
            // SYN-ACK again, tries once more.
            return false;
        }
        if flow.owner == Owner::Nobody
            && segment.payload_len > 0
            && segment.end().is_after(flow.rcv_nxt())
            && !opening
        {
            // RFC 9293 3.6 (and RFC 1122 4.2.2.13): nobody is left to read this.
            self.set_state(now, flow, TcpState::Closed);
            self.retire(flow);
            self.feed_nobody(now, packet, pool);
            return false;
        }
        !(self.repairs.lone_fin && repair::is_duplicate_ack_of_lone_fin(flow, segment))
    }

    fn after_ingress(&mut self, now: u64, id: FlowId, flow: &mut Flow, segment: &Segment) {
        let before = flow.state;
        let state: TcpState = flow.engine.socket(|socket| socket.state()).into();
        if let Some(neighbor) = flow.neighbor {
            self.neighbors.confirm(now, neighbor);
        }
        if state == before {
            self.wake(flow);
            return;
        }
        self.set_state(now, flow, state);
        if segment.syn && matches!(before, TcpState::Listen | TcpState::SynSent) {
            flow.sequences.irs = segment.seq;
        }
        if before == TcpState::SynSent && !state.is_opening() && state != TcpState::Closed {
            flow.give_up_at = None;
        }
        if let (Owner::Listener(listener), TcpState::SynReceived) = (flow.owner, before) {
            self.leaves_half_open(id, listener, flow, state);
        }
        if flow.close_pending && !state.is_opening() {
            flow.close_pending = false;
            flow.engine.socket_mut(|socket| socket.close());
            let state = flow.engine.socket(|socket| socket.state()).into();
            self.set_state(now, flow, state);
        }
        if state == TcpState::Closed {
            if segment.rst {
                // As Linux's `tcp_reset`.
                flow.error = Some(match before {
                    TcpState::SynSent => Errno::ConnRefused,
                    TcpState::CloseWait => Errno::Pipe,
                    _ => Errno::ConnReset,
                });
            }
            self.retire(flow);
        }
        if state == TcpState::FinWait2 && flow.owner == Owner::Nobody {
            flow.give_up_at = Some(now.saturating_add(nanos(self.options.fin_timeout)));
        }
        self.wake(flow);
    }

    fn leaves_half_open(
        &mut self,
        id: FlowId,
        listener: ListenerId,
        flow: &mut Flow,
        state: TcpState,
    ) {
        let Some(listener) = self.listeners.get_mut(listener) else { return };
        listener.half_open_ends();
        flow.give_up_at = None;
        if matches!(state, TcpState::Listen | TcpState::Closed) {
            // Reset before it was established: nobody will ever hear of it.
            self.orphan(flow);
            flow.state = TcpState::Closed;
            self.retire(flow);
        } else {
            listener.enqueue(id, &mut self.woken);
        }
    }

    /// The peer acknowledged something new.
    fn progress(&mut self, flow: &mut Flow) {
        flow.retries = 0;
        if flow.watchdog > 0 {
            flow.watchdog = 0;
            flow.engine.socket_mut(|socket| socket.set_keep_alive(None));
        }
    }

    fn challenge(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) {
        if now < flow.no_challenge_before {
            return;
        }
        flow.no_challenge_before = now + CHALLENGE_INTERVAL;
        let ack = BareAck {
            seq: flow.sequences.snd_max,
            ack: flow.rcv_nxt(),
            window: flow.sequences.window_sent,
        };
        let tuple = flow.tuple;
        self.send_bare_ack(now, &tuple, ack, pool);
    }

    fn feed_nobody(&mut self, now: u64, packet: &[u8], pool: &mut FramePool) {
        let mut wire =
            Wire { received: Some(packet), sent: &mut self.sent, pool, mtu: self.options.mtu };
        self.interface.poll_ingress_single(to_engine_time(now), &mut wire, &mut self.nobody);
        while let Some(frame) = self.sent.pop() {
            if let Some(reply) = Segment::parse(frame.packet(), true) {
                self.route(now, reply.destination.ip(), None, frame, pool);
            }
        }
    }

    // ---- Frames out ------------------------------------------------------------------------

    fn drain(&mut self, now: u64, pool: &mut FramePool) {
        let mut at = 0;
        while at < self.dirty.len() {
            let id = self.dirty[at];
            at += 1;
            let Some(mut flow) = self.take_flow(id) else { continue };
            flow.dirty = false;
            self.drain_flow(now, &mut flow, pool);
            self.put_back(id, flow);
        }
        self.dirty.clear();
    }

    fn drain_flow(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) {
        if flow.detached {
            return;
        }
        if flow.give_up_at.is_some_and(|at| at <= now) {
            self.give_up(now, flow);
            return;
        }
        let mut poll_at = self.emit(now, flow, pool);
        if flow.detached {
            return;
        }
        if self.repairs.silent_window
            && let Some(interval) = repair::silent_window_keep_alive(flow, poll_at)
        {
            flow.watchdog += 1;
            let interval = smoltcp::time::Duration::from_micros(interval / 1_000);
            flow.engine.socket_mut(|socket| socket.set_keep_alive(Some(interval)));
            poll_at = self.emit(now, flow, pool);
        }
        if self.repairs.time_wait && repair::leaves_time_wait_record(flow) {
            self.leave_time_wait_record(now, flow);
            return;
        }
        // The engine sometimes wants to be polled now and then has nothing to say.
        let poll_at = poll_at.map(|at| at.max(now + 1_000));
        flow.deadline = match (poll_at, flow.give_up_at) {
            (Some(engine), Some(host)) => Some(engine.min(host)),
            (engine, host) => engine.or(host),
        };
    }

    /// Lets the engine send all it wants to; returns when it wants to be asked again.
    fn emit(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) -> Option<u64> {
        let poll_at = loop {
            let poll_at = flow.engine.poll_at(&mut self.interface, now);
            if flow.detached || poll_at.is_none_or(|at| at > now) {
                break poll_at;
            }
            let mut wire =
                Wire { received: None, sent: &mut self.sent, pool, mtu: self.options.mtu };
            let interface = &mut self.interface;
            flow.engine.with_set(|set| interface.poll_egress(to_engine_time(now), &mut wire, set));
            if self.sent.is_empty() {
                break flow.engine.poll_at(&mut self.interface, now);
            }
            self.flush(now, flow, pool);
        };
        let state: TcpState = flow.engine.socket(|socket| socket.state()).into();
        if state != flow.state && !flow.detached {
            self.set_state(now, flow, state);
            self.wake(flow);
        }
        poll_at
    }

    /// Sends what the engine has handed over.
    fn flush(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) {
        if self.sent.is_empty() {
            return;
        }
        let mut sent = std::mem::take(&mut self.sent);
        for mut frame in sent.drain(..) {
            let Some(segment) = Segment::parse(frame.packet(), true) else {
                pool.give_back(frame);
                continue;
            };
            let departure = if flow.detached {
                Departure::GiveUp
            } else {
                flow.departs(&segment, &self.options, self.repairs.rewound_ack)
            };
            match departure {
                Departure::Send { seq, retransmission } => {
                    if seq != segment.seq {
                        rewrite_seq(frame.packet_mut(), seq);
                    }
                    self.retransmissions += u64::from(retransmission);
                    self.route(now, flow.tuple.remote_addr, flow.neighbor, frame, pool);
                    if segment.rst {
                        self.retire(flow);
                    }
                }
                Departure::GiveUp => {
                    pool.give_back(frame);
                    // A connection attempt has its own hour: Linux waits once more after the last SYN.
                    if !flow.detached && flow.give_up_at.is_none() {
                        self.give_up(now, flow);
                    }
                }
            }
        }
        self.sent = sent;
    }

    fn route(
        &mut self,
        now: u64,
        to: IpAddr,
        neighbor: Option<NeighborId>,
        frame: FrameBuffer,
        pool: &mut FramePool,
    ) {
        let IpAddr::V4(to) = to else {
            pool.give_back(frame);
            return;
        };
        if let Some(neighbor) = neighbor {
            self.neighbors.send(now, neighbor, frame, pool, &mut self.outbox);
        } else if self.is_own(to) {
            self.local.push_back(frame);
        } else if self.network.contains_addr(&to) {
            let neighbor = self.neighbors.entry(to);
            self.neighbors.send(now, neighbor, frame, pool, &mut self.outbox);
        } else {
            pool.give_back(frame);
        }
    }

    fn send_bare_ack(&mut self, now: u64, tuple: &FourTuple, ack: BareAck, pool: &mut FramePool) {
        let mut frame = pool.take(ETHERNET_HEADER + BARE_ACK_LEN);
        write_bare_ack(frame.packet_mut(), tuple, ack);
        self.route(now, tuple.remote_addr, None, frame, pool);
    }

    // ---- Ends ------------------------------------------------------------------------------

    /// The peer has not answered for too long. Linux says nothing to it, and neither do we.
    fn give_up(&mut self, now: u64, flow: &mut Flow) {
        if let (Owner::Listener(listener), TcpState::SynReceived) = (flow.owner, flow.state)
            && let Some(listener) = self.listeners.get_mut(listener)
        {
            listener.half_open_ends();
            self.orphan(flow);
        }
        tracing::debug!(target: "glassnet::tcp", time = now, host = %self.name, flow = %flow.tuple, "timed out");
        self.fail(flow, Errno::TimedOut);
    }

    pub(super) fn fail(&mut self, flow: &mut Flow, errno: Errno) {
        flow.error = Some(errno);
        self.note_change(flow, TcpState::Closed);
        flow.state = TcpState::Closed;
        self.retire(flow);
        self.wake(flow);
    }

    /// The application, or the listener, lets go of a connection.
    pub(super) fn orphan(&mut self, flow: &mut Flow) {
        debug_assert!(flow.owner != Owner::Nobody, "a flow is let go of once");
        flow.owner = Owner::Nobody;
        self.orphans += usize::from(!flow.detached);
    }

    /// The connection is over for the network: the tuple is free, the engine is left alone.
    pub(super) fn retire(&mut self, flow: &mut Flow) {
        if !flow.detached {
            flow.detached = true;
            self.orphans -= usize::from(flow.owner == Owner::Nobody);
            flow.deadline = None;
            flow.give_up_at = None;
            self.demux.remove(&flow.tuple);
            self.ports.connection_ends(flow.tuple.local_port);
        }
    }

    fn leave_time_wait_record(&mut self, now: u64, flow: &mut Flow) {
        self.expire_time_waits(now);
        let expires = now.saturating_add(nanos(self.options.time_wait));
        let (snd_nxt, rcv_nxt) = (flow.sequences.snd_max, flow.rcv_nxt());
        self.time_waits.insert(flow.tuple, snd_nxt, rcv_nxt, flow.sequences.window_sent, expires);
        self.ports.connection_begins(flow.tuple.local_port);
        self.retire(flow);
        self.wake(flow);
    }

    fn set_state(&mut self, now: u64, flow: &mut Flow, state: TcpState) {
        if state != flow.state {
            tracing::trace!(target: "glassnet::tcp", time = now, host = %self.name, flow = %flow.tuple, from = %flow.state, to = %state, "state");
            self.note_change(flow, state);
            flow.state = state;
            self.state_changed = true;
        }
    }

    pub(super) fn note_change(&mut self, flow: &Flow, to: TcpState) {
        if self.observed && flow.state != to {
            let (local, remote) = (flow.tuple.local(), flow.tuple.remote());
            self.changes.push(StateChange { local, remote, from: flow.state, to });
        }
    }

    fn wake(&mut self, flow: &mut Flow) {
        if flow.is_readable() {
            flow.readers.wake_all(&mut self.woken);
        }
        if flow.is_writable() {
            flow.writers.wake_all(&mut self.woken);
        }
    }

    // ---- Flows -----------------------------------------------------------------------------

    pub(super) fn is_own(&self, address: Ipv4Addr) -> bool {
        address == self.address || address.is_loopback()
    }

    pub(super) fn is_on_link(&self, address: Ipv4Addr) -> bool {
        self.network.contains_addr(&address)
    }

    pub(super) fn new_engine(&mut self) -> Engine {
        let (recv, send) = (self.options.recv_buffer, self.options.send_buffer);
        let buffers = self.buffers.pop().filter(|buffers| buffers.fit(recv, send));
        Engine::new(buffers.unwrap_or_else(|| SocketBuffers::new(recv, send)), &self.options)
    }

    pub(super) fn insert_flow(&mut self, mut flow: Flow) -> FlowId {
        if let IpAddr::V4(remote) = flow.tuple.remote_addr
            && !self.is_own(remote)
        {
            flow.neighbor = Some(self.neighbors.entry(remote));
        }
        flow.state = flow.engine.socket(|socket| socket.state()).into();
        self.ports.connection_begins(flow.tuple.local_port);
        let index = self.free_slots.pop().unwrap_or_else(|| {
            self.flows.push(Slot::default());
            (self.flows.len() - 1) as u32
        });
        let slot = &mut self.flows[index as usize];
        let id = FlowId { index, generation: slot.generation };
        self.demux.insert(flow.tuple, id);
        self.open_flows += 1;
        slot.flow = Some(Box::new(flow));
        id
    }

    pub(super) fn demand_id(&self, index: usize) -> FlowId {
        FlowId { index: index as u32, generation: self.flows[index].generation }
    }

    pub(super) fn forget_everything(&mut self) {
        for slot in &mut self.flows {
            slot.generation = slot.generation.wrapping_add(1);
            slot.flow = None;
        }
        self.demux.clear();
        self.orphans = 0;
        self.open_flows = 0;
        self.free_slots = (0..self.flows.len() as u32).collect();
        self.listeners = Listeners::default();
        self.time_waits = TimeWaits::default();
        self.dirty.clear();
        self.deadlines.clear();
        self.outbox.clear();
        self.local.clear();
        self.neighbors = Neighbors::new(self.mac, self.address);
    }

    pub(super) fn flow(&self, id: FlowId) -> Option<&Flow> {
        let slot = self.flows.get(id.index as usize)?;
        if slot.generation == id.generation { slot.flow.as_deref() } else { None }
    }

    pub(super) fn flow_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        let slot = self.flows.get_mut(id.index as usize)?;
        if slot.generation == id.generation { slot.flow.as_deref_mut() } else { None }
    }

    /// Takes a flow out of its slot while it is worked on; [`Host::put_back`] ends that.
    pub(super) fn take_flow(&mut self, id: FlowId) -> Option<Box<Flow>> {
        let slot = self.flows.get_mut(id.index as usize)?;
        if slot.generation == id.generation { slot.flow.take() } else { None }
    }

    /// Puts a flow back, or frees it when neither the network nor an application needs it.
    pub(super) fn put_back(&mut self, id: FlowId, mut flow: Box<Flow>) {
        if flow.detached && flow.owner == Owner::Nobody {
            self.free(id, flow);
            return;
        }
        if let Some(deadline) = flow.deadline
            && flow.queued_deadline.is_none_or(|queued| deadline < queued)
        {
            flow.queued_deadline = Some(deadline);
            self.deadlines.push(Reverse((deadline, id)));
        }
        self.flows[id.index as usize].flow = Some(flow);
    }

    fn free(&mut self, id: FlowId, flow: Box<Flow>) {
        let slot = &mut self.flows[id.index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free_slots.push(id.index);
        self.open_flows -= 1;
        if self.buffers.len() < POOLED_BUFFERS {
            self.buffers.push(flow.engine.into_buffers());
        }
    }

    fn queue_deadline(&mut self, id: FlowId, deadline: u64) {
        if let Some(flow) = self.flow_mut(id)
            && flow.queued_deadline.is_none_or(|queued| deadline < queued)
        {
            flow.queued_deadline = Some(deadline);
            self.deadlines.push(Reverse((deadline, id)));
        }
    }

    pub(super) fn mark_dirty(&mut self, id: FlowId) {
        if let Some(flow) = self.flow_mut(id)
            && !flow.dirty
        {
            flow.dirty = true;
            self.dirty.push(id);
        }
    }

    /// The connections the host has, in the order of their slots.
    pub(super) fn open_flows(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().filter_map(|slot| slot.flow.as_deref())
    }
}

/// How long an attempt lasts that sends a SYN, or SYN-ACK, again `retries` times: the timeout
/// doubles from one second to at most Linux's `TCP_RTO_MAX`, two minutes.
pub(super) fn handshake_timeout(retries: u32) -> u64 {
    let seconds = (0..=retries).map(|retry| 1u64 << retry.min(7)).map(|seconds| seconds.min(120));
    seconds.sum::<u64>().saturating_mul(1_000_000_000)
}

/// Whole nanoseconds; durations beyond the world's time are its end.
pub(super) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
