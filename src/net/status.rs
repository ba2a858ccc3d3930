//! What the calling task's host shows of itself.

use std::io;
#[cfg(feature = "tokio")]
use std::net::IpAddr;

#[cfg(feature = "tokio")]
use crate::host::Host;
use crate::host::{Interfaces, Netstat, Nstat};
use crate::net::attachment::attachment;

/// The sockets of the calling task's host, as `ss -an` shows them: what
/// [`Sim::netstat`](crate::Sim::netstat) gives from outside, in every world.
///
/// ```
/// use glassnet::{Sim, TcpState, net::TcpListener};
///
/// let mut sim = Sim::new(7);
/// sim.client("server", async {
///     let listener = TcpListener::bind("0.0.0.0:80").await?;
///     let sockets = glassnet::netstat()?;
///     assert_eq!((sockets.len(), sockets[0].state), (1, TcpState::Listen));
///     drop(listener);
///     assert!(glassnet::netstat()?.is_empty());
///     Ok(())
/// });
/// sim.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the caller is not a task of a host.
pub fn netstat() -> io::Result<Netstat> {
    Ok(attachment()?.host.netstat())
}

/// What the calling task's host has counted since it was started, by the kernel's names: what
/// [`Sim::nstat`](crate::Sim::nstat) gives from outside, in every world.
///
/// # Errors
/// When the caller is not a task of a host.
pub fn nstat() -> io::Result<Nstat> {
    Ok(attachment()?.host.nstat())
}

/// The interfaces of the calling task's host, and what passed them since it was started: what
/// [`Sim::interfaces`](crate::Sim::interfaces) gives from outside, in every world.
///
/// # Errors
/// When the caller is not a task of a host.
pub fn interfaces() -> io::Result<Interfaces> {
    Ok(attachment()?.host.interfaces())
}

/// The addresses of the interfaces of the calling task's host, and how many bits of each are its
/// network's; by the interface's number.
///
/// # Errors
/// When the caller is not a task of a host.
#[cfg(feature = "tokio")]
pub(crate) fn interface_addresses() -> io::Result<Vec<(u32, IpAddr, u8)>> {
    Ok(attachment()?.host.look(Host::interface_addresses))
}
