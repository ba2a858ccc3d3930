//! Flow control (rows 35-38).

use std::io::ErrorKind;

use glassnet::{HostOptions, TcpEngine, TcpState};

use crate::common::by_engine;

use super::wire::{FlowId, MILLISECOND, PEER_PORT, Peer, SECOND, Wire, octets, times};

/// The peer's window is closed, and something waits for it.
fn shut_window(wire: &mut Wire) -> (FlowId, Peer) {
    let (flow, mut peer) = wire.passive();
    peer.window = 0;
    wire.inject(&peer.segment());
    wire.write(flow, b"waiting");
    (flow, peer)
}

fn with_buffer(recv_buffer: usize) -> Wire {
    Wire::with(HostOptions::default().recv_buffer(recv_buffer))
}

// RFC 9293 3.8.6.1 (row 35).
#[test]
fn a_zero_window_is_probed_for_as_long_as_the_peer_answers() {
    let mut wire = Wire::new();
    let (flow, peer) = shut_window(&mut wire);
    for _ in 0..50 {
        wire.advance(by_engine(61, 121) * SECOND);
        let probes = wire.take();
        assert!(!probes.is_empty());
        // With one byte, or, as Linux, with none and a number that was acknowledged.
        let (payload, seq) = by_engine((&b"w"[..], peer.ack), (b"", peer.ack.wrapping_sub(1)));
        assert!(probes.iter().all(|probe| probe.payload == payload && probe.seq == seq));
        wire.inject(&peer.segment());
    }
    assert_eq!(wire.state(flow), TcpState::Established);
}

// RFC 9293 3.8.6.1: the interval should grow exponentially.
#[test]
fn probes_are_sent_ever_more_seldom() {
    let mut wire = Wire::new();
    let (_, peer) = shut_window(&mut wire);
    let mut probes = Vec::new();
    for _ in 0..300 {
        wire.advance(SECOND);
        let sent = wire.take();
        if !sent.is_empty() {
            wire.inject(&peer.segment());
        }
        probes.extend(sent);
    }
    let sent_at = times(&probes, 0);
    let gaps: Vec<u64> = sent_at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.is_sorted(), "{gaps:?}");
    let range = by_engine(1_000..=60_000, 200..=120_000);
    assert!(gaps.len() > 5 && gaps.iter().all(|gap| range.contains(gap)), "{gaps:?}");
}

#[test]
fn a_peer_that_does_not_answer_probes_is_given_up() {
    let mut wire = Wire::with(HostOptions::default().retries(4));
    let (flow, _) = shut_window(&mut wire);
    wire.advance(1_000 * SECOND);
    assert_eq!(wire.read_error(flow), ErrorKind::TimedOut);
    assert_eq!(wire.take().len(), 4);
}

#[test]
fn data_flows_when_the_window_opens() {
    let mut wire = Wire::new();
    let (flow, mut peer) = shut_window(&mut wire);
    wire.advance(3 * SECOND);
    wire.take();
    peer.window = 1_000;
    wire.inject(&peer.segment());
    let sent = wire.next();
    assert_eq!((sent.seq, sent.payload.as_slice()), (peer.ack, &b"waiting"[..]));
    peer.ack = sent.end();
    wire.inject(&peer.segment());
    wire.advance(100 * SECOND);
    wire.expect_silence();
    wire.is_alive(flow, &mut peer);
}

#[test]
fn a_peer_that_takes_the_probes_octet_gets_the_rest() {
    // The other engine's probes have none.
    let mut wire = Wire::with(HostOptions::default().tcp_engine(TcpEngine::Smoltcp));
    let (_, mut peer) = shut_window(&mut wire);
    wire.advance(3 * SECOND);
    assert_eq!(wire.take()[0].payload, b"w");
    peer.ack += 1;
    peer.window = 100;
    wire.inject(&peer.segment());
    assert_eq!(wire.next().payload, b"aiting");
}

#[test]
fn no_more_is_sent_than_the_window_allows() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive_with(Peer { window: 700, ..Peer::new(PEER_PORT) });
    wire.write(flow, &octets(3_000));
    let mut received = 0;
    for _ in 0..20 {
        let sent = wire.take();
        let octets: usize = sent.iter().map(|segment| segment.payload.len()).sum();
        assert!(octets <= 700, "{octets} octets");
        received += octets;
        if let Some(last) = sent.last() {
            peer.ack = last.end();
        }
        wire.inject(&peer.segment());
    }
    assert_eq!(received, 3_000);
}

