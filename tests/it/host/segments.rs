//! How large segments are, and when they leave (rows 39, 40).

use glassnet::HostOptions;

use crate::common::by_engine;

use super::wire::{MILLISECOND, PEER_PORT, Peer, SECOND, Wire, octets};

// RFC 9293 3.7.1 (row 39).
#[test]
fn segments_are_as_large_as_the_peer_takes_and_the_link_carries() {
    for (mtu, mss, largest) in [
        (1500, Some(1460), 1460),
        (1500, Some(1000), 1000),
        (1500, Some(9000), 1460),
        (576, Some(1460), 536),
        (9000, Some(8960), 8960),
        // Without the option: 536.
        (1500, None, 536),
    ] {
        let mut wire = Wire::with(HostOptions::default().mtu(mtu));
        let (flow, mut peer) = wire.passive_with(Peer { mss, ..Peer::new(PEER_PORT) });
        wire.write(flow, &octets(40_000));
        let mut received: Vec<u8> = Vec::new();
        for _ in 0..200 {
            let sent = wire.take();
            for segment in sent {
                assert!(segment.payload.len() <= largest, "{} > {largest}", segment.payload.len());
                if segment.seq == peer.ack {
                    received.extend(&segment.payload);
                    peer.ack = segment.end();
                }
            }
            wire.inject(&peer.segment());
        }
        assert!(received == octets(40_000), "{} octets at MTU {mtu}", received.len());
    }
}

// RFC 9293 3.7.1: what the MSS option says is the MTU less the two fixed headers.
#[test]
fn the_mss_option_is_the_mtu_less_40() {
    for mtu in [68, 576, 1500, 9000, 65_535] {
        let mut wire = Wire::with(HostOptions::default().mtu(mtu));
        wire.listen(1);
        let syn_ack = wire.half_handshake(&mut Peer::new(PEER_PORT));
        assert_eq!(syn_ack.mss, Some(mtu as u16 - 40));
        wire.connect_to(None, super::wire::peer_address(80)).unwrap();
        assert_eq!(wire.expect("SYN").mss, Some(mtu as u16 - 40));
    }
}

#[test]
fn a_silly_mss_does_not_stop_the_stream() {
    for mss in [0, 1, 47] {
        let mut wire = Wire::new();
        let (flow, mut peer) = wire.passive_with(Peer { mss: Some(mss), ..Peer::new(PEER_PORT) });
        wire.write(flow, &octets(500));
        let mut received = 0;
        for _ in 0..50 {
            if let Some(last) = wire.take().last() {
                received += Wire::ahead(last.end(), peer.ack);
                peer.ack = last.end();
            }
            wire.inject(&peer.segment());
        }
        assert_eq!(received, 500);
    }
}

#[test]
fn the_smallest_mtu_carries_a_stream() {
    let mut wire = Wire::with(HostOptions::default().mtu(68));
    let (flow, _) = wire.passive();
    wire.write(flow, &octets(100));
    assert_eq!(wire.next().payload.len(), 28);
}

// RFC 9293 3.7.4 (row 40).
#[test]
fn small_writes_wait_for_the_acknowledgment_of_the_one_before() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.write(flow, b"one");
    let first = wire.expect("ACK");
    wire.write(flow, b"two");
    wire.write(flow, b"three");
    wire.expect_silence();
    peer.ack = first.end();
    wire.inject(&peer.segment());
    assert_eq!(wire.expect("ACK").payload, b"twothree");
    wire.expect_silence();
}

#[test]
fn a_full_segment_waits_for_nothing() {
    let mut wire = Wire::new();
    let (flow, _) = wire.passive_with(Peer { mss: Some(100), ..Peer::new(PEER_PORT) });
    wire.write(flow, b"one");
    wire.expect("ACK");
    wire.write(flow, &octets(150));
    assert_eq!(wire.expect("ACK").payload.len(), 100);
    wire.expect_silence();
}

// RFC 9293 3.7.4: an application must be able to switch it off.
#[test]
fn with_nodelay_small_writes_leave_at_once() {
    let mut wire = Wire::new();
    let (flow, _) = wire.passive();
    assert!(!wire.socket(flow).tcp_nodelay().unwrap());
    wire.socket(flow).set_tcp_nodelay(true).unwrap();
    assert!(wire.socket(flow).tcp_nodelay().unwrap());
    for piece in [&b"one"[..], b"two", b"three"] {
        wire.write(flow, piece);
        assert_eq!(wire.expect("ACK").payload, piece);
    }
}

