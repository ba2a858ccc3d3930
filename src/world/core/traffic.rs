//! Frames between their sender and their receiver.

use super::event::{Arrival, EventQueue};
use super::held::{Held, HeldFrames};
use crate::clock::Clock;
use crate::network::{Fate, Port, Topology, charge};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::resolution::is_address_resolution;

/// The network, what is on its way there, and what is going to happen.
pub(in crate::world) struct Traffic {
    pub(in crate::world) topology: Topology,
    pub(in crate::world) queue: EventQueue,
    pub(in crate::world) pool: FramePool,
    pub(in crate::world) held: HeldFrames,
    last_packet_id: u64,
}

impl Traffic {
    pub(in crate::world) fn new() -> Traffic {
        Traffic {
            topology: Topology::default(),
            queue: EventQueue::default(),
            pool: FramePool::default(),
            held: HeldFrames::default(),
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

    /// Lets a frame arrive, and its duplicate, as its fate says, or keeps it; the frame's buffer goes
    /// back to the pool if it is lost.
    #[inline]
    pub(in crate::world) fn depart(
        &mut self,
        clock: &Clock,
        (from, to): (Port, Port),
        packet_id: u64,
        fate: Fate,
        frame: FrameBuffer,
    ) {
        let Fate::Arrives { at, duplicate_at } = fate else {
            if fate == Fate::Held {
                self.hold(clock.now(), (from, to), packet_id, frame);
            } else {
                self.pool.give_back(frame);
            }
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

    /// Keeps a frame until it is released.
    #[cold]
    fn hold(&mut self, now: u64, ends: (Port, Port), packet_id: u64, mut frame: FrameBuffer) {
        // Somebody may look at it.
        frame.fill_checksums();
        self.queue.add_held(frame.len());
        self.held.keep(ends, Held { frame, packet_id, sent: now });
    }

    /// Lets frames that were held arrive at `at`, in their order.
    pub(in crate::world) fn release(
        &mut self,
        clock: &Clock,
        at: u64,
        to: Port,
        released: impl IntoIterator<Item = Held>,
    ) {
        for Held { frame, packet_id, .. } in released {
            self.queue.remove_held(frame.len());
            let arrival = Arrival { to, frame, packet_id, duplicate: false };
            self.queue.push(at, clock.next_sequence(), arrival);
        }
    }
}
