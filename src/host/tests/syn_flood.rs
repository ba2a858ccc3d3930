//! A SYN flood (RFC 4987): however many spoofed SYNs cost a bounded amount of memory, and an honest
//! client gets in at once or, without cookies, if it keeps trying. Memory is counted in what the host
//! keeps.

use std::net::Ipv4Addr;

use super::wire::*;
use crate::host::options::HostOptions;

const SPOOFED: u32 = 10_000;

/// A host whose buffers are small, so that the test is quick, and which sends no cookies.
fn host(syn_backlog: usize) -> Wire {
    Wire::with(
        HostOptions::default()
            .syn_cookies(false)
            .recv_buffer(4_096)
            .send_buffer(4_096)
            .syn_backlog(syn_backlog),
    )
}

/// The SYN of one of many machines, which do not exist.
fn spoofed(number: u32) -> Tcp {
    let [.., high, low] = (number % SPOOFED).to_be_bytes();
    let address = Ipv4Addr::new(10, 0, 100 + high, low);
    Peer { address, ..Peer::new(1_025 + (number % 50_000) as u16) }.syn()
}

/// Everything the host keeps for connections, listeners and timers is within a few times what
/// `flows` of them need.
#[track_caller]
fn is_bounded(wire: &Wire, flows: usize) {
    let host = &wire.host;
    let (sizes, inner) = (host.sizes(), host.tcp.inner_sizes());
    assert!(sizes.connections <= flows, "{} connections", sizes.connections);
    assert!(inner.tuples <= flows, "{} tuples", inner.tuples);
    assert!(inner.slots <= flows, "{} slots", inner.slots);
    assert!(sizes.connection_deadlines <= flows, "{} deadlines", sizes.connection_deadlines);
    assert!(inner.dirty <= flows);
    assert!(!host.io.outbox.has_looped_back() && host.io.outbox.len() == 0);
    assert_eq!(inner.orphans, 0);
    let half_open = inner.half_open;
    assert!(half_open <= host.options.syn_backlog, "{half_open} half-open");
}

#[test]
fn ten_thousand_spoofed_syns_at_once_leave_no_more_than_the_backlog() {
    let mut wire = host(256);
    wire.listen(128);
    for number in 0..SPOOFED {
        wire.inject(&spoofed(number));
        is_bounded(&wire, 256);
    }
    assert_eq!(wire.host.sizes().connections, 256);
    wire.advance(64 * SECOND);
    assert_eq!((wire.host.sizes().connections, wire.host.tcp.inner_sizes().tuples), (0, 0));
}

#[test]
fn a_flood_that_lasts_for_minutes_leaves_no_more_either() {
    let mut wire = host(256);
    wire.listen(128);
    for number in 0..SPOOFED {
        wire.inject(&spoofed(number));
        is_bounded(&wire, 256);
        wire.advance(60 * MILLISECOND);
        wire.arps.clear();
    }
    wire.advance(64 * SECOND);
    assert_eq!((wire.host.sizes().connections, wire.host.tcp.inner_sizes().tuples), (0, 0));
}

#[test]
fn an_honest_client_that_keeps_trying_gets_in_when_the_half_open_expire() {
    let mut wire = host(256);
    let listener = wire.listen(128);
    for number in 0..SPOOFED {
        wire.inject(&spoofed(number));
    }
    wire.advance(MILLISECOND);
    let mut honest = Peer::new(PEER_PORT);
    // As Linux does: the SYN, and again after 1, 3, 7, 15, 31 and 63 seconds.
    let mut answered = None;
    for wait in [0, 1, 2, 4, 8, 16, 32] {
        wire.advance(wait * SECOND);
        wire.sent.retain(|sent| sent.destination.port() == PEER_PORT);
        wire.inject(&honest.syn());
        answered = wire.sent.pop_front();
        assert_eq!(answered.is_some(), wait == 32, "after waiting for {wait} s");
    }
    honest.seq = honest.seq.wrapping_add(1);
    honest.ack = answered.unwrap().end();
    wire.inject(&honest.segment());
    let flow = wire.accept(listener).expect("the honest client is connected");
    wire.is_alive(flow, &mut honest);
}

#[test]
fn honest_clients_get_in_at_once_in_a_flood_of_a_hundred_thousand() {
    let mut wire = Wire::with(HostOptions::default().syn_backlog(256));
    let listener = wire.listen(128);
    let mut honest = Vec::new();
    for number in 0..10 * SPOOFED {
        wire.inject(&spoofed(number));
        wire.sent.clear();
        wire.arps.clear();
        if number % 5_000 == 77 {
            let mut client = Peer::new(PEER_PORT + honest.len() as u16);
            wire.handshake(&mut client);
            let flow = wire.accept(listener).expect("the honest client is connected");
            honest.push((flow, client));
        }
        if number % 1_000 == 0 {
            is_bounded(&wire, 256 + honest.len());
        }
    }
    assert_eq!(honest.len(), 20);
    for (flow, mut client) in honest {
        wire.is_alive(flow, &mut client);
    }
    let counters = wire.host.counters();
    assert_eq!(counters.listen_overflows, 0);
    // The first came before the flood had taken every place.
    assert_eq!(counters.syn_cookies_received, 19);
    wire.advance(64 * SECOND);
    assert_eq!(wire.host.sizes().connections, 20);
}

// Of the first few each has an engine with its buffers; of the rest nothing is kept but numbers.
#[test]
fn the_buffers_of_a_connection_are_there_for_a_few_of_the_half_open_only() {
    let mut wire = Wire::new();
    wire.listen(128);
    for number in 0..SPOOFED {
        wire.inject(&spoofed(number));
    }
    assert_eq!(wire.host.sizes().connections, 1_024);
    assert_eq!(wire.host.tcp.inner_sizes().slots, 16);
}

#[test]
fn connections_that_are_established_do_not_notice() {
    let mut wire = host(256);
    let (flow, mut peer) = wire.passive();
    for number in 0..SPOOFED {
        wire.inject(&spoofed(number));
        if number % 1_000 == 0 {
            wire.is_alive(flow, &mut peer);
        }
    }
    wire.is_alive(flow, &mut peer);
}

#[test]
fn a_listener_that_closes_in_a_flood_forgets_it() {
    let mut wire = host(256);
    let listener = wire.listen(128);
    for number in 0..SPOOFED {
        wire.inject(&spoofed(number));
    }
    wire.close_listener(listener);
    assert_eq!((wire.host.sizes().connections, wire.host.tcp.inner_sizes().tuples), (0, 0));
}
