//! How fast what is sent is delivered (draft-cheng-iccrg-delivery-rate-estimation, Linux's
//! `tcp_rate`). One segment is timed at a time, and so there is a sample each round trip.

use crate::wire::tcp::Seq;

/// How fast what is sent is delivered. Times are nanoseconds, intervals microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    /// When a segment was last delivered, or the first of a flight left.
    delivered_at: u64,
    /// Of the segment that is timed: when it left, where it ends, how many segments were delivered by
    /// then, how long before the last of these had left, and how long before it had been delivered.
    sent_at: u64,
    end: Seq,
    delivered: u32,
    sending: u32,
    waiting: u32,
    /// What was measured: so many segments in such an interval, which is 0 before the first.
    segments: u32,
    interval: u32,
    /// How many segments are delivered when none is left that was sent while the application had
    /// nothing more to send.
    app_limited_until: Option<u32>,
    is_timing: bool,
    has_arrived: bool,
    /// The application had nothing more to send before the segment that is timed.
    is_app_limited: bool,
    /// The same of the measurement.
    counts_as_full: bool,
}

impl Rate {
    /// The first segment of a flight leaves.
    #[inline]
    pub(super) fn begin_flight(&mut self, now: u64) {
        self.delivered_at = now;
    }

    /// The segment that ends at `end` leaves; `before_sent_at` is when the latest segment had left
    /// that is delivered, and `delivered` how many are.
    #[inline]
    pub(super) fn depart(&mut self, now: u64, end: Seq, before_sent_at: u64, delivered: u32) {
        if !self.is_timing {
            self.time(now, end, before_sent_at, delivered);
        } else if self.sent_at == now {
            // Of those that leave together the last tells of all.
            self.end = end;
        }
    }

    fn time(&mut self, now: u64, end: Seq, before_sent_at: u64, delivered: u32) {
        let is_past = |until: u32| Seq(delivered).is_after(Seq(until));
        if self.app_limited_until.is_some_and(is_past) {
            self.app_limited_until = None;
        }
        (self.sent_at, self.end, self.delivered) = (now, end, delivered);
        self.sending = micros(now, before_sent_at);
        self.waiting = micros(now, self.delivered_at);
        self.is_app_limited = self.app_limited_until.is_some();
        (self.is_timing, self.has_arrived) = (true, false);
    }

    /// The application has nothing more to send, though the window has room; so many segments will
    /// have been delivered when what is in flight is.
    #[inline]
    pub(super) fn limited_by_app(&mut self, delivered: u32) {
        self.app_limited_until = Some(delivered);
    }

    /// What is from `start` to `end` is sent again: when it arrives will say nothing.
    pub(super) fn repeat(&mut self, start: Seq, end: Seq) {
        self.is_timing &= !self.end.is_after(start) || self.end.is_after(end);
    }

    /// The segment that ends at `end` was SACKed.
    pub(super) fn note_sacked(&mut self, end: Seq) {
        self.has_arrived |= self.end == end;
    }

    /// Segments were delivered, `delivered` so far; all before `una` are acknowledged.
    #[inline]
    pub(super) fn deliver(&mut self, now: u64, una: Seq, delivered: u32, min_rtt: u32) {
        if self.is_timing && (self.has_arrived || !self.end.is_after(una)) {
            self.measure(now, delivered, min_rtt);
        }
        self.delivered_at = now;
    }

    #[inline(never)]
    fn measure(&mut self, now: u64, delivered: u32, min_rtt: u32) {
        self.is_timing = false;
        let waiting = self.waiting.saturating_add(micros(now, self.sent_at));
        let interval = self.sending.max(waiting);
        if interval < min_rtt || interval == 0 {
            return;
        }
        let segments = delivered.wrapping_sub(self.delivered);
        // What the application limits counts only where it is more.
        let is_more = u64::from(segments) * u64::from(self.interval)
            >= u64::from(self.segments) * u64::from(interval);
        if !self.is_app_limited || is_more {
            (self.segments, self.interval) = (segments, interval);
            self.counts_as_full = !self.is_app_limited;
        }
    }

    /// Bytes a second, in segments of `mss` bytes; 0 before the first measurement.
    pub(super) fn bytes_per_second(&self, mss: u32) -> u64 {
        if self.interval == 0 {
            return 0;
        }
        let bytes = u128::from(self.segments) * u128::from(mss);
        (bytes * 1_000_000 / u128::from(self.interval)) as u64
    }

    /// The application gave no more to send.
    pub(super) fn was_app_limited(&self) -> bool {
        !self.counts_as_full
    }
}

fn micros(now: u64, then: u64) -> u32 {
    (now.saturating_sub(then) / 1_000).min(u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_flight_is_delivered_in_the_longer_of_the_times_it_took_to_leave_and_to_arrive() {
        let mut rate = Rate::default();
        rate.begin_flight(0);
        rate.depart(0, Seq(1_000), 0, 0);
        rate.deliver(20 * MS, Seq(1_000), 1, 20_000);
        // One segment, 20 ms.
        assert_eq!(rate.bytes_per_second(1_000), 50_000);
        rate.depart(20 * MS, Seq(11_000), 0, 1);
        rate.deliver(30 * MS, Seq(6_000), 6, 20_000);
        rate.deliver(40 * MS, Seq(11_000), 11, 20_000);
        assert_eq!(rate.bytes_per_second(1_000), 500_000);
        assert!(!rate.was_app_limited());
    }

    #[test]
    fn what_the_application_limits_counts_only_where_it_is_more() {
        let mut rate = Rate::default();
        rate.depart(0, Seq(10_000), 0, 0);
        rate.deliver(20 * MS, Seq(10_000), 10, 20_000);
        rate.limited_by_app(10);
        rate.depart(100 * MS, Seq(11_000), 100 * MS, 10);
        rate.deliver(120 * MS, Seq(11_000), 11, 20_000);
        assert_eq!((rate.bytes_per_second(1_000), rate.was_app_limited()), (500_000, false));
        rate.limited_by_app(40);
        rate.depart(120 * MS, Seq(41_000), 120 * MS, 11);
        rate.deliver(140 * MS, Seq(41_000), 41, 20_000);
        assert_eq!((rate.bytes_per_second(1_000), rate.was_app_limited()), (1_500_000, true));
    }

    #[test]
    fn a_segment_that_is_sent_again_tells_nothing() {
        let mut rate = Rate::default();
        rate.depart(0, Seq(1_000), 0, 0);
        rate.repeat(Seq(0), Seq(1_000));
        rate.deliver(20 * MS, Seq(1_000), 1, 20_000);
        assert_eq!(rate.bytes_per_second(1_000), 0);
    }
}
