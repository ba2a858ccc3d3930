//! How a wire is set up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::wire::{Setup, Wire};
use crate::clock::{END, nanos};
use crate::host::{Gateways, HostOptions, Prefix};
use crate::wire::ethernet::{Mac, is_group};
use crate::wire::ipv6::link_local;
use crate::world::check_name;

/// What the host of a wire is given: made by [`Wire::builder`].
///
/// | | default |
/// |---|---|
/// | the host's Ethernet address | `02:00:00:00:00:01` |
/// | the host's addresses | 10.0.0.1/16, fd00::1/64, and the link-local one of its Ethernet address |
/// | the peer's Ethernet address | `02:00:00:00:00:02` |
/// | the peer's addresses | 10.0.0.2, fd00::2, and the link-local one of its Ethernet address |
/// | gateways | none: what is not on the link has no route |
/// | options | [`HostOptions::default`] |
/// | the clock | at 0 |
#[derive(Clone, Debug)]
#[must_use = "`build` makes the wire"]
pub struct WireBuilder {
    seed: u64,
    name: String,
    options: HostOptions,
    mac: Mac,
    prefixes: Vec<Prefix>,
    peer_mac: Mac,
    peer_addresses: Vec<IpAddr>,
    gateways: Vec<IpAddr>,
    point_to_point: bool,
    answers_neighbors: bool,
    start: Duration,
}

impl Wire {
    /// A host to be set up. The seed feeds its initial sequence numbers, its ephemeral ports and
    /// what else a stack draws: the same seed and the same calls give the same frames. A host of the
    /// same name in a [`Sim`](crate::Sim) with this seed draws the same.
    pub fn builder(seed: u64) -> WireBuilder {
        WireBuilder {
            seed,
            name: "host".to_owned(),
            options: HostOptions::default(),
            mac: [2, 0, 0, 0, 0, 1],
            prefixes: Vec::new(),
            peer_mac: [2, 0, 0, 0, 0, 2],
            peer_addresses: Vec::new(),
            gateways: Vec::new(),
            point_to_point: false,
            answers_neighbors: true,
            start: Duration::ZERO,
        }
    }

    /// A host as [`WireBuilder`] has it by default.
    #[must_use]
    pub fn new(seed: u64) -> Wire {
        Wire::set_up(Wire::builder(seed).setup())
    }
}

impl WireBuilder {
    /// Sets the name of the host, by which logs and captures call it.
    pub fn hostname(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets the options of the host's stack.
    pub fn host_options(mut self, options: HostOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets the host's Ethernet address.
    pub fn mac(mut self, mac: [u8; 6]) -> Self {
        self.mac = mac;
        self
    }

    /// Gives the host an address in a network with a prefix of so many bits. The first one stands
    /// in place of the default addresses, each other beside those before.
    pub fn address(mut self, address: impl Into<IpAddr>, prefix_len: u8) -> Self {
        self.prefixes.push(Prefix::new(address, prefix_len));
        self
    }

    /// Sets the peer's Ethernet address.
    pub fn peer_mac(mut self, mac: [u8; 6]) -> Self {
        self.peer_mac = mac;
        self
    }

    /// Gives the peer an address: it answers ARP requests, or neighbour solicitations, for it.
    /// The first one stands in place of the default addresses. Segments may come from any address,
    /// also from others.
    pub fn peer_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.peer_addresses.push(address.into());
        self
    }

    /// Sets the gateway of a family, by which the host reaches what is not on its link. The peer
    /// answers for it as for its own addresses.
    pub fn gateway(mut self, gateway: impl Into<IpAddr>) -> Self {
        self.gateways.push(gateway.into());
        self
    }

    /// Whether the link has no other end but the peer, who takes everything and is never asked for
    /// its Ethernet address: a TUN device, as packetdrill has it.
    pub fn point_to_point(mut self, point_to_point: bool) -> Self {
        self.point_to_point = point_to_point;
        self
    }

    /// Whether the peer answers for its addresses at all: see [`Wire::answer_neighbors`].
    pub fn answer_neighbors(mut self, answers: bool) -> Self {
        self.answers_neighbors = answers;
        self
    }

    /// Sets the time at which the wire begins.
    pub fn start(mut self, start: Duration) -> Self {
        self.start = start;
        self
    }

    /// Makes the host.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an address or a prefix that no host can
    /// have, for an Ethernet address of a group, for a gateway that is not on the link, for a name
    /// that is an address, for options out of their bounds, and for a start after 292 years.
    pub fn build(self) -> io::Result<Wire> {
        self.check().map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        Ok(Wire::set_up(self.setup()))
    }

    fn check(&self) -> Result<(), String> {
        self.options.check()?;
        if let Some(mac) = [self.mac, self.peer_mac].into_iter().find(|mac| is_group(*mac)) {
            return Err(format!("{mac:02x?} is the Ethernet address of a group"));
        }
        self.prefixes.iter().try_for_each(Prefix::check)?;
        check_name(&self.name)?;
        if nanos(self.start) > END {
            return Err("a world ends after 292 years".to_owned());
        }
        let prefixes = self.prefixes();
        for gateway in &self.gateways {
            let is_link_local =
                matches!(gateway, IpAddr::V6(gateway) if gateway.is_unicast_link_local());
            let is_on_link = || prefixes.iter().any(|prefix| prefix.contains(*gateway));
            let is_own = prefixes.iter().any(|prefix| prefix.address == *gateway);
            if is_own || !(is_link_local || is_on_link()) {
                return Err(format!("the gateway {gateway} is no neighbour of the host"));
            }
        }
        Ok(())
    }

    fn prefixes(&self) -> Vec<Prefix> {
        if self.prefixes.is_empty() {
            let v4 = Prefix::new(Ipv4Addr::new(10, 0, 0, 1), 16);
            vec![v4, Prefix::new(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), 64)]
        } else {
            self.prefixes.clone()
        }
    }

    fn setup(self) -> Setup {
        let prefixes = self.prefixes();
        let mut peer_addresses = self.peer_addresses;
        if peer_addresses.is_empty() {
            peer_addresses.push(Ipv4Addr::new(10, 0, 0, 2).into());
            peer_addresses.push(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2).into());
        }
        peer_addresses.extend(&self.gateways);
        peer_addresses.push(link_local(self.peer_mac).into());
        let mut gateways = Gateways {
            point_to_point: self.point_to_point.then_some(self.peer_mac),
            ..Gateways::default()
        };
        for gateway in self.gateways {
            match gateway {
                IpAddr::V4(gateway) => gateways.v4 = Some(gateway),
                IpAddr::V6(gateway) => gateways.v6 = Some(gateway),
            }
        }
        Setup {
            seed: self.seed,
            name: self.name,
            options: self.options,
            mac: self.mac,
            prefixes,
            peer_mac: self.peer_mac,
            peer_addresses,
            gateways,
            answers_neighbors: self.answers_neighbors,
            start: nanos(self.start),
        }
    }
}
