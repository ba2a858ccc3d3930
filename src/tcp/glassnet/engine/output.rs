//! Segments out: the engine's turn to send, and how a segment is written into its packet.

use super::GlassnetEngine;
use crate::clock::When;
use crate::tcp::boundary::{Env, Out};
use crate::tcp::glassnet::options::{MAX_SACKS, OptionBytes, Timestamps};
use crate::tcp::glassnet::send::{Outgoing, Pace};
use crate::tcp::state::TcpState;
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::FrameBuffer;
use crate::wire::ip::{IpFields, IpHeader, protocol};
use crate::wire::tcp::{ACK, CWR, FIN, FourTuple, PSH, RST, Seq, TCP_HEADER};

/// The fields of a header.
#[derive(Clone, Copy)]
struct Header {
    seq: Seq,
    ack: Seq,
    flags: u8,
    window: u16,
    /// The bits of the IP header that congestion notification has.
    ecn: u8,
}

/// A packet with a segment, whose checksums are left out, and its payload not yet written; where
/// that begins.
#[inline]
fn packet(
    out: &mut impl Out,
    header: Header,
    options: &[u8],
    payload_len: usize,
) -> (FrameBuffer, usize) {
    let tuple = *out.tuple();
    let FourTuple { local_addr, remote_addr, .. } = tuple;
    let hop_limit = IpFields::default().hop_limit;
    let ip = IpHeader {
        source: local_addr,
        destination: remote_addr,
        protocol: protocol::TCP,
        hop_limit,
        traffic_class: header.ecn,
    };
    let tcp_at = ip.len();
    let payload_at = tcp_at + TCP_HEADER + options.len();
    let mut frame = out.pool().take(ETHERNET_HEADER + payload_at + payload_len);
    let bytes = frame.packet_mut();
    ip.write_without_checksum(bytes);
    if let Some(tcp) = bytes.get_mut(tcp_at..).and_then(|tcp| tcp.first_chunk_mut::<TCP_HEADER>()) {
        tcp[0..2].copy_from_slice(&tuple.local_port.to_be_bytes());
        tcp[2..4].copy_from_slice(&tuple.remote_port.to_be_bytes());
        tcp[4..8].copy_from_slice(&header.seq.0.to_be_bytes());
        tcp[8..12].copy_from_slice(&header.ack.0.to_be_bytes());
        tcp[12] = ((TCP_HEADER + options.len()) << 2) as u8;
        tcp[13] = header.flags;
        tcp[14..16].copy_from_slice(&header.window.to_be_bytes());
        tcp[16..20].fill(0);
    }
    bytes[tcp_at + TCP_HEADER..payload_at].copy_from_slice(options);
    frame.set_checksum(Checksum::Partial);
    (frame, payload_at)
}