#[test]
fn switching_nodelay_on_sends_what_waited() {
    let mut wire = Wire::new();
    let (flow, _) = wire.passive();
    wire.write(flow, b"one");
    wire.expect("ACK");
    wire.write(flow, b"two");
    wire.expect_silence();
    wire.socket(flow).set_tcp_nodelay(true).unwrap();
    assert_eq!(wire.expect("ACK").payload, b"two");
}

#[test]
fn nodelay_can_be_a_hosts_default() {
    let mut wire = Wire::with(HostOptions::default().nagle(false));
    let (flow, _) = wire.passive();
    assert!(wire.socket(flow).tcp_nodelay().unwrap());
    wire.write(flow, b"one");
    wire.write(flow, b"two");
    assert_eq!(wire.take().len(), 2);
}

// RFC 9293 3.8.6.3 (row 40).
#[test]
fn an_acknowledgment_waits_ten_milliseconds() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.converse(flow, &mut peer);
    wire.inject(&peer.segment().payload(b"data"));
    peer.seq += 4;
    wire.advance(10 * MILLISECOND - 1);
    wire.expect_silence();
    wire.advance(1);
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
}

#[test]
fn an_acknowledgment_rides_on_data() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.converse(flow, &mut peer);
    wire.inject(&peer.segment().payload(b"question"));
    peer.seq += 8;
    wire.write(flow, b"answer");
    let sent = wire.expect("ACK");
    assert_eq!((sent.ack, sent.payload.as_slice()), (Some(peer.seq), &b"answer"[..]));
    wire.advance(100 * MILLISECOND);
    wire.expect_silence();
}

// RFC 9293 3.8.6.3: at least every second full-sized segment.
#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.converse(flow, &mut peer);
    for count in 1..=10u32 {
        wire.inject(&peer.segment().payload(octets(1_460)));
        peer.seq += 1_460;
        let acks = wire.take();
        if count % 2 == 0 {
            assert_eq!(acks.len(), 1, "segment {count}");
            assert_eq!(acks[0].ack, Some(peer.seq));
        } else {
            assert_eq!(acks.len(), 0, "segment {count}");
        }
    }
}

/// The ACKs of a burst of twelve full segments.
fn acks_of_burst(wire: &mut Wire) -> Vec<Option<u32>> {
    let (flow, mut peer) = wire.passive();
    wire.converse(flow, &mut peer);
    let at = |count: u32| peer.seq + count * 1_460;
    let burst: Vec<_> = (0..12)
        .map(|count| Peer { seq: at(count), ..peer }.segment().payload(octets(1_460)))
        .collect();
    wire.inject_burst(&burst);
    wire.advance(SECOND);
    wire.take().iter().map(|sent| sent.ack.map(|ack| (ack - peer.seq) / 1_460)).collect()
}

// RFC 9293 3.8.6.3.
#[test]
fn within_a_burst_as_well() {
    let acked: Vec<_> = [2, 4, 6, 8, 10, 12].map(Some).into();
    assert_eq!(acks_of_burst(&mut Wire::new()), acked);
}

#[test]
fn without_a_delay_every_segment_is_acknowledged_at_once() {
    let mut wire = Wire::with(HostOptions::default().ack_delay(None));
    let (_, mut peer) = wire.passive();
    for _ in 0..3 {
        wire.inject(&peer.segment().payload(b"data"));
        peer.seq += 4;
        assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    }
}

#[test]
fn a_write_larger_than_the_buffer_is_cut_and_the_rest_waits() {
    let mut wire = Wire::with(HostOptions::default().send_buffer(1_000));
    let (flow, mut peer) = wire.passive();
    assert_eq!(wire.try_write(flow, &octets(1_500)).unwrap().unwrap(), 1_000);
    assert!(wire.try_write(flow, b"more").is_none());
    peer.ack = wire.expect("ACK").end();
    wire.inject(&peer.segment());
    wire.write(flow, b"more");
    assert_eq!(wire.expect("ACK").payload, b"more");
    wire.advance(by_engine(500, 190) * MILLISECOND);
    wire.expect_silence();
}
