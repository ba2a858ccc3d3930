//! One seed, many named streams of random numbers.
//!
//! Whoever draws at random draws from a stream of its own, derived from the world's seed and the
//! stream's name. So adding a host, or a draw somewhere, moves no other stream.
//!
//! The algorithm is part of the crate's contract, because seeds are published in bug reports:
//! FNV-1a hashes the name, SplitMix64 spreads seed and hash over the state, and PCG XSL RR 128/64
//! (`rand_pcg` 0.10's `Pcg64`) generates.

use rand_core::Rng;
use rand_pcg::Pcg64;

/// The seed of a world, from which every stream is derived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// The stream called `name`. The same seed and name give the same numbers, always.
    pub(crate) fn stream(self, name: &str) -> Stream {
        let mut mixer = SplitMix64(self.0 ^ fnv1a(name.as_bytes()));
        let mut wide = || (u128::from(mixer.next()) << 64) | u128::from(mixer.next());
        Stream(Pcg64::new(wide(), wide()))
    }
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Stream(Pcg64);

impl Stream {
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) fn fill_bytes(&mut self, buffer: &mut [u8]) {
        self.0.fill_bytes(buffer);
    }

    /// True with the given probability. A probability of 0 or 1 draws nothing, so that switching
    /// an impairment off does not move the draws of the others.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        if probability <= 0.0 {
            return false;
        }
        if probability >= 1.0 {
            return true;
        }
        // 53 bits, as many as a float's mantissa holds: exact on every machine.
        let unit = (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        unit < probability
    }

    /// A number in `0..=most`, every one equally likely to within 2^-64.
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        ((u128::from(self.next_u64()) * (u128::from(most) + 1)) >> 64) as u64
    }
}

struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut stream = Seed(7).stream("link client>server");
        let drawn: Vec<u64> = (0..3).map(|_| stream.next_u64()).collect();
        assert_eq!(drawn, PUBLISHED);
    }

    // Changing these numbers changes what every published seed means.
    const PUBLISHED: [u64; 3] =
        [13_484_658_916_652_453_344, 12_466_265_984_598_059_575, 13_796_760_742_966_776_765];

    #[test]
    fn streams_of_different_names_or_seeds_differ() {
        let first = |seed, name| Seed(seed).stream(name).next_u64();
        assert_ne!(first(7, "a"), first(7, "b"));
        assert_ne!(first(7, "a"), first(8, "a"));
    }

    #[test]
    fn chance_is_as_likely_as_it_says() {
        let mut stream = Seed(1).stream("chance");
        let hits = (0..100_000).filter(|_| stream.chance(0.1)).count();
        assert!((9_500..10_500).contains(&hits), "{hits} of 100000 at 10 %");
    }

    #[test]
    fn up_to_reaches_both_ends_and_no_further() {
        let mut stream = Seed(1).stream("up_to");
        let drawn: Vec<u64> = (0..1_000).map(|_| stream.up_to(3)).collect();
        assert_eq!(drawn.iter().min(), Some(&0));
        assert_eq!(drawn.iter().max(), Some(&3));
        assert_eq!(Seed(1).stream("x").up_to(0), 0);
    }
}
