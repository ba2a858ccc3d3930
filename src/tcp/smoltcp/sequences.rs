//! Where a connection stands in the two sequence spaces, counted from what passes: smoltcp keeps its
//! control block to itself. And how many times it has sent in vain.

use super::engine::SmoltcpEngine;
use super::memory::Sequences;
use super::repair;
use crate::clock::When;
use crate::tcp::limits::Limits;
use crate::tcp::state::TcpState;
use crate::wire::tcp::{Segment, Seq};

/// Between two timeouts of one segment lies at least this, in nanoseconds.
const MIN_TIMEOUT: u64 = 900_000_000;

/// What to do with a segment that the socket wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    Send {
        seq: Seq,
        retransmission: bool,
    },
    /// The peer has answered none of the retransmissions allowed: the connection has timed out.
    GiveUp,
}

impl SmoltcpEngine {
    /// SND.UNA as the socket has it.
    #[inline]
    pub(super) fn snd_una(&self) -> Seq {
        let Sequences { iss, written, fin, .. } = self.sequences;
        if self.state.is_opening() {
            return iss;
        }
        let acknowledged = written.wrapping_sub(self.send_queue());
        let fin_acknowledged = fin.is_some()
            && matches!(self.state, TcpState::FinWait2 | TcpState::TimeWait | TcpState::Closed);
        iss.plus(1).plus(acknowledged).plus(u32::from(fin_acknowledged))
    }

    /// RCV.NXT as the socket has it.
    #[inline]
    pub(super) fn rcv_nxt(&self) -> Seq {
        let Sequences { irs, read, .. } = self.sequences;
        let fin = u32::from(self.fin_received);
        irs.plus(1).plus(read).plus(self.recv_queue()).plus(fin)
    }

    /// The socket is likely to have something to send: data, or a FIN, that never left.
    #[inline]
    pub(super) fn has_unsent(&self) -> bool {
        let Sequences { iss, snd_max, written, fin, .. } = self.sequences;
        snd_max.is_before(iss.plus(1).plus(written))
            || fin.is_none()
                && matches!(self.state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck)
    }

    /// The window for an acknowledgment that is sent beside the socket: what was last advertised.
    /// After a SYN-ACK it is scaled as if the peer had agreed to scaling: less than there is does
    /// no harm.
    pub(super) fn window_to_repeat(&self) -> u16 {
        let Sequences { window_sent, window_of_syn, .. } = self.sequences;
        if !window_of_syn {
            return window_sent;
        }
        window_sent >> self.options.window_scale()
    }

    /// Room in the receive buffer.
    #[inline]
    pub(super) fn recv_room(&self) -> u32 {
        self.options.recv_buffer() - self.recv_queue()
    }

    /// Whether the receive window has grown so much since it was last advertised that the socket
    /// may want to tell. It does when the window has doubled; a scaled window is taken for
    /// smaller than it was, so that the socket is asked once too often rather than never.
    #[inline]
    pub(in crate::tcp) fn owes_window_update(&self) -> bool {
        !self.is_over && self.recv_room() / 2 >= u32::from(self.sequences.window_sent)
    }

    /// Nothing that was sent is unacknowledged but the FIN.
    pub(super) fn only_fin_in_flight(&self) -> bool {
        self.sequences.fin.is_some()
            && matches!(self.state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck)
            && self.send_queue() == 0
    }

    /// Something that the peer must acknowledge is not acknowledged, or not sent.
    pub(super) fn has_something_to_deliver(&self) -> bool {
        !self.state.is_opening()
            && self.state != TcpState::Closed
            && (self.send_queue() > 0 || self.only_fin_in_flight())
    }

    /// Takes note of a segment before the socket gets it.
    pub(super) fn on_receive(&mut self, segment: &Segment) {
        if segment.rst {
            return;
        }
        let sequences = &self.sequences;
        let is_open = sequences.peer_window > 0 && !self.watchdog.has_asked();
        let is_known =
            segment.window == sequences.peer_window && segment.syn == sequences.peer_window_of_syn;
        if is_open && is_known {
            return;
        }
        if !self.state.is_opening() && !self.tells_the_window(segment) {
            return;
        }
        if !self.is_orphan && (self.sequences.peer_window == 0 || self.watchdog.has_asked()) {
            // The peer lives, it just has no room. An orphan does not wait for that for ever
            // (Linux's `tcp_orphan_retries` counts its probes, too).
            self.retries = 0;
        }
        self.sequences.peer_window = segment.window;
        self.sequences.peer_window_of_syn = segment.syn;
    }

