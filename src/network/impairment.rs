//! What a link does to the frames of one direction.

use std::time::Duration;

/// The impairments of one direction of a link, in the words of `tc-netem(8)`.
///
/// They are those of a path for IP packets. ARP and IPv6 neighbour discovery, with which hosts
/// find each other on the LAN, meet none of them, and at most 1 ms of delay: otherwise one
/// connection in a hundred over a link that loses a tenth, and every one over a link with more
/// than 1.5 seconds of delay, would fail with `HostUnreachable`, as on Linux, before TCP has sent
/// anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Impairments {
    /// Propagation delay. Default 1 ms.
    pub delay: Duration,
    /// Each frame's delay varies uniformly by up to this much either way, independently of the
    /// others, so that frames may overtake each other, as with netem. Default 0.
    pub jitter: Duration,
    /// Probability that a frame is lost, 0 to 1. Default 0.
    pub loss: f64,
    /// Probability that a frame arrives twice, 0 to 1. The copy is delayed on its own. Default 0.
    pub duplicate: f64,
    /// Probability that a frame is held back, 0 to 1, by up to twice the delay and at least up
    /// to 1 ms, so that later ones overtake it. (netem instead sends the frame at once, which
    /// reorders nothing on a link without delay.) Default 0.
    pub reorder: f64,
    /// Bits per second at which frames are serialised, with their Ethernet header. Default: at
    /// once.
    pub rate: Option<u64>,
    /// How many frames may wait to be serialised; one more is dropped. Default 1000, as netem's
    /// `limit`. Without a rate nothing waits.
    pub queue: usize,
    /// Bytes that may be on their way at once: waiting, being serialised or travelling, each frame
    /// counted with 256 bytes for itself. A frame beyond that is dropped. Default 64 MiB: what
    /// 10 Gbit/s keep on their way over 50 ms, so that no usual path meets it, and few enough that
    /// a loop of `send_to` fills no machine. (netem's `limit` counts what is delayed together with
    /// what waits, and its 1000 packets slow down every long fast path.)
    pub in_flight: usize,
    /// Largest IP packet the link carries, in bytes; a larger one vanishes, as on a real
    /// Ethernet segment. Default: any.
    pub mtu: Option<usize>,
}

/// The default of [`Impairments::in_flight`].
const IN_FLIGHT: usize = 64 << 20;

impl Default for Impairments {
    fn default() -> Impairments {
        Impairments {
            delay: Duration::from_millis(1),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            rate: None,
            queue: 1000,
            in_flight: IN_FLIGHT,
            mtu: None,
        }
    }
}

impl Impairments {
    /// What is wrong with these settings, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let probabilities =
            [("loss", self.loss), ("duplicate", self.duplicate), ("reorder", self.reorder)];
        for (what, probability) in probabilities {
            if !(0.0..=1.0).contains(&probability) {
                return Err(format!("{what} of {probability} is no probability: give 0.0 to 1.0"));
            }
        }
        if self.rate == Some(0) {
            return Err(
                "rate of 0 bit/s would carry nothing: use loss(1.0) or partition".to_owned()
            );
        }
        if self.queue == 0 {
            return Err("queue of 0 frames would carry nothing: give 1 or more".to_owned());
        }
        if self.in_flight == 0 {
            return Err("in_flight of 0 bytes would carry nothing: give 1 or more".to_owned());
        }
        Ok(())
    }
}
