//! The power of a host goes.

use std::io::ErrorKind;

use super::wire::{PEER_PORT, Peer, Wire};

// The power goes: silence, and after a restart a RST.
#[test]
fn a_crash_says_nothing_and_what_comes_then_is_reset() {
    let mut wire = Wire::new();
    let (_, peer) = wire.passive();
    wire.host.crash();
    wire.expect_silence();
    assert_eq!((wire.states(), wire.host.sizes().connections), (vec![], 0));
    wire.inject(&peer.segment().payload(b"anybody there?"));
    assert_eq!(wire.expect("RST").seq, peer.ack);
}

#[test]
fn a_port_is_free_after_a_crash() {
    let mut wire = Wire::new();
    let local = std::net::SocketAddr::from((super::wire::HOST, 443));
    let listener = wire.listen_at(local, 8);
    let mut peer = Peer { host_port: 443, ..Peer::new(PEER_PORT) };
    wire.handshake(&mut peer);
    wire.accept(listener).unwrap();
    wire.host.crash();
    // What the tasks held is dropped after the host crashed.
    wire.close_listener(listener);
    wire.bind(local, true).expect("the port is free");
}

#[test]
fn sockets_of_before_a_crash_touch_nothing_afterwards() {
    let mut wire = Wire::new();
    let (old, _) = wire.passive();
    wire.host.crash();
    let (new, mut peer) = wire.connect();
    assert_eq!(old.slot(), new.slot(), "the slot is used again");
    assert_eq!(wire.read_error(old), ErrorKind::ConnectionReset);
    wire.host.close(wire.now, old);
    wire.inject(&peer.syn().ack(peer.ack));
    peer.seq += 1;
    wire.expect("ACK");
    wire.is_alive(new, &mut peer);
}
