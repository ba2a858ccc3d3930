//! What is set before a run, and whether it makes sense.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::path::Path;

use super::addresses;
use crate::capture::LinkType;
use crate::device::{Mode, OTHER_END, Tap};
use crate::host::{Gateways, HostOptions, Prefix};
use crate::net::{Names, is_address};
use crate::network::Impairments;
use crate::wire::ethernet::{Mac, is_group};
use crate::world::plan::{
    AttachedInterface, CapturePlan, CapturePoint, InterfacePlan, NamesPlan, Plan, Role, check_name,
};

/// What was set so far.
pub(super) struct Settings {
    /// What the host is attached to, for people.
    attached_to: String,
    kind: Kind,
    /// The MTU of the device, where it has one of its own.
    device_mtu: Option<usize>,
    pub(super) hostname: String,
    pub(super) addresses: Vec<(IpAddr, u8)>,
    /// The IPv4 address comes by DHCP.
    pub(super) dhcp: bool,
    pub(super) gateways: Vec<IpAddr>,
    pub(super) mac: Option<[u8; 6]>,
    pub(super) peers: Vec<String>,
    pub(super) hosts: Vec<(String, IpAddr)>,
    pub(super) nameservers: Vec<IpAddr>,
    pub(super) seed: Option<u64>,
    pub(super) options: HostOptions,
    pub(super) impairments: Impairments,
    pub(super) stops_on_signals: bool,
    /// Captures that are asked for from now on have a row for what is no frame, too.
    pub(super) captures_events: bool,
    /// What captures are written to, for people, and whether they have such rows.
    pub(super) captures: Vec<(String, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tap,
    Tun,
    Cable,
}

/// What a run needs, all of it known and sensible.
pub(super) struct Setup {
    /// One host, connected to the device.
    pub(super) plan: Plan,
    pub(super) names: Names,
    /// Whether the link to the device does anything to frames.
    pub(super) is_impaired: bool,
    pub(super) stops_on_signals: bool,
    /// Whether neighbours are found by asking, so that one may have the same address.
    pub(super) has_neighbors: bool,
    /// Where the host gets its IPv4 address by DHCP.
    pub(super) dhcp_on: Option<DhcpOn>,
}

impl Setup {
    /// The Ethernet address of the host.
    pub(super) fn mac(&self) -> Mac {
        self.plan.host(0).interface.mac()
    }
}

/// What people are told of DHCP.
pub(super) struct DhcpOn {
    /// What the host is attached to.
    pub(super) device: String,
    /// What to do instead.
    pub(super) otherwise: String,
}

impl Settings {
    pub(super) fn of_tap(tap: &Tap) -> Settings {
        let kind = if tap.mode() == Mode::Ip { Kind::Tun } else { Kind::Tap };
        Settings::new(tap.name(), kind, Some(tap.mtu()), "glassnet".to_owned())
    }

    pub(super) fn of_cable(path: &Path) -> io::Result<Settings> {
        let hostname = format!("host-{}", std::process::id());
        Ok(Settings::new(&path.display().to_string(), Kind::Cable, None, hostname))
    }

    fn new(attached_to: &str, kind: Kind, device_mtu: Option<usize>, hostname: String) -> Settings {
        Settings {
            attached_to: attached_to.to_owned(),
            kind,
            device_mtu,
            hostname,
            addresses: Vec::new(),
            dhcp: false,
            gateways: Vec::new(),
            mac: None,
            peers: Vec::new(),
            hosts: Vec::new(),
            nameservers: Vec::new(),
            seed: None,
            options: HostOptions::default(),
            impairments: Impairments::default(),
            stops_on_signals: true,
            captures_events: true,
            captures: Vec::new(),
        }
    }

    /// A capture of the host's interface.
    pub(super) fn capture(&self, name: &str, has_events: bool) -> CapturePlan {
        let point = CapturePoint::of_host(&self.hostname);
        CapturePlan { point, name: name.to_owned(), has_events }
    }

