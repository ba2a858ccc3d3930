//! The congestion window, in segments: slow start and congestion avoidance (RFC 5681), with growth
//! by what is acknowledged rather than by the ACK (RFC 3465), and the algorithms behind it.

use super::cubic::Cubic;
use crate::tcp::options::{CongestionControl, HyStart};
use crate::wire::tcp::Seq;

/// No threshold is known, or there is no window.
pub(super) const INFINITE: u32 = 0x7fff_ffff;

/// The algorithm, with what it remembers.
#[derive(Clone, Copy, Debug)]
enum Algorithm {
    Reno,
    Cubic(Cubic),
    None,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Congestion {
    window: u32,
    threshold: u32,
    /// Segments acknowledged towards the next that the window grows by.
    credit: u32,
    algorithm: Algorithm,
    hystart: HyStart,
}

fn algorithm_of(control: CongestionControl, hystart: HyStart) -> Algorithm {
    match control {
        CongestionControl::Reno => Algorithm::Reno,
        CongestionControl::Cubic => Algorithm::Cubic(Cubic::new(hystart)),
        CongestionControl::None => Algorithm::None,
    }
}

impl Congestion {
    pub(super) fn new(control: CongestionControl, hystart: HyStart, window: u32) -> Congestion {
        let algorithm = algorithm_of(control, hystart);
        Congestion { window, threshold: INFINITE, credit: 0, algorithm, hystart }
    }

    /// Another algorithm goes on with this window.
    pub(super) fn set_control(&mut self, now: u64, control: CongestionControl, nxt: Seq) {
        self.algorithm = algorithm_of(control, self.hystart);
        self.begin(now, nxt);
    }

    /// The connection is established.
    pub(super) fn begin(&mut self, now: u64, nxt: Seq) {
        if let Algorithm::Cubic(cubic) = &mut self.algorithm {
            cubic.begin(now, nxt);
        }
    }

    /// The window, in segments.
    #[inline]
    pub(super) fn window(&self) -> u32 {
        self.window
    }

    /// There is no congestion control: the window counts only while what was lost is sent again.
    #[inline]
    pub(super) fn is_unlimited(&self) -> bool {
        matches!(self.algorithm, Algorithm::None)
    }

    pub(super) fn set_window(&mut self, window: u32) {
        self.window = window.max(1);
    }

    pub(super) fn threshold(&self) -> u32 {
        self.threshold
    }

    pub(super) fn set_threshold(&mut self, threshold: u32) {
        self.threshold = threshold;
    }

    pub(super) fn has_threshold(&self) -> bool {
        self.threshold < INFINITE
    }

    #[inline]
    pub(super) fn in_slow_start(&self) -> bool {
        self.window < self.threshold
    }

    /// Partial growth begins anew.
    pub(super) fn forget_credit(&mut self) {
        self.credit = 0;
    }

    /// What the threshold is when no reduction is under way: RFC 2861's three quarters.
    pub(super) fn current_threshold(&self) -> u32 {
        self.threshold.max((self.window >> 1) + (self.window >> 2))
    }

    /// `acked` segments were acknowledged while the window was what held the sender.
    #[inline]
    pub(super) fn grow(&mut self, now: u64, mut acked: u32) {
        if self.in_slow_start() {
            let grown = (self.window + self.slow_start_growth(acked)).min(self.threshold);
            if grown < self.threshold {
                self.window = grown;
                return;
            }
            acked = acked.saturating_sub(grown - self.window);
            self.window = grown;
        }
        if acked > 0 {
            self.avoid_congestion(now, acked);
        }
    }

    /// How far the window grows for `acked` segments before the threshold.
    #[inline]
    fn slow_start_growth(&mut self, acked: u32) -> u32 {
        let Algorithm::Cubic(cubic) = &self.algorithm else { return acked };
        match cubic.slow_start_growth() {
            (1, most) => acked.min(most),
            (each, most) => {
                let credit = self.credit + acked.min(most);
                self.credit = credit % each;
                credit / each
            }
        }
    }

