//! Repairs K and L of the engine, and B between other segments: a FIN is neither early, nor lost,
//! nor does it keep back what was written before it.

use super::wire::{MILLISECOND, PEER_PORT, Peer, SECOND, Sent, Wire, octets};
use crate::host::FlowId;
use crate::host::options::HostOptions;
use crate::tcp::Repairs;
use crate::tcp::TcpState;

/// After this every ACK that was delayed has left.
const DELAYED_ACK: u64 = 20 * MILLISECOND;

// ---- B: among other segments -------------------------------------------------------------------

// RFC 9293 3.10.7.4: SND.WND is not taken from an ACK before SND.UNA.
#[test]
fn a_lone_fin_is_sent_again_though_old_acks_come_between_the_duplicates() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.write(flow, &octets(100));
    let data = wire.next();
    wire.close(flow);
    wire.expect("FIN ACK");
    let old = Peer { window: peer.window - 1_000, ..peer.clone() };
    peer.ack = data.end();
    wire.inject(&peer.segment());
    for _ in 0..4 {
        wire.inject(&peer.segment());
        wire.inject(&old.segment());
    }
    wire.take();
    wire.advance(SECOND);
    let again = wire.expect("FIN ACK");
    assert_eq!(again.seq, data.end());
}

// The window does not matter to a FIN, whatever it does between the duplicates.
#[test]
fn a_lone_fin_is_sent_again_though_the_window_changes_between_the_duplicates() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.close(flow);
    wire.expect("FIN ACK");
    for window in [1_000, 1_000, 1_000, 0, 0, 0, 2_000, 2_000, 2_000] {
        wire.inject(&Peer { window, ..peer.clone() }.segment());
    }
    wire.take();
    wire.advance(3 * SECOND);
    assert_eq!(wire.take().iter().filter(|sent| sent.flags == "FIN ACK").count(), 2);
}

// ---- K: a FIN whose data are not all there -----------------------------------------------------

/// The peer sends 150 bytes and its FIN into a window of 100.
fn after_a_fin_beyond_the_window(repairs: Repairs) -> (Wire, Peer, FlowId) {
    let mut wire = Wire::with(HostOptions::default().recv_buffer(100));
    wire.host.tcp.set_repairs(repairs);
    let (flow, mut peer) = wire.passive();
    wire.is_alive(flow, &mut peer);
    wire.inject(&peer.segment().payload(&octets(150)).fin());
    wire.advance(DELAYED_ACK);
    (wire, peer, flow)
}

#[test]
fn a_fin_beyond_the_window_is_not_taken() {
    let (mut wire, mut peer, flow) = after_a_fin_beyond_the_window(Repairs::default());
    assert_eq!(wire.read(flow), octets(150)[..100]);
    assert_eq!(wire.state(flow), TcpState::Established);
    assert!(wire.try_read(flow).is_none(), "the stream is not over");
    peer.seq += 100;
    wire.inject(&peer.segment().payload(&octets(150)[100..]).fin());
    assert_eq!(wire.read(flow), octets(150)[100..]);
    assert_eq!(wire.read(flow), b"", "now it is");
    wire.advance(DELAYED_ACK);
    assert_eq!(wire.take().last().and_then(|sent| sent.ack), Some(peer.seq + 51));
}

#[test]
fn without_repair_k_a_fin_beyond_the_window_cuts_the_stream_short() {
    let without = Repairs { early_fin: false, ..Repairs::default() };
    let (mut wire, _, flow) = after_a_fin_beyond_the_window(without);
    assert_eq!(wire.read(flow).len(), 100);
    assert_eq!(wire.read(flow), b"");
}

// RFC 9293 3.4: a FIN counts in SEG.LEN, so a segment of old data and a new FIN is acceptable.
#[test]
fn a_fin_behind_data_that_is_already_there_is_taken() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"old"));
    assert_eq!(wire.read(flow), b"old");
    wire.inject(&peer.segment().payload(b"old").fin());
    wire.advance(DELAYED_ACK);
    assert_eq!(wire.take().last().and_then(|sent| sent.ack), Some(peer.seq + 4));
    assert_eq!(wire.read(flow), b"");
}

// A zero window lets no data pass, and so no FIN behind it.
#[test]
fn a_fin_behind_data_is_not_taken_under_a_zero_window() {
    let mut wire = Wire::with(HostOptions::default().recv_buffer(100));
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().payload(&octets(100)));
    peer.seq += 100;
    wire.inject(&peer.segment().payload(b"x").fin());
    assert_eq!(wire.read(flow), octets(100));
    assert!(wire.try_read(flow).is_none());
    wire.advance(DELAYED_ACK);
    wire.inject(&peer.segment().payload(b"x").fin());
    assert_eq!(wire.read(flow), b"x");
    assert_eq!(wire.read(flow), b"");
}

