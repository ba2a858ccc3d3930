//! What a failed run says.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::failure::{Failure, RunError};
use super::replay::replay_command;
use super::world::World;
use crate::capture::{self, CaptureWriter, Section, Start};
use crate::task::HostScope;
use crate::world::core::report::{
    Hint, netstat_lines, write_failed_call, write_limited, write_netstat, write_waiting_tasks,
};
use crate::world::core::vantage::{interface_of, title};
use crate::world::plan::CapturePoint;

impl World {
    pub(super) fn error(&self, failure: Failure, source: Option<crate::Error>) -> RunError {
        let source = source.map(crate::Error::into_inner);
        let is_deadlock = matches!(failure, Failure::Deadlock);
        let details = self.details_with(if is_deadlock { Hint::Given } else { Hint::Spared });
        let shown = Arc::default();
        RunError { failure, source, seed: self.plan.seed.0, time: self.now(), details, shown }
    }

    /// What the main task of a host has returned.
    pub(super) fn error_of_main(
        &self,
        failure: Failure,
        source: crate::Error,
        scope: &HostScope,
    ) -> RunError {
        let mut details = String::new();
        write_failed_call(&mut details, scope.failed_call_behind(&source));
        let mut error = self.error(failure, Some(source));
        error.details.insert_str(0, &details);
        error
    }

    /// The command that runs this world again.
    pub(super) fn replay_command(&self) -> String {
        replay_command(self.plan.seed.0, self.verdict.is_seed_from_environment())
    }

    pub(super) fn details(&self) -> String {
        self.details_with(Hint::Spared)
    }

    fn details_with(&self, hint: Hint) -> String {
        let mut text = String::new();
        write_waiting_tasks(&mut text, &self.tasks.executor, hint);
        let (lost, errors) = self.tasks.executor.lost_errors().all();
        if lost > 0 {
            let title = format!("errors of tasks that nobody took ({lost})");
            write_limited(&mut text, &title, errors.iter().map(ToString::to_string));
        }
        let mut connections = Vec::new();
        for (machine, plan) in self.machines.all().iter().zip(self.plan.hosts()) {
            match machine.running() {
                Some(running) => connections.extend(netstat_lines(&plan.name, &running.host)),
                None if machine.starts() > 0 => {
                    let address = plan.interface.first_address();
                    let address = address.map_or(String::new(), |address| address.to_string());
                    connections.push(format!("{} ({address}): down", plan.name));
                }
                None => {}
            }
        }
        write_netstat(&mut text, connections);
        let name_of = |host: u32| self.plan.name(host).to_owned();
        let initial_of = |host: u32, local, remote| {
            let running = self.machines.get(host).running()?;
            running.host.look(|host| host.initial_sequence_numbers(local, remote))
        };
        self.faults.write(&mut text);
        self.log.last_frames.write(&mut text, &self.log.recorder, name_of, initial_of);
        self.write_drops(&mut text);
        for capture in self.captures.names() {
            let _ = write!(text, "\ncapture: {capture}");
        }
        for kept in self.keep_last_frames() {
            let _ = write!(text, "\n{kept}");
        }
        let _ = write!(text, "\nreplay: {}", self.replay_command());
        text
    }

    fn keep_last_frames(&self) -> &[String] {
        let hosts = || {
            let mut hosts = self.log.recorder.hosts();
            hosts.retain(|host| !self.captures.has_host(*host));
            hosts.into_iter().map(|host| (host, self.plan.name(host))).collect()
        };
        let write = |host, path: &Path| self.write_last_frames(host, path);
        self.kept.last_frames(self.plan.seed.0, hosts, write)
    }

    fn write_last_frames(&self, host: u32, path: &Path) -> io::Result<()> {
        let plan = self.plan.host(host);
        let file = capture::create_file(path)?;
        let description = format!("last frames at the interface of host {}", plan.name);
        let interface = interface_of(plan, 0, &description);
        let title = title(&self.plan, &CapturePoint::of_host(&plan.name));
        let section = Section { seed: self.plan.seed.0, title, start: Start::Simulated };
        let writer = CaptureWriter::new(file, &section, &[interface], &self.names.all())?;
        let mut writer = writer.with_secrets(self.captures.secrets().clone());
        self.log.recorder.write(host, self.tasks.now(), &mut writer)
    }
}