    fn avoid_congestion(&mut self, now: u64, acked: u32) {
        let each = match &mut self.algorithm {
            Algorithm::Reno => self.window,
            Algorithm::Cubic(cubic) => cubic.growth(now, self.window, acked),
            Algorithm::None => return,
        };
        // Credit that was gathered when more was asked for.
        if self.credit >= each {
            self.credit = 0;
            self.window += 1;
        }
        self.credit += acked;
        if self.credit >= each {
            self.window = self.window.saturating_add(self.credit / each);
            self.credit %= each;
        }
    }

    /// The threshold after a loss.
    pub(super) fn threshold_after_loss(&mut self) -> u32 {
        match &mut self.algorithm {
            Algorithm::Reno | Algorithm::None => (self.window >> 1).max(2),
            Algorithm::Cubic(cubic) => cubic.threshold(self.window),
        }
    }

    /// A timeout.
    pub(super) fn time_out(&mut self, now: u64, nxt: Seq) {
        if let Algorithm::Cubic(cubic) = &mut self.algorithm {
            cubic.reset(now, nxt);
        }
    }

    /// Something is sent after nothing was in flight since `last_sent`.
    #[inline]
    pub(super) fn resume(&mut self, now: u64, last_sent: u64) {
        if let Algorithm::Cubic(cubic) = &mut self.algorithm {
            cubic.resume(now, last_sent);
        }
    }

    /// Takes in a round-trip time in microseconds.
    #[inline]
    pub(super) fn sample(&mut self, now: u64, rtt: u32, una: Seq, nxt: Seq) {
        let window = self.window;
        // RFC 9406 4.3: HyStart++ is for the first slow start alone.
        let in_slow_start =
            self.in_slow_start() && (self.hystart != HyStart::PlusPlus || !self.has_threshold());
        if let Algorithm::Cubic(cubic) = &mut self.algorithm
            && cubic.sample(now, rtt, (una, nxt), in_slow_start, window)
        {
            self.threshold = window;
        }
    }

    /// Nothing was in flight for `idle` nanoseconds: the window halves for each timeout in it, not
    /// below `initial` (RFC 2861, RFC 5681 4.1).
    pub(super) fn restart(&mut self, mut idle: u64, rto: u64, initial: u32) {
        self.threshold = self.current_threshold();
        let least = initial.min(self.window);
        while idle > rto && self.window > least {
            idle -= rto;
            self.window >>= 1;
        }
        self.window = self.window.max(least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(control: CongestionControl, window: u32) -> Congestion {
        Congestion::new(control, HyStart::Linux, window)
    }

    #[test]
    fn slow_start_doubles_the_window_and_ends_at_the_threshold() {
        let mut congestion = of(CongestionControl::Reno, 10);
        congestion.grow(0, 10);
        assert_eq!(congestion.window(), 20);
        congestion.set_threshold(25);
        congestion.grow(0, 20);
        assert_eq!(congestion.window(), 25);
        assert!(!congestion.in_slow_start());
        // The rest of what slow start did not need counts.
        congestion.grow(0, 10);
        assert_eq!(congestion.window(), 26);
    }

    #[test]
    fn reno_grows_by_a_segment_a_round_trip_and_halves() {
        let mut congestion = of(CongestionControl::Reno, 20);
        congestion.set_threshold(20);
        (0..20).for_each(|_| congestion.grow(0, 1));
        assert_eq!(congestion.window(), 21);
        assert_eq!(congestion.threshold_after_loss(), 10);
    }

    #[test]
    fn after_idling_the_window_halves_for_each_timeout() {
        let restarted = |idle| {
            let mut congestion = of(CongestionControl::Cubic, 80);
            congestion.restart(idle, 200, 10);
            (congestion.window(), congestion.threshold())
        };
        assert_eq!(restarted(201), (40, INFINITE));
        assert_eq!(restarted(401), (20, INFINITE));
        assert_eq!(restarted(3_000), (10, INFINITE));
        let mut congestion = of(CongestionControl::Reno, 80);
        congestion.set_threshold(40);
        congestion.restart(900, 200, 10);
        assert_eq!(congestion.threshold(), 60);
    }
}
