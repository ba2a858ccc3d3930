//! Linux's times (the table of behaviours, at a round trip of 20 ms).

use super::pair::{CLIENT, MS, Pair, SECOND, SERVER};
use crate::tcp::state::TcpState;

const MSS: usize = 1_448;

fn lan() -> Pair {
    Pair::linux(10 * MS)
}

#[test]
fn a_syn_that_is_lost_is_sent_again_after_1_and_3_seconds() {
    for (lost, took) in [(&[][..], 20), (&[1], 1_020), (&[1, 2], 3_020)] {
        let mut pair = lan();
        pair.paths[CLIENT].lost_bare = lost.to_vec();
        pair.connect();
        pair.run_until(|pair| pair.state(CLIENT) == TcpState::Established);
        assert_eq!((pair.now - SECOND) / MS, took);
    }
}

#[test]
fn a_connect_that_nobody_answers_gives_up_after_127_seconds() {
    let mut pair = lan();
    pair.paths[CLIENT].lost_bare = (1..10).collect();
    pair.connect();
    pair.run_until(|pair| pair.is_over(CLIENT));
    let times: Vec<u64> = pair.wire.iter().map(|it| (it.at - SECOND) / SECOND).collect();
    assert_eq!(times, [0, 1, 3, 7, 15, 31, 63]);
    assert_eq!((pair.now - SECOND) / SECOND, 127);
}

#[test]
fn the_windows_from_the_start_are_10_20_40_80_segments() {
    let mut pair = lan().connected();
    let began = pair.now;
    pair.write(SERVER, 150 * MSS);
    pair.run_until(|pair| pair.received(CLIENT) == 150 * MSS as u64);
    let times = pair.data_times(SERVER, began);
    let in_round = |round| times.iter().filter(|at| **at / 20 == round).count();
    assert_eq!([0, 1, 2, 3].map(in_round), [10, 20, 40, 80]);
}

#[test]
fn after_three_idle_seconds_the_window_is_ten_segments_again() {
    let mut pair = lan().connected();
    pair.write(SERVER, 150 * MSS);
    pair.run_for(3 * SECOND);
    pair.forget_the_past();
    let began = pair.now;
    pair.write(SERVER, 150 * MSS);
    pair.run_until(|pair| pair.received(CLIENT) == 300 * MSS as u64);
    let times = pair.data_times(SERVER, began);
    let in_round = |round| times.iter().filter(|at| **at / 20 == round).count();
    assert_eq!([0, 1, 2, 3].map(in_round), [10, 20, 40, 80]);
}

#[test]
fn the_engine_of_an_idle_connection_takes_little_more_than_a_kibibyte() {
    let size = size_of::<crate::tcp::engine::Engine>();
    assert!(size <= 1_088, "{size}");
}

/// A request of one segment and a reply of ten, some of which are lost: when all is there.
fn reply_with_losses(lost: &[u32]) -> u64 {
    let mut pair = lan();
    pair.connect();
    pair.run_until(|pair| pair.state(CLIENT) == TcpState::Established);
    let began = pair.now;
    pair.write(CLIENT, 100);
    pair.run_until(|pair| pair.received(SERVER) == 100);
    pair.forget_the_past();
    pair.paths[SERVER].lost_data = lost.to_vec();
    pair.write(SERVER, 10 * MSS);
    pair.close(SERVER);
    pair.run_until(|pair| pair.received(CLIENT) == 10 * MSS as u64);
    // With the handshake.
    20 + (pair.now - began) / MS
}

#[test]
fn a_reply_of_ten_segments_takes_two_round_trips_and_a_loss_one_more() {
    assert_eq!(reply_with_losses(&[]), 40);
    for lost in [&[1][..], &[5], &[3, 6]] {
        assert_eq!(reply_with_losses(lost), 60, "{lost:?}");
    }
}

#[test]
fn behind_a_lost_tail_the_fin_shows_the_loss_after_the_reordering_window() {
    // Linux: 71 and 92, of which 2 are the path's.
    assert!((66..=71).contains(&reply_with_losses(&[10])), "{}", reply_with_losses(&[10]));
    let three = reply_with_losses(&[8, 9, 10]);
    assert!((86..=92).contains(&three), "{three}");
}

