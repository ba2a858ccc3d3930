//! Which seeds to run, and what came of them.

use std::fmt;
use std::ops::Range;

use glassnet::TcpEngine;

/// What speaks TCP on the client and on the server: `CHAOS_ENGINES`, such as `glassnet,smoltcp`, or
/// the default on both.
pub(crate) fn engines() -> [TcpEngine; 2] {
    let Ok(text) = std::env::var("CHAOS_ENGINES") else { return [TcpEngine::default(); 2] };
    let engine = |name: &str| match name.trim() {
        "glassnet" => TcpEngine::Glassnet,
        "smoltcp" => TcpEngine::Smoltcp,
        _ => panic!("CHAOS_ENGINES={text:?} is not two of `glassnet` and `smoltcp`"),
    };
    let (client, server) = text.split_once(',').unwrap_or((&text, &text));
    [engine(client), engine(server)]
}

/// The seeds to run: `CHAOS_SEEDS` of them from `CHAOS_FROM`, or `CHAOS_SEED` alone.
pub(crate) fn seeds(unless_told: u64) -> Range<u64> {
    if let Some(seed) = one_seed() {
        return seed..seed + 1;
    }
    let from = number("CHAOS_FROM").unwrap_or(0);
    let seeds = number("CHAOS_SEEDS").unwrap_or(unless_told);
    assert!(seeds > 0, "CHAOS_SEEDS=0 would check nothing: give 1 or more");
    from..from.checked_add(seeds).expect("CHAOS_FROM + CHAOS_SEEDS is at most 2^64 - 1")
}

/// The one seed to run and to show.
pub(crate) fn one_seed() -> Option<u64> {
    number("CHAOS_SEED")
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.trim().parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={text:?} is not a number of seeds")))
}

/// Says which seed runs, in the file `CHAOS_AT`, for a script that outlives this process.
fn note_seed(seed: u64) {
    if let Some(path) = std::env::var_os("CHAOS_AT") {
        std::fs::write(path, seed.to_string()).expect("CHAOS_AT is a file to write");
    }
}

/// What came of one world.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What kind of failure, and all there is to say about it.
    pub(crate) failure: Option<(String, String)>,
    /// Bytes that reached an application.
    pub(crate) bytes: u64,
    /// TCP segments sent, those sent again included.
    pub(crate) segments: u64,
    pub(crate) retransmissions: u64,
}

#[derive(Default)]
struct Tally {
    worlds: u64,
    failed: Vec<u64>,
    bytes: u64,
    segments: u64,
    retransmissions: u64,
}

/// Runs a world for each seed, prints every failure and a last line with the sums,
/// and fails when a world did.
pub(crate) fn run_each(line: &str, seeds: impl Iterator<Item = u64>, run: impl Fn(u64) -> Outcome) {
    let mut tally = Tally::default();
    for seed in seeds {
        note_seed(seed);
        let outcome = run(seed);
        tally.worlds += 1;
        tally.bytes += outcome.bytes;
        tally.segments += outcome.segments;
        tally.retransmissions += outcome.retransmissions;
        if let Some((kind, what)) = outcome.failure {
            tally.failed.push(seed);
            println!("chaos: failed line={line} seed={seed} kind={kind} {what}");
        }
    }
    println!("chaos: ran line={line} {tally}");
    let Tally { worlds, failed, .. } = &tally;
    let first = &failed[..failed.len().min(10)];
    assert!(
        failed.is_empty(),
        "{} of {worlds} worlds failed, first {first:?} (CHAOS_SEED and --nocapture show one)",
        failed.len()
    );
}

/// `scripts/chaos.sh` adds these lines up.
impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { worlds, failed, bytes, segments, retransmissions } = self;
        write!(
            formatter,
            "worlds={worlds} failures={} bytes={bytes} segments={segments} \
             retransmissions={retransmissions} peak_kb={}",
            failed.len(),
            peak_kb()
        )
    }
}

/// The most memory this process has had, in units of 1024 bytes; 0 where the system does not tell.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
