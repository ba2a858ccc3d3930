//! Who is reset, and by what (rows 5-10, and what the calls then report).

use std::io::ErrorKind;

use glassnet::TcpState;

use super::wire::{HOST, PEER_PORT, PORT, Peer, SECOND, Wire, octets};

/// A peer of a port at which nobody listens.
fn stranger() -> Peer {
    Peer { host_port: 81, seq: 7_000, ack: 9_000, ..Peer::new(PEER_PORT) }
}

// RFC 9293 3.10.7.1 (row 5).
#[test]
fn a_syn_to_a_closed_port_is_reset() {
    let mut wire = Wire::new();
    wire.inject(&stranger().syn());
    let reset = wire.expect("RST ACK");
    assert_eq!((reset.seq, reset.ack), (0, Some(7_001)));
    assert_eq!((reset.source.port(), reset.destination.port()), (81, PEER_PORT));
    // SEG.LEN counts the payload too.
    wire.inject(&stranger().syn().payload(b"data"));
    assert_eq!(wire.expect("RST ACK").ack, Some(7_005));
}

// RFC 9293 3.10.7.1.
#[test]
fn an_ack_to_a_closed_port_is_reset_with_its_own_number() {
    let mut wire = Wire::new();
    wire.inject(&stranger().segment().payload(b"data").fin());
    assert_eq!(wire.expect("RST").seq, 9_000);
}

// RFC 9293 3.10.7.1: without an ACK the RST acknowledges all that came, SYN or not.
#[test]
fn a_segment_without_an_ack_to_a_closed_port_is_reset_with_an_acknowledgment() {
    let mut wire = Wire::new();
    wire.inject(&stranger().segment().without_ack().payload(b"data").fin());
    let reset = wire.expect("RST ACK");
    assert_eq!((reset.seq, reset.ack), (0, Some(7_005)));
}

// RFC 9293 3.10.7.2 (row 6).
#[test]
fn an_ack_to_a_listener_is_reset() {
    let mut wire = Wire::new();
    let listener = wire.listen(1);
    let peer = Peer { ack: 123, ..Peer::new(PEER_PORT) };
    wire.inject(&peer.segment());
    assert_eq!(wire.expect("RST").seq, 123);
    wire.inject(&peer.syn().ack(456));
    assert_eq!(wire.expect("RST").seq, 456);
    assert_eq!(wire.sizes().connections, 0);
    assert!(wire.accept(listener).is_none());
}

// RFC 9293 3.10.7.1 and 3.10.7.2 (row 7).
#[test]
fn a_reset_is_never_answered() {
    let mut wire = Wire::new();
    wire.listen(1);
    for peer in [stranger(), Peer::new(PEER_PORT)] {
        wire.inject(&peer.segment().rst());
        wire.inject(&peer.segment().rst().without_ack());
        wire.inject(&peer.segment().rst().payload(b"why"));
    }
    wire.expect_silence();
}

// RFC 9293 3.10.7.2: there is nothing to do with these.
#[test]
fn a_listener_ignores_what_neither_asks_nor_acknowledges() {
    let mut wire = Wire::new();
    wire.listen(1);
    let peer = Peer::new(PEER_PORT);
    wire.inject(&peer.syn().fin());
    wire.inject(&peer.syn().rst());
    wire.expect_silence();
    assert_eq!(wire.sizes().connections, 0);
}

// RFC 9293 3.10.7.4 (row 8), `tcp_reset`.
#[test]
fn a_reset_with_the_expected_number_ends_the_connection() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.inject(&peer.segment().rst());
    wire.expect_silence();
    assert_eq!(wire.states(), []);
    assert_eq!(wire.read_error(flow), ErrorKind::ConnectionReset);
    assert_eq!(wire.read(flow), b"", "the error is reported once");
    assert_eq!(wire.write_error(flow), ErrorKind::BrokenPipe);
    wire.close(flow);
    wire.expect_silence();
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn a_write_reports_a_reset_too() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.inject(&peer.segment().rst().without_ack());
    assert_eq!(wire.write_error(flow), ErrorKind::ConnectionReset);
    assert_eq!(wire.read(flow), b"");
    assert_eq!(wire.write_error(flow), ErrorKind::BrokenPipe);
}

// A look says so too, and says it once, as SO_ERROR does.
#[test]
fn a_look_reports_a_reset_whatever_room_it_has() {
    for room in [0, 4] {
        let mut wire = Wire::new();
        let (flow, peer) = wire.passive();
        wire.inject(&peer.segment().rst());
        let mut look = || wire.peek(flow, &mut [0; 4][..room]);
        let error = look().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{room}");
        assert_eq!(look().unwrap(), 0, "{room}");
    }
}

#[test]
fn data_before_a_reset_is_read_first() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"data"));
    peer.seq += 4;
    wire.inject(&peer.segment().rst());
    assert_eq!(wire.read(flow), b"data");
    assert_eq!(wire.read_error(flow), ErrorKind::ConnectionReset);
    assert_eq!(wire.read(flow), b"");
}

