//! How a connection ends (rows 4, 19-22, 25, 27).

use std::io::ErrorKind;

use glassnet::{HostOptions, TcpState};

use crate::common::by_engine;

use super::wire::{FlowId, MILLISECOND, Peer, SECOND, Wire, octets, times};

/// The application closed, and the peer acknowledged it: an orphan in FIN-WAIT-2.
fn orphan_in_fin_wait_2(wire: &mut Wire) -> Peer {
    let (flow, mut peer) = wire.passive();
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment());
    assert_eq!(wire.states(), [TcpState::FinWait2]);
    peer
}

/// The peer closed first: CLOSE-WAIT.
fn close_wait(wire: &mut Wire) -> (FlowId, Peer) {
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().fin());
    peer.seq += 1;
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    assert_eq!(wire.state(flow), TcpState::CloseWait);
    (flow, peer)
}

// RFC 9293 3.6, case 1, figure 12.
#[test]
fn the_side_that_closes_first_ends_in_time_wait() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.active();
    wire.close(flow);
    let fin = wire.expect("FIN ACK");
    assert_eq!((fin.seq, fin.ack), (peer.ack, Some(peer.seq)));
    assert_eq!(wire.states(), [TcpState::FinWait1]);
    peer.ack = fin.end();
    wire.inject(&peer.segment());
    wire.expect_silence();
    assert_eq!(wire.states(), [TcpState::FinWait2]);
    wire.inject(&peer.segment().fin());
    let ack = wire.expect("ACK");
    assert_eq!((ack.seq, ack.ack), (peer.ack, Some(peer.seq + 1)));
    assert_eq!(wire.states(), [TcpState::TimeWait]);
    assert_eq!(wire.sizes().connections, 0, "TIME-WAIT is a record, not a connection");
    wire.advance(200 * SECOND);
    wire.expect_silence();
}

// RFC 9293 3.6, case 2, figure 12.
#[test]
fn the_side_that_closes_last_ends_with_the_acknowledgment_of_its_fin() {
    let mut wire = Wire::new();
    let (flow, mut peer) = close_wait(&mut wire);
    assert_eq!(wire.read(flow), b"");
    assert_eq!(wire.read(flow), b"", "and again");
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    assert_eq!(wire.states(), [TcpState::LastAck]);
    wire.inject(&peer.segment());
    assert_eq!((wire.states(), wire.sizes().connections), (vec![], 0));
    wire.expect_silence();
}

// RFC 9293 3.10.7.4: FIN-WAIT-1, a FIN that acknowledges ours.
#[test]
fn a_fin_that_acknowledges_ours_skips_fin_wait_2() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().fin());
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq + 1));
    assert_eq!(wire.states(), [TcpState::TimeWait]);
}

// RFC 9293 3.6, figure 13 (row 4).
#[test]
fn fins_that_cross_lead_through_closing_to_time_wait() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.close(flow);
    let fin = wire.expect("FIN ACK");
    wire.inject(&peer.segment().fin());
    peer.seq += 1;
    let ack = wire.expect("ACK");
    assert_eq!((ack.seq, ack.ack), (fin.end(), Some(peer.seq)));
    assert_eq!(wire.states(), [TcpState::Closing]);
    peer.ack = fin.end();
    wire.inject(&peer.segment());
    wire.expect_silence();
    assert_eq!(wire.states(), [TcpState::TimeWait]);
    wire.advance(100 * SECOND);
    wire.expect_silence();
}

#[test]
fn a_crossed_fin_that_is_not_acknowledged_is_repeated() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.close(flow);
    let fin = wire.expect("FIN ACK");
    wire.inject(&peer.segment().fin());
    peer.seq += 1;
    wire.expect("ACK");
    wire.advance(SECOND);
    let again = wire.expect("FIN ACK");
    assert_eq!((again.seq, again.ack), (fin.seq, Some(peer.seq)));
}

// RFC 9293 3.6: the half-closed connection (row 19).
#[test]
fn after_the_peers_fin_data_still_flows_to_the_peer() {
    let mut wire = Wire::new();
    let (flow, mut peer) = close_wait(&mut wire);
    assert_eq!(wire.read(flow), b"");
    wire.write(flow, b"still talking");
    let sent = wire.expect("ACK");
    assert_eq!((sent.payload.as_slice(), sent.ack), (&b"still talking"[..], Some(peer.seq)));
    peer.ack = sent.end();
    wire.inject(&peer.segment());
    wire.advance(300 * SECOND);
    wire.write(flow, b"and on");
    peer.ack = wire.expect("ACK").end();
    wire.inject(&peer.segment());
    wire.close(flow);
    assert_eq!(wire.expect("FIN ACK").seq, peer.ack);
}

