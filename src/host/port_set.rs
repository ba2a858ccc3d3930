//! A set of ports, in which the next one that is not there is found without looking at each.

use std::ops::RangeInclusive;

/// Bits of a word.
const BITS: usize = 64;

/// Ports of one range. Until it holds one it takes no memory.
#[derive(Debug)]
pub(super) struct PortSet {
    range: RangeInclusive<u16>,
    /// A bit for each port; those beyond the range are set.
    words: Vec<u64>,
    /// A bit for each word of which all bits are set.
    full: Vec<u64>,
}

impl PortSet {
    pub(super) fn new(range: RangeInclusive<u16>) -> PortSet {
        PortSet { range, words: Vec::new(), full: Vec::new() }
    }

    /// How many ports the range has.
    fn len(&self) -> usize {
        usize::from(*self.range.end() - *self.range.start()) + 1
    }

    fn index(&self, port: u16) -> Option<usize> {
        self.range.contains(&port).then(|| usize::from(port - *self.range.start()))
    }

    /// Adds a port, unless it is beyond the range.
    pub(super) fn insert(&mut self, port: u16) {
        let Some(index) = self.index(port) else { return };
        if self.words.is_empty() {
            self.words = empty(self.len());
            self.full = empty(self.words.len());
        }
        set(&mut self.words, index);
        if self.words[index / BITS] == u64::MAX {
            set(&mut self.full, index / BITS);
        }
    }

    pub(super) fn remove(&mut self, port: u16) {
        if let Some(index) = self.index(port)
            && !self.words.is_empty()
        {
            clear(&mut self.words, index);
            clear(&mut self.full, index / BITS);
        }
    }

    pub(super) fn clear(&mut self) {
        (self.words, self.full) = (Vec::new(), Vec::new());
    }

    /// The first port from `port` on that is not in the set; after the last comes the first.
    /// `None` when all are.
    pub(super) fn next_missing(&self, port: u16) -> Option<u16> {
        let start = self.index(port).unwrap_or(0);
        if self.words.is_empty() {
            return Some(*self.range.start() + start as u16);
        }
        let index = self.missing_from(start).or_else(|| self.missing_from(0))?;
        Some(*self.range.start() + index as u16)
    }

    fn missing_from(&self, index: usize) -> Option<usize> {
        let word = index / BITS;
        if let Some(bit) = first_clear(self.words[word], index % BITS) {
            return Some(word * BITS + bit);
        }
        let word = self.not_full_from(word + 1)?;
        first_clear(self.words[word], 0).map(|bit| word * BITS + bit)
    }

    fn not_full_from(&self, word: usize) -> Option<usize> {
        let mut from = word % BITS;
        for at in word / BITS..self.full.len() {
            if let Some(bit) = first_clear(self.full[at], from) {
                return Some(at * BITS + bit);
            }
            from = 0;
        }
        None
    }
}

/// As many words as `bits` need, those bits clear and the rest of the last word set.
fn empty(bits: usize) -> Vec<u64> {
    let mut words = vec![0; bits.div_ceil(BITS)];
    for bit in bits..words.len() * BITS {
        set(&mut words, bit);
    }
    words
}

fn set(words: &mut [u64], bit: usize) {
    words[bit / BITS] |= 1 << (bit % BITS);
}

fn clear(words: &mut [u64], bit: usize) {
    words[bit / BITS] &= !(1 << (bit % BITS));
}

/// The first bit from `from` on that is clear.
fn first_clear(word: u64, from: usize) -> Option<usize> {
    let candidates = !word & (u64::MAX << from);
    (candidates != 0).then(|| candidates.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rng::Seed;

    #[test]
    fn the_next_missing_port_is_the_one_that_a_search_port_by_port_finds() {
        for range in [32_768..=60_999, 1..=65_535, 7..=7, 100..=163, 100..=164, 5_000..=9_500] {
            let mut stream = Seed(7).stream("port set");
            let all: Vec<u16> = range.clone().collect();
            let (mut ports, mut plain) = (PortSet::new(range), BTreeSet::new());
            let any = |most: usize| stream.up_to(most as u64) as usize;
            let mut any = any;
            for _ in 0..200 {
                // Runs, as ports that are taken one after another make them.
                let first = any(all.len() - 1);
                let run = &all[first..all.len().min(first + 1 + any(all.len() / 4))];
                let adds = any(2) > 0;
                for port in run {
                    if adds {
                        ports.insert(*port);
                        plain.insert(*port);
                    } else {
                        ports.remove(*port);
                        plain.remove(port);
                    }
                }
                let at = any(all.len() - 1);
                let mut in_turn = all[at..].iter().chain(&all[..at]);
                let expected = in_turn.find(|port| !plain.contains(port));
                assert_eq!(ports.next_missing(all[at]), expected.copied());
            }
        }
    }

    #[test]
    fn ports_beyond_the_range_are_not_in_the_set() {
        let mut ports = PortSet::new(10..=12);
        for port in [0, 9, 13, 65_535, 10, 11] {
            ports.insert(port);
        }
        assert_eq!(ports.next_missing(10), Some(12));
        ports.insert(12);
        assert_eq!(ports.next_missing(10), None);
        ports.remove(9);
        assert_eq!(ports.next_missing(11), None);
        ports.remove(10);
        assert_eq!(ports.next_missing(11), Some(10));
        ports.clear();
        assert_eq!(ports.next_missing(11), Some(11));
    }
}
