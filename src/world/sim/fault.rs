//! Faults: what a test does to hosts, links and chosen frames on purpose.

use std::time::Duration;

use super::Sim;
use super::desk::Order;
use super::faults::{Faults, FaultsAt};
use super::held::HeldFrame;
use super::link_fault::refuse;
use super::verbs::fault_verbs;
use super::world::World;
use crate::network::{
    DropReason, Fate, FrameMatch, HalfLinkId, Impairments, NextHop, Port, Stop, StoppedBy,
};
use crate::time::Instant;
use crate::wire::frame::FrameBuffer;
use crate::world::core::held::Held;
use crate::world::core::observe::Event;
use crate::world::plan::{Fault, Hosts, LinkChange};

fault_verbs!(Sim, self, &mut Self);

impl Sim {
    /// A handle with which tasks, observers and whoever else is given it enter faults.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults::new(self.world.desk.clone())
    }

    /// Enters faults that happen at a time, counted from the beginning of the world:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use glassnet::Sim;
    ///
    /// let mut sim = Sim::new(7);
    /// sim.at(Duration::from_secs(3)).partition("client", ["db1", "db2"]);
    /// sim.at(Duration::from_secs(5)).heal("client", ["db1", "db2"]);
    /// for name in ["db1", "db2"] {
    ///     sim.host(name, || async { Ok(()) });
    /// }
    /// sim.client("client", async { Ok(()) });
    /// sim.run()?;
    /// assert!(sim.plan().contains("at 3s partition client db1,db2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "nothing is done until a method says what"]
    pub fn at(&mut self, time: Duration) -> FaultsAt {
        self.faults().at(time)
    }

    /// [`Faults::held`].
    ///
    /// # Panics
    /// When no host has one of the names.
    #[track_caller]
    #[must_use]
    pub fn held(&self, from: &str, to: &str) -> Vec<HeldFrame> {
        self.faults().held(from, to)
    }

    /// [`Faults::deliver`].
    pub fn deliver(&mut self, frame: &HeldFrame) -> bool {
        let is_held = self.world.desk.deliver(frame);
        self.world.carry_out_orders();
        is_held
    }

    /// The world as data, a line for each thing that was said of it: seed, hosts, options, links,
    /// names, captures, rules, faults with their times, and limits that are not the default. A fault
    /// that the test itself enters between two runs stands there with the time at which it did;
    /// those that tasks enter do not: tasks do it again.
    #[must_use]
    pub fn plan(&mut self) -> String {
        self.world.carry_out_orders();
        self.world.plan.to_string()
    }

    /// An unknown name is an error here and now, because the next run, which could report it, may
    /// never come.
    #[track_caller]
    fn enter(&mut self, fault: Fault) {
        refuse(self.world.desk.now(fault, StoppedBy::Call));
        self.world.carry_out_orders();
    }

    /// Drops these frames, and no others, as they leave their host
    /// ([`DropReason::Rule`](crate::DropReason::Rule)). Frames are counted from the moment of this
    /// call; where several rules name one, each counts it.
    ///
    /// ```
    /// use glassnet::{DropReason, Sim, greeting};
    ///
    /// let mut sim = Sim::new(7);
    /// sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
    /// sim.client("client", async { greeting::greet("server:12345").await.map(|_| ()).map_err(Into::into) });
    /// sim.drop_frames("client:syn:1".parse()?);
    /// sim.run()?;
    /// assert_eq!((sim.dropped(DropReason::Rule), sim.retransmissions()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drop_frames(&mut self, frames: FrameMatch) -> &mut Sim {
        self.world.plan.drop_frames(frames.clone());
        self.world.rules.add(frames);
        self.world.is_built = false;
        self
    }
}

impl World {
    /// Does what was handed in since the world last looked, in that order.
    pub(super) fn carry_out_orders(&mut self) {
        // Tasks that a crash ends may hand in more, which come after these.
        if !self.desk.has_orders() || self.carries_out_orders {
            return;
        }
        self.carries_out_orders = true;
        for order in self.desk.take_orders() {
            match order {
                Order::Sent(sent) => self.send_early(sent),
                Order::Now { fault, by, is_planned } => {
                    if is_planned && by == StoppedBy::Call {
                        self.plan.add_fault(self.tasks.now(), fault.clone());
                    }
                    self.apply_fault(&fault, by);
                    // A loop of faults is a loop.
                    self.events += 1;
                }
                Order::At { at, fault } => self.enter_fault(at, fault),
                Order::Deliver { from, to, packet_id } => self.deliver_held(from, to, packet_id),
            }
        }
        self.carries_out_orders = false;
    }

    /// Lets a fault happen at a time, between two events.
    fn enter_fault(&mut self, at: u64, fault: Fault) {
        // The next run says what is wrong with it.
        self.is_built &= fault.check(&self.plan).is_ok();
        if self.plan.add_fault(at, fault.clone()) {
            let sequence = self.tasks.clock.next_sequence();
            self.traffic.queue.push_fault(at, sequence, fault);
        }
    }

