//! One test under many seeds.

use crate::error::Result;
use crate::world::Sim;

/// Seeds that [`check`] runs when the environment asks for no others.
const SEEDS: u64 = 10;

/// Runs a test under several seeds: each in a world of its own, which `test` builds and runs.
///
/// `GLASSNET_SEEDS=500` runs 500 of them, from 0; `GLASSNET_SEED=7` runs that one alone, which is
/// what the report of a failure tells to do. The default is 10 seeds.
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
pub fn check(mut test: impl FnMut(&mut Sim) -> Result) -> Result {
    let seeds = match (number_from("GLASSNET_SEED")?, number_from("GLASSNET_SEEDS")?) {
        (Some(seed), _) => seed..=seed,
        (None, Some(0)) => {
            return Err("GLASSNET_SEEDS=0 would check nothing: give 1 or more".into());
        }
        (None, seeds) => 0..=seeds.unwrap_or(SEEDS) - 1,
    };
    for seed in seeds {
        let mut sim = Sim::new(seed);
        sim.set_seed_from_environment();
        let result = test(&mut sim);
        sim.judge(result)?;
    }
    Ok(())
}

/// Read before a world begins, so that nothing inside one depends on it.
#[allow(clippy::disallowed_methods)]
fn number_from(variable: &str) -> Result<Option<u64>> {
    let Ok(text) = std::env::var(variable) else { return Ok(None) };
    let number = text.trim().parse();
    number.map(Some).map_err(|_| format!("{variable}={text:?} is not a number").into())
}
