//! Frames between their sender and their receiver.

use super::event::{Arrival, EventQueue};
use crate::network::{Fate, Port, Topology, charge};
use crate::time::Clock;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::resolution::is_address_resolution;

/// The network, what is on its way there, and what is going to happen.
pub(in crate::world) struct Traffic {
    pub(in crate::world) topology: Topology,
    pub(in crate::world) queue: EventQueue,
    pub(in crate::world) pool: FramePool,
    last_packet_id: u64,
}

impl Traffic {
    pub(in crate::world) fn new() -> Traffic {
        Traffic {
            topology: Topology::default(),
            queue: EventQueue::default(),
            pool: FramePool::default(),
            last_packet_id: 0,
        }
    }

    /// The number of the next frame: the same wherever that frame is seen.
    #[inline]
    pub(in crate::world) fn number_packet(&mut self) -> u64 {
        self.last_packet_id += 1;
        self.last_packet_id
    }

    /// How many frames have been numbered.
    #[inline]
    pub(in crate::world) fn packets(&self) -> u64 {
        self.last_packet_id
    }

    /// Whether a frame would be too much on its way, where `limit` bytes may be. The questions
    /// that hosts ask for each other pass: they are few.
    #[inline]
    pub(in crate::world) fn is_overloaded_by(&self, frame: &FrameBuffer, limit: usize) -> bool {
        self.queue.bytes().saturating_add(charge(frame.len())) > limit
            && !is_address_resolution(frame)
    }

    /// Lets a frame arrive, and its duplicate, as its fate says; the frame's buffer goes back to
    /// the pool if it does not.
    #[inline]
    pub(in crate::world) fn depart(
        &mut self,
        clock: &Clock,
        to: Port,
        packet_id: u64,
        fate: Fate,
        frame: FrameBuffer,
    ) {
        let Fate::Arrives { at, duplicate_at } = fate else {
            self.pool.give_back(frame);
            return;
        };
        let copy = duplicate_at.map(|at| (at, self.pool.copy(&frame)));
        let first = Arrival { to, frame, packet_id, duplicate: false };
        self.queue.push(at.as_nanos(), clock.next_sequence(), first);
        if let Some((at, frame)) = copy {
            let second = Arrival { to, frame, packet_id, duplicate: true };
            self.queue.push(at.as_nanos(), clock.next_sequence(), second);
        }
    }
}
