//! Full duplex: both ways at once, between hosts and over links drawn from the seed.

mod application;
mod draw;
mod knobs;
mod plan;
mod rules;
mod run;
mod shrink;
mod wire;

use std::time::Duration;

use knobs::Way;
use plan::Plan;
use run::{Kind, Verdict, run};

use crate::portion::{Outcome, one_seed, run_each, seeds};

fn chaos(line: &str, seeds: impl Iterator<Item = u64>, plan_of: impl Fn(u64) -> Plan) {
    run_each(line, seeds, |seed| {
        let plan = plan_of(seed);
        let in_full = one_seed().is_some();
        let Verdict { failure, bytes, segments, retransmissions, events, lines } =
            run(&plan, in_full);
        for line in &lines {
            println!("{line}");
        }
        if in_full {
            println!("seed {seed}: {events} events | {plan}");
        }
        if in_full && let Some((kind, _)) = &failure {
            let least = shrink::shrink(&plan, *kind);
            let verdict = run(&least, true);
            println!("shrunk: {least}");
            for line in &verdict.lines {
                println!("shrunk: {line}");
            }
            println!("shrunk: {:?} | {least}", verdict.failure);
        }
        let failure = failure.map(|(kind, what)| (kind.to_string(), format!("({what}) | {plan}")));
        Outcome { failure, bytes, segments, retransmissions }
    });
}

#[test]
fn both_ways_at_once_between_hosts_and_over_links_of_all_kinds() {
    chaos("duplex", seeds(150), Plan::drawn);
}

#[test]
fn both_ways_at_once_through_an_outage() {
    chaos("duplex-outage", seeds(50), Plan::with_outage);
}

#[test]
fn both_ways_at_once_with_a_large_buffer_that_is_just_full() {
    // Such a world costs ten times as much as another: one seed in ten.
    let one_in_ten = seeds(150).filter(|seed| seed % 10 == 0 || one_seed().is_some());
    chaos("duplex-full", one_in_ten, Plan::with_full_buffer);
}

#[test]
fn a_fin_arrives_though_the_link_repeats_and_reorders() {
    chaos("lone-fin", seeds(25), |seed| {
        let mut plan = Plan::plain(seed, 56_000);
        for end in &mut plan.ends {
            end.stack.mtu = 68;
        }
        let way = Way { duplicate: 0.26, reorder: 0.056, ..Way::after(Duration::ZERO) };
        plan.ways = [way.clone(), way];
        plan.heals_at = Duration::from_secs(120);
        plan
    });
}

#[test]
fn a_stream_that_just_fills_the_buffer_of_a_late_reader_is_whole() {
    // The window of such a buffer is announced in units of 32 bytes: from more than one of them
    // too few to more than it holds.
    const RECV_BUFFER: u64 = 1 << 20;
    chaos("edge", seeds(41), |seed| {
        let mut plan = Plan::plain(seed, RECV_BUFFER - 35 + seed % 41);
        plan.ends[0].stack.send_buffer = 4 << 20;
        plan.ends[1].stack.recv_buffer = RECV_BUFFER as usize;
        plan.ends[1].read_after = Duration::from_secs(20);
        for way in &mut plan.ways {
            way.delay = Duration::from_micros(if seed % 2 == 0 { 1_000 } else { 20_000 });
        }
        plan
    });
}

#[test]
fn a_link_that_never_heals_is_a_hang() {
    let mut plan = Plan::plain(1, 60_000);
    plan.heals_at = Duration::from_millis(6);
    plan.healed.loss = 1.0;
    let (kind, what) = run(&plan, false).failure.expect("nobody could end");
    assert_eq!(kind, Kind::Hang, "{what}");
}

#[test]
fn a_seed_gives_the_same_world_each_time() {
    let look = |seed| {
        let Verdict { bytes, segments, retransmissions, events, lines, .. } =
            run(&Plan::drawn(seed), true);
        (bytes, segments, retransmissions, events, lines)
    };
    for seed in 0..3 {
        assert!(look(seed) == look(seed), "seed {seed}");
    }
}