// ---- L: what is left to send in LAST-ACK -------------------------------------------------------

/// The peer has closed, with a closed window; the application writes, and closes.
fn closed_under_a_zero_window(repairs: Repairs) -> (Wire, Peer) {
    let mut wire = Wire::repaired(repairs);
    let (flow, mut peer) = wire.passive();
    peer.window = 0;
    wire.inject(&peer.segment().fin());
    peer.seq += 1;
    assert_eq!(wire.read(flow), b"");
    wire.write(flow, b"the rest");
    wire.close(flow);
    assert_eq!(wire.states(), [TcpState::LastAck]);
    wire.take();
    (wire, peer)
}

/// What leaves in the instant in which the window opens, without acknowledging anything new.
fn after_the_window_opened(repairs: Repairs) -> (Wire, Peer, Vec<Sent>) {
    let (mut wire, mut peer) = closed_under_a_zero_window(repairs);
    peer.window = 1_000;
    wire.inject(&peer.segment());
    let sent = wire.take();
    (wire, peer, sent)
}

#[test]
fn a_window_that_opens_in_last_ack_lets_the_rest_leave_with_the_fin() {
    let (mut wire, mut peer, sent) = after_the_window_opened(Repairs::default());
    let [rest] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((rest.flags, rest.payload.as_slice()), ("FIN ACK", &b"the rest"[..]));
    peer.ack = rest.end();
    wire.inject(&peer.segment());
    assert!(wire.states().is_empty());
    wire.advance(1_000 * SECOND);
    wire.expect_silence();
}

#[test]
fn without_repair_l_a_window_that_opens_in_last_ack_is_not_heard() {
    let without = Repairs { mute_last_ack: false, ..Repairs::default() };
    let (.., sent) = after_the_window_opened(without);
    assert!(sent.iter().all(|segment| segment.payload.is_empty()), "{sent:?}");
}

/// The peer has closed; the application writes, and closes while that is in flight.
fn fin_behind_data_in_flight() -> (Wire, Peer, [Sent; 2]) {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().fin());
    peer.seq += 1;
    assert_eq!(wire.read(flow), b"");
    wire.take();
    wire.write(flow, b"the rest");
    let data = wire.expect("ACK");
    wire.close(flow);
    let fin = wire.expect("FIN ACK");
    assert_eq!((fin.seq, fin.payload.len(), fin.ack), (data.end(), 0, Some(peer.seq)));
    assert_eq!(wire.states(), [TcpState::LastAck]);
    (wire, peer, [data, fin])
}

// RFC 9293 3.10.4, CLOSE in CLOSE-WAIT: the FIN follows what was written, and does not wait until
// that is acknowledged.
#[test]
fn a_fin_in_close_wait_follows_data_in_flight_at_once() {
    let (mut wire, mut peer, [_, fin]) = fin_behind_data_in_flight();
    peer.ack = fin.end();
    wire.inject(&peer.segment());
    assert!(wire.states().is_empty());
    wire.advance(1_000 * SECOND);
    wire.expect_silence();
}

#[test]
fn data_and_fin_that_were_both_lost_are_both_sent_again() {
    let (mut wire, mut peer, [data, fin]) = fin_behind_data_in_flight();
    wire.advance(SECOND);
    let again = wire.expect("FIN ACK");
    assert_eq!(
        (again.seq, again.payload.as_slice(), again.end()),
        (data.seq, &b"the rest"[..], fin.end())
    );
    peer.ack = fin.end();
    wire.inject(&peer.segment());
    assert!(wire.states().is_empty());
}

#[test]
fn a_fin_that_alone_was_lost_is_sent_again_when_its_timer_fires() {
    let (mut wire, mut peer, [data, fin]) = fin_behind_data_in_flight();
    peer.ack = data.end();
    wire.inject(&peer.segment());
    wire.expect_silence();
    assert_eq!(wire.states(), [TcpState::LastAck]);
    wire.advance(SECOND);
    let again = wire.expect("FIN ACK");
    assert_eq!((again.seq, again.payload.len()), (fin.seq, 0));
    peer.ack = fin.end();
    wire.inject(&peer.segment());
    assert!(wire.states().is_empty());
}

#[test]
fn a_close_after_a_shutdown_in_close_wait_sends_no_second_fin() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive_with(Peer { mss: Some(300), ..Peer::new(PEER_PORT) });
    wire.inject(&peer.segment().fin());
    peer.seq += 1;
    assert_eq!(wire.read(flow), b"");
    wire.take();
    wire.write(flow, b"the rest");
    wire.expect("ACK");
    wire.shut_down_sending(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.close(flow);
    wire.expect_silence();
    wire.inject(&peer.segment());
    assert!(wire.states().is_empty());
    wire.advance(1_000 * SECOND);
    wire.expect_silence();
}
