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
//! 3. [`time`] has `sleep`, `timeout`, `interval` and `Instant` on the world's clock, and
//!    [`spawn`] starts tasks; both belong to the host whose task calls them.
//! 4. Faults on purpose: [`Sim::partition`] and [`heal`](Sim::heal), [`crash`](Sim::crash) and
//!    [`bounce`](Sim::bounce), between two [`run_for`](Sim::run_for)s.
//! 5. Looking at it: [`Sim::capture`] writes what a host's interface sees, and
//!    [`Sim::capture_link`] what a link carries and what it loses, as pcapng for Wireshark;
//!    [`Sim::observe`] calls a function for every frame and state change. `tracing` is told the
//!    rest, in a span of each host; feature `tracing-subscriber` has a timer for its logs.
//! 6. [`check()`] runs a test under many seeds, those that have failed before first.
//!    `GLASSNET_SEED` pins one, `GLASSNET_SEEDS` asks for more, `GLASSNET_PCAP_DIR` keeps a
//!    capture of each host of every world, and `GLASSNET_WATCHDOG` says how many seconds a task may
//!    keep the thread, or `off`. Without a capture, a run that fails leaves the
//!    [last frames](Sim::last_frames) of each host.
//! 7. [`guide`] is about other people's libraries: what runs here as it is, what needs glue (for
//!    hyper, rustls and tracing-subscriber it is here, behind features of those names), and what
//!    does not work.
//! 8. [`greeting`] is the application of the sockets tutorials, and the example to read first.
#![cfg_attr(
    target_os = "linux",
    doc = "9. [`Live`] runs the same application on the wall clock, attached to a TAP device of the \
           kernel or to a cable between processes: against real kernels, real Python, real curl."
)]
//!
//! # What is real, and what is not
//!
//! TCP is: each end is a whole stack ([`smoltcp`](https://docs.rs/smoltcp)) that writes real
//! segments and reads them back, with real checksums wherever somebody looks, with retransmission, windows, congestion
//! control, RST and TIME-WAIT. A write is tested against Nagle's algorithm and leaves in the call,
//! so that two writes with `set_nodelay` are two segments. Its known defects are repaired on the way in and out. ARP and
//! Ethernet are real as well. The network between is a model: one LAN, an ideal switch, and for
//! each pair of hosts a path with impairments.
//!
//! # Determinism
//!
//! A run depends on its seed and on the code of its tasks, and on nothing else: not on the
//! machine, the wall clock, or the order in which a hash map is iterated. Each direction of a
//! link, each host's stack, and each host's applications ([`rng()`]) draw from a random stream of
//! their own, so adding a host changes nothing for the others. What your own code may still do at random is iterate a `HashMap`, use
//! `tokio::select!` without `biased;`, read the clock of `std`, or start threads.

mod capture;
mod check;
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
mod rng;
#[cfg(feature = "rustls")]
pub mod rustls;
pub mod task;
mod tcp;
pub mod time;
#[cfg(feature = "tracing-subscriber")]
pub mod tracing_subscriber;
mod wire;
mod world;

pub use capture::TlsSecrets;
pub use check::check;
#[cfg(target_os = "linux")]
pub use device::{DeviceCounters, default_cable};
pub use error::Result;
#[cfg(target_os = "linux")]
pub use host::Lease;
pub use host::{CongestionControl, HostCounters, HostOptions, TcpState};
pub use net::names::{DnsRecord, IpVersion};
pub use network::{DropReason, Fate, FrameKind, FrameMatch, Impairments, ParseFrameMatchError};
pub use task::{HostRng, rng, spawn};
pub use wire::arp::ArpPacket;
#[cfg(target_os = "linux")]
pub use world::Live;
pub use world::{Event, Failure, LinkHandle, RunError, Sim, TableSizes, TcpSegment};
