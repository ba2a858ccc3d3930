//! The sender's one timer, and what it says when it fires.

use crate::clock::When;

/// What the timer is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tcp::glassnet) enum Purpose {
    #[default]
    Nothing,
    Retransmission,
    /// RFC 8985 7.2.
    TailLoss,
    /// RFC 8985 6.3.
    Reordering,
    /// RFC 9293 3.8.6.1.
    WindowProbe,
}

#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tcp::glassnet) struct Timer {
    pub(super) purpose: Purpose,
    pub(super) at: When,
}

impl Timer {
    #[inline]
    pub(in crate::tcp::glassnet) fn at(&self) -> When {
        self.at
    }
}

/// What is to be sent when the timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp::glassnet) enum Fired {
    Nothing,
    /// What [`Sender::next`] gives.
    Segments,
    /// The first segment again, after a timeout.
    First,
    /// A tail loss probe.
    TailLoss,
    /// A window probe.
    WindowProbe,
}
