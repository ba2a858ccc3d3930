//! Frames out: what the engines want to send, how it leaves, and where it goes.

use std::net::IpAddr;

use super::engine::{Wire, to_engine_time};
use super::flow::{Departure, Emitted, Flow};
use super::ip::NextHop;
use super::last_ack::KeptFin;
use super::repair;
use super::split::split_segment;
use super::stack::Host;
use super::state::TcpState;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::IpFields;
use crate::wire::tcp::{
    BareAck, FourTuple, Segment, bare_ack_len, cut_payload, rewrite_fin, rewrite_seq,
    write_bare_ack,
};

/// How long an engine that does not come to rest is left alone, in nanoseconds.
const PAUSE: u64 = 1_000_000_000;
/// Segments without anything new that an engine may send in one turn.
const MAX_IDLE: u32 = 8;

/// Why an engine sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It answers a segment that has just arrived.
    Arrival,
    /// It has its turn.
    Turn,
}

/// Whether an engine has sent more in this turn than it can have to say: each byte that is not
/// acknowledged once, and again.
fn has_no_end(flow: &Flow) -> bool {
    let Emitted { payload, idle } = flow.emitted;
    idle > MAX_IDLE || payload > 2 * u64::from(flow.options.send_buffer()) + 131_072
}

impl Host {
    pub(super) fn drain(&mut self, now: u64, pool: &mut FramePool) {
        let mut at = 0;
        while at < self.dirty.len() {
            let id = self.dirty[at];
            at += 1;
            let Some(flow) = self.flow_mut(id) else { continue };
            flow.in_dirty_list = false;
            // A call may have sent what there was.
            if !flow.dirty {
                continue;
            }
            let Some(mut flow) = self.take_flow(id) else { continue };
            self.drain_flow(now, &mut flow, pool);
            self.put_back(id, flow);
        }
        self.dirty.clear();
    }

    pub(super) fn drain_flow(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) {
        flow.dirty = false;
        if flow.detached {
            return;
        }
        if self.run_timers(now, flow, pool) || self.run_watchdog(now, flow, pool) {
            return;
        }
        if let Some(syn) = flow.syn.take() {
            self.sent.push(syn);
            self.flush(now, flow, Cause::Turn, pool);
        }
        let mut poll_at = self.emit(now, flow, pool);
        if flow.detached {
            return;
        }
        if flow.abort_pending {
            flow.abort_pending = false;
            self.set_state(flow, TcpState::Closed);
            flow.engine.socket_mut(|socket| socket.abort());
            poll_at = self.emit(now, flow, pool);
            if flow.detached {
                return;
            }
        }
        if flow.fin_leaves_alone() {
            self.send_fin_segment(now, flow, pool);
        }
        self.watch(now, flow, poll_at);
        if self.repairs.time_wait && repair::leaves_time_wait_record(flow) {
            self.leave_time_wait_record(now, flow);
            return;
        }
        // The engine sometimes wants to be polled now and then has nothing to say.
        let poll_at = poll_at.map(|at| at.max(now.saturating_add(1_000)));
        flow.note_unacknowledged(now);
        let or_never = |at: Option<u64>| at.unwrap_or(u64::MAX);
        let deadline = or_never(poll_at)
            .min(or_never(flow.timer_at(now)))
            .min(or_never(flow.watchdog.fires_at()));
        // What lies at the end of the world's time never comes.
        flow.deadline = (deadline < u64::MAX).then_some(deadline);
    }

    /// Lets the engine send all it wants to; returns when it wants to be asked again.
    pub(super) fn emit(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) -> Option<u64> {
        let time = to_engine_time(now);
        flow.emitted = Emitted::default();
        let poll_at = loop {
            // Whoever has something that never left is likely to send it: asking first would only
            // cost.
            if !flow.has_unsent() {
                let poll_at = flow.engine.poll_at(&mut self.interface, now);
                if poll_at.is_none_or(|at| at > now) {
                    break poll_at;
                }
            }
            let mut wire =
                Wire { received: None, sent: &mut self.sent, pool, mtu: self.options.mtu };
            let interface = &mut self.interface;
            flow.engine.with_set(|set| interface.poll_egress(time, &mut wire, set));
            if self.sent.is_empty() {
                break flow.engine.poll_at(&mut self.interface, now);
            }
            self.flush(now, flow, Cause::Turn, pool);
            if flow.detached {
                break None;
            }
            if has_no_end(flow) {
                tracing::warn!(target: "glassnet::tcp", flow = %flow.tuple, "sends without end: paused");
                break Some(now.saturating_add(PAUSE));
            }
        };
        let state = flow.state_of_engine();
        if state != flow.state && !flow.detached {
            self.set_state(flow, state);
            self.wake(flow);
        }
        poll_at
    }

