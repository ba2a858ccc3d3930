//! What a fault changes of a link.

use std::time::Duration;

use crate::network::Impairments;

/// One thing of a link that is otherwise from now on; the methods of
/// [`Impairments`](crate::Impairments) say what each means.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LinkChange {
    /// `delay 20ms`
    Delay(Duration),
    /// `jitter 5ms`
    Jitter(Duration),
    /// `loss 10%`: a probability, 0 to 1.
    Loss(f64),
    /// `duplicate 10%`: a probability, 0 to 1.
    Duplicate(f64),
    /// `reorder 10%`: a probability, 0 to 1.
    Reorder(f64),
    /// `rate 8000000bit`: bits per second; `rate none`: at once.
    Rate(Option<u64>),
    /// `limit 100`: frames that may wait to be serialised.
    Queue(usize),
    /// `in-flight 1000000`: bytes that may be on their way.
    InFlight(usize),
    /// `mtu 1400`: the largest IP packet in bytes; `mtu none`: any.
    Mtu(Option<usize>),
    /// `restore`: everything is as the plan has the link.
    Restore,
}

impl LinkChange {
    /// Changes a direction of a link of which the plan says `planned`.
    pub(in crate::world) fn apply(&self, impairments: &mut Impairments, planned: &Impairments) {
        match *self {
            LinkChange::Delay(delay) => impairments.delay = Some(delay),
            LinkChange::Jitter(jitter) => impairments.jitter = jitter,
            LinkChange::Loss(probability) => impairments.loss = probability,
            LinkChange::Duplicate(probability) => impairments.duplicate = probability,
            LinkChange::Reorder(probability) => impairments.reorder = probability,
            LinkChange::Rate(bits_per_second) => impairments.rate = bits_per_second,
            LinkChange::Queue(frames) => impairments.queue = frames,
            LinkChange::InFlight(bytes) => impairments.in_flight = bytes,
            LinkChange::Mtu(bytes) => impairments.mtu = bytes,
            LinkChange::Restore => impairments.clone_from(planned),
        }
    }

    /// What is wrong with it, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut impairments = Impairments::default();
        self.apply(&mut impairments, &Impairments::default());
        impairments.check()
    }
}