#[test]
fn a_lone_segment_that_is_lost_is_sent_again_after_220_milliseconds_and_so_on() {
    let mut pair = lan().connected();
    pair.write(CLIENT, 10);
    pair.run_for(SECOND);
    pair.forget_the_past();
    pair.paths[CLIENT].lost_data = (1..8).collect();
    let began = pair.now;
    pair.write(CLIENT, 10);
    pair.run_until(|pair| pair.received(SERVER) == 20);
    // Linux: 0.23 (the probe), 0.45, 0.91, 1.84, 3.7, 7.5, 15.
    let times = pair.data_times(CLIENT, began);
    let expected = [0, 220, 440, 880, 1_760, 3_520, 7_040, 14_080];
    assert_eq!(times.len(), expected.len());
    for (at, expected) in times.iter().zip(expected) {
        assert!(at.abs_diff(expected) <= expected / 10, "{times:?}");
    }
}

#[test]
fn two_small_writes_and_a_reply_wait_for_the_delayed_ack_unless_nodelay_is_set() {
    for (nodelay, took) in [(false, 80), (true, 20)] {
        let mut pair = lan();
        pair.options(CLIENT).nodelay = nodelay;
        let mut pair = pair.connected();
        // Requests and responses.
        pair.write(CLIENT, 10);
        pair.run_for(10 * MS);
        pair.write(SERVER, 10);
        pair.run_for(SECOND);
        let began = pair.now;
        pair.write(CLIENT, 10);
        pair.write(CLIENT, 10);
        pair.run_until(|pair| pair.received(SERVER) == 30);
        pair.write(SERVER, 10);
        pair.run_until(|pair| pair.received(CLIENT) == 20);
        assert_eq!((pair.now - began) / MS, took, "nodelay: {nodelay}");
    }
}

#[test]
fn lone_segments_are_acknowledged_at_once() {
    let mut pair = lan().connected();
    for _ in 0..30 {
        pair.forget_the_past();
        pair.write(CLIENT, 10);
        pair.run_for(200 * MS);
        let acks: Vec<u64> =
            pair.wire.iter().filter(|it| it.from == SERVER).map(|it| it.at).collect();
        assert_eq!(acks.len(), 1);
        assert_eq!((acks[0] - (pair.now - 200 * MS)) / MS, 10);
    }
}

#[test]
fn a_closed_window_is_probed_without_a_byte_and_ever_more_seldom() {
    let mut pair = lan().connected();
    pair.reads(SERVER, false);
    pair.write(CLIENT, 200_000);
    pair.run_for(SECOND);
    pair.forget_the_past();
    pair.run_for(10 * SECOND);
    let probes: Vec<&super::pair::OnWire> =
        pair.wire.iter().filter(|it| it.from == CLIENT).collect();
    assert!(probes.iter().all(|it| it.len == 0), "{probes:?}");
    assert!((3..=6).contains(&probes.len()), "{probes:?}");
    pair.reads(SERVER, true);
    pair.run_until(|pair| pair.received(SERVER) == 200_000);
}

#[test]
fn both_sides_that_close_at_once_end_in_time_wait() {
    let mut pair = lan().connected();
    pair.close(CLIENT);
    pair.close(SERVER);
    pair.run_for(SECOND);
    assert_eq!([CLIENT, SERVER].map(|side| pair.state(side)), [TcpState::TimeWait; 2]);
}

#[test]
fn a_fin_that_is_lost_is_sent_again_and_one_that_overtakes_data_is_kept() {
    let mut pair = lan().connected();
    pair.paths[CLIENT].lost_data = vec![1];
    let began = pair.now;
    pair.close(CLIENT);
    pair.run_until(|pair| pair.state(SERVER) == TcpState::CloseWait);
    assert!((200..=260).contains(&((pair.now - began) / MS)));

    let mut pair = lan().connected();
    pair.paths[CLIENT].lost_data = vec![1];
    pair.write(CLIENT, 3 * MSS);
    pair.close(CLIENT);
    pair.run_until(|pair| pair.state(SERVER) == TcpState::CloseWait);
    assert_eq!(pair.received(SERVER), 3 * MSS as u64);
    let fins = pair.wire.iter().filter(|it| it.from == CLIENT && it.fin).count();
    assert!(fins <= 2, "{fins}");
}
