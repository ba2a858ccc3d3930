//! Repairs C, J, M and N of the engine: probes that end, that carry no byte of their own and that
//! back off; and windows that are obeyed on both sides.

use super::wire::{PEER_PORT, Peer, SECOND, Sent, Wire, octets, times};
use crate::host::FlowId;
use crate::host::options::HostOptions;
use crate::tcp::Repairs;
use crate::tcp::TcpState;

const HOUR: u64 = 3_600 * SECOND;

// ---- C: how the peer is asked ------------------------------------------------------------------

/// Of two segments the second was lost; then the window closes, and opens for one of that size.
/// The engine is left without a timer.
fn without_a_timer() -> (Wire, Peer, FlowId) {
    let mut wire = Wire::with(HostOptions::default().nagle(false));
    let (flow, mut peer) = wire.passive_with(Peer { mss: Some(300), ..Peer::new(PEER_PORT) });
    wire.write(flow, &[7; 301]);
    peer.ack = wire.take()[1].seq;
    for window in [0, 300] {
        peer.window = window;
        wire.inject(&peer.segment());
    }
    wire.take();
    (wire, peer, flow)
}

#[test]
fn what_asks_the_peer_carries_no_byte_that_nobody_wrote() {
    let (mut wire, peer, _) = without_a_timer();
    wire.advance(SECOND + SECOND / 10);
    let sent = wire.take();
    assert!(!sent.is_empty());
    assert!(
        sent.iter().all(|sent| sent.payload.is_empty()
            || (sent.seq, sent.payload.as_slice()) == (peer.ack, &[7])),
        "{sent:?}"
    );
}

#[test]
fn data_in_flight_without_a_timer_is_sent_again_after_a_second() {
    let (mut wire, mut peer, flow) = without_a_timer();
    let began = wire.now;
    wire.advance(SECOND);
    let again = wire.expect("ACK");
    assert_eq!((again.seq, again.payload.as_slice()), (peer.ack, &[7][..]));
    assert_eq!(again.at - began, SECOND);
    peer.ack = again.end();
    wire.inject(&peer.segment());
    wire.advance(HOUR);
    wire.expect_silence();
    wire.is_alive(flow, &mut peer);
}

/// A segment is lost, and its timeout finds a window that has closed since. The peer answers each
/// question for `answered`, then no more. Returns when the questions left, in milliseconds.
fn questions_under_a_closed_window(wire: &mut Wire, peer: &mut Peer, duration: u64) -> Vec<Sent> {
    peer.window = 0;
    wire.inject(&peer.segment());
    let end = wire.now + duration;
    let mut sent = Vec::new();
    while wire.now < end {
        wire.advance(SECOND / 10);
        let now = wire.take();
        if !now.is_empty() {
            wire.inject(&peer.segment());
            wire.take();
        }
        sent.extend(now);
    }
    sent
}

// Linux goes on for 924 s with fifteen questions that nobody answers, and for ever with answers.
#[test]
fn a_closed_window_over_lost_data_is_asked_after_ever_more_seldom_and_for_ever() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.write(flow, &octets(1_000));
    wire.take();
    let began = wire.now;
    let sent = questions_under_a_closed_window(&mut wire, &mut peer, 2 * HOUR);
    let times = times(&sent, began);
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(times.len() > 100 && times.len() < 150, "{times:?}");
    assert!(gaps.iter().rev().take(100).all(|gap| *gap >= 59_000), "{gaps:?}");
    assert_eq!(wire.state(flow), TcpState::Established);
    peer.window = 2_000;
    wire.inject(&peer.segment());
    assert_eq!(wire.next().payload, octets(1_000));
}

// ---- J: probes that end ------------------------------------------------------------------------

