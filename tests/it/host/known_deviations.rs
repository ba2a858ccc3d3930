//! Where a host does otherwise than the RFC or the contract says, as it is today. A test that
//! fails here is good news: the behaviour has come nearer to what it should be.
//!
//! All are smoltcp's, but for one, which is Linux's as well.

use glassnet::{HostOptions, TcpEngine, TcpState};

use super::wire::{MILLISECOND, PEER_PORT, Peer, SECOND, Wire, octets, times};

fn smoltcp() -> HostOptions {
    HostOptions::default().tcp_engine(TcpEngine::Smoltcp)
}

// Row 17, RFC 9293 3.10.7.4: a repeated SYN in SYN-RECEIVED should be answered.
// The engine drops every segment without ACK in that state; its timer repeats the SYN-ACK.
#[test]
fn a_repeated_syn_in_syn_received_waits_for_the_timer() {
    let mut wire = Wire::with(smoltcp());
    wire.listen(1);
    let peer = Peer::new(PEER_PORT);
    wire.inject(&peer.syn());
    wire.expect("SYN ACK");
    wire.inject(&peer.syn());
    wire.expect_silence();
    wire.advance(SECOND);
    wire.expect("SYN ACK");
}

// RFC 9293 3.5, figure 7: the SYN-ACK of the other side completes a simultaneous open.
// The engine takes it for a keep-alive and only answers; the answer completes the peer's side.
#[test]
fn a_syn_ack_in_syn_received_is_answered_but_completes_nothing() {
    let mut wire = Wire::with(smoltcp());
    let (flow, mut peer) = wire.connect();
    wire.inject(&peer.syn());
    wire.expect("SYN ACK");
    wire.inject(&peer.syn().ack(peer.ack));
    peer.seq += 1;
    let ack = wire.expect("ACK");
    assert_eq!((ack.seq, ack.ack), (peer.ack, Some(peer.seq)));
    assert_eq!(wire.state(flow), TcpState::SynReceived);
}

// RFC 9293 3.10.7.2: data with a SYN should be kept until ESTABLISHED.
// Both engines ignore it, as Linux does without Fast Open, and the peer sends it again.
#[test]
fn data_with_a_syn_is_not_kept() {
    let mut wire = Wire::new();
    let listener = wire.listen(1);
    let mut peer = Peer::new(PEER_PORT);
    wire.inject(&peer.syn().payload(b"early"));
    let syn_ack = wire.expect("SYN ACK");
    assert_eq!(syn_ack.ack, Some(peer.seq + 1));
    (peer.seq, peer.ack) = (peer.seq + 1, syn_ack.end());
    wire.inject(&peer.segment());
    let flow = wire.accept(listener).unwrap();
    assert!(wire.try_read(flow).is_none());
}

// RFC 5961 3.2: also in SYN-RECEIVED only RCV.NXT resets, and the rest of the window is challenged.
// The engine lets the whole window reset; so does Linux (`tcp_check_req`).
#[test]
fn any_reset_within_the_window_ends_a_half_open_connection() {
    let mut wire = Wire::with(smoltcp());
    wire.listen(1);
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    wire.inject(&peer.segment().rst().seq(peer.seq + 500));
    wire.expect_silence();
    assert_eq!(wire.states(), []);
}

// RFC 9293 3.10.7.4, eighth: a FIN beyond a gap is processed when the gap is filled.
// The engine forgets it, and the peer must send it again.
#[test]
fn a_fin_out_of_order_is_forgotten() {
    let mut wire = Wire::with(smoltcp());
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().seq(peer.seq + 4).payload(b"two").fin());
    wire.inject(&peer.segment().payload(b"one "));
    peer.seq += 7;
    assert_eq!(wire.take().last().unwrap().ack, Some(peer.seq), "not the FIN");
    assert_eq!(wire.read(flow), b"one two");
    assert!(wire.try_read(flow).is_none());
    wire.inject(&peer.segment().fin());
    assert_eq!(wire.read(flow), b"");
}

// RFC 9293 3.10.7.4, fifth: of a segment with an old ACK only the ACK is ignored.
// The engine drops the whole segment, and the peer must send its data again.
#[test]
fn data_with_an_old_ack_is_dropped() {
    let mut wire = Wire::with(smoltcp());
    let (flow, mut peer) = wire.passive();
    wire.write(flow, b"hello");
    let old = peer.ack;
    peer.ack = wire.expect("ACK").end();
    wire.inject(&peer.segment());
    wire.inject(&peer.segment().ack(old).payload(b"data"));
    wire.advance(SECOND);
    wire.expect_silence();
    assert!(wire.try_read(flow).is_none());
    wire.is_alive(flow, &mut peer);
}

// Row 35, RFC 9293 3.8.6.1: the first probe is due after the retransmission timeout.
// The engine starts its timer at time 0, so what is written to a closed window probes at once.
#[test]
fn the_first_zero_window_probe_leaves_at_once() {
    let mut wire = Wire::with(smoltcp());
    let (flow, mut peer) = wire.passive();
    peer.window = 0;
    wire.inject(&peer.segment());
    let began = wire.now();
    wire.write(flow, b"waiting");
    wire.advance(20 * SECOND);
    assert_eq!(times(&wire.take(), began), [0, 2_000, 6_000, 14_000]);
}

