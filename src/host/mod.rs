//! A host: one machine's TCP/IP stack, without a clock and without a wire.
//!
//! It is given the time and the frames that arrive, and gives back frames to send and the time at
//! which it wants to be asked again; it never knows who drives it. TCP's engine is smoltcp's, one
//! socket set a connection; what decides which connection a segment is for, which may begin and
//! what an ended one still answers is ours.
//!
//! - `stack`: [`Host`], which hands each packet to the subsystem it is for;
//! - `iface`: interfaces, neighbours and groups; `ip`: the two ways of packets, routes, fragments,
//!   errors; `udp`: datagram sockets; `unix`: `AF_UNIX`; `dhcp`: how a host comes by an address;
//! - `context`: what they share, for one call; `io` and `outbox`: what that is made of; `packet`,
//!   `address`, `wakers`, `discard`, `options`: what else several of them use;
//! - `ingress` and `egress`: TCP's way in and out; `table`: its connections; `calls`, `vectored`,
//!   `readiness`, `shutdown`, `tcp_options`: what sockets ask of it; `flow`, `repair`, `watchdog`,
//!   `last_ack`: one connection, and what its engine needs mended; `timers`, `keep_alive`: what the
//!   engine does not do for it; `listener`, `ports`, `time_wait`: its tables.
//!
//! A subsystem owns its fields: it is called with a [`context::Ctx`], and with the subsystems below it
//! where it needs them. What is above it, it returns to the host.

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
mod iface;
mod ingress;
mod io;
mod ip;
mod keep_alive;
mod last_ack;
mod listener;
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
mod unix;
mod unreachable;
mod vectored;
mod wakers;
mod watchdog;

pub(crate) use address::INTERFACE_INDEX;
#[cfg(target_os = "linux")]
pub use dhcp::Lease;
#[cfg(target_os = "linux")]
pub(crate) use dhcp::{DhcpClient, DhcpEvent, DhcpFailure, DhcpInput, DhcpOutput, dhcp_message};
pub use discard::HostCounters;
pub(crate) use discard::{DiscardReason, Discarded};
pub(crate) use flow::FlowId;
pub(crate) use iface::Prefix;
pub(crate) use ip::Gateways;
pub(crate) use listener::ListenerId;
pub use options::{CongestionControl, HostOptions};
pub(crate) use outbox::StateChange;
pub(crate) use ports::BindingId;
pub(crate) use readiness::Readiness;
pub(crate) use stack::Host;
pub use state::TcpState;
pub(crate) use tcp_options::TcpOptions;
pub(crate) use udp::{DatagramId, DatagramKind, DatagramOptions, Membership, UdpCalls};
pub(crate) use unix::{Unix, UnixId, UnixKind, UnixName};
