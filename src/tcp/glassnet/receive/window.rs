//! Which window is offered: never one that takes back what was offered, never a silly one
//! (RFC 9293 3.8.6.2.2), and one that grows with what the application reads (dynamic right-sizing,
//! Fisk and Feng 2001, as Linux has it).

use super::Receiver;
use crate::wire::tcp::Seq;

/// The largest shift (RFC 7323 2.3).
const MAX_SCALE: u8 = 14;

/// How many bytes a receiver holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp::glassnet) struct Capacity {
    now: u32,
    max: u32,
}

impl Capacity {
    /// Now, and as far as it may grow.
    pub(in crate::tcp::glassnet) fn new(now: u32, max: u32) -> Capacity {
        Capacity { now, max: max.max(now) }
    }

    #[inline]
    pub(super) fn now(&self) -> u32 {
        self.now
    }

    #[inline]
    pub(super) fn is_fixed(&self) -> bool {
        self.now == self.max
    }

    /// It never grows beyond `most`.
    pub(super) fn limit(&mut self, most: u32) {
        (self.now, self.max) = (self.now.min(most), self.max.min(most));
    }

    /// The first window: what fits a SYN, and in whole segments where it is tuned.
    pub(super) fn initial_window(&self, mss: u32) -> u32 {
        let fits = self.now.min(65_535);
        if self.is_fixed() || fits < mss { fits } else { self.now - self.now % mss }.min(65_535)
    }
}

/// The shift with which the largest window can be told.
pub(in crate::tcp::glassnet) fn scale_for(largest: u32) -> u8 {
    (0..MAX_SCALE).find(|scale| largest >> scale <= 65_535).unwrap_or(MAX_SCALE)
}

/// What is read in a round trip.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tuning {
    /// Bytes that were read in the best round trip so far.
    space: u32,
    read: u32,
    since: u64,
    /// The round trip, as the receiver sees it: the time a window takes; 0 when it is not known.
    rtt: u64,
    round_end: Seq,
    round_start: u64,
}

impl Tuning {
    pub(super) fn begin(&mut self, now: u64, nxt: Seq, space: u32) {
        *self = Tuning {
            space: space.max(1),
            since: now,
            round_end: nxt,
            round_start: now,
            ..Tuning::default()
        };
    }
}

impl Receiver {
    /// The window that the next segment offers.
    #[inline]
    pub(super) fn window_to_offer(&self) -> u32 {
        let open = self.open_window();
        let capacity = self.capacity.now();
        let free = capacity.saturating_sub(self.data.len());
        let offer = self.suitable(free, capacity);
        // What was offered stays offered (RFC 9293 3.8.6.2.1), as far as the scale can tell it.
        let offer = offer.max(open);
        let rounded = offer.next_multiple_of(1 << self.scale);
        if rounded <= free { rounded } else { offer }
    }

    #[inline]
    fn suitable(&self, mut free: u32, capacity: u32) -> u32 {
        let mss = self.mss.min(capacity);
        if free < capacity / 2 {
            free &= !((1u32 << self.scale) - 1);
            if free < capacity >> 4 || free < mss {
                return 0;
            }
        }
        free.min(self.allowed).min(65_535 << self.scale)
    }

    /// Data has arrived: more of the buffer may be offered, segment by segment.
    pub(super) fn widen(&mut self, len: u32) {
        if len >= 128 && self.allowed < self.capacity.now() {
            let more = self.allowed.saturating_add(2 * self.advertised_mss);
            self.allowed = more.min(self.capacity.now());
        }
        let now = self.acks.last_data();
        let tuning = &mut self.tuning;
        if !self.nxt.is_before(tuning.round_end) {
            let elapsed = now - tuning.round_start;
            let is_better = tuning.rtt == 0 || elapsed < tuning.rtt;
            // Smoothed, where it grows.
            tuning.rtt =
                if is_better { elapsed } else { tuning.rtt - tuning.rtt / 8 + elapsed / 8 };
            (tuning.round_start, tuning.round_end) = (now, self.nxt.plus(self.window));
        }
    }

    /// Data was read: the buffer grows to twice what is read in a round trip, and more while that
    /// grows.
    pub(super) fn adapt_to_reader(&mut self) {
        let read = self.nxt.plus(self.data.len().wrapping_neg());
        let now = self.acks.last_data();
        let tuning = &mut self.tuning;
        if tuning.rtt == 0 || now.saturating_sub(tuning.since) < tuning.rtt {
            return;
        }
        let copied = read.0.wrapping_sub(tuning.read);
        if tuning.read != 0 && copied > tuning.space && copied < 1 << 30 {
            let base = 2 * u64::from(copied) + 16 * u64::from(self.advertised_mss);
            let grown = base * u64::from(copied - tuning.space) / u64::from(tuning.space);
            let target = base.saturating_add(2 * grown).min(self.capacity.max.into()) as u32;
            self.capacity.now = self.capacity.now.max(target);
            tuning.space = copied;
        }
        (tuning.read, tuning.since) = (read.0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_the_least_with_which_the_largest_window_can_be_told() {
        assert_eq!(scale_for(65_535), 0);
        assert_eq!(scale_for(65_536), 1);
        assert_eq!(scale_for(6_291_456), 7);
        assert_eq!(scale_for(1 << 30), 14);
    }

    #[test]
    fn linuxs_first_window_is_44_segments() {
        assert_eq!(Capacity::new(65_536, 3_145_728).initial_window(1_460), 64_240);
        assert_eq!(Capacity::new(65_535, 65_535).initial_window(1_460), 65_535);
        assert_eq!(Capacity::new(100, 100).initial_window(1_460), 100);
    }
}
