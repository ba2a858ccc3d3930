//! A network made of glass: hosts that run a real TCP/IP stack in user space, joined by links
//! you control, every frame visible in Wireshark.
//!
//! # A first test
//!
//! A world is built of hosts and links, runs ordinary async socket code on virtual time, and
//! gives the same bytes for the same seed:
//!
//! ```
//! use std::time::Duration;
//!
//! use glassnet::{Sim, net::{TcpListener, TcpStream}};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # fn a_greeting_survives_ten_percent_loss() -> glassnet::Result {
//! let mut sim = Sim::new(7); // the seed
//! sim.link("client", "server").delay(Duration::from_millis(20)).loss(0.10);
//! sim.host("server", || async {
//!     let listener = TcpListener::bind("0.0.0.0:12345").await?;
//!     loop {
//!         let (mut stream, peer) = listener.accept().await?;
//!         println!("Got connection from {peer}");
//!         stream.write_all(b"Thank you for connecting").await?;
//!     }
//! });
//! sim.client("client", async {
//!     let mut stream = TcpStream::connect("server:12345").await?;
//!     let mut greeting = String::new();
//!     stream.read_to_string(&mut greeting).await?;
//!     assert_eq!(greeting, "Thank you for connecting");
//!     Ok(())
//! });
//! sim.run()
//! # }
//! # a_greeting_survives_ten_percent_loss().unwrap();
//! ```
//!
//! # The tour
//!
//! 1. [`Sim`] is the world: [`host`](Sim::host) and [`client`](Sim::client) add machines,
//!    [`link`](Sim::link) sets what the path between two of them does to frames
//!    ([`Impairments`], in the words of `tc-netem(8)`), [`run`](Sim::run) runs until the clients
//!    have ended, or fails with a [`RunError`] that says what everybody waited for.
//! 2. [`net`] has the sockets: tokio's names, signatures and error kinds. A file written for
//!    `tokio::net` runs after changing one import. [`net::names`] resolves names: from
//!    `/etc/hosts`, or over the network once [`Sim::dns`] has added a server.
//! 3. [`time`] has `sleep`, `timeout`, `interval`, `Instant` and `SystemTime` on the world's clock,
//!    and [`spawn`] and [`task`] start tasks, which belong to the host whose task calls them:
//!    tokio's names again, [`select!`] included.
//! 4. Faults on purpose: [`Sim::partition`] and [`heal`](Sim::heal), [`hold`](Sim::hold) and
//!    [`release`](Sim::release), [`crash`](Sim::crash) and [`bounce`](Sim::bounce): between two runs
//!    ([`run_for`](Sim::run_for), [`run_until`](Sim::run_until), [`step`](Sim::step)), at a time
//!    ([`Sim::at`]), from inside tasks and until a guard is dropped ([`Sim::faults`]).
//! 5. Looking at it: [`Sim::capture`] writes what a host's interface sees, and
//!    [`Sim::capture_link`] what a link carries and what it loses, as pcapng for Wireshark;
//!    [`Sim::observe`] calls a function for every frame and state change. `tracing` is told the
//!    rest, in a span of each host; feature `tracing-subscriber` has a timer for its logs.
//! 6. [`#[glassnet::test]`](macro@test), [`check()`] and [`Check`] run a test under many seeds on all
//!    processors, those that have failed before first. `GLASSNET_SEED` pins one, `GLASSNET_SEEDS` asks
//!    for more, `GLASSNET_KEEP_GOING` counts what fails, `GLASSNET_DETERMINISM` runs each in two processes
//!    and compares, `GLASSNET_THREADS` says how many run at
//!    once, `GLASSNET_PCAP_DIR` keeps a capture of each host of every world, and `GLASSNET_WATCHDOG`
//!    says how many seconds a task may keep the thread, or `off`. Without a capture, a run that fails leaves the
//!    [last frames](Sim::last_frames) of each host.
//! 7. [`guide`] is about other people's libraries: what runs here as it is, what needs glue (for
//!    hyper, rustls and tracing-subscriber it is here, behind features of those names), and what
//!    does not work.
//! 8. [`peer`] has one host and the other end of its link in your hands, for a stack, a driver or a
//!    bug report: frames in and out, and time, by calls. [`packetdrill`] runs packetdrill's scripts
//!    against it, as `glassnet packetdrill` does.
//!    With the feature `tokio`, `Sim::tokio` makes a world for programs that use tokio itself.
//! 9. [`greeting`] is the application of the sockets tutorials, and the example to read first.
#![cfg_attr(
    target_os = "linux",
    doc = "10. [`Live`] runs the same application on the wall clock, attached to a TAP device of the \
           kernel or to a cable between processes: against real kernels, real Python, real curl."
)]
//!
//! # What is real, and what is not
//!
//! TCP is real. Each end of a connection is a whole stack ([`smoltcp`](https://docs.rs/smoltcp), with
//! its known defects repaired) that writes segments and reads them back: with retransmission,
//! windows, congestion control, RST and TIME-WAIT, and with checksums wherever somebody looks. A
//! write is tested against Nagle's algorithm and leaves in the call, so that two writes with
//! `set_nodelay` are two segments. ARP and Ethernet are real as well.
//!
//! The network between the hosts is a model: one LAN, an ideal switch, and for each pair of hosts a
//! path with impairments.
//!
//! # Determinism
//!
//! A run depends on its seed and on the code of its tasks, and on nothing else: not on the
//! machine, the wall clock, or threads. Each direction of a
//! link, each host's stack, and each host's applications ([`rng()`]) draw from a random stream of
//! their own, so adding a host changes nothing for the others. [`select!`] has one on each host, and
//! [`Sim::schedule`] one for a random order of tasks.
//!
//! Your own code can still do something at random: iterate a `HashMap`, use `tokio::select!` without
//! `biased;`, read the clock of `std`, start threads. The [guide](guide#what-makes-two-runs-of-one-seed-differ)
//! has a table of such things, each with its remedy, and [`Check::determinism`] finds them: it runs each
//! seed in two processes and names the first event that differs.

