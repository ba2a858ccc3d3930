//! The handshake (RFC 9293 3.5, 3.10.7.2, 3.10.7.3): what a SYN says, and what is agreed on.

use super::{GlassnetEngine, mss_of};
use crate::clock::When;
use crate::error::Errno;
use crate::tcp::boundary::{Arrival, Env, Handshake, Out};
use crate::tcp::glassnet::options::{OptionBytes, SegmentOptions, Timestamps};
use crate::tcp::glassnet::receive::scale_for;
use crate::tcp::glassnet::send::{Agreement, DEFAULT_MSS};
use crate::tcp::limits::Limits;
use crate::tcp::state::TcpState;
use crate::wire::tcp::{ACK, SYN, Segment};

impl GlassnetEngine {
    /// The shift that we offer.
    fn offered_scale(&self) -> u8 {
        scale_for(self.options.largest_window())
    }

    /// The peer's MSS, or the application's if that is less.
    fn agreed_mss(&self, of_peer: Option<u16>) -> u32 {
        let of_peer = of_peer.map_or(DEFAULT_MSS, u32::from);
        self.options.mss_asked().map_or(of_peer, |asked| of_peer.min(asked.into()))
    }

    /// A listener's half-open connection hears the SYN that it was made for.
    pub(super) fn on_segment_in_listen(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        packet: &[u8],
    ) -> Arrival {
        if segment.rst || segment.ack.is_some() || !segment.syn {
            self.end(env.out);
            return Arrival::Ignored;
        }
        self.take_syn(env, segment, packet);
        self.set_state(TcpState::SynReceived, env.out);
        self.syn_due = true;
        Arrival::Accepted
    }

    pub(super) fn on_segment_in_syn_sent(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        packet: &[u8],
    ) -> Arrival {
        if segment.ack.is_some_and(|ack| ack != self.send.nxt() || ack == self.iss) {
            return if segment.rst { Arrival::Ignored } else { Arrival::Refused };
        }
        if segment.rst {
            if segment.ack.is_none() {
                return Arrival::Ignored;
            }
            self.error = Some(Errno::ConnRefused);
            self.end(env.out);
            return Arrival::Accepted;
        }
        if !segment.syn {
            return Arrival::Ignored;
        }
        let options = self.take_syn(env, segment, packet);
        if segment.ack.is_some() {
            self.establish(env, options.timestamps.map(|timestamps| timestamps.echo));
            self.send.set_window(segment.window.into(), segment.seq);
            self.set_state(TcpState::Established, env.out);
            if self.send.is_closed() {
                self.set_state(TcpState::FinWait1, env.out);
            }
            self.receive.acks.owe_now();
        } else {
            // RFC 9293 3.5, figure 7: both begin at once.
            self.set_state(TcpState::SynReceived, env.out);
            self.syn_due = true;
        }
        Arrival::Accepted
    }

    /// Takes note of what the peer's SYN says.
    fn take_syn(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        packet: &[u8],
    ) -> SegmentOptions {
        let options = SegmentOptions::parse(segment.options(packet));
        self.irs = segment.seq;
        self.ecn.on_syn(segment, packet, self.is_passive);
        self.receive.begin(segment.seq);
        let limits = env.shared.limits;
        let has_sack = options.sack_permitted && limits.sack;
        let scale = options.window_scale.filter(|_| limits.window_scaling);
        self.has_timestamps = options.timestamps.is_some() && limits.timestamps;
        if let Some(Timestamps { value, .. }) = options.timestamps {
            (self.recent, self.recent_at) = (value, env.now);
        }
        let agreement = Agreement {
            peer_mss: self.agreed_mss(options.mss),
            scale,
            has_timestamps: self.has_timestamps,
            has_sack,
        };
        self.send.agree(agreement, self.payload_of_path(&limits));
        self.send.set_window(segment.window.into(), segment.seq);
        let ours = if scale.is_some() { self.offered_scale() } else { 0 };
        self.receive.agree(env.now, ours, has_sack, self.has_timestamps);
        self.heard_at = env.now;
        options
    }

