//! Segments in: whether the socket may see one, in which form it understands it, and what that
//! changes.

use super::engine::SmoltcpEngine;
use super::last_ack;
use super::repair::{self, Reset};
use crate::clock::When;
use crate::error::Errno;
use crate::tcp::boundary::{Arrival, Counted, Env, Out};
use crate::tcp::state::TcpState;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::tcp::{
    BareAck, Segment, Seq, bare_ack_len, cut_payload, window_scale, write_bare_ack, write_bare_fin,
};

/// No challenge ACK within this time of another (RFC 5961 section 7; Linux's
/// `tcp_invalid_ratelimit`).
const CHALLENGE_INTERVAL: u64 = 500_000_000;

impl SmoltcpEngine {
    #[inline(never)]
    pub(in crate::tcp) fn on_segment(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        packet: &[u8],
    ) -> Arrival {
        let (state, snd_una, rcv_nxt) = (self.state, self.snd_una(), self.rcv_nxt());
        self.account.received(env.now, segment);
        if self.is_plain(segment, snd_una) {
            self.sequences.peer_window = segment.window;
            self.keep_alive.heard(env.now);
            self.feed(env, packet);
        } else {
            match self.admit(env, segment) {
                Arrival::Accepted => {}
                arrival => return arrival,
            }
            self.deliver(env, segment, packet);
            self.note_arrival(env, segment);
        }
        if self.snd_una().is_after(snd_una) {
            self.progress();
        }
        if !segment.rst {
            self.note_progress(state, (snd_una, rcv_nxt));
        }
        Arrival::Accepted
    }

    /// Whether a segment is one of the many that need no second look: the next bytes, or an
    /// acknowledgment of some, for an open connection with open windows.
    #[inline]
    fn is_plain(&self, segment: &Segment, snd_una: Seq) -> bool {
        let sequences = &self.sequences;
        self.state == TcpState::Established
            && !(segment.syn || segment.fin || segment.rst)
            && !(self.is_orphan || self.watchdog.has_asked())
            && !(sequences.window_of_syn || sequences.peer_window_of_syn)
            && sequences.window_sent > 0
            && sequences.peer_window > 0
            && segment.window > 0
            && segment.seq == self.rcv_nxt()
            && segment.ack.is_some_and(|ack| {
                !ack.is_before(snd_una) && !ack.is_after(sequences.highest_sent())
            })
    }

    /// Decides whether the socket may see a segment, and answers it if not.
    fn admit(&mut self, env: &mut Env<'_, impl Out>, segment: &Segment) -> Arrival {
        let opening = self.state.is_opening() || self.state == TcpState::Closed;
        let repairs = env.shared.smoltcp.repairs;
        if segment.rst && !opening && repairs.blind_reset {
            match repair::judge_reset(self, segment) {
                Reset::Accept => return Arrival::Accepted,
                Reset::Challenge => self.challenge(env),
                Reset::Drop => {}
            }
            return Arrival::Ignored;
        }
        if segment.syn && !opening {
            // RFC 5961 section 4.2. A SYN-ACK again means that our ACK of it was lost.
            self.challenge(env);
            return Arrival::Ignored;
        }
        if !opening && segment.ack.is_some_and(|ack| ack.is_after(self.sequences.highest_sent())) {
            // RFC 9293 3.10.7.4: it acknowledges what was never sent.
            self.challenge(env);
            return Arrival::Ignored;
        }
        if self.is_orphan
            && segment.payload_len > 0
            && segment.seq.plus(segment.payload_len).is_after(self.rcv_nxt())
            && segment.seq.ahead_of(self.rcv_nxt()) < self.recv_room().cast_signed()
            && !opening
        {
            // RFC 9293 3.6 (and RFC 1122 4.2.2.13): nobody is left to read this.
            self.end(env.out);
            return Arrival::Refused;
        }
        if repairs.lone_fin && repair::is_duplicate_ack_of_lone_fin(self, segment) {
            return Arrival::Ignored;
        }
        Arrival::Accepted
    }

    fn challenge(&mut self, env: &mut Env<'_, impl Out>) {
        if env.now < self.no_challenge_before {
            return;
        }
        self.no_challenge_before = env.now.saturating_add(CHALLENGE_INTERVAL);
        env.out.count(Counted::ChallengeAck);
        self.send_bare_ack(env, self.sequences.snd_max);
    }

    /// Takes note of a segment, and lets the socket see it in the form in which it understands it.
    fn deliver(&mut self, env: &mut Env<'_, impl Out>, segment: &Segment, packet: &[u8]) {
        let fin_acknowledged = self.ack_without_kept_fin(segment);
        if let Some(ack) = fin_acknowledged {
            let mut segment = *segment;
            segment.ack = Some(ack);
            let copy = last_ack::with_ack(packet, ack, env.out.pool());
            self.deliver_acknowledged(env, &segment, copy.packet());
            env.out.pool().give_back(copy);
        } else {
            self.deliver_acknowledged(env, segment, packet);
        }
        self.settle_kept_fin(fin_acknowledged.is_some());
    }

