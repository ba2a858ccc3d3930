//! The table of neighbours: what is in it, and how much it holds.

use std::net::{IpAddr, Ipv4Addr};

use super::wire::{Arp, HOST, PEER_MAC, Wire};
use crate::host::iface::{Interface, Prefix};
use crate::host::io::Io;
use crate::host::ip::Gateways;
use crate::host::options::HostOptions;
use crate::rng::Seed;
use crate::wire::ethernet::Mac;
use crate::wire::frame::FramePool;

const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const OTHER_MAC: Mac = [2, 0, 0, 0, 0, 3];

/// A wire on which nobody answers ARP.
fn silent() -> Wire {
    let mut wire = Wire::new();
    wire.answers_arp = false;
    wire
}

/// How many neighbours the host knows before it hears of `address`.
fn known(wire: &mut Wire, address: [u8; 4]) -> usize {
    let id = format!("{:?}", wire.neighbor(address.into()));
    let mut numbers = id.split(|letter: char| !letter.is_ascii_digit());
    numbers.rfind(|number| !number.is_empty()).unwrap().parse().unwrap()
}

#[test]
fn what_waits_for_all_neighbours_together_is_bounded() {
    let prefixes = [Prefix::new(IpAddr::V4(HOST), 8)];
    let stream = Seed(7).stream("interface");
    let mut interface = Interface::ethernet(OTHER_MAC, 1_500, &prefixes, stream);
    let (mut io, options, mut pool) = (Io::default(), HostOptions::default(), FramePool::default());
    let mut ctx = io.ctx(0, &options, &mut pool);
    for number in 0..200u32 {
        let address = Ipv4Addr::from_bits(0x0a01_0000 + number).into();
        let to = interface.neighbor(&mut ctx, address).unwrap();
        for _ in 0..100 {
            let frame = ctx.pool.take(1_514);
            interface.send(&mut ctx, to, frame, None);
        }
    }
    let mut undelivered = 0;
    while let Some(deadline) = interface.deadline() {
        ctx.now = deadline;
        let unreachable = interface.expire_neighbors(&mut ctx);
        undelivered += unreachable.iter().map(|lost| lost.undelivered.len()).sum::<usize>();
    }
    // 93 for each, as for a neighbour of Linux's, and of all as many as 64 of them may have.
    assert_eq!(undelivered, 64 * 212_992 / (1_514 + 768));
}

// As when a DHCP server extends a lease.
#[test]
fn another_gateway_leaves_connections_their_neighbours() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.active();
    wire.answers_arp = false;
    let v4 = Some(OTHER);
    wire.host.set_gateways(&Gateways { v4, ..Gateways::default() });
    wire.write(flow, b"hello");
    assert_eq!(wire.expect("ACK").to_mac, PEER_MAC);
    wire.host.set_gateways(&Gateways { v4, ..Gateways::default() });
    peer.ack = peer.ack.wrapping_add(5);
    wire.inject(&peer.segment());
    wire.expect_silence();
}

// DESIGN D11.
#[test]
fn the_table_is_bounded() {
    let mut wire = silent();
    for at in 0..20_000u32 {
        let [_, a, b, c] = at.to_be_bytes();
        wire.inject_arp(&Arp::request(Ipv4Addr::new(10, a, b, c), OTHER_MAC, HOST));
        wire.arps.clear();
    }
    // Linux's gc_thresh3 is 1024.
    let known = known(&mut wire, [10, 0, 255, 254]);
    assert!(known <= 4_096, "{known} neighbours");
}

// An address that is not on the link can be no neighbour's.
#[test]
fn askers_that_are_not_on_the_link_are_not_remembered() {
    let mut wire = silent();
    assert_eq!(known(&mut wire, [10, 0, 255, 253]), 0);
    for asker in ["192.0.2.1", "0.0.0.0", "255.255.255.255", "10.0.0.1", "127.0.0.1"] {
        wire.inject_arp(&Arp::request(asker.parse().unwrap(), OTHER_MAC, HOST));
    }
    assert_eq!(known(&mut wire, [10, 0, 255, 254]), 1);
}
