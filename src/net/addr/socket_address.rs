//! One address of a host and a port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::numeric::Numeric;
use super::{Domain, HostAddress, Port, Protocol};
use crate::error::Errno;
use crate::net::names::{self, AddrInfoHints};

/// The address that a host and a port stand for, for a socket of a family and a protocol: what
/// the calls of Python's `socket` make of their pair. A name stands for the first address of
/// that family that [`getaddrinfo`](names::getaddrinfo) finds.
///
/// # Errors
/// EAFNOSUPPORT for a family other than the two of IP, and for `"<broadcast>"` in IPv6's; an [`AddrInfoError`](names::AddrInfoError) for an
/// address of the other family (`EAI_ADDRFAMILY`) and for names, as
/// [`getaddrinfo`](names::getaddrinfo) says; those of [`Port::number`].
pub async fn socket_address(
    domain: Domain,
    protocol: Protocol,
    host: impl Into<HostAddress>,
    port: impl Into<Port>,
) -> io::Result<SocketAddr> {
    let (host, port) = (host.into(), port.into());
    let any: IpAddr = match domain {
        Domain::IPV4 => Ipv4Addr::UNSPECIFIED.into(),
        Domain::IPV6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return Err(Errno::AddressFamilyNotSupported.into()),
    };
    let port = port.number(protocol)?;
    match host {
        HostAddress::Any => Ok((any, port).into()),
        HostAddress::Broadcast if domain == Domain::IPV4 => Ok((Ipv4Addr::BROADCAST, port).into()),
        HostAddress::Broadcast => Err(Errno::AddressFamilyNotSupported.into()),
        HostAddress::Ip(address, scope_id) => {
            let numeric = Numeric { address, scope_id };
            names::in_family(numeric, Some(domain), false, &address)
                .map(|found| found.with_port(port))
        }
        HostAddress::Name(name) => {
            let hints = AddrInfoHints::default().family(domain);
            let found = names::getaddrinfo(Some(&name), None, &hints).await?;
            let first = found.first().map(|found| found.address);
            let mut address = first.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            address.set_port(port);
            Ok(address)
        }
    }
}
