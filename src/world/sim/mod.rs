//! The simulated world, as it is built and run.
//!
//! - `world`: its state; `machine`: its hosts, up or down
//! - `setup`: what is said goes into its plan; `names`: what is said of names
//! - `run`: the loop; `pace`: whether it gets anywhere; `wall`: for how long, in real time;
//!   `delivery`: frames on their way
//! - `power`: starting hosts, and cutting their power; `fault`, `rules`: what is done to it on
//!   purpose; `desk`: where that is handed in; `faults` with `verbs` and `link_fault`: the handles of
//!   those who do; `held`: what they see of frames that are held
//! - `failure`, `report`, `replay`, `kept`: what a failed run says and leaves; `told`: the same for
//!   another process; `drops`: frames that died; `tables`: how much it holds; `looking`: what its
//!   hosts show of themselves
//! - `verdict`, `judge`: whether it has checked anything

mod delivery;
mod desk;
mod drops;
mod failure;
mod fault;
mod faults;
mod held;
mod judge;
mod kept;
mod link_fault;
mod link_handle;
mod looking;
mod machine;
mod names;
mod pace;
mod power;
mod replay;
mod report;
mod rules;
mod run;
mod setup;
mod tables;
#[cfg(feature = "tokio")]
mod told;
mod verbs;
mod verdict;
mod wall;
mod world;

use std::future::Future;
use std::io::{self, Write};
use std::net::IpAddr;
use std::panic::Location;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::capture::TlsSecrets;
use crate::error::Result;
use crate::host::HostOptions;
use crate::task::Schedule;
use crate::time::Instant;
use crate::world::core::journal::Journal;
use crate::world::core::observe::Event;

pub use self::failure::{Failure, RunError};
pub use self::faults::{FaultGuard, Faults, FaultsAt, GuardedFaults};
pub use self::held::HeldFrame;
pub(crate) use self::kept::test_name;
pub use self::link_fault::LinkFault;
pub use self::link_handle::LinkHandle;
pub(crate) use self::machine::MainFuture;
use self::machine::{Machine, Main};
#[cfg(feature = "tokio")]
pub(crate) use self::machine::{Outside, Runner};
pub(crate) use self::replay::{arguments_for_test, replay_command};
use self::run::Goal;
pub use self::tables::TableSizes;
pub(crate) use self::wall::WallLimit;
use self::world::World;

/// A simulated network: hosts, links, virtual time, one seed.
///
/// Hosts and links are named first; then [`Sim::run`] runs everything until the clients have
/// ended. The same seed gives the same bytes on every link, on every machine.
///
/// ```
/// use glassnet::{Sim, net::{TcpListener, TcpStream}};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let mut sim = Sim::new(7);
/// sim.host("server", || async {
///     let listener = TcpListener::bind("0.0.0.0:12345").await?;
///     loop {
///         let (mut stream, _) = listener.accept().await?;
///         stream.write_all(b"Thank you for connecting").await?;
///     }
/// });
/// sim.client("client", async {
///     let mut greeting = String::new();
///     TcpStream::connect("server:12345").await?.read_to_string(&mut greeting).await?;
///     assert_eq!(greeting, "Thank you for connecting");
///     Ok(())
/// });
/// sim.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What is set up wrongly (a name given twice, a probability of 2, a link to a host that does
/// not exist) is an error of the next run, which names it.
///
/// # Panics
/// When it is dropped with hosts or clients that have never run, or with a mistake in its setup that
/// no run has reported: a test that checks nothing must not be green. Where one of its methods has
/// returned an error it does not panic. A world that is dropped by a panic prints its report to
/// standard error, with the seed and the command that replays the run.
pub struct Sim {
    world: World,
    /// How the programs of the hosts to come are run, if not as tasks of the world.
    #[cfg(feature = "tokio")]
    runner: Option<Runner>,
}

