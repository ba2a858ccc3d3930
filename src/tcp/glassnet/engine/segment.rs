//! Segments in: RFC 9293 3.10.7, in its order. The next bytes, and an ACK of what is next, on an
//! open connection go the short way (Van Jacobson's header prediction).

use super::{CHALLENGE_INTERVAL, GlassnetEngine};
use crate::clock::{When, nanos};
use crate::error::Errno;
use crate::tcp::boundary::{Arrival, Counted, Env, Out};
use crate::tcp::glassnet::options::{SegmentOptions, Timestamps, only_timestamps};
use crate::tcp::glassnet::send::{Acknowledgment, Verdict};
use crate::tcp::state::TcpState;
use crate::wire::tcp::{Segment, Seq};

impl GlassnetEngine {
    #[inline]
    pub(in crate::tcp) fn on_segment(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        packet: &[u8],
    ) -> Arrival {
        self.counters.received(segment);
        if self.state == TcpState::Established
            && segment.is_plain()
            && segment.seq == self.receive.nxt()
            && self.receive.is_in_order()
            && segment.payload_len <= self.receive.open_window()
            && !self.is_orphan
            && !self.ecn.is_agreed()
            && let Some(ack) = segment.ack
            && let Some(timestamps) = self.expected_timestamps(segment.options(packet))
        {
            let acknowledgment = Acknowledgment {
                ack,
                seq: segment.seq,
                window: u32::from(segment.window) << self.send.scale(),
                is_data: segment.payload_len > 0,
                echo: timestamps.map(|timestamps| timestamps.echo),
                sacks: &[],
                ece: false,
            };
            let memory = &mut env.shared.glassnet.memory;
            if self.send.acknowledge(memory, env.now, &acknowledgment) != Verdict::Accepted {
                self.challenge(env);
                return Arrival::Ignored;
            }
            if let Some(Timestamps { value, .. }) = timestamps {
                self.note_timestamp(env.now, value, segment.seq);
            }
            self.heard(env.now);
            if segment.payload_len > 0 {
                if let Some(Timestamps { echo, .. }) = timestamps {
                    let clock = self.send.timestamp(env.now);
                    self.receive.note_echo(clock, echo, segment.payload_len);
                }
                let payload = segment.payload(packet);
                let memory = &mut env.shared.glassnet.memory;
                self.receive.take_next(memory, env.now, payload);
            }
            return Arrival::Accepted;
        }
        self.on_any_segment(env, segment, packet)
    }

    /// The timestamps of a segment that has what both sides agreed on, and no other option; `None`
    /// for any other segment, and where time seems to go back.
    #[inline]
    fn expected_timestamps(&self, options: &[u8]) -> Option<Option<Timestamps>> {
        if !self.has_timestamps {
            return options.is_empty().then_some(None);
        }
        let timestamps = only_timestamps(options)?;
        let is_newer = !Seq(timestamps.value).is_before(Seq(self.recent));
        is_newer.then_some(Some(timestamps))
    }

    #[inline]
    fn heard(&mut self, now: u64) {
        self.heard_at = now;
        self.keep_alive_probes = 0;
    }

    /// RFC 7323 4.3: the timestamp of the segment that the last ACK was waiting for is echoed.
    #[inline]
    fn note_timestamp(&mut self, now: u64, value: u32, seq: Seq) {
        if !seq.is_after(self.receive.acked()) && !Seq(value).is_before(Seq(self.recent)) {
            (self.recent, self.recent_at) = (value, now);
        }
    }