    /// Takes note of what a SYN said that was answered with [`Shared::syn_ack`].
    pub(super) fn take_over(&mut self, limits: &Limits, handshake: &Handshake) {
        let Handshake { iss, irs, window, offer, began, .. } = *handshake;
        (self.iss, self.irs) = (iss, irs);
        self.ecn.agree(handshake.asks_for_ecn);
        self.send.take_over(handshake);
        self.receive.begin(irs);
        let has_sack = offer.sack_permitted && limits.sack;
        let scale = offer.window_scale.filter(|_| limits.window_scaling);
        let timestamps = offer.timestamps.filter(|_| limits.timestamps);
        self.has_timestamps = timestamps.is_some();
        if let Some(Timestamps { value, .. }) = timestamps {
            (self.recent, self.recent_at) = (value, began);
        }
        let agreement = Agreement {
            peer_mss: self.agreed_mss(offer.mss),
            scale,
            has_timestamps: self.has_timestamps,
            has_sack,
        };
        self.send.agree(agreement, self.payload_of_path(limits));
        self.send.set_window(window.into(), irs);
        let ours = scale.map_or(0, |_| self.offered_scale());
        self.receive.window_of_syn();
        self.receive.agree(began, ours, has_sack, self.has_timestamps);
    }

    /// Our SYN is acknowledged; the peer echoes one of our timestamps, if it has any.
    pub(super) fn establish(&mut self, env: &mut Env<'_, impl Out>, echo: Option<u32>) {
        let retries = self.send.retries();
        let sent_at = self.send.last_sent();
        let rtt = if retries == 0 && self.send.knows_when_syn_left() {
            Some(env.now.saturating_sub(sent_at))
        } else {
            let elapsed = echo.map(|echo| self.send.timestamp(env.now).wrapping_sub(echo));
            elapsed.filter(|elapsed| *elapsed < 1 << 20).map(|ms| u64::from(ms.max(1)) * 1_000_000)
        };
        self.send.establish(env.now, rtt, retries);
        if !self.is_passive {
            self.send.count_syn();
        }
        self.syn_due = false;
        self.give_up_at = When::NEVER;
    }

    /// Sends our SYN, or SYN-ACK, and waits for its answer.
    pub(super) fn send_syn(&mut self, env: &mut Env<'_, impl Out>) {
        self.syn_due = false;
        let is_answer = self.state == TcpState::SynReceived;
        let is_retransmission = self.send.nxt() != self.iss;
        let limits = &env.shared.limits;
        let mss = mss_of(limits, self.ip_header, &self.options) as u16;
        let has_timestamps = if is_answer { self.has_timestamps } else { limits.timestamps };
        let timestamps = has_timestamps.then(|| Timestamps {
            value: self.send.timestamp(env.now),
            echo: if is_answer { self.recent } else { 0 },
        });
        let scale = if is_answer {
            self.send.peer_scales().then(|| self.receive.scale())
        } else {
            limits.window_scaling.then(|| self.offered_scale())
        };
        let sack = if is_answer { self.send.has_sack() } else { limits.sack };
        let options = OptionBytes::of_syn(mss, sack, timestamps, scale);
        let window = self.receive.window_of_syn();
        let flags = match is_answer {
            true => SYN | ACK | self.ecn.answer(),
            // What asks may be what is lost on the way: it does not ask again (Linux's
            // `tcp_ecn_fallback`).
            false if limits.ecn && !is_retransmission => SYN | self.ecn.ask(),
            false => SYN,
        };
        let seq = self.iss;
        self.send_bare(env, seq, flags, window, options.bytes(), is_retransmission);
        self.send.send_syn(env.now);
        if is_retransmission {
            env.shared.retransmissions += 1;
        } else {
            self.send.time_syn(env.now.saturating_add(self.send.rto()));
        }
    }
}
