//! When an ACK leaves (RFC 9293 3.8.6.3, RFC 5681 4.2), as Linux decides it: at once for the first
//! segments, after a gap and for what came twice; else it waits for data to ride on, for as long as
//! the peer's segments are apart.

use crate::clock::When;

/// How long an ACK may wait, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp::glassnet) struct DelayBounds {
    pub(in crate::tcp::glassnet) min: u64,
    /// None may wait when it is 0.
    pub(in crate::tcp::glassnet) max: u64,
    /// ACKs that leave at once when a connection begins, or something was amiss.
    pub(in crate::tcp::glassnet) quick: u8,
}

/// Whether an ACK is owed, and when it leaves.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp::glassnet) struct Acks {
    delays: DelayBounds,
    is_owed: bool,
    is_owed_now: bool,
    /// Data has arrived since it was last decided how long it waits.
    is_fresh: bool,
    /// Small segments have arrived since the last ACK.
    pushed: u8,
    /// ACKs that leave at once.
    quick: u8,
    /// Requests and responses: an ACK has a response to ride on.
    is_interactive: bool,
    /// How far apart the peer's segments are; 0 before the first.
    spacing: u64,
    last_data: u64,
    at: When,
}

impl Acks {
    pub(super) fn new(delays: DelayBounds) -> Acks {
        Acks {
            delays,
            is_owed: false,
            is_owed_now: false,
            is_fresh: false,
            pushed: 0,
            quick: 0,
            is_interactive: false,
            spacing: 0,
            last_data: 0,
            at: When::NEVER,
        }
    }

    pub(in crate::tcp::glassnet) fn set_delays(&mut self, delays: DelayBounds) {
        self.delays = delays;
    }

    #[inline]
    pub(super) fn is_owed(&self) -> bool {
        self.is_owed
    }

