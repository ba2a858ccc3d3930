//! A host: one machine's TCP/IP stack, without a clock and without a wire.
//!
//! It is given the time and the frames that arrive, and gives back frames to send and the time at
//! which it wants to be asked again; it never knows who drives it. TCP's engine is smoltcp's, one
//! socket set a connection; what decides which connection a segment is for, which may begin and
//! what an ended one still answers is ours.
//!
//! - `stack`: [`Host`]; `ingress` and `egress`: its way in and out; `table`: its connections;
//! - `calls`, `vectored`, `readiness`, `shutdown`, `tcp_options`: what sockets ask of it;
//! - `flow`, `repair`, `watchdog`, `last_ack`: one connection, and what its engine needs
//!   mended;
//! - `local`: sockets that no frame leaves (`AF_UNIX`);
//! - `datagram`, `icmp`, `membership`: UDP, echoes and errors, and groups;
//! - `ip`, `fragment`: packets of both families, and those larger than a frame;
//! - `timers`, `keep_alive`: what the engine does not do for it;
//! - `listener`, `ports`, `time_wait`, `neighbor`: the tables.

mod address;
mod calls;
mod context;
mod demux;
#[cfg(target_os = "linux")]
mod dhcp;
mod discard;
mod egress;
mod engine;
mod flow;
mod handle;
mod iface;
mod ingress;
mod io;
mod ip;
mod keep_alive;
mod last_ack;
mod listener;
mod local;
mod netstat;
mod options;
mod outbox;
mod packet;
mod ports;
mod readiness;
mod recent;
mod repair;
mod shutdown;
mod sizes;
mod split;
mod stack;
mod state;
mod table;
mod tcp_options;
#[cfg(test)]
mod tests;
mod time_wait;
mod timers;
mod transmit;
mod udp;
mod unreachable;
mod vectored;
mod wakers;
mod watchdog;

pub(crate) use address::INTERFACE_INDEX;
#[cfg(target_os = "linux")]
pub use dhcp::Lease;
#[cfg(target_os = "linux")]
pub(crate) use dhcp::{DhcpClient, DhcpEvent, DhcpFailure, DhcpHeard, DhcpTurn, dhcp_message};
pub use discard::HostCounters;
pub(crate) use discard::{DiscardReason, Discarded};
pub(crate) use flow::FlowId;
pub(crate) use handle::{DirtyHosts, HostHandle, Turn};
pub(crate) use iface::Prefix;
pub(crate) use ip::Gateways;
pub(crate) use listener::ListenerId;
pub(crate) use local::{LocalId, LocalKind, LocalName, LocalSockets};
pub use options::{CongestionControl, HostOptions};
pub(crate) use outbox::StateChange;
pub(crate) use ports::BindingId;
pub(crate) use readiness::Readiness;
pub(crate) use stack::Host;
pub use state::TcpState;
pub(crate) use tcp_options::TcpOptions;
pub(crate) use udp::{DatagramId, DatagramKind, DatagramOptions, UdpCalls};
