//! One TCP connection: segments and the time in; segments, changes of state and a deadline out.
//!
//! Nothing here knows hosts, clocks or wires. An **engine** is what speaks TCP for one connection:
//! it keeps the control block of RFC 9293 3.3.1, the buffers, the timers and the congestion window.
//! [`Engine`] is the boundary behind which engines stand: an enum, so that a verb costs no call
//! through a table. What belongs to an engine's weaknesses (repairs, watchdogs, guesses) stands
//! behind it as well; what decides which connection a segment is for, who may begin one and what an
//! ended one still answers is the host's.
//!
//! Whoever drives an engine calls [`Engine::on_segment`] for a segment, then [`Engine::answer`];
//! after that, after each call of the application's, and when [`Engine::deadline`] has come,
//! [`Engine::on_deadline`] and [`Engine::transmit`].

mod boundary;
mod counters;
mod engine;
mod glassnet;
mod half_open;
mod info;
mod limits;
mod options;
mod shared;
mod smoltcp;
mod state;

#[cfg(test)]
pub(crate) use self::smoltcp::Repairs;
pub(crate) use self::smoltcp::SocketBuffers;
pub(crate) use boundary::{Arrival, Counted, Env, Handshake, Out, Timer, TimestampState, Written};
pub(crate) use engine::Engine;
pub use info::{TcpCaState, TcpInfo};
pub(crate) use limits::{Limits, RtoBounds};
pub use options::{CongestionControl, TcpEngine};
pub(crate) use options::{MAX_KEEP_ALIVE_RETRIES, MAX_KEEP_ALIVE_SECONDS, TcpOptions};
pub(crate) use shared::Shared;
pub use state::TcpState;