    pub(super) fn all_addresses(&self) -> Vec<(IpAddr, u8)> {
        if self.addresses.is_empty() && self.kind == Kind::Cable {
            let mut derived = addresses::of_name(&self.hostname).to_vec();
            let has_v6 = self.options().has_v6();
            derived.retain(|(address, _)| if address.is_ipv4() { !self.dhcp } else { has_v6 });
            return derived;
        }
        self.addresses.clone()
    }

    /// What a run needs, or what is wrong.
    pub(super) fn setup(&self) -> io::Result<Setup> {
        check_name(&self.hostname).map_err(invalid)?;
        let options = self.options();
        options.check().map_err(invalid)?;
        self.impairments.check().map_err(invalid)?;
        self.check_mtu(&options)?;
        self.check_dhcp()?;
        let all = self.all_addresses();
        if all.is_empty() && !self.dhcp {
            let device = &self.attached_to;
            let or_dhcp = if self.kind == Kind::Tap { ", or one by DHCP" } else { "" };
            return Err(invalid(format!(
                "no address was given: this host needs one of its own{or_dhcp}, of the network \
                 that {device} is in; see it with\n  ip address show dev {device}"
            )));
        }
        if let Some((address, _)) = all.iter().find(|(address, _)| address.is_ipv6())
            && !options.has_v6()
        {
            return Err(invalid(format!(
                "an MTU of {} is too little for IPv6, which needs 1280 (RFC 8200 section 5): leave \
                 {address} out, or give a larger MTU",
                options.mtu_in_force()
            )));
        }
        let prefixes: Vec<Prefix> =
            all.iter().map(|(address, len)| Prefix::new(*address, *len)).collect();
        prefixes.iter().try_for_each(Prefix::check).map_err(invalid)?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => random()?,
        };
        let mut plan = Plan::new(seed);
        let interface = AttachedInterface {
            device: self.attached_to.clone(),
            link_type: match self.kind {
                Kind::Tun => LinkType::Ip,
                Kind::Tap | Kind::Cable => LinkType::Ethernet,
            },
            mac: self.mac()?,
            gateways: self.gateways(&prefixes)?,
            prefixes,
            dhcp: self.dhcp,
        };
        let interface = InterfacePlan::Device(Box::new(interface));
        plan.add_host_at(&self.hostname, Role::Client, interface);
        plan.set_options(&self.hostname, options);
        let impairments = self.impairments();
        let is_impaired = impairments != no_impairments();
        if is_impaired {
            *plan.link(&self.hostname, &self.attached_to) = impairments;
        }
        for (name, has_events) in &self.captures {
            plan.add_capture(self.capture(name, *has_events));
        }
        let names = self.names(&all, plan.names())?;
        Ok(Setup {
            plan,
            names,
            is_impaired,
            stops_on_signals: self.stops_on_signals,
            has_neighbors: self.kind != Kind::Tun,
            dhcp_on: self.dhcp.then(|| self.dhcp_on()),
        })
    }

    fn dhcp_on(&self) -> DhcpOn {
        let device = self.attached_to.clone();
        let otherwise = match self.kind {
            Kind::Cable => {
                "without DHCP this host has addresses that follow from its name".to_owned()
            }
            Kind::Tap | Kind::Tun => format!(
                "or give this host an address (--address) of the network that {device} is in; see \
                 it with\n  ip address show dev {device}"
            ),
        };
        DhcpOn { device, otherwise }
    }

    fn check_dhcp(&self) -> io::Result<()> {
        if !self.dhcp {
            return Ok(());
        }
        if self.kind == Kind::Tun {
            return Err(invalid(format!(
                "DHCP needs Ethernet, and {} is a TUN device, which carries IP alone: give this \
                 host an address",
                self.attached_to
            )));
        }
        if let Some((address, _)) = self.addresses.iter().find(|(address, _)| address.is_ipv4()) {
            return Err(invalid(format!(
                "{address} was given, and an IPv4 address by DHCP was asked for: choose one"
            )));
        }
        match self.gateways.iter().find(|gateway| gateway.is_ipv4()) {
            Some(gateway) => Err(invalid(format!(
                "the gateway {gateway} was given, and that of IPv4 comes by DHCP: leave it out, or give \
                 this host an address"
            ))),
            None => Ok(()),
        }
    }

