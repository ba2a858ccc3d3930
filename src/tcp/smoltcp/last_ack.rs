//! L, mute LAST-ACK: the FIN of a close in CLOSE-WAIT, which is sent beside the socket while what was
//! written before it is not acknowledged. The socket hears of the close when it is.

use super::engine::SmoltcpEngine;
use super::memory::KeptFin;
use super::repair;
use crate::tcp::boundary::{Env, Out};
use crate::tcp::state::TcpState;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::{
    BareAck, Segment, Seq, bare_ack_len, rewrite_ack, rewrite_fin, write_bare_fin,
};

impl SmoltcpEngine {
    /// The sequence number after the last byte written, which the FIN has.
    fn end_of_stream(&self) -> Seq {
        self.sequences.iss.plus(1).plus(self.sequences.written)
    }

    /// Whether a kept FIN follows the payload of a segment. One that probes a zero window may not
    /// be taken, so that no FIN follows it.
    pub(super) fn fin_follows(&self, segment: &Segment) -> bool {
        self.kept_fin == KeptFin::Kept
            && segment.payload_len > 0
            && segment.end() == self.end_of_stream()
            && self.sequences.peer_window > 0
    }

    /// A kept FIN has to leave by itself: all that was written has left before.
    pub(super) fn fin_leaves_alone(&self) -> bool {
        self.kept_fin == KeptFin::Kept
            && self.sequences.fin.is_none()
            && self.sequences.snd_max == self.end_of_stream()
    }

    /// The acknowledgment number for the socket, which has not sent the FIN that it acknowledges.
    pub(super) fn ack_without_kept_fin(&self, segment: &Segment) -> Option<Seq> {
        let fin = self.sequences.fin?;
        (self.kept_fin == KeptFin::Kept && segment.ack == Some(fin.plus(1))).then_some(fin)
    }

    pub(in crate::tcp) fn close(&mut self, env: &mut Env<'_, impl Out>) {
        if env.shared.smoltcp.repairs.early_close && repair::must_defer_close(self.state) {
            self.close_pending = true;
        } else {
            self.tell_socket_of_close(env);
        }
        self.limit_fin_wait_2(env);
    }

    /// The sending side is closed, which the socket may hear of only later.
    pub(super) fn tell_socket_of_close(&mut self, env: &mut Env<'_, impl Out>) {
        if env.shared.smoltcp.repairs.mute_last_ack && repair::must_keep_fin(self) {
            self.kept_fin = KeptFin::Kept;
        } else if self.kept_fin == KeptFin::No {
            self.socket.close();
        }
        self.set_state(self.state_of_socket(), env.out);
    }

    /// After an ACK: what was written may all be acknowledged by now.
    pub(super) fn settle_kept_fin(&mut self, fin_acknowledged: bool) {
        if self.kept_fin != KeptFin::Kept || self.send_queue() > 0 {
            return;
        }
        if self.socket.seen().state != TcpState::CloseWait {
            return;
        }
        if fin_acknowledged {
            self.kept_fin = KeptFin::Acknowledged;
            return;
        }
        let has_left = self.sequences.fin.is_some();
        self.kept_fin = if has_left { KeptFin::Repeated } else { KeptFin::No };
        self.socket.close();
    }

    /// Sends the FIN beside the socket.
    pub(super) fn send_fin_segment(&mut self, env: &mut Env<'_, impl Out>) {
        let fin = self.end_of_stream();
        let fields = BareAck { seq: fin, ack: self.rcv_nxt(), window: self.window_to_repeat() };
        let is_repeated = self.sequences.fin.is_some();
        env.shared.retransmissions += u64::from(is_repeated);
        self.note_sent(env, 0, is_repeated);
        self.sequences.fin = Some(fin);
        self.sequences.snd_max = self.sequences.snd_max.later(fin.plus(1));
        let tuple = *env.out.tuple();
        let mut frame = env.out.pool().take(ETHERNET_HEADER + bare_ack_len(&tuple));
        write_bare_fin(frame.packet_mut(), &tuple, fields);
        env.out.send(frame, false);
    }
}

/// A copy of a packet for the socket, which is to see another acknowledgment number.
pub(super) fn with_ack(packet: &[u8], ack: Seq, pool: &mut FramePool) -> FrameBuffer {
    let mut frame = copy_of(packet, pool);
    rewrite_ack(frame.packet_mut(), ack);
    frame
}

/// A copy of a packet for the socket, which is not to see its FIN.
pub(super) fn without_fin(packet: &[u8], pool: &mut FramePool) -> FrameBuffer {
    let mut frame = copy_of(packet, pool);
    rewrite_fin(frame.packet_mut(), false);
    frame
}

/// A copy of a packet, to be changed.
pub(super) fn copy_of(packet: &[u8], pool: &mut FramePool) -> FrameBuffer {
    let mut frame = pool.take(ETHERNET_HEADER + packet.len());
    frame.packet_mut().copy_from_slice(packet);
    frame
}
