//! CUBIC (RFC 9438) in integers, with Linux's constants: C of 0.4, beta of 717/1024, fast
//! convergence, and a window that is no smaller than Reno's would be.

use super::hystart::HyStart;
use crate::tcp::options::HyStart as Kind;
use crate::wire::tcp::Seq;

/// Beta in 1024ths.
const BETA: u32 = 717;
const BETA_SCALE: u32 = 1_024;
/// C in 1024ths of a segment a second cubed, times ten round trips a second.
const CUBE_RTT_SCALE: u64 = 410;
/// Its inverse, in 2^40ths.
const CUBE_FACTOR: u64 = (1 << 40) / CUBE_RTT_SCALE;
/// Eighths of a segment of window for a segment of Reno's: 3 (1 - beta) / (1 + beta).
const RENO_SCALE: u64 = 15;
/// Times are counted in 1024ths of a second.
const TICKS: u64 = 1_024;
/// The window's growth is computed anew when so much time has passed.
const RECOMPUTE: u64 = 31_000_000;
/// At most once in this time.
const GRAIN: u64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub(super) struct Cubic {
    hystart: HyStart,
    /// Segments acknowledged for each that the window grows by.
    count: u32,
    /// The window before the last reduction.
    last_max: u32,
    last_window: u32,
    last_time: u64,
    /// Where the cubic function has its inflection.
    origin: u32,
    /// When it reaches that, from the beginning of the epoch, in ticks.
    k: u64,
    /// The smallest round-trip time, in microseconds; 0 when none is known.
    min_delay: u32,
    /// When the window was last reduced, or growth began; 0 before.
    epoch: u64,
    acked: u32,
    reno_window: u32,
}

/// The cube root, rounded down.
fn cube_root(of: u64) -> u64 {
    let mut root = 0u64;
    for bit in (0..=21).rev() {
        let more = root | 1 << bit;
        if more.checked_pow(3).is_some_and(|cube| cube <= of) {
            root = more;
        }
    }
    root
}

impl Cubic {
    pub(super) fn new(hystart: Kind) -> Cubic {
        Cubic {
            hystart: HyStart::new(hystart),
            count: 0,
            last_max: 0,
            last_window: 0,
            last_time: 0,
            origin: 0,
            k: 0,
            min_delay: 0,
            epoch: 0,
            acked: 0,
            reno_window: 0,
        }
    }

    /// How slow start grows: see [`HyStart::growth`].
    #[inline]
    pub(super) fn slow_start_growth(&self) -> (u32, u32) {
        self.hystart.growth()
    }

    /// How many segments must be acknowledged for the window to grow by one.
    pub(super) fn growth(&mut self, now: u64, window: u32, acked: u32) -> u32 {
        self.acked = self.acked.saturating_add(acked);
        let unchanged = self.last_window == window;
        if unchanged && now.saturating_sub(self.last_time) <= RECOMPUTE && self.count > 0 {
            return self.count;
        }
        if self.epoch == 0 || now.saturating_sub(self.last_time) >= GRAIN {
            self.follow_the_cubic(now, window, acked);
        }
        self.keep_up_with_reno(window);
        // Not faster than by half in a round trip.
        self.count = self.count.max(2);
        self.count
    }

    fn follow_the_cubic(&mut self, now: u64, window: u32, acked: u32) {
        (self.last_window, self.last_time) = (window, now);
        if self.epoch == 0 {
            self.epoch = now.max(1);
            (self.acked, self.reno_window) = (acked, window);
            if self.last_max <= window {
                (self.k, self.origin) = (0, window);
            } else {
                self.k = cube_root(CUBE_FACTOR * u64::from(self.last_max - window));
                self.origin = self.last_max;
            }
        }
        // Where the window should be a round trip from now.
        let elapsed = now.saturating_sub(self.epoch) + u64::from(self.min_delay) * 1_000;
        let ticks = (elapsed / 1_000).saturating_mul(TICKS) / 1_000_000;
        let offset = ticks.abs_diff(self.k).min(1 << 17);
        let delta = ((CUBE_RTT_SCALE * offset * offset * offset) >> 40).min(1 << 30) as u32;
        let target = if ticks < self.k {
            self.origin.saturating_sub(delta)
        } else {
            self.origin.saturating_add(delta)
        };
        self.count =
            if target > window { window / (target - window) } else { window.saturating_mul(100) };
        // What the path carries is not known yet.
        if self.last_max == 0 {
            self.count = self.count.min(20);
        }
    }

    /// RFC 9438 4.3.
    fn keep_up_with_reno(&mut self, window: u32) {
        let each = ((u64::from(window) * RENO_SCALE) >> 3).max(1) as u32;
        if self.acked > each {
            let grown = (self.acked - 1) / each;
            self.acked -= grown * each;
            self.reno_window = self.reno_window.saturating_add(grown);
        }
        if self.reno_window > window {
            self.count = self.count.min(window / (self.reno_window - window));
        }
    }

