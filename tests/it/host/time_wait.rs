//! TIME-WAIT (rows 23, 24).

use std::net::SocketAddr;

use glassnet::TcpState;

use super::wire::{HOST, MILLISECOND, PEER_PORT, PORT, Peer, SECOND, Wire};

/// The host closed first, and everything was acknowledged.
fn time_wait(wire: &mut Wire) -> Peer {
    let (flow, mut peer) = wire.passive();
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().fin());
    peer.seq = peer.seq.wrapping_add(1);
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    assert_eq!(wire.states(), [TcpState::TimeWait]);
    peer
}

// RFC 9293 3.10.7.4, TIME-WAIT, eighth (row 23).
#[test]
fn a_repeated_fin_is_acknowledged_and_restarts_the_time() {
    let mut wire = Wire::new();
    let peer = time_wait(&mut wire);
    wire.advance(50 * SECOND);
    wire.inject(&peer.segment().seq(peer.seq - 1).fin());
    let ack = wire.expect("ACK");
    assert_eq!((ack.seq, ack.ack), (peer.ack, Some(peer.seq)));
    wire.advance(60 * SECOND - 1);
    assert_eq!(wire.states(), [TcpState::TimeWait]);
    wire.advance(1);
    assert_eq!(wire.states(), []);
}

#[test]
fn it_lasts_60_seconds_and_then_meets_nobody() {
    let mut wire = Wire::new();
    let peer = time_wait(&mut wire);
    wire.advance(60 * SECOND - 1);
    wire.inject(&peer.segment().seq(peer.seq - 1).payload(b"x"));
    wire.expect("ACK");
    wire.advance(1);
    wire.inject(&peer.segment().seq(peer.seq - 1).fin());
    assert_eq!(wire.expect("RST").seq, peer.ack);
}

#[test]
fn an_idle_host_wants_no_poll_for_it() {
    let mut wire = Wire::new();
    time_wait(&mut wire);
    wire.advance(100 * SECOND);
    assert_eq!(wire.deadline(), None);
}

// RFC 1337 (row 24).
#[test]
fn a_reset_does_not_end_it() {
    let mut wire = Wire::new();
    let peer = time_wait(&mut wire);
    wire.inject(&peer.segment().rst());
    wire.inject(&peer.segment().without_ack().rst());
    wire.expect_silence();
    assert_eq!(wire.states(), [TcpState::TimeWait]);
}

// RFC 9293 3.6.1, RFC 1122 4.2.2.13 (row 24).
#[test]
fn a_syn_with_a_higher_number_reopens_it() {
    let mut wire = Wire::new();
    let mut peer = time_wait(&mut wire);
    peer.seq = peer.seq.wrapping_add(1);
    wire.handshake(&mut peer);
    assert_eq!(wire.states(), [TcpState::Established]);
    // The record's old time has no say over the new connection.
    wire.advance(100 * SECOND);
    assert_eq!(wire.states(), [TcpState::Established]);
}

// RFC 9293 3.6.1.
#[test]
fn a_syn_that_is_not_higher_is_acknowledged() {
    let mut wire = Wire::new();
    let peer = time_wait(&mut wire);
    for behind in [0, 1, 1_000] {
        wire.inject(&peer.syn().seq(peer.seq - behind));
        let ack = wire.expect("ACK");
        assert_eq!((ack.seq, ack.ack), (peer.ack, Some(peer.seq)));
    }
    assert_eq!(wire.states(), [TcpState::TimeWait]);
}

// RFC 9293 3.10.7.2: with nobody listening any more, the SYN is refused.
#[test]
fn a_syn_that_would_reopen_it_needs_a_listener() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    let mut peer = Peer::new(PEER_PORT);
    wire.handshake(&mut peer);
    let flow = wire.accept(listener).unwrap();
    wire.close_listener(listener);
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().fin());
    wire.expect("ACK");
    wire.inject(&peer.syn().seq(peer.seq + 1_000));
    assert_eq!(wire.expect("RST ACK").ack, Some(peer.seq + 1_001));
}

#[test]
fn old_data_is_acknowledged_and_an_old_ack_ignored() {
    let mut wire = Wire::new();
    let peer = time_wait(&mut wire);
    wire.inject(&peer.segment().seq(peer.seq - 5).payload(b"old"));
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    wire.inject(&peer.segment());
    wire.inject(&peer.segment().ack(peer.ack - 1));
    wire.expect_silence();
}

// The contract: EADDRINUSE unless both sockets reuse the address.
#[test]
fn it_keeps_its_port_from_sockets_that_do_not_reuse() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    let mut peer = Peer::new(PEER_PORT);
    wire.handshake(&mut peer);
    let flow = wire.accept(listener).unwrap();
    wire.close_listener(listener);
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().fin());
    wire.expect("ACK");
    let local = SocketAddr::from((HOST, PORT));
    assert!(wire.bind(local, false).is_err());
    drop(wire.bind(local, true).unwrap());
    assert!(wire.bind(local, false).is_err());
}

/// The host connected from port 7777 and closed first.
fn time_wait_of_a_bound_port(wire: &mut Wire) -> (SocketAddr, SocketAddr) {
    let local = SocketAddr::from((HOST, 7_777));
    let remote = SocketAddr::from((super::wire::PEER, PORT));
    let (flow, _) = wire.connect_to(Some(local), remote).unwrap();
    let mut peer = Peer::new(PORT);
    peer.host_port = 7_777;
    peer.ack = wire.expect("SYN").end();
    wire.inject(&peer.syn().ack(peer.ack));
    peer.seq += 1;
    wire.expect("ACK");
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().fin());
    wire.expect("ACK");
    assert_eq!(wire.states(), [TcpState::TimeWait]);
    (local, remote)
}

