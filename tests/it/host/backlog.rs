//! The accept queue and what is half-open before it (row 44).

use std::net::Ipv4Addr;

use glassnet::{HostOptions, TcpState};

use super::wire::{HOST, PEER_PORT, PORT, Peer, SECOND, Wire};

// `listen(2)` on Linux: one more than asked for.
#[test]
fn one_more_connection_than_the_backlog_completes_and_further_syns_are_dropped() {
    for backlog in [0, 1, 3, 10] {
        let mut wire = Wire::new();
        let listener = wire.listen(backlog);
        for port in 0..=backlog as u16 {
            wire.handshake(&mut Peer::new(1_025 + port));
        }
        let mut late = Peer::new(PEER_PORT);
        wire.inject(&late.syn());
        wire.advance(100 * SECOND);
        wire.expect_silence();
        assert_eq!(wire.sizes().connections, backlog + 1, "with a backlog of {backlog}");
        // The SYN comes again when there is room.
        wire.accept(listener).unwrap();
        wire.handshake(&mut late);
        for _ in 0..=backlog {
            wire.accept(listener).unwrap();
        }
        assert!(wire.accept(listener).is_none());
    }
}

#[test]
fn connections_are_accepted_in_the_order_in_which_they_completed() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    let mut peers = [Peer::new(1_025), Peer::new(1_026), Peer::new(1_027)];
    for peer in &mut peers {
        wire.half_handshake(peer);
    }
    for at in [2, 0, 1] {
        wire.inject(&peers[at].segment());
        let flow = wire.accept(listener).unwrap();
        assert_eq!(
            wire.socket(flow).peer_addr().unwrap().as_socket().unwrap().port(),
            peers[at].port
        );
    }
}

// Linux drops the third segment when the queue is full, and sends the SYN-ACK again.
#[test]
fn a_third_segment_for_a_full_queue_is_dropped_and_asked_for_again() {
    let mut wire = Wire::new();
    let listener = wire.listen(0);
    let (mut first, mut second) = (Peer::new(1_025), Peer::new(1_026));
    wire.half_handshake(&mut first);
    wire.half_handshake(&mut second);
    wire.inject(&first.segment());
    wire.inject(&second.segment());
    wire.inject(&second.segment().payload(b"hello"));
    wire.expect_silence();
    assert!(wire.states().contains(&TcpState::SynReceived));

    wire.accept(listener).unwrap();
    assert!(wire.accept(listener).is_none());
    wire.advance(SECOND);
    wire.expect("SYN ACK");
    wire.inject(&second.segment().payload(b"hello"));
    let flow = wire.accept(listener).expect("the data completes the handshake");
    assert_eq!(wire.read(flow), b"hello");
}

#[test]
fn a_listener_may_reset_what_its_queue_has_no_room_for() {
    let mut wire = Wire::with(HostOptions::default().reset_on_overflow(true));
    wire.listen(0);
    wire.handshake(&mut Peer::new(1_025));
    wire.inject(&Peer::new(1_026).syn());
    wire.expect("RST ACK");
    assert_eq!(wire.sizes().connections, 1);
}

// RFC 4987: half-open connections are bounded, and the honest client gets in once they expire.
#[test]
fn a_flood_of_syns_is_bounded_and_passes() {
    let mut wire =
        Wire::with(HostOptions::default().recv_buffer(4_096).send_buffer(4_096).syn_cookies(false));
    let listener = wire.listen(128);
    for at in 0..10_000u32 {
        let [.., high, low] = at.to_be_bytes();
        let address = Ipv4Addr::new(10, 0, 100 + high, low);
        wire.inject(&Peer { address, ..Peer::new(1_025) }.syn());
    }
    assert_eq!(wire.sizes().connections, 1_024, "half-open connections are bounded");
    assert!(wire.sent.is_empty(), "the spoofed addresses belong to nobody");
    wire.arps.clear();

    let mut honest = Peer::new(PEER_PORT);
    wire.inject(&honest.syn());
    wire.expect_silence();
    wire.advance(64 * SECOND);
    wire.take();
    assert_eq!(wire.sizes().connections, 0);
    wire.handshake(&mut honest);
    assert!(wire.accept(listener).is_some());
}

#[test]
fn the_half_open_of_one_listener_do_not_stand_in_the_way_of_another() {
    let options = HostOptions::default().syn_backlog(2).syn_cookies(false);
    let mut wire = Wire::with(options);
    wire.listen(8);
    let other = wire.listen_at((HOST, 443).into(), 8);
    for port in 1_025..1_030 {
        wire.inject(&Peer::new(port).syn());
    }
    assert_eq!(wire.take().len(), 2);
    wire.handshake(&mut Peer { host_port: 443, ..Peer::new(PEER_PORT) });
    assert!(wire.accept(other).is_some());
}

