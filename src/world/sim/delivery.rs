//! Frames on their way: from a host onto the network, and from the network to a host.

use super::world::World;
use crate::capture::Direction;
use crate::host::StateChange;
use crate::net::Turn;
use crate::network::{DropReason, Fate, NextHop, Port, StoppedBy};
use crate::time::Instant;
use crate::wire::frame::FrameBuffer;
use crate::world::core::event::{Arrival, Scheduled};
use crate::world::core::limits::BURST;
use crate::world::core::observe::Event;
use crate::world::core::vantage::DUPLICATE;

impl World {
    pub(super) fn handle_event(&mut self) {
        // Not every event is a turn.
        self.turn.more_follows = false;
        match self.traffic.queue.pop() {
            Some(Scheduled::Arrival(arrival)) => self.arrive(arrival),
            Some(Scheduled::HostDeadline { host }) => self.host_turn(host, None),
            Some(Scheduled::Fault(fault)) => {
                self.apply_fault(&fault, StoppedBy::Call);
                // Tasks have their turn before the next frame.
                self.turn.state_changed = true;
            }
            None => {}
        }
    }

    /// Frames that reach a host in one instant are handed to it before its tasks run again, as
    /// a network card's interrupt coalescing does, unless one changed a connection's state: what
    /// accepts connections must have its turn before a queue overflows. So must what reads
    /// datagrams, which is why a long burst is interrupted, as a driver's is (NAPI).
    pub(super) fn handle_rest_of_burst(&mut self) {
        let mut handled = 1;
        while handled < BURST
            && !self.turn.state_changed
            && (self.knows_that_burst_goes_on() || self.burst_goes_on(self.turn.host))
        {
            self.events += 1;
            self.handle_event();
            handled += 1;
        }
    }

    /// The last turn found that the burst goes on, and nothing can have come in between since: what
    /// is new comes after what was there.
    #[inline]
    fn knows_that_burst_goes_on(&self) -> bool {
        self.turn.more_follows && self.observer.is_none()
    }

    /// Whether the next thing that happens is a frame that reaches `host`, in this instant.
    fn burst_goes_on(&self, host: u32) -> bool {
        self.traffic.queue.next_is_arrival_at(self.tasks.now(), host)
            && self
                .tasks
                .clock
                .next_timer()
                .is_none_or(|timer| self.traffic.queue.next() < Some(timer))
    }

    fn arrive(&mut self, arrival: Arrival) {
        let Arrival { to, mut frame, packet_id, duplicate } = arrival;
        self.traffic.topology.arrived(&mut frame);
        // Switches and devices are no places where a frame of a simulated world arrives.
        let Some(index) = to.host() else { return self.traffic.pool.give_back(frame) };
        if self.machines.get(index).running().is_none() {
            self.arrives_at_nobody(to, index, packet_id, frame);
            return;
        }
        if !self.turn.unwatched {
            self.tell_arrival(index, packet_id, duplicate, &mut frame);
        }
        self.host_turn(index, Some(frame));
    }

    /// Tells who watches of a frame that arrives.
    #[inline(never)]
    fn tell_arrival(
        &mut self,
        index: u32,
        packet_id: u64,
        duplicate: bool,
        frame: &mut FrameBuffer,
    ) {
        let now = self.tasks.now();
        // Whoever watches may have come while it was on its way.
        frame.fill_checksums();
        if self.captures.has_interfaces() {
            let comments: &[&str] = if duplicate { &[DUPLICATE] } else { &[] };
            self.captures.frame(index, now, Direction::Inbound, packet_id, comments, frame.bytes());
        }
        if let Some(observer) = &mut self.observer {
            let time = Instant::from_nanos(now);
            observer(&Event::Arrived {
                time,
                host: self.plan.name(index),
                packet_id,
                frame: frame.bytes(),
                duplicate,
            });
        }
    }

    /// Lets a host do what there is to do, and sends what it has to send.
    pub(super) fn host_turn(&mut self, index: u32, arrived: Option<FrameBuffer>) {
        let more_follows = arrived.is_some() && self.burst_goes_on(index);
        let Some(running) = self.machines.get(index).running() else { return };
        let span = &running.scope.span;
        if !span.is_disabled() {
            return self.host_turn_in_span(index, arrived, more_follows);
        }
        self.host_turn_as(index, arrived, more_follows);
    }

