//! A world as data: hosts, links, options, captures, limits, seed. It is what [`Sim`](crate::Sim)
//! and [`Live`](crate::Live) build their hosts and their network from, holds nothing of what a run
//! changes, and can be printed.
//!
//! - `host`: hosts and their interfaces; `capture`: what is captured; `limits`: what a run may take
//! - `fault`: what is done to a world on purpose
//! - `text`: the printed form

mod capture;
mod fault;
mod host;
mod limits;
mod text;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub(super) use capture::{CapturePlan, CapturePoint};
pub(crate) use fault::is_ignored_by_default;
pub use fault::{Fault, Hosts, LinkChange, ParseFaultError};
pub(super) use fault::{KnownHosts, list_names, no_host_called};
pub(crate) use host::check_name;
pub(super) use host::{AttachedInterface, HostPlan, InterfacePlan, Role};
pub(super) use limits::Limits;

use crate::host::HostOptions;
use crate::net::names::{DnsRecord, IpVersion};
use crate::network::{FrameMatch, HostAddresses, Impairments};
use crate::rng::Seed;

/// Faults that a plan has at most.
pub(super) const MAX_FAULTS: usize = 100_000;

/// A world as data.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) seed: Seed,
    pub(super) limits: Limits,
    hosts: Vec<HostPlan>,
    by_name: BTreeMap<String, u32>,
    /// By host. A host may come after its options.
    options: BTreeMap<String, HostOptions>,
    /// Those of hosts for which none are set.
    default_options: HostOptions,
    /// What each direction of a link does to frames, from one node to another, where it is said.
    links: BTreeMap<(String, String), Impairments>,
    captures: Vec<CapturePlan>,
    /// Frames that are dropped on purpose.
    dropped: Vec<FrameMatch>,
    /// What is done on purpose, and when, in nanoseconds.
    faults: Vec<(u64, Fault)>,
    names: NamesPlan,
}

/// What is known of names beside those of hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamesPlan {
    /// Lines of `/etc/hosts`: names, with blanks between them, and the address they stand for.
    pub(super) lines: Vec<(String, IpAddr)>,
    /// Hosts, or addresses outside, that are asked for other names.
    pub(super) nameservers: Vec<String>,
    pub(super) records: Vec<(String, DnsRecord)>,
    /// What a plain name stands for.
    pub(super) ip_version: IpVersion,
}

impl Plan {
    /// A world without anything in it.
    pub(super) fn new(seed: u64) -> Plan {
        Plan {
            seed: Seed(seed),
            limits: Limits::default(),
            hosts: Vec::new(),
            by_name: BTreeMap::new(),
            options: BTreeMap::new(),
            default_options: HostOptions::default(),
            links: BTreeMap::new(),
            captures: Vec::new(),
            dropped: Vec::new(),
            faults: Vec::new(),
            names: NamesPlan::default(),
        }
    }

    /// Whether a host can be called so.
    pub(super) fn check_new_host(&self, name: &str) -> Result<(), String> {
        check_name(name)?;
        match self.by_name.contains_key(name) {
            true => Err(format!("two hosts are called {name:?}")),
            false => Ok(()),
        }
    }

    /// Adds a host on the default LAN, with the next addresses there.
    pub(super) fn add_host(&mut self, name: &str, role: Role) -> Result<u32, String> {
        let Some(addresses) = HostAddresses::nth(self.hosts.len() as u32) else {
            return Err(format!("no address is left for host {name:?}: the LAN is full"));
        };
        Ok(self.add_host_at(name, role, InterfacePlan::Lan(addresses)))
    }

    /// Adds a host with an interface of its own.
    pub(super) fn add_host_at(&mut self, name: &str, role: Role, interface: InterfacePlan) -> u32 {
        let host = self.hosts.len() as u32;
        self.by_name.insert(name.to_owned(), host);
        self.hosts.push(HostPlan { name: name.to_owned(), role, interface });
        host
    }

    pub(super) fn hosts(&self) -> &[HostPlan] {
        &self.hosts
    }

    pub(super) fn host(&self, host: u32) -> &HostPlan {
        &self.hosts[host as usize]
    }

    pub(super) fn name(&self, host: u32) -> &str {
        &self.host(host).name
    }

