//! The round-trip time and the retransmission timeout (RFC 6298), as Linux has it.
//!
//! In microseconds and in integers. The variance has a floor (Linux's of 200 ms), and falls once a
//! round trip at most, so that a timeout is never the round-trip time plus a little.

use crate::tcp::limits::RtoBounds;

/// How long the smallest round-trip time counts (Linux's `tcp_min_rtt_wlen`), in nanoseconds.
const MIN_RTT_WINDOW: u64 = 300_000_000_000;

/// What is known of the time a segment and its acknowledgment take.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundTrip {
    bounds: RtoBounds,
    /// Eight times the smoothed round-trip time; 0 before the first sample.
    srtt_8: u32,
    /// Four times the mean deviation.
    mdev_4: u32,
    /// The largest of this round trip.
    mdev_max: u32,
    /// Four times the variance that counts.
    rttvar_4: u32,
    min: u32,
    min_at: u64,
    rto: u32,
}

impl RoundTrip {
    pub(super) fn new(bounds: RtoBounds) -> RoundTrip {
        RoundTrip {
            bounds,
            srtt_8: 0,
            mdev_4: bounds.initial,
            mdev_max: 0,
            rttvar_4: 0,
            min: u32::MAX,
            min_at: 0,
            rto: bounds.initial,
        }
    }

    /// Takes in a sample in microseconds. `is_new_round` says that what was sent when the last round
    /// began is acknowledged; true is returned when another begins.
    #[inline]
    pub(super) fn sample(&mut self, rtt: u32, is_new_round: bool) -> bool {
        let rtt = rtt.clamp(1, 1 << 27);
        let began = self.srtt_8 == 0 || is_new_round;
        if self.srtt_8 == 0 {
            // RFC 6298 2.2.
            self.srtt_8 = rtt << 3;
            self.mdev_4 = rtt << 1;
            self.rttvar_4 = self.mdev_4.max(self.bounds.min);
            self.mdev_max = self.rttvar_4;
        } else {
            // RFC 6298 2.3, in which a sample far below the mean does not widen the variance.
            let error = rtt.cast_signed() - (self.srtt_8 >> 3).cast_signed();
            self.srtt_8 = self.srtt_8.saturating_add_signed(error).max(1);
            let mut change = error.abs() - (self.mdev_4 >> 2).cast_signed();
            if error < 0 && change > 0 {
                change >>= 3;
            }
            self.mdev_4 = self.mdev_4.saturating_add_signed(change);
            if self.mdev_4 > self.mdev_max {
                self.mdev_max = self.mdev_4;
                self.rttvar_4 = self.rttvar_4.max(self.mdev_max);
            }
            if is_new_round {
                if self.mdev_max < self.rttvar_4 {
                    self.rttvar_4 -= (self.rttvar_4 - self.mdev_max) >> 2;
                }
                self.mdev_max = self.bounds.min;
            }
        }
        self.reset_backoff();
        began
    }

    /// Takes note of a round-trip time that may be the smallest.
    #[inline]
    pub(super) fn note_min(&mut self, now: u64, rtt: u32) {
        if rtt <= self.min || now.saturating_sub(self.min_at) > MIN_RTT_WINDOW {
            (self.min, self.min_at) = (rtt.max(1), now);
        }
    }

    /// The timeout is what the samples say (RFC 6298 5.3 and 5.7).
    #[inline]
    pub(super) fn reset_backoff(&mut self) {
        self.rto = if self.srtt_8 == 0 {
            self.bounds.initial
        } else {
            let timeout = (self.srtt_8 >> 3).saturating_add(self.rttvar_4);
            timeout.max(self.bounds.floor).min(self.bounds.max)
        };
    }

    /// The timer has fired (RFC 6298 5.5).
    pub(super) fn back_off(&mut self) {
        self.rto = self.rto.saturating_mul(2).min(self.bounds.max);
    }

    /// The retransmission timeout, in nanoseconds.
    #[inline]
    pub(super) fn rto(&self) -> u64 {
        u64::from(self.rto) * 1_000
    }

    /// The longest timeout, in nanoseconds.
    pub(super) fn max_rto(&self) -> u64 {
        u64::from(self.bounds.max) * 1_000
    }

    /// The least that a timeout waits beyond the round-trip time, in nanoseconds.
    pub(super) fn min_variance(&self) -> u64 {
        u64::from(self.bounds.min) * 1_000
    }

    /// The smoothed round-trip time in microseconds, if there is one.
    #[inline]
    pub(super) fn smoothed(&self) -> Option<u32> {
        (self.srtt_8 > 0).then_some(self.srtt_8 >> 3)
    }

    /// Its mean deviation, in microseconds.
    pub(super) fn deviation(&self) -> u32 {
        self.mdev_4 >> 2
    }

    /// The smallest round-trip time of the last five minutes in microseconds; the largest number
    /// when there is none.
    pub(super) fn min(&self) -> u32 {
        self.min
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: &[u32]) -> RoundTrip {
        let mut round_trip = RoundTrip::new(RtoBounds::LINUX);
        samples.iter().for_each(|sample| {
            round_trip.sample(*sample, true);
        });
        round_trip
    }

    #[test]
    fn the_first_timeout_is_a_second_and_doubles_to_two_minutes() {
        let mut round_trip = after(&[]);
        let mut timeouts = Vec::new();
        for _ in 0..9 {
            timeouts.push(round_trip.rto() / 1_000_000_000);
            round_trip.back_off();
        }
        assert_eq!(timeouts, [1, 2, 4, 8, 16, 32, 64, 120, 120]);
    }

    #[test]
    fn a_steady_round_trip_times_out_after_itself_and_200_milliseconds() {
        assert_eq!(after(&[20_000]).rto(), 220_000_000);
        assert_eq!(after(&[20_000; 50]).rto(), 220_000_000);
        assert_eq!(after(&[0]).rto(), 200_001_000);
    }

    #[test]
    fn a_sample_ends_the_backoff() {
        let mut round_trip = after(&[20_000]);
        round_trip.back_off();
        round_trip.back_off();
        assert_eq!(round_trip.rto(), 880_000_000);
        round_trip.sample(20_000, false);
        assert_eq!(round_trip.rto(), 220_000_000);
    }

    #[test]
    fn a_late_sample_widens_the_timeout_at_once_and_it_narrows_by_the_round() {
        let mut round_trip = after(&[20_000; 20]);
        round_trip.sample(500_000, false);
        let wide = round_trip.rto();
        assert!(wide > 500_000_000, "{wide}");
        for _ in 0..40 {
            round_trip.sample(20_000, true);
        }
        assert!(round_trip.rto() < 260_000_000, "{}", round_trip.rto());
    }

    #[test]
    fn the_smallest_round_trip_counts_for_five_minutes() {
        let mut round_trip = after(&[]);
        round_trip.note_min(0, 10_000);
        round_trip.note_min(1, 20_000);
        assert_eq!(round_trip.min(), 10_000);
        round_trip.note_min(MIN_RTT_WINDOW + 1, 20_000);
        assert_eq!(round_trip.min(), 20_000);
    }
}