    /// The options, with what follows from the device and the machine where nothing was set.
    fn options(&self) -> HostOptions {
        let mut options = self.options.clone();
        options.mtu = options.mtu.or(self.device_mtu.map(|device| device.min(65_535)));
        options.tcp_mem = options.tcp_mem.or_else(quarter_of_memory);
        options
    }

    /// The impairments, without delay where none was set.
    fn impairments(&self) -> Impairments {
        let delay = self.impairments.delay.unwrap_or_default();
        self.impairments.clone().delay(delay)
    }

    fn check_mtu(&self, options: &HostOptions) -> io::Result<()> {
        let ours = options.mtu_in_force();
        match self.device_mtu {
            Some(device) if ours > device => {
                let name = &self.attached_to;
                Err(invalid(format!(
                    "an MTU of {ours} is more than that of {name}, {device}: larger packets would \
                     be lost; give {device} or less, or, as root,\n  ip link set {name} mtu {ours}"
                )))
            }
            _ => Ok(()),
        }
    }

    fn mac(&self) -> io::Result<[u8; 6]> {
        match (self.mac, self.kind) {
            (Some(mac), _) if is_group(mac) => {
                Err(invalid("the Ethernet address is that of a group: its first octet is odd"))
            }
            (Some(mac), _) => Ok(mac),
            (None, Kind::Cable) => Ok(addresses::from_bits(random()?)),
            (None, _) => {
                Ok(addresses::mac_of(&format!("{} on {}", self.hostname, self.attached_to)))
            }
        }
    }

    fn gateways(&self, prefixes: &[Prefix]) -> io::Result<Gateways> {
        let mut gateways = Gateways::default();
        if self.kind == Kind::Tun {
            gateways.point_to_point = Some(OTHER_END);
            return match self.gateways.first() {
                Some(_) => {
                    Err(invalid("a TUN device has no gateway: everything leaves through it"))
                }
                None => Ok(gateways),
            };
        }
        for gateway in &self.gateways {
            let is_link_local =
                matches!(gateway, IpAddr::V6(address) if address.is_unicast_link_local());
            let is_neighbor = prefixes.iter().any(|prefix| prefix.contains(*gateway));
            let is_own = prefixes.iter().any(|prefix| prefix.address == *gateway);
            if is_own || !(is_neighbor || is_link_local) {
                return Err(invalid(format!(
                    "the gateway {gateway} is no neighbour: it is within none of this host's \
                     networks, or is the host itself"
                )));
            }
            let is_second = match gateway {
                IpAddr::V4(address) => gateways.v4.replace(*address).is_some(),
                IpAddr::V6(address) => gateways.v6.replace(*address).is_some(),
            };
            if is_second {
                return Err(invalid("two gateways of one family: give one"));
            }
        }
        Ok(gateways)
    }

    fn names(&self, own: &[(IpAddr, u8)], plan: &mut NamesPlan) -> io::Result<Names> {
        // An address needs no name.
        for peer in self.peers.iter().filter(|peer| !is_address(peer)) {
            check_name(peer).map_err(invalid)?;
            if !peer.eq_ignore_ascii_case(&self.hostname) {
                let addresses = addresses::of_name(peer);
                plan.lines.extend(addresses.map(|(address, _)| (peer.clone(), address)));
            }
        }
        plan.lines.extend(self.hosts.iter().cloned());
        plan.nameservers.extend(self.nameservers.iter().map(IpAddr::to_string));
        let names = Names::default();
        for (address, _) in own {
            names.insert(&self.hostname, *address);
        }
        for (line, address) in &plan.lines {
            names.insert_line(line, *address).map_err(invalid)?;
        }
        for nameserver in &self.nameservers {
            names.insert_nameserver_at(*nameserver).map_err(invalid)?;
        }
        Ok(names)
    }
}

/// A link that does nothing to frames.
fn no_impairments() -> Impairments {
    Impairments::default().delay(std::time::Duration::ZERO)
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why.into())
}

/// What the operating system draws.
fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
/// A quarter of the machine's memory in bytes, where it can be told (`proc_meminfo(5)`).
fn quarter_of_memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = total.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some((kilobytes * 256).max(8_192))
}
