//! What a link does to the frames of one direction.

use std::time::Duration;

/// The impairments of one direction of a link, in the words of `tc-netem(8)`:
/// [`Impairments::default`], and a method for each that is to have another value. `Debug` shows all
/// values.
///
/// They apply to IP packets. ARP and IPv6 neighbour discovery, with which hosts find each other on the
/// LAN, are delayed by at most 1 ms and not impaired otherwise. If they were, connecting would fail
/// with `HostUnreachable` before TCP has sent anything, as on Linux: once in a hundred times over a
/// link that loses a tenth, and every time over a link with more than 1.5 seconds of delay.
///
/// ```
/// use std::time::Duration;
///
/// use glassnet::{Impairments, Sim};
///
/// let satellite = Impairments::default().delay(Duration::from_millis(300)).rate(10_000_000);
/// let mut sim = Sim::new(7);
/// sim.link("client", "server").impairments(satellite);
/// # sim.host("server", || async { Ok(()) }).client("client", async { Ok(()) });
/// # sim.run().unwrap();
/// ```
///
/// A value outside its range is an error of the next run, which names it.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "impairments do nothing until a link has them"]
pub struct Impairments {
    /// That of the world's links where none is set.
    pub(crate) delay: Option<Duration>,
    pub(crate) jitter: Duration,
    pub(crate) loss: f64,
    pub(crate) duplicate: f64,
    pub(crate) reorder: f64,
    pub(crate) rate: Option<u64>,
    pub(crate) queue: usize,
    pub(crate) in_flight: usize,
    pub(crate) mtu: Option<usize>,
}

/// The delay of a link of a simulated world.
const DELAY: Duration = Duration::from_millis(1);

/// The default of [`Impairments::in_flight`].
const IN_FLIGHT: usize = 64 << 20;

impl Default for Impairments {
    fn default() -> Impairments {
        Impairments {
            delay: None,
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
    /// Propagation delay, one way. Default 1 ms in [`Sim`](crate::Sim), and none in
    /// [`Live`](crate::Live), whose network has one of its own.
    pub fn delay(mut self, delay: Duration) -> Impairments {
        self.delay = Some(delay);
        self
    }

    /// Each frame's delay varies uniformly by up to this much either way, independently of the
    /// others, so that frames may overtake each other, as with netem. Default 0.
    pub fn jitter(mut self, jitter: Duration) -> Impairments {
        self.jitter = jitter;
        self
    }

    /// Probability that a frame is lost, 0 to 1. Default 0.
    pub fn loss(mut self, probability: f64) -> Impairments {
        self.loss = probability;
        self
    }

    /// Probability that a frame arrives twice, 0 to 1. The copy is delayed on its own. Default 0.
    pub fn duplicate(mut self, probability: f64) -> Impairments {
        self.duplicate = probability;
        self
    }

    /// Probability that a frame is held back, 0 to 1, by up to twice the delay and at least up to
    /// 1 ms, so that later ones overtake it. (netem instead sends the frame at once, which reorders
    /// nothing on a link without delay.) Default 0.
    pub fn reorder(mut self, probability: f64) -> Impairments {
        self.reorder = probability;
        self
    }

    /// Bits per second at which frames are serialised, with their Ethernet header; 1 or more.
    /// `None`, the default: at once.
    pub fn rate(mut self, bits_per_second: impl Into<Option<u64>>) -> Impairments {
        self.rate = bits_per_second.into();
        self
    }

    /// How many frames may wait to be serialised, 1 or more; the next is dropped. Default 1000, as
    /// netem's `limit`. Without a rate nothing waits.
    pub fn queue(mut self, frames: usize) -> Impairments {
        self.queue = frames;
        self
    }

    /// Bytes that may be on their way at once, 1 or more: waiting, being serialised or travelling,
    /// each frame counted with 256 bytes for itself. A frame beyond that is dropped. Default 64 MiB:
    /// what 10 Gbit/s keep on their way over 50 ms, so that no usual path meets it, and few enough
    /// that a loop of `send_to` fills no machine. (netem's `limit` counts what is delayed together
    /// with what waits, and its 1000 packets slow down every long fast path.)
    pub fn in_flight(mut self, bytes: usize) -> Impairments {
        self.in_flight = bytes;
        self
    }

    /// Largest IP packet the link carries, in bytes; a larger one vanishes, as on a real Ethernet
    /// segment, and no ICMP error tells its sender. `None`, the default: any.
    ///
    /// Below 1280 the link carries less than IPv6 needs (RFC 8200 section 5): larger packets of IPv6
    /// are lost whatever the hosts do, so give the hosts at its ends such an MTU, and they use IPv4
    /// alone.
    pub fn mtu(mut self, bytes: impl Into<Option<usize>>) -> Impairments {
        self.mtu = bytes.into();
        self
    }

    /// The delay in force in a simulated world.
    #[inline]
    pub(crate) fn delay_in_force(&self) -> Duration {
        self.delay.unwrap_or(DELAY)
    }

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
