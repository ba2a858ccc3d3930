//! HyStart (Ha and Rhee, "Taming the elephants", 2011), as Linux has it: slow start ends before the
//! queue overflows, when a train of ACKs is as long as half the path, or when delay grows. Or
//! HyStart++ (RFC 9406), which goes on more cautiously for a while when delay grows, to see whether
//! it falls again.

use crate::tcp::options::HyStart as Kind;
use crate::wire::tcp::Seq;

/// Smaller windows go on.
const LOW_WINDOW: u32 = 16;
/// ACKs no further apart than this belong to one train, in nanoseconds.
const ACK_DELTA: u64 = 2_000_000;
/// Samples of a round before its delay is judged.
const MIN_SAMPLES: u8 = 8;
/// Bounds of the growth of delay that ends slow start, in microseconds.
const MIN_GROWTH: u32 = 4_000;
const MAX_GROWTH: u32 = 16_000;

/// Rounds of cautious growth after which slow start ends (RFC 9406 4.2).
const CAUTIOUS_ROUNDS: u8 = 5;
/// Segments of which the window grows by one then.
const CAUTIOUS_DIVISOR: u32 = 4;
/// Segments by which it grows in answer to one ACK, where nothing is paced.
const MAX_GROWTH_OF_ACK: u32 = 8;

#[derive(Clone, Copy, Debug)]
pub(super) struct HyStart {
    kind: Kind,
    round_start: u64,
    last_ack: u64,
    /// What was sent when the round began.
    end: Seq,
    /// The smallest round-trip time of this round, in microseconds.
    rtt: u32,
    samples: u8,
    found: bool,
    /// The smallest of the round before; the largest number when there is none.
    last_rtt: u32,
    /// That of the round in which growth became cautious; 0 where it is not.
    baseline: u32,
    cautious_rounds: u8,
}

