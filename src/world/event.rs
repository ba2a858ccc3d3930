//! The queue of what is going to happen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
    // Keys and events apart: a heap moves its elements about, and keys are small.
    order: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slots: Vec<Option<Scheduled>>,
    free: Vec<u32>,
    arrivals: usize,
}

impl EventQueue {
    pub(super) fn push(&mut self, at: u64, sequence: u64, event: Scheduled) {
        self.arrivals += usize::from(matches!(event, Scheduled::Arrival { .. }));
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
        self.order.peek().map(|Reverse((at, sequence, _))| (*at, *sequence))
    }

    /// Whether the next event is a frame that reaches `host` at `at`.
    pub(super) fn next_is_arrival_at(&self, at: u64, host: u32) -> bool {
        let Some(Reverse((next, _, slot))) = self.order.peek() else { return false };
        *next == at
            && matches!(self.slots[*slot as usize], Some(Scheduled::Arrival { host: to, .. }) if to == host)
    }

    pub(super) fn pop(&mut self) -> Option<Scheduled> {
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
}
