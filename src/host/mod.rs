//! A host: one machine's TCP/IP stack, without a clock and without a wire.
//!
//! It is given the time and the frames that arrive, and gives back frames to send and the time at
//! which it wants to be asked again; it never knows who drives it. TCP's engine is smoltcp's, one
//! socket set a connection; what decides which connection a segment is for, which may begin and
//! what an ended one still answers is ours.
//!
//! - `stack`: [`Host`]; `ingress` and `egress`: its way in and out; `table`: its connections;
//! - `calls`, `vectored`, `readiness`, `shutdown`, `tcp_options`: what sockets ask of it;
//! - `flow`, `repair`: one connection, and what its engine needs mended;
//! - `timers`, `keep_alive`, `marks`: what the engine does not do for it;
//! - `listener`, `ports`, `time_wait`, `neighbor`: the tables.

mod calls;
mod egress;
mod engine;
mod flow;
mod frame;
mod handle;
mod ingress;
mod keep_alive;
mod listener;
mod marks;
mod neighbor;
mod netstat;
mod options;
mod ports;
mod readiness;
mod recent;
mod repair;
mod segment;
mod shutdown;
mod stack;
mod state;
mod table;
mod tcp_options;
#[cfg(test)]
mod tests;
mod time_wait;
mod timers;
mod vectored;
mod wakers;

pub(crate) use flow::FlowId;
pub(crate) use frame::{ETHERNET_HEADER, FrameBuffer, FramePool};
pub(crate) use handle::{DirtyHosts, HostHandle, Turn};
pub(crate) use listener::ListenerId;
pub(crate) use neighbor::{BROADCAST, ETHERTYPE_ARP, Mac, arp_target};
pub use options::{CongestionControl, HostOptions};
pub(crate) use ports::BindingId;
pub(crate) use readiness::Readiness;
pub(crate) use segment::Segment;
pub(crate) use stack::{Host, StateChange};
pub use state::TcpState;
pub(crate) use tcp_options::TcpOptions;
