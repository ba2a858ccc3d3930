//! Setting a world up: what is said goes into its plan, and hosts are made as they are named.

use std::io::{self, Write};
use std::panic::Location;
use std::path::Path;

use super::failure::Failure;
use super::machine::Main;
use super::world::World;
use crate::host::HostOptions;
use crate::net::names::{DnsRecord, IpVersion};
use crate::network::{HalfLinkId, Impairments};
use crate::task::{Origin, Schedule};
use crate::world::core::journal::Journal;
use crate::world::core::observe::Observer;
use crate::world::core::vantage::Target;
use crate::world::plan::{CapturePlan, CapturePoint, Role};

impl World {
    pub(super) fn add_host(&mut self, name: &str, main: Main, at: &'static Location<'static>) {
        if let Err(wrong) = self.try_to_add_host(name, main, at) {
            self.setup_failed(wrong);
        }
    }

    fn try_to_add_host(
        &mut self,
        name: &str,
        main: Main,
        at: &'static Location<'static>,
    ) -> Result<(), String> {
        self.plan.check_new_host(name)?;
        if let Some(other) = self.names.host_called(name) {
            return Err(format!(
                "hosts {other:?} and {name:?} have the same name: case makes no difference"
            ));
        }
        let role = match main {
            Main::Host(_) => Role::Host,
            Main::Client(_) => Role::Client,
        };
        let host = self.plan.add_host(name, role)?;
        self.desk.add_host(name, role);
        self.names.set_addresses(name, &self.plan.addresses(host));
        self.traffic.topology.add_host();
        self.log.recorder.add_host();
        self.machines.add(main, Origin::Main(at));
        self.is_built = false;
        Ok(())
    }

    pub(super) fn set_default_options(&mut self, options: HostOptions) {
        if let Err(wrong) = options.check() {
            return self.setup_failed(format!("default options: {wrong}"));
        }
        if !self.plan.hosts().is_empty() {
            return self.setup_failed("default options come before the first host".to_owned());
        }
        self.plan.set_default_options(options);
    }

    pub(super) fn set_host_options(&mut self, name: &str, options: HostOptions) {
        if let Err(wrong) = options.check() {
            return self.setup_failed(format!("options of host {name:?}: {wrong}"));
        }
        let host = self.plan.host_called(name);
        if host.is_some_and(|host| self.machines.get(host).starts() > 0) {
            return self.setup_failed(format!("options of host {name:?}: it is running already"));
        }
        self.plan.set_options(name, options);
        if let Some(host) = host {
            self.names.set_addresses(name, &self.plan.addresses(host));
        }
    }

    /// Changes what a direction of a link does to frames.
    pub(super) fn change_link(
        &mut self,
        from: &str,
        to: &str,
        change: impl Fn(Impairments) -> Impairments,
    ) {
        self.is_built = false;
        let impairments = self.plan.link(from, to);
        *impairments = change(std::mem::take(impairments));
        if let Some(changed) = self.changed_links.get_mut(&(from.to_owned(), to.to_owned())) {
            *changed = change(std::mem::take(changed));
        }
        if let Err(wrong) = impairments.check() {
            self.setup_failed(format!("link {from} > {to}: {wrong}"));
        }
    }

    /// The path from one host to another, which has a random stream of its own by their names.
    pub(super) fn path(&mut self, from: u32, to: u32) -> HalfLinkId {
        let plan = &self.plan;
        self.traffic.topology.name_path(from, to, |from, to| {
            plan.seed.stream(&format!("link {}>{}", plan.name(from), plan.name(to)))
        })
    }

    /// Lets the links of the plan take effect for the hosts that exist.
    pub(super) fn build_links(&mut self) {
        let number = |name: &str| self.plan.host_called(name);
        let links: Vec<(u32, u32, Impairments)> = self
            .plan
            .links()
            .filter_map(|(from, to, impairments)| {
                let changed = self.changed_links.get(&(from.to_owned(), to.to_owned()));
                Some((number(from)?, number(to)?, changed.unwrap_or(impairments).clone()))
            })
            .collect();
        for (from, to, impairments) in links {
            let path = self.path(from, to);
            self.traffic.topology.set_impairments(path, &impairments);
        }
    }

