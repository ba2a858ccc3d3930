//! Whether a run gets anywhere while its clock stands still.

use super::limits;
use crate::task::Round;

/// Why tasks and hosts do not go on at this instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// None has anything to do.
    Resting,
    /// All that tasks do is yield, each to be woken by itself.
    Yielding,
    /// They would, but events that are due have waited long enough.
    Busy,
}

/// What tasks have done since the clock last moved.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Polls of this instant.
    polls: u64,
    /// Polls, and operations that changed nothing, since something else happened than that tasks
    /// run, wake one another and end.
    idle: u64,
    /// Rounds in a row in which all tasks yielded.
    yielding_rounds: u32,
}

impl Pace {
    /// Notes a round of tasks, and whether hosts had work after it. The error is how often tasks
    /// have run for nothing, when that is as often as a limit allows: `poll_limit` in a row, or
    /// `event_limit` in one instant with work in between.
    pub(super) fn note(
        &mut self,
        round: Round,
        has_worked: bool,
        poll_limit: u64,
        event_limit: u64,
    ) -> Result<(), u64> {
        self.polls += round.polls;
        if round.only_yields() {
            self.yielding_rounds += 1;
        } else {
            self.yielding_rounds = 0;
        }
        if round.idle == 0 || has_worked {
            self.idle = 0;
        } else {
            self.idle += round.idle;
        }
        if self.idle >= poll_limit {
            return Err(self.idle);
        }
        if self.polls >= event_limit { Err(self.polls) } else { Ok(()) }
    }

    /// Whether tasks have yielded so often that they wait for time to go on.
    pub(super) fn has_yielded_enough(&self) -> bool {
        self.yielding_rounds >= limits::YIELDING_ROUNDS
    }

    /// Something happens that tasks may have waited for.
    pub(super) fn goes_on(&mut self) {
        self.idle = 0;
        self.yielding_rounds = 0;
    }

    pub(super) fn begins_an_instant(&mut self) {
        self.polls = 0;
    }
}
