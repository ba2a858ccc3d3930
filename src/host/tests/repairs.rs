//! Each repair of the engine twice: what happens with it, and what without.

use super::pair::Pair;
use super::wire::{MILLISECOND, PEER_PORT, Peer, SECOND, Sent, Wire, octets};
use crate::host::FlowId;
use crate::host::options::HostOptions;
use crate::tcp::Repairs;
use crate::tcp::TcpState;

const HOUR: u64 = 3_600 * SECOND;

// ---- A: an ACK after a timeout --------------------------------------------------------------

/// Three segments are sent; the timeout repeats the first of them; then the peer, which has all
/// three, sends data. Returns the acknowledgment of it, and the peer.
fn ack_after_a_timeout(repairs: Repairs) -> (Sent, Peer) {
    let mut wire = Wire::repaired(repairs);
    let (flow, mut peer) = wire.passive_with(Peer { mss: Some(536), ..Peer::new(1025) });
    wire.write(flow, &octets(3 * 536));
    let sent = wire.take();
    assert_eq!(sent.len(), 3);
    let before = peer.ack;
    peer.ack = sent[2].end();
    wire.advance(SECOND);
    let again = wire.take();
    assert_eq!(again.iter().map(|segment| segment.seq).collect::<Vec<_>>(), [before]);
    // What acknowledged the three was lost; this does not.
    wire.inject(&peer.segment().ack(before).payload(b"data"));
    wire.advance(20 * MILLISECOND);
    (wire.expect("ACK"), peer)
}

// RFC 9293 3.10.7.4: an acknowledgment has <SEQ=SND.NXT>, which no timeout takes back.
#[test]
fn an_ack_after_a_timeout_carries_the_highest_sequence_number_sent() {
    let (ack, peer) = ack_after_a_timeout(Repairs::default());
    assert_eq!(ack.seq, peer.ack);
}

#[test]
fn without_repair_a_an_ack_after_a_timeout_is_outside_the_peers_window() {
    let (ack, peer) = ack_after_a_timeout(Repairs { rewound_ack: false, ..Repairs::default() });
    assert!(Wire::ahead(ack.seq, peer.ack) < 0, "{} is before {}", ack.seq, peer.ack);
}

// RFC 9293 3.10.7.4 again: the peer would drop a RST behind RCV.NXT.
#[test]
fn a_reset_after_a_timeout_carries_the_highest_sequence_number_sent() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive_with(Peer { mss: Some(536), ..Peer::new(1025) });
    wire.write(flow, &octets(3 * 536));
    let end = wire.take().last().unwrap().end();
    wire.advance(SECOND);
    wire.inject(&peer.segment().payload(b"unread"));
    peer.ack = end;
    wire.take();
    wire.close(flow);
    assert_eq!(wire.expect("RST ACK").seq, peer.ack);
}

/// Both sides send, and all that acknowledges is lost until both have had a timeout. Returns how
/// many bytes each has still to get acknowledged an hour later.
fn after_a_timeout_on_both_sides(repairs: Repairs) -> [u32; 2] {
    let mut pair = Pair::new(&HostOptions::default().mtu(576));
    let flows = pair.connect();
    for (index, flow) in flows.into_iter().enumerate() {
        pair.hosts[index].tcp.set_repairs(repairs);
        assert_eq!(pair.write(index, flow, &octets(3 * 536)), 3 * 536);
    }
    pair.loses = |_, segment| segment.is_pure_ack();
    pair.run(1_005 * MILLISECOND);
    pair.loses = |_, _| false;
    pair.run(HOUR);
    [0, 1].map(|index| pair.hosts[index].tcp.send_queue(flows[index]).unwrap())
}

#[test]
fn two_sides_that_both_had_a_timeout_go_on() {
    assert_eq!(after_a_timeout_on_both_sides(Repairs::default()), [0, 0]);
}

#[test]
fn without_repair_a_two_sides_that_both_had_a_timeout_never_agree_again() {
    let without = Repairs { rewound_ack: false, ..Repairs::default() };
    assert!(
        after_a_timeout_on_both_sides(without).iter().all(|unacknowledged| *unacknowledged > 0)
    );
}

// ---- B: duplicate ACKs of a FIN's predecessor -------------------------------------------------

