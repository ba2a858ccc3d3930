//! DHCP, the client's side (RFC 2131, options of RFC 2132): how a host comes by an IPv4 address.
//!
//! - `client`: the states; it knows neither sockets nor clock nor device;
//! - `event`: what it has to tell;
//! - `lease`: what a server's answer must be to be taken;
//! - `message`: messages; `packet`: the frames they travel in.

mod client;
mod event;
mod lease;
mod message;
mod packet;
#[cfg(test)]
mod tests;

pub(crate) use client::{DhcpClient, DhcpInput, DhcpOutput};
pub(crate) use event::{DhcpEvent, DhcpFailure};
pub use lease::Lease;
pub(crate) use packet::dhcp_message;
