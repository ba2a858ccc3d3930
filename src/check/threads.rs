//! Running seeds at once, each in a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use super::counts::{Counts, Failed};
use crate::error::Result;
use crate::world::WallLimit;

/// How seeds are run.
pub(super) struct Plan<'p> {
    /// How many at once.
    pub(super) threads: usize,
    pub(super) keeps_going: bool,
    /// What the threads are called: as the test, so that all that names a test by its thread does.
    pub(super) name: Option<&'p str>,
    pub(super) wall: Option<&'p WallLimit>,
}

impl Plan<'_> {
    /// Runs `test` under each seed, until one fails or all have been run.
    pub(super) fn run(
        &self,
        mut seeds: impl Iterator<Item = u64>,
        test: &(impl Fn(u64) -> Result + Sync),
    ) -> Counts {
        let mut counts = Counts::default();
        let clock = Stopwatch::start(self.wall);
        // The subscriber of this thread hears of what happens in those.
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let run = |seed: u64| {
            let _dispatched = tracing::dispatcher::set_default(&dispatch);
            match catch_unwind(AssertUnwindSafe(|| test(seed))) {
                Ok(ended) => ended.map_err(Failed::With),
                Err(payload) => Err(Failed::Panicked(payload)),
            }
        };
        thread::scope(|scope| {
            let (tell, hear) = channel();
            let (mut place, mut running) = (0_u64, 0);
            loop {
                if clock.is_up() {
                    clock.stop_runs();
                }
                while running < self.threads && !self.stops(&counts, &clock) {
                    let Some(seed) = seeds.next() else { break };
                    let (tell, run, this) = (tell.clone(), &run, place);
                    place += 1;
                    running += 1;
                    let work = move || drop(tell.send((this, seed, run(seed))));
                    if self.builder().spawn_scoped(scope, work.clone()).is_err() {
                        // Where there is no other thread this one will do.
                        work();
                    }
                }
                if running == 0 {
                    return;
                }
                match hear.recv_timeout(clock.left()) {
                    Ok((place, seed, ended)) => {
                        running -= 1;
                        counts.note(place, seed, ended);
                    }
                    Err(RecvTimeoutError::Timeout) => clock.time_is_up(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        if clock.is_up()
            && (self.keeps_going || !counts.has_failures())
            && let Some(seed) = seeds.next()
        {
            counts.note(u64::MAX, seed, Err(Failed::NotRun));
        }
        counts
    }

    fn stops(&self, counts: &Counts, clock: &Stopwatch<'_>) -> bool {
        (counts.has_failures() && !self.keeps_going) || clock.is_up()
    }

    fn builder(&self) -> Builder {
        match self.name {
            Some(name) => Builder::new().name(name.to_owned()),
            None => Builder::new(),
        }
    }
}

/// Real time, where it is limited.
struct Stopwatch<'w> {
    wall: Option<&'w WallLimit>,
    began: Instant,
}

impl Stopwatch<'_> {
    #[allow(clippy::disallowed_methods, reason = "the clock is that of whoever waits for worlds")]
    fn start(wall: Option<&WallLimit>) -> Stopwatch<'_> {
        Stopwatch { wall, began: Instant::now() }
    }

    fn is_up(&self) -> bool {
        self.wall.is_some_and(|wall| self.began.elapsed() >= wall.left())
    }

    /// How long to wait for the next to end: until the limit, and then as long again.
    fn left(&self) -> Duration {
        let Some(wall) = self.wall else { return Duration::from_secs(1 << 30) };
        let passed = self.began.elapsed();
        let until = if passed < wall.left() { wall.left() } else { wall.left() + wall.limit() };
        until.saturating_sub(passed)
    }

    /// Ends the runs that go on.
    fn stop_runs(&self) {
        if let Some(wall) = self.wall {
            wall.time_is_up();
        }
    }

    /// Nothing has ended until the limit, or as long after it.
    fn time_is_up(&self) {
        let Some(wall) = self.wall else { return };
        if self.began.elapsed() >= wall.left() + wall.limit() {
            use std::io::Write as _;
            let limit = wall.limit();
            let text = format!(
                "glassnet: a test has not ended after {limit:?} of real time, its limit, nor after \
                 as long again. It is in no run that could be ended.\nThe process is aborted.\n"
            );
            // Not by `eprintln`, which a test's harness would keep for a test that never ends.
            let _ = std::io::stderr().write_all(text.as_bytes());
            std::process::abort();
        }
        wall.time_is_up();
    }
}
