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

    /// Propagation delay, one way.
    pub fn delay(self, delay: Duration) -> Self {
        self.set(|impairments| impairments.delay = delay)
    }

    /// Uniform variation of the delay, either way.
    pub fn jitter(self, jitter: Duration) -> Self {
        self.set(|impairments| impairments.jitter = jitter)
    }

    /// Probability that a frame is lost, 0.0 to 1.0.
    pub fn loss(self, probability: f64) -> Self {
        self.set(|impairments| impairments.loss = probability)
    }

    /// Probability that a frame arrives twice, 0.0 to 1.0.
    pub fn duplicate(self, probability: f64) -> Self {
        self.set(|impairments| impairments.duplicate = probability)
    }

    /// Probability that a frame is held back and overtaken, 0.0 to 1.0.
    pub fn reorder(self, probability: f64) -> Self {
        self.set(|impairments| impairments.reorder = probability)
    }

    /// Bits per second.
    pub fn rate(self, bits_per_second: u64) -> Self {
        self.set(|impairments| impairments.rate = Some(bits_per_second))
    }

    /// Frames that may wait to be serialised.
    pub fn queue(self, frames: usize) -> Self {
        self.set(|impairments| impairments.queue = frames)
    }

    /// Bytes that may be on their way at once, each frame counted with 256 for itself.
    pub fn in_flight(self, bytes: usize) -> Self {
        self.set(|impairments| impairments.in_flight = bytes)
    }

    /// Largest IP packet in bytes. A larger one is lost, and no ICMP error tells its sender. Below
    /// 1280 the link carries less than IPv6 needs (RFC 8200 section 5): its larger packets are lost
    /// whatever the hosts do, so give the hosts at its ends such an MTU, and they use IPv4 alone.
    pub fn mtu(self, bytes: usize) -> Self {
        self.set(|impairments| impairments.mtu = Some(bytes))
    }

    /// All at once.
    pub fn impairments(self, impairments: &Impairments) -> Self {
        self.set(|ours| ours.clone_from(impairments))
    }

    fn set(self, change: impl Fn(&mut Impairments)) -> Self {
        self.world.change_link(self.from, self.to, &change);
        if self.both {
            self.world.change_link(self.to, self.from, &change);
        }
        self
    }
}
