//! A host: one machine's TCP/IP stack, without a clock and without a wire.
//!
//! It is given the time and the frames that arrive, and gives back frames to send and the time at
//! which it wants to be asked again; it never knows who drives it. What speaks TCP for one connection
//! is an engine of [`crate::tcp`]; which connection a segment is for, which may begin and what an
//! ended one still answers is the host's.
//!
//! - `stack`: [`Host`]; `lower`: what its transports stand on;
//! - `tcp`: connections and listeners; `tcp_calls`: what sockets ask of them;
//! - `local`: sockets that no frame leaves (`AF_UNIX`);
//! - `datagram`, `icmp`, `membership`: UDP, echoes and errors, and groups;
//! - `ip`, `fragment`: packets of both families, and those larger than a frame;
//! - `ports`, `neighbor`: the tables.

mod address;
mod datagram;
#[cfg(target_os = "linux")]
mod dhcp;
mod discard;
mod fragment;
mod handle;
mod icmp;
mod ip;
mod local;
mod lower;
mod membership;
mod neighbor;
mod netstat;
mod options;
mod ports;
mod sizes;
mod stack;
mod tcp;
mod tcp_calls;
#[cfg(test)]
mod tests;
mod unresolved;
mod wakers;

pub(crate) use address::{Gateways, INTERFACE_INDEX, Prefix};
pub(crate) use datagram::{DatagramId, DatagramKind, DatagramOptions};
#[cfg(target_os = "linux")]
pub use dhcp::Lease;
#[cfg(target_os = "linux")]
pub(crate) use dhcp::{DhcpClient, DhcpEvent, DhcpFailure, DhcpHeard, DhcpTurn, dhcp_message};
pub use discard::HostCounters;
pub(crate) use discard::{DiscardReason, Discarded};
pub(crate) use handle::{DirtyHosts, HostHandle, Turn};
pub(crate) use local::{LocalId, LocalKind, LocalName, LocalSockets};
pub use options::HostOptions;
pub(crate) use ports::BindingId;
pub(crate) use stack::Host;
pub(crate) use tcp::{FlowId, ListenerId, Readiness, StateChange};

pub(crate) use crate::tcp::TcpOptions;
pub use crate::tcp::{CongestionControl, TcpState};
