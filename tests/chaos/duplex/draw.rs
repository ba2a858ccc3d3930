//! A small generator of random numbers: the same seed gives the same numbers on every machine.

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Every number from `min` to `max` is equally likely.
    pub(crate) fn between(&mut self, min: u64, max: u64) -> u64 {
        let numbers = u128::from(max - min) + 1;
        min + ((u128::from(self.next()) * numbers) >> 64) as u64
    }

    /// Every power of two from `min`, which is at least 1, to `max` is about equally likely.
    pub(crate) fn log_between(&mut self, min: u64, max: u64) -> u64 {
        let power = self.between(u64::from(min.ilog2()), u64::from(max.ilog2()));
        let low = 1 << power;
        self.between(min.max(low), max.min(low * 2 - 1))
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.between(0, 99) < percent
    }

    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.between(0, all.len() as u64 - 1) as usize]
    }
}