    /// As [`World::host_turn`], where somebody listens to what hosts tell of.
    #[cold]
    fn host_turn_in_span(&mut self, index: u32, arrived: Option<FrameBuffer>, more_follows: bool) {
        let Some(running) = self.machines.get(index).running() else { return };
        let _in_span = running.scope.span.clone().entered();
        self.host_turn_as(index, arrived, more_follows);
    }

    #[inline]
    fn host_turn_as(&mut self, index: u32, arrived: Option<FrameBuffer>, more_follows: bool) {
        let Some(running) = self.machines.get(index).running() else { return };
        let deadline =
            running.host.turn(arrived, more_follows, &mut self.traffic.pool, &mut self.turn);
        self.send_turn(index);
        if let Some(deadline) = deadline {
            self.queue_deadline(index, deadline);
        }
    }

    /// Sends what a host has sent before something else in this instant.
    pub(super) fn send_early(&mut self, sent: Turn) {
        let (index, unwatched) = (sent.host, self.turn.unwatched);
        let rest = std::mem::replace(&mut self.turn, sent);
        self.turn.unwatched = unwatched;
        self.send_turn(index);
        self.turn = rest;
    }

    /// Sends what came of a turn, and tells of it.
    #[inline]
    fn send_turn(&mut self, index: u32) {
        if !self.turn.discarded.is_empty() {
            self.tell_discarded(index);
        }
        if !self.turn.sent.is_empty() {
            // One frame is the common case.
            if self.turn.sent.len() == 1
                && self.turn.changes.is_empty()
                && let Some(frame) = self.turn.sent.pop()
            {
                self.send(index, frame);
            } else {
                self.send_all(index);
            }
        }
        if !self.turn.changes.is_empty() {
            self.tell_changes(index, usize::MAX);
        }
    }

    #[inline(never)]
    fn send_all(&mut self, index: u32) {
        let mut sent = std::mem::take(&mut self.turn.sent);
        for (frames_sent, frame) in sent.drain(..).enumerate() {
            if !self.turn.changes.is_empty() {
                self.tell_changes(index, frames_sent);
            }
            self.send(index, frame);
        }
        self.turn.sent = sent;
    }

    /// Tells the observer, and the captures of links, of connections that changed their state
    /// before the host's turn had sent more than so many frames.
    fn tell_changes(&mut self, index: u32, frames_sent: usize) {
        let due = self.turn.changes.partition_point(|change| change.frames_before <= frames_sent);
        let now = self.tasks.now();
        let time = Instant::from_nanos(now);
        let host = self.plan.name(index);
        for StateChange { local, remote, from, to, .. } in self.turn.changes.drain(..due) {
            let ends = (local.ip(), remote.ip());
            let message = || format!("{local} > {remote} {from} -> {to}");
            self.captures.event_between(ends, now, host, message);
            if let Some(observer) = &mut self.observer {
                observer(&Event::State { time, host, local, remote, from, to });
            }
        }
    }

    fn queue_deadline(&mut self, index: u32, deadline: u64) {
        // One that only moves later, as a connection's does with each acknowledgment, costs nothing:
        // the host is asked too early, once.
        let at = deadline.max(self.tasks.now());
        if self.traffic.queue.deadline(index).is_none_or(|queued| at < queued) {
            self.traffic.queue.set_deadline(index, at, self.tasks.clock.next_sequence());
        }
    }

    /// Puts a frame on the network.
    #[inline(never)]
    fn send(&mut self, from: u32, frame: FrameBuffer) {
        if self.observer.is_some() {
            // It may have asked for something as it was told of the frame before.
            self.carry_out_orders();
        }
        let packet_id = self.traffic.number_packet();
        if self.captures.has_interfaces() {
            self.capture_departure(from, packet_id, &frame);
        }
        let frame = if self.rules.is_empty() {
            frame
        } else {
            let Some(frame) = self.apply_rules(from, packet_id, frame) else { return };
            frame
        };
        match self.traffic.topology.next_hop(Port::of_host(from), &frame) {
            NextHop::Port(to) => self.send_to(from, to, packet_id, frame),
            NextHop::Nobody => self.send_to_nobody(from, packet_id, frame, DropReason::NoSuchHost),
            NextHop::Many => self.send_to_many(from, packet_id, frame),
        }
    }

