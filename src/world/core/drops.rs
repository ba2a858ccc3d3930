//! How many frames died of what.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::host::DiscardReason;
use crate::network::DropReason;

/// How many frames died of what.
#[derive(Debug, Default)]
pub(in crate::world) struct Drops(BTreeMap<DropReason, u64>);

impl Drops {
    pub(in crate::world) fn count(&mut self, reason: DropReason) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// How many died of this.
    pub(in crate::world) fn of(&self, reason: DropReason) -> u64 {
        self.0.get(&reason).copied().unwrap_or(0)
    }

    /// A line for a report, if there is anything to say.
    pub(in crate::world) fn write(&self, text: &mut String) {
        if !self.0.is_empty() {
            let each = self.0.iter().map(|(reason, count)| format!("{reason} {count}"));
            let each: Vec<String> = each.collect();
            let _ = write!(text, "\nframes dropped: {}", each.join(", "));
        }
    }
}

impl From<DiscardReason> for DropReason {
    fn from(reason: DiscardReason) -> DropReason {
        match reason {
            DiscardReason::NeighborUnreachable => DropReason::NeighborUnreachable,
            DiscardReason::NeighborQueueFull => DropReason::NeighborQueueFull,
            DiscardReason::NeighborTableFull => DropReason::NeighborTableFull,
            DiscardReason::NoRoute => DropReason::NoRoute,
        }
    }
}
