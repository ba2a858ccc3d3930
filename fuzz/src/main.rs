//! Arbitrary segments against a simulated host, on stable Rust: `glassnet-fuzz SECONDS [SEED]`.
//!
//! Each seed is a world of its own: a host with one of the two engines, a connection from or to it,
//! and a peer that sends what it likes: in and out of windows, every mix of flags, options cut and
//! doubled, with calls of the application and time in between. Nothing may panic, no segment may be
//! answered without end, and each byte that the application reads, or the host sends, is the one that
//! belongs there. `SECONDS` of 0 runs `SEED` alone.

mod random;
mod world;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>());
    let (Some(Ok(seconds)), Ok(seed)) = (numbers.next(), numbers.next().unwrap_or(Ok(0))) else {
        eprintln!("usage: glassnet-fuzz SECONDS [SEED]");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let mut next = seed;
    while next == seed || began.elapsed() < Duration::from_secs(seconds) {
        if catch_unwind(|| world::run(next)).is_err() {
            eprintln!("seed {next} failed; again: glassnet-fuzz 0 {next}");
            return ExitCode::FAILURE;
        }
        next += 1;
    }
    println!("{} worlds from seed {seed} on, and none failed", next - seed);
    ExitCode::SUCCESS
}