// DESIGN D11. Each of these SYNs passes the host's parser, and the engine throws it away.
#[test]
fn syns_that_the_engine_refuses_take_no_place_for_ever() {
    let bad_options = Peer::new(1_025).syn().options([2, 0, 0, 0]);
    let mut pushed = Peer::new(1_025).syn();
    pushed.psh = true;
    pushed.fin = false;
    let mut for_another = Peer::new(1_025).syn();
    for_another.destination.set_ip([10, 0, 0, 77].into());
    let mut to_everybody = Peer::new(1_025).syn();
    to_everybody.destination.set_ip(Ipv4Addr::BROADCAST.into());
    let mut from_nobody = Peer::new(1_025).syn();
    from_nobody.source.set_ip(Ipv4Addr::UNSPECIFIED.into());
    let mut from_everybody = Peer::new(1_025).syn();
    from_everybody.source.set_ip(Ipv4Addr::BROADCAST.into());
    let from_port_0 = Peer::new(0).syn();
    for (what, syn) in [
        ("bad options", bad_options),
        ("pushed", pushed),
        ("for another host", for_another),
        ("to everybody", to_everybody),
        ("from nobody", from_nobody),
        ("from everybody", from_everybody),
        ("from port 0", from_port_0),
    ] {
        let mut wire = Wire::with(HostOptions::default().syn_backlog(2));
        let listener = wire.listen(8);
        for port in 0..5 {
            let mut syn = syn.clone();
            let first = syn.source.port();
            syn.source.set_port(if first == 0 { 0 } else { first + port });
            wire.inject(&syn);
        }
        wire.advance(100 * SECOND);
        wire.take();
        assert_eq!(wire.sizes().connections, 0, "{what}");
        wire.handshake(&mut Peer::new(PEER_PORT));
        assert!(wire.accept(listener).is_some(), "{what}");
    }
}

// RFC 9293 3.10.4; `inet_csk_listen_stop` (row 27).
#[test]
fn connections_that_nobody_accepted_are_reset_when_the_listener_closes() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    let (mut waiting, mut half_open) = (Peer::new(1_025), Peer::new(1_026));
    wire.handshake(&mut waiting);
    wire.half_handshake(&mut half_open);
    wire.close_listener(listener);
    let reset = wire.expect("RST ACK");
    assert_eq!((reset.destination.port(), reset.seq), (1_025, waiting.ack));
    wire.expect_silence();
    assert_eq!(wire.sizes().connections, 0);
    // Of the half-open one nobody knows any more.
    wire.inject(&half_open.segment());
    assert_eq!(wire.expect("RST").seq, half_open.ack);
    wire.advance(100 * SECOND);
    wire.expect_silence();
}

#[test]
fn accepted_connections_outlive_their_listener() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    let mut peer = Peer::new(PEER_PORT);
    wire.handshake(&mut peer);
    let flow = wire.accept(listener).unwrap();
    wire.close_listener(listener);
    wire.is_alive(flow, &mut peer);
    wire.inject(&Peer::new(1_025).syn());
    wire.expect("RST ACK");
}

#[test]
fn a_syn_finds_the_listener_of_its_address_and_port() {
    let mut wire = Wire::new();
    let specific = wire.listen_at((HOST, PORT).into(), 8);
    let other = wire.listen_at((Ipv4Addr::LOCALHOST, PORT).into(), 8);
    let elsewhere = wire.listen_at((Ipv4Addr::UNSPECIFIED, PORT + 1).into(), 8);
    wire.handshake(&mut Peer::new(PEER_PORT));
    assert!(wire.accept(other).is_none());
    assert!(wire.accept(elsewhere).is_none());
    assert!(wire.accept(specific).is_some());
}

// `listen(2)` again.
#[test]
fn a_listener_may_change_its_backlog() {
    let mut wire = Wire::new();
    let listener = wire.listen(0);
    wire.handshake(&mut Peer::new(PEER_PORT));
    wire.inject(&Peer::new(PEER_PORT + 1).syn());
    wire.expect_silence();
    wire.set_backlog(listener, 1);
    wire.handshake(&mut Peer::new(PEER_PORT + 1));
    wire.inject(&Peer::new(PEER_PORT + 2).syn());
    wire.expect_silence();
    wire.set_backlog(listener, 0);
    assert!(wire.accept(listener).is_some() && wire.accept(listener).is_some());
}