    pub(super) fn apply_fault(&mut self, fault: &Fault, by: StoppedBy) {
        let now = self.tasks.now();
        tracing::info!(target: "glassnet::world", %fault, "fault");
        self.faults.note(now, fault);
        self.captures.link_event(now, &fault.to_string());
        if let Some(observer) = &mut self.observer {
            observer(&Event::Fault { time: Instant::from_nanos(now), fault });
        }
        match fault {
            Fault::Partition { .. } | Fault::PartitionOneWay { .. } => {
                self.set_stop(fault, Stop::Partition, by, true);
            }
            Fault::Heal { .. } | Fault::HealOneWay { .. } => {
                self.set_stop(fault, Stop::Partition, by, false);
            }
            Fault::Hold { .. } | Fault::HoldOneWay { .. } => {
                self.set_stop(fault, Stop::Hold, by, true);
            }
            Fault::Release { .. } | Fault::ReleaseOneWay { .. } => {
                self.set_stop(fault, Stop::Hold, by, false);
            }
            Fault::Link { change, .. } | Fault::LinkOneWay { change, .. } => {
                for (from, to) in self.directions(fault) {
                    self.change_link_now(from, to, change);
                }
            }
            Fault::Crash { hosts } => {
                self.numbers(hosts).into_iter().for_each(|host| self.crash(host));
            }
            Fault::Bounce { hosts } => {
                self.numbers(hosts).into_iter().for_each(|host| self.bounce(host));
            }
            Fault::Signal { hosts, signal } => {
                self.numbers(hosts).into_iter().for_each(|host| self.signal(host, *signal));
            }
        }
    }

    fn numbers(&self, hosts: &Hosts) -> Vec<u32> {
        hosts.names().filter_map(|name| self.plan.host_called(name)).collect()
    }

    /// From which host to which a fault changes something.
    fn directions(&self, fault: &Fault) -> Vec<(u32, u32)> {
        let Some((a, b, one_way)) = fault.ends() else { return Vec::new() };
        let (a, b) = (self.numbers(a), self.numbers(b));
        let mut directions = Vec::new();
        for (from, to) in a.iter().flat_map(|from| b.iter().map(move |to| (*from, *to))) {
            directions.push((from, to));
            if !one_way {
                directions.push((to, from));
            }
        }
        directions
    }

    fn set_stop(&mut self, fault: &Fault, stop: Stop, by: StoppedBy, on: bool) {
        for (from, to) in self.directions(fault) {
            let path = self.path(from, to);
            let is_on = self.traffic.topology.set_stop(path, stop, by, on);
            if stop == Stop::Hold && !is_on {
                let released = self.traffic.held.take_all((Port::of_host(from), Port::of_host(to)));
                self.release(path, to, released);
            }
        }
    }

    fn deliver_held(&mut self, from: u32, to: u32, packet_id: u64) {
        let ends = (Port::of_host(from), Port::of_host(to));
        // It may have been released since.
        let Some(held) = self.traffic.held.take(ends, packet_id) else { return };
        let (from_name, to_name) = (self.plan.name(from), self.plan.name(to));
        let message = format!("packet {packet_id} of link {from_name} > {to_name} is delivered");
        self.captures.link_event(self.tasks.now(), &message);
        let path = self.path(from, to);
        self.release(path, to, [held]);
    }

    /// Lets frames that a link held go on their way.
    fn release(&mut self, path: HalfLinkId, to: u32, released: impl IntoIterator<Item = Held>) {
        let at = self.traffic.topology.released_at(path, self.tasks.now());
        let recorder = &mut self.log.recorder;
        let released = released.into_iter().inspect(|held| {
            recorder.released(to, (held.sent, at), held.packet_id, &held.frame);
        });
        self.traffic.release(&self.tasks.clock, at, Port::of_host(to), released);
    }

    /// Changes a direction of a link for good, and not what the plan says of it.
    fn change_link_now(&mut self, from: u32, to: u32, change: &LinkChange) {
        let ends = (self.plan.name(from).to_owned(), self.plan.name(to).to_owned());
        let default = Impairments::default();
        let planned = self.plan.link_if_named(&ends.0, &ends.1).unwrap_or(&default);
        let changed = self.changed_links.entry(ends).or_insert_with(|| planned.clone());
        change.apply(changed, planned);
        let changed = changed.clone();
        let path = self.path(from, to);
        self.traffic.topology.set_impairments(path, &changed);
    }

    /// Takes a frame that a host sends out of the way, if a rule says so.
    #[cold]
    pub(super) fn apply_rules(
        &mut self,
        from: u32,
        packet_id: u64,
        frame: FrameBuffer,
    ) -> Option<FrameBuffer> {
        let host = self.plan.name(from);
        let Some(rule) = self.rules.dropping(host, frame.bytes()) else { return Some(frame) };
        let message = format!("rule {rule} drops packet {packet_id}");
        self.captures.link_event(self.tasks.now(), &message);
        let to = match self.traffic.topology.next_hop(Port::of_host(from), &frame) {
            NextHop::Port(to) => Some(to),
            NextHop::Many | NextHop::Nobody => None,
        };
        self.note_fate(from, to, packet_id, &Fate::Dropped(DropReason::Rule), &frame);
        self.traffic.pool.give_back(frame);
        None
    }
}