    /// Sends what the engine has handed over.
    pub(super) fn flush(&mut self, now: u64, flow: &mut Flow, cause: Cause, pool: &mut FramePool) {
        if self.sent.is_empty() {
            return;
        }
        if self.sent.len() > 1 {
            let mut sent = std::mem::take(&mut self.sent);
            for frame in sent.drain(..) {
                self.depart(now, flow, frame, cause, pool);
            }
            self.sent = sent;
        } else if let Some(frame) = self.sent.pop() {
            self.depart(now, flow, frame, cause, pool);
        }
    }

    #[inline]
    fn depart(
        &mut self,
        now: u64,
        flow: &mut Flow,
        mut frame: FrameBuffer,
        cause: Cause,
        pool: &mut FramePool,
    ) {
        let Some(mut segment) = Segment::of_engine(frame.packet()) else {
            return pool.give_back(frame);
        };
        if cause == Cause::Turn && !self.mend_departure(now, flow, &mut segment, &mut frame, pool) {
            return pool.give_back(frame);
        }
        let departure = if flow.detached {
            Departure::GiveUp
        } else {
            flow.departs(now, &segment, &self.options, self.repairs.rewound_ack)
        };
        match departure {
            Departure::Send { seq, retransmission } => {
                if seq != segment.seq {
                    rewrite_seq(frame.packet_mut(), seq);
                }
                flow.ip_fields().write(frame.packet_mut());
                self.retransmissions += u64::from(retransmission);
                let (remote, neighbor) = (flow.tuple.remote_addr, flow.neighbor);
                if frame.packet().len() > flow.path_mtu {
                    for mut part in split_segment(frame.packet(), flow.path_mtu, pool) {
                        part.set_retransmission(retransmission);
                        self.route(now, remote, neighbor, part, pool);
                    }
                    pool.give_back(frame);
                } else {
                    frame.set_retransmission(retransmission);
                    self.route(now, remote, neighbor, frame, pool);
                }
                // A RST may also answer a segment that has nothing to do with us.
                if segment.rst && flow.engine.socket(|socket| !socket.is_open()) {
                    self.retire(flow);
                }
            }
            Departure::GiveUp => {
                pool.give_back(frame);
                // A connection attempt has its own hour: Linux waits once more after the last SYN.
                if !flow.detached && flow.give_up_at.is_none() {
                    self.give_up(flow);
                }
            }
        }
    }

    /// Mends a segment that the engine sends of its own accord; false when it does not leave.
    fn mend_departure(
        &mut self,
        now: u64,
        flow: &mut Flow,
        segment: &mut Segment,
        frame: &mut FrameBuffer,
        pool: &mut FramePool,
    ) -> bool {
        flow.emitted.payload += u64::from(segment.payload_len);
        if self.repairs.wide_retransmission
            && let Some(room) = repair::room_for_retransmission(flow, segment)
        {
            let len = cut_payload(frame.packet_mut(), room as usize);
            frame.truncate(ETHERNET_HEADER + len);
            (segment.payload_len, segment.fin) = (room, false);
        }
        if flow.fin_follows(segment) {
            rewrite_fin(frame.packet_mut(), true);
            segment.fin = true;
        }
        if segment.fin && flow.kept_fin == KeptFin::Repeated {
            // This FIN has left before; what else the segment says may be new.
            flow.kept_fin = KeptFin::No;
            rewrite_fin(frame.packet_mut(), false);
            segment.fin = false;
            return !repair::says_nothing_new(flow, segment);
        }
        let probes_beyond = repair::probes_beyond_what_was_sent(flow, segment);
        if probes_beyond || repair::says_nothing_new(flow, segment) {
            flow.emitted.idle += 1;
            if !self.repairs.endless_probe {
                return true;
            }
            if flow.sequences.peer_window == 0 && flow.has_something_to_deliver() {
                if flow.count_retry(now, &self.options, false) {
                    self.probe(now, flow, pool);
                } else {
                    self.give_up(flow);
                }
            }
            return false;
        }
        true
    }

    /// Sends a packet on its way.
    #[inline]
    pub(super) fn route(
        &mut self,
        now: u64,
        to: IpAddr,
        neighbor: Option<NextHop>,
        frame: FrameBuffer,
        pool: &mut FramePool,
    ) {
        let (mut ctx, ip) = self.ip_ctx(now, pool);
        ip.send(&mut ctx, to, neighbor, frame);
    }

    pub(super) fn send_bare_ack(
        &mut self,
        now: u64,
        tuple: &FourTuple,
        ip_fields: IpFields,
        ack: BareAck,
        pool: &mut FramePool,
    ) {
        let mut frame = pool.take(ETHERNET_HEADER + bare_ack_len(tuple));
        write_bare_ack(frame.packet_mut(), tuple, ack);
        ip_fields.write(frame.packet_mut());
        self.route(now, tuple.remote_addr, None, frame, pool);
    }
}
