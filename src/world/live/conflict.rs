//! Address conflict detection: a host looks whether its addresses are free, and announces them to
//! its neighbours (RFC 5227, RFC 4861 7.2.6).

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use crate::wire::arp::{arp_announcement, arp_probe, arp_sender};
use crate::wire::ethernet::{ETHERTYPE_ARP, Mac, ethertype, show_mac};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ndp::ndp_announcement;
use crate::world::plan::InterfacePlan;

/// When it probes, since the world began, and when it announces. RFC 5227 takes its time for networks
/// that begin to work only then; a cable works at once, and the kernel answers on a TAP device
/// some milliseconds after somebody attached to it.
const PROBE_AT: [u64; 3] = [0, 50_000_000, 250_000_000];
const ANNOUNCE_AT: u64 = 300_000_000;
/// For how long somebody else with the same address is an error; later it is only logged.
const STARTS: u64 = 2_000_000_000;

pub(super) struct ConflictDetection {
    mac: Mac,
    v4: Vec<Ipv4Addr>,
    addresses: Vec<IpAddr>,
    state: State,
    /// Until when somebody else with the same address is an error.
    starts_until: u64,
    has_complained: bool,
}

#[derive(Clone, Copy)]
enum State {
    Probes { next: usize },
    HasAnnounced,
}

impl ConflictDetection {
    pub(super) fn new(interface: &InterfacePlan, has_neighbors: bool) -> ConflictDetection {
        let mac = interface.mac();
        let prefixes = interface.prefixes();
        let addresses: Vec<IpAddr> = prefixes.iter().map(|prefix| prefix.address).collect();
        let is_v4 = |address: &IpAddr| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        };
        let v4 = addresses.iter().filter_map(is_v4).collect();
        let state = if has_neighbors { State::Probes { next: 0 } } else { State::HasAnnounced };
        ConflictDetection { mac, v4, addresses, state, starts_until: STARTS, has_complained: false }
    }

    /// The host has one more address, which was free, and which its neighbours were told of.
    pub(super) fn watch(&mut self, address: Ipv4Addr) {
        self.v4.push(address);
        self.starts_until = 0;
    }

    /// What there is to send now.
    pub(super) fn due(&mut self, now: u64, pool: &mut FramePool) -> Vec<FrameBuffer> {
        let State::Probes { next } = self.state else { return Vec::new() };
        match PROBE_AT.get(next) {
            Some(at) if *at <= now => {
                self.state = State::Probes { next: next + 1 };
                self.v4.iter().map(|address| arp_probe(self.mac, *address, pool)).collect()
            }
            None if ANNOUNCE_AT <= now => {
                self.state = State::HasAnnounced;
                let announce = |address: &IpAddr| match address {
                    IpAddr::V4(address) => arp_announcement(self.mac, *address, pool),
                    IpAddr::V6(address) => ndp_announcement(self.mac, *address, pool),
                };
                self.addresses.iter().map(announce).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        match self.state {
            State::Probes { next } => Some(PROBE_AT.get(next).copied().unwrap_or(ANNOUNCE_AT)),
            State::HasAnnounced => None,
        }
    }

    /// Looks at a frame that arrived: somebody else may have the same address.
    pub(super) fn check(&mut self, now: u64, frame: &FrameBuffer) -> io::Result<()> {
        if ethertype(frame.bytes()) != Some(ETHERTYPE_ARP) {
            return Ok(());
        }
        let Some((mac, address)) = arp_sender(frame.packet()) else { return Ok(()) };
        if mac == self.mac || !self.v4.contains(&address) {
            return Ok(());
        }
        let mac = show_mac(mac);
        if now < self.starts_until {
            let why = format!("{address} is in use by a neighbour, {mac}: give this host another");
            return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
        }
        if !std::mem::replace(&mut self.has_complained, true) {
            tracing::warn!(target: "glassnet::world", %address, mac, "a neighbour has our address");
        }
        Ok(())
    }
}
