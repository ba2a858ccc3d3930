//! What becomes of a frame.

use std::fmt;

use crate::time::Instant;

/// What became of a frame that a host sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It arrives at a time; its duplicate, if the link made one, at another.
    #[non_exhaustive]
    Arrives {
        /// When.
        at: Instant,
        /// When the duplicate does.
        duplicate_at: Option<Instant>,
    },
    /// It is lost.
    Dropped(DropReason),
    /// The link keeps it until it is released: [`Sim::hold`](crate::Sim::hold).
    Held,
}

/// Why a frame did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropReason {
    /// The link lost it, as its `loss` says.
    Loss,
    /// Too many frames waited to be serialised.
    QueueFull,
    /// It was larger than the link's MTU.
    TooBig,
    /// The link is partitioned in this direction.
    Partition,
    /// No host has that address.
    NoSuchHost,
    /// The host it was for has crashed.
    HostDown,
    /// It is for a group that no other host has joined.
    NoListener,
    /// Too many bytes were on their way: over the link
    /// ([`Impairments::in_flight`](crate::Impairments::in_flight)) or in the whole world
    /// ([`Sim::in_flight_limit`](crate::Sim::in_flight_limit)).
    InFlightLimit,
    /// It never left its host: the neighbour it is for answered no question for its Ethernet
    /// address.
    NeighborUnreachable,
    /// It never left its host: too much waited for the neighbour's Ethernet address.
    NeighborQueueFull,
    /// It never left its host, whose neighbour table is full.
    NeighborTableFull,
    /// It never left its host, which knows no way to where it should go.
    NoRoute,
    /// A rule names it: [`Sim::drop_frames`](crate::Sim::drop_frames).
    Rule,
}

impl fmt::Display for DropReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            DropReason::Loss => "lost",
            DropReason::QueueFull => "queue full",
            DropReason::TooBig => "larger than the link's MTU",
            DropReason::Partition => "partition",
            DropReason::NoSuchHost => "no such host",
            DropReason::HostDown => "host is down",
            DropReason::NoListener => "no host listens",
            DropReason::InFlightLimit => "too much on its way",
            DropReason::NeighborUnreachable => "neighbour does not answer",
            DropReason::NeighborQueueFull => "too much waits for the neighbour",
            DropReason::NeighborTableFull => "neighbour table full",
            DropReason::NoRoute => "no route",
            DropReason::Rule => "by rule",
        })
    }
}