// RFC 9293 3.8.6 (row 36): a window that shrinks is obeyed.
#[test]
fn a_window_that_shrank_is_not_overrun_and_opens_again() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.write(flow, &octets(1_000));
    let sent = wire.expect("ACK");
    // With a higher number: without, Linux believes in larger windows only.
    wire.inject(&peer.segment().payload(b"x"));
    peer.seq += 1;
    peer.window = 400;
    wire.inject(&peer.segment());
    wire.advance(1_500 * MILLISECOND);
    let mut again = wire.take();
    again.retain(|sent| !sent.payload.is_empty());
    assert_eq!(again[0].payload.len(), 400);
    peer.ack = again[0].end();
    peer.window = 1_000;
    wire.inject(&peer.segment());
    assert_eq!(wire.take().last().unwrap().end(), sent.end());
}

// RFC 9293 3.8.6.2.2 (row 37): the peer hears of it when there is room again.
#[test]
fn the_window_closes_as_data_is_not_read_and_opens_when_it_is() {
    let mut wire = with_buffer(4_000);
    let (flow, mut peer) = wire.passive();
    for _ in 0..4 {
        wire.inject(&peer.segment().payload(octets(1_000)));
        peer.seq += 1_000;
        wire.advance(20 * MILLISECOND);
    }
    let acks = wire.take();
    assert_eq!(acks.last().map(|ack| (ack.ack, ack.window)), Some((Some(peer.seq), 0)));
    // What comes now does not fit, and is not taken.
    wire.inject(&peer.segment().payload(b"x"));
    let ack = wire.expect("ACK");
    assert_eq!((ack.ack, ack.window), (Some(peer.seq), 0));

    assert_eq!(wire.read(flow).len(), 4_000);
    let update = wire.expect("ACK");
    assert_eq!((update.ack, update.window), (Some(peer.seq), 4_000));
    wire.is_alive(flow, &mut peer);
}

// RFC 9293 3.10.7.4: with a zero window, ACKs and RSTs are still taken.
#[test]
fn acks_count_while_our_window_is_closed() {
    let mut wire = with_buffer(1_000);
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().payload(octets(1_000)));
    peer.seq += 1_000;
    wire.advance(20 * MILLISECOND);
    wire.take();
    wire.write(flow, b"hello");
    peer.ack = wire.next().end();
    wire.inject(&peer.segment());
    wire.advance(100 * SECOND);
    wire.expect_silence();
    wire.inject(&peer.segment().fin());
    peer.seq += 1;
    wire.advance(50 * MILLISECOND);
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    // And behind a FIN that had no room either.
    wire.write(flow, b"hello");
    peer.ack = wire.next().end();
    wire.inject(&peer.segment());
    wire.advance(100 * SECOND);
    wire.expect_silence();
    assert_eq!(wire.read(flow).len(), 1_000);
    assert_eq!(wire.read(flow), b"");
}

// A slow reader that drains in small pieces must not starve (DESIGN 8.3).
#[test]
fn a_reader_of_small_pieces_gets_everything() {
    let mut wire = with_buffer(3_000);
    let (flow, mut peer) = wire.passive();
    let data = octets(20_000);
    let (first, mut read, mut window) = (peer.seq, Vec::new(), 3_000);
    for _ in 0..5_000 {
        let sent = (peer.seq - first) as usize;
        let len = (data.len() - sent).min(window).min(1_460);
        if len > 0 {
            wire.inject(&peer.segment().payload(&data[sent..sent + len]));
            peer.seq += len as u32;
        }
        wire.advance(20 * MILLISECOND);
        if let Some(Ok(octets)) = wire.read_up_to(flow, 7) {
            read.extend(octets);
        }
        if let Some(ack) = wire.take().last() {
            window = usize::from(ack.window) - (peer.seq - ack.ack.unwrap()) as usize;
        } else {
            window = window.saturating_sub(len);
        }
    }
    assert!(read == data, "{} octets", read.len());
}

// RFC 7323 2.2 (row 38).
#[test]
fn windows_are_scaled_when_both_sides_say_so() {
    let mut wire = with_buffer(1 << 20);
    let listener = wire.listen(1);
    let mut peer = Peer { window: 100, window_scale: Some(7), ..Peer::new(PEER_PORT) };
    let syn_ack = wire.half_handshake(&mut peer);
    assert_eq!((syn_ack.window, syn_ack.window_scale), (65_535, Some(5)));
    wire.inject(&peer.segment());
    let flow = wire.accept(listener).unwrap();
    wire.socket(flow).set_tcp_nodelay(true).unwrap();
    // 100 << 7 bytes, of which ours leaves less than a full segment; the congestion window opens as it
    // is acknowledged.
    let mut most = 0;
    for _ in 0..20 {
        let _ = wire.try_write(flow, &octets(20_000));
        let sent = wire.take();
        most = most.max(sent.iter().map(|segment| segment.payload.len()).sum());
        for segment in sent {
            assert_eq!(segment.window, (1 << 20 >> 5) as u16);
            peer.ack = segment.end();
        }
        wire.inject(&peer.segment());
    }
    let range = by_engine(12_800, 12_800 - 1_459)..=12_800;
    assert!(range.contains(&most), "{most}");
}

