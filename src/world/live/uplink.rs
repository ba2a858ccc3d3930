//! The way of a live host to its device: captures, impairments, and what is to be sent now.

use std::io;

use super::clock::WallClock;
use crate::capture::{Direction, Start};
use crate::clock::Clock;
use crate::host::Discarded;
use crate::net::Names;
use crate::network::{DropReason, Fate, Impairments, Port};
use crate::rng::Seed;
use crate::task::Alarm;
use crate::wire::frame::FrameBuffer;
use crate::world::core::captures::Captures;
use crate::world::core::describe::describe_alone;
use crate::world::core::event::Scheduled;
use crate::world::core::traffic::Traffic;
use crate::world::core::vantage::{DUPLICATED, HELD, comment_on_drop};
use crate::world::plan::Plan;

/// The host's number.
pub(super) const ONLY: u32 = 0;
/// The host's interface, and the device at the other end of its link.
const INTERFACE: Port = Port::of_host(ONLY);
const DEVICE: Port = Port::of_device(0);
/// Frames that may be on their way to the device; one more is dropped.
const MAX_IN_FLIGHT: usize = 65_536;

/// The way of a host to its device.
pub(super) struct Uplink<'l> {
    pub(super) traffic: Traffic,
    pub(super) captures: &'l mut Captures,
    /// Captures have the time of each frame, while the world's time stands still as hosts and
    /// tasks work.
    clock: WallClock,
    /// Whether there is a link to the device that does something to frames.
    is_impaired: bool,
    /// What the device is to send now.
    pub(super) sent: Vec<FrameBuffer>,
}

impl<'l> Uplink<'l> {
    /// The way to a device, over a link that does something to frames, or over none.
    pub(super) fn new(
        seed: Seed,
        impairments: Option<&Impairments>,
        captures: &'l mut Captures,
        clock: WallClock,
    ) -> Uplink<'l> {
        let mut traffic = Traffic::new();
        if let Some(impairments) = impairments {
            let streams = [seed.stream("wire"), seed.stream("wire back")];
            let link = traffic.topology.connect(INTERFACE, DEVICE, streams);
            traffic.topology.set_impairments(link, impairments);
        }
        let is_impaired = impairments.is_some();
        Uplink { traffic, captures, clock, is_impaired, sent: Vec::new() }
    }

    /// Begins the captures, or goes on with them.
    pub(super) fn begin_captures(
        &mut self,
        plan: &Plan,
        names: &Names,
        start: Start,
        alarm: &Alarm,
    ) -> io::Result<()> {
        self.captures.begin_sections(plan, names, start)?;
        self.captures.begin(plan, &self.traffic.topology, names, start, alarm)
    }

    /// Whether one frame may stand for several. With a capture or impairments, no: those are shown
    /// frames that a wire would have.
    pub(super) fn may_offload(&self) -> bool {
        self.captures.is_empty() && !self.is_impaired
    }

    /// Whether no frame is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.traffic.queue.arrivals() == 0
    }

    /// When the next frame reaches the device.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.traffic.queue.next().map(|(at, _)| at)
    }

    /// Lets the device have the frames that have reached it.
    pub(super) fn deliver_due(&mut self, now: u64) {
        while self.deadline().is_some_and(|at| at <= now) {
            match self.traffic.queue.pop() {
                Some(Scheduled::Arrival(mut arrival)) => {
                    self.traffic.topology.arrived(&mut arrival.frame);
                    self.sent.push(arrival.frame);
                }
                Some(Scheduled::HostDeadline { .. } | Scheduled::Fault(_)) => {
                    debug_assert!(false, "only frames are in the queue of a live world");
                }
                None => return,
            }
        }
    }

    /// Puts frames on their way to the device.
    pub(super) fn send_all(&mut self, clock: &Clock, frames: &mut Vec<FrameBuffer>) {
        if self.may_offload() {
            self.sent.append(frames);
        } else {
            frames.drain(..).for_each(|frame| self.send(clock, frame));
        }
    }

    /// Puts a frame on its way to the device.
    pub(super) fn send(&mut self, clock: &Clock, mut frame: FrameBuffer) {
        if !self.is_impaired {
            self.capture(Direction::Outbound, &[], &frame);
            self.sent.push(frame);
            return;
        }
        let fate = if self.traffic.queue.arrivals() >= MAX_IN_FLIGHT {
            Fate::Dropped(DropReason::InFlightLimit)
        } else {
            self.traffic.topology.carry(clock.now(), INTERFACE, DEVICE, &mut frame)
        };
        let dropped;
        let comments: &[&str] = match fate {
            Fate::Dropped(reason) => {
                dropped = comment_on_drop(reason);
                &[&dropped]
            }
            Fate::Arrives { duplicate_at: Some(_), .. } => &[DUPLICATED],
            Fate::Arrives { duplicate_at: None, .. } => &[],
            Fate::Held => &[HELD],
        };
        let packet_id = self.capture(Direction::Outbound, comments, &frame);
        self.traffic.depart(clock, (INTERFACE, DEVICE), packet_id, fate, frame);
    }

    /// Shows a frame to the captures. Returns the number that it has there.
    pub(super) fn capture(
        &mut self,
        direction: Direction,
        comments: &[&str],
        frame: &FrameBuffer,
    ) -> u64 {
        let packet_id = self.traffic.number_packet();
        if !self.captures.is_empty() {
            let now = self.clock.now();
            self.captures.frame(ONLY, now, direction, packet_id, comments, frame.bytes());
        }
        packet_id
    }

    /// Tells captures and log of what never left the host.
    pub(super) fn tell_discarded(&mut self, host: &str, discarded: Discarded) {
        let Discarded { frame, reason } = discarded;
        let reason = DropReason::from(reason);
        tracing::debug!(target: "glassnet::network", %reason, "dropped");
        let what = describe_alone(frame.bytes(), frame.len());
        let message = format!("{} ({what})", comment_on_drop(reason));
        let seeing = self.captures.that_see(ONLY, None, None);
        self.captures.event_at(&seeing, self.clock.now(), host, &message);
        self.traffic.pool.give_back(frame);
    }
}
