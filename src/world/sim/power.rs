//! Starting hosts, and cutting their power.

use std::io;
use std::time::Duration;

use super::failure::Failure;
use super::kept::captures_directory;
use super::world::World;
use crate::capture::Start;
use crate::host::Host;
use crate::task::{Streams, Watched};
use crate::world::core::limits::ROUNDS;
use crate::world::core::tasks::HostStreams;
use crate::world::plan::{CapturePoint, is_ignored_by_default};

impl World {
    /// Has the watchdog look after this world. `GLASSNET_WATCHDOG` is for whoever debugs it; what
    /// happens in the world does not depend on either.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn watch_polls(&mut self) -> Result<(), Failure> {
        if self.is_watched {
            return Ok(());
        }
        let limit = match std::env::var("GLASSNET_WATCHDOG") {
            Err(_) => self.plan.limits.poll_time,
            Ok(text) if text.trim() == "off" => Duration::MAX,
            Ok(text) => {
                let seconds = text.trim().parse();
                seconds.map(Duration::from_secs).map_err(|_| Failure::Setup {
                    message: format!("GLASSNET_WATCHDOG={text:?} is neither seconds nor off"),
                })?
            }
        };
        let (clock, seed) = (self.tasks.clock.clone(), self.plan.seed.0);
        self.tasks.executor.watch(Watched { clock, seed, limit, aborts: true });
        self.is_watched = true;
        Ok(())
    }

    /// Builds what the plan has and the world has not, and starts the hosts that never ran.
    pub(super) fn start_pending(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.verdict.take_mistake() {
            return Err(failure);
        }
        if self.is_built {
            return Ok(());
        }
        let checks = self.plan.check_names().and_then(|()| self.plan.check_mtus());
        checks.map_err(|message| Failure::Setup { message })?;
        self.build_links();
        self.capture_every_host()?;
        self.begin_captures()?;
        for host in 0..self.machines.all().len() as u32 {
            if self.machines.get(host).is_to_start() {
                self.start(host);
            }
        }
        self.is_built = true;
        tracing::trace!(target: "glassnet::world", plan = %self.plan, "built");
        Ok(())
    }

    /// Keeps a capture of each host that has not run, where that is asked for.
    fn capture_every_host(&mut self) -> Result<(), Failure> {
        let Some(directory) = captures_directory() else { return Ok(()) };
        let captured = (0..self.machines.all().len() as u32).try_for_each(|host| {
            // One that is held down is captured when it starts.
            if !self.machines.get(host).is_to_start() {
                return Ok(());
            }
            let name = self.plan.name(host).to_owned();
            let path = self.kept.path(&directory, self.plan.seed.0, &name)?;
            self.capture_host(&name, &path)
        });
        captured.map_err(|error: io::Error| Failure::Capture {
            message: format!("GLASSNET_PCAP_DIR: {error}"),
        })
    }

    fn begin_captures(&mut self) -> Result<(), Failure> {
        let begun = self.captures.begin(
            &self.plan,
            &self.traffic.topology,
            &self.names,
            Start::Simulated,
            self.tasks.executor.alarm(),
        );
        begun.map_err(|error| Failure::Capture { message: error.to_string() })?;
        for capture in self.plan.captures() {
            let CapturePoint::Link { a, b } = &capture.point else { continue };
            let ends = [a, b].into_iter().filter_map(|end| self.plan.host_called(end));
            for running in ends.filter_map(|end| self.machines.get(end).running()) {
                running.host.look_mut(|host| host.observe(true));
            }
        }
        Ok(())
    }

    fn start(&mut self, index: u32) {
        let plan = self.plan.host(index);
        let (name, starts) = (&plan.name, self.machines.get(index).starts());
        let seed = self.plan.seed;
        let stream = match starts {
            0 => seed.stream(&format!("host {name}")),
            // A restarted machine remembers nothing: its numbers are new.
            again => seed.stream(&format!("host {name} start {again}")),
        };
        let (mac, prefixes) = (plan.interface.mac(), plan.interface.prefixes());
        let mut host = Host::new(mac, &prefixes, self.plan.options(name), stream);
        host.observe(self.observer.is_some() || self.captures.has_link_of(name));
        let streams = HostStreams {
            resolver: seed.stream(&format!("resolver {name} start {starts}")),
            applications: Streams::new(seed, name, &format!(" start {starts}")),
        };
        let running = self.tasks.boot(index, name, host, &self.names, streams);
        self.desk.started(index, &running.host);
        self.machines.start(index, running);
        self.log.recorder.came_up(index, self.tasks.now());
    }

    pub(super) fn crash(&mut self, index: u32) {
        let Some(running) = self.machines.cut_power(index) else { return };
        self.log.recorder.went_down(index, self.tasks.now());
        self.traffic.queue.remove_deadline(index);
        let _running = self.tasks.clock.enter();
        running.host.call(|host, _| host.crash());
        running.scope.end();
        running.scope.span.in_scope(|| tracing::info!(target: "glassnet::world", "crash"));
        self.desk.set_ending_tasks(true);
        // Its tasks are dropped now, before anything else happens, and what they spawn as they are.
        for _ in 0..ROUNDS {
            if self.tasks.executor.run_round().polls == 0 {
                break;
            }
            self.tasks.clock.end_round();
        }
        self.desk.set_ending_tasks(false);
        self.collect_ended();
    }

    /// Sends a signal to the program of a host.
    pub(super) fn signal(&mut self, index: u32, signal: i32) {
        let Some(scope) = self.machines.get(index).running().map(|running| running.scope.clone())
        else {
            return;
        };
        let _running = self.tasks.clock.enter();
        scope.span.in_scope(|| tracing::info!(target: "glassnet::world", signal, "signal"));
        if !scope.signal(signal) && !is_ignored_by_default(signal) {
            self.machines.end_main(index);
            scope.end();
        }
    }

    pub(super) fn bounce(&mut self, index: u32) {
        self.crash(index);
        if self.machines.get(index).starts() > 0 {
            self.start(index);
        } else {
            // One that never ran starts with the next run.
            self.machines.release(index);
            self.is_built = false;
        }
    }
}
