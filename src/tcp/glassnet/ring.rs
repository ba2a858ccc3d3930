//! A queue of bytes in a ring that grows with use, and the memory rings are made of.
//!
//! A connection has memory for what it holds, not for what it might hold: a ring begins without any,
//! doubles as bytes come, and gives its memory back when it is empty and was large. What is given
//! back serves the next connection of the host, so that a busy host goes on working in memory that
//! its processor has at hand.

/// A ring has at least so many bytes, once it has any.
const MIN_CAPACITY: usize = 256;
/// An empty ring keeps its memory up to so many bytes.
const MAX_KEPT: usize = 2_048;
/// Memory that waits for its next use, at most, of each size.
const MAX_POOLED: usize = 1 << 20;
/// Sizes of memory: powers of two up to 2^31.
const SIZES: usize = 32;

/// Memory that waits for its next use; one for all connections of a host.
#[derive(Default)]
pub(in crate::tcp) struct Memory {
    /// By the logarithm of its size.
    free: [Vec<Box<[u8]>>; SIZES],
}

impl Memory {
    fn take(&mut self, capacity: usize) -> Box<[u8]> {
        let free = &mut self.free[capacity.trailing_zeros() as usize % SIZES];
        free.pop().unwrap_or_else(|| vec![0; capacity].into_boxed_slice())
    }

    fn give_back(&mut self, memory: Box<[u8]>) {
        let capacity = memory.len();
        if capacity == 0 {
            return;
        }
        let free = &mut self.free[capacity.trailing_zeros() as usize % SIZES];
        if (free.len() + 1) * capacity <= MAX_POOLED.max(capacity) {
            free.push(memory);
        }
    }
}

/// A queue of bytes. Behind those that are in it, others may wait until the gap before them is
/// filled.
#[derive(Default)]
pub(super) struct Ring {
    /// Of no length, or a power of two.
    memory: Box<[u8]>,
    head: u32,
    len: u32,
}

impl Ring {
    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends `data`.
    #[inline]
    pub(super) fn push(&mut self, memory: &mut Memory, data: &[u8]) {
        self.write_at(memory, self.len, data);
        self.len += data.len() as u32;
    }

    /// Writes `data` so that it stands `offset` bytes after the first, there or behind the last.
    #[inline]
    pub(super) fn write_at(&mut self, memory: &mut Memory, offset: u32, data: &[u8]) {
        let needed = offset as usize + data.len();
        if needed > self.memory.len() {
            self.grow(memory, needed);
        }
        if data.is_empty() {
            return;
        }
        let at = (self.head as usize + offset as usize) & (self.memory.len() - 1);
        let first = data.len().min(self.memory.len() - at);
        self.memory[at..at + first].copy_from_slice(&data[..first]);
        if first < data.len() {
            self.memory[..data.len() - first].copy_from_slice(&data[first..]);
        }
    }

    /// The next `len` bytes were written behind the last: they are in the queue.
    #[inline]
    pub(super) fn advance(&mut self, len: u32) {
        self.len += len;
    }

    /// Copies bytes from `offset` on; the queue has that many.
    #[inline]
    pub(super) fn copy_to(&self, offset: u32, out: &mut [u8]) {
        if out.is_empty() {
            return;
        }
        let at = (self.head as usize + offset as usize) & (self.memory.len() - 1);
        let first = out.len().min(self.memory.len() - at);
        let (before, behind) = out.split_at_mut(first);
        before.copy_from_slice(&self.memory[at..at + first]);
        if !behind.is_empty() {
            behind.copy_from_slice(&self.memory[..behind.len()]);
        }
    }

    /// Takes the first `len` bytes out. With `is_empty` nothing waits behind the last, either.
    #[inline]
    pub(super) fn consume(&mut self, memory: &mut Memory, len: u32, is_empty: bool) {
        self.len -= len;
        if self.len == 0 && is_empty {
            self.head = 0;
            if self.memory.len() > MAX_KEPT {
                self.release(memory);
            }
        } else if len > 0 {
            self.head = ((self.head as usize + len as usize) & (self.memory.len() - 1)) as u32;
        }
    }

    /// Gives all memory back, and what is in it.
    pub(super) fn release(&mut self, memory: &mut Memory) {
        memory.give_back(std::mem::take(&mut self.memory));
        (self.head, self.len) = (0, 0);
    }

    #[cold]
    fn grow(&mut self, memory: &mut Memory, needed: usize) {
        let capacity = needed.next_power_of_two().max(MIN_CAPACITY);
        let mut larger = memory.take(capacity);
        let (behind, before) = self.memory.split_at(self.head as usize);
        larger[..before.len()].copy_from_slice(before);
        larger[before.len()..before.len() + behind.len()].copy_from_slice(behind);
        memory.give_back(std::mem::replace(&mut self.memory, larger));
        self.head = 0;
    }

    #[cfg(test)]
    fn capacity(&self) -> usize {
        self.memory.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_the_order_in_which_they_went_in_however_the_ring_turns() {
        let (mut ring, mut memory) = (Ring::default(), Memory::default());
        let (mut written, mut read) = (0u32, 0u32);
        for round in 0..5_000u32 {
            let len = (round * 37) % 91;
            let data: Vec<u8> = (written..written + len).map(|at| at as u8).collect();
            ring.push(&mut memory, &data);
            written += len;
            let take = ((round * 53) % 97).min(ring.len());
            let mut out = vec![0; take as usize];
            ring.copy_to(0, &mut out);
            ring.consume(&mut memory, take, true);
            assert!(out.iter().zip(read..).all(|(byte, at)| *byte == at as u8));
            read += take;
        }
        assert_eq!(ring.len(), written - read);
    }

    #[test]
    fn what_waits_behind_a_gap_survives_growth() {
        let (mut ring, mut memory) = (Ring::default(), Memory::default());
        ring.push(&mut memory, &[1; 200]);
        ring.consume(&mut memory, 150, false);
        ring.write_at(&mut memory, 100, &[3; 100]);
        ring.write_at(&mut memory, 5_000, &[4; 10]);
        ring.write_at(&mut memory, 50, &[2; 50]);
        ring.advance(150);
        let mut out = [0; 200];
        ring.copy_to(0, &mut out);
        assert_eq!(out[..50], [1; 50]);
        assert_eq!(out[50..100], [2; 50]);
        assert_eq!(out[100..], [3; 100]);
        ring.consume(&mut memory, 200, false);
        ring.advance(4_810);
        let mut tail = [0; 10];
        ring.copy_to(4_800, &mut tail);
        assert_eq!(tail, [4; 10]);
    }

    #[test]
    fn an_empty_ring_that_was_large_gives_its_memory_back_to_the_next() {
        let (mut ring, mut memory) = (Ring::default(), Memory::default());
        ring.push(&mut memory, &[7; 60_000]);
        assert_eq!(ring.capacity(), 65_536);
        ring.consume(&mut memory, 60_000, true);
        assert_eq!(ring.capacity(), 0);
        let mut other = Ring::default();
        other.push(&mut memory, &[8; 50_000]);
        assert!(memory.free.iter().all(Vec::is_empty));
        ring.push(&mut memory, &[9; 10]);
        ring.consume(&mut memory, 10, true);
        assert_eq!(ring.capacity(), MIN_CAPACITY);
    }
}