    #[inline(never)]
    fn capture_departure(&mut self, from: u32, packet_id: u64, frame: &FrameBuffer) {
        let now = self.tasks.now();
        self.captures.frame(from, now, Direction::Outbound, packet_id, &[], frame.bytes());
    }

    #[inline]
    fn send_to(&mut self, from: u32, to: Port, packet_id: u64, mut frame: FrameBuffer) {
        let is_up = |host| self.machines.get(host).running().is_some();
        let fate = if !to.host().is_some_and(is_up) {
            Fate::Dropped(DropReason::HostDown)
        } else if self.traffic.is_overloaded_by(&frame, self.plan.limits.in_flight) {
            Fate::Dropped(DropReason::InFlightLimit)
        } else {
            self.traffic.topology.carry(self.tasks.now(), Port::of_host(from), to, &mut frame)
        };
        self.note_fate(from, Some(to), packet_id, &fate, &frame);
        self.traffic.depart(&self.tasks.clock, (Port::of_host(from), to), packet_id, fate, frame);
    }

    fn send_to_nobody(
        &mut self,
        from: u32,
        packet_id: u64,
        frame: FrameBuffer,
        reason: DropReason,
    ) {
        self.note_fate(from, None, packet_id, &Fate::Dropped(reason), &frame);
        self.traffic.pool.give_back(frame);
    }

    /// Hands a frame for everybody, or for a group, to each host that listens to it, over the
    /// path to that host, as a switch that watches who joins does (RFC 4541).
    fn send_to_many(&mut self, from: u32, packet_id: u64, frame: FrameBuffer) {
        let others = (0..self.traffic.topology.hosts_of_lan()).filter(|host| *host != from);
        let listens = |host: &u32| {
            let running = self.machines.get(*host).running();
            running.is_some_and(|running| running.host.look(|host| host.listens_to(&frame)))
        };
        let listeners: Vec<u32> = others.filter(listens).collect();
        if listeners.is_empty() {
            return self.send_to_nobody(from, packet_id, frame, DropReason::NoListener);
        }
        self.log.recorder.sent_to_many(from, self.tasks.now(), packet_id, &frame);
        for to in listeners {
            let copy = self.traffic.pool.copy(&frame);
            self.send_to(from, Port::of_host(to), packet_id, copy);
        }
        self.traffic.pool.give_back(frame);
    }

    /// Tells captures of links, observer and report what becomes of a frame.
    #[inline]
    pub(super) fn note_fate(
        &mut self,
        from: u32,
        to: Option<Port>,
        packet_id: u64,
        fate: &Fate,
        frame: &FrameBuffer,
    ) {
        let now = self.tasks.now();
        let receiver = to.and_then(Port::host);
        if !self.log.recorder.sent(from, receiver, now, packet_id, fate, frame) {
            let next_packet_id = self.traffic.packets() + 1;
            self.log.last_frames.push(now, from, receiver, *fate, next_packet_id, frame);
        }
        if self.captures.has_taps() || self.observer.is_some() || matches!(fate, Fate::Dropped(_)) {
            self.tell_fate(from, to, packet_id, fate, frame);
        }
    }

    /// Tells of what becomes of a frame, where somebody wants to know or it does not arrive.
    #[cold]
    fn tell_fate(
        &mut self,
        from: u32,
        to: Option<Port>,
        packet_id: u64,
        fate: &Fate,
        frame: &FrameBuffer,
    ) {
        let now = self.tasks.now();
        let receiver = to.and_then(Port::host);
        if self.captures.has_taps()
            && let Some(to) = to
            && let Some(half) = self.traffic.topology.half_link(Port::of_host(from), to)
        {
            self.captures.transmission(half, now, packet_id, fate, frame.bytes());
        }
        if let Some(observer) = &mut self.observer {
            observer(&Event::Sent {
                time: Instant::from_nanos(now),
                from: self.plan.name(from),
                to: receiver.map(|host| self.plan.name(host)),
                packet_id,
                frame: frame.bytes(),
                fate: *fate,
            });
        }
        if let Fate::Dropped(reason) = fate {
            self.log.drops.count(*reason);
            tracing::debug!(target: "glassnet::network", packet_id, %reason, "dropped");
        }
    }
}
