//! Keep-alive and the user's timeout against a scripted peer (RFC 9293 3.8.4, RFC 5482; row 41).

use std::io;
use std::time::Duration;

use glassnet::HostOptions;
use glassnet::net::socket::{Socket, TcpKeepalive};

use crate::common::by_engine;

use super::wire::*;

fn keep_alive(socket: &Socket) {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(2))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive).unwrap();
}

fn kept_alive() -> (Wire, FlowId, Peer) {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    keep_alive(&wire.socket(flow));
    (wire, flow, peer)
}

#[test]
fn a_probe_is_an_empty_segment_one_before_what_the_peer_expects() {
    let (mut wire, _, peer) = kept_alive();
    wire.advance(10 * SECOND - 1);
    wire.expect_silence();
    wire.advance(1);
    let probe = wire.expect("ACK");
    assert_eq!((probe.seq, probe.ack), (peer.ack.wrapping_sub(1), Some(peer.seq)));
    assert_eq!((probe.payload.len(), probe.window), (0, 65_535));
}

#[test]
fn any_segment_of_the_peers_restarts_the_time() {
    let (mut wire, flow, mut peer) = kept_alive();
    wire.advance(9 * SECOND);
    wire.inject(&peer.segment().payload(b"x"));
    peer.seq += 1;
    wire.read(flow);
    wire.advance(SECOND);
    assert_eq!(wire.take().len(), 1, "the acknowledgment");
    wire.advance(9 * SECOND - 1);
    wire.expect_silence();
    wire.advance(1);
    assert_eq!(wire.expect("ACK").seq, peer.ack.wrapping_sub(1));
    for _ in 0..10 {
        wire.advance(SECOND);
        wire.inject(&peer.segment());
    }
    wire.advance(9 * SECOND);
    wire.expect_silence();
}

