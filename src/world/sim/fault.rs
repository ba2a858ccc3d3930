//! Faults: what a test does to hosts, links and chosen frames on purpose.

use super::Sim;
use super::world::World;
use crate::network::{DropReason, Fate, FrameMatch, NextHop, Port};
use crate::wire::frame::FrameBuffer;
use crate::world::plan::Fault;

impl Sim {
    /// Cuts two hosts off from each other: every IP packet between them is lost, in both
    /// directions, those on their way excepted. ARP still passes, as when something beyond the
    /// switch is broken, so a connection attempt meets silence rather than an unreachable host.
    ///
    /// # Panics
    /// When no host has one of the names, or both are the same.
    #[track_caller]
    pub fn partition(&mut self, a: &str, b: &str) {
        self.fault_now(Fault::Partition { a: a.to_owned(), b: b.to_owned() });
    }

    /// Ends a [`Sim::partition`].
    ///
    /// # Panics
    /// As [`Sim::partition`].
    #[track_caller]
    pub fn heal(&mut self, a: &str, b: &str) {
        self.fault_now(Fault::Heal { a: a.to_owned(), b: b.to_owned() });
    }

    /// Cuts a host's power: its tasks are dropped, its connections are gone, and nothing is sent
    /// any more, so that its peers meet silence. A client that crashes counts as ended.
    ///
    /// # Panics
    /// When no host has the name.
    #[track_caller]
    pub fn crash(&mut self, host: &str) {
        self.fault_now(Fault::Crash { host: host.to_owned() });
    }

    /// Crashes a host, if it has not, and starts it anew: with an empty stack, the same address,
    /// and the function given to [`Sim::host`].
    ///
    /// # Panics
    /// When no host has the name, or it is a client, which cannot be bounced: its future runs
    /// once.
    #[track_caller]
    pub fn bounce(&mut self, host: &str) {
        self.fault_now(Fault::Bounce { host: host.to_owned() });
    }

    /// An unknown name is an error here and now, because the next run, which could report it, may
    /// never come.
    #[track_caller]
    fn fault_now(&mut self, fault: Fault) {
        let now = self.world.tasks.now();
        if let Err(wrong) = self.world.schedule_fault(now, fault) {
            panic!("{wrong}");
        }
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
    /// Lets a fault happen at a time, between two events; at once if that time has come. The error
    /// is what is wrong with it.
    pub(super) fn schedule_fault(&mut self, at: u64, fault: Fault) -> Result<(), String> {
        self.plan.check_fault(&fault)?;
        if at <= self.tasks.now() {
            self.apply_fault(&fault);
        } else {
            let sequence = self.tasks.clock.next_sequence();
            self.traffic.queue.push_fault(at, sequence, fault);
        }
        Ok(())
    }

    pub(super) fn apply_fault(&mut self, fault: &Fault) {
        if let Some(journal) = &self.journal {
            journal.note_fault(&fault.to_string());
        }
        let number = |name: &str| self.plan.host_called(name);
        match fault {
            Fault::Partition { a, b } | Fault::Heal { a, b } => {
                let Some((from, to)) = number(a).zip(number(b)) else { return };
                let is_partitioned = matches!(fault, Fault::Partition { .. });
                for (from, to) in [(from, to), (to, from)] {
                    let path = self.path(from, to);
                    self.traffic.topology.set_partitioned(path, is_partitioned);
                }
                self.captures.link_event(self.tasks.now(), &fault.to_string());
            }
            Fault::Crash { host } => {
                if let Some(host) = number(host) {
                    self.crash(host);
                }
            }
            Fault::Bounce { host } => {
                if let Some(host) = number(host) {
                    self.bounce(host);
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;
    use crate::time::{Instant, sleep};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_fault_happens_at_its_time() {
        let mut sim = Sim::new(7);
        let starts = Rc::new(RefCell::new(Vec::new()));
        let noted = starts.clone();
        sim.host("server", move || {
            noted.borrow_mut().push(Instant::now().as_nanos());
            std::future::pending()
        });
        sim.client("client", async {
            sleep(Duration::from_secs(5)).await;
            Ok(())
        });
        let host = || "server".to_owned();
        sim.world.schedule_fault(3 * SECOND, Fault::Bounce { host: host() }).unwrap();
        sim.world.schedule_fault(2 * SECOND, Fault::Crash { host: host() }).unwrap();
        sim.world.schedule_fault(9 * SECOND, Fault::Bounce { host: host() }).unwrap();
        sim.run().unwrap();
        assert_eq!(*starts.borrow(), [0, 3 * SECOND]);
        sim.run_for(Duration::from_secs(5)).unwrap();
        assert_eq!(*starts.borrow(), [0, 3 * SECOND, 9 * SECOND]);
    }

    #[test]
    fn a_fault_that_cannot_be_is_refused() {
        let mut sim = Sim::new(7);
        sim.client("client", async { Ok(()) });
        let refused = sim.world.schedule_fault(1, Fault::Crash { host: "server".to_owned() });
        assert_eq!(refused.unwrap_err(), "no host is called \"server\": there are \"client\"");
        let refused = sim.world.schedule_fault(1, Fault::Bounce { host: "client".to_owned() });
        assert!(refused.unwrap_err().contains("cannot be bounced"));
        sim.run().unwrap();
    }
}
