//! Which seeds are run, and how: what the environment says goes before what the code says.

use std::num::NonZeroUsize;

use crate::error::Result;

/// Seeds that are run when nobody asks for others.
const SEEDS: u64 = 10;

/// What the code asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// This seed alone.
    pub(super) seed: Option<u64>,
    /// So many seeds.
    pub(super) seeds: Option<u64>,
    pub(super) keeps_going: bool,
    pub(super) determinism: bool,
    pub(super) threads: Option<NonZeroUsize>,
}

/// What is asked for in all.
pub(super) struct Wanted {
    /// One alone.
    pub(super) only: Option<u64>,
    /// It is the code that asks for that one, so that a replay needs no variable.
    pub(super) is_in_code: bool,
    pub(super) keeps_going: bool,
    /// Each seed is run in another process, too.
    pub(super) determinism: bool,
    pub(super) threads: usize,
    count: u64,
}

impl Wanted {
    pub(super) fn of(asked: &Asked) -> Result<Wanted> {
        let pinned = number_from("GLASSNET_SEED")?;
        let count = number_from("GLASSNET_SEEDS")?;
        if count == Some(0) {
            return Err("GLASSNET_SEEDS=0 would check nothing: give 1 or more".into());
        }
        let count = count.or(asked.seeds).unwrap_or(SEEDS);
        if count == 0 {
            return Err("a check of 0 seeds would check nothing: give 1 or more".into());
        }
        let threads = match number_from("GLASSNET_THREADS")? {
            Some(threads) => usize::try_from(threads).unwrap_or(usize::MAX).max(1),
            None => asked.threads.or_else(processors).map_or(1, NonZeroUsize::get),
        };
        Ok(Wanted {
            only: pinned.or(asked.seed),
            is_in_code: pinned.is_none() && asked.seed.is_some(),
            keeps_going: asked.keeps_going || is_set("GLASSNET_KEEP_GOING"),
            determinism: asked.determinism || is_set("GLASSNET_DETERMINISM"),
            threads,
            count,
        })
    }

    /// The seeds: those that have `failed` before, and then the others.
    pub(super) fn seeds(&self, failed: &[u64]) -> impl Iterator<Item = u64> + use<> {
        let (first, rest) = match self.only {
            Some(seed) => (vec![seed], 0..0),
            None => (failed.to_vec(), 0..self.count),
        };
        let have_run = first.clone();
        first.into_iter().chain(rest.filter(move |seed| !have_run.contains(seed)))
    }
}

fn processors() -> Option<NonZeroUsize> {
    std::thread::available_parallelism().ok()
}

/// Read before a world begins, so that nothing inside one depends on it.
#[allow(clippy::disallowed_methods)]
fn number_from(variable: &str) -> Result<Option<u64>> {
    let Ok(text) = std::env::var(variable) else { return Ok(None) };
    let number = text.trim().parse();
    number.map(Some).map_err(|_| format!("{variable}={text:?} is not a number").into())
}

#[allow(clippy::disallowed_methods)]
fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|text| !matches!(text.trim(), "" | "0"))
}
