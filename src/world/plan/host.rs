//! The hosts of a plan.

use std::fmt;
use std::net::IpAddr;

use crate::capture::LinkType;
use crate::host::{Gateways, Prefix};
use crate::net::is_address;
use crate::network::HostAddresses;
use crate::wire::ethernet::{Mac, show_mac};

/// A machine with a stack.
#[derive(Clone, Debug)]
pub(in crate::world) struct HostPlan {
    pub(in crate::world) name: String,
    pub(in crate::world) role: Role,
    pub(in crate::world) interface: InterfacePlan,
}

/// Whether a run waits for what a host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Role {
    /// It may run for ever, and can be started anew.
    Host,
    /// The run ends when all clients have ended.
    Client,
}

/// The interface of a host.
#[derive(Clone, Debug)]
pub(in crate::world) enum InterfacePlan {
    /// It is on the default LAN.
    Lan(HostAddresses),
    /// It is connected to a device, beyond which the network is real.
    Device(Box<AttachedInterface>),
}

/// An interface that is connected to a device.
#[derive(Clone, Debug)]
pub(in crate::world) struct AttachedInterface {
    /// The device, as people know it: a TAP device's name, a cable's path.
    pub(in crate::world) device: String,
    /// What passes the device.
    pub(in crate::world) link_type: LinkType,
    pub(in crate::world) mac: Mac,
    pub(in crate::world) prefixes: Vec<Prefix>,
    pub(in crate::world) gateways: Gateways,
    /// The IPv4 address is leased by DHCP.
    pub(in crate::world) dhcp: bool,
}

impl InterfacePlan {
    pub(in crate::world) fn mac(&self) -> Mac {
        match self {
            InterfacePlan::Lan(addresses) => addresses.mac,
            InterfacePlan::Device(attached) => attached.mac,
        }
    }

    /// What its frames begin with beyond what is made up on their way.
    pub(in crate::world) fn link_type(&self) -> LinkType {
        match self {
            InterfacePlan::Lan(_) => LinkType::Ethernet,
            InterfacePlan::Device(attached) => attached.link_type,
        }
    }

    /// The address by which people know it: that of IPv4 where there is one.
    pub(in crate::world) fn first_address(&self) -> Option<IpAddr> {
        self.prefixes().first().map(|prefix| prefix.address)
    }

    /// Its addresses, each with the length of its network's prefix, without the link-local one.
    pub(in crate::world) fn prefixes(&self) -> Vec<Prefix> {
        match self {
            InterfacePlan::Lan(addresses) => {
                addresses.prefixes().map(|(address, len)| Prefix::new(address, len)).to_vec()
            }
            InterfacePlan::Device(attached) => attached.prefixes.clone(),
        }
    }
}

impl fmt::Display for HostPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Host => "host",
            Role::Client => "client",
        };
        write!(formatter, "{role} {} on ", self.name)?;
        match &self.interface {
            InterfacePlan::Lan(_) => formatter.write_str("lan")?,
            InterfacePlan::Device(attached) => {
                formatter.write_str(&attached.device)?;
                match attached.link_type {
                    LinkType::Ethernet => write!(formatter, " mac {}", show_mac(attached.mac))?,
                    LinkType::Ip => formatter.write_str(" without Ethernet")?,
                }
            }
        }
        for prefix in self.interface.prefixes() {
            write!(formatter, " {}/{}", prefix.address, prefix.len)?;
        }
        let InterfacePlan::Device(attached) = &self.interface else { return Ok(()) };
        let gateways = &attached.gateways;
        let gateways = [gateways.v4.map(IpAddr::from), gateways.v6.map(IpAddr::from)];
        for gateway in gateways.into_iter().flatten() {
            write!(formatter, " via {gateway}")?;
        }
        if attached.dhcp { formatter.write_str(" dhcp") } else { Ok(()) }
    }
}

/// What is wrong with the name of a host, if anything.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
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
