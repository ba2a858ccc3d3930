//! Lost data (rows 28-31).

use std::io::ErrorKind;

use glassnet::{HostOptions, TcpState};

use crate::common::by_engine;

use super::wire::{FlowId, MILLISECOND, PEER_PORT, Peer, SECOND, Wire, octets, times};

/// A window of `count` segments of 536 bytes in flight.
fn in_flight(wire: &mut Wire, count: usize) -> (FlowId, Peer, Vec<u32>) {
    let (flow, mut peer) =
        wire.passive_with(Peer { mss: Some(536), window: 60_000, ..Peer::new(PEER_PORT) });
    wire.socket(flow).set_tcp_nodelay(true).unwrap();
    // Slow start: until the window is open far enough.
    for _ in 0..10 {
        wire.write(flow, &octets(536 * 2));
        for sent in wire.take() {
            peer.ack = sent.end();
            wire.inject(&peer.segment());
        }
    }
    wire.expect_silence();
    wire.write(flow, &octets(536 * count));
    let sent = wire.take();
    assert_eq!(sent.len(), count);
    (flow, peer, sent.iter().map(|segment| segment.seq).collect())
}

// RFC 6298 2, 5.5 (row 28).
#[test]
fn data_is_sent_again_after_a_timeout_that_doubles_up_to_a_limit() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    let began = wire.now();
    wire.write(flow, b"hello");
    wire.expect("ACK");
    wire.advance(250 * SECOND);
    let again = wire.take();
    assert!(again.iter().all(|sent| sent.seq == peer.ack && sent.payload == b"hello"));
    // From a second to a minute; ours from 200 ms to two minutes, as Linux.
    let expected = by_engine(
        vec![1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000, 183_000, 243_000],
        vec![200, 600, 1_400, 3_000, 6_200, 12_600, 25_400, 51_000, 102_200, 204_601],
    );
    assert_eq!(times(&again, began), expected);
}

// RFC 1122 4.2.3.5, Linux's `tcp_retries2` (row 29).
#[test]
fn a_connection_is_given_up_after_as_many_retries_as_the_options_say() {
    for retries in [0u32, 3, 15] {
        let mut wire = Wire::with(HostOptions::default().retries(retries));
        let (flow, _) = wire.passive();
        wire.write(flow, b"hello");
        wire.expect("ACK");
        wire.advance(2_000 * SECOND);
        assert_eq!(wire.take().len(), retries as usize);
        assert_eq!(wire.read_error(flow), ErrorKind::TimedOut);
        assert_eq!(wire.read(flow), b"", "the error is reported once");
        assert_eq!(wire.write_error(flow), ErrorKind::BrokenPipe);
        assert_eq!(wire.states(), []);
        wire.close(flow);
        wire.expect_silence();
        assert_eq!(wire.sizes().connections, 0);
    }
}

#[test]
fn retries_are_counted_anew_when_something_is_acknowledged() {
    let mut wire = Wire::with(HostOptions::default().retries(3));
    let (flow, mut peer) = wire.passive();
    for _ in 0..5 {
        wire.write(flow, b"hello");
        let end = wire.next().end();
        wire.advance(by_engine(4, 2) * SECOND);
        wire.take();
        peer.ack = end;
        wire.inject(&peer.segment());
        wire.advance(60 * SECOND);
        wire.take();
    }
    assert_eq!(wire.state(flow), TcpState::Established);
}

#[test]
fn a_lost_acknowledgment_costs_one_retransmission() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.write(flow, b"hello");
    let end = wire.expect("ACK").end();
    wire.advance(by_engine(SECOND, 201 * MILLISECOND));
    wire.expect("ACK");
    peer.ack = end;
    wire.inject(&peer.segment());
    wire.inject(&peer.segment());
    wire.advance(100 * SECOND);
    wire.expect_silence();
    wire.is_alive(flow, &mut peer);
}

// RFC 5681 3.2 (row 30).
#[test]
fn the_third_duplicate_ack_sends_the_lost_segment_again() {
    let mut wire = Wire::new();
    let (_, peer, seqs) = in_flight(&mut wire, 6);
    wire.inject(&peer.segment());
    wire.inject(&peer.segment());
    assert!(wire.take().iter().all(|sent| sent.seq != seqs[0]), "not at the second");
    wire.inject(&peer.segment());
    let again = wire.take();
    assert_eq!(again.iter().filter(|sent| sent.seq == seqs[0]).count(), 1);
    assert_eq!(again[0].payload.len(), 536);
    // And no more than that, at the fourth and fifth.
    wire.inject(&peer.segment());
    wire.inject(&peer.segment());
    assert!(wire.take().iter().all(|sent| sent.seq != seqs[0]));
}

#[test]
fn after_the_lost_segment_everything_is_acknowledged_and_nothing_sent_again() {
    let mut wire = Wire::new();
    let (flow, mut peer, seqs) = in_flight(&mut wire, 6);
    for _ in 0..5 {
        wire.inject(&peer.segment());
    }
    wire.take();
    peer.ack = seqs[5] + 536;
    wire.inject(&peer.segment());
    wire.advance(100 * SECOND);
    wire.expect_silence();
    wire.is_alive(flow, &mut peer);
}

// RFC 5681 section 2: a window update, and data, are no duplicate ACKs (row 31).
#[test]
fn window_updates_and_data_are_no_duplicate_acks() {
    let mut wire = Wire::new();
    let (_, mut peer, seqs) = in_flight(&mut wire, 6);
    for _ in 0..6 {
        peer.window += 100;
        wire.inject(&peer.segment());
    }
    for _ in 0..6 {
        wire.inject(&peer.segment().payload(b"data"));
        peer.seq += 4;
    }
    wire.advance(50 * MILLISECOND);
    assert!(wire.take().iter().all(|sent| sent.seq != seqs[0] || sent.payload.is_empty()));
}

// RFC 6298 (5.4)-(5.6): after a timeout the first segment goes first.
#[test]
fn a_timeout_sends_the_first_segment_again_and_the_rest_as_it_is_acknowledged() {
    let mut wire = Wire::new();
    let (_, mut peer, seqs) = in_flight(&mut wire, 4);
    wire.advance(by_engine(SECOND, 201 * MILLISECOND));
    let again = wire.take();
    assert_eq!(again.iter().map(|sent| sent.seq).collect::<Vec<_>>(), [seqs[0]]);
    let mut received = vec![seqs[0]];
    for _ in 0..10 {
        peer.ack = received.last().unwrap() + 536;
        wire.inject(&peer.segment());
        received.extend(wire.take().iter().map(|sent| sent.seq));
    }
    assert_eq!(received, seqs);
    wire.advance(100 * SECOND);
    wire.expect_silence();
}

#[test]
fn an_orphan_gives_up_its_data_sooner() {
    let mut wire = Wire::with(HostOptions::default().orphan_retries(2));
    let (flow, _) = wire.passive();
    wire.write(flow, b"hello");
    wire.close(flow);
    wire.take();
    wire.advance(100 * SECOND);
    assert_eq!(wire.take().len(), 2);
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn a_reader_is_told_of_the_timeout_when_everything_was_read() {
    let mut wire = Wire::with(HostOptions::default().retries(1));
    let (flow, peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"data"));
    wire.write(flow, b"hello");
    wire.advance(100 * SECOND);
    assert_eq!(wire.read(flow), b"data");
    assert_eq!(wire.read_error(flow), ErrorKind::TimedOut);
}
