//! Segments out: what the socket wants to send, and how it leaves.

use super::engine::SmoltcpEngine;
use super::memory::{Emitted, KeptFin};
use super::repair;
use super::sequences::Departure;
use super::split::split_segment;
use crate::clock::When;
use crate::tcp::boundary::{Env, Out};
use crate::tcp::state::TcpState;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::FrameBuffer;
use crate::wire::tcp::{
    BareAck, Segment, Seq, bare_ack_len, cut_payload, rewrite_fin, rewrite_seq, write_bare_ack,
};

/// How long a socket that does not come to rest is left alone, in nanoseconds.
const PAUSE: u64 = 1_000_000_000;
/// Segments without anything new that a socket may send in one turn.
const MAX_IDLE: u32 = 8;

/// Why a socket sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// It answers a segment that has just arrived.
    Arrival,
    /// It has its turn.
    Turn,
}

impl SmoltcpEngine {
    #[inline(never)]
    pub(in crate::tcp) fn answer(&mut self, env: &mut Env<'_, impl Out>) {
        self.flush(env, Cause::Arrival);
    }

    #[inline(never)]
    pub(in crate::tcp) fn transmit(&mut self, env: &mut Env<'_, impl Out>) {
        if self.is_over {
            return;
        }
        if let Some(syn) = self.syn.take() {
            env.shared.smoltcp.sent.push(syn);
            self.flush(env, Cause::Turn);
        }
        let mut poll_at = self.emit(env);
        if self.abort_pending && !self.is_over {
            self.abort_pending = false;
            self.abort(env.out);
            poll_at = self.emit(env);
        }
        if self.is_over {
            return;
        }
        if self.kept_fin != KeptFin::No && self.fin_leaves_alone() {
            self.send_fin_segment(env);
        }
        let repairs = env.shared.smoltcp.repairs;
        if poll_at.is_none() && repairs.silent_window {
            self.watch(env.now);
        }
        if repairs.time_wait && repair::leaves_to_time_wait(self) {
            self.finish();
            return;
        }
        // The socket sometimes wants to be polled now and then has nothing to say.
        let poll_at = When::from(poll_at.map(|at| at.max(env.now.saturating_add(1_000))));
        self.note_unacknowledged(env.now);
        self.deadline = poll_at.earlier(self.timer_at()).earlier(self.watchdog.fires_at());
    }

    /// Lets the socket send all it wants to; returns when it wants to be asked again.
    pub(super) fn emit(&mut self, env: &mut Env<'_, impl Out>) -> Option<u64> {
        self.emitted = Emitted::default();
        let poll_at = loop {
            // Whoever has something that never left is likely to send it: asking first would only
            // cost.
            if !self.has_unsent() {
                let poll_at = self.socket.poll_at(env.now, &mut env.shared.smoltcp);
                if poll_at.is_none_or(|at| at > env.now) {
                    break poll_at;
                }
            }
            self.socket.poll_egress(env.now, &mut env.shared.smoltcp, env.out.pool());
            if env.shared.smoltcp.sent.is_empty() {
                break self.socket.poll_at(env.now, &mut env.shared.smoltcp);
            }
            self.flush(env, Cause::Turn);
            if self.is_over {
                break None;
            }
            if self.has_no_end() {
                tracing::warn!(target: "glassnet::tcp", flow = %env.out.tuple(), "sends without end: paused");
                break Some(env.now.saturating_add(PAUSE));
            }
        };
        if !self.is_over {
            self.set_state(self.state_of_socket(), env.out);
        }
        poll_at
    }

    /// Whether the socket has sent more in this turn than it can have to say: each byte that is
    /// not acknowledged once, and again.
    fn has_no_end(&self) -> bool {
        let Emitted { payload, idle } = self.emitted;
        // Buffers have at most 2^30 bytes.
        idle > MAX_IDLE || payload > 2 * self.options.send_buffer() + 131_072
    }

    /// Sends what the socket has handed over.
    #[inline]
    fn flush(&mut self, env: &mut Env<'_, impl Out>, cause: Cause) {
        let sent = &mut env.shared.smoltcp.sent;
        match sent.len() {
            0 => {}
            1 => {
                if let Some(frame) = sent.pop() {
                    self.depart(env, frame, cause);
                }
            }
            _ => {
                let mut sent = std::mem::take(sent);
                for frame in sent.drain(..) {
                    self.depart(env, frame, cause);
                }
                env.shared.smoltcp.sent = sent;
            }
        }
    }

