//! Addresses of sockets, in all the forms that calls take.
//!
//! Most calls take what tokio's take: a [`ToSocketAddrs`], such as `"server:80"`. The BSD calls
//! take a host and a port on their own, and both come in several forms: a host is a
//! [`HostAddress`], a port is a [`Port`], and [`socket_address`] makes one address of the two.
//!
//! ```
//! use glassnet::net::addr::{Domain, Protocol, socket_address};
//! # let mut sim = glassnet::Sim::new(1);
//! # sim.host("server", || async { Ok(()) });
//! # sim.client("client", async {
//! let http = "10.0.0.1:80".parse()?;
//! let tcp = (Domain::IPV4, Protocol::TCP);
//! assert_eq!(socket_address(tcp.0, tcp.1, "server", 80).await?, http);
//! assert_eq!(socket_address(tcp.0, tcp.1, "10.1", "80").await?, http);
//! assert_eq!(socket_address(tcp.0, tcp.1, 0x0a00_0001, "http").await?, http);
//! assert_eq!(socket_address(tcp.0, tcp.1, "", 80).await?, "0.0.0.0:80".parse()?);
//! # Ok(())
//! # });
//! # sim.run().unwrap();
//! ```

mod domain;
mod host;
mod numeric;
mod port;
mod socket_address;
mod to_socket_addrs;

pub use domain::{Domain, Protocol, Type};
pub use host::HostAddress;
pub(super) use numeric::{Numeric, interface_name};
pub use port::Port;
pub use socket_address::socket_address;
pub(crate) use to_socket_addrs::resolve;
pub use to_socket_addrs::{ToSocketAddrs, lookup_host};
