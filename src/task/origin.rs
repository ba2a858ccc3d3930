//! Where a task comes from.

use std::fmt;
use std::panic::Location;

/// Where a task comes from; reports call it by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The main task of a host, which was added to the world there.
    Main(&'static Location<'static>),
    /// A task that another one spawned.
    Spawned(&'static Location<'static>),
    /// A call that is made there, by whoever drives the host.
    Called(&'static Location<'static>),
}

impl Origin {
    pub(super) fn is_spawned(self) -> bool {
        matches!(self, Origin::Spawned(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Main(at) => write!(formatter, "main spawned at {at}"),
            Origin::Spawned(at) => write!(formatter, "task spawned at {at}"),
            Origin::Called(at) => write!(formatter, "call at {at}"),
        }
    }
}