mod capture;
mod check;
mod clock;
#[cfg(target_os = "linux")]
mod device;
mod error;
pub mod greeting;
pub mod guide;
mod host;
#[cfg(feature = "hyper")]
pub mod hyper;
pub mod net;
mod network;
pub mod packetdrill;
pub mod peer;
mod rng;
#[cfg(feature = "rustls")]
pub mod rustls;
#[cfg(feature = "tokio")]
mod seam;
mod select;
pub mod task;
mod tcp;
pub mod time;
#[cfg(feature = "tracing-subscriber")]
pub mod tracing_subscriber;
mod wire;
mod world;

#[doc(hidden)]
pub use glassnet_macros as __macros;
/// Makes a test of a function that is given a world, and runs it under several seeds.
///
/// ```
/// use glassnet::{Sim, greeting};
///
/// #[glassnet::test]
/// fn a_greeting_survives_loss(sim: &mut Sim) -> glassnet::Result {
///     sim.link("client", "server").loss(0.1);
///     sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
///     sim.client("client", async { Ok(greeting::greet("server:12345").await.map(drop)?) });
///     sim.run()
/// }
/// ```
///
/// It does what [`check()`] does: ten seeds, on all processors, those that have failed before first,
/// with the same variables in the environment. An `async` function that takes nothing is the main
/// function of the only host of a world, which is called `test`. There the attribute replaces
/// `#[tokio::test]`:
///
/// ```
/// use glassnet::net::{TcpListener, TcpStream};
///
/// #[glassnet::test(seed = 7)]
/// async fn a_connection_to_oneself() -> std::io::Result<()> {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let connects = glassnet::spawn(TcpStream::connect(listener.local_addr()?));
///     listener.accept().await?;
///     connects.await??;
///     Ok(())
/// }
/// ```
///
/// Either returns nothing or a `Result` with any error that converts into [`Error`].
///
/// | in brackets | |
/// |---|---|
/// | `seed = 7` | this seed alone: [`Check::seed`] |
/// | `seeds = 100` | so many seeds: [`Check::seeds`] |
/// | `keep_going` | all of them, also when some fail: [`Check::keep_going`] |
/// | `determinism` | each seed in a second process, too, which must do the same: [`Check::determinism`] |
/// | `tokio` | hosts run on tokio, each seed in a process of its own: `Check::tokio`, feature `tokio` |
/// | `process`, `direct` | each seed in a process of its own, or not: `Check::process`, feature `tokio` |
/// | `timeout = "10s"` | the virtual time of each world: [`Check::time_limit`] |
/// | `wall = "30s"` | the real time of all seeds together: [`Check::wall_limit`] |
/// | `crate = "path"` | where this crate is, if it is not `::glassnet` |
///
/// Durations are a whole number and `ns`, `us`, `ms`, `s`, `min` or `h`, or any expression of type
/// `Duration`. Attributes such as `#[ignore]` and `#[should_panic]` may stand beside this one; a test
/// that should panic keeps no failed seeds.
///
/// What cannot be a test is an error of the compiler, which says why:
///
/// ```compile_fail
/// #[glassnet::test]
/// fn without_a_world() {}
/// ```
/// ```compile_fail
/// #[glassnet::test]
/// async fn with_a_world(sim: &mut glassnet::Sim) {}
/// ```
/// ```compile_fail
/// #[glassnet::test(timeout = "10 fortnights")]
/// async fn an_unknown_unit() {}
/// ```
/// ```compile_fail
/// #[glassnet::test(seed = 1, seeds = 2)]
/// async fn too_many_seeds() {}
/// ```
pub use glassnet_macros::test;

pub use capture::TlsSecrets;
#[doc(hidden)]
pub use check::attribute as __test;
pub use check::{Check, check};
#[cfg(target_os = "linux")]
pub use device::{DeviceCounters, default_cable};
pub use error::{Error, Result};
#[cfg(target_os = "linux")]
pub use host::Lease;
pub use host::{
    CongestionControl, HostCounters, HostOptions, InterfaceStatus, Interfaces, Netstat, Nstat,
    SocketEnd, SocketProtocol, SocketStatus, SocketTimer, TcpCaState, TcpEngine, TcpInfo, TcpState,
    TimerKind,
};
pub use net::names::{DnsRecord, IpVersion};
pub use net::{interfaces, netstat, nstat};
pub use network::{DropReason, Fate, FrameKind, FrameMatch, Impairments, ParseFrameMatchError};
#[cfg(feature = "tokio")]
pub use seam::Door;
pub use task::{HostRng, Schedule, rng, spawn};
pub use wire::arp::ArpPacket;
#[cfg(target_os = "linux")]
pub use world::Live;
pub use world::{
    Event, Failure, Fault, FaultGuard, Faults, FaultsAt, GuardedFaults, HeldFrame, Hosts,
    LinkChange, LinkFault, LinkHandle, ParseFaultError, RunError, Sim, TableSizes, TcpSegment,
};
