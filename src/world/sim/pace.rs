//! Whether a run gets anywhere while its clock stands still.

use crate::task::Round;
use crate::world::core::limits::YIELDING_ROUNDS;
use crate::world::plan::Limits;

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
    /// Notes a round of tasks, and whether hosts had work after it. The error is how many
    /// times tasks have run for nothing, when that is as many as a limit allows: that of polls in a
    /// row, or that of events in one instant with work in between.
    pub(super) fn note(
        &mut self,
        round: Round,
        has_worked: bool,
        limits: &Limits,
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
        if self.idle >= limits.polls {
            return Err(self.idle);
        }
        if self.polls >= limits.events { Err(self.polls) } else { Ok(()) }
    }

    /// Whether tasks have yielded so often that they wait for time to go on.
    pub(super) fn has_yielded_enough(&self) -> bool {
        self.yielding_rounds >= YIELDING_ROUNDS
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
