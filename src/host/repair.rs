//! The repairs of smoltcp 0.14's TCP, made where segments pass on their way to and from the
//! engine (DESIGN D3). Each is one function, and each has a test that fails without it.

use super::flow::Flow;
use super::segment::{BareAck, Segment, Seq};
use super::state::TcpState;

/// Which repairs are made: all, except in the tests that show what each is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repairs {
    pub(crate) rewound_ack: bool,
    pub(crate) lone_fin: bool,
    pub(crate) silent_window: bool,
    pub(crate) time_wait: bool,
    pub(crate) early_close: bool,
    pub(crate) blind_reset: bool,
    pub(crate) deaf_window: bool,
}

impl Default for Repairs {
    fn default() -> Repairs {
        Repairs {
            rewound_ack: true,
            lone_fin: true,
            silent_window: true,
            time_wait: true,
            early_close: true,
            blind_reset: true,
            deaf_window: true,
        }
    }
}

/// A, livelock: after a timeout the engine rewinds SND.NXT, and its pure ACKs carry the rewound
/// number. The peer finds them outside its window and rejects them *with their acknowledgment*;
/// when both sides have rewound, nothing is ever acknowledged again.
///
/// Returns the sequence number with which a segment must leave: RFC 9293 3.10.7.4 wants SND.NXT,
/// which for a segment that takes no sequence space is SND.MAX.
pub(super) fn seq_of_departure(segment: &Segment, snd_max: Seq) -> Seq {
    if segment.len() == 0 && segment.seq.is_before(snd_max) { snd_max } else { segment.seq }
}

/// B, lost FIN: three duplicate ACKs while only our FIN is in flight make the engine disarm its
/// retransmission timer and resend nothing, so the FIN is lost for ever.
///
/// Returns whether a segment is such a duplicate, which the engine must not see. It is no loss:
/// with nothing but the FIN in flight there is no data to retransmit fast.
pub(super) fn is_duplicate_ack_of_lone_fin(flow: &Flow, segment: &Segment) -> bool {
    flow.only_fin_in_flight()
        && segment.is_pure_ack()
        && segment.ack == flow.sequences.fin
        && segment.window == flow.sequences.peer_window
        && !segment.seq.is_before(flow.rcv_nxt())
}

/// C, silent zero window: when the retransmission timer fires under a zero window, or a window
/// update ends a probe with data in flight, the engine is left without any timer.
///
/// Returns the interval, in nanoseconds, of the keep-alive that must ask the peer what it has,
/// if the flow has something to deliver and no timer left.
pub(super) fn silent_window_keep_alive(flow: &Flow, poll_at: Option<u64>) -> Option<u64> {
    let has_something_to_deliver =
        !flow.state.is_opening() && flow.state != TcpState::Closed && flow.send_queue() > 0;
    if poll_at.is_some() || !has_something_to_deliver {
        return None;
    }
    let backoff = flow.watchdog.min(6);
    Some((1_000_000_000 << backoff).min(60_000_000_000))
}

/// E, unread data: when TIME-WAIT expires the engine throws away what the application has not
/// read, and reports an error instead of the end of the stream.
///
/// Returns whether a flow is to be taken away from the engine's clock and left to a TIME-WAIT
/// record: once the peer's FIN has been acknowledged there is nothing left to send.
pub(super) fn leaves_time_wait_record(flow: &Flow) -> bool {
    flow.state == TcpState::TimeWait && flow.sequences.ack_sent == flow.rcv_nxt()
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

/// G, blind reset: the engine lets any RST within its window kill the connection.
///
/// RFC 5961 section 3.2: only one with exactly RCV.NXT resets; another within the window is
/// answered with a challenge ACK, one outside is dropped.
pub(super) fn judge_reset(flow: &Flow, segment: &Segment) -> Reset {
    let ahead = segment.seq.ahead_of(flow.rcv_nxt());
    match u32::try_from(ahead) {
        Ok(0) => Reset::Accept,
        Ok(ahead) if ahead < flow.recv_room() => Reset::Challenge,
        _ => Reset::Drop,
    }
}

/// I, deaf window: the engine rejects a segment outside its window *with its acknowledgment*. A
/// window is announced in units of its scale, so that its edge may go back by less than one; what a
/// peer has sent up to the old edge is then outside, and so is each ACK after it. Two sides that
/// both have a full window never hear again that the other has taken anything. RFC 9293 3.10.7.4
/// wants valid ACKs to be accepted even where no segment is, and Linux counts on it
/// (`tcp_acceptable_seq`).
///
/// Returns the ACK to give to the engine, at a number where it has an ear for it: instead of a pure
/// ACK, and before a segment with data. What the buffer has room for is what the peer may have been
/// allowed to send: that edge never goes back.
pub(super) fn ack_beside_the_window(flow: &Flow, segment: &Segment) -> Option<BareAck> {
    let ahead = u32::try_from(segment.seq.ahead_of(flow.rcv_nxt())).ok()?;
    let is_synchronized = !flow.state.is_opening() && flow.state != TcpState::Closed;
    if !is_synchronized || segment.syn || segment.rst || ahead > flow.recv_room() {
        return None;
    }
    let ack = segment.ack?;
    let is_unheard = if segment.is_pure_ack() {
        ahead > 0
    } else {
        let is_news = ack.is_after(flow.snd_una()) || segment.window != flow.sequences.peer_window;
        segment.payload_len > 0 && (ahead > 0 || flow.sequences.window_sent == 0) && is_news
    };
    is_unheard.then_some(BareAck { seq: flow.rcv_nxt(), ack, window: segment.window })
}