    /// It cannot wait.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.is_owed_now || (self.quick > 0 && !self.is_interactive) || self.delays.max == 0
    }

    /// It leaves when what has arrived was read.
    #[inline]
    pub(super) fn waits_for_reader(&self) -> bool {
        self.pushed > 1 || (self.pushed > 0 && !self.is_interactive)
    }

    #[inline]
    pub(in crate::tcp::glassnet) fn timer(&self) -> When {
        self.at
    }

    /// When data arrived last.
    pub(super) fn last_data(&self) -> u64 {
        self.last_data
    }

    /// The connection begins.
    pub(super) fn begin(&mut self, now: u64) {
        self.last_data = now;
    }

    /// How long an ACK waits that may, in nanoseconds; 0 before there was data.
    pub(super) fn delay_of_next(&self) -> u64 {
        self.spacing
    }

    /// An ACK must leave now.
    pub(in crate::tcp::glassnet) fn owe_now(&mut self) {
        (self.is_owed, self.is_owed_now) = (true, true);
    }

    /// A small segment: perhaps the end of what the peer has to say.
    #[inline]
    pub(super) fn note_pushed(&mut self) {
        self.pushed = (self.pushed + 1).min(2);
    }

    /// Data has arrived.
    #[inline]
    pub(super) fn on_data(&mut self, now: u64, window: u32, mss: u32) {
        (self.is_owed, self.is_fresh) = (true, true);
        let min = self.delays.min;
        let gap = now.saturating_sub(self.last_data);
        if self.spacing == 0 {
            self.grant_quick(window, mss);
            self.spacing = min;
        } else if gap <= min / 2 {
            self.spacing = (self.spacing / 2) + min / 2;
        } else if gap < self.spacing {
            self.spacing = self.spacing / 2 + gap;
        } else if gap > 5 * self.delays.max.max(min) {
            // The sender begins anew, with a small window.
            self.grant_quick(window, mss);
        }
        self.last_data = now;
    }

    /// The next ACKs leave at once: half a window of them at most.
    fn grant_quick(&mut self, window: u32, mss: u32) {
        let acks = (window / (2 * mss).max(1)).max(2).min(self.delays.quick.into());
        self.quick = self.quick.max(acks as u8);
    }

    /// Something is amiss: the peer needs ACKs.
    pub(super) fn hurry(&mut self, window: u32, mss: u32) {
        self.grant_quick(window, mss);
        self.is_interactive = false;
        self.spacing = self.delays.min;
        self.owe_now();
    }

    /// Data leaves: what has just arrived was a request.
    #[inline]
    pub(in crate::tcp::glassnet) fn on_data_sent(&mut self, now: u64) {
        if now.saturating_sub(self.last_data) < self.spacing {
            self.is_interactive = true;
        }
    }

    /// An ACK has left, alone or with data.
    #[inline]
    pub(super) fn clear(&mut self) {
        if self.is_owed {
            (self.is_owed, self.is_owed_now, self.pushed) = (false, false, 0);
            self.quick = self.quick.saturating_sub(1);
            self.at = When::NEVER;
        }
    }

    /// An ACK is owed and may wait: until when. `rtt` is the round-trip time, where it is known.
    #[inline]
    pub(in crate::tcp::glassnet) fn delay(&mut self, now: u64, rtt: Option<u64>) {
        if !self.is_owed || !self.is_fresh {
            return;
        }
        self.is_fresh = false;
        let mut wait = self.spacing.min(self.delays.max);
        if wait > self.delays.min {
            let most =
                if self.is_interactive || self.pushed > 0 { self.delays.max } else { 500_000_000 };
            let most = rtt.map_or(most, |rtt| rtt.max(self.delays.min).min(most));
            wait = wait.min(most);
        }
        let at = now.saturating_add(wait);
        if let Some(earlier) = self.at.get() {
            if earlier <= now.saturating_add(wait / 4) {
                // It would leave soon anyway.
                self.is_owed_now = true;
            }
            self.at = When::at(at.min(earlier));
        } else {
            self.at = When::at(at);
        }
    }

    /// The time of an ACK that waited is over.
    pub(in crate::tcp::glassnet) fn on_timer(&mut self, now: u64, rto: u64) {
        if !self.at.is_due(now) {
            return;
        }
        self.at = When::NEVER;
        if !self.is_owed {
            return;
        }
        if self.is_interactive {
            self.is_interactive = false;
            self.spacing = self.delays.min;
        } else {
            self.spacing = self.spacing.saturating_mul(2).min(rto);
        }
        self.is_owed_now = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const LINUX: DelayBounds = DelayBounds { min: 40 * MS, max: 200 * MS, quick: 16 };

    #[test]
    fn the_first_sixteen_acks_leave_at_once_and_the_next_waits() {
        let mut acks = Acks::new(LINUX);
        for at in 0..16 {
            acks.on_data(at * MS, 64_240, 1_460);
            assert!(acks.is_due(), "{at}");
            acks.clear();
        }
        acks.on_data(16 * MS, 64_240, 1_460);
        assert!(acks.is_owed() && !acks.is_due());
        acks.delay(16 * MS, None);
        assert_eq!(acks.timer(), When::at(56 * MS));
    }

    #[test]
    fn between_request_and_response_an_ack_waits_40_milliseconds() {
        let mut acks = Acks::new(LINUX);
        acks.on_data(0, 64_240, 1_460);
        acks.on_data_sent(MS);
        acks.clear();
        acks.on_data(200 * MS, 64_240, 1_460);
        assert!(!acks.is_due());
        acks.delay(200 * MS, None);
        assert_eq!(acks.timer(), When::at(240 * MS));
        acks.on_timer(240 * MS, 220 * MS);
        assert!(acks.is_due());
        // Nothing rode on it: the next leaves at once.
        acks.clear();
        acks.on_data(400 * MS, 64_240, 1_460);
        assert!(acks.is_due());
    }

    #[test]
    fn the_wait_follows_the_spacing_of_the_segments() {
        let mut acks = Acks::new(LINUX);
        (0..40).for_each(|at| {
            acks.on_data(at * 30 * MS, 2_920, 1_460);
            acks.clear();
        });
        acks.on_data(40 * 30 * MS, 2_920, 1_460);
        acks.delay(40 * 30 * MS, None);
        assert_eq!(acks.timer().get().map(|at| (at - 1_200 * MS) / MS), Some(59));
    }
}
