//! Arbitrary segments against a simulated host, on stable Rust: `glassnet-fuzz SECONDS [SEED
//! [smoltcp]]`.
//!
//! Each seed is a world of its own: a host with glassnet's TCP, or smoltcp's, a connection from or to it,
//! and a peer that sends what it likes: in and out of windows, every mix of flags, options cut and
//! doubled, with calls of the application and time in between. Nothing may panic, no segment may be
//! answered without end, and each byte that the application reads, or the host sends, is the one that
//! belongs there. `SECONDS` of 0 runs `SEED` alone.
//!
//! smoltcp's engine is known to fail, within some hundred seeds by wrong bytes and within some thousand
//! by an assertion of smoltcp's.

#![expect(clippy::disallowed_methods, reason = "the command line and the clock are not a world's")]

mod random;
mod world;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use glassnet::TcpEngine;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).map_or(Ok(0), |number| number.parse::<u64>());
    let engine = match arguments.get(2).map(String::as_str) {
        None | Some("glassnet") => Some(TcpEngine::Glassnet),
        Some("smoltcp") => Some(TcpEngine::Smoltcp),
        Some(_) => None,
    };
    let (1..=3, Ok(seconds), Ok(seed), Some(engine)) =
        (arguments.len(), number(0), number(1), engine)
    else {
        eprintln!("usage: glassnet-fuzz SECONDS [SEED [glassnet|smoltcp]]");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let mut next = seed;
    while next == seed || began.elapsed() < Duration::from_secs(seconds) {
        if catch_unwind(|| world::run(next, engine)).is_err() {
            eprintln!("seed {next} failed; again: glassnet-fuzz 0 {next}");
            return ExitCode::FAILURE;
        }
        next += 1;
    }
    println!("{} worlds from seed {seed} on, and none failed", next - seed);
    ExitCode::SUCCESS
}