#[test]
fn its_addresses_cannot_be_connected_again_while_it_lasts() {
    let mut wire = Wire::new();
    let (local, remote) = time_wait_of_a_bound_port(&mut wire);
    wire.advance(30 * SECOND);
    let error = wire.connect_to(Some(local), remote).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable);
}

#[test]
fn its_port_can_be_bound_when_it_is_over() {
    let mut wire = Wire::new();
    let (local, _) = time_wait_of_a_bound_port(&mut wire);
    assert!(wire.bind(local, false).is_err());
    wire.advance(60 * SECOND);
    assert!(wire.bind(local, false).is_ok());
}

#[test]
fn its_addresses_can_be_connected_when_it_is_over() {
    let mut wire = Wire::new();
    let (local, remote) = time_wait_of_a_bound_port(&mut wire);
    wire.advance(60 * SECOND);
    assert!(wire.connect_to(Some(local), remote).is_ok());
}

#[test]
fn what_it_counted_of_its_port_is_forgotten_with_it() {
    let mut wire = Wire::new();
    let (local, _) = time_wait_of_a_bound_port(&mut wire);
    wire.advance(61 * SECOND);
    // Any segment for a connection in TIME-WAIT, or for nobody, makes the host look.
    wire.inject(&Peer { host_port: 9, ..Peer::new(9) }.segment());
    wire.expect("RST");
    assert!(wire.bind(local, false).is_ok());
}

// DESIGN D11.
#[test]
fn a_flood_of_fins_leaves_one_record() {
    let mut wire = Wire::new();
    let peer = time_wait(&mut wire);
    for _ in 0..1_000 {
        wire.advance(MILLISECOND);
        wire.inject(&peer.segment().seq(peer.seq - 1).fin());
    }
    assert_eq!(wire.states(), [TcpState::TimeWait]);
    wire.advance(60 * SECOND);
    assert_eq!(wire.states(), []);
}

// RFC 9293 3.10.7.4, first: what is not acceptable is answered; what takes no sequence space twice a
// second at most (Linux's `tcp_invalid_ratelimit`).
#[test]
fn a_keep_alive_is_answered_and_what_is_expected_is_not() {
    let mut wire = Wire::new();
    let peer = time_wait(&mut wire);
    wire.inject(&peer.segment());
    wire.expect_silence();
    // The FIN has just been acknowledged; this is an ACK that it overtook.
    wire.inject(&peer.segment().seq(peer.seq - 1));
    wire.expect_silence();
    wire.advance(500 * MILLISECOND);
    for _ in 0..2 {
        wire.inject(&peer.segment().seq(peer.seq - 1));
        assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
        wire.inject(&peer.segment().seq(peer.seq - 1));
        wire.expect_silence();
        wire.advance(500 * MILLISECOND);
    }
    assert_eq!(wire.states(), [TcpState::TimeWait]);
}

// RFC 6191; Linux's `tcp_twsk_unique`.
#[test]
fn with_timestamps_a_bound_port_is_connected_again_at_once_and_a_later_syn_reopens() {
    use glassnet::peer::TcpOption;
    use glassnet::{HostOptions, TcpEngine};

    let options = HostOptions::default().tcp_engine(TcpEngine::Glassnet);
    for has_timestamps in [true, false] {
        let mut wire = Wire::with(options.clone());
        let stamp = |value| TcpOption::Timestamps { value, echo: 0 };
        let with = |segment: glassnet::peer::Segment, value| {
            if has_timestamps { segment.option(stamp(value)) } else { segment }
        };
        // The host connects from a port of its own, and closes first.
        let (local, remote): (SocketAddr, SocketAddr) =
            ((HOST, 5_000).into(), (super::wire::PEER, PORT).into());
        let (flow, _) = wire.connect_to(Some(local), remote).unwrap();
        let syn = wire.expect("SYN");
        let mut peer = Peer::new(PORT);
        (peer.host_port, peer.ack) = (5_000, syn.end());
        wire.inject(&with(peer.syn().ack(peer.ack), 1_000));
        peer.seq += 1;
        wire.expect("ACK");
        wire.close(flow);
        peer.ack = wire.expect("FIN ACK").end();
        wire.inject(&with(peer.segment().fin(), 1_001));
        peer.seq += 1;
        wire.take();
        assert_eq!(wire.states(), [TcpState::TimeWait]);
        let again = wire.connect_to(Some(local), remote);
        assert_eq!(again.is_ok(), has_timestamps);
        if has_timestamps {
            let syn = wire.expect("SYN");
            assert!(syn.seq.wrapping_sub(peer.ack).cast_signed() >= 0);
        }
    }
    // A SYN with a lower number, and a lower, or a higher timestamp.
    for (value, is_reopened) in [(900, false), (1_100, true)] {
        let mut wire = Wire::with(options.clone());
        let listener = wire.listen(4);
        let mut peer = Peer::new(PEER_PORT);
        let stamp = |value| TcpOption::Timestamps { value, echo: 0 };
        wire.inject(&peer.syn().option(stamp(1_000)));
        peer.seq += 1;
        peer.ack = wire.expect("SYN ACK").end();
        wire.inject(&peer.segment().option(stamp(1_000)));
        let flow = wire.accept(listener).unwrap();
        wire.close(flow);
        peer.ack = wire.expect("FIN ACK").end();
        wire.inject(&peer.segment().fin().option(stamp(1_001)));
        wire.take();
        assert_eq!(wire.states(), [TcpState::TimeWait]);
        let lower = Peer { seq: peer.seq.wrapping_sub(100_000), ..peer };
        wire.inject(&lower.syn().option(stamp(value)));
        wire.expect(if is_reopened { "SYN ACK" } else { "ACK" });
    }
}
