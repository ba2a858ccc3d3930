//! Frames on their way: from a host onto the network, and from the network to a host.

use super::event::{Arrival, Scheduled};
use super::limits;
use super::observe::Event;
use super::state::World;
use crate::capture::Direction as CaptureDirection;
use crate::host::StateChange;
use crate::network::{Destination, DropReason, Fate};
use crate::time::Instant;
use crate::wire::frame::FrameBuffer;

impl World {
    pub(super) fn handle_event(&mut self) {
        match self.queue.pop() {
            Some(Scheduled::Arrival(arrival)) => self.arrive(arrival),
            Some(Scheduled::HostDeadline { host }) => {
                self.machines[host as usize].queued_deadline = None;
                self.host_turn(host, None);
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
        while handled < limits::BURST
            && !self.turn.state_changed
            && self.burst_goes_on(self.turn.host)
        {
            self.events += 1;
            self.handle_event();
            handled += 1;
        }
    }

    /// Whether the next thing that happens is a frame that reaches `host`, in this instant.
    fn burst_goes_on(&self, host: u32) -> bool {
        self.queue.next_is_arrival_at(self.clock.now(), host)
            && self.clock.next_timer().is_none_or(|timer| self.queue.next() < Some(timer))
    }

    fn arrive(&mut self, arrival: Arrival) {
        let Arrival { host: index, mut frame, packet_id, duplicate } = arrival;
        let now = self.clock.now();
        self.lan.arrived(&mut frame);
        let machine = &self.machines[index as usize];
        if machine.running.is_none() {
            self.arrives_at_nobody(index, packet_id, frame);
            return;
        }
        if !self.turn.unwatched {
            // Whoever watches may have come while it was on its way.
            frame.fill_checksums();
        }
        for vantage in &machine.vantages {
            let written = self.vantages[*vantage].frame(
                now,
                CaptureDirection::Inbound,
                packet_id,
                duplicate,
                frame.bytes(),
            );
            if let Err(error) = written {
                self.capture_failure.get_or_insert(error);
            }
        }
        if let Some(observer) = &mut self.observer {
            let time = Instant::from_nanos(now);
            observer(&Event::Arrived {
                time,
                host: &machine.name,
                packet_id,
                frame: frame.bytes(),
                duplicate,
            });
        }
        self.host_turn(index, Some(frame));
    }

    /// Lets a host do what there is to do, and sends what it has to send.
    pub(super) fn host_turn(&mut self, index: u32, arrived: Option<FrameBuffer>) {
        let more_follows = arrived.is_some() && self.burst_goes_on(index);
        let Some(running) = &self.machines[index as usize].running else { return };
        let span = &running.scope.span;
        // Where nobody listens it is not worth a clone.
        let _in_span = (!span.is_disabled()).then(|| span.clone().entered());
        let deadline = running.host.turn(arrived, more_follows, &mut self.pool, &mut self.turn);
        if !self.turn.discarded.is_empty() {
            self.tell_discarded(index);
        }
        if !self.turn.sent.is_empty() {
            let mut sent = std::mem::take(&mut self.turn.sent);
            for (frames_sent, frame) in sent.drain(..).enumerate() {
                if !self.turn.changes.is_empty() {
                    self.tell_changes(index, frames_sent);
                }
                self.send(index, frame);
            }
            self.turn.sent = sent;
        }
        if !self.turn.changes.is_empty() {
            self.tell_changes(index, usize::MAX);
        }
        if let Some(deadline) = deadline {
            self.queue_deadline(index, deadline);
        }
    }

    /// Tells the observer, and the captures of links, of connections that changed their state
    /// before the host's turn had sent more than so many frames.
    fn tell_changes(&mut self, index: u32, frames_sent: usize) {
        let due = self.turn.changes.partition_point(|change| change.frames_before <= frames_sent);
        let now = self.clock.now();
        let time = Instant::from_nanos(now);
        let host = &self.machines[index as usize].name;
        for StateChange { local, remote, from, to, .. } in self.turn.changes.drain(..due) {
            for vantage in &mut self.vantages {
                if vantage.joins(local.ip(), remote.ip()) {
                    let written =
                        vantage.event(now, host, &format!("{local} > {remote} {from} -> {to}"));
                    if let Err(error) = written {
                        self.capture_failure.get_or_insert(error);
                    }
                }
            }
            if let Some(observer) = &mut self.observer {
                observer(&Event::State { time, host, local, remote, from, to });
            }
        }
    }

    /// Tells the captures of links of a fault.
    pub(super) fn tell_link_captures(&mut self, message: &str) {
        let now = self.clock.now();
        for vantage in self.vantages.iter_mut().filter(|vantage| vantage.is_link()) {
            if let Err(error) = vantage.event(now, "", message) {
                self.capture_failure.get_or_insert(error);
            }
        }
    }

    pub(super) fn queue_deadline(&mut self, index: u32, deadline: u64) {
        let machine = &mut self.machines[index as usize];
        if machine.queued_deadline.is_none_or(|queued| deadline < queued) {
            machine.queued_deadline = Some(deadline);
            let at = deadline.max(self.clock.now());
            self.queue.set_deadline(index, at, self.clock.next_sequence());
        }
    }

    /// Puts a frame on the network.
    pub(super) fn send(&mut self, from: u32, frame: FrameBuffer) {
        let packet_id = self.next_packet_id;
        self.next_packet_id += 1;
        self.note_outbound(from, packet_id, &frame);
        let frame = if self.rules.is_empty() {
            frame
        } else {
            let Some(frame) = self.apply_rules(from, packet_id, frame) else { return };
            frame
        };
        match self.lan.destination(&frame) {
            Destination::Host(to) => self.send_to(from, to, packet_id, frame),
            Destination::Nobody => {
                self.send_to_nobody(from, packet_id, frame, DropReason::NoSuchHost)
            }
            Destination::Many => self.send_to_many(from, packet_id, frame),
        }
    }

    #[inline]
    fn send_to(&mut self, from: u32, to: u32, packet_id: u64, mut frame: FrameBuffer) {
        let fate = if self.machines[to as usize].running.is_none() {
            Fate::Dropped(DropReason::HostDown)
        } else if self.is_overloaded_by(&frame) {
            Fate::Dropped(DropReason::InFlightLimit)
        } else {
            self.lan.carry(self.clock.now(), from, to, &mut frame)
        };
        self.note_fate(from, Some(to), packet_id, &fate, &frame);
        let Fate::Arrives { at, duplicate_at } = fate else {
            self.pool.give_back(frame);
            return;
        };
        let copy = duplicate_at.map(|at| (at, self.pool.copy(&frame)));
        let first = Arrival { host: to, frame, packet_id, duplicate: false };
        self.queue.push(at.as_nanos(), self.clock.next_sequence(), first);
        if let Some((at, frame)) = copy {
            let second = Arrival { host: to, frame, packet_id, duplicate: true };
            self.queue.push(at.as_nanos(), self.clock.next_sequence(), second);
        }
    }

    fn send_to_nobody(
        &mut self,
        from: u32,
        packet_id: u64,
        frame: FrameBuffer,
        reason: DropReason,
    ) {
        self.note_fate(from, None, packet_id, &Fate::Dropped(reason), &frame);
        self.pool.give_back(frame);
    }

    /// Hands a frame for everybody, or for a group, to each host that listens to it, over the
    /// path to that host, as a switch that watches who joins does (RFC 4541).
    fn send_to_many(&mut self, from: u32, packet_id: u64, frame: FrameBuffer) {
        let others = (0..self.lan.hosts()).filter(|host| *host != from);
        let listens = |host: &u32| {
            let running = self.machines[*host as usize].running.as_ref();
            running.is_some_and(|running| running.host.look(|host| host.listens_to(&frame)))
        };
        let listeners: Vec<u32> = others.filter(listens).collect();
        if listeners.is_empty() {
            return self.send_to_nobody(from, packet_id, frame, DropReason::NoListener);
        }
        self.recorder.sent_to_many(from, self.clock.now(), packet_id, &frame);
        for to in listeners {
            let copy = self.pool.copy(&frame);
            self.send_to(from, to, packet_id, copy);
        }
        self.pool.give_back(frame);
    }

    /// Tells the captures of its interface of a frame that a host sends.
    #[inline]
    fn note_outbound(&mut self, from: u32, packet_id: u64, frame: &FrameBuffer) {
        let now = self.clock.now();
        for vantage in &self.machines[from as usize].vantages {
            let written = self.vantages[*vantage].frame(
                now,
                CaptureDirection::Outbound,
                packet_id,
                false,
                frame.bytes(),
            );
            if let Err(error) = written {
                self.capture_failure.get_or_insert(error);
            }
        }
    }

    /// Tells captures of links, observer and report what becomes of a frame.
    #[inline]
    pub(super) fn note_fate(
        &mut self,
        from: u32,
        to: Option<u32>,
        packet_id: u64,
        fate: &Fate,
        frame: &FrameBuffer,
    ) {
        let now = self.clock.now();
        if !self.recorder.sent(from, to, now, packet_id, fate, frame) {
            self.last_frames.push(now, from, to, *fate, self.next_packet_id, frame);
        }
        if !self.link_vantages.is_empty()
            && let Some(to) = to
            && let Some(taps) = self
                .lan
                .index_between(from, to)
                .and_then(|direction| self.link_vantages.get(&direction))
        {
            for (vantage, end) in taps {
                let written =
                    self.vantages[*vantage].transmission(now, *end, packet_id, fate, frame.bytes());
                if let Err(error) = written {
                    self.capture_failure.get_or_insert(error);
                }
            }
        }
        let machine = &self.machines[from as usize];
        if let Some(observer) = &mut self.observer {
            let time = Instant::from_nanos(now);
            let to = to.map(|to| self.machines[to as usize].name.as_str());
            observer(&Event::Sent {
                time,
                from: &machine.name,
                to,
                packet_id,
                frame: frame.bytes(),
                fate: *fate,
            });
        }
        if let Fate::Dropped(reason) = fate {
            self.drops.count(*reason);
            tracing::debug!(target: "glassnet::network", packet_id, %reason, "dropped");
        }
    }
}
