//! What was done to a world on purpose, as a report shows it.

use std::collections::VecDeque;
use std::fmt::Write;

use super::report::LINES;
use crate::time::Instant;
use crate::world::plan::Fault;

/// The last faults of a world.
#[derive(Default)]
pub(in crate::world) struct FaultLog {
    last: VecDeque<(u64, String)>,
    count: u64,
}

impl FaultLog {
    pub(in crate::world) fn note(&mut self, now: u64, fault: &Fault) {
        if self.last.len() == LINES {
            self.last.pop_front();
        }
        self.last.push_back((now, fault.to_string()));
        self.count += 1;
    }

    /// Writes a line for each of the last.
    pub(in crate::world) fn write(&self, text: &mut String) {
        if self.count == 0 {
            return;
        }
        text.push_str("\nfaults:");
        let before = self.count - self.last.len() as u64;
        if before > 0 {
            let _ = write!(text, "\n  … {before} before these");
        }
        for (time, fault) in &self.last {
            let _ = write!(text, "\n  {} {fault}", Instant::from_nanos(*time));
        }
    }
}
