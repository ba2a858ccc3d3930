//! What losses cost.

use super::pair::{CLIENT, MS, Pair, SECOND, SERVER};
use crate::host::{CongestionControl, HostOptions};
use crate::rng::Seed;
use crate::tcp::state::TcpState;

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

/// The mean goodput over six seeds, of which each loses other packets.
fn mean_goodput(control: CongestionControl, per_million: u64) -> f64 {
    let rates = (0..6).map(|seed| {
        let mut stream = Seed(seed).stream("losses");
        let mut pair = path(&HostOptions::linux().congestion_control(control));
        let is_lost = |_: &u32| stream.up_to(999_999) < per_million;
        pair.paths[SERVER].lost_data = (1..120_000).filter(is_lost).collect();
        goodput(pair, 12)
    });
    rates.sum::<f64>() / 6.0
}

#[test]
fn random_losses_cost_what_they_cost_linux() {
    // Linux's medians; the interval of six runs of ours is about 15 % wide.
    for (per_million, cubic, reno) in [(1_000, 24.7, 26.0), (10_000, 6.1, 6.6), (30_000, 3.4, 3.7)]
    {
        for (control, linux) in [(CongestionControl::Cubic, cubic), (CongestionControl::Reno, reno)]
        {
            let rate = mean_goodput(control, per_million);
            let range = linux * 0.8..=linux * 1.2;
            assert!(range.contains(&rate), "{control:?}, {per_million}: {rate}, Linux {linux}");
        }
    }
}

#[test]
fn short_flows_take_what_they_take_linux_to_a_millisecond() {
    for (size, linux) in [(10_000u64, 41), (100_000, 85), (1_000_000, 187)] {
        let mut pair = Pair::linux(10 * MS);
        for path in &mut pair.paths {
            (path.rate, path.queue) = (100_000_000, 171);
        }
        pair.connect();
        pair.run_until(|pair| pair.state(CLIENT) == TcpState::Established);
        pair.write(CLIENT, 100);
        pair.run_until(|pair| pair.received(SERVER) == 100);
        pair.write(SERVER, size as usize);
        pair.close(SERVER);
        pair.run_until(|pair| pair.received(CLIENT) == size);
        let took = (pair.now - SECOND) / MS;
        assert!(took.abs_diff(linux) <= 1, "{size}: {took}, Linux {linux}");
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

#[test]
fn without_congestion_control_a_window_leaves_at_once_and_what_is_lost_of_it_bit_by_bit() {
    let mut pair =
        Pair::with(&HostOptions::linux().congestion_control(CongestionControl::None), 10 * MS)
            .connected();
    // Half of the receive buffer.
    pair.write(SERVER, 64_240);
    assert_eq!(pair.data_times(SERVER, pair.now).len(), 64_240_usize.div_ceil(1_448));
    pair.run_for(SECOND);
    pair.forget_the_past();
    for path in &mut pair.paths {
        (path.rate, path.queue) = (10_000_000, 5);
    }
    let (before, took) = (pair.received(CLIENT), pair.received(CLIENT) + 1_000_000);
    pair.write(SERVER, 1_000_000);
    pair.run_until(|pair| pair.received(CLIENT) == took);
    let sent = pair.wire.iter().filter(|it| it.from == SERVER && it.len > 0).count();
    let needed = (took - before).div_ceil(1_448) as usize;
    assert!(sent < 3 * needed, "{sent} segments for {needed}");
}

// RFC 3168.
#[test]
fn a_queue_that_marks_is_kept_short_without_a_loss() {
    let sent_again = |asks: bool| {
        let mut pair = path(&HostOptions::linux().ecn(asks));
        for path in &mut pair.paths {
            (path.queue, path.marks_from) = (400, 150);
        }
        pair.write(SERVER, 1 << 30);
        pair.run_for(12 * SECOND);
        let rate = pair.received(CLIENT) as f64 * 8.0 / 12e6;
        assert!((90.0..=95.8).contains(&rate), "{rate}");
        let sent = pair.wire.iter().filter(|it| it.from == SERVER).map(|it| u64::from(it.len));
        (sent.sum::<u64>() - pair.received(CLIENT), pair.paths[SERVER].most_waiting)
    };
    let (unread, waiting) = sent_again(true);
    // What is in flight, and nothing twice.
    assert!(unread < 600_000 && waiting < 400, "{unread} bytes, {waiting} packets");
    assert_eq!(sent_again(false).1, 400, "it is full");
}
