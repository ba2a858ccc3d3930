//! What was sent and is not acknowledged, segment by segment: the scoreboard of RFC 6675 section 3,
//! with what RACK remembers of each (RFC 8985 section 5).

use std::collections::VecDeque;

use crate::wire::tcp::Seq;

/// The peer has it, and may still forget it (RFC 2018 section 8).
const SACKED: u8 = 1;
/// It is taken for lost.
const LOST: u8 = 2;
/// It was lost, and sent again since.
const RETRANSMITTED: u8 = 4;
/// It was sent more than once.
const EVER_RETRANSMITTED: u8 = 8;

/// A queue that is empty keeps its memory for so many segments.
const MAX_KEPT: usize = 64;

/// One segment in flight. It begins where the one before it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// When it was last sent.
    pub(super) at: u64,
    /// The number after its last byte, or after its FIN.
    pub(super) end: Seq,
    flags: u8,
}

impl Sent {
    #[inline]
    pub(super) fn is_sacked(&self) -> bool {
        self.flags & SACKED != 0
    }

    pub(super) fn is_lost(&self) -> bool {
        self.flags & LOST != 0
    }

    /// It was lost, and is in flight again.
    pub(super) fn is_retransmitted(&self) -> bool {
        self.flags & RETRANSMITTED != 0
    }

    #[inline]
    pub(super) fn was_retransmitted(&self) -> bool {
        self.flags & (RETRANSMITTED | EVER_RETRANSMITTED) != 0
    }
}

/// The segments in flight.
#[derive(Debug, Default)]
pub(super) struct Flight {
    segments: VecDeque<Sent>,
    /// The number of the first byte.
    start: Seq,
    sacked: u32,
    lost: u32,
    retransmitted: u32,
    /// The end of the highest that is SACKed; `start` where none is.
    highest_sacked: Seq,
    /// The end of the highest that was ever sent again.
    highest_retransmitted: Seq,
    /// No segment before this one waits to be sent again.
    lost_from: Seq,
    /// How often a segment was taken for lost.
    losses: u32,
}

impl Flight {
    pub(super) fn begin(&mut self, start: Seq) {
        self.start = start;
        self.highest_sacked = start;
        self.highest_retransmitted = start;
        self.lost_from = start;
    }

    // ---- What is in flight ------------------------------------------------------------------

