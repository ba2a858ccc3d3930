//! What is captured, and into what.

use std::fmt;

use crate::network::InterfaceName;

/// A capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::world) struct CapturePlan {
    pub(in crate::world) point: CapturePoint,
    /// What it is written to, for people: a path, or the name of what takes bytes.
    pub(in crate::world) name: String,
    /// What is no frame has a row, too.
    pub(in crate::world) has_events: bool,
}

/// Where frames are captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::world) enum CapturePoint {
    /// An interface, as tcpdump there would see it.
    Interface { host: String, number: u16 },
    /// A link tapped at the sender's side: every transmission once, lost ones included.
    Link { a: String, b: String },
}

impl CapturePoint {
    /// The first interface of a host.
    pub(in crate::world) fn of_host(host: &str) -> CapturePoint {
        CapturePoint::Interface { host: host.to_owned(), number: 0 }
    }

    /// The hosts at its ends.
    pub(in crate::world) fn hosts(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            CapturePoint::Interface { host, .. } => (host, None),
            CapturePoint::Link { a, b } => (a, Some(b)),
        };
        [Some(first), second].into_iter().flatten().map(String::as_str)
    }
}

/// As the head of a capture has it.
impl fmt::Display for CapturePoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CapturePoint::Interface { host, number } => {
                InterfaceName { host, number: *number }.fmt(formatter)
            }
            CapturePoint::Link { a, b } => write!(formatter, "link {a}-{b}"),
        }
    }
}
