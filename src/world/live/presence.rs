//! How a host looks whether its addresses are free, and tells its neighbours that it has them
//! (RFC 5227, RFC 4861 7.2.6).

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use crate::host::{
    ETHERTYPE_ARP, FrameBuffer, FramePool, Mac, Prefix, arp_announcement, arp_probe, arp_sender,
    ndp_announcement,
};

/// How long an answer may take. RFC 5227 waits for seconds, for networks that begin to work only
/// then; a TAP device and a cable work at once.
const WAITS: u64 = 50_000_000;
/// For how long somebody else with the same address is an error, and not only worth a line.
const STARTS: u64 = 2_000_000_000;

pub(super) struct Presence {
    mac: Mac,
    v4: Vec<Ipv4Addr>,
    addresses: Vec<IpAddr>,
    state: State,
    has_complained: bool,
}

#[derive(Clone, Copy)]
enum State {
    Begins,
    Asked { announce_at: u64 },
    Announced,
}

impl Presence {
    pub(super) fn new(mac: Mac, prefixes: &[Prefix], has_neighbors: bool) -> Presence {
        let addresses: Vec<IpAddr> = prefixes.iter().map(|prefix| prefix.address).collect();
        let is_v4 = |address: &IpAddr| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        };
        let v4 = addresses.iter().filter_map(is_v4).collect();
        let state = if has_neighbors { State::Begins } else { State::Announced };
        Presence { mac, v4, addresses, state, has_complained: false }
    }

    /// What there is to send now.
    pub(super) fn due(&mut self, now: u64, pool: &mut FramePool) -> Vec<FrameBuffer> {
        match self.state {
            State::Begins => {
                self.state = State::Asked { announce_at: now.saturating_add(WAITS) };
                self.v4.iter().map(|address| arp_probe(self.mac, *address, pool)).collect()
            }
            State::Asked { announce_at } if announce_at <= now => {
                self.state = State::Announced;
                let mut announce = |address: &IpAddr| match address {
                    IpAddr::V4(address) => arp_announcement(self.mac, *address, pool),
                    IpAddr::V6(address) => ndp_announcement(self.mac, *address, pool),
                };
                self.addresses.iter().map(&mut announce).collect()
            }
            State::Asked { .. } | State::Announced => Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        match self.state {
            State::Begins => Some(0),
            State::Asked { announce_at } => Some(announce_at),
            State::Announced => None,
        }
    }

    /// Looks at a frame that arrived: somebody else may have the same address.
    pub(super) fn hear(&mut self, now: u64, frame: &FrameBuffer) -> io::Result<()> {
        if frame.bytes().get(12..14) != Some(&ETHERTYPE_ARP) {
            return Ok(());
        }
        let Some((mac, address)) = arp_sender(frame.packet()) else { return Ok(()) };
        if mac == self.mac || !self.v4.contains(&address) {
            return Ok(());
        }
        let mac = mac.map(|octet| format!("{octet:02x}")).join(":");
        if now < STARTS {
            let why = format!("{address} is in use by a neighbour, {mac}: give this host another");
            return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
        }
        if !std::mem::replace(&mut self.has_complained, true) {
            tracing::warn!(target: "glassnet::world", %address, mac, "a neighbour has our address");
        }
        Ok(())
    }
}
