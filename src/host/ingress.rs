//! Frames in: which connection a segment is for, and whether its engine may see it.

use super::egress::Cause;
use super::engine::{Wire, to_engine_time};
use super::flow::{Flow, FlowId, Owner};
use super::last_ack::{copy_of, with_ack, without_fin};
use super::listener::ListenerId;
use super::repair::{self, Reset};
use super::stack::{Host, handshake_timeout, nanos};
use super::state::TcpState;
use super::time_wait::Verdict;
use crate::error::Errno;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::FramePool;
use crate::wire::tcp::{
    BareAck, FourTuple, Segment, Seq, bare_ack_len, cut_payload, window_scale, write_bare_ack,
    write_bare_fin,
};

/// No challenge ACK within this time of another (RFC 5961 section 7; Linux's
/// `tcp_invalid_ratelimit`).
const CHALLENGE_INTERVAL: u64 = 500_000_000;

impl Host {
    /// Takes in a whole TCP segment, from the link or, unless `from_outside`, from this host itself.
    pub(super) fn receive_segment(
        &mut self,
        now: u64,
        packet: &[u8],
        intact: bool,
        from_outside: bool,
        pool: &mut FramePool,
    ) {
        let Some((key, segment)) = Segment::parse_with_key(packet, intact) else {
            self.io.counters.tcp_errors += 1;
            return;
        };
        let found = self.demux.find(&key);
        // A connection with a neighbour has no address of this host's at its other end.
        if let Some(id) = found
            && self.flow(id).is_some_and(|flow| flow.neighbor.is_some())
        {
            self.receive_for_flow(now, id, &segment, packet, pool);
            return;
        }
        let tuple = key.tuple();
        // RFC 1122 3.2.1.3, RFC 4291 2.5.3.
        if from_outside && (self.ip.is_own(tuple.remote_addr) || tuple.local_addr.is_loopback()) {
            self.io.counters.ip_address_errors += 1;
            return;
        }
        if let Some(id) = found {
            self.receive_for_flow(now, id, &segment, packet, pool);
            return;
        }
        // Nobody could be answered: RFC 1122 4.2.3.10.
        if !self.ip.is_own(tuple.local_addr) || !self.ip.is_unicast(tuple.remote_addr) {
            self.io.counters.ip_address_errors += 1;
            return;
        }
        if self.receive_in_time_wait(now, &tuple, &segment, pool) {
            return;
        }
        let is_syn = segment.syn && segment.ack.is_none() && !segment.rst && !segment.fin;
        if is_syn && let Some(listener) = self.listeners.find(&tuple) {
            self.receive_syn(now, listener, tuple, &segment, packet, pool);
            return;
        }
        self.feed_nobody(now, packet, pool);
    }