    #[inline(never)]
    fn on_any_segment(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        packet: &[u8],
    ) -> Arrival {
        match self.state {
            TcpState::Closed | TcpState::TimeWait => return Arrival::Ignored,
            TcpState::Listen => return self.on_segment_in_listen(env, segment, packet),
            TcpState::SynSent => return self.on_segment_in_syn_sent(env, segment, packet),
            _ => {}
        }
        let options = SegmentOptions::parse(segment.options(packet));
        // RFC 7323 5.3: PAWS.
        if let Some(Timestamps { value, .. }) = options.timestamps
            && !segment.rst
            && self.timestamps().is_some_and(|state| state.is_old(env.now, value))
            && !self.is_harmless_ack(segment, value)
        {
            return self.answer_unacceptable(env, segment);
        }
        // First, the sequence number.
        if !self.receive.is_acceptable(segment.seq, segment.end()) {
            return self.answer_unacceptable(env, segment);
        }
        if segment.rst {
            return self.on_reset(env, segment);
        }
        // Fourth, the SYN (RFC 5961 section 4).
        if segment.syn {
            if self.state == TcpState::SynReceived
                && segment.seq == self.irs
                && segment.ack.is_none()
            {
                self.syn_due = true;
                return Arrival::Accepted;
            }
            let completes = self.state == TcpState::SynReceived
                && !self.is_passive
                && segment.seq == self.irs
                && segment.ack == Some(self.send.nxt());
            if !completes {
                self.challenge(env);
                return Arrival::Accepted;
            }
        }
        // Fifth, the ACK.
        let Some(ack) = segment.ack else { return Arrival::Ignored };
        if self.state == TcpState::SynReceived {
            if ack != self.send.nxt() {
                return Arrival::Refused;
            }
            self.on_handshake_end(env, segment, &options);
        }
        let acknowledgment = Acknowledgment {
            ack,
            seq: segment.seq,
            window: if segment.syn {
                segment.window.into()
            } else {
                u32::from(segment.window) << self.send.scale()
            },
            is_data: segment.payload_len > 0,
            echo: options.timestamps.map(|timestamps| timestamps.echo),
            sacks: options.sacks(),
            ece: self.ecn.is_agreed() && segment.ece() && !segment.syn,
        };
        let memory = &mut env.shared.glassnet.memory;
        if self.send.acknowledge(memory, env.now, &acknowledgment) != Verdict::Accepted {
            self.challenge(env);
            return Arrival::Accepted;
        }
        if let Some(Timestamps { value, echo }) = options.timestamps.filter(|_| self.has_timestamps)
        {
            self.note_timestamp(env.now, value, segment.seq);
            let clock = self.send.timestamp(env.now);
            self.receive.note_echo(clock, echo, segment.payload_len);
        }
        self.heard(env.now);
        if self.send.is_fin_acknowledged() {
            self.on_fin_acknowledged(env);
            if self.is_over {
                return Arrival::Accepted;
            }
        }
        self.take_data(env, segment, packet)
    }

    /// An ACK that was overtaken by a later one with data: no reason for an answer (Linux's
    /// `tcp_disordered_ack`).
    fn is_harmless_ack(&self, segment: &Segment, value: u32) -> bool {
        segment.len() == 0
            && segment.seq == self.receive.nxt()
            && segment.ack == Some(self.send.una())
            && Seq(self.recent).ahead_of(Seq(value)).cast_unsigned()
                <= (self.send.rto() / 1_000_000) as u32
    }

    /// RFC 9293 3.10.7.4: a segment that is not acceptable is answered with an ACK, unless it is a
    /// RST. Those that carry nothing are not answered too often: two hosts could go on for ever.
    fn answer_unacceptable(&mut self, env: &mut Env<'_, impl Out>, segment: &Segment) -> Arrival {
        if segment.rst {
            return Arrival::Ignored;
        }
        if self.state == TcpState::SynReceived && segment.syn && segment.seq == self.irs {
            self.syn_due = true;
            return Arrival::Accepted;
        }
        if segment.len() == 0 || segment.syn {
            // A peer that asks whether we are there is there itself.
            self.heard(env.now);
            if env.now >= self.no_answer_before {
                self.no_answer_before = env.now.saturating_add(CHALLENGE_INTERVAL);
                self.send_ack(env);
            }
            return Arrival::Accepted;
        }
        self.receive.note_unacceptable(segment.seq, segment.end());
        Arrival::Accepted
    }

    /// RFC 5961 section 3: only a RST with exactly the next number is believed.
    fn on_reset(&mut self, env: &mut Env<'_, impl Out>, segment: &Segment) -> Arrival {
        if segment.seq != self.receive.nxt() {
            let ahead = segment.seq.ahead_of(self.receive.nxt());
            if ahead < 0 || ahead.cast_unsigned() >= self.receive.open_window() {
                return Arrival::Ignored;
            }
            self.challenge(env);
            return Arrival::Accepted;
        }
        // As Linux's `tcp_reset`.
        self.error = match self.state {
            TcpState::SynReceived if self.is_passive => None,
            TcpState::SynReceived => Some(Errno::ConnRefused),
            TcpState::CloseWait => Some(Errno::Pipe),
            _ => Some(Errno::ConnReset),
        };
        self.end(env.out);
        Arrival::Accepted
    }