// RFC 7323 1.3: the option is an offer; without the peer's there is no scaling.
#[test]
fn windows_are_not_scaled_when_the_peer_does_not_say_so() {
    let mut wire = with_buffer(1 << 20);
    let listener = wire.listen(1);
    let mut peer = Peer { window: 100, ..Peer::new(PEER_PORT) };
    let syn_ack = wire.half_handshake(&mut peer);
    assert_eq!((syn_ack.window, syn_ack.window_scale), (65_535, None));
    wire.inject(&peer.segment());
    let flow = wire.accept(listener).unwrap();
    wire.write(flow, &octets(1_000));
    let sent = wire.next();
    assert_eq!((sent.payload.len(), sent.window), (100, 65_535));
    wire.expect_silence();
}

#[test]
fn a_connecting_host_offers_scaling_and_does_without() {
    for (offer, window) in [(Some(2), 1 << 20 >> 5), (None, 65_535)] {
        let mut wire = with_buffer(1 << 20);
        let remote = super::wire::peer_address(super::wire::PORT);
        let (flow, local) = wire.connect_to(None, remote).unwrap();
        let syn = wire.expect("SYN");
        assert_eq!((syn.window, syn.window_scale), (65_535, Some(5)));
        let mut peer = Peer { window_scale: offer, ..Peer::new(super::wire::PORT) };
        (peer.host_port, peer.ack) = (local.port(), syn.end());
        wire.inject(&peer.syn().ack(peer.ack));
        peer.seq += 1;
        assert_eq!(wire.expect("ACK").window, window as u16);
        wire.is_alive(flow, &mut peer);
    }
}

// RFC 7323 2.3: more than 14 is taken for 14.
#[test]
fn a_shift_of_more_than_14_is_14() {
    let mut wire = Wire::new();
    let (flow, mut peer) =
        wire.passive_with(Peer { window_scale: Some(200), window: 1, ..Peer::new(PEER_PORT) });
    wire.write(flow, &octets(60_000));
    let mut most = 0;
    for _ in 0..30 {
        let sent = wire.take();
        most = most.max(sent.iter().map(|segment| segment.payload.len()).sum());
        if let Some(last) = sent.last() {
            peer.ack = last.end();
        }
        wire.inject(&peer.segment());
    }
    assert!(most > 8_000 && most <= 1 << 14, "{most} octets in flight");
}

#[test]
fn a_receive_buffer_of_one_octet_works() {
    let mut wire = with_buffer(1);
    let (flow, mut peer) = wire.passive();
    for octet in b"slowly" {
        wire.inject(&peer.segment().payload([*octet]));
        peer.seq += 1;
        wire.advance(20 * MILLISECOND);
        assert_eq!(wire.read(flow), [*octet]);
        wire.advance(20 * MILLISECOND);
        assert_eq!(wire.take().last().map(|ack| ack.window), Some(1));
    }
}

// RFC 7323 2.4; Linux rounds up as well.
#[test]
fn the_right_edge_of_a_scaled_window_stays_where_it_is_while_nothing_is_read() {
    let options = HostOptions::default().recv_buffer(1 << 22).tcp_engine(TcpEngine::Glassnet);
    let mut wire = Wire::with(options);
    let (_, mut peer) = wire.passive_with(Peer { window_scale: Some(0), ..Peer::new(PEER_PORT) });
    let (shift, first) = (7, peer.seq);
    let mut edges = Vec::new();
    for len in (1..300).map(|len| len % 50 + 1) {
        wire.inject(&peer.segment().payload(octets(len)));
        peer.seq += len as u32;
        wire.advance(20 * MILLISECOND);
        let ack = wire.take().pop().unwrap();
        edges.push(ack.ack.unwrap() - first + (u32::from(ack.window) << shift));
    }
    assert!(edges.is_sorted(), "{edges:?}");
    assert!(edges.last().unwrap() - edges[0] < 1 << 16, "{edges:?}");
}
