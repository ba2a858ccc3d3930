//! Full duplex: both ways at once, between hosts and over links drawn from the seed.

mod application;
mod draw;
mod plan;
mod run;
mod shrink;
mod wire;

use std::time::Duration;

use glassnet::Impairments;
use plan::Plan;
use run::{Verdict, run};

use crate::portion::{Outcome, one_seed, run_each};

/// Worlds of each line with plain `cargo test`.
const SEEDS: u64 = 150;

fn chaos(line: &str, unless_told: u64, plan_of: impl Fn(u64) -> Plan) {
    run_each(line, unless_told, |seed| {
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
    chaos("duplex", SEEDS, Plan::drawn);
}

#[test]
fn a_fin_arrives_though_the_link_repeats_and_reorders() {
    chaos("lone-fin", 50, |seed| {
        let mut plan = Plan::plain(seed, 56_000);
        for end in &mut plan.ends {
            end.options.mtu = 68;
        }
        let way = Impairments {
            delay: Duration::ZERO,
            duplicate: 0.26,
            reorder: 0.056,
            ..Impairments::default()
        };
        plan.ways = [way.clone(), way];
        plan.heals_at = Duration::from_secs(120);
        plan
    });
}

#[test]
fn a_stream_that_just_fills_the_buffer_of_a_late_reader_is_whole() {
    let recv_buffer = 1 << 20;
    // The window is announced in units of 32 bytes: from two of them too few to one too many.
    chaos("edge", 97, |seed| {
        let mut plan = Plan::plain(seed, recv_buffer as u64 - 64 + seed % 97);
        plan.ends[0].options.send_buffer = 4 << 20;
        plan.ends[1].options.recv_buffer = recv_buffer;
        plan.ends[1].read_after = Duration::from_secs(20);
        let delay = Duration::from_micros(if seed % 2 == 0 { 1_000 } else { 20_000 });
        plan.ways[0].delay = delay;
        plan.ways[1].delay = delay;
        plan
    });
}