/// The host's FIN is lost, and three duplicates of an ACK arrive. Returns what it sends within
/// the hour.
fn after_duplicate_acks_of_a_lone_fin(repairs: Repairs) -> Vec<Sent> {
    let mut wire = Wire::repaired(repairs);
    let (flow, peer) = wire.passive();
    wire.close(flow);
    let fin = wire.expect("FIN ACK");
    assert_eq!(fin.seq, peer.ack);
    for _ in 0..3 {
        wire.inject(&peer.segment());
    }
    wire.advance(HOUR);
    wire.take()
}

// RFC 6298 (5.4): the earliest segment that has not been acknowledged is retransmitted.
#[test]
fn a_fin_is_retransmitted_after_three_duplicate_acks() {
    let sent = after_duplicate_acks_of_a_lone_fin(Repairs::default());
    assert_eq!(sent.first().map(|segment| segment.flags), Some("FIN ACK"));
}

#[test]
fn without_repair_b_three_duplicate_acks_lose_a_fin_for_ever() {
    let without = Repairs { lone_fin: false, silent_window: false, ..Repairs::default() };
    assert_eq!(after_duplicate_acks_of_a_lone_fin(without).len(), 0);
}

// ---- C: a window that closes over data in flight ---------------------------------------------

/// The peer takes its window back while data is in flight, and does not say when it opens again
/// until it is asked. Returns whether the data was sent again; the host must rest then.
fn after_a_window_closed_over_data_in_flight(repairs: Repairs) -> bool {
    let mut wire = Wire::repaired(repairs);
    let (flow, mut peer) = wire.passive();
    wire.write(flow, &octets(1_000));
    assert_eq!(wire.expect("ACK").payload.len(), 1_000);
    wire.inject(&peer.segment().window(0));
    for _ in 0..600 {
        wire.advance(6 * SECOND);
        let sent = wire.take();
        if let Some(again) = sent.iter().find(|segment| segment.payload.len() == 1_000) {
            peer.ack = again.end();
            wire.inject(&peer.segment());
            wire.advance(HOUR);
            assert!(wire.take().len() <= 1, "one more question may be on its way");
            assert_eq!(wire.deadline, None, "nothing is left to do");
            return true;
        }
        if !sent.is_empty() {
            wire.inject(&peer.segment());
        }
    }
    false
}

// RFC 9293 3.8.6.1: a zero window must be probed.
#[test]
fn a_window_that_closes_over_data_in_flight_is_asked_after() {
    assert!(after_a_window_closed_over_data_in_flight(Repairs::default()));
}

#[test]
fn without_repair_c_a_window_that_closes_over_data_in_flight_is_silence_for_ever() {
    let without = Repairs { silent_window: false, ..Repairs::default() };
    assert!(!after_a_window_closed_over_data_in_flight(without));
}

// ---- E: unread data in TIME-WAIT --------------------------------------------------------------

/// The application reads what came with the peer's FIN two minutes later.
fn read_long_after_the_end(repairs: Repairs) -> Vec<u8> {
    let mut wire = Wire::repaired(repairs);
    let (flow, mut peer) = wire.passive();
    wire.shut_down_sending(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().fin().payload(b"the last words"));
    wire.advance(120 * SECOND);
    let read = wire.read(flow);
    if !read.is_empty() {
        assert_eq!(wire.read(flow), b"", "the end of the stream follows");
    }
    read
}

#[test]
fn data_outlives_time_wait_until_it_is_read() {
    assert_eq!(read_long_after_the_end(Repairs::default()), b"the last words");
}

#[test]
fn without_repair_e_time_wait_takes_unread_data_with_it() {
    let without = Repairs { time_wait: false, ..Repairs::default() };
    assert_eq!(read_long_after_the_end(without), b"");
}

// ---- F: a close before the handshake is over ---------------------------------------------------

/// Both sides open at once, and the application closes in SYN-RECEIVED.
fn close_in_syn_received(repairs: Repairs) -> (Wire, Peer, FlowId) {
    let mut wire = Wire::repaired(repairs);
    let (flow, mut peer) = wire.connect();
    wire.inject(&peer.syn());
    peer.seq = peer.seq.wrapping_add(1);
    wire.expect("SYN ACK");
    assert_eq!(wire.state(flow), TcpState::SynReceived);
    wire.close(flow);
    wire.take();
    wire.inject(&peer.segment());
    (wire, peer, flow)
}

