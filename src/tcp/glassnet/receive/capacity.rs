//! How many bytes a receiver holds, and how that is told (RFC 7323 section 2).

use crate::tcp::options::TcpOptions;
use crate::wire::tcp::Seq;

/// The largest shift (RFC 7323 2.3).
const MAX_SCALE: u8 = 14;

/// How many bytes a receiver holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp::glassnet) struct Capacity {
    now: u32,
    max: u32,
    /// The largest window that is offered: Linux's `window_clamp`.
    clamp: u32,
}

impl Capacity {
    /// What the peer may be told of the buffers that `options` say.
    pub(in crate::tcp::glassnet) fn of(options: &TcpOptions) -> Capacity {
        let (now, max) = options.windows();
        Capacity::new(now, max)
    }

    /// Now, and as far as it may grow.
    pub(super) fn new(now: u32, max: u32) -> Capacity {
        Capacity { now, max: max.max(now), clamp: now }
    }

    #[inline]
    pub(super) fn clamp(&self) -> u32 {
        self.clamp
    }

    /// One segment of it is not offered as long as it has not grown (Linux's `tcp_init_buffer_space`).
    pub(super) fn reserve(&mut self, mss: u32) {
        if !self.is_fixed() && self.clamp > 2 * mss && self.clamp + mss > self.now {
            self.clamp = (self.now.saturating_sub(mss)).max(2 * mss);
        }
    }

    /// It grows, if it is smaller than that, and as far as it may.
    pub(super) fn grow(&mut self, bytes: u64) {
        let target = bytes.min(self.max.into()) as u32;
        if target > self.now {
            (self.now, self.clamp) = (target, target);
        }
    }

    #[inline]
    pub(super) fn now(&self) -> u32 {
        self.now
    }

    #[inline]
    pub(super) fn is_fixed(&self) -> bool {
        self.now == self.max
    }

    /// Another, which keeps what this has grown to if it may grow, too.
    pub(super) fn becoming(&self, other: Capacity) -> Capacity {
        if other.is_fixed() {
            return other;
        }
        let now = self.now.max(other.now).min(other.max);
        let clamp = if now == self.now { self.clamp } else { now };
        Capacity { now, max: other.max, clamp }
    }

    /// It never grows beyond `most`.
    pub(super) fn limit(&mut self, most: u32) {
        self.max = self.max.min(most);
        (self.now, self.clamp) = (self.now.min(most), self.clamp.min(most));
    }

    /// The first window: what fits a SYN, and in whole segments where it is tuned.
    pub(in crate::tcp::glassnet) fn initial_window(&self, mss: u32) -> u32 {
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
    pub(super) space: u32,
    pub(super) read: u32,
    pub(super) since: u64,
    /// The round trip, as the receiver sees it: the time a window takes; 0 when it is not known.
    pub(super) rtt: u64,
    pub(super) round_end: Seq,
    pub(super) round_start: u64,
    /// The last timestamp of ours that came back, and whether one has told a round trip.
    pub(super) last_echo: u32,
    pub(super) has_echo: bool,
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
