//! The queue of what is going to happen.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::clock::{Deadline, Deadlines};
use crate::network::{Node, Port, charge};
use crate::wire::frame::FrameBuffer;
use crate::world::plan::Fault;

/// Something that happens at a point in time.
pub(in crate::world) enum Scheduled {
    /// A frame reaches a port.
    Arrival(Arrival),
    /// A host wants to be asked what is due.
    HostDeadline { host: u32 },
    /// Something breaks, or is mended.
    Fault(Box<Fault>),
}

/// A frame on its way.
pub(in crate::world) struct Arrival {
    pub(in crate::world) to: Port,
    pub(in crate::world) frame: FrameBuffer,
    pub(in crate::world) packet_id: u64,
    pub(in crate::world) duplicate: bool,
}

/// Events in order of time, and of insertion where times are equal.
#[derive(Default)]
pub(in crate::world) struct EventQueue {
    // Most frames are sent in the order in which they arrive: those need no sorting.
    in_order: VecDeque<(u64, u64, Arrival)>,
    // Keys and contents apart: a heap moves its elements about, and keys are small.
    order: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slots: Vec<Option<Unordered>>,
    free: Vec<u32>,
    /// When each host wants to be asked what is due: one entry a host.
    deadlines: Deadlines,
    bytes: usize,
    /// How many of `order` are faults.
    faults: usize,
}

/// What is kept in a slot.
enum Unordered {
    Arrival(Arrival),
    Fault(Box<Fault>),
}

/// Which part of the queue has the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    InOrder,
    Sorted,
    Deadlines,
}

impl EventQueue {
    /// Adds a frame that will arrive. No other event has its `sequence`.
    #[inline]
    pub(in crate::world) fn push(&mut self, at: u64, sequence: u64, arrival: Arrival) {
        self.bytes += charge(arrival.frame.len());
        if self.in_order.back().is_none_or(|(last, before, _)| (*last, *before) < (at, sequence)) {
            self.in_order.push_back((at, sequence, arrival));
            return;
        }
        self.push_out_of_order(at, sequence, Unordered::Arrival(arrival));
    }

    /// Adds a fault that will happen.
    pub(in crate::world) fn push_fault(&mut self, at: u64, sequence: u64, fault: Fault) {
        self.faults += 1;
        self.push_out_of_order(at, sequence, Unordered::Fault(Box::new(fault)));
    }

