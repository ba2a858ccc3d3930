//! The present moment, for a task.

use std::time::Duration;

use crate::clock::Instant;
use crate::task::context;

impl Instant {
    /// The present moment of the world in which the calling task runs.
    ///
    /// # Panics
    /// When called outside a task of a world, where there is no clock.
    #[track_caller]
    #[must_use]
    pub fn now() -> Instant {
        match context::clock() {
            Some(clock) => Instant::from_nanos(clock.now()),
            None => {
                panic!("Instant::now() needs the clock of a world: call it in a task of a host")
            }
        }
    }

    /// The time since this instant.
    ///
    /// # Panics
    /// Like [`Instant::now`], outside a task of a world.
    #[track_caller]
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Instant::now().duration_since(*self)
    }
}
