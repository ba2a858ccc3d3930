//! What is done to a world on purpose.

use std::fmt;

/// Something that breaks, or mends, at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::world) enum Fault {
    /// No IP packet passes between two hosts any more.
    Partition { a: String, b: String },
    /// The end of a partition.
    Heal { a: String, b: String },
    /// A host loses its power.
    Crash { host: String },
    /// A host loses its power, if it has any, and starts anew.
    Bounce { host: String },
}

/// As captures of links have it.
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Partition { a, b } => write!(formatter, "partition of {a} and {b}"),
            Fault::Heal { a, b } => write!(formatter, "healed: {a} and {b}"),
            Fault::Crash { host } => write!(formatter, "crash of {host}"),
            Fault::Bounce { host } => write!(formatter, "bounce of {host}"),
        }
    }
}
