//! Whether a world has checked anything, and what it says when it is dropped.

use super::failure::{Failure, RunError};
use super::machine::Machine;
use super::run::Goal;
use super::world::World;
use crate::error::Result;

impl World {
    /// Runs, unless there is nothing to check or a run has failed before.
    pub(super) fn run_and_judge(&mut self, goal: Goal<'_>) -> std::result::Result<bool, RunError> {
        if let Some(first) = self.verdict.failed().map(str::to_owned) {
            return Err(self.error(Failure::FailedBefore { first }, None));
        }
        self.verdict.note_run(goal.is_timed());
        let has_client =
            || self.machines.all().iter().any(Machine::is_client) || self.verdict.has_mistake();
        let result = if self.verdict.has_run_for_a_time() || has_client() {
            self.run(goal)
        } else {
            let message = "no client: `run` ends when all clients have ended, so it would check \
                           nothing; add a client, or use run_for"
                .to_owned();
            Err(self.error(Failure::Setup { message }, None))
        };
        if let Err(error) = &result {
            self.verdict.note_failure(error);
        }
        result
    }

    pub(super) fn judge(&mut self, result: Result) -> Result {
        let unchecked = self.unchecked();
        self.verdict.excuse();
        match (result, unchecked) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(failure)) => Err(self.error(failure, None).into()),
            (Err(error), _) => {
                let replay = self.replay_command();
                if format!("{error:?}").contains(&replay) {
                    return Err(error);
                }
                Err(self.error(Failure::Test, Some(error)).into())
            }
        }
    }

    /// What nobody would be told if the world were dropped now.
    fn unchecked(&mut self) -> Option<Failure> {
        if self.verdict.is_excused() || self.verdict.failed().is_some() {
            return None;
        }
        self.carry_out_orders();
        if let Some(mistake) = self.verdict.take_mistake() {
            return Some(mistake);
        }
        let machines = self.machines.all();
        if machines.is_empty() {
            return None;
        }
        let setup = |message: String| Some(Failure::Setup { message });
        if !self.verdict.has_run() {
            let names = self.plan.list_names(|_| true);
            return setup(format!(
                "the world was never run, so nothing was checked: call run or run_for \
                 (its hosts: {names})"
            ));
        }
        if !self.is_built {
            if let Err(message) = self.plan.check_names() {
                return setup(message);
            }
            let is_to_start = |index: usize| machines[index].is_to_start();
            if (0..machines.len()).any(is_to_start) {
                let names = self.plan.list_names(is_to_start);
                return setup(format!("added after the last run, and never run: {names}"));
            }
        }
        if self.machines.clients_running() > 0 {
            let clients = self.plan.list_names(|index| machines[index].is_running_client());
            if self.verdict.is_strict() {
                return setup(format!("the world was dropped before its clients ended: {clients}"));
            }
            tracing::warn!(
                target: "glassnet::world",
                clients,
                "dropped before all clients have ended"
            );
        }
        None
    }

    /// A thread that waits for a socket of this world would wait for ever.
    fn end_hosts(&self) {
        for running in self.machines.running() {
            running.host.call(|host, _| host.crash());
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.desk.close();
            // The message of the panic itself has it when it shows the error of the run.
            if !self.verdict.was_shown() {
                let (seed, now) = (self.plan.seed.0, self.now());
                eprintln!(
                    "panicked while this world was alive (seed {seed}, at {now}){}",
                    self.details()
                );
            }
            self.end_hosts();
            return;
        }
        let unchecked = self.unchecked();
        self.desk.close();
        {
            let _running = self.tasks.clock.enter();
            self.tasks.executor.shut_down();
        }
        self.end_hosts();
        if let Some(failure) = unchecked {
            let replay = self.replay_command();
            panic!("{failure} (seed {})\nreplay: {replay}", self.plan.seed.0);
        }
    }
}
