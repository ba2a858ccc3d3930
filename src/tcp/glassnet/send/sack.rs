//! What the peer says that it has beside what it acknowledges: SACK (RFC 2018, RFC 6675) and DSACK
//! (RFC 2883), and what both say of reordering.

use super::acknowledge::{Acknowledgment, Facts};
use super::{Phase, Sender};
use crate::tcp::glassnet::options::MAX_SACKS;
use crate::wire::tcp::Seq;

/// Segments by which others may overtake one, at most (Linux's `tcp_max_reordering`).
const MAX_REORDERING: u32 = 300;

impl Sender {
    /// Takes note of the blocks of an ACK.
    pub(super) fn take_sacks(&mut self, now: u64, ack: &Acknowledgment<'_>, facts: &mut Facts) {
        if !self.has_sack {
            return;
        }
        let mut blocks = ack.sacks;
        if is_dsack(ack) {
            self.take_dsack(ack, facts);
            blocks = &blocks[1..];
        }
        let mut known = [(self.una, self.una); MAX_SACKS];
        for (at, (start, end)) in blocks.iter().copied().enumerate() {
            let is_valid =
                start.is_before(end) && !start.is_before(self.una) && !end.is_after(self.nxt);
            if is_valid {
                known[at] = (start, end);
                self.take_block(now, (start, end), facts);
            }
        }
        self.known_sacks = known;
        if let Some(start) = facts.reordered.take() {
            self.note_reordering(start);
        }
    }

    fn take_block(&mut self, now: u64, (start, end): (Seq, Seq), facts: &mut Facts) {
        // Of a block that has grown only the new part is looked at.
        let before = self.known_sacks.iter().find(|known| known.0 == start);
        let from = before.map_or(start, |known| known.1);
        if !from.is_before(end) {
            return;
        }
        let (high, min_rtt) = (self.high, self.round_trip.min());
        let highest = self.flight.highest_sacked();
        let Sender { flight, rack, delivered, rate, .. } = self;
        flight.sack((start, end), from, |begins, sent| {
            if !sent.was_retransmitted() {
                if begins.is_before(highest) {
                    facts.note_reordered(begins);
                }
                facts.original_arrived |= !sent.end.is_after(high);
                let first = facts.sacked_at.map_or(sent.at, |(first, _)| first);
                facts.sacked_at = Some((first, sent.at));
            }
            facts.is_sack = true;
            *delivered = delivered.wrapping_add(1);
            rate.note_sacked(sent.end);
            rack.advance(now, sent, min_rtt);
        });
    }

    /// The peer received something twice.
    fn take_dsack(&mut self, ack: &Acknowledgment<'_>, facts: &mut Facts) {
        let (start, end) = ack.sacks[0];
        let len = end.ahead_of(start);
        if len <= 0 || len.cast_unsigned() > self.max_window {
            return;
        }
        let mut segments = 1;
        if len.cast_unsigned() > self.mss {
            segments = len.cast_unsigned().div_ceil(self.mss);
        } else if self.probe == Some(end) {
            facts.is_dsack_of_probe = true;
        }
        // What was never sent again was doubled on its way.
        if self.seldom.add_dsack(segments) > self.retransmissions {
            return;
        }
        facts.is_dsack = true;
        if self.reordering_seen && !facts.is_dsack_of_probe {
            self.rack.note_dsack();
        }
        let Some(marker) = self.undo.marker.filter(|_| self.undo.retransmissions > 0) else {
            return;
        };
        let segments = if !end.is_after(self.una) {
            if end.is_after(marker) { segments } else { 0 }
        } else {
            let repeated = |(_, sent): &(Seq, &super::super::flight::Sent)| {
                sent.was_retransmitted() && sent.end.is_after(marker) && !sent.end.is_after(end)
            };
            self.flight.within(start, end).filter(repeated).count() as u32
        };
        let left = self.undo.retransmissions.saturating_sub_unsigned(segments);
        self.undo.retransmissions = left.max(0);
    }

    /// A segment that begins at `start`, and was sent once, arrived after later ones.
    pub(super) fn note_reordering(&mut self, start: Seq) {
        let highest = self.flight.highest_sacked().later(self.una);
        let distance = highest.ahead_of(start);
        if distance <= 0 {
            return;
        }
        let segments = distance.cast_unsigned().div_ceil(self.mss);
        if segments > self.reordering {
            self.reordering = segments.min(MAX_REORDERING);
        }
        self.reordering_seen = true;
        self.seldom.add_reordering();
    }

    // ---- Without SACK: duplicate ACKs stand for it ------------------------------------------

    /// Each duplicate ACK says that some segment has arrived (RFC 5681 3.2).
    pub(super) fn count_duplicates(&mut self, duplicates: u32) {
        if duplicates == 0 {
            return;
        }
        let before = self.flight.sacked();
        let mut counted = before + duplicates;
        let packets = self.flight.packets();
        let holes = self.flight.lost().clamp(1, packets.max(1));
        if counted + holes > packets {
            counted = packets.saturating_sub(holes);
            // More arrived than one loss can have left behind.
            if self.phase < Phase::Recovery && packets > self.reordering {
                self.reordering = packets.min(MAX_REORDERING);
                self.reordering_seen = true;
                self.seldom.add_reordering();
            }
        }
        self.flight.set_sacked_count(counted);
        self.delivered = self.delivered.wrapping_add(counted.saturating_sub(before));
    }

    /// An ACK of `acked` segments: one was the hole, the others had been counted.
    pub(super) fn forget_duplicates(&mut self, acked: u32) {
        let counted = self.flight.sacked();
        self.delivered = self.delivered.wrapping_add(acked.saturating_sub(counted).max(1));
        self.flight.set_sacked_count(counted.saturating_sub(acked - 1));
        let packets = self.flight.packets();
        let holes = self.flight.lost().clamp(1, packets.max(1));
        if self.flight.sacked() + holes > packets {
            self.flight.set_sacked_count(packets.saturating_sub(holes));
        }
    }
}

/// Whether the first block is of something that was received before (RFC 2883 section 4).
fn is_dsack(ack: &Acknowledgment<'_>) -> bool {
    match *ack.sacks {
        [] => false,
        [(start, _), ..] if start.is_before(ack.ack) => true,
        [(start, end), (start_of_second, end_of_second), ..] => {
            !start.is_before(start_of_second) && !end.is_after(end_of_second)
        }
        [_] => false,
    }
}
