//! Setting a link up.

use std::time::Duration;

use super::world::World;
use crate::network::Impairments;

/// Sets the impairments of a link; made by [`Sim::link`](crate::Sim::link) and [`Sim::one_way`](crate::Sim::one_way). Each direction
/// has its own random stream. Frames that are on their way are not affected.
pub struct LinkHandle<'s> {
    world: &'s mut World,
    from: &'s str,
    to: &'s str,
    both: bool,
}

impl<'s> LinkHandle<'s> {
    pub(super) fn new(
        world: &'s mut World,
        from: &'s str,
        to: &'s str,
        both: bool,
    ) -> LinkHandle<'s> {
        LinkHandle { world, from, to, both }
    }

    /// Propagation delay, one way: [`Impairments::delay`].
    pub fn delay(&mut self, delay: Duration) -> &mut Self {
        self.change(|impairments| impairments.delay(delay))
    }

    /// Uniform variation of the delay, either way: [`Impairments::jitter`].
    pub fn jitter(&mut self, jitter: Duration) -> &mut Self {
        self.change(|impairments| impairments.jitter(jitter))
    }

    /// Probability that a frame is lost, 0.0 to 1.0: [`Impairments::loss`].
    pub fn loss(&mut self, probability: f64) -> &mut Self {
        self.change(|impairments| impairments.loss(probability))
    }

    /// Probability that a frame arrives twice, 0.0 to 1.0: [`Impairments::duplicate`].
    pub fn duplicate(&mut self, probability: f64) -> &mut Self {
        self.change(|impairments| impairments.duplicate(probability))
    }

    /// Probability that a frame is held back and overtaken, 0.0 to 1.0: [`Impairments::reorder`].
    pub fn reorder(&mut self, probability: f64) -> &mut Self {
        self.change(|impairments| impairments.reorder(probability))
    }

    /// Bits per second, or `None` for any number of them: [`Impairments::rate`].
    pub fn rate(&mut self, bits_per_second: impl Into<Option<u64>>) -> &mut Self {
        let rate = bits_per_second.into();
        self.change(|impairments| impairments.rate(rate))
    }

    /// Frames that may wait to be serialised: [`Impairments::queue`].
    pub fn queue(&mut self, frames: usize) -> &mut Self {
        self.change(|impairments| impairments.queue(frames))
    }

    /// Bytes that may be on their way at once, each frame counted with 256 for itself:
    /// [`Impairments::in_flight`].
    pub fn in_flight(&mut self, bytes: usize) -> &mut Self {
        self.change(|impairments| impairments.in_flight(bytes))
    }

    /// Largest IP packet in bytes, or `None` for any: [`Impairments::mtu`].
    pub fn mtu(&mut self, bytes: impl Into<Option<usize>>) -> &mut Self {
        let mtu = bytes.into();
        self.change(|impairments| impairments.mtu(mtu))
    }

    /// All at once. What was set before is forgotten.
    pub fn impairments(&mut self, impairments: Impairments) -> &mut Self {
        self.change(|_| impairments.clone())
    }

    fn change(&mut self, change: impl Fn(Impairments) -> Impairments) -> &mut Self {
        self.world.change_link(self.from, self.to, &change);
        if self.both {
            self.world.change_link(self.to, self.from, &change);
        }
        self
    }
}
