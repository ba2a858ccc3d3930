//! Segments that do not fit, and the ACKs that answer them (rows 9, 11-13).

use glassnet::TcpState;

use super::wire::{MILLISECOND, SECOND, Wire, octets};

// RFC 5961 4.2 (row 11).
#[test]
fn a_syn_in_an_established_connection_is_challenged() {
    for distance in [0u32, 500, 0x4000_0000, 0x8000_0000, u32::MAX] {
        let mut wire = Wire::new();
        let (flow, mut peer) = wire.passive();
        let syn = peer.syn().seq(peer.seq.wrapping_add(distance));
        wire.inject(&syn);
        let challenge = wire.expect("ACK");
        assert_eq!((challenge.seq, challenge.ack), (peer.ack, Some(peer.seq)));
        wire.expect_silence();
        wire.is_alive(flow, &mut peer);
    }
}

// RFC 9293 3.5.1: a peer that crashed answers the challenge with a RST, and connects anew.
#[test]
fn a_peer_that_crashed_gets_rid_of_the_old_connection() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    peer.seq = 1_000_000;
    wire.inject(&peer.syn());
    let challenge = wire.expect("ACK");
    wire.inject(&peer.segment().without_ack().rst().seq(challenge.ack.unwrap()));
    assert_eq!(wire.state(flow), TcpState::Closed);
    wire.handshake(&mut peer);
    assert_eq!(wire.states(), [TcpState::Established]);
}

// A SYN-ACK again means that the ACK of it was lost.
#[test]
fn a_repeated_syn_ack_is_acknowledged_again() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.active();
    wire.inject(&peer.syn().seq(peer.seq - 1).ack(peer.ack));
    let ack = wire.expect("ACK");
    assert_eq!((ack.seq, ack.ack), (peer.ack, Some(peer.seq)));
    wire.is_alive(flow, &mut peer);
}

// RFC 5961 section 7; Linux's `tcp_invalid_ratelimit` of 500 ms.
#[test]
fn challenges_of_one_connection_are_half_a_second_apart() {
    let mut wire = Wire::new();
    let (_, peer) = wire.passive();
    for at in 0..=20 {
        wire.inject(&if at % 2 == 0 { peer.syn() } else { peer.segment().rst().seq(peer.seq + 5) });
        wire.advance(50 * MILLISECOND);
    }
    assert_eq!(wire.take().len(), 3, "at 0, 500 and 1000 ms");
}

#[test]
fn the_limit_of_one_connection_is_not_that_of_another() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    for port in 2_000..2_010 {
        let mut peer = super::wire::Peer::new(port);
        wire.handshake(&mut peer);
        wire.accept(listener).unwrap();
        wire.inject(&peer.syn());
        wire.expect("ACK");
    }
}

// RFC 9293 3.10.7.4, ESTABLISHED: SEG.ACK > SND.NXT (row 12).
#[test]
fn an_ack_of_what_was_not_sent_is_answered_and_its_data_not_taken() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().ack(peer.ack + 1_000).payload(b"data"));
    let ack = wire.expect("ACK");
    assert_eq!((ack.seq, ack.ack), (peer.ack, Some(peer.seq)));
    assert!(wire.try_read(flow).is_none());
    wire.is_alive(flow, &mut peer);
}

// RFC 9293 3.10.7.4, ESTABLISHED: a duplicate ACK can be ignored.
#[test]
fn an_old_ack_is_ignored() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.write(flow, b"hello");
    peer.ack = wire.expect("ACK").end();
    wire.inject(&peer.segment());
    wire.inject(&peer.segment().ack(peer.ack - 5));
    wire.expect_silence();
    wire.is_alive(flow, &mut peer);
}

// RFC 9293 3.10.7.4, first (row 13).
#[test]
fn data_outside_the_window_is_answered_with_one_ack_and_not_taken() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    for seq in [peer.seq - 100, peer.seq + 65_535, peer.seq + 1_000_000] {
        wire.inject(&peer.segment().seq(seq).payload(octets(50)));
        let ack = wire.expect("ACK");
        assert_eq!((ack.seq, ack.ack), (peer.ack, Some(peer.seq)));
        wire.expect_silence();
        assert!(wire.try_read(flow).is_none());
    }
    wire.is_alive(flow, &mut peer);
}

#[test]
fn data_that_overlaps_the_windows_edges_is_trimmed() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"first"));
    peer.seq += 5;
    // Four bytes that were received, and three that were not.
    wire.inject(&peer.segment().seq(peer.seq - 4).payload(b"irstnew"));
    peer.seq += 3;
    assert_eq!(wire.read(flow), b"firstnew");
    wire.is_alive(flow, &mut peer);
}

// RFC 9293 3.8.4: a keep-alive has SEG.SEQ = SND.NXT-1, with or without a byte.
#[test]
fn a_keep_alive_is_answered() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    for payload in [&b""[..], &b"\0"[..]] {
        wire.inject(&peer.segment().seq(peer.seq - 1).payload(payload));
        assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
        wire.advance(2 * SECOND);
    }
    assert!(wire.try_read(flow).is_none());
    wire.is_alive(flow, &mut peer);
}

// RFC 9293 3.10.7.4, fifth: if the ACK bit is off, drop the segment.
#[test]
fn a_segment_without_ack_is_dropped() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().without_ack().payload(b"data"));
    wire.inject(&peer.segment().without_ack().fin());
    wire.expect_silence();
    assert!(wire.try_read(flow).is_none());
    wire.is_alive(flow, &mut peer);
}
