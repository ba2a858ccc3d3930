//! What is known about the setup and the runs of a world.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::failure::{Failure, RunError};

/// What is known about the setup and the runs of a world.
#[derive(Default)]
pub(super) struct Verdict {
    /// The first mistake of the setup, until a run reports it.
    mistake: Option<Failure>,
    /// It was run at all.
    ran: bool,
    /// It was run for a time.
    ran_for: bool,
    /// What the first run that failed said, in one line.
    failed: Option<String>,
    /// Whether somebody was shown the report of that failure.
    shown: Option<Arc<AtomicBool>>,
    /// What is otherwise only a warning is an error.
    is_strict: bool,
    /// Its setup returned an error, or somebody else answers for it.
    excused: bool,
    /// The environment chooses the seed.
    is_seed_from_environment: bool,
}

impl Verdict {
    /// The first mistake of the setup is kept for the next run to report.
    pub(super) fn note_mistake(&mut self, failure: Failure) {
        self.mistake.get_or_insert(failure);
    }

    pub(super) fn take_mistake(&mut self) -> Option<Failure> {
        self.mistake.take()
    }

    pub(super) fn set_strict(&mut self, strict: bool) {
        self.is_strict = strict;
    }

    pub(super) fn is_strict(&self) -> bool {
        self.is_strict
    }

    pub(super) fn set_seed_from_environment(&mut self) {
        self.is_seed_from_environment = true;
    }

    pub(super) fn is_seed_from_environment(&self) -> bool {
        self.is_seed_from_environment
    }

    /// A task has panicked, and its report was printed.
    pub(super) fn note_panic(&mut self) {
        self.failed = Some("a task panicked".to_owned());
        self.shown = Some(Arc::new(AtomicBool::new(true)));
    }

    /// A world whose setup returned an error is not expected to run.
    pub(super) fn note_setup<T, E>(
        &mut self,
        result: std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.excused |= result.is_err();
        result
    }

    /// A run begins. `is_timed`: it ends at a time, whatever the clients do.
    pub(super) fn note_run(&mut self, is_timed: bool) {
        self.ran = true;
        self.ran_for |= is_timed;
    }

    pub(super) fn has_run(&self) -> bool {
        self.ran
    }

    pub(super) fn has_run_for_a_time(&self) -> bool {
        self.ran_for
    }

    pub(super) fn has_mistake(&self) -> bool {
        self.mistake.is_some()
    }

    /// What the first run that failed said, in one line.
    pub(super) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Whether somebody was shown the report of that failure.
    pub(super) fn was_shown(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| shown.load(Ordering::Relaxed))
    }

    /// Somebody else answers for the world.
    pub(super) fn excuse(&mut self) {
        self.excused = true;
    }

    pub(super) fn is_excused(&self) -> bool {
        self.excused
    }

    /// The first run that failed.
    pub(super) fn note_failure(&mut self, error: &RunError) {
        let source = error.source.as_ref().map_or(String::new(), |source| format!(": {source}"));
        self.failed = Some(format!("{}{source} (at {})", error.failure, error.time));
        self.shown = Some(error.shown.clone());
    }
}