    /// The number of the host that is called so.
    pub(super) fn host_called(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn set_options(&mut self, host: &str, options: HostOptions) {
        self.options.insert(host.to_owned(), options);
    }

    pub(super) fn set_default_options(&mut self, options: HostOptions) {
        self.default_options = options;
    }

    /// The options of a host's stack.
    pub(super) fn options(&self, host: &str) -> HostOptions {
        self.options.get(host).unwrap_or(&self.default_options).clone()
    }

    /// The addresses of a host's interface that its options leave it: below an MTU of 1280 none of
    /// IPv6.
    pub(super) fn addresses(&self, host: u32) -> Vec<IpAddr> {
        let HostPlan { name, interface, .. } = self.host(host);
        let has_v6 = self.options(name).has_v6();
        let addresses = interface.prefixes().into_iter().map(|prefix| prefix.address);
        addresses.filter(|address| address.is_ipv4() || has_v6).collect()
    }

    /// What is wrong with the options of hosts in a world that is to use IPv6, if anything.
    pub(super) fn check_mtus(&self) -> Result<(), String> {
        let wants_v6 = self.names.ip_version == IpVersion::V6;
        let without_v6 = |host: &&HostPlan| !self.options(&host.name).has_v6();
        match self.hosts.iter().find(without_v6).filter(|_| wants_v6) {
            None => Ok(()),
            Some(HostPlan { name, .. }) => Err(format!(
                "host {name:?} has an MTU of {}, and so no IPv6, which needs 1280 (RFC 8200 \
                 section 5); but ip_version(IpVersion::V6) wants IPv6 for all hosts",
                self.options(name).mtu_in_force()
            )),
        }
    }

    /// What a direction of a link does to frames; from now on it is one that was named.
    pub(super) fn link(&mut self, from: &str, to: &str) -> &mut Impairments {
        self.links.entry((from.to_owned(), to.to_owned())).or_default()
    }

    /// What a direction of a link does to frames, if it was named.
    pub(super) fn link_if_named(&self, from: &str, to: &str) -> Option<&Impairments> {
        self.links.get(&(from.to_owned(), to.to_owned()))
    }

    /// The directions of links that were named.
    pub(super) fn links(&self) -> impl Iterator<Item = (&str, &str, &Impairments)> {
        self.links.iter().map(|((from, to), it)| (from.as_str(), to.as_str(), it))
    }

    pub(super) fn add_capture(&mut self, capture: CapturePlan) {
        self.captures.push(capture);
    }

    pub(super) fn captures(&self) -> &[CapturePlan] {
        &self.captures
    }

    pub(super) fn drop_frames(&mut self, frames: FrameMatch) {
        self.dropped.push(frames);
    }

    pub(super) fn names(&mut self) -> &mut NamesPlan {
        &mut self.names
    }

    /// Whether every host that a link, options, a capture, a rule or a fault name exists.
    pub(super) fn check_names(&self) -> Result<(), String> {
        let check = |name: &str| match self.by_name.contains_key(name) {
            true => Ok(()),
            false => Err(self.no_host_called(name)),
        };
        for (from, to, _) in self.links() {
            if from == to {
                return Err(format!("a link from host {from:?} to itself: loopback has no link"));
            }
            check(from)?;
            check(to)?;
        }
        self.options.keys().try_for_each(|name| check(name))?;
        for frames in &self.dropped {
            let is_meant = |host: &HostPlan| host.name.eq_ignore_ascii_case(frames.host());
            if !self.hosts.iter().any(is_meant) {
                return Err(self.no_host_called(frames.host()));
            }
        }
        self.faults.iter().try_for_each(|(_, fault)| fault.check(self))?;
        self.captures.iter().flat_map(|capture| capture.point.hosts()).try_for_each(check)
    }

    /// Enters something that is done at a time, in nanoseconds since the world begins. False when
    /// there are so many already that it is not.
    pub(super) fn add_fault(&mut self, at: u64, fault: Fault) -> bool {
        let has_room = self.faults.len() < MAX_FAULTS;
        if has_room {
            self.faults.push((at, fault));
        }
        has_room
    }

    /// The names of some hosts, as a message has them.
    pub(super) fn list_names(&self, is_meant: impl Fn(usize) -> bool) -> String {
        let meant = self.hosts.iter().enumerate().filter(|(index, _)| is_meant(*index));
        list_names(meant.map(|(_, host)| host.name.as_str()))
    }
}

impl KnownHosts for Plan {
    fn role_of(&self, name: &str) -> Option<Role> {
        self.host_called(name).map(|host| self.host(host).role)
    }

    fn no_host_called(&self, name: &str) -> String {
        no_host_called(name, self.hosts.iter().map(|host| host.name.as_str()))
    }
}
