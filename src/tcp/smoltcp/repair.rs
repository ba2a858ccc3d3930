//! The repairs of smoltcp 0.14's TCP, made where segments pass on their way to and from its
//! socket (DESIGN D3). Each is one function, and each has a test that fails without it.

use super::engine::SmoltcpEngine;
use crate::tcp::state::TcpState;
use crate::wire::tcp::{BareAck, Segment, Seq};

/// A, livelock: after a timeout the socket rewinds SND.NXT, and its pure ACKs carry the rewound
/// number. The peer finds them outside its window and rejects them *with their acknowledgment*;
/// when both sides have rewound, nothing is ever acknowledged again.
///
/// Returns the sequence number with which a segment must leave: RFC 9293 3.10.7.4 wants SND.NXT,
/// which for a segment that takes no sequence space is SND.MAX. The socket's number may also be
/// higher, when it has sent more again than the peer's window let leave (M).
pub(super) fn seq_of_departure(segment: &Segment, snd_max: Seq) -> Seq {
    if segment.len() == 0 { snd_max } else { segment.seq }
}

/// B, lost FIN: three duplicate ACKs while only our FIN is in flight make the socket disarm its
/// retransmission timer and resend nothing, so the FIN is lost for ever.
///
/// Returns whether a segment is such a duplicate, which the socket must not see. It is no loss:
/// with nothing but the FIN in flight there is no data to retransmit fast, and no window to know.
pub(super) fn is_duplicate_ack_of_lone_fin(engine: &SmoltcpEngine, segment: &Segment) -> bool {
    engine.only_fin_in_flight() && segment.is_pure_ack() && segment.ack == engine.sequences.fin
}

/// E, unread data: when TIME-WAIT expires the socket throws away what the application has not
/// read, and reports an error instead of the end of the stream.
///
/// Returns whether a connection is to be taken away from the socket's clock and left to a TIME-WAIT
/// record of the host's: once the peer's FIN has been acknowledged there is nothing left to send.
pub(super) fn leaves_to_time_wait(engine: &SmoltcpEngine) -> bool {
    engine.state == TcpState::TimeWait && engine.sequences.ack_sent == engine.rcv_nxt()
}

/// F, early close: `close()` in SYN-RECEIVED loses the FIN, and the peer waits for ever.
///
/// Returns whether a close must wait until the handshake is over.
pub(super) fn must_defer_close(state: TcpState) -> bool {
    state == TcpState::SynReceived
}

/// What to do with a RST for a synchronised connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    Accept,
    Challenge,
    Drop,
}

/// G, blind reset: the socket lets any RST within its window kill the connection.
///
/// RFC 5961 section 3.2: only one with exactly RCV.NXT resets; another within the window is
/// answered with a challenge ACK, one outside is dropped.
pub(super) fn judge_reset(engine: &SmoltcpEngine, segment: &Segment) -> Reset {
    let ahead = segment.seq.ahead_of(engine.rcv_nxt());
    match u32::try_from(ahead) {
        Ok(0) => Reset::Accept,
        Ok(ahead) if ahead < engine.recv_room() => Reset::Challenge,
        _ => Reset::Drop,
    }
}

/// I, deaf window: the socket rejects a segment outside its window *with its acknowledgment*. A
/// window is announced in units of its scale, so that its edge may go back by less than one; what a
/// peer has sent up to the old edge is then outside, and so is each ACK after it. Two sides that
/// both have a full window never hear again that the other has taken anything. RFC 9293 3.10.7.4
/// wants valid ACKs to be accepted even where no segment is, and Linux counts on it
/// (`tcp_acceptable_seq`).
///
/// Returns the ACK to give to the socket instead of a pure ACK, or before a segment with data, with a
/// sequence number that it accepts. What the buffer has room for is what the peer may have been
/// allowed to send: that edge never goes back.
pub(super) fn ack_beside_the_window(engine: &SmoltcpEngine, segment: &Segment) -> Option<BareAck> {
    let ahead = u32::try_from(segment.seq.ahead_of(engine.rcv_nxt())).ok()?;
    let is_synchronized = !engine.state.is_opening() && engine.state != TcpState::Closed;
    if !is_synchronized || segment.syn || segment.rst || ahead > engine.recv_room() {
        return None;
    }
    let ack = segment.ack?;
    let is_unheard = if segment.is_pure_ack() {
        ahead > 0
    } else {
        let is_news =
            ack.is_after(engine.snd_una()) || segment.window != engine.sequences.peer_window;
        segment.payload_len > 0 && (ahead > 0 || engine.sequences.window_sent == 0) && is_news
    };
    is_unheard.then_some(BareAck { seq: engine.rcv_nxt(), ack, window: segment.window })
}