    /// True when the segment was for a connection in TIME-WAIT and is done with.
    pub(super) fn receive_in_time_wait(
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
            Some((Verdict::Reopen, ..)) => {
                if let Some(record) = self.time_waits.remove(tuple) {
                    self.ports.connection_ends(tuple.local_port, record.reuse);
                }
                false
            }
            Some((Verdict::Acknowledge, ip_fields, ack)) => {
                self.send_bare_ack(now, tuple, ip_fields, ack, pool);
                true
            }
            Some((Verdict::Ignore, ..)) => true,
        }
    }

    pub(super) fn expire_time_waits(&mut self, now: u64) {
        let ports = &mut self.ports;
        self.time_waits.expire(now, |tuple, record| {
            ports.connection_ends(tuple.local_port, record.reuse);
        });
    }

    pub(super) fn receive_syn(
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
            tracing::debug!(target: "glassnet::tcp", flow = %tuple, "backlog full: SYN dropped");
            self.io.counters.listen_overflows += 1;
            if self.options.reset_on_overflow {
                self.feed_nobody(now, packet, pool);
            }
            return;
        }
        listener.half_open_begins();
        let options = listener.options;
        let mut engine = self.new_engine(&options);
        let listens = engine.listen(&tuple);
        debug_assert!(listens.is_ok(), "a new socket can listen");
        let mut flow = Flow::new(tuple, engine, Owner::Listener(id), options);
        flow.give_up_at = Some(now.saturating_add(handshake_timeout(self.options.synack_retries)));
        let flow = self.insert_flow(now, flow);
        self.receive_for_flow(now, flow, segment, packet, pool);
    }

    pub(super) fn receive_for_flow(
        &mut self,
        now: u64,
        id: FlowId,
        segment: &Segment,
        packet: &[u8],
        pool: &mut FramePool,
    ) {
        let Some(mut flow) = self.take_flow(id) else { return };
        if self.admit(now, &mut flow, segment, packet, pool) {
            let snd_una = flow.snd_una();
            self.deliver_segment(now, &mut flow, segment, packet, pool);
            self.after_ingress(now, id, &mut flow, segment);
            if flow.snd_una().is_after(snd_una) {
                self.progress(&mut flow);
            }
            self.flush(now, &mut flow, Cause::Arrival, pool);
            if self.more_follows && can_wait_for_the_rest(&flow, segment, self.ack_stretch) {
                self.put_back(id, flow);
                self.mark_dirty(id);
                return;
            }
            self.drain_flow(now, &mut flow, pool);
        }
        self.put_back(id, flow);
    }

    /// Takes note of a segment, and lets the engine see it in the form in which it understands it.
    fn deliver_segment(
        &mut self,
        now: u64,
        flow: &mut Flow,
        segment: &Segment,
        packet: &[u8],
        pool: &mut FramePool,
    ) {
        let fin_acknowledged = flow.ack_without_kept_fin(segment);
        if let Some(ack) = fin_acknowledged {
            let segment = Segment { ack: Some(ack), ..*segment };
            let copy = with_ack(packet, ack, pool);
            self.deliver_acknowledged(now, flow, &segment, copy.packet(), pool);
            pool.give_back(copy);
        } else {
            self.deliver_acknowledged(now, flow, segment, packet, pool);
        }
        self.settle_kept_fin(flow, fin_acknowledged.is_some());
    }

    fn deliver_acknowledged(
        &mut self,
        now: u64,
        flow: &mut Flow,
        segment: &Segment,
        packet: &[u8],
        pool: &mut FramePool,
    ) {
        let beside = if self.repairs.deaf_window {
            repair::ack_beside_the_window(flow, segment)
        } else {
            None
        };
        if segment.syn && flow.state.is_opening() {
            flow.sequences.peer_scale = window_scale(packet).unwrap_or(0);
        }
        flow.arrives(segment);
        flow.keep_alive.heard(now);
        let is_closed = flow.sequences.peer_window == 0;
        let snd_una = if is_closed { flow.snd_una() } else { Seq::default() };
        if let Some(ack) = beside {
            let tuple = flow.tuple.reversed();
            let mut frame = pool.take(ETHERNET_HEADER + bare_ack_len(&tuple));
            write_bare_ack(frame.packet_mut(), &tuple, ack);
            self.feed(now, flow, frame.packet(), pool);
            pool.give_back(frame);
        }
        if beside.is_none() || segment.payload_len > 0 {
            self.deliver_data(now, flow, segment, packet, pool);
        }
        if is_closed
            && self.repairs.endless_probe
            && flow.snd_una().is_after(snd_una)
            && repair::leaves_probe_timer(flow)
        {
            for window in [1, 0] {
                self.feed_ack(now, flow, window, pool);
            }
        }
    }

    fn deliver_data(
        &mut self,
        now: u64,
        flow: &mut Flow,
        segment: &Segment,
        packet: &[u8],
        pool: &mut FramePool,
    ) {
        if self.repairs.wide_syn_window
            && let Some(room) = repair::room_after_syn(flow, segment)
        {
            let mut copy = copy_of(packet, pool);
            let len = cut_payload(copy.packet_mut(), room as usize);
            self.feed(now, flow, &copy.packet()[..len], pool);
            pool.give_back(copy);
        } else if self.repairs.early_fin && repair::has_fin_behind_data(segment) {
            let copy = without_fin(packet, pool);
            self.feed(now, flow, copy.packet(), pool);
            pool.give_back(copy);
            self.deliver_fin(now, flow, segment, pool);
        } else {
            self.feed(now, flow, packet, pool);
        }
    }

    /// Lets the engine see the FIN of a segment whose data it has seen, if they are all there.
    fn deliver_fin(&mut self, now: u64, flow: &mut Flow, segment: &Segment, pool: &mut FramePool) {
        let fin = segment.seq.plus(segment.payload_len);
        let state: TcpState = flow.engine.socket(|socket| socket.state()).into();
        let is_next = !flow.fin_received && flow.rcv_nxt() == fin;
        let (Some(ack), true) = (segment.ack, is_next && state != TcpState::Closed) else { return };
        let tuple = flow.tuple.reversed();
        let mut frame = pool.take(ETHERNET_HEADER + bare_ack_len(&tuple));
        write_bare_fin(
            frame.packet_mut(),
            &tuple,
            BareAck { seq: fin, ack, window: segment.window },
        );
        self.feed(now, flow, frame.packet(), pool);
        pool.give_back(frame);
    }

    /// Lets the engine see a segment.
    pub(super) fn feed(&mut self, now: u64, flow: &mut Flow, packet: &[u8], pool: &mut FramePool) {
        let mut wire =
            Wire { received: Some(packet), sent: &mut self.sent, pool, mtu: self.options.mtu };
        let interface = &mut self.interface;
        flow.engine
            .with_set(|set| interface.poll_ingress_single(to_engine_time(now), &mut wire, set));
    }

    /// Decides whether the engine may see a segment, and answers it if not.
    pub(super) fn admit(
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
        if !opening && segment.ack.is_some_and(|ack| ack.is_after(flow.sequences.highest_sent())) {
            // RFC 9293 3.10.7.4: it acknowledges what was never sent.
            self.challenge(now, flow, pool);
            return false;
        }
        if let (Owner::Listener(listener), TcpState::SynReceived, Some(_), false) =
            (flow.owner, flow.state, segment.ack, segment.rst)
            && self.listeners.get_mut(listener).is_some_and(|listener| listener.is_full())
        {
            // Linux does the same: the client believes itself connected, and its data, or our
            // SYN-ACK again, tries once more.
            self.io.counters.listen_overflows += 1;
            return false;
        }
        if flow.owner == Owner::Nobody
            && segment.payload_len > 0
            && segment.seq.plus(segment.payload_len).is_after(flow.rcv_nxt())
            && segment.seq.ahead_of(flow.rcv_nxt()) < flow.recv_room().cast_signed()
            && !opening
        {
            // RFC 9293 3.6 (and RFC 1122 4.2.2.13): nobody is left to read this.
            self.set_state(flow, TcpState::Closed);
            self.retire(flow);
            self.refuse(now, flow, packet, pool);
            return false;
        }
        !(self.repairs.lone_fin && repair::is_duplicate_ack_of_lone_fin(flow, segment))
    }

    pub(super) fn after_ingress(
        &mut self,
        now: u64,
        id: FlowId,
        flow: &mut Flow,
        segment: &Segment,
    ) {
        let before = flow.state;
        let state = flow.state_of_engine();
        if let Some(neighbor) = flow.neighbor {
            self.ip.confirm(now, neighbor);
        }
        if let (Owner::Listener(listener), TcpState::Listen) = (flow.owner, state) {
            // The engine would not have this SYN, or a RST took it back.
            self.leaves_half_open(id, listener, flow, state);
            return;
        }
        if state == before {
            self.wake(flow);
            return;
        }
        self.set_state(flow, state);
        if segment.syn && matches!(before, TcpState::Listen | TcpState::SynSent) {
            flow.sequences.irs = segment.seq;
        }
        if before.is_opening() && !state.is_opening() {
            flow.give_up_at = None;
        }
        if let (Owner::Listener(listener), TcpState::SynReceived) = (flow.owner, before) {
            self.leaves_half_open(id, listener, flow, state);
        }
        if flow.close_pending && !state.is_opening() {
            flow.close_pending = false;
            self.tell_engine_of_close(flow);
        }
        if before == TcpState::LastAck
            && state == TcpState::Closed
            && !segment.rst
            // Who listens there connects from elsewhere.
            && self.listeners.find(&flow.tuple).is_none()
        {
            self.recent.insert(now, flow.tuple, flow.sequences.snd_max);
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

    pub(super) fn leaves_half_open(
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
            self.set_state(flow, TcpState::Closed);
            self.retire(flow);
        } else {
            listener.enqueue(id, &mut self.io.woken);
        }
    }

    /// The peer acknowledged something new.
    pub(super) fn progress(&mut self, flow: &mut Flow) {
        flow.retries = 0;
        flow.unacknowledged_since = None;
        flow.watchdog.rest();
    }

    pub(super) fn challenge(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) {
        if now < flow.no_challenge_before {
            return;
        }
        flow.no_challenge_before = now.saturating_add(CHALLENGE_INTERVAL);
        let ack = BareAck {
            seq: flow.sequences.snd_max,
            ack: flow.rcv_nxt(),
            window: flow.window_to_repeat(),
        };
        let (tuple, ip_fields) = (flow.tuple, flow.ip_fields());
        self.send_bare_ack(now, &tuple, ip_fields, ack, pool);
    }

    pub(super) fn feed_nobody(&mut self, now: u64, packet: &[u8], pool: &mut FramePool) {
        let mut wire =
            Wire { received: Some(packet), sent: &mut self.sent, pool, mtu: self.options.mtu };
        self.interface.poll_ingress_single(to_engine_time(now), &mut wire, &mut self.nobody);
        while let Some(frame) = self.sent.pop() {
            if let Some((reply, _)) = Segment::parse(frame.packet(), true) {
                self.route(now, reply.local_addr, None, frame, pool);
            }
        }
    }
}

/// Whether the rest of a burst may arrive before the engine is asked what it wants to send. It may
/// after a pure ACK: what that allows to be sent leaves in the same instant. It may after the first
/// segment of data since the last ACK, when the engine would only start its delayed-ACK timer
/// (RFC 9293 3.8.6.3); the second segment must be acknowledged by itself, unless ACKs stretch.
fn can_wait_for_the_rest(flow: &Flow, segment: &Segment, stretch: u32) -> bool {
    if segment.payload_len == 0 {
        return segment.is_pure_ack() && !flow.state.is_opening();
    }
    let unacknowledged = flow.rcv_nxt().ahead_of(flow.sequences.ack_sent);
    let stretch = flow.options.ack_delay_in_force().map_or(0, |_| stretch);
    unacknowledged.cast_unsigned() <= segment.payload_len.max(stretch)
}
