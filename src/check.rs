//! One test under many seeds.

pub mod attribute;
mod counts;
mod determinism;
mod difference;
mod ended;
#[cfg(feature = "tokio")]
mod outcome;
#[cfg(feature = "tokio")]
mod process;
mod regressions;
mod repeat;
mod seeds;
mod threads;

use std::fs::File;
use std::num::NonZeroUsize;
use std::panic::{Location, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use self::counts::Failed;
use self::ended::Ended;
use self::regressions::Regressions;
use self::repeat::{Call, Repeat};
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
    #[cfg(feature = "tokio")]
    process: process::Settings,
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

    /// Hosts that the test names run on tokio, as after [`Sim::tokio`], and each seed has a
    /// [process](Check::process) of its own, unless `process(false)` says otherwise. The same as `tokio`
    /// in the brackets of [`#[glassnet::test]`](macro@crate::test).
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// glassnet::Check::new().tokio().seeds(3).run(|sim| {
    ///     sim.link("client", "server").loss(0.1);
    ///     sim.host("server", || async {
    ///         let listener = TcpListener::bind("0.0.0.0:12345").await?;
    ///         loop {
    ///             listener.accept().await?.0.write_all(b"Thank you for connecting").await?;
    ///         }
    ///     });
    ///     sim.client("client", async {
    ///         let mut greeting = String::new();
    ///         TcpStream::connect("server:12345").await?.read_to_string(&mut greeting).await?;
    ///         assert_eq!(greeting, "Thank you for connecting");
    ///         Ok(())
    ///     });
    ///     sim.run()
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "tokio")]
    pub fn tokio(mut self) -> Check {
        self.process.door = Some(crate::Door::Tokio);
        self
    }

    /// Whether each seed is run in a process of its own, as worlds of tokio's programs are by default:
    /// this program, called again for the test (`--exact NAME`), as cargo-nextest does it.
    ///
    /// In such a process the world is the first, its memory is at the same addresses in every run
    /// (without address space layout randomization), and its environment is no more than `PATH`, `HOME`,
    /// `TMPDIR`, `LD_LIBRARY_PATH`, what begins with `CARGO`, `RUST`, `NEXTEST` or `GLASSNET_`, the
    /// variables of sanitizers and of coverage, `TZ=UTC`, a setting that keeps aws-lc and OpenSSL from
    /// taking random numbers from the processor, and what [`env`](Check::env) adds. So a seed gives the same run in
    /// every process. What it prints is passed on. An error or a panic of the test is that of the check;
    /// of the error of a client or host only the text is kept. A process that crashes, or exits, fails the
    /// check with [`Failure::Process`](crate::Failure::Process), and one that is not done within
    /// the [`wall_limit`](Check::wall_limit) is ended.
    ///
    /// What the test does outside of the closure is done again in each process, up to the check.
    /// What the closure changes there, as a counter, is changed in the process of the seed, and not in
    /// this one. A process takes some milliseconds more than a world in this one.
    ///
    /// With `process(false)` worlds run in the process of the test, each in a thread of its own. That
    /// is faster, can be stepped through with a debugger, and counters of the test see all seeds. It
    /// costs: a crash ends all tests of the binary, and what is of the process (statics, the
    /// environment, addresses, tokio's own random numbers for `select!`, locks that other tests
    /// hold) is shared with what else runs there, so that the same seed need not give the same run.
    #[cfg(feature = "tokio")]
    pub fn process(mut self, on: bool) -> Check {
        self.process.is_wanted = Some(on);
        self
    }

    /// Sets a variable of the environment in the processes of the seeds. Without such processes it is an error.
    #[cfg(feature = "tokio")]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Check {
        self.process.environment.push((name.into(), value.into()));
        self
    }

    /// Where seeds have processes of their own: not in such a process.
    #[cfg(feature = "tokio")]
    #[allow(clippy::disallowed_methods, reason = "the clock is that of whoever waits for worlds")]
    fn processes<'c>(
        &'c self,
        is_repeat: bool,
        test: Option<&'c str>,
        wall: Option<&'c WallLimit>,
    ) -> Option<process::Processes<'c>> {
        let began = std::time::Instant::now();
        let is_wanted = !is_repeat && self.process.has_process();
        is_wanted.then_some(process::Processes { settings: &self.process, test, wall, began })
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
        #[cfg(feature = "tokio")]
        self.process.check()?;
        let name = self.name.clone().or_else(test_name);
        let call = Call::at(caller, name.as_deref());
        let repeat = repeat::asked_to_repeat()?.filter(|repeat| repeat.is_of(&call));
        let regressions = match wanted.is_in_code || self.forgets {
            true => Regressions::none(),
            false => Regressions::read(caller, name.as_deref()),
        };
        let left = repeat.as_ref().and_then(|repeat| repeat.time_left);
        let wall = self.wall_limit.map(|limit| {
            Arc::new(left.map_or(WallLimit::new(limit), |left| WallLimit::with_left(limit, left)))
        });
        let run_world = |seed: u64, journal: Option<Journal>, leaves_nothing: bool| {
            let mut sim = Sim::new(seed);
            if let Some(journal) = journal {
                sim.keep_journal(journal);
            }
            if leaves_nothing {
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
            #[cfg(feature = "tokio")]
            if let Some(door) = self.process.door {
                sim.door(door);
            }
            let result = test(&mut sim);
            sim.judge(result)
        };
        #[cfg(feature = "tokio")]
        let processes = self.processes(repeat.is_some(), name.as_deref(), wall.as_deref());
        let run = |seed: u64| {
            if let Some(repeat) = &repeat {
                let leaves_nothing = repeat.leaves_nothing;
                repeat.run_and_exit(|journal| run_world(seed, journal, leaves_nothing));
            }
            let repeat = |journal_from| Repeat {
                seed,
                journal_from,
                leaves_nothing: journal_from.is_some(),
                time_left: None,
                call: call.clone(),
            };
            let replay = || replay_command(seed, !wanted.is_in_code);
            #[cfg(feature = "tokio")]
            if let Some(processes) = &processes {
                return processes.check(repeat, wanted.determinism, &replay);
            }
            if !wanted.determinism {
                return run_world(seed, None, false);
            }
            let here = |repeat: &Repeat, file: &File| -> Result<Ended> {
                let journal = Journal::new(file.try_clone()?, repeat.journal_from.unwrap_or(0));
                Ok(repeat::run_with(journal, |journal| run_world(seed, Some(journal), false))?)
            };
            determinism::check(repeat(Some(0)), name.as_deref(), replay, |_| {}, here)
        };
        let plan = Plan {
            threads: wanted.threads,
            keeps_going: wanted.keeps_going,
            name: name.as_deref(),
            wall: wall.as_deref(),
        };
        let counts = match &repeat {
            Some(repeat) => plan.run(std::iter::once(repeat.seed), &run),
            None => plan.run(wanted.seeds(&regressions.seeds), &run),
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