// (Row 20.)
#[test]
fn after_our_fin_data_still_flows_to_us() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.shut_down_sending(flow);
    assert_eq!(wire.write_error(flow), ErrorKind::BrokenPipe);
    wire.try_shut_down_sending(flow).expect("twice is once");
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment());
    assert_eq!(wire.state(flow), TcpState::FinWait2);
    wire.is_alive(flow, &mut peer);
    // No orphan, no limit.
    wire.advance(500 * SECOND);
    wire.is_alive(flow, &mut peer);
    wire.inject(&peer.segment().payload(b"bye").fin());
    assert_eq!(wire.read(flow), b"bye");
    assert_eq!(wire.read(flow), b"");
    wire.advance(SECOND);
    assert_eq!(wire.take().pop().unwrap().ack, Some(peer.seq + 4));
    assert_eq!(wire.states(), [TcpState::TimeWait]);
    wire.close(flow);
    wire.expect_silence();
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn what_was_written_is_sent_before_the_fin() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    let data = octets(30_000);
    wire.write(flow, &data);
    wire.close(flow);
    let mut received: Vec<u8> = Vec::new();
    let mut finished = false;
    for _ in 0..100 {
        for sent in wire.take() {
            assert_eq!(sent.seq, peer.ack, "in order");
            received.extend(&sent.payload);
            peer.ack = sent.end();
            finished |= sent.flags == "FIN ACK";
        }
        wire.inject(&peer.segment());
    }
    assert!(received == data && finished, "{} octets", received.len());
    assert_eq!(wire.states(), [TcpState::FinWait2]);
}

#[test]
fn the_fin_rides_on_the_last_data_that_has_not_left() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.write(flow, b"good");
    wire.write(flow, b"bye");
    wire.expect("ACK");
    wire.close(flow);
    let sent = wire.expect("FIN ACK");
    assert_eq!((sent.seq, sent.payload.as_slice()), (peer.ack + 4, &b"bye"[..]));
    wire.expect_silence();
}

#[test]
fn a_fin_behind_data_that_has_left_is_a_segment_of_its_own() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    // Both calls come before the host has its turn.
    let socket = wire.socket(flow);
    wire.under.write(&socket, b"goodbye").unwrap();
    drop(socket);
    wire.close(flow);
    let data = wire.expect("ACK");
    assert_eq!((data.seq, data.payload.as_slice()), (peer.ack, &b"goodbye"[..]));
    let fin = wire.expect("FIN ACK");
    assert_eq!((fin.seq, fin.payload.as_slice()), (peer.ack + 7, &b""[..]));
    wire.expect_silence();
}

// Linux's `tcp_fin_timeout` (row 21).
#[test]
fn an_orphan_waits_60_seconds_for_the_peers_fin() {
    let mut wire = Wire::new();
    let mut peer = orphan_in_fin_wait_2(&mut wire);
    wire.advance(60 * SECOND - 1);
    assert_eq!(wire.states(), [TcpState::FinWait2]);
    wire.advance(1);
    wire.expect_silence();
    assert_eq!((wire.states(), wire.sizes().connections), (vec![], 0));
    wire.inject(&peer.segment().fin());
    peer.seq += 1;
    assert_eq!(wire.expect("RST").seq, peer.ack);
}

#[test]
fn the_wait_for_the_peers_fin_is_an_option_and_begins_with_the_close() {
    let mut wire =
        Wire::with(HostOptions::default().fin_timeout(std::time::Duration::from_secs(5)));
    let (flow, mut peer) = wire.passive();
    wire.shut_down_sending(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment());
    wire.advance(100 * SECOND);
    assert_eq!(wire.states(), [TcpState::FinWait2]);
    wire.close(flow);
    wire.advance(5 * SECOND - 1);
    assert_eq!(wire.states(), [TcpState::FinWait2]);
    wire.advance(1);
    assert_eq!((wire.states(), wire.sizes().connections), (vec![], 0));
}

// RFC 6298 (row 22).
#[test]
fn a_fin_is_retransmitted_until_it_is_acknowledged() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    let began = wire.now();
    wire.shut_down_sending(flow);
    let fin = wire.expect("FIN ACK");
    wire.advance(20 * SECOND);
    let again = wire.take();
    assert!(again.iter().all(|sent| sent.flags == "FIN ACK" && sent.seq == fin.seq));
    let expected =
        by_engine(vec![1_000, 3_000, 7_000, 15_000], vec![200, 600, 1_400, 3_000, 6_200, 12_600]);
    assert_eq!(times(&again, began), expected);
    peer.ack = fin.end();
    wire.inject(&peer.segment());
    assert_eq!(wire.state(flow), TcpState::FinWait2);
    wire.advance(200 * SECOND);
    wire.expect_silence();
}

