//! Starting hosts, and cutting their power.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::limits;
use super::report::Failure;
use super::state::{Machine, Main, MainFuture, Running, World};
use super::vantage::{CapturedHost, Vantage};
use crate::error::Result;
use crate::host::{Host, HostHandle};
use crate::net::{Attachment, NameService};
use crate::task::{HostScope, Watched};

impl World {
    /// Has the watchdog look after this world. `GLASSNET_WATCHDOG` is for whoever debugs it; what
    /// happens in the world does not depend on either.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn watch_polls(&mut self) -> std::result::Result<(), Failure> {
        if self.is_watched {
            return Ok(());
        }
        let limit = match std::env::var("GLASSNET_WATCHDOG") {
            Err(_) => self.poll_time,
            Ok(text) if text.trim() == "off" => Duration::MAX,
            Ok(text) => {
                let seconds = text.trim().parse();
                seconds.map(Duration::from_secs).map_err(|_| Failure::Setup {
                    message: format!("GLASSNET_WATCHDOG={text:?} is neither seconds nor off"),
                })?
            }
        };
        let (clock, seed) = (self.clock.clone(), self.seed.0);
        self.executor.watch(Watched { clock, seed, limit, aborts: true });
        self.is_watched = true;
        Ok(())
    }

    pub(super) fn start_pending(&mut self) -> std::result::Result<(), Failure> {
        if let Some(failure) = self.setup_failure.take() {
            return Err(failure);
        }
        if self.started {
            return Ok(());
        }
        self.check_names()?;
        let by_name = &self.by_name;
        self.lan.connect_named_pairs(|name| by_name.get(name).copied());
        self.capture_every_host()?;
        self.begin_captures()?;
        for index in 0..self.machines.len() {
            if self.machines[index].starts == 0 && !self.machines[index].held_down {
                self.start(index as u32);
            }
        }
        self.started = true;
        Ok(())
    }

    /// Whether every host that a link, options or a capture name exists.
    pub(super) fn check_names(&self) -> std::result::Result<(), Failure> {
        let check = |name: &str| {
            if self.by_name.contains_key(name) {
                return Ok(());
            }
            Err(Failure::Setup { message: self.no_host_called(name) })
        };
        for (from, to) in self.lan.named_pairs() {
            if from == to {
                let message = format!("a link from host {from:?} to itself: loopback has no link");
                return Err(Failure::Setup { message });
            }
            check(from)?;
            check(to)?;
        }
        self.options.keys().try_for_each(|name| check(name))?;
        for name in self.rules.hosts() {
            let is_called = |machine: &Machine| machine.name.eq_ignore_ascii_case(name);
            if !self.machines.iter().any(is_called) {
                return Err(Failure::Setup { message: self.no_host_called(name) });
            }
        }
        self.vantages.iter().flat_map(Vantage::ends).try_for_each(|name| check(name))
    }

    pub(super) fn begin_captures(&mut self) -> std::result::Result<(), Failure> {
        let names = self.names.all();
        for index in 0..self.vantages.len() {
            let vantage = &mut self.vantages[index];
            let mut ends = Vec::new();
            for name in vantage.ends() {
                // That there is such a host was checked before.
                ends.extend(self.by_name.get(name));
            }
            let captured: Vec<CapturedHost> = ends
                .iter()
                .map(|end| {
                    let machine = &self.machines[*end as usize];
                    CapturedHost {
                        name: machine.name.clone(),
                        addresses: machine.addresses.clone(),
                    }
                })
                .collect();
            let begun = vantage.begin(self.seed, &captured, &names, &self.secrets);
            begun.map_err(|error| Failure::Capture { message: error.to_string() })?;
            match ends[..] {
                [host] => {
                    let vantages = &mut self.machines[host as usize].vantages;
                    if !vantages.contains(&index) {
                        vantages.push(index);
                    }
                }
                [a, b] => {
                    for end in [a, b] {
                        if let Some(running) = &self.machines[end as usize].running {
                            running.host.look_mut(|host| host.observe(true));
                        }
                    }
                    for (end, (from, to)) in [(0, (a, b)), (1, (b, a))] {
                        if let Some(direction) = self.lan.index_between(from, to) {
                            let taps = self.link_vantages.entry(direction).or_default();
                            if !taps.contains(&(index, end)) {
                                taps.push((index, end));
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn start(&mut self, index: u32) {
        let machine = &mut self.machines[index as usize];
        let stream = match machine.starts {
            0 => self.seed.stream(&format!("host {}", machine.name)),
            // A restarted machine remembers nothing: its numbers are new.
            again => self.seed.stream(&format!("host {} start {again}", machine.name)),
        };
        let options = self.options.get(&machine.name).cloned().unwrap_or_default();
        let mut host =
            Host::new(machine.addresses.mac, &machine.addresses.prefixes(), options, stream);
        host.observe(
            self.observer.is_some()
                || self.vantages.iter().any(|vantage| vantage.is_link_of(&machine.name)),
        );
        let host = HostHandle::new(index, host, self.clock.clone(), self.dirty.clone());
        // Apart from the stack's, so that a lookup moves none of its draws.
        let ids = self.seed.stream(&format!("resolver {} start {}", machine.name, machine.starts));
        let application =
            self.seed.stream(&format!("application {} start {}", machine.name, machine.starts));
        let names = Arc::new(NameService::new(&machine.name, self.names.clone(), ids));
        let attachment = Attachment { host: host.clone(), names };
        let scope = HostScope::new(
            machine.name.clone(),
            self.clock.clone(),
            Arc::new(attachment),
            application,
            self.executor.clone(),
        );
        let origin = machine.origin;
        let main = match &mut machine.main {
            Main::Host(main) => {
                // Called by the task, so that its first lines, too, run on the host.
                let main = main.clone();
                let main = Box::pin(async move { main().await });
                Some(scope.spawn_main(origin, noting_its_end(main, index, &self.ended)))
            }
            Main::Client(main) => main.take().map(|main| {
                self.clients_running += 1;
                scope.spawn_main(origin, noting_its_end(main, index, &self.ended))
            }),
        };
        self.recorder.came_up(index, self.clock.now());
        machine.starts += 1;
        machine.running = Some(Running { host, scope, main });
    }

    pub(super) fn crash(&mut self, index: u32) {
        let machine = &mut self.machines[index as usize];
        let Some(running) = machine.running.take() else {
            machine.held_down = machine.starts == 0;
            return;
        };
        self.recorder.went_down(index, self.clock.now());
        machine.queued_deadline = None;
        self.queue.remove_deadline(index);
        machine.retransmissions_before += running.host.look(Host::retransmissions);
        machine.counters_before.add(&running.host.look(Host::counters));
        let _running = self.clock.enter();
        running.host.call(|host, _| host.crash());
        running.scope.end();
        if matches!(machine.main, Main::Client(_)) && running.main.is_some() {
            self.clients_running -= 1;
        }
        running.scope.span.in_scope(|| tracing::info!(target: "glassnet::world", "crash"));
        let message = format!("crash of {}", machine.name);
        self.tell_link_captures(&message);
        // Its tasks are dropped now, before anything else happens, and what they spawn as they are.
        for _ in 0..limits::ROUNDS {
            if self.executor.run_round().polls == 0 {
                break;
            }
            self.clock.end_round();
        }
        self.collect_ended();
    }

    pub(super) fn bounce(&mut self, index: u32) {
        self.crash(index);
        let machine = &mut self.machines[index as usize];
        let was_started = machine.starts > 0;
        machine.held_down = false;
        if was_started {
            self.start(index);
        }
        // One that never ran starts with the next run.
        self.started &= was_started;
    }
}

fn noting_its_end(
    main: MainFuture,
    index: u32,
    ended: &Rc<RefCell<Vec<u32>>>,
) -> impl Future<Output = Result> + 'static {
    let ended = ended.clone();
    async move {
        let result = main.await;
        ended.borrow_mut().push(index);
        result
    }
}
