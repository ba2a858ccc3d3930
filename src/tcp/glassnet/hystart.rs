//! HyStart (Ha and Rhee, "Taming the elephants", 2011), as Linux has it: slow start ends before the
//! queue overflows, when a train of ACKs is as long as half the path, or when delay grows.

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

#[derive(Clone, Copy, Debug)]
pub(super) struct HyStart {
    round_start: u64,
    last_ack: u64,
    /// What was sent when the round began.
    end: Seq,
    /// The smallest round-trip time of this round, in microseconds.
    rtt: u32,
    samples: u8,
    found: bool,
}

impl Default for HyStart {
    fn default() -> HyStart {
        HyStart {
            round_start: 0,
            last_ack: 0,
            end: Seq::default(),
            rtt: u32::MAX,
            samples: 0,
            found: false,
        }
    }
}

impl HyStart {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When slow start ends among ACKs `gap` nanoseconds apart whose delay is `rtt`.
    fn found_after(acks: u32, gap: u64, rtt: impl Fn(u32) -> u32) -> Option<u32> {
        let mut hystart = HyStart::default();
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
        let mut hystart = HyStart::default();
        for at in 0..50 {
            assert!(!hystart.is_found(at, 90_000, 20_000, (Seq(0), Seq(9)), LOW_WINDOW - 1));
        }
    }
}
