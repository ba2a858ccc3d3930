//! One test under many seeds.

mod regressions;

use std::panic::Location;

use self::regressions::Regressions;
use crate::error::Result;
use crate::world::Sim;

/// Seeds that [`check`] runs when the environment asks for no others.
const SEEDS: u64 = 10;

/// Runs a test under several seeds: each in a world of its own, which `test` builds and runs.
///
/// `GLASSNET_SEEDS=500` runs 500 of them, from 0; `GLASSNET_SEED=7` runs that one alone, which is
/// what the report of a failure tells to do. The default is 10 seeds.
///
/// Seeds that have failed come first. They are kept in a file for each source file that calls
/// `check`, `glassnet-regressions/tests/name.txt` for `tests/name.rs`, beside the `Cargo.toml` of
/// the package that Cargo tests: a line for each, with the name of the test. It is meant to be kept
/// under version control, so that what failed once is tried by everybody. `GLASSNET_REGRESSIONS`
/// names another directory for such files; with an empty one, none are read or written. A file that
/// cannot be read or written is no error; standard error tells of it.
///
/// ```
/// # use glassnet::{greeting, Sim};
/// glassnet::check(|sim| {
///     sim.link("client", "server").loss(0.05);
///     sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
///     sim.client("client", async { Ok(greeting::greet("server:12345").await.map(drop)?) });
///     sim.run()
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first error that `test` returns; the seeds after it are not run. It is a
/// [`RunError`](crate::RunError), which tells the seed: that of the run, or one whose
/// [`source`](std::error::Error::source) is what `test` returned. Also when `test` has not run the
/// world, and when one of the variables is not a number.
///
/// # Panics
/// When `test` does; the seed and the report are printed to standard error first.
#[track_caller]
pub fn check(mut test: impl FnMut(&mut Sim) -> Result) -> Result {
    let regressions = Regressions::read(Location::caller());
    let seeds = seeds(&regressions.seeds)?;
    for seed in seeds {
        // Dropped after the world, which reports first.
        let failure = Failing { regressions: &regressions, seed };
        let mut sim = Sim::new(seed);
        sim.set_seed_from_environment();
        let result = test(&mut sim);
        let result = sim.judge(result);
        std::mem::forget(failure);
        if result.is_err() {
            tell(regressions.add(seed));
            return result;
        }
    }
    Ok(())
}

/// The seeds to run: the one that the environment pins, or those that have failed before and then
/// as many as it asks for.
fn seeds(failed: &[u64]) -> Result<impl Iterator<Item = u64>> {
    let (first, rest) = match (number_from("GLASSNET_SEED")?, number_from("GLASSNET_SEEDS")?) {
        (Some(seed), _) => (vec![seed], 0..0),
        (None, Some(0)) => {
            return Err("GLASSNET_SEEDS=0 would check nothing: give 1 or more".into());
        }
        (None, seeds) => (failed.to_vec(), 0..seeds.unwrap_or(SEEDS)),
    };
    let have_run = first.clone();
    Ok(first.into_iter().chain(rest.filter(move |seed| !have_run.contains(seed))))
}

/// Keeps the seed of a test that panics.
struct Failing<'r> {
    regressions: &'r Regressions,
    seed: u64,
}

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        tell(self.regressions.add(self.seed));
    }
}

fn tell(line: Option<String>) {
    if let Some(line) = line {
        eprintln!("{line}");
    }
}

/// Read before a world begins, so that nothing inside one depends on it.
#[allow(clippy::disallowed_methods)]
fn number_from(variable: &str) -> Result<Option<u64>> {
    let Ok(text) = std::env::var(variable) else { return Ok(None) };
    let number = text.trim().parse();
    number.map(Some).map_err(|_| format!("{variable}={text:?} is not a number").into())
}