impl Sim {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64) -> Sim {
        Sim {
            world: World::new(seed),
            #[cfg(feature = "tokio")]
            runner: None,
        }
    }

    /// How the programs of hosts that are named from now on are run, if not as tasks of the world.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_runner(&mut self, runner: Option<Runner>) {
        self.runner = runner;
    }

    /// Before nothing can happen any more, it is asked whether a thread outside of the world helps.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_outside(&mut self, outside: Outside) {
        self.world.outside = Some(outside);
    }

    /// Adds a host that runs `main` when the world runs. It may run for ever; if it returns an
    /// error, the run fails with it, at once. When it returns, the tasks that it has spawned end, as at
    /// the end of a process, and their sockets are closed; the machine stays up. `main` is a function,
    /// and not a future, so that a host that has crashed can be started again.
    ///
    /// Addresses are given in order of creation: 10.0.0.1, 10.0.0.2, …
    #[track_caller]
    pub fn host<M, F>(&mut self, name: &str, main: M) -> &mut Sim
    where
        M: Fn() -> F + 'static,
        F: Future<Output = Result> + 'static,
    {
        let main = Rc::new(main);
        #[cfg(feature = "tokio")]
        if let Some(runner) = self.runner {
            let main = move || {
                let main = main.clone();
                runner(Box::new(move || Box::pin(main())))
            };
            self.world.add_host(name, Main::Host(Rc::new(main)), Location::caller());
            return self;
        }
        let main = move || -> MainFuture { Box::pin(main()) };
        self.world.add_host(name, Main::Host(Rc::new(main)), Location::caller());
        self
    }

    /// Adds a host that runs `main` once. The run ends when all clients have, or at once when one
    /// returns an error. The tasks of a client end with its `main`, as those of a host do.
    #[track_caller]
    pub fn client<F>(&mut self, name: &str, main: F) -> &mut Sim
    where
        F: Future<Output = Result> + 'static,
    {
        #[cfg(feature = "tokio")]
        if let Some(runner) = self.runner {
            let main = runner(Box::new(move || Box::pin(main)));
            self.world.add_host(name, Main::Client(Some(main)), Location::caller());
            return self;
        }
        self.world.add_host(name, Main::Client(Some(Box::pin(main))), Location::caller());
        self
    }

    /// Sets the options of hosts for which [`host_options`](Sim::host_options) sets none. It comes
    /// before the first host; later it is an error of the next run.
    ///
    /// ```
    /// use glassnet::{HostOptions, Sim};
    ///
    /// let mut sim = Sim::new(7);
    /// sim.default_options(HostOptions::linux());
    /// sim.host("server", || async { Ok(()) }).client("client", async { Ok(()) });
    /// sim.run()?;
    /// # Ok::<(), glassnet::Error>(())
    /// ```
    pub fn default_options(&mut self, options: HostOptions) -> &mut Sim {
        self.world.set_default_options(options);
        self
    }

    /// Sets the options of a host's stack, before it first runs.
    pub fn host_options(&mut self, name: &str, options: HostOptions) -> &mut Sim {
        self.world.set_host_options(name, options);
        self
    }

    /// The link between two hosts, to set impairments for both directions. It starts with those
    /// of [`Impairments::default`](crate::Impairments::default). The hosts may come later.
    pub fn link<'s>(&'s mut self, a: &'s str, b: &'s str) -> LinkHandle<'s> {
        LinkHandle::new(&mut self.world, a, b, true)
    }

    /// One direction of the link between two hosts.
    pub fn one_way<'s>(&'s mut self, from: &'s str, to: &'s str) -> LinkHandle<'s> {
        LinkHandle::new(&mut self.world, from, to, false)
    }

    /// Captures what passes a host's interface into a pcapng file, as tcpdump there would see it.
    /// A path that ends in `.pcap` gets a classic pcap file (with nanoseconds), for tools that read
    /// nothing newer: it holds the frames alone, and neither comments nor states, names, secrets of
    /// TLS and the seed.
    ///
    /// The file is written 64 KiB at a time, each second of the wall clock, at the end of each run,
    /// and, on Linux, when the process exits. So it is whole after a panic and after
    /// [`std::process::exit`], and lacks no more than the last second when the process is killed. It
    /// ends with a whole block, also where the disk is full; but SIGKILL may come in the middle of a
    /// write, and cut the last one.
    ///
    /// # Errors
    /// When the file cannot be made, or is a link or something other than a capture of glassnet's, which
    /// is never overwritten ([`AlreadyExists`](io::ErrorKind::AlreadyExists)). An error of
    /// writing it is an error of the run.
    pub fn capture(&mut self, host: &str, path: impl AsRef<Path>) -> io::Result<()> {
        let captured = self.world.capture_host(host, path.as_ref());
        self.world.verdict.note_setup(captured)
    }

    /// Captures a link, tapped at the sender's side: each transmission once, those that the
    /// link drops included, with a comment that says why.
    ///
    /// # Errors
    /// Those of [`Sim::capture`].
    pub fn capture_link(&mut self, a: &str, b: &str, path: impl AsRef<Path>) -> io::Result<()> {
        let captured = self.world.capture_link(a, b, path.as_ref());
        self.world.verdict.note_setup(captured)
    }

    /// Captures what passes a host's interface into anything that takes bytes, which errors call
    /// `name`; pcapng. It is written when a file is: in the thread that runs the world, or in one
    /// that flushes each second; and flushed at the end of each run. An error of writing it is an error of the run.
    ///
    /// ```
    /// # use glassnet::Sim;
    /// # let mut sim = Sim::new(7);
    /// # sim.client("client", async { Ok(()) });
    /// sim.capture_to("client", "standard error", std::io::stderr());
    /// # sim.run().unwrap();
    /// ```
    pub fn capture_to(
        &mut self,
        host: &str,
        name: &str,
        writer: impl Write + Send + 'static,
    ) -> &mut Sim {
        self.world.capture_host_to(host, name, Box::new(writer));
        self
    }

    /// Captures a link as [`Sim::capture_link`] does, into anything that takes bytes, as
    /// [`Sim::capture_to`] does.
    pub fn capture_link_to(
        &mut self,
        a: &str,
        b: &str,
        name: &str,
        writer: impl Write + Send + 'static,
    ) -> &mut Sim {
        self.world.capture_link_to(a, b, name, Box::new(writer));
        self
    }

    /// Whether captures that are asked for from now on have rows for what is no frame: the states
    /// of connections, faults, what never left its host. Default: they have. Without them
    /// `editcap -F pcap` takes the file, which cannot say such things.
    pub fn capture_events(&mut self, captures_events: bool) -> &mut Sim {
        self.world.captures_events = captures_events;
        self
    }

    /// Where to put TLS secrets so that every capture of this world, also one that begins later,
    /// can be decrypted.
    #[must_use]
    pub fn tls_secrets(&self) -> TlsSecrets {
        self.world.captures.secrets().clone()
    }

    /// Calls `observer` for every frame, every change of a connection's state and every fault, instead
    /// of the one that was given before.
    pub fn observe(&mut self, observer: impl FnMut(&Event<'_>) + 'static) -> &mut Sim {
        self.world.observe(Box::new(observer));
        self
    }

    /// Changes how many events the world may handle in all before a run is called endless, and how
    /// many times tasks may run in one instant; the default is 20 million.
    pub fn event_limit(&mut self, events: u64) -> &mut Sim {
        self.world.plan.limits.events = events;
        self
    }

    /// Changes how many times in a row tasks may run at one instant to no effect, before the run fails
    /// because one of them spins; the default is a million. To no effect are yields, wake-ups of other
    /// tasks, spawns and ends of tasks, and operations that are ready at once and change nothing, such
    /// as timers that have elapsed and reads at the end of a stream.
    ///
    /// When bytes move in between, as between two sockets of one host, the limit of an instant is
    /// that of [`Sim::event_limit`].
    pub fn poll_limit(&mut self, polls: u64) -> &mut Sim {
        self.world.plan.limits.polls = polls;
        self
    }

    /// Changes how much virtual time [`Sim::run`] gives the clients, counted from its call; the
    /// default is one hour. `Duration::MAX` is no limit. [`Sim::run_for`] runs for as long as it
    /// says.
    pub fn time_limit(&mut self, limit: Duration) -> &mut Sim {
        self.world.plan.limits.time = limit;
        self
    }

    /// Changes how long one poll of a task may last in real time, before the first run; the
    /// default is 30 seconds, and `Duration::MAX` is no limit. A poll that lasts longer cannot be
    /// ended from outside: a thread that watches writes to standard error which task it is, and
    /// aborts the process. It does not count while the process is stopped, as by a debugger.
    ///
    /// `GLASSNET_WATCHDOG` in the environment, in seconds, or `off`, goes before this.
    pub fn watchdog(&mut self, limit: Duration) -> &mut Sim {
        self.world.plan.limits.poll_time = limit;
        self
    }

    /// Changes how many of the last frames of each host a run that fails, or a panic, leaves as
    /// pcapng files; the default is 10,000, and 0 leaves none. The report says where they are: in
    /// the folder `glassnet` of Cargo's `target`, named after package, program, test, seed and host.
    ///
    /// Of a frame longer than 512 bytes they hold the first 128, and where there are more than 50
    /// hosts, each has fewer frames. A host with a [capture](Sim::capture) of its own, which is
    /// whole, has none; so has every host when `GLASSNET_PCAP_DIR` names a directory for captures.
    pub fn last_frames(&mut self, frames: usize) -> &mut Sim {
        self.world.log.recorder.set_frames(frames);
        self
    }

    /// Whether a run fails when a task returns an error that nobody takes, because its handle was
    /// dropped ([`spawn`](crate::spawn) says which errors can be seen), and whether it is an error to
    /// drop the world before every client has ended. Default off: both are only logged as warnings.
    pub fn strict(&mut self, strict: bool) -> &mut Sim {
        self.world.verdict.set_strict(strict);
        self
    }

    /// Whether a panic of a spawned task is its own: its handle gives a
    /// [`JoinError`](crate::task::JoinError) that [is a panic](crate::task::JoinError::is_panic),
    /// and the run goes on, as in tokio. Default off: it ends the run. A panic that nobody takes,
    /// because the handle was dropped, is an error as [`spawn`](crate::spawn) says: logged, named in
    /// the report of a run that fails, and one of a [strict](Sim::strict) run. A panic of a host's or
    /// a client's main function always ends the run.
    pub fn isolate_panics(&mut self, isolate: bool) -> &mut Sim {
        self.world.tasks.executor.isolate_panics(isolate);
        self
    }

    /// The order in which tasks run that could all run at this moment; the default is
    /// [`Schedule::Fifo`]. Random order, drawn from the seed, finds what is right in one order only;
    /// timers that are due at the same moment then fire together. To be said before the first run.
    ///
    /// ```
    /// use glassnet::{Schedule, Sim};
    ///
    /// let mut sim = Sim::new(7);
    /// sim.schedule(Schedule::Random);
    /// sim.client("client", async { Ok(()) });
    /// sim.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn schedule(&mut self, schedule: Schedule) -> &mut Sim {
        self.world.set_schedule(schedule);
        self
    }

    /// Runs until all clients have ended, and the connections they closed have delivered what
    /// was written.
    ///
    /// # Errors
    /// A [`RunError`](crate::RunError): with the first error that a client or a host's main
    /// function returned, as soon as it does; when nothing can ever happen again though a client
    /// has not ended; when a [limit](Sim::time_limit) of time, [events](Sim::event_limit) or
    /// [polls](Sim::poll_limit) is passed; when the world was set up wrongly; when there is no
    /// client, unless [`Sim::run_for`] came before; when a capture could not be written; or when an
    /// earlier run has failed.
    ///
    /// # Panics
    /// When a task panics; the report is printed to standard error first.
    pub fn run(&mut self) -> Result {
        Ok(self.world.run_and_judge(Goal::Clients).map(drop)?)
    }

    /// Runs for a time, whether or not the clients have ended.
    ///
    /// # Errors
    /// As [`Sim::run`], but waiting for ever is none, and there is no limit of time.
    ///
    /// # Panics
    /// As [`Sim::run`].
    pub fn run_for(&mut self, duration: Duration) -> Result {
        Ok(self.world.run_and_judge(Goal::For(duration)).map(drop)?)
    }

    /// Runs until `is_so` says that it is. It is asked before the first event, and after each
    /// [step](Sim::step), so that the clock stands where it has become so. Returns true then; and
    /// false when it has not and the run has nothing to go on for: when all clients have ended, as
    /// for [`Sim::run`], or, in a world without clients, when nothing can ever happen again.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    ///
    /// use glassnet::{Sim, time::sleep};
    ///
    /// let mut sim = Sim::new(7);
    /// let rounds = Rc::new(Cell::new(0));
    /// let counted = rounds.clone();
    /// sim.client("client", async move {
    ///     for _ in 0..10 {
    ///         sleep(Duration::from_secs(1)).await;
    ///         counted.set(counted.get() + 1);
    ///     }
    ///     Ok(())
    /// });
    /// assert!(sim.run_until(|| rounds.get() == 3)?);
    /// assert_eq!(sim.now().since_start(), Duration::from_secs(3));
    /// sim.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Sim::run`], with [`Failure::ConditionLimit`] instead of the limit of time; a world
    /// without clients is none.
    ///
    /// # Panics
    /// As [`Sim::run`].
    pub fn run_until(&mut self, mut is_so: impl FnMut() -> bool) -> Result<bool> {
        Ok(self.world.run_and_judge(Goal::Until(&mut is_so))?)
    }

    /// Lets the next event happen, and all that tasks and hosts do because of it at the same moment.
    /// The first step starts the hosts before. An event is a timer, a host's deadline, a fault, or
    /// the frames that reach one host in one instant, up to 64: those it takes in together, as a
    /// network card hands them over, unless one changes a connection's state. A run consists of these
    /// steps. The clock moves to the event; [`Sim::now`] tells it.
    ///
    /// Returns false when there is none, because nothing can ever happen again. It takes no notice
    /// of whether clients have ended.
    ///
    /// # Errors
    /// As [`Sim::run_for`].
    ///
    /// # Panics
    /// As [`Sim::run`].
    pub fn step(&mut self) -> Result<bool> {
        Ok(self.world.run_and_judge(Goal::Step)?)
    }

    /// The seed of the world.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.world.plan.seed.0
    }

    /// The time of the world.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// The address of a host, or of another name of the world: that of IPv4, unless
    /// [`Sim::ip_version`] says otherwise.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<IpAddr> {
        self.world.names.address_of(name)
    }

    /// Segments that hosts have sent again so far.
    #[must_use]
    pub fn retransmissions(&self) -> u64 {
        self.world.machines.all().iter().map(Machine::retransmissions).sum()
    }

    /// Events handled so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.world.events
    }

    /// The report of a failure will say that the environment chooses the seed.
    pub(crate) fn set_seed_from_environment(&mut self) {
        self.world.verdict.set_seed_from_environment();
    }

    /// Keeps a journal of everything that happens. To be called first.
    pub(crate) fn keep_journal(&mut self, journal: Journal) {
        self.world.keep_journal(journal);
    }

    /// This run only repeats another, and leaves no files of its own about a failure.
    pub(crate) fn leaves_nothing(&mut self) {
        self.world.kept.leave_nothing();
    }

    /// Gives the world only so much real time.
    pub(crate) fn set_wall_limit(&mut self, wall: Arc<WallLimit>) {
        self.world.wall = Some(wall);
    }

    /// What a test under this seed comes to: its own error gets the report of the world, unless
    /// it has it already, and a success that checked nothing is none.
    pub(crate) fn judge(&mut self, result: Result) -> Result {
        self.world.judge(result)
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = formatter.debug_struct("Sim");
        debug.field("seed", &self.seed()).field("now", &self.now()).finish_non_exhaustive()
    }
}
