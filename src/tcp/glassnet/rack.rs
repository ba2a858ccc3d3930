//! RACK (RFC 8985 section 6): a segment is lost when one that was sent later has arrived, and time
//! enough has passed since.

use super::flight::{Flight, Sent};
use super::rtt::RoundTrip;
use crate::wire::tcp::Seq;

/// Recoveries for which a widened window lasts.
const PERSIST: u8 = 16;

/// The latest segment that is known to have arrived, and how much reordering is borne.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rack {
    /// When it was sent.
    at: u64,
    end: Seq,
    /// How long it took.
    rtt: u64,
    /// It was another since losses were last looked for.
    has_advanced: bool,
    /// The reordering window, in quarters of the smallest round-trip time.
    steps: u8,
    persist: u8,
    /// A DSACK was seen: a retransmission was not needed.
    dsack_seen: bool,
    /// The window does not widen before this is acknowledged.
    round_end: Seq,
}

impl Rack {
    pub(super) fn new(start: Seq) -> Rack {
        Rack {
            at: 0,
            end: start,
            rtt: 0,
            has_advanced: false,
            steps: 1,
            persist: 0,
            dsack_seen: false,
            round_end: start,
        }
    }

    /// A segment has arrived (RFC 8985 6.2, step 2).
    #[inline]
    pub(super) fn advance(&mut self, now: u64, sent: &Sent, min_rtt: u32) {
        let rtt = now.saturating_sub(sent.at);
        // It may be the transmission before that one which has arrived.
        if sent.was_retransmitted() && rtt < u64::from(min_rtt) * 1_000 {
            return;
        }
        self.has_advanced = true;
        self.rtt = rtt;
        if sent.at > self.at || (sent.at == self.at && sent.end.is_after(self.end)) {
            (self.at, self.end) = (sent.at, sent.end);
        }
    }

    /// When the latest segment left that is known to have arrived.
    #[inline]
    pub(super) fn sent_at(&self) -> u64 {
        self.at
    }

    /// Losses are to be looked for again.
    pub(super) fn look_again(&mut self) {
        self.has_advanced = true;
    }

    pub(super) fn has_advanced(&self) -> bool {
        self.has_advanced
    }

    /// Marks what is lost; returns when to look again, if something may be that is not yet
    /// (RFC 8985 6.2, step 5).
    pub(super) fn detect(&mut self, now: u64, flight: &mut Flight, window: u64) -> Option<u64> {
        self.has_advanced = false;
        let patience = self.rtt.saturating_add(window);
        let left = flight.mark_late(self.at, self.end, |sent| self.remaining(now, sent, patience));
        left.map(|left| now.saturating_add(left))
    }

    fn remaining(&self, now: u64, sent: &Sent, patience: u64) -> Option<u64> {
        let due = sent.at.saturating_add(patience);
        (due > now).then(|| due - now)
    }

    /// Whether a segment was sent so recently that a timeout says nothing of it.
    pub(super) fn is_recent(&self, now: u64, sent: &Sent) -> bool {
        sent.at.saturating_add(self.rtt) > now
    }

    /// How long a segment may be late, in nanoseconds (RFC 8985 6.2, step 4).
    pub(super) fn reordering_window(&self, round_trip: &RoundTrip) -> u64 {
        let quarter = u64::from(round_trip.min()) / 4;
        let smoothed = u64::from(round_trip.smoothed().unwrap_or(0));
        (quarter * u64::from(self.steps)).min(smoothed) * 1_000
    }

    /// A DSACK says that a retransmission was not needed.
    pub(super) fn note_dsack(&mut self) {
        self.dsack_seen = true;
    }

    /// Widens the window after DSACKs, once a round trip, and narrows it after recoveries without
    /// any.
    pub(super) fn adapt(&mut self, una: Seq, nxt: Seq) {
        if self.dsack_seen && !una.is_before(self.round_end) {
            self.dsack_seen = false;
            self.round_end = nxt;
            self.steps = self.steps.saturating_add(1);
            self.persist = PERSIST;
        } else if self.persist == 0 {
            self.steps = 1;
        }
    }

    /// A recovery ended with a DSACK for each retransmission, or without.
    pub(super) fn end_recovery(&mut self, was_spurious: bool) {
        self.persist = if was_spurious {
            (self.persist + 1).min(PERSIST)
        } else {
            self.persist.saturating_sub(1)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::limits::RtoBounds;

    #[test]
    fn what_was_sent_before_the_latest_arrival_is_lost_after_the_reordering_window() {
        let mut flight = Flight::default();
        flight.begin(Seq(0));
        (1..=5).for_each(|at| flight.push(Seq(100 * at), u64::from(at) * 1_000));
        let mut rack = Rack::new(Seq(0));
        let mut latest = None;
        flight.sack((Seq(300), Seq(400)), Seq(300), |_, sent| latest = Some(*sent));
        rack.advance(24_000, &latest.unwrap(), u32::MAX);
        // Sent at 1, 2 and 3 us; the fourth took 20 us.
        assert_eq!(rack.detect(24_000, &mut flight, 5_000), Some(28_000));
        assert_eq!(flight.lost(), 0);
        assert_eq!(rack.detect(27_000, &mut flight, 5_000), Some(28_000));
        assert_eq!(flight.lost(), 2);
        assert_eq!(rack.detect(28_000, &mut flight, 5_000), None);
        assert_eq!(flight.lost(), 3);
    }

    #[test]
    fn dsacks_widen_the_window_by_a_quarter_of_the_round_trip_each_round() {
        let mut round_trip = RoundTrip::new(RtoBounds::LINUX);
        round_trip.sample(40_000, true);
        round_trip.note_min(0, 40_000);
        let mut rack = Rack::new(Seq(0));
        assert_eq!(rack.reordering_window(&round_trip), 10_000_000);
        for una in [10, 11, 25] {
            rack.note_dsack();
            rack.adapt(Seq(una), Seq(20));
        }
        assert_eq!(rack.reordering_window(&round_trip), 30_000_000);
        for _ in 0..PERSIST {
            rack.end_recovery(false);
        }
        rack.adapt(Seq(30), Seq(30));
        assert_eq!(rack.reordering_window(&round_trip), 10_000_000);
    }
}
