//! A host: one machine's TCP/IP stack, without a clock and without a wire.
//!
//! It is given the time and the frames that arrive, and gives back frames to send and the time at
//! which it wants to be asked again; it never knows who drives it. What speaks TCP for one connection
//! is an engine of [`crate::tcp`]; which connection a segment is for, which may begin and what an
//! ended one still answers is the host's.
//!
//! - `stack`: [`Host`]; `context`, `io`, `outbox`: what its subsystems share;
//! - `iface`, `ip`: where it meets its links; packets of both families;
//! - `tcp`: connections and listeners; `tcp_calls`: what sockets ask of them; `udp`: datagrams;
//! - `local`: sockets that no frame leaves (`AF_UNIX`); `dhcp`: a client;
//! - `ports`: who holds which.

mod address;
mod context;
#[cfg(target_os = "linux")]
mod dhcp;
mod discard;
mod handle;
mod iface;
mod io;
mod ip;
mod local;
mod netstat;
mod options;
mod outbox;
mod packet;
mod ports;
mod sizes;
mod stack;
mod tcp;
mod tcp_calls;
#[cfg(test)]
mod tests;
mod udp;
mod wakers;

pub(crate) use address::INTERFACE_INDEX;
#[cfg(target_os = "linux")]
pub use dhcp::Lease;
#[cfg(target_os = "linux")]
pub(crate) use dhcp::{DhcpClient, DhcpEvent, DhcpFailure, DhcpHeard, DhcpTurn, dhcp_message};
pub use discard::HostCounters;
pub(crate) use discard::{DiscardReason, Discarded};
pub(crate) use handle::{DirtyHosts, HostHandle, Turn};
pub(crate) use iface::Prefix;
pub(crate) use ip::Gateways;
pub(crate) use local::{LocalId, LocalKind, LocalName, LocalSockets};
pub use options::HostOptions;
pub(crate) use outbox::StateChange;
pub(crate) use ports::BindingId;
pub(crate) use stack::Host;
pub(crate) use tcp::{FlowId, ListenerId, Readiness};
pub(crate) use udp::{DatagramId, DatagramKind, DatagramOptions, UdpCalls};

pub(crate) use crate::tcp::TcpOptions;
pub use crate::tcp::{CongestionControl, TcpState};