#[test]
fn unanswered_probes_end_in_a_reset_and_a_timeout() {
    let (mut wire, flow, peer) = kept_alive();
    let start = wire.now();
    wire.advance(60 * SECOND);
    let sent = wire.take();
    assert_eq!(times(&sent, start), [10_000, 12_000, 14_000, 16_000]);
    assert_eq!((sent[3].flags, sent[3].seq), ("RST ACK", peer.ack));
    assert_eq!(wire.read_error(flow), io::ErrorKind::TimedOut);
    assert_eq!(wire.read(flow), b"");
    assert_eq!(wire.write_error(flow), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_reader_that_waits_is_woken_by_the_timeout() {
    let (mut wire, flow, _) = kept_alive();
    let socket = wire.socket(flow);
    let mut reading = wire.under.start(async move { socket.recv(&mut [0; 4]).await });
    wire.advance(60 * SECOND);
    assert_eq!(reading.ended_at().unwrap().since_start(), Duration::from_secs(17));
    assert_eq!(reading.take().unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
}

// Linux asks only where nothing is in flight: retransmissions ask already.
#[test]
fn what_is_in_flight_is_probe_enough() {
    let (mut wire, flow, _) = kept_alive();
    wire.write(flow, b"x");
    wire.advance(100 * SECOND);
    assert!(wire.take().iter().all(|sent| sent.payload == b"x"));
}

#[test]
fn a_connection_that_nobody_holds_is_not_kept_alive() {
    let (mut wire, flow, mut peer) = kept_alive();
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment());
    wire.advance(59 * SECOND);
    wire.expect_silence();
}

#[test]
fn keep_alive_begins_when_it_is_switched_on() {
    let mut wire = Wire::new();
    let (flow, _) = wire.passive();
    wire.advance(1_000 * SECOND);
    keep_alive(&wire.socket(flow));
    wire.advance(10 * SECOND - 1);
    wire.expect_silence();
    wire.advance(1);
    wire.expect("ACK");
}

#[test]
fn a_shorter_time_counts_from_when_the_peer_was_heard() {
    let (mut wire, flow, _) = kept_alive();
    wire.advance(5 * SECOND);
    let sooner = TcpKeepalive::new().with_time(Duration::from_secs(6));
    wire.socket(flow).set_tcp_keepalive(&sooner).unwrap();
    wire.advance(SECOND);
    wire.expect("ACK");
}

// RFC 7323 2.2: the window of a SYN is never scaled, all others are.
#[test]
fn a_probe_after_the_handshake_scales_its_window() {
    let mut wire = Wire::with(HostOptions::default().recv_buffer(1 << 20));
    let (flow, _) = wire.passive_with(Peer { window_scale: Some(7), ..Peer::new(PEER_PORT) });
    keep_alive(&wire.socket(flow));
    wire.advance(10 * SECOND);
    let probe = wire.expect("ACK");
    assert!(usize::from(probe.window) << 5 <= 1 << 20, "{}", probe.window);
    assert!(probe.window > 0);
}

#[test]
fn the_users_time_begins_with_the_first_transmission() {
    let mut wire = Wire::new();
    let (flow, _) = wire.passive();
    wire.socket(flow).set_tcp_user_timeout(Some(Duration::from_millis(2_500))).unwrap();
    wire.advance(10 * SECOND);
    wire.write(flow, b"x");
    let start = wire.now();
    wire.advance(2_499 * MILLISECOND);
    assert_eq!(times(&wire.take(), start), by_engine(vec![0, 1_000], vec![0, 200, 600, 1_400]));
    assert!(wire.try_read(flow).is_none());
    wire.advance(MILLISECOND);
    assert_eq!(wire.read_error(flow), io::ErrorKind::TimedOut);
    // Linux says nothing to the peer.
    wire.expect_silence();
}

#[test]
fn progress_restarts_the_users_time_and_old_acknowledgments_do_not() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.socket(flow).set_tcp_nodelay(true).unwrap();
    wire.socket(flow).set_tcp_user_timeout(Some(Duration::from_secs(5))).unwrap();
    wire.write(flow, b"one");
    let first = wire.expect("ACK");
    wire.write(flow, b"two");
    wire.advance(4 * SECOND);
    peer.ack = first.end();
    wire.inject(&peer.segment());
    wire.advance(4 * SECOND);
    wire.inject(&peer.segment());
    assert!(wire.try_read(flow).is_none());
    wire.advance(SECOND);
    assert_eq!(wire.read_error(flow), io::ErrorKind::TimedOut);
}

#[test]
fn the_users_time_is_over_for_a_fin_too() {
    let mut wire = Wire::new();
    let (flow, _) = wire.passive();
    wire.socket(flow).set_tcp_user_timeout(Some(Duration::from_secs(5))).unwrap();
    wire.shut_down_sending(flow);
    wire.advance(5 * SECOND);
    assert_eq!(wire.read_error(flow), io::ErrorKind::TimedOut);
}

#[test]
fn a_syn_that_comes_in_has_no_users_time() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    wire.listening(listener).set_tcp_user_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    wire.advance(20 * SECOND);
    wire.take();
    wire.inject(&peer.segment());
    let flow = wire.accept(listener).expect("the connection is established");
    assert_eq!(wire.socket(flow).tcp_user_timeout().unwrap(), Some(Duration::from_secs(1)));
    wire.advance(20 * SECOND);
    assert!(wire.try_read(flow).is_none());
}

// `ip(7)`: what the host sends beside the engine, too.
#[test]
fn acknowledgments_beside_the_engine_carry_the_ttl_and_tos() {
    let (mut wire, flow, mut peer) = kept_alive();
    wire.socket(flow).set_ttl_v4(7).unwrap();
    wire.socket(flow).set_tos_v4(0x20).unwrap();
    let marked = |sent: &Sent| (sent.ttl, sent.tos) == (7, 0x20);
    wire.advance(10 * SECOND);
    assert!(marked(&wire.expect("ACK")), "a probe");
    wire.inject(&peer.syn());
    assert!(marked(&wire.expect("ACK")), "a challenge");
    wire.inject(&peer.segment().seq(peer.seq - 1));
    assert!(marked(&wire.expect("ACK")), "the engine's answer to a probe");
    wire.shut_down_sending(flow);
    let fin = wire.expect("FIN ACK");
    assert!(marked(&fin), "a FIN");
    peer.ack = fin.end();
    wire.inject(&peer.segment().fin());
    assert!(marked(&wire.expect("ACK")), "the last acknowledgment");
    wire.inject(&peer.segment().fin());
    assert!(marked(&wire.expect("ACK")), "that of TIME-WAIT");
}

#[test]
fn the_reset_of_an_orphan_carries_the_ttl_and_tos() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.socket(flow).set_ttl_v4(7).unwrap();
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().payload(b"too late"));
    assert_eq!(wire.expect("RST").ttl, 7);
    assert_eq!(wire.states(), []);
}