impl GlassnetEngine {
    /// Sends what a segment is answered with at once: nothing that [`GlassnetEngine::transmit`] does
    /// not send.
    #[inline]
    pub(in crate::tcp) fn answer(&mut self, _: &mut Env<'_, impl Out>) {}

    /// Sends what there is to send and may leave.
    #[inline]
    pub(in crate::tcp) fn transmit(&mut self, env: &mut Env<'_, impl Out>) {
        if self.is_over {
            return;
        }
        if self.state.is_opening() {
            if self.syn_due {
                self.send_syn(env);
            }
        } else if self.send.has_work() && self.state != TcpState::Closed {
            self.send_segments(env);
        }
        if self.receive.owes_ack() {
            self.send_ack(env);
        } else {
            self.receive.acks.delay(env.now, self.send.smoothed_rtt());
            if self.receive.owes_ack() {
                self.send_ack(env);
            }
        }
        if self.reset_due {
            self.send_reset(env);
            return;
        }
        if self.state == TcpState::TimeWait {
            self.finish();
            return;
        }
        if self.send.is_held_by_buffer() {
            self.look_for_room(env.now);
        }
        if self.options.send_buffer_grows() {
            self.options.grow_send_buffer(self.send.suitable_buffer());
        }
        self.deadline = self.next_deadline(env);
    }

    /// As soon as a third of the buffer is free, as Linux's `sk_stream_is_writeable` says, a writer goes on.
    #[inline(never)]
    fn look_for_room(&mut self, now: u64) {
        if self.send.queued() <= self.options.send_buffer() / 3 * 2 {
            self.send.has_room(now);
        }
    }

    /// When it wants a look.
    #[inline]
    fn next_deadline(&self, env: &Env<'_, impl Out>) -> When {
        let first = self.send.timer().earlier(self.receive.acks.timer());
        let first = first.earlier(self.give_up_at);
        // Most connections have no option that asks for a timer.
        if !self.options.keep_alive && self.options.user_timeout().is_none() {
            return first;
        }
        let _ = env;
        first.earlier(self.user_timeout_at()).earlier(self.keep_alive_at())
    }

    #[inline]
    fn pace(&self) -> Pace {
        if self.options.nodelay { Pace::NoDelay } else { Pace::Nagle }
    }

    /// Bytes of a segment that SACK blocks take.
    #[inline]
    pub(super) fn reserved(&self) -> u32 {
        if self.receive.has_sacks() { self.len_of_sacks() } else { 0 }
    }

    #[inline(never)]
    fn len_of_sacks(&self) -> u32 {
        let mut blocks = [(Seq::default(), Seq::default()); MAX_SACKS];
        let count = self.receive.sacks(&mut blocks).min(self.send.sacks_that_fit());
        if count > 0 { 4 + 8 * count as u32 } else { 0 }
    }

    #[inline]
    fn send_segments(&mut self, env: &mut Env<'_, impl Out>) {
        self.send.begin_turn(env.now);
        let (pace, mut sent_new) = (self.pace(), false);
        loop {
            let reserved = self.reserved();
            let Some(out) = self.send.next(env.now, pace, reserved) else { break };
            sent_new |= !out.is_retransmission;
            self.send_segment(env, out);
        }
        self.send.end_turn(env.now, sent_new);
    }

    /// Sends a segment with data, or a FIN.
    #[inline]
    pub(super) fn send_segment(&mut self, env: &mut Env<'_, impl Out>, out: Outgoing) {
        let mut flags = ACK | if out.push { PSH } else { 0 } | if out.fin { FIN } else { 0 };
        flags |= self.ecn.echo();
        let mut ecn = 0;
        if out.len > 0 {
            self.receive.acks.on_data_sent(env.now);
            ecn = self.ecn.mark(out.is_retransmission);
            if ecn != 0 && self.send.take_reduced() {
                flags |= CWR;
            }
        }
        let options = self.options_now(env.now);
        let (ack, window) = self.receive.acknowledge();
        let header = Header { seq: out.seq, ack, flags, window, ecn };
        let (mut frame, at) = packet(env.out, header, options.bytes(), out.len as usize);
        if let Some(payload) = frame.packet_mut().get_mut(at..) {
            self.send.copy_payload(out.seq, payload);
        }
        if out.is_retransmission {
            env.shared.retransmissions += 1;
        }
        self.counters.sent(out.len);
        env.out.send(frame, out.is_retransmission);
    }

    /// The options of a segment that leaves now.
    #[inline]
    fn options_now(&mut self, now: u64) -> OptionBytes {
        let mut options = OptionBytes::new();
        if self.has_timestamps {
            options.timestamps(Timestamps { value: self.send.timestamp(now), echo: self.recent });
        }
        if self.receive.has_sacks() {
            self.add_sacks(&mut options);
        }
        options
    }

    #[inline(never)]
    fn add_sacks(&mut self, options: &mut OptionBytes) {
        let mut blocks = [(Seq::default(), Seq::default()); MAX_SACKS];
        let count = self.receive.sacks(&mut blocks).min(self.send.sacks_that_fit());
        options.sacks(&blocks[..count]);
        self.receive.forget_duplicate();
    }

    /// Sends an ACK of what has arrived.
    #[inline]
    pub(super) fn send_ack(&mut self, env: &mut Env<'_, impl Out>) {
        let seq = self.send.acceptable_seq();
        self.send_ack_at(env, seq);
    }

    /// An ACK with another sequence number: one that asks the peer for an answer.
    pub(super) fn send_ack_at(&mut self, env: &mut Env<'_, impl Out>, seq: Seq) {
        let options = self.options_now(env.now);
        let (ack, window) = self.receive.acknowledge();
        let header = Header { seq, ack, flags: ACK | self.ecn.echo(), window, ecn: 0 };
        let (frame, _) = packet(env.out, header, options.bytes(), 0);
        self.counters.sent_bare();
        env.out.send(frame, false);
    }

    /// A segment of the handshake.
    pub(super) fn send_bare(
        &mut self,
        env: &mut Env<'_, impl Out>,
        seq: Seq,
        flags: u8,
        window: u16,
        options: &[u8],
        is_retransmission: bool,
    ) {
        let ack = if flags & ACK != 0 { self.receive.nxt() } else { Seq(0) };
        let (frame, _) = packet(env.out, Header { seq, ack, flags, window, ecn: 0 }, options, 0);
        // Linux does not count the SYN-ACK of a peer's attempt, which has no socket yet.
        if !self.is_passive {
            self.counters.sent_bare();
        }
        env.out.send(frame, is_retransmission);
    }

    /// Tells the peer that the connection is gone.
    pub(super) fn send_reset(&mut self, env: &mut Env<'_, impl Out>) {
        self.reset_due = false;
        let seq = self.send.acceptable_seq();
        let header = Header { seq, ack: self.receive.nxt(), flags: RST | ACK, window: 0, ecn: 0 };
        let (frame, _) = packet(env.out, header, &[], 0);
        self.counters.sent_bare();
        env.out.send(frame, false);
        self.end(env.out);
    }
}
