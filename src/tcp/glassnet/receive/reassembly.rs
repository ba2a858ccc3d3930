//! What has arrived behind gaps, and how the peer is told of it: SACK (RFC 2018) and DSACK
//! (RFC 2883). The bytes themselves wait in the receiver's ring.

use crate::tcp::glassnet::options::{Block, MAX_SACKS};
use crate::wire::tcp::Seq;

/// Blocks apart from each other that are kept; what would be one more is dropped.
const MAX_BLOCKS: usize = 1_024;

/// What has arrived behind gaps.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// In order, and apart from each other.
    blocks: Vec<Block>,
    /// A number of each of the blocks that changed last, the latest first.
    recent: [Seq; MAX_SACKS],
    recent_count: u8,
    /// What was received twice, until the peer is told.
    duplicate: Option<Block>,
    has_sack: bool,
}

impl Reassembly {
    pub(super) fn set_sack(&mut self, has_sack: bool) {
        self.has_sack = has_sack;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Something has arrived at `seq` or after it.
    pub(super) fn reaches_beyond(&self, seq: Seq) -> bool {
        self.blocks.last().is_some_and(|block| block.1.is_after(seq))
    }

    /// The peer has something to be told.
    #[inline]
    pub(super) fn has_blocks(&self) -> bool {
        self.has_sack && (self.duplicate.is_some() || !self.blocks.is_empty())
    }

    /// Adds what is from `start` to `end`; false if it is not to be kept, or was there.
    pub(super) fn insert(&mut self, start: Seq, end: Seq) -> bool {
        let first = self.blocks.partition_point(|block| block.1.is_before(start));
        let last = self.blocks.partition_point(|block| !block.0.is_after(end));
        if first == last {
            if self.blocks.len() >= MAX_BLOCKS {
                return false;
            }
            self.blocks.insert(first, (start, end));
            self.note_recent(start);
            return true;
        }
        let (low, high) = (self.blocks[first], self.blocks[last - 1]);
        self.note_recent(start);
        if last - first == 1 && !start.is_before(low.0) && !end.is_after(low.1) {
            self.duplicate = Some((start, end));
            return false;
        }
        self.note_overlap(first, last, start, end);
        let start = if start.is_before(low.0) { start } else { low.0 };
        self.blocks[first] = (start, end.later(high.1));
        self.blocks.drain(first + 1..last);
        true
    }

    fn note_overlap(&mut self, first: usize, last: usize, start: Seq, end: Seq) {
        for (low, high) in self.blocks[first..last].iter().copied() {
            let overlap = (low.later(start), if high.is_before(end) { high } else { end });
            if overlap.0.is_before(overlap.1) {
                self.duplicate = Some(overlap);
                return;
            }
        }
    }

    fn note_recent(&mut self, seq: Seq) {
        if !self.has_sack {
            return;
        }
        let block = self.block_with(seq);
        let mut kept = [seq; MAX_SACKS];
        let mut count = 1;
        for other in self.recent.iter().take(usize::from(self.recent_count)).copied() {
            let is_other = block.is_none() || self.block_with(other) != block;
            if count < MAX_SACKS && other != seq && is_other && self.block_with(other).is_some() {
                kept[count] = other;
                count += 1;
            }
        }
        (self.recent, self.recent_count) = (kept, count as u8);
    }

    fn block_with(&self, seq: Seq) -> Option<Block> {
        let at = self.blocks.partition_point(|block| !block.1.is_after(seq));
        self.blocks.get(at).copied().filter(|block| !seq.is_before(block.0))
    }

    /// What is from `start` to `end` is in order now; returns how far the order reaches.
    pub(super) fn fill(&mut self, start: Seq, end: Seq) -> Seq {
        let filled = self.blocks.partition_point(|block| !block.0.is_after(end));
        if filled == 0 {
            return end;
        }
        self.note_overlap(0, filled, start, end);
        let reached = end.later(self.blocks[filled - 1].1);
        self.blocks.drain(..filled);
        reached
    }

    /// Something arrived that was there, before `nxt`.
    pub(super) fn note_duplicate(&mut self, (start, end): Block, nxt: Seq) {
        let end = if end.is_after(nxt) { nxt } else { end };
        if start.is_before(end) {
            self.duplicate = Some((start, end));
        }
    }

    pub(super) fn forget_duplicate(&mut self) {
        self.duplicate = None;
    }

    /// What the peer is told: what came twice, then the blocks that changed last.
    pub(super) fn blocks(&self, out: &mut [Block; MAX_SACKS]) -> usize {
        if !self.has_sack {
            return 0;
        }
        let mut count = 0;
        if let Some(duplicate) = self.duplicate {
            out[0] = duplicate;
            count = 1;
        }
        let first = count;
        for seq in self.recent.iter().take(usize::from(self.recent_count)).copied() {
            let Some(block) = self.block_with(seq) else { continue };
            if count < MAX_SACKS && !out[first..count].contains(&block) {
                out[count] = block;
                count += 1;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reassembly() -> Reassembly {
        let mut reassembly = Reassembly::default();
        reassembly.set_sack(true);
        reassembly
    }

    fn told(reassembly: &Reassembly) -> Vec<(u32, u32)> {
        let mut blocks = [(Seq(0), Seq(0)); MAX_SACKS];
        let count = reassembly.blocks(&mut blocks);
        blocks[..count].iter().map(|(start, end)| (start.0, end.0)).collect()
    }

    #[test]
    fn the_latest_block_is_told_first_and_blocks_that_meet_are_one() {
        let mut reassembly = reassembly();
        for (start, end) in [(20, 30), (40, 50), (60, 70), (80, 90), (100, 110)] {
            assert!(reassembly.insert(Seq(start), Seq(end)));
        }
        assert_eq!(told(&reassembly), [(100, 110), (80, 90), (60, 70), (40, 50)]);
        assert!(reassembly.insert(Seq(50), Seq(60)));
        assert_eq!(told(&reassembly), [(40, 70), (100, 110), (80, 90)]);
        assert_eq!(reassembly.fill(Seq(10), Seq(20)), Seq(30));
        assert_eq!(reassembly.fill(Seq(30), Seq(40)), Seq(70));
        assert_eq!(told(&reassembly), [(100, 110), (80, 90)]);
    }

    #[test]
    fn what_came_twice_is_told_once_and_first() {
        let mut reassembly = reassembly();
        reassembly.insert(Seq(20), Seq(30));
        assert!(!reassembly.insert(Seq(22), Seq(28)));
        assert_eq!(told(&reassembly), [(22, 28), (20, 30)]);
        reassembly.forget_duplicate();
        assert_eq!(told(&reassembly), [(20, 30)]);
        assert!(reassembly.insert(Seq(25), Seq(40)));
        assert_eq!(told(&reassembly), [(25, 30), (20, 40)]);
        reassembly.note_duplicate((Seq(5), Seq(15)), Seq(10));
        assert_eq!(told(&reassembly), [(5, 10), (20, 40)]);
    }

    #[test]
    fn the_blocks_are_those_of_a_set_of_bytes_however_they_came() {
        let mut state = 1u32;
        for _ in 0..200 {
            let base = state;
            let mut reassembly = reassembly();
            let mut set = vec![false; 300];
            for _ in 0..40 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (start, len) = ((state >> 8) % 250 + 1, (state >> 20) % 40 + 1);
                reassembly.insert(Seq(base).plus(start), Seq(base).plus(start + len));
                (start..start + len).for_each(|at| set[at as usize] = true);
            }
            let mut covered = vec![false; 300];
            for (start, end) in &reassembly.blocks {
                let (start, end) = (start.ahead_of(Seq(base)), end.ahead_of(Seq(base)));
                assert!(!covered[start as usize - 1] || start == 0);
                (start..end).for_each(|at| covered[at as usize] = true);
            }
            assert_eq!(covered, set);
            assert!(reassembly.blocks.windows(2).all(|pair| pair[0].1.is_before(pair[1].0)));
        }
    }

    #[test]
    fn no_more_blocks_are_kept_than_the_limit() {
        let mut reassembly = reassembly();
        let kept = (0..3_000u32).filter(|at| reassembly.insert(Seq(at * 3), Seq(at * 3 + 1)));
        assert_eq!(kept.count(), MAX_BLOCKS);
    }
}