    /// The slow start threshold after a loss (RFC 9438 4.6 and 4.7).
    pub(super) fn threshold(&mut self, window: u32) -> u32 {
        self.epoch = 0;
        self.last_max = if window < self.last_max {
            (u64::from(window) * u64::from(BETA_SCALE + BETA) / u64::from(2 * BETA_SCALE)) as u32
        } else {
            window
        };
        ((u64::from(window) * u64::from(BETA)) / u64::from(BETA_SCALE)).max(2) as u32
    }

    /// A timeout: everything is forgotten.
    pub(super) fn reset(&mut self, now: u64, nxt: Seq) {
        *self = Cubic::new(self.hystart.kind());
        self.hystart.begin_round(now, nxt);
    }

    /// Something is sent after a time in which nothing was in flight, since `last_sent`: the epoch
    /// moves by that.
    pub(super) fn resume(&mut self, now: u64, last_sent: u64) {
        if self.epoch > 0 && now > last_sent {
            self.epoch = (self.epoch + (now - last_sent)).min(now);
        }
    }

    /// Takes in a round-trip time in microseconds. True when slow start should end at this window.
    #[inline]
    pub(super) fn sample(
        &mut self,
        now: u64,
        rtt: u32,
        (una, nxt): (Seq, Seq),
        in_slow_start: bool,
        window: u32,
    ) -> bool {
        // Delays just after a recovery say little.
        if self.epoch > 0 && now.saturating_sub(self.epoch) < 1_000_000_000 {
            return false;
        }
        let rtt = rtt.max(1);
        if self.min_delay == 0 || rtt < self.min_delay {
            self.min_delay = rtt;
        }
        in_slow_start && self.hystart.is_found(now, rtt, self.min_delay, (una, nxt), window)
    }

    /// The connection is established.
    pub(super) fn begin(&mut self, now: u64, nxt: Seq) {
        self.hystart.begin_round(now, nxt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cube_roots_are_exact() {
        for root in [0u64, 1, 2, 3, 100, 1_023, 1_024, 99_999, 2_097_151] {
            let cube = root * root * root;
            assert_eq!(cube_root(cube), root);
            assert_eq!(cube_root(cube + 3 * root * root), root);
            if root > 0 {
                assert_eq!(cube_root(cube - 1), root - 1);
            }
        }
    }

    #[test]
    fn the_window_falls_to_seven_tenths_and_below_its_last_maximum_further_on() {
        let mut cubic = Cubic::new(Kind::Linux);
        assert_eq!(cubic.threshold(100), 70);
        assert_eq!(cubic.last_max, 100);
        assert_eq!(cubic.threshold(90), 63);
        assert_eq!(cubic.last_max, 76);
        assert_eq!(cubic.threshold(1), 2);
    }

    /// The window after `milliseconds` at `rtt` milliseconds, from `window` on.
    fn window_after(cubic: &mut Cubic, mut window: u32, rtt: u64, milliseconds: u64) -> u32 {
        let (mut now, mut credit) = (1_000_000_000, 0);
        for _ in 0..milliseconds / rtt {
            let in_flight = window;
            for _ in 0..in_flight {
                now += rtt * 1_000_000 / u64::from(window);
                let growth = cubic.growth(now, window, 1);
                credit += 1;
                if credit >= growth {
                    (window, credit) = (window + 1, 0);
                }
            }
        }
        window
    }

    #[test]
    fn the_window_is_back_at_its_maximum_after_the_cube_root_of_the_loss() {
        // K = cbrt(W (1 - beta) / C): 300 segments lost of 1000 are regained in 9.1 s.
        let mut cubic = Cubic::new(Kind::Linux);
        let window = cubic.threshold(1_000);
        assert_eq!(window, 700);
        cubic.min_delay = 100_000;
        let regained = window_after(&mut cubic, window, 100, 9_100);
        assert!((990..=1_010).contains(&regained), "{regained}");
        let mut cubic = Cubic::new(Kind::Linux);
        let window = cubic.threshold(1_000);
        cubic.min_delay = 100_000;
        let beyond = window_after(&mut cubic, window, 100, 12_500);
        assert!((1_008..=1_020).contains(&beyond), "{beyond}");
    }

    #[test]
    fn on_a_short_path_the_window_grows_as_renos_would() {
        // 3 (1 - beta) / (1 + beta) of a segment a round trip: 0.53.
        let mut cubic = Cubic::new(Kind::Linux);
        let window = cubic.threshold(20);
        cubic.min_delay = 40_000;
        let grown = window_after(&mut cubic, window, 40, 800) - window;
        assert!((9..=13).contains(&grown), "{grown}");
    }
}
