//! What the engines of one host have in common.

use std::net::IpAddr;

use super::ring::Memory;
use crate::wire::tcp::{FourTuple, Seq};

/// What the engines of one host have in common.
pub(in crate::tcp) struct Shared {
    pub(super) memory: Memory,
    /// What initial sequence numbers and timestamps are made of (RFC 6528).
    secret: u64,
}

impl Shared {
    pub(in crate::tcp) fn new(seed: u64) -> Shared {
        Shared { memory: Memory::default(), secret: seed }
    }

    /// An initial sequence number that grows by one each 64 ns (RFC 6528, in Linux's units), so
    /// that the numbers of a tuple's connections follow each other; after `after`, if there is one.
    pub(super) fn initial_sequence_number(
        &self,
        now: u64,
        tuple: &FourTuple,
        after: Option<Seq>,
    ) -> Seq {
        let seq = Seq((self.hash(tuple) >> 32) as u32).plus((now >> 6) as u32);
        match after {
            Some(after) if !seq.is_after(after) => after.plus(1 + (seq.0 & 0xffff)),
            _ => seq,
        }
    }

    /// What our timestamps clock is ahead of the world's for a pair of addresses (RFC 7323 5.4).
    pub(super) fn timestamp_offset(&self, tuple: &FourTuple) -> u32 {
        self.hash(&FourTuple { local_port: 0, remote_port: 0, ..*tuple }) as u32
    }

    fn hash(&self, tuple: &FourTuple) -> u64 {
        let mut state = self.secret;
        let mut mix = |word: u64| state = spread(state ^ word);
        for address in [tuple.local_addr, tuple.remote_addr] {
            match address {
                IpAddr::V4(address) => mix(address.to_bits().into()),
                IpAddr::V6(address) => {
                    mix((address.to_bits() >> 64) as u64);
                    mix(address.to_bits() as u64);
                }
            }
        }
        mix(u64::from(tuple.local_port) << 16 | u64::from(tuple.remote_port));
        state
    }
}

/// SplitMix64's finaliser.
fn spread(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_tuple_follow_each_other_and_those_of_others_are_elsewhere() {
        let shared = Shared::new(7);
        let tuple = |port| {
            FourTuple::new(
                format!("10.0.0.1:{port}").parse().unwrap(),
                "10.0.0.2:80".parse().unwrap(),
            )
        };
        let first = shared.initial_sequence_number(0, &tuple(1), None);
        let second = shared.initial_sequence_number(64_000, &tuple(1), None);
        assert_eq!(second.ahead_of(first), 1_000);
        let later = shared.initial_sequence_number(0, &tuple(1), Some(second));
        assert!(later.is_after(second));
        assert_ne!(first, shared.initial_sequence_number(0, &tuple(2), None));
        assert_eq!(shared.timestamp_offset(&tuple(1)), shared.timestamp_offset(&tuple(2)));
    }
}