/// The application has written and closed; the peer acknowledges it in two steps, both with a
/// window of zero, and sends no FIN. Returns what the host sends within the hour.
fn fin_wait_2_under_a_zero_window(repairs: Repairs, options: HostOptions) -> Vec<Sent> {
    let mut wire = Wire::with(options);
    wire.host.tcp.set_repairs(repairs);
    let (flow, mut peer) = wire.passive();
    peer.window = 0;
    wire.write(flow, b"Thank you for connecting");
    wire.shut_down_sending(flow);
    let sent = wire.take();
    peer.ack = sent[0].seq + 1;
    wire.inject(&peer.segment());
    peer.ack = sent.last().unwrap().end();
    wire.inject(&peer.segment());
    assert_eq!(wire.state(flow), TcpState::FinWait2);
    wire.take();
    wire.advance(HOUR);
    wire.take()
}

#[test]
fn nothing_is_probed_in_fin_wait_2() {
    let sent = fin_wait_2_under_a_zero_window(Repairs::default(), HostOptions::default());
    assert!(sent.is_empty(), "{} segments", sent.len());
}

#[test]
fn without_repair_j_an_engine_that_does_not_come_to_rest_is_paused() {
    let without = Repairs { endless_probe: false, ..Repairs::default() };
    let sent = fin_wait_2_under_a_zero_window(without, HostOptions::default());
    assert!(sent.len() > 3_600, "repair J would not be needed");
    assert!(sent.len() < 50_000, "{} segments in an hour", sent.len());
}

#[test]
fn no_timer_is_left_when_all_is_acknowledged_under_a_zero_window() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    peer.window = 0;
    wire.write(flow, &octets(1_000));
    let data = wire.next();
    for ack in [data.seq + 500, data.end()] {
        peer.ack = ack;
        wire.inject(&peer.segment());
    }
    wire.advance(HOUR);
    wire.expect_silence();
    assert_eq!(wire.deadline, None);
    peer.window = 65_535;
    wire.inject(&peer.segment());
    wire.is_alive(flow, &mut peer);
}

// All that is written is in flight when the window closes: the probe has no byte to carry.
#[test]
fn a_window_that_closed_over_the_last_bytes_is_asked_after_with_a_number_that_must_be_answered() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.write(flow, &octets(1_000));
    let data = wire.next();
    peer.ack = data.seq + 500;
    peer.window = 0;
    wire.inject(&peer.segment());
    wire.advance(3 * SECOND);
    let sent = wire.take();
    assert!(!sent.is_empty());
    for probe in &sent {
        assert_eq!((probe.seq, probe.payload.len()), (peer.ack - 1, 0), "{probe:?}");
    }
    peer.window = 2_000;
    wire.inject(&peer.segment());
    wire.advance(2 * SECOND);
    assert_eq!(wire.next().payload, octets(1_000)[500..]);
    assert_eq!(wire.state(flow), TcpState::Established);
}

// ---- M: a fast retransmission ------------------------------------------------------------------

/// The window has shrunk since a whole segment was sent, which duplicate ACKs say is lost.
fn fast_retransmission_into(window: u16, repairs: Repairs) -> Vec<Sent> {
    let mut wire = Wire::repaired(repairs);
    let (flow, mut peer) = wire.passive();
    wire.write(flow, &octets(1_460));
    wire.take();
    peer.window = window;
    for _ in 0..4 {
        wire.inject(&peer.segment());
    }
    wire.take()
}

// RFC 9293 3.8.6: what is sent again lies between SND.UNA and SND.UNA + SND.WND.
#[test]
fn a_fast_retransmission_obeys_the_window() {
    for (window, len) in [(400, 400), (0, 1), (1_460, 1_460), (9_000, 1_460)] {
        let sent = fast_retransmission_into(window, Repairs::default());
        let lens: Vec<usize> = sent.iter().map(|segment| segment.payload.len()).collect();
        assert_eq!(lens, [len], "a window of {window}");
        assert_eq!(sent[0].payload, octets(1_460)[..len]);
    }
}