    fn deliver_acknowledged(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        packet: &[u8],
    ) {
        let repairs = env.shared.smoltcp.repairs;
        let beside =
            if repairs.deaf_window { repair::ack_beside_the_window(self, segment) } else { None };
        if segment.syn && self.state.is_opening() {
            let scale = window_scale(packet);
            self.sequences.peer_scale = scale.unwrap_or(0);
            self.account.note_scale(scale.is_some());
        }
        self.on_receive(segment);
        self.keep_alive.heard(env.now);
        let is_closed = self.sequences.peer_window == 0;
        let snd_una = if is_closed { self.snd_una() } else { Seq::default() };
        if let Some(ack) = beside {
            self.feed_bare_ack(env, ack);
        }
        if beside.is_none() || segment.payload_len > 0 {
            self.deliver_data(env, segment, packet);
        }
        if is_closed
            && repairs.endless_probe
            && self.snd_una().is_after(snd_una)
            && repair::leaves_probe_timer(self)
        {
            for window in [1, 0] {
                self.feed_ack(env, window);
            }
        }
    }

    fn deliver_data(&mut self, env: &mut Env<'_, impl Out>, segment: &Segment, packet: &[u8]) {
        let repairs = env.shared.smoltcp.repairs;
        if repairs.wide_syn_window
            && let Some(room) = repair::room_after_syn(self, segment)
        {
            let mut copy = last_ack::copy_of(packet, env.out.pool());
            let len = cut_payload(copy.packet_mut(), room as usize);
            self.feed(env, &copy.packet()[..len]);
            env.out.pool().give_back(copy);
        } else if repairs.early_fin && repair::has_fin_behind_data(segment) {
            let copy = last_ack::without_fin(packet, env.out.pool());
            self.feed(env, copy.packet());
            env.out.pool().give_back(copy);
            self.deliver_fin(env, segment);
        } else {
            self.feed(env, packet);
        }
    }

    /// Lets the socket see the FIN of a segment whose data it has seen, if they are all there.
    fn deliver_fin(&mut self, env: &mut Env<'_, impl Out>, segment: &Segment) {
        let fin = segment.seq.plus(segment.payload_len);
        let is_next = !self.fin_received && self.rcv_nxt() == fin;
        let is_open = self.socket.seen().state != TcpState::Closed;
        let (Some(ack), true) = (segment.ack, is_next && is_open) else { return };
        let tuple = env.out.tuple().reversed();
        let mut frame = env.out.pool().take(ETHERNET_HEADER + bare_ack_len(&tuple));
        let fields = BareAck { seq: fin, ack, window: segment.window };
        write_bare_fin(frame.packet_mut(), &tuple, fields);
        self.feed(env, frame.packet());
        env.out.pool().give_back(frame);
    }

    /// Lets the socket see a segment.
    #[inline]
    fn feed(&mut self, env: &mut Env<'_, impl Out>, packet: &[u8]) {
        self.socket.feed(env.now, &mut env.shared.smoltcp, packet, env.out.pool());
    }

    /// Lets the socket see a pure ACK.
    fn feed_bare_ack(&mut self, env: &mut Env<'_, impl Out>, ack: BareAck) {
        let tuple = env.out.tuple().reversed();
        let mut frame = env.out.pool().take(ETHERNET_HEADER + bare_ack_len(&tuple));
        write_bare_ack(frame.packet_mut(), &tuple, ack);
        self.feed(env, frame.packet());
        env.out.pool().give_back(frame);
    }

    /// Lets the socket see an ACK of what is acknowledged already, with another window.
    pub(super) fn feed_ack(&mut self, env: &mut Env<'_, impl Out>, window: u16) {
        let state = self.socket.seen().state;
        if state.is_opening() || state == TcpState::Closed {
            return;
        }
        let ack = BareAck { seq: self.rcv_nxt(), ack: self.snd_una(), window };
        self.feed_bare_ack(env, ack);
    }

    /// Takes note of what a segment has changed.
    fn note_arrival(&mut self, env: &mut Env<'_, impl Out>, segment: &Segment) {
        let (before, state) = (self.state, self.state_of_socket());
        if self.is_passive && state == TcpState::Listen {
            // The socket would not have this SYN, or a RST took it back.
            self.end(env.out);
            return;
        }
        if state == before {
            return;
        }
        self.set_state(state, env.out);
        if segment.syn && matches!(before, TcpState::Listen | TcpState::SynSent) {
            self.sequences.irs = segment.seq;
        }
        if before.is_opening() && !state.is_opening() {
            self.give_up_at = When::NEVER;
        }
        if self.close_pending && !state.is_opening() {
            self.close_pending = false;
            self.tell_socket_of_close(env);
        }
        if state == TcpState::Closed {
            if segment.rst {
                // As Linux's `tcp_reset`.
                self.error = Some(match before {
                    TcpState::SynSent => Errno::ConnRefused,
                    TcpState::CloseWait => Errno::Pipe,
                    _ => Errno::ConnReset,
                });
            }
            self.finish();
        }
        if state == TcpState::FinWait2 {
            self.limit_fin_wait_2(env);
        }
    }

    pub(in crate::tcp) fn can_wait_for_the_rest(&self, segment: &Segment, stretch: u32) -> bool {
        if segment.payload_len == 0 {
            return segment.is_pure_ack() && !self.state.is_opening();
        }
        // After the first segment of data since the last ACK the socket would only start its
        // delayed-ACK timer (RFC 9293 3.8.6.3); the second segment must be acknowledged by itself,
        // unless ACKs stretch.
        let unacknowledged = self.rcv_nxt().ahead_of(self.sequences.ack_sent);
        let stretch = self.options.ack_delay_in_force().map_or(0, |_| stretch);
        unacknowledged.cast_unsigned() <= segment.payload_len.max(stretch)
    }
}