/// J, endless probe: the timer of the zero-window probe goes on when nothing is left to probe
/// with, and in FIN-WAIT-2 it is never rewound, so that the socket sends without end.
///
/// Returns whether the socket may be left with such a timer: everything was acknowledged under a
/// zero window. A window that opens for a moment stops it.
pub(super) fn leaves_probe_timer(engine: &SmoltcpEngine) -> bool {
    engine.sequences.peer_window == 0 && engine.send_queue() == 0
}

/// J again: under a zero window with everything in flight, the probe has no byte left to carry, and
/// an empty segment at SND.NXT is not answered.
///
/// Returns whether a segment that the socket sends of its own accord says nothing new.
pub(super) fn says_nothing_new(engine: &SmoltcpEngine, segment: &Segment) -> bool {
    let sequences = &engine.sequences;
    segment.is_pure_ack()
        && segment.ack == Some(sequences.ack_sent)
        && segment.window == sequences.window_sent
        && !sequences.window_of_syn
}

/// J again: the socket takes for sent what was cut off a retransmission (M), and probes with the byte
/// after it, which is beyond what the peer can ever have allowed.
pub(super) fn probes_beyond_what_was_sent(engine: &SmoltcpEngine, segment: &Segment) -> bool {
    engine.sequences.peer_window == 0
        && segment.payload_len > 0
        && segment.seq.is_after(engine.sequences.highest_sent().later(engine.snd_una()))
}

/// K, early FIN: the socket cuts off the payload that is beyond its window and takes the FIN that
/// follows it all the same. The application reads the end of the stream with bytes missing.
///
/// Returns whether a segment's FIN must wait until all of the segment's data are there.
pub(super) fn has_fin_behind_data(segment: &Segment) -> bool {
    segment.fin && !segment.syn && !segment.rst && segment.payload_len > 0
}

/// L, mute LAST-ACK: there the socket ignores every ACK that acknowledges nothing new, and with it
/// the window: when the window was zero, what is left to send never leaves.
///
/// Returns whether the socket must stay in CLOSE-WAIT until what was written is acknowledged, and
/// the engine send the FIN beside it meanwhile.
pub(super) fn must_keep_fin(engine: &SmoltcpEngine) -> bool {
    engine.state == TcpState::CloseWait && engine.send_queue() > 0
}

/// M, wide retransmission: a fast retransmission is a whole segment, whatever the peer's window is.
///
/// Returns how many bytes of it may leave. One always may: it probes the window.
pub(super) fn room_for_retransmission(engine: &SmoltcpEngine, segment: &Segment) -> Option<u32> {
    let room = engine.sequences.send_window().max(1);
    // Most segments fit, and are not looked at further.
    let is_wide = segment.payload_len > room && !segment.syn && segment.seq == engine.snd_una();
    is_wide.then_some(room)
}

/// N, wide window of a SYN: the socket scales the window that it has advertised with a SYN, though
/// no such window is scaled (RFC 7323 2.2), and accepts data for which it has no room.
///
/// Returns how many bytes of a segment's payload there is room for, if not for all.
pub(super) fn room_after_syn(engine: &SmoltcpEngine, segment: &Segment) -> Option<u32> {
    if !engine.sequences.window_of_syn || segment.payload_len == 0 {
        return None;
    }
    let ahead = segment.seq.ahead_of(engine.rcv_nxt());
    let end = i64::from(ahead) + i64::from(segment.payload_len);
    let beyond = end - i64::from(engine.recv_room());
    (beyond > 0).then(|| (i64::from(segment.payload_len) - beyond).max(0) as u32)
}