// The engine takes for sent what was cut off, but its ACKs must not lie beyond the peer's window.
#[test]
fn after_a_fast_retransmission_that_was_cut_an_ack_carries_what_was_sent() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive_with(Peer { window: 31, ..Peer::new(PEER_PORT) });
    wire.write(flow, &octets(1_000));
    let sent = wire.next();
    for _ in 0..4 {
        wire.inject(&peer.segment());
    }
    assert_eq!(wire.next().payload, octets(31));
    wire.inject(&peer.segment().payload(b"data"));
    peer.seq += 4;
    wire.advance(SECOND / 10);
    assert_eq!(wire.expect("ACK").seq, sent.end());
    peer.ack = sent.end();
    wire.inject(&peer.segment());
    wire.advance(2 * SECOND);
    assert_eq!(wire.next().payload, octets(62)[31..]);
}

#[test]
fn without_repair_m_a_fast_retransmission_overruns_the_window() {
    let without = Repairs { wide_retransmission: false, ..Repairs::default() };
    assert_eq!(fast_retransmission_into(400, without)[0].payload.len(), 1_460);
}

// RFC 6298 (5.3): an ACK of new data restarts the timer of what is left.
#[test]
fn after_a_partial_ack_what_is_left_has_a_timer() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive_with(Peer { mss: Some(300), ..Peer::new(PEER_PORT) });
    wire.write(flow, &octets(1_200));
    let sent = wire.take();
    assert_eq!(sent.len(), 4);
    for _ in 0..4 {
        wire.inject(&peer.segment());
    }
    assert_eq!(wire.next().seq, sent[0].seq, "the fast retransmission");
    for window in [65_535, 600, 0, 300] {
        peer.ack = sent[1].seq;
        peer.window = window;
        wire.inject(&peer.segment());
    }
    wire.take();
    wire.advance(2 * SECOND);
    assert_eq!(wire.take().first().map(|again| again.seq), Some(sent[1].seq));
}

// ---- N: the window of a SYN --------------------------------------------------------------------

// RFC 7323 2.2: the window of a SYN is not scaled. The engine scales it, and would take what its
// buffer cannot hold.
fn data_beyond_the_buffer_after_the_handshake(repairs: Repairs) {
    let recv_buffer = 128 * 1024;
    let mut wire = Wire::with(HostOptions::default().recv_buffer(recv_buffer));
    wire.host.tcp.set_repairs(repairs);
    let (flow, mut peer) =
        wire.passive_with(Peer { window_scale: Some(0), ..Peer::new(PEER_PORT) });
    for ahead in [recv_buffer as u32 - 700, recv_buffer as u32, recv_buffer as u32 + 20_000] {
        wire.inject(&peer.segment().seq(peer.seq + ahead).payload(&[9; 1_400]));
    }
    wire.inject(&peer.segment().payload(b"in order"));
    peer.seq += 8;
    assert_eq!(wire.read(flow), b"in order");
    wire.is_alive(flow, &mut peer);
}

#[test]
fn data_beyond_the_buffer_is_not_taken_right_after_the_handshake() {
    data_beyond_the_buffer_after_the_handshake(Repairs::default());
}

// The engine checks it in debug builds only.
#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "len_written == payload_len")]
fn without_repair_n_data_beyond_the_buffer_breaks_the_engine() {
    let without = Repairs { wide_syn_window: false, ..Repairs::default() };
    data_beyond_the_buffer_after_the_handshake(without);
}

// ---- What acknowledges nothing that was sent ---------------------------------------------------

// RFC 9293 3.10.7.4, fifth: an ACK of what is not yet sent is answered with an ACK and dropped.
#[test]
fn an_ack_of_what_was_written_but_not_sent_is_answered_and_nothing_is_lost() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive_with(Peer { window: 100, ..Peer::new(PEER_PORT) });
    wire.write(flow, &octets(1_000));
    assert_eq!(wire.next().payload.len(), 100);
    wire.inject(&peer.segment().ack(peer.ack + 600));
    assert_eq!(wire.expect("ACK").payload.len(), 0);
    peer.ack += 100;
    peer.window = 65_535;
    wire.inject(&peer.segment());
    assert_eq!(wire.next().payload, octets(1_000)[100..]);
}