// RFC 9293 3.10.7.4, LAST-ACK (row 22).
#[test]
fn the_last_fin_is_retransmitted_too() {
    let mut wire = Wire::new();
    let (flow, mut peer) = close_wait(&mut wire);
    wire.close(flow);
    let fin = wire.expect("FIN ACK");
    wire.advance(SECOND);
    assert_eq!(wire.expect("FIN ACK").seq, fin.seq);
    peer.ack = fin.end();
    wire.inject(&peer.segment());
    assert_eq!(wire.sizes().connections, 0);
}

// Linux's `tcp_orphan_retries`.
#[test]
fn an_orphan_whose_fin_is_never_acknowledged_is_given_up() {
    let mut wire = Wire::with(HostOptions::default().orphan_retries(8));
    let (flow, _) = wire.passive();
    wire.close(flow);
    wire.expect("FIN ACK");
    wire.advance(600 * SECOND);
    assert_eq!(wire.take().len(), 8, "orphan_retries");
    assert_eq!((wire.states(), wire.sizes().connections), (vec![], 0));
}

// RFC 2525 2.17 (row 25).
#[test]
fn a_close_with_unread_data_resets() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"unread"));
    wire.quick_ack();
    peer.seq += 6;
    wire.close(flow);
    let reset = wire.expect("RST ACK");
    assert_eq!((reset.seq, reset.ack), (peer.ack, Some(peer.seq)));
    assert_eq!((wire.states(), wire.sizes().connections), (vec![], 0));
    wire.advance(100 * SECOND);
    wire.expect_silence();
}

#[test]
fn a_close_with_unread_data_resets_after_the_peers_fin_too() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"unread").fin());
    wire.take();
    wire.close(flow);
    wire.expect("RST ACK");
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn a_close_after_everything_was_read_does_not_reset() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"read"));
    wire.quick_ack();
    peer.seq += 4;
    assert_eq!(wire.read(flow), b"read");
    wire.close(flow);
    assert_eq!(wire.expect("FIN ACK").ack, Some(peer.seq));
}

// RFC 9293 3.6, RFC 1122 4.2.2.13.
#[test]
fn data_for_an_orphan_is_answered_with_a_reset() {
    let mut wire = Wire::new();
    let peer = orphan_in_fin_wait_2(&mut wire);
    wire.inject(&peer.segment().payload(b"anybody there?"));
    assert_eq!(wire.expect("RST").seq, peer.ack);
    assert_eq!((wire.states(), wire.sizes().connections), (vec![], 0));
}

#[test]
fn data_for_an_orphan_in_fin_wait_1_is_answered_with_a_reset() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.close(flow);
    wire.expect("FIN ACK");
    wire.inject(&peer.segment().payload(b"anybody there?"));
    assert_eq!(wire.expect("RST").seq, peer.ack);
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn data_that_an_orphan_already_has_is_acknowledged_again() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"old"));
    wire.quick_ack();
    assert_eq!(wire.read(flow), b"old");
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().payload(b"old"));
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq + 3));
    wire.advance(100 * MILLISECOND);
    peer.seq += 3;
    wire.inject(&peer.segment());
    assert_eq!(wire.states(), [TcpState::FinWait2]);
}

// Linux, `tcp_rcv_state_process`: only what is after RCV.NXT without the FIN is new data.
#[test]
fn a_fin_that_repeats_data_an_orphan_already_has_ends_it_in_peace() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"old"));
    wire.quick_ack();
    assert_eq!(wire.read(flow), b"old");
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().payload(b"old").fin());
    wire.expect("ACK");
    peer.seq += 3;
    wire.inject(&peer.segment().fin());
    wire.advance(SECOND);
    assert_eq!(wire.states(), [TcpState::TimeWait]);
}

// Linux validates the sequence number first (RFC 9293 3.10.7.4): a guess must not cut off what an
// orphan still has to deliver.
#[test]
fn data_outside_an_orphans_window_does_not_end_it() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.write(flow, &octets(20_000));
    wire.close(flow);
    wire.take();
    wire.inject(&peer.segment().seq(peer.seq + 1_000_000).payload(b"a guess"));
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    assert_eq!(wire.states(), [TcpState::FinWait1]);
}

// RFC 9293 3.10.7.4, eighth: a FIN in CLOSE-WAIT, LAST-ACK: remain.
#[test]
fn a_repeated_fin_is_acknowledged_again() {
    let mut wire = Wire::new();
    let (flow, peer) = close_wait(&mut wire);
    wire.advance(3 * SECOND);
    wire.inject(&peer.segment().seq(peer.seq - 1).fin());
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    wire.close(flow);
    wire.expect("FIN ACK");
    wire.advance(500 * MILLISECOND);
    wire.inject(&peer.segment().seq(peer.seq - 1).payload(b"").fin());
    assert_eq!(wire.states(), [TcpState::LastAck]);
}

#[test]
fn shutting_down_a_connection_that_ended_is_an_error() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.inject(&peer.segment().rst());
    let error = wire.try_shut_down_sending(flow).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
}
