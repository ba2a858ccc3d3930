//! Deadlines without garbage: each of many things has one, or none.
//!
//! A heap in which a deadline that moved is replaced, not left behind, so that it never holds
//! more entries than there are things. (In a heap with lazy deletion a connection with a
//! keep-alive two hours away leaves an entry behind with every message.)

/// A heap of deadlines by the number of what they are for. Numbers are small: there is a slot for
/// each up to the largest.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: Vec<Deadline>,
    /// Where the deadline of each number stands in the heap.
    positions: Vec<u32>,
}

/// The deadline of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    pub(crate) at: u64,
    /// Breaks ties: the lower comes first.
    pub(crate) order: u64,
    /// What it is for.
    pub(crate) id: u32,
}

impl Deadline {
    fn is_before(&self, other: &Deadline) -> bool {
        (self.at, self.order) < (other.at, other.order)
    }
}

/// The position of what has no deadline.
const NONE: u32 = u32::MAX;

impl Deadlines {
    /// Gives `id` a deadline, instead of the one it has.
    pub(crate) fn set(&mut self, deadline: Deadline) {
        let id = deadline.id as usize;
        if id >= self.positions.len() {
            self.positions.resize(id + 1, NONE);
        }
        match self.positions[id] {
            NONE => {
                self.heap.push(deadline);
                self.rise(self.heap.len() - 1, deadline);
            }
            at => self.settle(at as usize, deadline),
        }
    }

    /// Takes the deadline of `id` away, if it has one.
    pub(crate) fn remove(&mut self, id: u32) {
        let Some(position) = self.positions.get_mut(id as usize) else { return };
        let at = std::mem::replace(position, NONE) as usize;
        if at == NONE as usize {
            return;
        }
        let Some(last) = self.heap.pop() else { return };
        if at < self.heap.len() {
            self.settle(at, last);
        }
    }

    /// When `id` has its deadline.
    pub(crate) fn at(&self, id: u32) -> Option<u64> {
        let position = self.positions.get(id as usize).filter(|position| **position != NONE)?;
        Some(self.heap[*position as usize].at)
    }

    /// The earliest.
    #[inline]
    pub(crate) fn first(&self) -> Option<&Deadline> {
        self.heap.first()
    }

    /// Takes the earliest away.
    pub(crate) fn pop(&mut self) -> Option<Deadline> {
        let first = *self.heap.first()?;
        self.remove(first.id);
        Some(first)
    }

    pub(crate) fn clear(&mut self) {
        self.heap.clear();
        self.positions.clear();
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Puts a deadline where it belongs, from a place whose entry is not needed any more.
    fn settle(&mut self, at: usize, deadline: Deadline) {
        if at > 0 && deadline.is_before(&self.heap[(at - 1) / 2]) {
            self.rise(at, deadline);
        } else {
            self.sink(at, deadline);
        }
    }

    fn rise(&mut self, mut at: usize, deadline: Deadline) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !deadline.is_before(&self.heap[parent]) {
                break;
            }
            self.put(at, self.heap[parent]);
            at = parent;
        }
        self.put(at, deadline);
    }

    fn sink(&mut self, mut at: usize, deadline: Deadline) {
        loop {
            let left = 2 * at + 1;
            let Some(mut child) = self.heap.get(left).copied() else { break };
            let mut below = left;
            if let Some(right) = self.heap.get(left + 1)
                && right.is_before(&child)
            {
                (child, below) = (*right, left + 1);
            }
            if !child.is_before(&deadline) {
                break;
            }
            self.put(at, child);
            at = below;
        }
        self.put(at, deadline);
    }

    #[inline]
    fn put(&mut self, at: usize, deadline: Deadline) {
        self.heap[at] = deadline;
        self.positions[deadline.id as usize] = at as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::rng::Seed;

    #[test]
    fn a_deadline_that_moves_is_replaced() {
        let mut deadlines = Deadlines::default();
        for at in (0..1_000).rev() {
            deadlines.set(Deadline { at, order: 0, id: 7 });
        }
        assert_eq!((deadlines.len(), deadlines.first().map(|first| first.at)), (1, Some(0)));
        deadlines.remove(7);
        deadlines.remove(7);
        deadlines.remove(1_000);
        assert_eq!((deadlines.len(), deadlines.pop()), (0, None));
    }

    #[test]
    fn the_earliest_comes_first_however_they_were_set_moved_and_removed() {
        let mut stream = Seed(7).stream("deadlines");
        let mut deadlines = Deadlines::default();
        // What it must be equal to.
        let mut plain: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for order in 0..20_000 {
            let id = stream.up_to(60) as u32;
            match stream.up_to(9) {
                0..=5 => {
                    let at = stream.up_to(50);
                    deadlines.set(Deadline { at, order, id });
                    plain.insert(id, (at, order));
                }
                6 | 7 => {
                    deadlines.remove(id);
                    plain.remove(&id);
                }
                _ => {
                    let first = plain.iter().min_by_key(|(_, key)| **key).map(|(id, _)| *id);
                    let key = first.and_then(|first| plain.remove(&first));
                    let popped = deadlines.pop();
                    assert_eq!(popped.map(|popped| popped.id), first);
                    assert_eq!(popped.map(|popped| (popped.at, popped.order)), key);
                }
            }
            assert_eq!(deadlines.at(id), plain.get(&id).map(|(at, _)| *at));
            assert_eq!(deadlines.len(), plain.len());
            let first = deadlines.first().map(|first| (first.at, first.order));
            assert_eq!(first, plain.values().min().copied());
        }
    }
}
