//! Setting a world up: hosts, options, links, captures.

use std::io::{self, Write};
use std::net::IpAddr;
use std::panic::Location;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::report::Failure;
use super::state::{Machine, Main, MainFuture, Observer, World};
use super::vantage::Vantage;
use crate::host::{Host, HostCounters, HostOptions};
use crate::net::is_address;
use crate::network;
use crate::task::Origin;
use crate::time::Instant;

impl World {
    pub(super) fn add_host(
        &mut self,
        name: &str,
        main: Rc<dyn Fn() -> MainFuture>,
        at: &'static Location<'static>,
    ) {
        self.add_machine(name, Main::Host(main), at);
    }

    pub(super) fn add_client(
        &mut self,
        name: &str,
        main: MainFuture,
        at: &'static Location<'static>,
    ) {
        self.add_machine(name, Main::Client(Some(main)), at);
    }

    fn add_machine(&mut self, name: &str, main: Main, at: &'static Location<'static>) {
        if let Err(wrong) = check_name(name) {
            return self.setup_failed(wrong);
        }
        if self.by_name.contains_key(name) {
            return self.setup_failed(format!("two hosts are called {name:?}"));
        }
        if let Some(other) = self.names.host_called(name) {
            return self.setup_failed(format!(
                "hosts {other:?} and {name:?} have the same name: case makes no difference"
            ));
        }
        let Some((index, addresses)) = self.lan.add_host() else {
            return self
                .setup_failed(format!("no address is left for host {name:?}: the LAN is full"));
        };
        self.by_name.insert(name.to_owned(), index);
        self.names.insert(name, addresses.v4.into());
        self.names.insert(name, addresses.v6.into());
        self.recorder.add_host();
        self.machines.push(Machine {
            name: name.to_owned(),
            addresses,
            main,
            origin: Origin::Main(at),
            starts: 0,
            held_down: false,
            running: None,
            queued_deadline: None,
            vantages: Vec::new(),
            retransmissions_before: 0,
            counters_before: HostCounters::default(),
        });
        self.started = false;
    }

    pub(super) fn set_host_options(&mut self, name: &str, options: HostOptions) {
        if let Err(wrong) = options.check() {
            return self.setup_failed(format!("options of host {name:?}: {wrong}"));
        }
        if self.host_index(name).is_some_and(|index| self.machines[index as usize].starts > 0) {
            return self.setup_failed(format!("options of host {name:?}: it is running already"));
        }
        self.options.insert(name.to_owned(), options);
    }

    pub(super) fn set_seed_from_environment(&mut self) {
        self.seed_from_environment = true;
    }

    pub(super) fn set_event_limit(&mut self, events: u64) {
        self.event_limit = events;
    }

    pub(super) fn set_poll_limit(&mut self, polls: u64) {
        self.poll_limit = polls;
    }

    pub(super) fn set_time_limit(&mut self, limit: Duration) {
        self.time_limit = limit;
    }

    pub(super) fn set_poll_time(&mut self, limit: Duration) {
        self.poll_time = limit;
    }

    pub(super) fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
        self.turn.unwatched = false;
        for machine in &self.machines {
            if let Some(running) = &machine.running {
                running.host.look_mut(|host| host.observe(true));
            }
        }
    }

    pub(super) fn direction(&mut self, from: &str, to: &str) -> &mut network::Direction {
        self.started = false;
        self.lan.direction(from, to)
    }

    pub(super) fn capture_host(&mut self, host: &str, path: &Path) -> io::Result<()> {
        let vantage = Vantage::file(path, &[host], self.captures_events)?;
        self.add_vantage(&[host], vantage);
        Ok(())
    }

    pub(super) fn capture_link(&mut self, a: &str, b: &str, path: &Path) -> io::Result<()> {
        let vantage = Vantage::file(path, &[a, b], self.captures_events)?;
        self.add_vantage(&[a, b], vantage);
        Ok(())
    }

    /// Captures the interface of one host, or the link between two.
    pub(super) fn capture_to(&mut self, ends: &[&str], name: &str, writer: Box<dyn Write + Send>) {
        let vantage = Vantage::stream(name, ends, self.captures_events, writer);
        self.add_vantage(ends, vantage);
    }

    fn add_vantage(&mut self, ends: &[&str], vantage: Vantage) {
        self.vantages.push(vantage);
        self.turn.unwatched = false;
        if let [a, b] = ends {
            self.lan.direction(a, b);
            self.lan.direction(b, a);
        }
        self.started = false;
    }

    pub(super) fn setup_failed(&mut self, message: String) {
        self.fail_setup(Failure::Setup { message });
    }

    /// The first mistake is kept for the next run to report.
    pub(super) fn fail_setup(&mut self, failure: Failure) {
        self.setup_failure.get_or_insert(failure);
    }

    pub(super) fn host_index(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed.0
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.clock.now())
    }

    pub(super) fn lookup(&self, name: &str) -> Option<IpAddr> {
        self.names.address_of(name)
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn retransmissions(&self) -> u64 {
        let of = |machine: &Machine| {
            let now = machine
                .running
                .as_ref()
                .map_or(0, |running| running.host.look(Host::retransmissions));
            machine.retransmissions_before + now
        };
        self.machines.iter().map(of).sum()
    }
}

pub(super) fn check_name(name: &str) -> std::result::Result<(), String> {
    let is_fine = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if is_address(name) {
        return Err(format!(
            "{name:?} cannot be a host's name: it is an address, and is taken for one"
        ));
    }
    let is_localhost = name.eq_ignore_ascii_case("localhost");
    if name.is_empty() || name.len() > 63 || !name.chars().all(is_fine) || is_localhost {
        return Err(format!(
            "{name:?} cannot be a host's name: use 1 to 63 letters, digits, '-', '_' or '.', and not \"localhost\""
        ));
    }
    Ok(())
}