    #[inline]
    fn depart(&mut self, env: &mut Env<'_, impl Out>, mut frame: FrameBuffer, cause: Cause) {
        let Some(mut segment) = Segment::of_engine(frame.packet()) else {
            return env.out.pool().give_back(frame);
        };
        if cause == Cause::Turn && !self.mend_departure(env, &mut segment, &mut frame) {
            return env.out.pool().give_back(frame);
        }
        if self.is_over {
            return env.out.pool().give_back(frame);
        }
        let rewound_ack = env.shared.smoltcp.repairs.rewound_ack;
        match self.on_transmit(env.now, &segment, &env.shared.limits, rewound_ack) {
            Departure::Send { seq, retransmission } => {
                if seq != segment.seq {
                    rewrite_seq(frame.packet_mut(), seq);
                }
                env.shared.retransmissions += u64::from(retransmission);
                // Linux does not count the SYN-ACK of a peer's attempt, which has no socket yet.
                if !(segment.syn && self.is_passive) {
                    self.note_sent(env, segment.payload_len, retransmission);
                }
                if frame.packet().len() > self.path_mtu {
                    for part in split_segment(frame.packet(), self.path_mtu, env.out.pool()) {
                        env.out.send(part, retransmission);
                    }
                    env.out.pool().give_back(frame);
                } else {
                    env.out.send(frame, retransmission);
                }
                // A RST may also answer a segment that has nothing to do with us.
                let state = self.socket.seen().state;
                if segment.rst && matches!(state, TcpState::Closed | TcpState::TimeWait) {
                    self.finish();
                }
            }
            Departure::GiveUp => {
                env.out.pool().give_back(frame);
                // A connection attempt has its own deadline, `give_up_at`: Linux waits once more after the last SYN.
                if self.give_up_at.is_none() {
                    self.time_out(env.out);
                }
            }
        }
    }

    /// Mends a segment that the socket sends of its own accord; false when it does not leave.
    #[inline]
    fn mend_departure(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &mut Segment,
        frame: &mut FrameBuffer,
    ) -> bool {
        self.emitted.payload += segment.payload_len;
        let repairs = &env.shared.smoltcp.repairs;
        if repairs.wide_retransmission
            && let Some(room) = repair::room_for_retransmission(self, segment)
        {
            let len = cut_payload(frame.packet_mut(), room as usize);
            frame.truncate(ETHERNET_HEADER + len);
            (segment.payload_len, segment.fin) = (room, false);
        }
        if self.kept_fin != KeptFin::No {
            if self.fin_follows(segment) {
                rewrite_fin(frame.packet_mut(), true);
                segment.fin = true;
            }
            if segment.fin && self.kept_fin == KeptFin::Repeated {
                // This FIN has left before; what else the segment says may be new.
                self.kept_fin = KeptFin::No;
                rewrite_fin(frame.packet_mut(), false);
                segment.fin = false;
                return !repair::says_nothing_new(self, segment);
            }
        }
        if !repair::probes_beyond_what_was_sent(self, segment)
            && !repair::says_nothing_new(self, segment)
        {
            return true;
        }
        self.emitted.idle += 1;
        if !repairs.endless_probe {
            return true;
        }
        if self.sequences.peer_window == 0 && self.has_something_to_deliver() {
            if self.count_retry(env.now, &env.shared.limits, false) {
                self.probe(env);
            } else {
                self.time_out(env.out);
            }
        }
        false
    }

    /// Sends an ACK beside the socket, with this sequence number.
    pub(super) fn send_bare_ack(&mut self, env: &mut Env<'_, impl Out>, seq: Seq) {
        let ack = BareAck { seq, ack: self.rcv_nxt(), window: self.window_to_repeat() };
        let tuple = *env.out.tuple();
        let mut frame = env.out.pool().take(ETHERNET_HEADER + bare_ack_len(&tuple));
        write_bare_ack(frame.packet_mut(), &tuple, ack);
        self.note_sent(env, 0, false);
        env.out.send(frame, false);
    }
}
