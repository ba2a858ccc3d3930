//! L, mute LAST-ACK: the FIN of a close in CLOSE-WAIT, which the host sends itself while what was
//! written before it is not acknowledged. The engine hears of the close when it is.

use super::flow::Flow;
use super::repair;
use super::stack::Host;
use super::state::TcpState;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::{
    BareAck, Segment, Seq, bare_ack_len, rewrite_ack, rewrite_fin, write_bare_fin,
};

/// How far the close of a connection in CLOSE-WAIT has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeptFin {
    /// It is not closed, or the engine knows of it.
    #[default]
    No,
    /// The engine does not know that it is closed.
    Kept,
    /// The engine does not know, and the peer has acknowledged the FIN and all before it.
    Acknowledged,
    /// The engine knows, and its first FIN is only to set its timer: one has left already.
    Repeated,
}

impl KeptFin {
    /// The state of a connection whose engine is in `state`.
    pub(super) fn state(self, state: TcpState) -> TcpState {
        match (self, state) {
            (KeptFin::Kept, TcpState::CloseWait) => TcpState::LastAck,
            (KeptFin::Acknowledged, TcpState::CloseWait) => TcpState::Closed,
            _ => state,
        }
    }
}

impl Flow {
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

    /// The acknowledgment number for the engine, which has not sent the FIN that it acknowledges.
    pub(super) fn ack_without_kept_fin(&self, segment: &Segment) -> Option<Seq> {
        let fin = self.sequences.fin?;
        (self.kept_fin == KeptFin::Kept && segment.ack == Some(fin.plus(1))).then_some(fin)
    }
}

impl Host {
    /// The sending side is closed, which the engine may hear of only later.
    pub(super) fn tell_engine_of_close(&mut self, flow: &mut Flow) {
        if self.repairs.mute_last_ack && repair::must_keep_fin(flow) {
            flow.kept_fin = KeptFin::Kept;
        } else if flow.kept_fin == KeptFin::No {
            flow.engine.socket_mut(|socket| socket.close());
        }
        let state = flow.state_of_engine();
        self.set_state(flow, state);
    }

    /// After an ACK: what was written may all be acknowledged by now.
    pub(super) fn settle_kept_fin(&mut self, flow: &mut Flow, fin_acknowledged: bool) {
        if flow.kept_fin != KeptFin::Kept || flow.send_queue() > 0 {
            return;
        }
        let state: TcpState = flow.engine.socket(|socket| socket.state()).into();
        if state != TcpState::CloseWait {
            return;
        }
        if fin_acknowledged {
            flow.kept_fin = KeptFin::Acknowledged;
            return;
        }
        let has_left = flow.sequences.fin.is_some();
        flow.kept_fin = if has_left { KeptFin::Repeated } else { KeptFin::No };
        flow.engine.socket_mut(|socket| socket.close());
    }

    /// Sends the FIN beside the engine.
    pub(super) fn send_fin_segment(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) {
        let fin = flow.end_of_stream();
        let fields = BareAck { seq: fin, ack: flow.rcv_nxt(), window: flow.window_to_repeat() };
        self.retransmissions += u64::from(flow.sequences.fin.is_some());
        flow.sequences.fin = Some(fin);
        flow.sequences.snd_max = flow.sequences.snd_max.later(fin.plus(1));
        let mut frame = pool.take(ETHERNET_HEADER + bare_ack_len(&flow.tuple));
        write_bare_fin(frame.packet_mut(), &flow.tuple, fields);
        flow.ip_fields().write(frame.packet_mut());
        self.route(now, flow.tuple.remote_addr, flow.neighbor, frame, pool);
    }
}

/// A copy of a packet for the engine, which is to see another acknowledgment number.
pub(super) fn with_ack(packet: &[u8], ack: Seq, pool: &mut FramePool) -> FrameBuffer {
    let mut frame = copy_of(packet, pool);
    rewrite_ack(frame.packet_mut(), ack);
    frame
}

/// A copy of a packet for the engine, which is not to see its FIN.
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
