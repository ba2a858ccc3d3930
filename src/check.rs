//! One test under many seeds.

pub mod attribute;
mod counts;
mod determinism;
mod difference;
mod regressions;
mod seeds;
mod threads;

use std::num::NonZeroUsize;
use std::panic::{Location, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use self::counts::Failed;
use self::determinism::Call;
use self::regressions::Regressions;
use self::seeds::{Asked, Wanted};
use self::threads::Plan;
use crate::error::Result;
use crate::world::{Journal, Sim, WallLimit, replay_command, test_name};

/// Runs a test under several seeds: each in a world of its own, which `test` builds and runs.
///
/// `GLASSNET_SEEDS=500` runs 500 of them, from 0; `GLASSNET_SEED=7` runs that one alone, which is
/// what the report of a failure tells to do. The default is 10 seeds. They run on all processors,
/// each in a thread of its own, so that none depends on what ran before it. Of several failures the
/// one with the earliest seed is returned, also when another ended first. Where several seeds panic at
/// once each prints its report, and the last line names the one that counts. `GLASSNET_DETERMINISM=1` runs each seed in a second
/// process and compares the two: see [`Check::determinism`]. Captures need a path for each seed:
/// [`Sim::seed`] tells it. [`Check`] sets the same things in code, and
/// [`#[glassnet::test]`](macro@crate::test) is shorter.
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
/// Seeds that have failed come first. They are kept in a file for each source file that calls
/// `check`, `glassnet-regressions/tests/name.txt` for `tests/name.rs`, beside the `Cargo.toml` of
/// the package that Cargo tests: a line for each, with the name of the test. It is meant to be kept
/// under version control, so that everybody tries what failed once. `GLASSNET_REGRESSIONS`
/// names another directory for such files; when it is empty, none are read or written. A file that
/// cannot be read or written is no error, but standard error says so. It also says how many seeds
/// passed.
///
/// # Errors
/// The error that `test` returns under the first seed, in the order in which they are started, that
/// fails. It is a [`RunError`](crate::RunError), which tells the seed: that of the run, or one whose
/// [`source`](std::error::Error::source) is what `test` returned. Also when `test` has not run the
/// world, and when one of the variables is not a number.
///
/// # Panics
/// When `test` does under that seed; the seed and the report are printed to standard error first.
#[track_caller]
pub fn check(test: impl Fn(&mut Sim) -> Result + Sync) -> Result {
    Check::new().run(test)
}

/// How a test is run under several seeds: [`check()`] with settings. What the environment says goes
/// before them.
///
/// ```
/// use std::time::Duration;
///
/// use glassnet::Check;
///
/// Check::new().seeds(100).wall_limit(Duration::from_secs(60)).run(|sim| {
///     sim.client("client", async { Ok(()) });
///     sim.run()
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a check does nothing until it is run"]
pub struct Check {
    asked: Asked,
    forgets: bool,
    time_limit: Option<Duration>,
    wall_limit: Option<Duration>,
    /// That of the test, where it is known.
    name: Option<String>,
}

impl Check {
    /// Ten seeds, on all processors, until one fails.
    pub fn new() -> Check {
        Check::default()
    }

    /// This seed alone; `GLASSNET_SEED` goes before it. Failed seeds are neither read nor kept.
    pub fn seed(mut self, seed: u64) -> Check {
        self.asked.seed = Some(seed);
        self
    }

    /// So many seeds, from 0, beside those that have failed before; `GLASSNET_SEEDS` goes before it.
    pub fn seeds(mut self, count: u64) -> Check {
        self.asked.seeds = Some(count);
        self
    }

    /// Whether all seeds run, also when some fail, and failures are counted: standard error has a line
    /// for each. Default off, unless `GLASSNET_KEEP_GOING=1` is in the environment.
    pub fn keep_going(mut self, on: bool) -> Check {
        self.asked.keeps_going = on;
        self
    }

    /// Whether each seed is run a second time, in another process: the check fails with
    /// [`Failure::Differs`](crate::Failure::Differs) when the two runs are not the same. Default off,
    /// unless `GLASSNET_DETERMINISM=1` is in the environment, which does this for every check of
    /// `cargo test`.
    ///
    /// Compared are the frames, with time and contents, the states of connections, faults, timers,
    /// which task runs when, what it draws from [`rng()`](crate::rng()) and
    /// [`select!`](crate::select), and what the test itself comes to. The report names the first
    /// event that differs: its time and number, what it is in each process, its bytes where only
    /// these differ, the host, and the task that ran there, with the place where it was spawned. What may
    /// be the cause is in the [guide](crate::guide#what-makes-two-runs-of-one-seed-differ).
    ///
    /// The other process is this program, called again. Of a test it gets the name, as `libtest` and
    /// cargo-nextest take it; a program that is none, or has a harness of its own that gives threads
    /// no names of tests, gets the arguments that this one got, and what it does before the check is
    /// done again. It is ended as soon as the seed has run. Its output is not seen, and it leaves no
    /// [last frames](Sim::last_frames); captures that the test makes are made again, at the same paths.
    ///
    /// What is not seen: worlds other than the one that the test is given, sockets and channels
    /// between the tasks of one host as long as tasks run in the same order, and what happens in
    /// threads. A journal takes up to 4 MiB in the folder for temporary files until the seed has
    /// been compared; a run that is longer is run again, for the part that differs. On other systems
    /// than Unix and Windows there is no such check, and asking for it is an error.
    pub fn determinism(mut self, on: bool) -> Check {
        self.asked.determinism = on;
        self
    }

    /// Whether seeds that have failed are run first and kept: they are, unless this says `false`, as
    /// for a test that is meant to fail.
    pub fn regressions(mut self, keep: bool) -> Check {
        self.forgets = !keep;
        self
    }

    /// Runs up to so many seeds at once, instead of one for each processor; 0 is the same as 1.
    /// `GLASSNET_THREADS` goes before it.
    pub fn threads(mut self, threads: usize) -> Check {
        self.asked.threads = Some(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN));
        self
    }

    /// How much virtual time each world has, until the test itself says otherwise: see
    /// [`Sim::time_limit`].
    pub fn time_limit(mut self, limit: Duration) -> Check {
        self.time_limit = Some(limit);
        self
    }

    /// How much real time all seeds have together. A run that still goes on then fails with
    /// [`Failure::WallLimit`](crate::Failure::WallLimit), and no other is started. If a test does
    /// not end after as long again, because it is not in a run, the process is aborted.
    pub fn wall_limit(mut self, limit: Duration) -> Check {
        self.wall_limit = Some(limit);
        self
    }

    /// Runs the test.
    ///
    /// # Errors
    /// As [`check()`].
    ///
    /// # Panics
    /// As [`check()`].
    #[track_caller]
    pub fn run(self, test: impl Fn(&mut Sim) -> Result + Sync) -> Result {
        let caller = Location::caller();
        let wanted = Wanted::of(&self.asked)?;
        let name = self.name.clone().or_else(test_name);
        let call = Call::at(caller, name.as_deref());
        let regressions = match wanted.is_in_code || self.forgets {
            true => Regressions::none(),
            false => Regressions::read(caller, name.as_deref()),
        };
        let wall = self.wall_limit.map(|limit| Arc::new(WallLimit::new(limit)));
        let run_world = |seed: u64, journal: Option<Journal>, repeats: bool| {
            let mut sim = Sim::new(seed);
            if let Some(journal) = journal {
                sim.keep_journal(journal);
            }
            if repeats {
                sim.leaves_nothing();
            }
            if !wanted.is_in_code {
                sim.set_seed_from_environment();
            }
            if let Some(limit) = self.time_limit {
                sim.time_limit(limit);
            }
            if let Some(wall) = &wall {
                sim.set_wall_limit(wall.clone());
            }
            let result = test(&mut sim);
            sim.judge(result)
        };
        let repeat = determinism::asked_to_repeat()?;
        let run = |seed: u64| match &repeat {
            Some(repeat) if repeat.is_of(&call) => {
                repeat.run_and_exit(|journal| run_world(seed, Some(journal), true))
            }
            None if wanted.determinism => {
                let replay = || replay_command(seed, !wanted.is_in_code);
                let run = |journal| run_world(seed, Some(journal), false);
                determinism::check(seed, &call, name.as_deref(), replay, run)
            }
            _ => run_world(seed, None, false),
        };
        let plan = Plan {
            threads: wanted.threads,
            keeps_going: wanted.keeps_going,
            name: name.as_deref(),
            wall: wall.as_deref(),
        };
        let counts = match &repeat {
            Some(repeat) if repeat.is_of(&call) => plan.run(std::iter::once(repeat.seed), &run),
            _ => plan.run(wanted.seeds(&regressions.seeds), &run),
        };
        for line in counts.to_keep(wanted.keeps_going).filter_map(|seed| regressions.add(seed)) {
            eprintln!("{line}");
        }
        eprintln!("{}", counts.summary(wanted.keeps_going));
        match counts.into_first() {
            None => Ok(()),
            Some(Failed::With(error)) => Err(error),
            Some(Failed::Panicked(payload)) => resume_unwind(payload),
            Some(Failed::NotRun) => {
                let limit = self.wall_limit.unwrap_or_default();
                Err(format!(
                    "not every seed has run within {limit:?} of real time, the limit \
                     (Check::wall_limit, or `wall` of #[glassnet::test]; fewer GLASSNET_SEEDS need less)"
                )
                .into())
            }
        }
    }

    /// The test is called so, by its path within the crate `path` begins with.
    fn named(mut self, path: &str) -> Check {
        self.name = path.split_once("::").map(|(_, test)| test.to_owned());
        self
    }
}