    /// Segments that are not acknowledged.
    #[inline]
    pub(super) fn packets(&self) -> u32 {
        self.segments.len() as u32
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Segments that are believed to be on their way (RFC 6675's pipe).
    #[inline]
    pub(super) fn in_flight(&self) -> u32 {
        (self.packets() + self.retransmitted).saturating_sub(self.left())
    }

    /// Segments that have left the network: the peer has them, or they are lost.
    #[inline]
    pub(super) fn left(&self) -> u32 {
        self.sacked + self.lost
    }

    #[inline]
    pub(super) fn sacked(&self) -> u32 {
        self.sacked
    }

    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    pub(super) fn retransmitted(&self) -> u32 {
        self.retransmitted
    }

    /// How often a segment was taken for lost so far.
    pub(super) fn losses(&self) -> u32 {
        self.losses
    }

    pub(super) fn highest_sacked(&self) -> Seq {
        if self.sacked > 0 { self.highest_sacked } else { self.start }
    }

    /// Everything was sent once, and nothing is known to have gone astray.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.sacked | self.lost | self.retransmitted == 0
    }

    pub(super) fn first(&self) -> Option<&Sent> {
        self.segments.front()
    }

    pub(super) fn last(&self) -> Option<(Seq, &Sent)> {
        let at = self.segments.len().checked_sub(1)?;
        Some((self.start_of(at), &self.segments[at]))
    }

    /// Whether the first was sent more than once.
    pub(super) fn any_retransmitted(&self) -> bool {
        self.retransmitted > 0 || self.first().is_some_and(Sent::was_retransmitted)
    }

    fn start_of(&self, at: usize) -> Seq {
        at.checked_sub(1).map_or(self.start, |before| self.segments[before].end)
    }

    /// Where the segment stands in which `seq` is, or the first behind it.
    fn find(&self, seq: Seq) -> usize {
        self.segments.partition_point(|sent| !sent.end.is_after(seq))
    }

    // ---- What is sent -----------------------------------------------------------------------

    /// A segment leaves for the first time.
    #[inline]
    pub(super) fn push(&mut self, end: Seq, now: u64) {
        self.segments.push_back(Sent { at: now, end, flags: 0 });
    }

    /// The first segment that is lost and was not sent again: where it stands, begins and ends.
    pub(super) fn next_lost(&mut self) -> Option<(usize, Seq, Sent)> {
        if self.retransmitted >= self.lost {
            return None;
        }
        let from = self.find(self.lost_from);
        let waits = |sent: &Sent| sent.flags & (LOST | RETRANSMITTED | SACKED) == LOST;
        let at = (from..self.segments.len()).find(|at| waits(&self.segments[*at]))?;
        let start = self.start_of(at);
        self.lost_from = start;
        Some((at, start, self.segments[at]))
    }

    /// A segment leaves again, cut to end at `end` if that is earlier, with what follows it up to
    /// there if that is later.
    pub(super) fn retransmit(&mut self, at: usize, end: Seq, now: u64) {
        let whole = self.segments[at];
        if end.is_before(whole.end) {
            self.split(at, end);
        }
        while self.segments[at].end.is_before(end) && at + 1 < self.segments.len() {
            self.merge(at);
        }
        let sent = &mut self.segments[at];
        if sent.flags & RETRANSMITTED == 0 {
            self.retransmitted += 1;
        }
        sent.flags |= RETRANSMITTED | EVER_RETRANSMITTED;
        sent.at = now;
        self.highest_retransmitted = self.highest_retransmitted.later(sent.end);
    }

    /// The last segment leaves again, though nothing says that it is lost.
    pub(super) fn repeat_last(&mut self, now: u64) {
        if let Some(sent) = self.segments.back_mut() {
            sent.flags |= EVER_RETRANSMITTED;
            sent.at = now;
            self.highest_retransmitted = self.highest_retransmitted.later(sent.end);
        }
    }

    /// The number after the segment at `at`.
    pub(super) fn end_of(&self, at: usize) -> Option<Seq> {
        self.segments.get(at).map(|sent| sent.end)
    }

    /// Whether the segment at `at` may be joined with the one behind it: both wait to be sent again,
    /// or none is known to have arrived.
    pub(super) fn can_merge(&self, at: usize) -> Option<Seq> {
        let next = self.segments.get(at + 1)?;
        (!next.is_sacked()).then_some(next.end)
    }

    fn merge(&mut self, at: usize) {
        let Some(next) = self.segments.remove(at + 1) else { return };
        self.lost -= u32::from(next.is_lost());
        self.retransmitted -= u32::from(next.is_retransmitted());
        self.sacked -= u32::from(next.is_sacked());
        let sent = &mut self.segments[at];
        sent.end = next.end;
        sent.flags |= next.flags & EVER_RETRANSMITTED;
    }

    fn split(&mut self, at: usize, end: Seq) {
        let mut first = self.segments[at];
        first.end = end;
        self.lost += u32::from(first.is_lost());
        self.retransmitted += u32::from(first.is_retransmitted());
        self.sacked += u32::from(first.is_sacked());
        self.segments.insert(at, first);
    }

    // ---- What is acknowledged ---------------------------------------------------------------

    /// Everything before `una` is acknowledged; `each` sees the segments that are wholly so, with
    /// where they begin.
    #[inline]
    pub(super) fn acknowledge(&mut self, una: Seq, mut each: impl FnMut(Seq, &Sent)) {
        while let Some(sent) = self.segments.front() {
            if sent.end.is_after(una) {
                break;
            }
            if sent.flags & (SACKED | LOST | RETRANSMITTED) != 0 {
                self.sacked -= u32::from(sent.flags & SACKED != 0);
                self.lost -= u32::from(sent.flags & LOST != 0);
                self.retransmitted -= u32::from(sent.flags & RETRANSMITTED != 0);
            }
            each(self.start, sent);
            self.start = sent.end;
            self.segments.pop_front();
        }
        self.start = una;
        self.lost_from = self.lost_from.later(una);
        self.highest_retransmitted = self.highest_retransmitted.later(una);
        if self.segments.is_empty() && self.segments.capacity() > MAX_KEPT {
            self.segments = VecDeque::new();
        }
    }

    /// The peer says that it has what is from `start` to `end`, and said so before of what is before
    /// `from`; `each` sees the segments for which that is new, as they were, with where they begin.
    pub(super) fn sack(
        &mut self,
        (start, end): (Seq, Seq),
        from: Seq,
        mut each: impl FnMut(Seq, &Sent),
    ) {
        let mut at = self.find(from);
        let mut begins = self.start_of(at);
        while let Some(sent) = self.segments.get_mut(at) {
            if sent.end.is_after(end) {
                break;
            }
            // A segment of which it has a part is not one that it has.
            if !sent.is_sacked() && !begins.is_before(start) {
                each(begins, sent);
                if sent.flags & LOST != 0 {
                    self.lost -= 1;
                    self.retransmitted -= u32::from(sent.flags & RETRANSMITTED != 0);
                    sent.flags &= !(LOST | RETRANSMITTED);
                }
                sent.flags |= SACKED;
                self.highest_sacked =
                    if self.sacked == 0 { sent.end } else { self.highest_sacked.later(sent.end) };
                self.sacked += 1;
            }
            begins = sent.end;
            at += 1;
        }
    }

    /// The segments of which a part is from `start` to `end`, with where they begin.
    pub(super) fn within(&self, start: Seq, end: Seq) -> impl Iterator<Item = (Seq, &Sent)> {
        let from = self.find(start);
        let all = (from..self.segments.len()).map(|at| (self.start_of(at), &self.segments[at]));
        all.take_while(move |(start, _)| start.is_before(end))
    }

    /// The first segment is SACKed, though a peer that had it would have acknowledged it.
    pub(super) fn is_reneged(&self) -> bool {
        self.first().is_some_and(Sent::is_sacked)
    }

    /// Without SACK, `sacked` counts duplicate ACKs: each says that some segment has arrived.
    pub(super) fn set_sacked_count(&mut self, sacked: u32) {
        self.sacked = sacked;
    }

    // ---- What is lost -----------------------------------------------------------------------

    fn mark_lost(&mut self, at: usize) {
        let start = self.start_of(at);
        let sent = &mut self.segments[at];
        if sent.is_sacked() {
            return;
        }
        if !sent.is_lost() {
            self.lost += 1;
            self.losses = self.losses.wrapping_add(1);
            sent.flags |= LOST;
        } else if sent.is_retransmitted() {
            self.losses = self.losses.wrapping_add(1);
        }
        if sent.is_retransmitted() {
            self.retransmitted -= 1;
            sent.flags &= !RETRANSMITTED;
        }
        if start.is_before(self.lost_from) {
            self.lost_from = start;
        }
    }

    /// The first segment is lost, unless it is known.
    pub(super) fn mark_first_lost(&mut self) {
        if self.first().is_some_and(|sent| !sent.is_lost()) {
            self.mark_lost(0);
        }
    }

    /// Everything for which `is_lost` holds is lost.
    pub(super) fn mark_all_lost(&mut self, mut is_lost: impl FnMut(usize, &Sent) -> bool) {
        for at in 0..self.segments.len() {
            if is_lost(at, &self.segments[at]) {
                self.mark_lost(at);
            }
        }
    }

    /// Marks what was sent so long before the segment that RACK goes by, `rack_at` and `rack_end`,
    /// that it would have arrived by now (RFC 8985 6.2, step 5): what `remaining` gives no more time
    /// for. Returns the longest time that is left, if any.
    pub(super) fn mark_late(
        &mut self,
        rack_at: u64,
        rack_end: Seq,
        mut remaining: impl FnMut(&Sent) -> Option<u64>,
    ) -> Option<u64> {
        let mut longest = None;
        for at in self.find(self.start)..self.segments.len() {
            let sent = &self.segments[at];
            let is_earlier = (sent.at, 0) < (rack_at, rack_end.ahead_of(sent.end));
            if !is_earlier {
                if sent.end.is_after(self.highest_retransmitted) {
                    break;
                }
                continue;
            }
            if sent.is_sacked() || (sent.is_lost() && !sent.is_retransmitted()) {
                continue;
            }
            match remaining(sent) {
                Some(time) => longest = longest.max(Some(time)),
                None => self.mark_lost(at),
            }
        }
        longest
    }

    /// Nothing is lost.
    pub(super) fn forget_losses(&mut self) {
        for sent in &mut self.segments {
            sent.flags &= !LOST;
        }
        self.lost = 0;
    }

    /// Nothing is SACKed: the peer has forgotten (RFC 2018 section 8).
    pub(super) fn forget_sacks(&mut self) {
        for sent in &mut self.segments {
            sent.flags &= !SACKED;
        }
        self.sacked = 0;
    }

    /// Segments larger than `mss` are taken for lost at once, as no path carries them.
    pub(super) fn mark_larger_lost(&mut self, mss: u32) {
        let mut start = self.start;
        for at in 0..self.segments.len() {
            let end = self.segments[at].end;
            let sent = &self.segments[at];
            let waits = sent.is_lost() && !sent.is_retransmitted();
            if end.ahead_of(start).cast_unsigned() > mss && !waits {
                self.mark_lost(at);
            }
            start = end;
        }
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let count = |flag: u8| self.segments.iter().filter(|sent| sent.flags & flag != 0).count();
        assert_eq!(
            (count(LOST), count(RETRANSMITTED)),
            (self.lost as usize, self.retransmitted as usize)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten segments of 100 bytes from `start` on, a nanosecond apart.
    fn ten(start: u32) -> Flight {
        let mut flight = Flight::default();
        flight.begin(Seq(start));
        (1..=10).for_each(|at| flight.push(Seq(start).plus(100 * at), at.into()));
        flight
    }

    #[test]
    fn sacked_and_lost_segments_are_not_in_flight_and_what_is_sent_again_is() {
        for start in [0, u32::MAX - 250] {
            let at = |bytes| Seq(start).plus(bytes);
            let mut flight = ten(start);
            let mut seen = Vec::new();
            flight.sack((at(300), at(500)), at(300), |start, _| seen.push(start));
            flight.sack((at(300), at(600)), at(300), |start, _| seen.push(start));
            assert_eq!(seen, [at(300), at(400), at(500)]);
            assert_eq!((flight.sacked(), flight.highest_sacked()), (3, at(600)));
            assert_eq!(flight.mark_late(6, at(600), |_| None), None);
            assert_eq!((flight.lost(), flight.in_flight()), (3, 4));
            let (index, begins, lost) = flight.next_lost().unwrap();
            assert_eq!((begins, lost.end), (at(0), at(100)));
            flight.retransmit(index, at(100), 20);
            assert_eq!((flight.retransmitted(), flight.in_flight()), (1, 5));
            assert_eq!(flight.next_lost().unwrap().1, at(100));
            flight.check();
            let mut acknowledged = 0;
            flight.acknowledge(at(600), |_, _| acknowledged += 1);
            assert_eq!((acknowledged, flight.packets(), flight.is_plain()), (6, 4, true));
        }
    }

    #[test]
    fn a_part_of_a_segment_is_neither_sacked_nor_acknowledged() {
        let mut flight = ten(0);
        flight.sack((Seq(150), Seq(250)), Seq(150), |_, _| panic!("a whole segment"));
        flight.sack((Seq(150), Seq(300)), Seq(150), |start, _| assert_eq!(start, Seq(200)));
        flight.acknowledge(Seq(50), |_, _| panic!("a whole segment"));
        assert_eq!((flight.packets(), flight.sacked()), (10, 1));
        flight.check();
    }

    #[test]
    fn segments_are_cut_and_joined_as_they_are_sent_again() {
        let mut flight = ten(0);
        flight.mark_all_lost(|_, _| true);
        flight.retransmit(0, Seq(40), 20);
        assert_eq!((flight.packets(), flight.lost(), flight.retransmitted()), (11, 11, 1));
        let (at, start, _) = flight.next_lost().unwrap();
        assert_eq!(start, Seq(40));
        assert_eq!(flight.can_merge(at), Some(Seq(200)));
        flight.retransmit(at, Seq(300), 21);
        assert_eq!((flight.packets(), flight.lost(), flight.retransmitted()), (9, 9, 2));
        assert_eq!(flight.next_lost().unwrap().1, Seq(300));
        flight.check();
    }

    #[test]
    fn a_retransmission_that_is_lost_again_is_found_although_later_segments_were_sent_before_it() {
        let mut flight = ten(0);
        flight.mark_first_lost();
        flight.retransmit(0, Seq(100), 50);
        flight.push(Seq(1_100), 60);
        flight.sack((Seq(1_000), Seq(1_100)), Seq(1_000), |_, _| {});
        assert_eq!(flight.mark_late(60, Seq(1_100), |sent| (sent.at > 50).then_some(1)), None);
        assert_eq!((flight.lost(), flight.retransmitted()), (10, 0));
        flight.check();
    }
}
