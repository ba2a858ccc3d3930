//! `SO_LINGER` (`socket(7)`): a close that resets, and one that waits (row 26).

use std::time::Duration;

use glassnet::TcpState;

use super::wire::*;

fn lingering(seconds: u64) -> (Wire, FlowId, Peer) {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.socket(flow).set_linger(Some(Duration::from_secs(seconds))).unwrap();
    (wire, flow, peer)
}

#[test]
fn a_close_without_time_to_linger_resets_and_forgets_what_was_not_sent() {
    let (mut wire, flow, _) = lingering(0);
    wire.write(flow, b"one");
    wire.expect("ACK");
    wire.write(flow, b"two");
    assert!(wire.start_closing(flow).ended_at().is_some());
    wire.expect("RST ACK");
    wire.advance(200 * SECOND);
    wire.expect_silence();
    assert_eq!(wire.states(), []);
}

#[test]
fn such_a_close_resets_in_every_state_with_an_open_side() {
    let (mut wire, flow, peer) = lingering(0);
    wire.inject(&peer.segment().fin());
    wire.expect("ACK");
    wire.close(flow);
    wire.expect("RST ACK");

    let (mut wire, flow, mut peer) = lingering(0);
    wire.shut_down_sending(flow);
    let fin = wire.expect("FIN ACK");
    peer.ack = fin.end();
    wire.inject(&peer.segment());
    assert_eq!(wire.state(flow), TcpState::FinWait2);
    wire.close(flow);
    wire.expect("RST ACK");
}

// Linux's `tcp_disconnect` sends no RST when its FIN has left and the peer's has come.
#[test]
fn such_a_close_says_nothing_when_both_sides_have_closed() {
    let (mut wire, flow, peer) = lingering(0);
    wire.inject(&peer.segment().fin());
    wire.expect("ACK");
    wire.shut_down_sending(flow);
    wire.expect("FIN ACK");
    wire.close(flow);
    wire.advance(200 * SECOND);
    wire.expect_silence();
    assert_eq!(wire.states(), []);
}

#[test]
fn a_close_lingers_until_everything_is_acknowledged() {
    let (mut wire, flow, mut peer) = lingering(5);
    wire.write(flow, b"last words");
    wire.expect("ACK");
    let closing = wire.start_closing(flow);
    let fin = wire.expect("FIN ACK");
    wire.advance(2 * SECOND);
    wire.take();
    peer.ack = fin.seq;
    wire.inject(&peer.segment());
    assert_eq!(closing.ended_at(), None);
    peer.ack = fin.end();
    wire.inject(&peer.segment());
    assert_eq!(closing.ended_at(), Some(wire.under.now()));
    assert_eq!(wire.states(), [TcpState::FinWait2]);
}

#[test]
fn a_close_lingers_no_longer_than_it_may_and_delivers_in_the_background() {
    let (mut wire, flow, mut peer) = lingering(5);
    wire.write(flow, b"last words");
    let closing = wire.start_closing(flow);
    wire.advance(4_999 * MILLISECOND);
    assert_eq!(closing.ended_at(), None);
    wire.advance(MILLISECOND);
    assert_eq!(closing.ended_at(), Some(wire.under.now()));
    wire.take();
    wire.advance(3 * SECOND);
    let again = wire.take().remove(0);
    assert_eq!(again.payload, b"last words");
    peer.ack = again.end();
    wire.inject(&peer.segment());
    assert_eq!(wire.states(), [TcpState::FinWait2]);
}

#[test]
fn a_close_with_unread_data_does_not_linger() {
    let (mut wire, flow, peer) = lingering(5);
    wire.inject(&peer.segment().payload(b"unread"));
    wire.quick_ack();
    assert!(wire.start_closing(flow).ended_at().is_some());
    wire.expect("RST ACK");
}

#[test]
fn a_close_of_what_is_over_does_not_linger() {
    let (mut wire, flow, peer) = lingering(5);
    wire.inject(&peer.segment().rst());
    assert!(wire.start_closing(flow).ended_at().is_some());

    let mut wire = Wire::new();
    let (flow, _) = wire.connect();
    wire.socket(flow).set_linger(Some(Duration::from_secs(5))).unwrap();
    assert!(wire.start_closing(flow).ended_at().is_some());
    assert_eq!(wire.states(), []);
}
