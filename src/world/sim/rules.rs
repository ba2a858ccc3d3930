//! Rules: what happens to chosen frames on purpose.

use super::Sim;
use super::world::World;
use crate::network::{CountedMatch, DropReason, Fate, FrameMatch, NextHop, Port};
use crate::wire::frame::FrameBuffer;

/// The rules of a world.
#[derive(Default)]
pub(super) struct Rules {
    drop: Vec<CountedMatch>,
}

impl Rules {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.drop.is_empty()
    }

    /// The rule that drops a frame. All of them count it.
    fn dropping(&mut self, host: &str, frame: &[u8]) -> Option<&FrameMatch> {
        let mut first = None;
        for rule in &mut self.drop {
            if rule.takes(host, frame) {
                first = first.or(Some(rule.frames()));
            }
        }
        first
    }
}

impl Sim {
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
        self.world.rules.drop.push(CountedMatch::new(frames));
        self.world.is_built = false;
        self
    }
}

impl World {
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