    pub(super) fn observe(&mut self, observer: Observer) {
        self.observer = Some(match self.journal.clone() {
            None => observer,
            Some(journal) => {
                let mut observer = observer;
                Box::new(move |event| {
                    journal.note(event);
                    observer(event);
                })
            }
        });
        self.turn.unwatched = false;
        for running in self.machines.running() {
            running.host.look_mut(|host| host.observe(true));
        }
    }

    /// Keeps a journal of everything, from the beginning on.
    pub(super) fn keep_journal(&mut self, journal: Journal) {
        journal.set_clock(&self.tasks.clock);
        let of_tasks = journal.clone();
        self.tasks.executor.observe(Box::new(move |event| of_tasks.note_task(event)));
        self.journal = Some(journal);
        self.observe(Box::new(|_| {}));
    }

    pub(super) fn capture_host(&mut self, host: &str, path: &Path) -> io::Result<()> {
        self.capture(CapturePoint::of_host(host), path)
    }

    pub(super) fn capture_host_to(
        &mut self,
        host: &str,
        name: &str,
        writer: Box<dyn Write + Send>,
    ) {
        self.add_capture(CapturePoint::of_host(host), name, Target::writer(writer));
    }

    pub(super) fn capture_link_to(
        &mut self,
        a: &str,
        b: &str,
        name: &str,
        writer: Box<dyn Write + Send>,
    ) {
        let point = CapturePoint::Link { a: a.to_owned(), b: b.to_owned() };
        self.add_capture(point, name, Target::writer(writer));
    }

    pub(super) fn capture_link(&mut self, a: &str, b: &str, path: &Path) -> io::Result<()> {
        self.capture(CapturePoint::Link { a: a.to_owned(), b: b.to_owned() }, path)
    }

    fn capture(&mut self, point: CapturePoint, path: &Path) -> io::Result<()> {
        let target = Target::file(path)?;
        self.add_capture(point, &path.display().to_string(), target);
        Ok(())
    }

    fn add_capture(&mut self, point: CapturePoint, name: &str, target: Target) {
        if let CapturePoint::Link { a, b } = &point {
            // From now on it is a link that was named.
            self.plan.link(a, b);
            self.plan.link(b, a);
        }
        let capture =
            CapturePlan { point, name: name.to_owned(), has_events: self.captures_events };
        self.captures.add(&capture, target);
        self.plan.add_capture(capture);
        self.turn.unwatched = false;
        self.is_built = false;
    }

    pub(super) fn add_hosts_line(&mut self, names: &str, address: std::net::IpAddr) {
        match self.names.insert_line(names, address) {
            Ok(()) => self.plan.names().lines.push((names.to_owned(), address)),
            Err(wrong) => self.setup_failed(wrong),
        }
    }

    /// From now on the hosts ask this one, too, for names. False when they cannot.
    pub(super) fn add_nameserver(&mut self, host: &str) -> bool {
        match self.names.insert_nameserver(host) {
            Ok(()) => self.plan.names().nameservers.push(host.to_owned()),
            Err(wrong) => {
                self.setup_failed(wrong);
                return false;
            }
        }
        true
    }

    pub(super) fn add_dns_record(&mut self, name: &str, record: DnsRecord) {
        match self.names.insert_record(name, record.clone()) {
            Ok(()) => self.plan.names().records.push((name.to_owned(), record)),
            Err(wrong) => self.setup_failed(wrong),
        }
    }

    pub(super) fn set_ip_version(&mut self, ip_version: IpVersion) {
        self.plan.names().ip_version = ip_version;
        self.names.set_ip_version(ip_version);
    }

    /// The name of the stream is part of what a seed means.
    pub(super) fn set_schedule(&mut self, schedule: Schedule) {
        let random = match schedule {
            Schedule::Fifo => None,
            Schedule::Random => Some(self.plan.seed.stream("schedule")),
        };
        self.tasks.executor.set_random_order(random);
    }

    /// The first mistake is kept for the next run to report.
    pub(super) fn setup_failed(&mut self, message: String) {
        self.verdict.note_mistake(Failure::Setup { message });
    }
}
