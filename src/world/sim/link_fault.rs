//! Changing links on purpose.

use std::time::Duration;

use super::desk::Desk;
use crate::network::StoppedBy;
use crate::world::plan::{Fault, Hosts, LinkChange};

/// Changes links, now or at a time: from [`Faults::link`](crate::Faults::link) and its kin. Each
/// method is a fault of its own, and takes the words of [`Impairments`](crate::Impairments).
///
/// The plan of the world keeps what [`Sim::link`](crate::Sim::link) has said; `restore` goes back to
/// that.
///
/// ```
/// use std::time::Duration;
///
/// use glassnet::Sim;
///
/// let mut sim = Sim::new(7);
/// sim.host("server", || async { Ok(()) }).client("client", async { Ok(()) });
/// sim.at(Duration::from_secs(3)).link("client", "server").delay(Duration::from_millis(300)).loss(0.1);
/// sim.at(Duration::from_secs(9)).link("client", "server").restore();
/// sim.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// The methods panic as [`Faults::partition`](crate::Faults::partition) does, and when a probability
/// is none, or a limit is 0.
#[must_use = "nothing is done until a method says what changes"]
#[derive(Clone, Debug)]
pub struct LinkFault {
    desk: Desk,
    at: Option<u64>,
    ends: (Hosts, Hosts),
    one_way: bool,
}

impl LinkFault {
    pub(super) fn new(
        desk: &Desk,
        at: Option<u64>,
        ends: (Hosts, Hosts),
        one_way: bool,
    ) -> LinkFault {
        LinkFault { desk: desk.clone(), at, ends, one_way }
    }

    /// Propagation delay, one way.
    #[track_caller]
    pub fn delay(&self, delay: Duration) -> &LinkFault {
        self.enter(LinkChange::Delay(delay))
    }

    /// Uniform variation of the delay, either way.
    #[track_caller]
    pub fn jitter(&self, jitter: Duration) -> &LinkFault {
        self.enter(LinkChange::Jitter(jitter))
    }

    /// Probability that a frame is lost, 0.0 to 1.0.
    #[track_caller]
    pub fn loss(&self, probability: f64) -> &LinkFault {
        self.enter(LinkChange::Loss(probability))
    }

    /// Probability that a frame arrives twice, 0.0 to 1.0.
    #[track_caller]
    pub fn duplicate(&self, probability: f64) -> &LinkFault {
        self.enter(LinkChange::Duplicate(probability))
    }

    /// Probability that a frame is held back and overtaken, 0.0 to 1.0.
    #[track_caller]
    pub fn reorder(&self, probability: f64) -> &LinkFault {
        self.enter(LinkChange::Reorder(probability))
    }

    /// Bits per second; `None`: at once.
    #[track_caller]
    pub fn rate(&self, bits_per_second: impl Into<Option<u64>>) -> &LinkFault {
        self.enter(LinkChange::Rate(bits_per_second.into()))
    }

    /// Frames that may wait to be serialised.
    #[track_caller]
    pub fn queue(&self, frames: usize) -> &LinkFault {
        self.enter(LinkChange::Queue(frames))
    }

    /// Bytes that may be on their way at once, each frame counted with 256 for itself.
    #[track_caller]
    pub fn in_flight(&self, bytes: usize) -> &LinkFault {
        self.enter(LinkChange::InFlight(bytes))
    }

    /// Largest IP packet in bytes; `None`: any.
    #[track_caller]
    pub fn mtu(&self, bytes: impl Into<Option<usize>>) -> &LinkFault {
        self.enter(LinkChange::Mtu(bytes.into()))
    }

    /// Everything as the plan has it.
    #[track_caller]
    pub fn restore(&self) -> &LinkFault {
        self.enter(LinkChange::Restore)
    }

    #[track_caller]
    fn enter(&self, change: LinkChange) -> &LinkFault {
        let (a, b) = self.ends.clone();
        let fault = match self.one_way {
            false => Fault::Link { a, b, change },
            true => Fault::LinkOneWay { from: a, to: b, change },
        };
        refuse(match self.at {
            None => self.desk.now(fault, StoppedBy::Call),
            Some(at) => self.desk.at(at, fault),
        });
        self
    }
}

/// What is wrong with a fault is an error of the call, because a run that could report it may never
/// come.
#[track_caller]
pub(super) fn refuse(entered: Result<(), String>) {
    if let Err(wrong) = entered {
        panic!("{wrong}");
    }
}
