//! The queue of what is going to happen.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::host::FrameBuffer;

/// Something that happens at a point in time.
pub(super) enum Scheduled {
    /// A frame reaches a host.
    Arrival { host: u32, frame: FrameBuffer, packet_id: u64, duplicate: bool },
    /// A host wants to be asked what is due.
    HostDeadline { host: u32 },
}

/// Events in order of time, and of insertion where times are equal.
#[derive(Default)]
pub(super) struct EventQueue {
    // Most frames are sent in the order in which they arrive: those need no sorting.
    in_order: VecDeque<(u64, u64, Scheduled)>,
    // Keys and events apart: a heap moves its elements about, and keys are small.
    order: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slots: Vec<Option<Scheduled>>,
    free: Vec<u32>,
    arrivals: usize,
}

impl EventQueue {
    /// Adds an event. No other has its `sequence`.
    #[inline]
    pub(super) fn push(&mut self, at: u64, sequence: u64, event: Scheduled) {
        if matches!(event, Scheduled::Arrival { .. }) {
            self.arrivals += 1;
            if self
                .in_order
                .back()
                .is_none_or(|(last, before, _)| (*last, *before) < (at, sequence))
            {
                self.in_order.push_back((at, sequence, event));
                return;
            }
        }
        self.push_out_of_order(at, sequence, event);
    }

    fn push_out_of_order(&mut self, at: u64, sequence: u64, event: Scheduled) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(event);
                slot
            }
            None => {
                self.slots.push(Some(event));
                (self.slots.len() - 1) as u32
            }
        };
        self.order.push(Reverse((at, sequence, slot)));
    }

    /// Time and sequence of the next event.
    pub(super) fn next(&self) -> Option<(u64, u64)> {
        let in_order = self.in_order.front().map(|(at, sequence, _)| (*at, *sequence));
        let sorted = self.order.peek().map(|Reverse((at, sequence, _))| (*at, *sequence));
        match (in_order, sorted) {
            (Some(in_order), Some(sorted)) => Some(in_order.min(sorted)),
            (in_order, sorted) => in_order.or(sorted),
        }
    }

    /// Whether the next event is the first of those that came in order.
    fn next_is_in_order(&self) -> bool {
        let Some((at, sequence, _)) = self.in_order.front() else { return false };
        self.order
            .peek()
            .is_none_or(|Reverse((other, after, _))| (*at, *sequence) < (*other, *after))
    }

    /// Whether the next event is a frame that reaches `host` at `at`.
    pub(super) fn next_is_arrival_at(&self, at: u64, host: u32) -> bool {
        let (next, event) = if self.next_is_in_order() {
            let Some((next, _, event)) = self.in_order.front() else { return false };
            (*next, Some(event))
        } else {
            let Some(Reverse((next, _, slot))) = self.order.peek() else { return false };
            (*next, self.slots[*slot as usize].as_ref())
        };
        next == at && matches!(event, Some(Scheduled::Arrival { host: to, .. }) if *to == host)
    }

    pub(super) fn pop(&mut self) -> Option<Scheduled> {
        if self.next_is_in_order() {
            self.arrivals -= 1;
            return self.in_order.pop_front().map(|(_, _, event)| event);
        }
        let Reverse((_, _, slot)) = self.order.pop()?;
        let event = self.slots[slot as usize].take();
        self.free.push(slot);
        if matches!(event, Some(Scheduled::Arrival { .. })) {
            self.arrivals -= 1;
        }
        event
    }

    /// Frames that are on their way.
    pub(super) fn arrivals(&self) -> usize {
        self.arrivals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_in_time_break_by_insertion() {
        let mut queue = EventQueue::default();
        for (sequence, (at, host)) in [(5, 0), (3, 1), (5, 2), (3, 3)].into_iter().enumerate() {
            queue.push(at, sequence as u64, Scheduled::HostDeadline { host });
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop())
            .map(|event| match event {
                Scheduled::HostDeadline { host } | Scheduled::Arrival { host, .. } => host,
            })
            .collect();
        assert_eq!(order, [1, 3, 0, 2]);
    }

    #[test]
    fn frames_and_deadlines_come_in_one_order_however_they_were_added() {
        let times = [5, 7, 7, 3, 9, 4, 9, 9, 1, 7];
        let mut queue = EventQueue::default();
        let mut pool = crate::host::FramePool::default();
        let mut expected: Vec<(u64, u64)> = Vec::new();
        for (sequence, at) in (0..).zip(times.into_iter().cycle().take(40)) {
            let event = if sequence % 3 == 0 {
                Scheduled::HostDeadline { host: 1 }
            } else {
                Scheduled::Arrival {
                    host: 2,
                    frame: pool.take(60),
                    packet_id: sequence,
                    duplicate: false,
                }
            };
            queue.push(at, sequence, event);
            expected.push((at, sequence));
        }
        expected.sort_unstable();
        let frames = expected.iter().filter(|(_, sequence)| sequence % 3 != 0).count();
        assert_eq!(queue.arrivals(), frames);
        for (at, sequence) in expected {
            assert_eq!(queue.next(), Some((at, sequence)));
            assert_eq!(queue.next_is_arrival_at(at, 2), sequence % 3 != 0);
            assert!(!queue.next_is_arrival_at(at, 3));
            assert!(!queue.next_is_arrival_at(at + 1, 2));
            match queue.pop() {
                Some(Scheduled::Arrival { packet_id, .. }) => assert_eq!(packet_id, sequence),
                event => assert!(sequence % 3 == 0 && event.is_some()),
            }
        }
        assert!(queue.pop().is_none() && queue.next().is_none() && queue.arrivals() == 0);
    }
}