// Row 37, RFC 9293 3.8.6.2.2: a receiver should not advertise small increases of its window.
// The engine holds back only updates of its own accord: every ACK shows all the room there is.
#[test]
fn a_silly_window_is_advertised() {
    let mut wire = Wire::with(smoltcp().recv_buffer(4_000));
    let (flow, mut peer) = wire.passive();
    for _ in 0..4 {
        wire.inject(&peer.segment().payload(octets(1_000)));
        peer.seq += 1_000;
        wire.advance(20 * MILLISECOND);
    }
    wire.take();
    wire.read_up_to(flow, 3).unwrap().unwrap();
    assert_eq!(wire.expect("ACK").window, 3);
}

// RFC 9293 3.8.6.2.1: a sender should not fill small windows segment by segment.
// The engine sends what fits.
#[test]
fn a_silly_window_is_filled() {
    let mut wire = Wire::with(smoltcp());
    let (flow, mut peer) = wire.passive();
    peer.window = 3;
    wire.inject(&peer.segment());
    wire.write(flow, &octets(1_000));
    assert_eq!(wire.next().payload.len(), 3);
}

// RFC 5681 3.1: the initial window is two to four segments, of the MSS in use.
// The engine's is 2048 bytes whatever the MSS: with 1460, one segment (and Nagle's rest).
#[test]
fn the_initial_window_is_2048_octets() {
    for (mss, segments) in [(1_460, 1), (536, 3), (100, 20)] {
        let mut wire = Wire::with(smoltcp());
        let (flow, _) = wire.passive_with(Peer { mss: Some(mss), ..Peer::new(PEER_PORT) });
        wire.write(flow, &octets(10_000));
        assert_eq!(wire.take().len(), segments, "with an MSS of {mss}");
    }
}

// Row 31, RFC 3042: the first two duplicate ACKs let a new segment go.
// The engine waits for the third.
#[test]
fn there_is_no_limited_transmit() {
    let mut wire = Wire::with(smoltcp());
    let (flow, peer) = wire.passive_with(Peer { mss: Some(536), ..Peer::new(PEER_PORT) });
    wire.write(flow, &octets(10_000));
    assert_eq!(wire.take().len(), 3);
    wire.inject(&peer.segment());
    wire.inject(&peer.segment());
    wire.expect_silence();
    wire.inject(&peer.segment());
    assert_eq!(wire.take()[0].seq, peer.ack);
}

// RFC 6582: an ACK in recovery that acknowledges only a part sends the next hole again.
// The engine's recovery ends with it, and the second hole costs a timeout.
#[test]
fn a_second_loss_in_a_window_costs_a_timeout() {
    let mut wire = Wire::with(smoltcp());
    let (flow, mut peer) = wire.passive_with(Peer { mss: Some(536), ..Peer::new(PEER_PORT) });
    wire.write(flow, &octets(3 * 536));
    let sent = wire.take();
    for _ in 0..3 {
        wire.inject(&peer.segment());
    }
    assert_eq!(wire.expect("ACK").seq, sent[0].seq);
    peer.ack = sent[1].seq;
    wire.inject(&peer.segment());
    wire.expect_silence();
    let began = wire.now();
    wire.advance(5 * SECOND);
    let again = wire.take();
    assert_eq!((again[0].seq, times(&again, began)[0]), (sent[1].seq, 1_000));
}

// Row 28: Linux's least timeout is 200 ms; the engine's is RFC 6298's second.
#[test]
fn the_least_timeout_is_a_second() {
    let mut wire = Wire::with(smoltcp());
    let (flow, mut peer) = wire.passive();
    for _ in 0..10 {
        wire.write(flow, b"measured");
        peer.ack = wire.next().end();
        wire.inject(&peer.segment());
    }
    wire.write(flow, b"lost");
    wire.next();
    wire.advance(SECOND - 1);
    wire.expect_silence();
    wire.advance(1);
    assert_eq!(wire.expect("ACK").payload, b"lost");
}

// RFC 7323 2.4: a receiver must not move the right edge of its window to the left.
// The engine rounds what it advertises down to the unit of its scale.
#[test]
fn the_right_edge_of_a_scaled_window_moves_left() {
    let mut wire = Wire::with(smoltcp().recv_buffer(1 << 22));
    let (_, mut peer) = wire.passive_with(Peer { window_scale: Some(0), ..Peer::new(PEER_PORT) });
    let (shift, first) = (7, peer.seq);
    let mut edges = Vec::new();
    for _ in 0..3 {
        wire.inject(&peer.segment().payload(b"x"));
        peer.seq += 1;
        wire.advance(20 * MILLISECOND);
        let ack = wire.expect("ACK");
        edges.push(ack.ack.unwrap() - first + (u32::from(ack.window) << shift));
    }
    assert!(edges[0] < 1 << 22, "{edges:?}");
}
