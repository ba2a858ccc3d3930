//! What losses cost.

use super::pair::{CLIENT, MS, Pair, SECOND, SERVER};
use crate::host::{CongestionControl, HostOptions};

/// A transfer from the server over 100 Mbit/s and 20 ms with a queue of one bandwidth-delay product.
fn path(host: &HostOptions) -> Pair {
    let mut pair = Pair::with(host, 10 * MS).connected();
    for path in &mut pair.paths {
        path.rate = 100_000_000;
        path.queue = 171;
    }
    pair
}

/// Goodput in Mbit/s over `seconds`.
fn goodput(mut pair: Pair, seconds: u64) -> f64 {
    pair.write(SERVER, 1 << 30);
    pair.run_for(seconds * SECOND);
    pair.received(CLIENT) as f64 * 8.0 / 1e6 / seconds as f64
}

#[test]
fn a_path_without_losses_is_filled() {
    for control in [CongestionControl::Cubic, CongestionControl::Reno] {
        let host = HostOptions::linux().congestion_control(control);
        let rate = goodput(path(&host), 12);
        // Linux: 95.1 and 95.0.
        assert!((93.0..=95.8).contains(&rate), "{control:?}: {rate}");
    }
}

#[test]
fn four_lost_of_twenty_cost_little_more_than_a_round_trip() {
    let mut pair = Pair::linux(10 * MS).connected();
    // So that twenty leave at once.
    pair.write(SERVER, 14_480);
    pair.run_for(100 * MS);
    pair.forget_the_past();
    pair.paths[SERVER].lost_data = vec![2, 5, 8, 11];
    pair.write(SERVER, 20 * 1_448);
    let took = pair.arrives(CLIENT, 14_480 + 20 * 1_448);
    assert!(took <= 51, "{took}");
}

#[test]
fn random_losses_cost_what_they_cost_linux() {
    // Every hundredth, scattered.
    let mut state = 12_345u32;
    for (one_in, least, most) in [(1_000, 15.0, 45.0), (100, 4.0, 9.0), (33, 2.0, 5.0)] {
        let mut pair = path(&HostOptions::linux());
        pair.paths[SERVER].lost_data = (1..200_000)
            .filter(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8).is_multiple_of(one_in)
            })
            .collect();
        let rate = goodput(pair, 12);
        println!("one in {one_in}: {rate:.2}");
        assert!((least..=most).contains(&rate), "one in {one_in}: {rate}");
    }
}

/// How many segments the server sends at once.
fn burst(pair: &mut Pair) -> usize {
    pair.run_for(100 * MS);
    pair.forget_the_past();
    pair.write(SERVER, 200 * 1_448);
    let sent = pair.data_times(SERVER, pair.now).len();
    let total = pair.received(CLIENT) + 200 * 1_448;
    pair.run_until(|pair| pair.received(CLIENT) >= total);
    sent
}

/// A connection whose window has grown to forty segments or more.
fn warm() -> Pair {
    let mut pair = Pair::linux(10 * MS).connected();
    pair.write(SERVER, 70 * 1_448);
    pair.run_until(|pair| pair.received(CLIENT) == 70 * 1_448);
    pair.run_for(50 * MS);
    pair.forget_the_past();
    pair
}

#[test]
fn a_window_that_nothing_happened_to_goes_on_growing() {
    assert!(burst(&mut warm()) >= 40);
}

#[test]
fn a_segment_that_is_a_little_late_is_not_sent_again() {
    let mut pair = warm();
    // Two overtake it: with a third it would count as lost.
    pair.paths[SERVER].late_data = vec![(8, 4 * MS)];
    pair.write(SERVER, 10 * 1_448);
    pair.run_for(100 * MS);
    assert_eq!(pair.data_times(SERVER, 0).len(), 10);
    assert!(burst(&mut pair) >= 40);
}

#[test]
fn a_reduction_for_a_segment_that_was_only_late_is_undone() {
    let mut pair = warm();
    pair.paths[SERVER].late_data = vec![(3, 25 * MS)];
    pair.write(SERVER, 20 * 1_448);
    pair.run_for(200 * MS);
    assert_eq!(pair.data_times(SERVER, 0).len(), 21, "one was sent again");
    let sent = burst(&mut pair);
    assert!(sent >= 40, "{sent}");
}

#[test]
fn a_timeout_because_all_are_late_sends_little_again_and_is_undone() {
    let mut pair = warm();
    pair.paths[SERVER].delay = 400 * MS;
    pair.write(SERVER, 30 * 1_448);
    pair.run_for(300 * MS);
    pair.paths[SERVER].delay = 10 * MS;
    pair.run_for(SECOND);
    // A tail loss probe and a timeout, perhaps two.
    let sent = pair.data_times(SERVER, 0).len();
    assert!((31..=33).contains(&sent), "{sent}");
    let sent = burst(&mut pair);
    assert!(sent >= 30, "{sent}");
}

#[test]
fn after_a_timeout_what_was_sacked_is_not_sent_again() {
    let mut pair = warm();
    // The first, its retransmissions and the last ten.
    pair.paths[SERVER].lost_data = [1, 31, 32].into_iter().chain(21..31).collect();
    pair.write(SERVER, 30 * 1_448);
    let total = 100 * 1_448;
    pair.run_until(|pair| pair.received(CLIENT) == total);
    let sent = pair.data_times(SERVER, 0).len();
    assert!(sent <= 30 + 11 + 4, "{sent} for 30, of which 11 were lost");
}

#[test]
fn without_sack_a_hole_is_repaired_each_round_trip() {
    let mut pair = Pair::linux(10 * MS);
    pair.forbid_sack();
    let mut pair = pair.connected();
    pair.paths[SERVER].lost_data = vec![2, 4];
    pair.write(SERVER, 10 * 1_448);
    let took = pair.arrives(CLIENT, 14_480);
    assert!(took <= 60, "{took}");
}
