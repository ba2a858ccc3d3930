//! glassnet's own TCP and Linux's, segment by segment, over the same path with the same losses.

use std::time::Duration;

use glassnet::{DropReason, HostOptions, Sim};

use crate::common::{Log, Wire, ms};
use crate::linux::cases::{CASES, Case};
use crate::linux::log::{Logged, of_frames, parse};

/// What hosts of ours send in a case.
fn ours(case: &Case) -> Vec<Logged> {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.link("client", "server").delay(ms(10)).rate(100_000_000).queue(1_000);
    for drop in case.drops {
        sim.drop_frames(drop.parse().unwrap());
    }
    let (server, client) = (case.server, case.client);
    sim.host("server", move || async move { Ok(server.run().await?) });
    let took = Log::new();
    sim.client("client", async move { Ok(client.run(|time| took.note(time)).await?) });
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let sent = wire.sent();
    of_frames(sent.iter().map(|sent| {
        let dropped = sent.is_dropped(DropReason::Rule);
        (sent.time, sent.from == "client", dropped, &sent.frame[..])
    }))
}

/// One way over the path.
const DELAY: Duration = ms(10);
/// What programs and processors of Linux took, and the serialisation of one frame.
const NOISE: Duration = Duration::from_micros(1_121);
/// Linux's timers run in ticks.
const TICK: Duration = ms(4);

/// Segments of an end that left, and arrived, after Linux's log had ended.
const MAX_UNSEEN: usize = 4;

/// How much later than asked for a timer of Linux may fire: it is set within a tick, never fires
/// early, the wheel that it is in is the coarser the farther away its time is, and a timeout that was
/// doubled has been rounded up to a tick before.
fn slack(timer: Duration) -> Duration {
    let ticks = timer.as_nanos() / TICK.as_nanos();
    let level = (0..4).rev().find(|level| *level == 0 || ticks >= 63 << (3 * (level - 1))).unwrap();
    2 * TICK + TICK * (1 << (3 * level)) + timer / 50
}

/// A segment, and how long it left after what made it leave.
struct Departure<'l> {
    segment: &'l Logged,
    /// An arrival that was just before; else a timer or a program that began with the segment before
    /// it of the same end.
    is_answer: bool,
    after: Duration,
}

/// What left one end.
fn departures(logged: &[Logged], from_client: bool) -> Vec<Departure<'_>> {
    let arrivals = || {
        let theirs = logged.iter().filter(|it| it.from_client != from_client && !it.dropped);
        theirs.map(|it| it.at + DELAY)
    };
    let mut before = Duration::ZERO;
    let ours = logged.iter().filter(|segment| segment.from_client == from_client);
    ours.map(|segment| {
        let arrival = arrivals().filter(|at| *at <= segment.at).max();
        let answered = arrival.filter(|at| *at + 2 * NOISE >= segment.at);
        let after = segment.at - answered.unwrap_or(before);
        before = segment.at;
        Departure { segment, is_answer: answered.is_some(), after }
    })
    .collect()
}

/// Whether our segment is the one that Linux sent, at its time.
fn agree(our: &Departure<'_>, its: &Departure<'_>) -> bool {
    let late = if its.is_answer { Duration::ZERO } else { slack(our.after) };
    our.segment.is_like(its.segment)
        && our.is_answer == its.is_answer
        && our.after <= its.after + NOISE
        && its.after <= our.after + NOISE + late
}

/// What differs first, if anything does. The log of Linux may end before the connection does.
fn difference(ours: &[Logged], linux: &[Logged], skips: Option<bool>) -> Option<String> {
    for from_client in [true, false] {
        let (ours, linux) = (departures(ours, from_client), departures(linux, from_client));
        let show = |one: Option<&Departure<'_>>| {
            one.map_or("nothing".to_owned(), |one| one.segment.to_string())
        };
        if skips == Some(from_client) {
            continue;
        }
        for index in 0..ours.len().max(linux.len()) {
            let (our, its) = (ours.get(index), linux.get(index));
            let is_so = match (our, its) {
                (Some(our), Some(its)) => agree(our, its),
                (Some(our), None) => our.segment.dropped || index < linux.len() + MAX_UNSEEN,
                _ => false,
            };
            if !is_so {
                return Some(format!("ours  {}\n  Linux {}", show(our), show(its)));
            }
        }
    }
    None
}

#[test]
fn segments_leave_as_on_linux_whichever_are_lost() {
    let mut differences = Vec::new();
    for case in CASES {
        let ours = ours(case);
        if let Some(difference) =
            difference(&ours, &parse(case.log), (case.name == "first").then_some(true))
        {
            differences.push(format!("{}:\n  {difference}", case.name));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
