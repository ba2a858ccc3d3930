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

#[test]
fn without_sack_losses_are_repaired_one_a_round_trip() {
    let mut pair = Pair::linux(10 * MS).connected();
    pair.paths[SERVER].lost_data = vec![3, 4, 5];
    pair.write(SERVER, 10 * 1_448);
    assert!(pair.arrives(CLIENT, 14_480) < 120);
}
