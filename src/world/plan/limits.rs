//! The limits that keep a run from going on for ever, and a world from filling the machine.

use std::time::Duration;

/// What a world may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::world) struct Limits {
    /// Events a world may handle before a run is called endless, and polls of one instant.
    pub(in crate::world) events: u64,
    /// Polls in a row, while nothing else happens than that tasks run, before one is said to spin.
    pub(in crate::world) polls: u64,
    /// Virtual time that the clients have in one run.
    pub(in crate::world) time: Duration,
    /// Real time that one poll of a task may take.
    pub(in crate::world) poll_time: Duration,
    /// Bytes that may be on their way in the whole world, each frame counted with 256 for itself.
    pub(in crate::world) in_flight: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            events: 20_000_000,
            polls: 1_000_000,
            time: Duration::from_secs(3_600),
            poll_time: Duration::from_secs(30),
            // Enough for four links with as much on their way as one may have, and bounded so that
            // a loop that sends fills no machine.
            in_flight: 256 << 20,
        }
    }
}