impl HyStart {
    pub(super) fn new(kind: Kind) -> HyStart {
        HyStart {
            kind,
            round_start: 0,
            last_ack: 0,
            end: Seq::default(),
            rtt: u32::MAX,
            samples: 0,
            found: false,
            last_rtt: u32::MAX,
            baseline: 0,
            cautious_rounds: 0,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// How the window of slow start grows: by one for so many segments that are acknowledged, and by
    /// no more segments at a time.
    #[inline]
    pub(super) fn growth(&self) -> (u32, u32) {
        match self.kind {
            Kind::PlusPlus if self.baseline > 0 => (CAUTIOUS_DIVISOR, MAX_GROWTH_OF_ACK),
            Kind::PlusPlus => (1, MAX_GROWTH_OF_ACK),
            Kind::Off | Kind::Linux => (1, u32::MAX),
        }
    }

    pub(super) fn begin_round(&mut self, now: u64, nxt: Seq) {
        (self.round_start, self.last_ack) = (now, now);
        (self.end, self.rtt, self.samples) = (nxt, u32::MAX, 0);
    }

    /// Takes in a round-trip time; true when slow start should end.
    pub(super) fn is_found(
        &mut self,
        now: u64,
        rtt: u32,
        min: u32,
        (una, nxt): (Seq, Seq),
        window: u32,
    ) -> bool {
        if self.kind != Kind::Linux {
            return self.kind == Kind::PlusPlus && self.is_found_cautiously(now, rtt, (una, nxt));
        }
        if self.found || window < LOW_WINDOW {
            return false;
        }
        if una.is_after(self.end) {
            self.begin_round(now, nxt);
        }
        if now - self.last_ack <= ACK_DELTA {
            self.last_ack = now;
            // Linux adds the time a burst of the sender's takes, which is none here, and halves
            // where the sender does not pace.
            self.found |= now - self.round_start > u64::from(min) * 1_000 / 2;
        }
        self.rtt = self.rtt.min(rtt);
        if self.samples < MIN_SAMPLES {
            self.samples += 1;
        } else {
            let growth = (min >> 3).clamp(MIN_GROWTH, MAX_GROWTH);
            self.found |= self.rtt > min.saturating_add(growth);
        }
        self.found
    }

    /// RFC 9406 section 4.2.
    fn is_found_cautiously(&mut self, now: u64, rtt: u32, (una, nxt): (Seq, Seq)) -> bool {
        if !una.is_before(self.end) {
            self.last_rtt = self.rtt;
            self.begin_round(now, nxt);
            if self.baseline > 0 {
                self.cautious_rounds += 1;
                if self.cautious_rounds >= CAUTIOUS_ROUNDS {
                    self.baseline = 0;
                    return true;
                }
            }
        }
        self.rtt = self.rtt.min(rtt);
        self.samples = self.samples.saturating_add(1);
        if self.samples >= MIN_SAMPLES && self.last_rtt < u32::MAX {
            let growth = (self.last_rtt >> 3).clamp(MIN_GROWTH, MAX_GROWTH);
            if self.baseline == 0 {
                if self.rtt >= self.last_rtt.saturating_add(growth) {
                    (self.baseline, self.cautious_rounds) = (self.rtt.max(1), 0);
                }
            } else if self.rtt < self.baseline {
                self.baseline = 0;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When slow start ends among ACKs `gap` nanoseconds apart whose delay is `rtt`.
    fn found_after(acks: u32, gap: u64, rtt: impl Fn(u32) -> u32) -> Option<u32> {
        let mut hystart = HyStart::new(Kind::Linux);
        hystart.begin_round(0, Seq(1_000_000));
        (1..=acks).find(|at| {
            let now = u64::from(*at) * gap;
            hystart.is_found(now, rtt(*at), 20_000, (Seq(*at), Seq(2_000_000)), 100)
        })
    }

    #[test]
    fn a_train_of_acks_longer_than_half_the_path_ends_slow_start() {
        assert_eq!(found_after(200, 120_000, |_| 20_000), Some(84));
        assert_eq!(found_after(10, 3_000_000, |_| 20_000), None);
    }

    #[test]
    fn growth_of_delay_ends_slow_start_after_eight_samples() {
        assert_eq!(found_after(50, 3_000_000, |_| 24_001), Some(9));
        assert_eq!(found_after(50, 3_000_000, |_| 24_000), None);
        assert_eq!(found_after(50, 3_000_000, |at| if at == 3 { 20_000 } else { 30_000 }), None);
    }

    #[test]
    fn a_small_window_goes_on() {
        let mut hystart = HyStart::new(Kind::Linux);
        for at in 0..50 {
            assert!(!hystart.is_found(at, 90_000, 20_000, (Seq(0), Seq(9)), LOW_WINDOW - 1));
        }
    }

    /// Rounds of ten segments whose round trips are those of `rtts`; after each, by how many
    /// segments for one the window grows, and whether slow start has ended.
    fn rounds(kind: Kind, rtts: &[u32]) -> Vec<(u32, bool)> {
        let mut hystart = HyStart::new(kind);
        hystart.begin_round(0, Seq(0));
        let (mut una, mut found) = (0, false);
        let mut after = Vec::new();
        for (round, rtt) in (0u64..).zip(rtts) {
            for ack in 0..10 {
                una += 1;
                let now = round * 100_000_000 + ack * 5_000_000;
                // What is in flight is acknowledged in the next round.
                found |= hystart.is_found(now, *rtt, 20_000, (Seq(una), Seq(una + 10)), 100);
            }
            after.push((hystart.growth().0, found));
        }
        after
    }

    #[test]
    fn hystart_plus_plus_grows_cautiously_for_five_rounds_and_ends_slow_start() {
        let grown = [20_000, 20_000, 25_000, 25_000, 26_000, 27_000, 28_000, 29_000];
        let after = rounds(Kind::PlusPlus, &grown);
        assert_eq!(after[..2], [(1, false); 2]);
        assert_eq!(after[2..6], [(4, false); 4]);
        assert!(after.iter().any(|(_, found)| *found) && after[7].1, "{after:?}");
    }

    #[test]
    fn hystart_plus_plus_goes_back_to_slow_start_when_delay_falls_again() {
        let after = rounds(Kind::PlusPlus, &[20_000, 20_000, 25_000, 24_000, 24_000, 24_000]);
        assert_eq!(after.iter().map(|(by, _)| *by).collect::<Vec<_>>(), [1, 1, 4, 1, 1, 1]);
        assert!(after.iter().all(|(_, found)| !found));
    }

    #[test]
    fn growth_of_less_than_an_eighth_or_four_milliseconds_is_none() {
        assert!(rounds(Kind::PlusPlus, &[20_000, 23_999, 27_998]).iter().all(|(by, _)| *by == 1));
        let after = rounds(Kind::PlusPlus, &[100_000, 112_499, 125_000]);
        assert_eq!(after.iter().map(|(by, _)| *by).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(rounds(Kind::PlusPlus, &[100_000, 112_500])[1].0, 4);
        assert!(rounds(Kind::Off, &[20_000, 90_000, 200_000]).iter().all(|(_, found)| !found));
    }
}
