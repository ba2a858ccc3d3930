//! What is done to a world on purpose, as data.
//!
//! - `hosts`: whom a fault concerns; `link_change`: what it changes of a link
//! - `signal`: the names of signals
//! - `check`: whether it can be; `text`: the printed form, and reading it

mod check;
mod hosts;
mod link_change;
mod signal;
mod text;

pub(in crate::world) use check::{KnownHosts, list_names, no_host_called};
pub use hosts::Hosts;
pub use link_change::LinkChange;
pub(crate) use signal::is_ignored_by_default;
pub use text::ParseFaultError;

/// Something that is done to a world on purpose, at a moment.
///
/// It is data: [`Sim::at`](crate::Sim::at) enters it in the plan of a world, an
/// [observer](crate::Event::Fault) is told of it, captures of links and the report of a failure
/// show it, and text is read back into it. Hosts of a group stand with commas between them; `>` is
/// for one direction:
///
/// ```
/// use glassnet::Fault;
///
/// for text in [
///     "partition a,b c",
///     "heal a,b > c",
///     "hold a b",
///     "release a > b",
///     "crash a",
///     "bounce a",
///     "signal a SIGTERM",
///     "link a > b loss 10%",
///     "link a b delay 20ms",
/// ] {
///     assert_eq!(text.parse::<Fault>()?.to_string(), text);
/// }
/// # Ok::<(), glassnet::ParseFaultError>(())
/// ```
///
/// What each does is said at the method of its name of [`Faults`](crate::Faults).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// `partition A B`: no IP packet passes between a host of one group and one of the other.
    Partition {
        /// One group.
        a: Hosts,
        /// The other.
        b: Hosts,
    },
    /// `partition A > B`: no IP packet passes from a host of one group to one of the other.
    PartitionOneWay {
        /// The senders.
        from: Hosts,
        /// The receivers.
        to: Hosts,
    },
    /// `heal A B`: the end of a partition.
    Heal {
        /// One group.
        a: Hosts,
        /// The other.
        b: Hosts,
    },
    /// `heal A > B`: the end of a partition in one direction.
    HealOneWay {
        /// The senders.
        from: Hosts,
        /// The receivers.
        to: Hosts,
    },
    /// `hold A B`: IP packets between the groups are kept.
    Hold {
        /// One group.
        a: Hosts,
        /// The other.
        b: Hosts,
    },
    /// `hold A > B`: IP packets of one direction are kept.
    HoldOneWay {
        /// The senders.
        from: Hosts,
        /// The receivers.
        to: Hosts,
    },
    /// `release A B`: the end of a hold.
    Release {
        /// One group.
        a: Hosts,
        /// The other.
        b: Hosts,
    },
    /// `release A > B`: the end of a hold in one direction.
    ReleaseOneWay {
        /// The senders.
        from: Hosts,
        /// The receivers.
        to: Hosts,
    },
    /// `link A B …`: something of the links between the groups is otherwise from now on.
    Link {
        /// One group.
        a: Hosts,
        /// The other.
        b: Hosts,
        /// What.
        change: LinkChange,
    },
    /// `link A > B …`: the same of one direction.
    LinkOneWay {
        /// The senders.
        from: Hosts,
        /// The receivers.
        to: Hosts,
        /// What.
        change: LinkChange,
    },
    /// `crash A`: hosts lose their power.
    Crash {
        /// Which.
        hosts: Hosts,
    },
    /// `bounce A`: hosts lose their power, if they have any, and start anew.
    Bounce {
        /// Which.
        hosts: Hosts,
    },
    /// `signal A SIGTERM`: the programs of hosts are sent a signal.
    Signal {
        /// Which.
        hosts: Hosts,
        /// Its number: `signal(7)`.
        signal: i32,
    },
}

impl Fault {
    /// What ends this fault, if that can be said of it.
    pub(in crate::world) fn opposite(&self) -> Option<Fault> {
        let fault = self.clone();
        match fault {
            Fault::Partition { a, b } => Some(Fault::Heal { a, b }),
            Fault::PartitionOneWay { from, to } => Some(Fault::HealOneWay { from, to }),
            Fault::Hold { a, b } => Some(Fault::Release { a, b }),
            Fault::HoldOneWay { from, to } => Some(Fault::ReleaseOneWay { from, to }),
            _ => None,
        }
    }

    /// The groups at the ends of the links that it concerns, and whether it is for one direction.
    pub(in crate::world) fn ends(&self) -> Option<(&Hosts, &Hosts, bool)> {
        match self {
            Fault::Partition { a, b }
            | Fault::Heal { a, b }
            | Fault::Hold { a, b }
            | Fault::Release { a, b }
            | Fault::Link { a, b, .. } => Some((a, b, false)),
            Fault::PartitionOneWay { from, to }
            | Fault::HealOneWay { from, to }
            | Fault::HoldOneWay { from, to }
            | Fault::ReleaseOneWay { from, to }
            | Fault::LinkOneWay { from, to, .. } => Some((from, to, true)),
            Fault::Crash { .. } | Fault::Bounce { .. } | Fault::Signal { .. } => None,
        }
    }
}
