//! Frames that die elsewhere than on a link, and how many died of what.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::frames::describe_alone;
use super::observe::Event;
use super::sim::Sim;
use super::state::World;
use crate::host::{Discarded, Host, HostCounters};
use crate::network::{DropReason, Fate, charge};
use crate::time::Instant;
use crate::wire::frame::FrameBuffer;
use crate::wire::packet::Excerpt;
use crate::wire::resolution::is_address_resolution;

/// How many frames died of what.
#[derive(Debug, Default)]
pub(super) struct Drops(BTreeMap<DropReason, u64>);

impl Drops {
    pub(super) fn count(&mut self, reason: DropReason) {
        *self.0.entry(reason).or_default() += 1;
    }
}

impl Sim {
    /// Frames that died for this reason so far, on all links and at all hosts.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.world.drops.0.get(&reason).copied().unwrap_or(0)
    }

    /// What a host has discarded so far, also before it crashed; `None` when no host has the
    /// name.
    ///
    /// Whatever a host does not take, or does not let go, is counted here; a report of a failure
    /// shows what is not 0.
    ///
    /// ```
    /// use glassnet::{Sim, net::UdpSocket, time::sleep};
    /// use std::time::Duration;
    ///
    /// let mut sim = Sim::new(7);
    /// sim.client("client", async {
    ///     let socket = UdpSocket::bind("0.0.0.0:0").await?;
    ///     socket.send_to(b"is anybody there?", "server:9").await?;
    ///     sleep(Duration::from_secs(1)).await;
    ///     Ok(())
    /// });
    /// sim.client("server", async {
    ///     sleep(Duration::from_secs(1)).await;
    ///     Ok(())
    /// });
    /// sim.run()?;
    /// assert_eq!(sim.counters("server").map(|counters| counters.udp_no_ports), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn counters(&self, host: &str) -> Option<HostCounters> {
        self.world.host_index(host).map(|index| self.world.counters_of(index))
    }

    /// Changes how many bytes may be on their way in the whole world, each frame counted with 256
    /// for itself; a frame beyond that is dropped
    /// ([`DropReason::InFlightLimit`](crate::DropReason::InFlightLimit)). The default is 256 MiB.
    /// ARP and neighbour discovery are not held to it. Each direction of a link has a limit
    /// besides: [`Impairments::in_flight`](crate::Impairments::in_flight).
    pub fn in_flight_limit(&mut self, bytes: usize) -> &mut Sim {
        self.world.in_flight_limit = bytes;
        self
    }
}

impl World {
    fn counters_of(&self, index: u32) -> HostCounters {
        let machine = &self.machines[index as usize];
        let mut counters = machine.counters_before;
        if let Some(running) = &machine.running {
            counters.add(&running.host.look(Host::counters));
        }
        counters
    }

    /// Whether a frame would be too much on its way. The questions that hosts ask for each other
    /// pass: they are few.
    #[inline]
    pub(super) fn is_overloaded_by(&self, frame: &FrameBuffer) -> bool {
        self.queue.bytes().saturating_add(charge(frame.len())) > self.in_flight_limit
            && !is_address_resolution(frame)
    }

    /// A frame reaches a host that has crashed while it was on its way.
    #[cold]
    pub(super) fn arrives_at_nobody(&mut self, to: u32, packet_id: u64, mut frame: FrameBuffer) {
        frame.fill_checksums();
        let from = self.lan.sender(&frame);
        let mut vantages = self.machines[to as usize].vantages.clone();
        let direction = from.and_then(|from| self.lan.index_between(from, to));
        if let Some(taps) = direction.and_then(|direction| self.link_vantages.get(&direction)) {
            vantages.extend(taps.iter().map(|(vantage, _)| *vantage));
        }
        let why = format!("lost: host {} is down", self.machines[to as usize].name);
        self.note_death(to, &vantages, packet_id, &frame, (DropReason::HostDown, &why));
        tracing::debug!(target: "glassnet::network", packet_id, "{why}");
        let fate = Fate::Dropped(DropReason::HostDown);
        let now = self.clock.now();
        self.last_frames.push(now, from.unwrap_or(to), Some(to), fate, self.next_packet_id, &frame);
        self.pool.give_back(frame);
    }

    /// Tells of what never left a host.
    #[cold]
    pub(super) fn tell_discarded(&mut self, from: u32) {
        let mut discarded = std::mem::take(&mut self.turn.discarded);
        for Discarded { frame, reason } in discarded.drain(..) {
            let packet_id = self.next_packet_id;
            self.next_packet_id += 1;
            let reason = DropReason::from(reason);
            let mut vantages = self.machines[from as usize].vantages.clone();
            if let Some(Excerpt { header, .. }) = Excerpt::parse(frame.packet()) {
                let all = self.vantages.iter().enumerate();
                let joining =
                    all.filter(|(_, vantage)| vantage.joins(header.source, header.destination));
                vantages.extend(joining.map(|(index, _)| index));
            }
            let why = format!("dropped: {reason}");
            self.note_death(from, &vantages, packet_id, &frame, (reason, &why));
            tracing::debug!(target: "glassnet::network", packet_id, %reason, "dropped");
            let now = self.clock.now();
            let (fate, next) = (Fate::Dropped(reason), self.next_packet_id);
            self.last_frames.push(now, from, None, fate, next, &frame);
            self.pool.give_back(frame);
        }
        self.turn.discarded = discarded;
    }

    /// Tells captures, observer and counter of a frame that died at a host.
    fn note_death(
        &mut self,
        host: u32,
        vantages: &[usize],
        packet_id: u64,
        frame: &FrameBuffer,
        (reason, why): (DropReason, &str),
    ) {
        self.drops.count(reason);
        let now = self.clock.now();
        let machine = &self.machines[host as usize];
        if !vantages.is_empty() {
            let what = describe_alone(frame.bytes(), frame.len());
            let message = format!("{why} (packet {packet_id}: {what})");
            for vantage in vantages {
                let written = self.vantages[*vantage].event(now, &machine.name, &message);
                if let Err(error) = written {
                    self.capture_failure.get_or_insert(error);
                }
            }
        }
        if let Some(observer) = &mut self.observer {
            let time = Instant::from_nanos(now);
            let (host, frame) = (machine.name.as_str(), frame.bytes());
            observer(&Event::Dropped { time, host, packet_id, frame, reason });
        }
    }

    /// What was dropped and discarded, for a report.
    pub(super) fn write_drops(&self, text: &mut String) {
        if !self.drops.0.is_empty() {
            let each = self.drops.0.iter().map(|(reason, count)| format!("{reason} {count}"));
            let each: Vec<String> = each.collect();
            let _ = write!(text, "\nframes dropped: {}", each.join(", "));
        }
        let mut shown = 0;
        for (machine, index) in self.machines.iter().zip(0..) {
            let counters = self.counters_of(index);
            if counters != HostCounters::default() && shown < super::report::LINES {
                let title = if shown == 0 { "\ndiscarded:" } else { "" };
                let _ = write!(text, "{title}\n  {}: {counters}", machine.name);
                shown += 1;
            }
        }
    }
}
