//! What happens to frames between a host and its device.

use std::collections::BTreeMap;

use crate::network::{Direction, DropReason, Fate, Impairments};
use crate::rng::Seed;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::resolution::is_address_resolution;

/// Frames that may be on their way; one more is dropped.
const MOST_ON_THE_WAY: usize = 65_536;

/// The number of its one direction.
const ONLY: u32 = 0;

/// Delays, loses and repeats what a host sends.
pub(super) struct Wire {
    direction: Direction,
    on_the_way: BTreeMap<(u64, u64), FrameBuffer>,
    sequence: u64,
}

impl Wire {
    pub(super) fn new(impairments: Impairments, seed: Seed) -> Wire {
        let mut direction = Direction::new(seed.stream("wire"));
        direction.impairments = impairments;
        Wire { direction, on_the_way: BTreeMap::new(), sequence: 0 }
    }

    /// Decides what becomes of a frame. As on a simulated link, ARP and neighbour discovery meet
    /// no impairments.
    pub(super) fn fate(&mut self, now: u64, frame: &mut FrameBuffer) -> Fate {
        if self.on_the_way.len() >= MOST_ON_THE_WAY {
            return Fate::Dropped(DropReason::InFlightLimit);
        }
        if is_address_resolution(frame) {
            return self.direction.carry_arp(now);
        }
        let fate = self.direction.carry(now, frame.len(), frame.packet().len());
        if matches!(fate, Fate::Arrives { .. }) {
            frame.enter_link(ONLY);
        }
        fate
    }

    /// Takes a frame that is to arrive.
    pub(super) fn take(&mut self, fate: Fate, frame: FrameBuffer, pool: &mut FramePool) {
        let Fate::Arrives { at, duplicate_at } = fate else { return pool.give_back(frame) };
        if let Some(at) = duplicate_at {
            let copy = pool.copy(&frame);
            self.push(at.as_nanos(), copy);
        }
        self.push(at.as_nanos(), frame);
    }

    fn push(&mut self, at: u64, frame: FrameBuffer) {
        self.sequence += 1;
        self.on_the_way.insert((at, self.sequence), frame);
    }

    /// The next frame that has arrived.
    pub(super) fn arrived(&mut self, now: u64) -> Option<FrameBuffer> {
        let next = self.on_the_way.first_entry()?;
        if next.key().0 > now {
            return None;
        }
        let mut frame = next.remove();
        if frame.leave_link().is_some() {
            self.direction.arrived(frame.len());
        }
        Some(frame)
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.on_the_way.first_key_value().map(|((at, _), _)| *at)
    }
}
