//! A host: one machine's TCP/IP stack, without a clock and without a wire.
//!
//! It is given the time and the frames that arrive, and gives back frames to send and the time at
//! which it wants to be asked again; it never knows who drives it. What speaks TCP for one connection
//! is an engine of [`crate::tcp`]; which connection a segment is for, which may begin and what an
//! ended one still answers is the host's.
//!
//! - `host`: [`Host`], which hands each packet to the subsystem it is for;
//! - `iface`: interfaces, neighbours and groups; `ip`: the two ways of packets, routes, fragments,
//!   errors; `tcp`: connections and listeners; `tcp_calls`: what sockets ask of them; `udp`: datagram
//!   sockets; `unix`: `AF_UNIX`; `dhcp`: how a host comes by an address;
//! - `netstat` and `socket_status`: what it shows of its sockets;
//!   `mib`, `nstat` and `interface_status`: what it counts;
//! - `context`: what they share, for one call; `io` and `outbox`: what that is made of; `packet`,
//!   `address`, `ports`, `wakers`, `discard`, `options`: what else several of them use.
//!
//! A subsystem owns its fields: it is called with a [`context::Ctx`], and with the subsystems below it
//! where it needs them. What is above it, it returns to the host.

mod address;
mod context;
#[cfg(target_os = "linux")]
mod dhcp;
mod discard;
#[expect(clippy::module_inception, reason = "the room has the name of what it is about")]
mod host;
mod iface;
mod info_line;
mod interface_status;
mod io;
mod ip;
mod mib;
mod netstat;
mod nstat;
mod options;
mod outbox;
mod packet;
mod port_set;
mod ports;
mod sizes;
mod socket_status;
mod tcp;
mod tcp_calls;
#[cfg(test)]
mod tests;
mod udp;
mod unix;
mod wakers;

pub(crate) use address::INTERFACE_INDEX;
#[cfg(target_os = "linux")]
pub use dhcp::Lease;
#[cfg(target_os = "linux")]
pub(crate) use dhcp::{DhcpClient, DhcpEvent, DhcpFailure, DhcpInput, DhcpOutput, dhcp_message};
pub use discard::HostCounters;
pub(crate) use discard::{DiscardReason, Discarded};
pub(crate) use host::Host;
pub(crate) use iface::Prefix;
pub use interface_status::{InterfaceStatus, Interfaces};
pub(crate) use ip::Gateways;
pub use ip::MtuDiscovery;
pub use netstat::Netstat;
pub use nstat::Nstat;
pub use options::HostOptions;
pub(crate) use outbox::StateChange;
pub(crate) use ports::BindingId;
pub(crate) use sizes::HostSizes;
pub use socket_status::{SocketEnd, SocketProtocol, SocketStatus, SocketTimer, TimerKind};
pub(crate) use tcp::{FlowId, ListenerId, Readiness};
pub(crate) use udp::{
    DatagramId, DatagramKind, DatagramOptions, Membership, ReceivedDatagram, SendControl, UdpCalls,
};
pub(crate) use unix::{Unix, UnixId, UnixKind, UnixName};

pub(crate) use crate::tcp::TcpOptions;
pub use crate::tcp::{CongestionControl, TcpCaState, TcpEngine, TcpInfo, TcpState};