    fn push_out_of_order(&mut self, at: u64, sequence: u64, content: Unordered) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(content);
                slot
            }
            None => {
                self.slots.push(Some(content));
                (self.slots.len() - 1) as u32
            }
        };
        self.order.push(Reverse((at, sequence, slot)));
    }

    /// When a host is asked what is due.
    pub(in crate::world) fn deadline(&self, host: u32) -> Option<u64> {
        self.deadlines.at(host)
    }

    /// A host wants to be asked at `at` what is due, and not when it last said.
    pub(in crate::world) fn set_deadline(&mut self, host: u32, at: u64, sequence: u64) {
        self.deadlines.set(Deadline { at, order: sequence, id: host });
    }

    /// A host wants nothing any more.
    pub(in crate::world) fn remove_deadline(&mut self, host: u32) {
        self.deadlines.remove(host);
    }

    /// Time and sequence of the next event.
    pub(in crate::world) fn next(&self) -> Option<(u64, u64)> {
        self.next_part().map(|(at, sequence, _)| (at, sequence))
    }

    #[inline]
    fn next_part(&self) -> Option<(u64, u64, Part)> {
        let mut next =
            self.in_order.front().map(|(at, sequence, _)| (*at, *sequence, Part::InOrder));
        let comes_first = |next: &Option<(u64, u64, Part)>, at: u64, sequence: u64| {
            next.is_none_or(|(first, before, _)| (at, sequence) < (first, before))
        };
        if let Some(Reverse((at, sequence, _))) = self.order.peek().copied()
            && comes_first(&next, at, sequence)
        {
            next = Some((at, sequence, Part::Sorted));
        }
        if let Some(Deadline { at, order, .. }) = self.deadlines.first().copied()
            && comes_first(&next, at, order)
        {
            next = Some((at, order, Part::Deadlines));
        }
        next
    }

    /// Whether the next event is a frame that reaches `host` at `at`, before which nothing happens
    /// any more.
    #[inline]
    pub(in crate::world) fn next_is_arrival_at(&self, at: u64, host: u32) -> bool {
        // Most frames come in the order in which they were sent, between deadlines.
        if let Some((first, _, arrival)) = self.in_order.front()
            && *first == at
            && self.order.is_empty()
            && self.deadlines.first().is_none_or(|deadline| deadline.at > at)
        {
            return arrival.to.node == Node::Host(host);
        }
        let arrives_now = self.in_order.front().is_some_and(|(first, ..)| *first == at)
            || self.order.peek().is_some_and(|Reverse((first, ..))| *first == at);
        arrives_now && self.next_is_arrival_of(at, host)
    }

    fn next_is_arrival_of(&self, at: u64, host: u32) -> bool {
        let Some((next, _, part)) = self.next_part() else { return false };
        let arrival = match part {
            Part::InOrder => self.in_order.front().map(|(_, _, arrival)| arrival),
            Part::Sorted => {
                let first = self.order.peek();
                match first.and_then(|Reverse((_, _, slot))| self.slots[*slot as usize].as_ref()) {
                    Some(Unordered::Arrival(arrival)) => Some(arrival),
                    Some(Unordered::Fault(_)) | None => None,
                }
            }
            Part::Deadlines => None,
        };
        next == at && arrival.is_some_and(|arrival| arrival.to.node == Node::Host(host))
    }

    pub(in crate::world) fn pop(&mut self) -> Option<Scheduled> {
        let (_, _, part) = self.next_part()?;
        let arrival = match part {
            Part::InOrder => self.in_order.pop_front().map(|(_, _, arrival)| arrival),
            Part::Sorted => {
                let Reverse((_, _, slot)) = self.order.pop()?;
                self.free.push(slot);
                match self.slots[slot as usize].take()? {
                    Unordered::Arrival(arrival) => Some(arrival),
                    Unordered::Fault(fault) => {
                        self.faults -= 1;
                        return Some(Scheduled::Fault(fault));
                    }
                }
            }
            Part::Deadlines => {
                let deadline = self.deadlines.pop()?;
                return Some(Scheduled::HostDeadline { host: deadline.id });
            }
        };
        let arrival = arrival?;
        self.bytes -= charge(arrival.frame.len());
        Some(Scheduled::Arrival(arrival))
    }

    /// A frame of `len` bytes is held by a link: it is none of the events, and counts for as much.
    pub(in crate::world) fn add_held(&mut self, len: usize) {
        self.bytes += charge(len);
    }

    /// A frame that was held is none of these any more.
    pub(in crate::world) fn remove_held(&mut self, len: usize) {
        self.bytes -= charge(len);
    }

    /// Frames that are on their way.
    pub(in crate::world) fn arrivals(&self) -> usize {
        self.in_order.len() + self.order.len() - self.faults
    }

    /// What these, and those that are held, count for, as [`charge`] counts it.
    pub(in crate::world) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Hosts that wait for a deadline.
    pub(in crate::world) fn deadlines(&self) -> usize {
        self.deadlines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::FramePool;

    fn arrival(pool: &mut FramePool, host: u32, packet_id: u64) -> Arrival {
        Arrival { to: Port::of_host(host), frame: pool.take(60), packet_id, duplicate: false }
    }

    #[test]
    fn ties_in_time_break_by_insertion() {
        let mut queue = EventQueue::default();
        let mut pool = FramePool::default();
        for (sequence, (at, host)) in (0..).zip([(5, 0), (3, 1), (5, 2), (3, 3), (5, 4), (3, 5)]) {
            if host % 2 == 0 {
                queue.set_deadline(host, at, sequence);
            } else {
                queue.push(at, sequence, arrival(&mut pool, host, 0));
            }
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop())
            .map(|event| match event {
                Scheduled::HostDeadline { host } => host,
                Scheduled::Arrival(arrival) => arrival.to.host().unwrap(),
                Scheduled::Fault(fault) => panic!("{fault}"),
            })
            .collect();
        assert_eq!(order, [1, 3, 5, 0, 2, 4]);
    }

    #[test]
    fn a_deadline_that_moves_leaves_nothing_behind() {
        let mut queue = EventQueue::default();
        for sequence in 0..1_000 {
            queue.set_deadline(7, 10_000 - sequence, sequence);
        }
        assert_eq!((queue.deadlines(), queue.next()), (1, Some((9_001, 999))));
        queue.remove_deadline(7);
        assert!(queue.pop().is_none());
    }

    #[test]
    fn a_fault_has_its_turn_among_frames_and_is_none() {
        let mut queue = EventQueue::default();
        let mut pool = FramePool::default();
        queue.push(5, 0, arrival(&mut pool, 1, 0));
        queue.push_fault(5, 1, Fault::Crash { hosts: "server".into() });
        queue.push(5, 2, arrival(&mut pool, 1, 1));
        assert_eq!((queue.arrivals(), queue.next_is_arrival_at(5, 1)), (2, true));
        assert!(matches!(queue.pop(), Some(Scheduled::Arrival(_))));
        assert!(!queue.next_is_arrival_at(5, 1));
        assert!(matches!(queue.pop(), Some(Scheduled::Fault(_))));
        assert!(queue.next_is_arrival_at(5, 1));
        assert!(matches!(queue.pop(), Some(Scheduled::Arrival(_))));
        assert!(queue.pop().is_none());
    }

    #[test]
    fn frames_and_deadlines_come_in_one_order_however_they_were_added() {
        let times = [5, 7, 7, 3, 9, 4, 9, 9, 1, 7];
        let mut queue = EventQueue::default();
        let mut pool = FramePool::default();
        let mut expected: Vec<(u64, u64)> = Vec::new();
        for (sequence, at) in (0..).zip(times.into_iter().cycle().take(40)) {
            if sequence % 3 == 0 {
                queue.set_deadline(sequence as u32 + 10, at, sequence);
            } else {
                queue.push(at, sequence, arrival(&mut pool, 2, sequence));
            }
            expected.push((at, sequence));
        }
        expected.sort_unstable();
        let frames = expected.iter().filter(|(_, sequence)| sequence % 3 != 0).count();
        assert_eq!((queue.arrivals(), queue.bytes()), (frames, frames * charge(60)));
        for (at, sequence) in expected {
            assert_eq!(queue.next(), Some((at, sequence)));
            assert_eq!(queue.next_is_arrival_at(at, 2), sequence % 3 != 0);
            assert!(!queue.next_is_arrival_at(at, 3));
            assert!(!queue.next_is_arrival_at(at + 1, 2));
            match queue.pop() {
                Some(Scheduled::Arrival(arrival)) => assert_eq!(arrival.packet_id, sequence),
                event => assert!(sequence % 3 == 0 && event.is_some()),
            }
        }
        assert!(queue.pop().is_none() && queue.next().is_none());
        assert_eq!((queue.arrivals(), queue.bytes()), (0, 0));
    }
}
