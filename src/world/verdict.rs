//! Whether a world has checked anything, and what it says when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::replay::replay_command;
use super::report::{Failure, RunError};
use super::state::{Machine, Main, World};
use crate::error::Result;
use crate::task::TaskError;

/// Names that a message lists before it only counts.
const NAMES: usize = 12;

/// What is known about the runs of a world.
#[derive(Default)]
pub(super) struct Verdict {
    /// It was run at all.
    ran: bool,
    /// It was run for a time.
    ran_for: bool,
    /// What the first run that failed said, in one line.
    failed: Option<String>,
    /// Whether somebody was shown the report of that failure.
    shown: Option<Arc<AtomicBool>>,
    /// What is otherwise only a warning is an error.
    pub(super) strict: bool,
    /// Its setup returned an error, or somebody else answers for it.
    excused: bool,
}

impl World {
    /// Runs, unless there is nothing to check or a run has failed before.
    pub(super) fn run_and_judge(
        &mut self,
        duration: Option<Duration>,
    ) -> std::result::Result<(), RunError> {
        if let Some(first) = self.verdict.failed.clone() {
            return Err(self.error(Failure::FailedBefore { first }, None));
        }
        self.verdict.ran = true;
        self.verdict.ran_for |= duration.is_some();
        let has_client = || {
            self.machines.iter().any(|machine| matches!(machine.main, Main::Client(_)))
                || self.setup_failure.is_some()
        };
        let result = if self.verdict.ran_for || has_client() {
            self.run(duration)
        } else {
            let message = "no client: `run` ends when all clients have ended, so it would check \
                           nothing; add a client, or use run_for"
                .to_owned();
            Err(self.error(Failure::Setup { message }, None))
        };
        if let Err(error) = &result {
            let source =
                error.source.as_ref().map_or(String::new(), |source| format!(": {source}"));
            self.verdict.failed = Some(format!("{}{source} (at {})", error.failure, error.time));
            self.verdict.shown = Some(error.shown.clone());
        }
        result
    }

    /// A task has panicked, and its report was printed.
    pub(super) fn note_panic(&mut self) {
        self.verdict.failed = Some("a task panicked".to_owned());
        self.verdict.shown = Some(Arc::new(AtomicBool::new(true)));
    }

    /// A world whose setup returned an error is not expected to run.
    pub(super) fn note_setup<T, E>(
        &mut self,
        result: std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.verdict.excused |= result.is_err();
        result
    }

    pub(super) fn judge(&mut self, result: Result) -> Result {
        let unchecked = self.unchecked();
        self.verdict.excused = true;
        match (result, unchecked) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(failure)) => Err(self.error(failure, None).into()),
            (Err(error), _) => {
                let replay = replay_command(self.seed.0, self.seed_from_environment);
                if format!("{error:?}").contains(&replay) {
                    return Err(error);
                }
                Err(self.error(Failure::Test, Some(error)).into())
            }
        }
    }

    /// What nobody would be told if the world were dropped now.
    fn unchecked(&mut self) -> Option<Failure> {
        let Verdict { ran, failed, excused, strict, .. } = &self.verdict;
        if *excused || failed.is_some() {
            return None;
        }
        if let Some(failure) = self.setup_failure.take() {
            return Some(failure);
        }
        if self.machines.is_empty() {
            return None;
        }
        if !ran {
            let names = self.list_names(|_| true);
            let message = format!(
                "the world was never run, so nothing was checked: call run or run_for \
                 (its hosts: {names})"
            );
            return Some(Failure::Setup { message });
        }
        if !self.started {
            if let Err(failure) = self.check_names() {
                return Some(failure);
            }
            let is_unstarted = |index: usize| {
                let machine = &self.machines[index];
                machine.starts == 0 && !machine.held_down
            };
            if (0..self.machines.len()).any(is_unstarted) {
                let names = self.list_names(is_unstarted);
                let message = format!("added after the last run, and never run: {names}");
                return Some(Failure::Setup { message });
            }
        }
        if self.clients_running > 0 {
            let is_running = |index: usize| {
                let Machine { main, running, .. } = &self.machines[index];
                let main_runs = running.as_ref().is_some_and(|running| running.main.is_some());
                matches!(main, Main::Client(_)) && main_runs
            };
            let clients = self.list_names(is_running);
            if *strict {
                let message = format!("the world was dropped before its clients ended: {clients}");
                return Some(Failure::Setup { message });
            }
            tracing::warn!(
                target: "glassnet::world",
                clients,
                "dropped before all clients have ended"
            );
        }
        None
    }

    /// In a strict world an error that a task returned to nobody is one of the run.
    pub(super) fn fail_on_lost_errors(&mut self) {
        if self.verdict.strict
            && self.first_error.is_none()
            && let Some(TaskError { host, error, .. }) = self.executor.lost_errors().first()
        {
            let failure = Failure::Task { host, message: error };
            self.first_error = Some(self.error(failure, None));
        }
    }

    /// A thread that waits for a socket of this world would wait for ever.
    fn end_hosts(&self) {
        for running in self.machines.iter().filter_map(|machine| machine.running.as_ref()) {
            running.host.call(|host, _| host.crash());
        }
    }

    pub(super) fn no_host_called(&self, name: &str) -> String {
        match self.machines.is_empty() {
            true => format!("no host is called {name:?}: there are none yet"),
            false => {
                format!("no host is called {name:?}: there are {}", self.list_names(|_| true))
            }
        }
    }

    fn list_names(&self, is_meant: impl Fn(usize) -> bool) -> String {
        let meant = self.machines.iter().enumerate().filter(|(index, _)| is_meant(*index));
        let mut names: Vec<String> =
            meant.clone().take(NAMES).map(|(_, machine)| format!("{:?}", machine.name)).collect();
        let rest = meant.count() - names.len();
        if rest > 0 {
            names.push(format!("and {rest} more"));
        }
        names.join(", ")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The message of the panic itself has it when it shows the error of the run.
            let was_shown =
                self.verdict.shown.as_ref().is_some_and(|shown| shown.load(Ordering::Relaxed));
            if !was_shown {
                let (seed, now) = (self.seed.0, self.now());
                eprintln!(
                    "panicked while this world was alive (seed {seed}, at {now}){}",
                    self.details()
                );
            }
            self.end_hosts();
            return;
        }
        let unchecked = self.unchecked();
        {
            let _running = self.clock.enter();
            self.executor.shut_down();
        }
        self.end_hosts();
        if let Some(failure) = unchecked {
            let replay = replay_command(self.seed.0, self.seed_from_environment);
            panic!("{failure} (seed {})\nreplay: {replay}", self.seed.0);
        }
    }
}