    /// Whether SND.WND is to be taken from a segment: it is not older than what was acknowledged
    /// (RFC 9293 3.10.7.4), and it is no repetition of what has arrived, which the socket rejects.
    fn tells_the_window(&self, segment: &Segment) -> bool {
        let is_current = segment.ack.is_some_and(|ack| {
            !ack.is_before(self.snd_una()) && !ack.is_after(self.sequences.highest_sent())
        });
        let rcv_nxt = self.rcv_nxt();
        let is_repetition = segment.seq.is_before(rcv_nxt) && !segment.end().is_after(rcv_nxt);
        is_current && !is_repetition
    }

    /// Counts a transmission that asks again for an answer; false when there were too many.
    pub(super) fn count_retry(&mut self, now: u64, limits: &Limits, retransmission: bool) -> bool {
        // No timer of the socket is shorter than a second: what comes sooner is a fast
        // retransmission, which says that the peer lives.
        if !self.state.is_opening() && now < self.retried_at.saturating_add(MIN_TIMEOUT) {
            return true;
        }
        self.retried_at = now;
        self.retries += 1;
        let max = match self.state {
            TcpState::SynSent => limits.syn_retries,
            TcpState::SynReceived => limits.synack_retries,
            _ if self.is_orphan => limits.orphan_retries,
            _ => limits.retries,
        };
        // Linux's `retransmits_timed_out`: the user's timeout counts instead of the retries.
        let users =
            retransmission && !self.state.is_opening() && self.options.user_timeout().is_some();
        self.retries <= max || users
    }

    /// The peer acknowledged something new.
    pub(super) fn progress(&mut self) {
        self.retries = 0;
        self.unacknowledged_since = When::NEVER;
        self.watchdog.rest();
    }

    /// Takes note of a segment that the socket wants to send, and decides how it leaves.
    #[inline]
    pub(super) fn on_transmit(
        &mut self,
        now: u64,
        segment: &Segment,
        limits: &Limits,
        repair_rewound_ack: bool,
    ) -> Departure {
        let snd_una = if segment.syn { segment.seq } else { self.snd_una() };
        let sequences = &mut self.sequences;
        if segment.syn && !sequences.syn_sent {
            sequences.syn_sent = true;
            sequences.iss = segment.seq;
            sequences.snd_max = segment.seq;
        }
        let seen_before = segment.seq.is_before(sequences.snd_max);
        let probe = sequences.peer_window == 0
            && segment.payload_len == 1
            && segment.seq == sequences.snd_max
            && !self.state.is_opening();
        let retransmission = segment.len() > 0 && seen_before;
        let is_retry = probe || (retransmission && segment.seq == snd_una);
        if is_retry && !self.count_retry(now, limits, retransmission) {
            return Departure::GiveUp;
        }
        let sequences = &mut self.sequences;
        // What probed a zero window may have been taken.
        sequences.snd_max = sequences.snd_max.later(snd_una);
        if segment.fin {
            sequences.fin = Some(segment.seq.plus(segment.payload_len));
        }
        // A RST that answers nonsense during the handshake carries what was asked for.
        let seq = if repair_rewound_ack && !(segment.rst && self.state.is_opening()) {
            repair::seq_of_departure(segment, sequences.snd_max)
        } else {
            segment.seq
        };
        if probe {
            sequences.probed = Some(segment.end());
        } else if segment.len() > 0 && !segment.rst {
            sequences.snd_max = sequences.snd_max.later(segment.end());
        }
        if let Some(ack) = segment.ack {
            sequences.ack_sent = ack;
            sequences.window_sent = segment.window;
            sequences.window_of_syn = segment.syn;
        }
        Departure::Send { seq, retransmission }
    }
}