    pub(super) fn challenge(&mut self, env: &mut Env<'_, impl Out>) {
        if env.now >= self.no_challenge_before {
            self.no_challenge_before = env.now.saturating_add(CHALLENGE_INTERVAL);
            env.out.count(Counted::ChallengeAck);
            self.send_ack(env);
        }
    }

    /// Our SYN is acknowledged in SYN-RECEIVED.
    fn on_handshake_end(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        options: &SegmentOptions,
    ) {
        self.establish(env, options.timestamps.map(|timestamps| timestamps.echo));
        let scale = if segment.syn { 0 } else { self.send.scale() };
        self.send.set_window(u32::from(segment.window) << scale, segment.seq);
        self.set_state(TcpState::Established, env.out);
        if self.send.is_closed() {
            self.set_state(TcpState::FinWait1, env.out);
        }
        if segment.syn {
            self.receive.acks.owe_now();
        }
    }

    fn on_fin_acknowledged(&mut self, env: &mut Env<'_, impl Out>) {
        match self.state {
            TcpState::FinWait1 => {
                self.set_state(TcpState::FinWait2, env.out);
                self.limit_fin_wait_2(env);
            }
            TcpState::Closing => self.set_state(TcpState::TimeWait, env.out),
            TcpState::LastAck => self.end(env.out),
            _ => {}
        }
    }

    /// Nobody waits in FIN-WAIT-2 for ever, when no application does.
    pub(super) fn limit_fin_wait_2(&mut self, env: &mut Env<'_, impl Out>) {
        if self.is_orphan && self.state == TcpState::FinWait2 {
            let end = env.now.saturating_add(nanos(env.shared.limits.fin_timeout));
            self.give_up_at = When::at(end);
        }
    }

    /// Seventh and eighth, the payload and the FIN.
    fn take_data(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        packet: &[u8],
    ) -> Arrival {
        if segment.payload_len == 0 && !segment.fin {
            return Arrival::Accepted;
        }
        let seq = if segment.syn { segment.seq.plus(1) } else { segment.seq };
        let data_end = seq.plus(segment.payload_len);
        if self.is_orphan
            && data_end.is_after(self.receive.nxt())
            && seq.ahead_of(self.receive.nxt()) < self.receive.open_window().cast_signed()
            && !self.receive.has_finished()
        {
            // RFC 9293 3.6, RFC 1122 4.2.2.13: nobody is left to read this.
            self.end(env.out);
            return Arrival::Refused;
        }
        if self.ecn.is_agreed() && segment.payload_len > 0 && self.ecn.on_data(segment, packet) {
            self.receive.hurry();
        }
        let payload = segment.payload(packet);
        let had_finished = self.receive.has_finished();
        let memory = &mut env.shared.glassnet.memory;
        self.receive.take(memory, env.now, seq, payload, segment.fin);
        if self.receive.has_finished() && !had_finished {
            self.on_fin(env);
        }
        Arrival::Accepted
    }

    /// The peer's FIN has arrived, in order.
    fn on_fin(&mut self, env: &mut Env<'_, impl Out>) {
        let to = match self.state {
            TcpState::Established => TcpState::CloseWait,
            TcpState::FinWait1 => TcpState::Closing,
            TcpState::FinWait2 => TcpState::TimeWait,
            _ => return,
        };
        if to != TcpState::CloseWait {
            // Nothing is left that the ACK could ride on.
            self.receive.acks.owe_now();
        }
        self.set_state(to, env.out);
    }

    /// Whether the rest of a burst may arrive before it transmits. One ACK may stand for `stretch`
    /// bytes of it.
    pub(in crate::tcp) fn can_wait_for_the_rest(&self, segment: &Segment, stretch: u32) -> bool {
        if segment.payload_len == 0 {
            return segment.is_pure_ack() && !self.state.is_opening();
        }
        if self.state != TcpState::Established || !self.receive.is_in_order() {
            return false;
        }
        let unacknowledged = self.receive.nxt().ahead_of(self.receive.acked()).cast_unsigned();
        let may_stretch = self.options.ack_delay_in_force().is_some() && unacknowledged <= stretch;
        may_stretch || !self.receive.owes_ack()
    }
}