#[test]
fn a_reset_after_the_peers_fin_is_a_broken_pipe() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().fin());
    peer.seq += 1;
    wire.expect("ACK");
    wire.inject(&peer.segment().rst());
    assert_eq!(wire.read(flow), b"", "the stream had ended");
    assert_eq!(wire.write_error(flow), ErrorKind::BrokenPipe);
}

// RFC 5961 3.2 (row 10).
#[test]
fn a_reset_outside_the_window_is_dropped() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    for seq in [peer.seq - 1, peer.seq + 65_535, peer.seq + 1_000_000, peer.seq ^ 0x8000_0000] {
        wire.inject(&peer.segment().rst().seq(seq));
    }
    wire.expect_silence();
    wire.is_alive(flow, &mut peer);
}

// RFC 5961 3.2 (row 9): the peer answers the challenge with a RST that fits.
#[test]
fn a_peer_that_answers_the_challenge_resets_the_connection() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.inject(&peer.segment().rst().seq(peer.seq + 9));
    let challenge = wire.expect("ACK");
    wire.inject(&peer.segment().without_ack().rst().seq(challenge.ack.unwrap()));
    assert_eq!(wire.read_error(flow), ErrorKind::ConnectionReset);
}

#[test]
fn a_reset_ends_every_state_after_the_handshake() {
    let fin = |wire: &mut Wire, peer: &mut Peer| {
        wire.inject(&peer.segment().fin());
        peer.seq += 1;
    };
    for (shut_down, acknowledged, closed, state) in [
        (true, false, false, TcpState::FinWait1),
        (true, true, false, TcpState::FinWait2),
        (false, false, true, TcpState::CloseWait),
        (true, false, true, TcpState::Closing),
    ] {
        let mut wire = Wire::new();
        let (flow, mut peer) = wire.passive();
        if shut_down {
            wire.shut_down_sending(flow);
            let end = wire.expect("FIN ACK").end();
            if acknowledged {
                peer.ack = end;
                wire.inject(&peer.segment());
            }
        }
        if closed {
            fin(&mut wire, &mut peer);
        }
        assert_eq!(wire.state(flow), state);
        wire.inject(&peer.segment().rst());
        assert_eq!(wire.state(flow), TcpState::Closed, "after {state}");
        assert_eq!(wire.states(), []);
        wire.close(flow);
        wire.take();
        wire.advance(200 * SECOND);
        wire.expect_silence();
        assert_eq!(wire.sizes().connections, 0, "after {state}");
    }
}

#[test]
fn a_reset_connection_that_waits_to_be_accepted_is_accepted_and_then_fails() {
    let mut wire = Wire::new();
    let listener = wire.listen(1);
    let mut peer = Peer::new(PEER_PORT);
    wire.handshake(&mut peer);
    wire.inject(&peer.segment().rst());
    let flow = wire.accept(listener).unwrap();
    assert_eq!(wire.read_error(flow), ErrorKind::ConnectionReset);
    wire.close(flow);
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn unsent_data_is_forgotten_with_a_reset() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.write(flow, &octets(60_000));
    wire.take();
    wire.inject(&peer.segment().rst());
    wire.close(flow);
    wire.advance(200 * SECOND);
    wire.expect_silence();
    assert_eq!(wire.sizes().connections, 0);
}

// RFC 1122 4.2.3.10: a SYN to a group is discarded.
#[test]
fn a_syn_to_a_broadcast_address_is_discarded() {
    for address in ["255.255.255.255", "10.0.255.255", "224.0.0.1"] {
        let mut wire = Wire::new();
        wire.listen(1);
        let mut syn = Peer::new(PEER_PORT).syn();
        syn.destination.set_ip(address.parse().unwrap());
        wire.inject(&syn);
        syn.destination.set_port(PORT + 1);
        wire.inject(&syn);
        assert_eq!(wire.take().len(), 0, "to {address}");
        assert_eq!(wire.states(), [], "to {address}");
    }
}

// RFC 1122 3.2.1.3: these must not appear outside a host.
#[test]
fn loopback_addresses_on_the_wire_are_discarded() {
    let mut wire = Wire::new();
    wire.listen(1);
    let loopback = "127.0.0.1".parse().unwrap();
    let mut to_loopback = Peer::new(PEER_PORT).syn();
    to_loopback.destination.set_ip(loopback);
    let mut from_loopback = Peer::new(PEER_PORT).syn();
    from_loopback.source.set_ip(loopback);
    let mut from_itself = Peer::new(PEER_PORT).syn();
    from_itself.source = (HOST, PORT).into();
    for martian in [to_loopback, from_loopback, from_itself] {
        wire.inject(&martian);
        wire.expect_silence();
        assert_eq!(wire.states(), [], "{martian:?}");
    }
}