// RFC 9293 3.10.4, CLOSE in SYN-RECEIVED: queue for processing after entering ESTABLISHED.
#[test]
fn a_close_in_syn_received_sends_its_fin_after_the_handshake() {
    let (mut wire, mut peer, _) = close_in_syn_received(Repairs::default());
    let fin = wire.expect("FIN ACK");
    assert_eq!(fin.seq, peer.ack);
    peer.ack = fin.end();
    wire.inject(&peer.segment().fin());
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq.wrapping_add(1)));
    assert_eq!(wire.states(), [TcpState::TimeWait]);
}

#[test]
fn without_repair_f_the_fin_of_a_close_in_syn_received_is_lost() {
    let without = Repairs { early_close: false, ..Repairs::default() };
    let (mut wire, peer, _) = close_in_syn_received(without);
    wire.advance(HOUR);
    let fins = wire.take().into_iter().filter(|sent| sent.flags == "FIN ACK");
    assert_eq!(fins.filter(|fin| fin.seq == peer.ack).count(), 0, "none where the peer expects it");
}

// ---- G: blind resets ---------------------------------------------------------------------------

/// A RST that only guesses the sequence number.
fn after_a_guessed_reset(repairs: Repairs) -> (Wire, Peer, FlowId) {
    let mut wire = Wire::repaired(repairs);
    let (flow, peer) = wire.passive();
    wire.inject(&peer.segment().without_ack().rst().seq(peer.seq.wrapping_add(1_000)));
    (wire, peer, flow)
}

// RFC 5961 3.2: within the window but not RCV.NXT: a challenge ACK.
#[test]
fn a_reset_that_is_only_within_the_window_is_challenged() {
    let (mut wire, mut peer, flow) = after_a_guessed_reset(Repairs::default());
    let challenge = wire.expect("ACK");
    assert_eq!((challenge.seq, challenge.ack), (peer.ack, Some(peer.seq)));
    wire.is_alive(flow, &mut peer);
}

#[test]
fn without_repair_g_a_reset_within_the_window_kills_the_connection() {
    let without = Repairs { blind_reset: false, ..Repairs::default() };
    let (mut wire, _, flow) = after_a_guessed_reset(without);
    wire.expect_silence();
    assert_eq!(wire.state(flow), TcpState::Closed);
    assert_eq!(wire.read_error(flow), std::io::ErrorKind::ConnectionReset);
}

// ---- I: an acknowledgment beside a full window ------------------------------------------------

/// The peer has filled the window, and acknowledges what the host has sent: with a pure ACK at the
/// edge that the window had before it was rounded down, or with a segment of data that has no room.
/// Returns whether the host has understood.
fn after_an_ack_beside_the_window(repairs: Repairs, payload: &[u8]) -> bool {
    let options = HostOptions::default().recv_buffer(256 * 1024);
    let mut wire = Wire::with(options);
    wire.host.tcp.set_repairs(repairs);
    let (flow, mut peer) =
        wire.passive_with(Peer { window_scale: Some(0), ..Peer::new(PEER_PORT) });
    let mut left = 256 * 1024 - 5;
    while left > 0 {
        let len = left.min(1_460);
        wire.inject(&peer.segment().payload(&octets(len)));
        peer.seq = peer.seq.wrapping_add(len as u32);
        left -= len;
    }
    wire.advance(SECOND);
    assert_eq!(wire.take().last().map(|sent| sent.window), Some(0), "5 octets are not 8");
    wire.write(flow, &octets(1_000));
    peer.ack = wire.expect("ACK").end();
    if payload.is_empty() {
        // What it was allowed once: it has sent the last five.
        peer.seq = peer.seq.wrapping_add(5);
    }
    wire.inject(&peer.segment().payload(payload));
    wire.take();
    wire.advance(10 * SECOND);
    wire.take().iter().all(|sent| sent.payload.is_empty())
}

// RFC 9293 3.10.7.4: valid ACKs are accepted even if no segment is.
#[test]
fn an_ack_beside_a_full_window_is_understood() {
    assert!(after_an_ack_beside_the_window(Repairs::default(), &[]));
    assert!(after_an_ack_beside_the_window(Repairs::default(), &octets(5)));
}

#[test]
fn without_repair_i_an_ack_beside_a_full_window_is_not_heard() {
    let without = Repairs { deaf_window: false, ..Repairs::default() };
    assert!(!after_an_ack_beside_the_window(without, &[]));
    assert!(!after_an_ack_beside_the_window(without, &octets(5)));
}
