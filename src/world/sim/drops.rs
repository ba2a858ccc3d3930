//! Frames that die elsewhere than on a link, and how many died of what.

use std::fmt::Write;

use super::Sim;
use super::world::World;
use crate::host::{Discarded, HostCounters};
use crate::network::{DropReason, Port};
use crate::time::Instant;
use crate::wire::frame::FrameBuffer;
use crate::wire::packet::Excerpt;
use crate::world::core::describe::describe_alone;
use crate::world::core::frame_log::Death;
use crate::world::core::observe::Event;
use crate::world::core::report::LINES;
use crate::world::core::vantage::comment_on_drop;

impl Sim {
    /// Frames that died for this reason so far, on all links and at all hosts.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.world.log.drops.of(reason)
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
        let machines = &self.world.machines;
        self.world.plan.host_called(host).map(|host| machines.get(host).counters())
    }

    /// Changes how many bytes may be on their way in the whole world, each frame counted with 256
    /// for itself; a frame beyond that is dropped
    /// ([`DropReason::InFlightLimit`](crate::DropReason::InFlightLimit)). The default is 256 MiB.
    /// ARP and neighbour discovery are not held to it. Each direction of a link has a limit
    /// besides: [`Impairments::in_flight`](crate::Impairments::in_flight).
    pub fn in_flight_limit(&mut self, bytes: usize) -> &mut Sim {
        self.world.plan.limits.in_flight = bytes;
        self
    }
}

impl World {
    /// A frame reaches a host that has crashed while it was on its way.
    #[cold]
    pub(super) fn arrives_at_nobody(
        &mut self,
        to: Port,
        host: u32,
        packet_id: u64,
        mut frame: FrameBuffer,
    ) {
        frame.fill_checksums();
        let from = self.traffic.topology.sender(&frame);
        let half = from.and_then(|from| self.traffic.topology.half_link(from, to));
        let seeing = self.captures.that_see(host, half, None);
        let why = format!("lost: host {} is down", self.plan.name(host));
        tracing::debug!(target: "glassnet::network", packet_id, "{why}");
        let from = from.and_then(Port::host).unwrap_or(host);
        let death = Death { host, from, to: Some(host), packet_id, reason: DropReason::HostDown };
        self.note_death(death, &seeing, &frame, &why);
        self.traffic.pool.give_back(frame);
    }

    /// Tells of what never left a host.
    #[cold]
    pub(super) fn tell_discarded(&mut self, from: u32) {
        let mut discarded = std::mem::take(&mut self.turn.discarded);
        for Discarded { frame, reason } in discarded.drain(..) {
            let packet_id = self.traffic.number_packet();
            let reason = DropReason::from(reason);
            let header = Excerpt::parse(frame.packet()).map(|excerpt| excerpt.header);
            let ends = header.map(|header| (header.source, header.destination));
            let seeing = self.captures.that_see(from, None, ends);
            tracing::debug!(target: "glassnet::network", packet_id, %reason, "dropped");
            let death = Death { host: from, from, to: None, packet_id, reason };
            self.note_death(death, &seeing, &frame, &comment_on_drop(reason));
            self.traffic.pool.give_back(frame);
        }
        self.turn.discarded = discarded;
    }

    /// Tells captures, observer and report of a frame that died at a host.
    fn note_death(&mut self, death: Death, seeing: &[usize], frame: &FrameBuffer, why: &str) {
        let Death { host, packet_id, reason, .. } = death;
        let now = self.tasks.now();
        let next_packet_id = self.traffic.packets() + 1;
        self.log.died(now, &death, next_packet_id, frame);
        let host = self.plan.name(host);
        if !seeing.is_empty() {
            let what = describe_alone(frame.bytes(), frame.len());
            let message = format!("{why} (packet {packet_id}: {what})");
            self.captures.event_at(seeing, now, host, &message);
        }
        if let Some(observer) = &mut self.observer {
            let (time, frame) = (Instant::from_nanos(now), frame.bytes());
            observer(&Event::Dropped { time, host, packet_id, frame, reason });
        }
    }

    /// What was dropped and discarded, for a report.
    pub(super) fn write_drops(&self, text: &mut String) {
        self.log.drops.write(text);
        let mut shown = 0;
        for (machine, plan) in self.machines.all().iter().zip(self.plan.hosts()) {
            let counters = machine.counters();
            if counters != HostCounters::default() && shown < LINES {
                let title = if shown == 0 { "\ndiscarded:" } else { "" };
                let _ = write!(text, "{title}\n  {}: {counters}", plan.name);
                shown += 1;
            }
        }
    }
}
