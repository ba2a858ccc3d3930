//! gethostbyname(3) and gethostbyaddr(3).

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use super::family::V4_ONLY;
#[cfg(feature = "tokio")]
use super::family::V6_ONLY;
use super::{AddrInfoErrorKind, Found, in_family};
use crate::net::addr::{Domain, HostAddress, Numeric};
use crate::net::attachment::attachment;

/// A host as `gethostbyname(3)` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostEntry {
    /// Its full name.
    pub name: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

impl From<Found> for HostEntry {
    fn from(Found { canonical, aliases, addresses }: Found) -> HostEntry {
        HostEntry { name: canonical, aliases, addresses }
    }
}

/// The IPv4 addresses of a host, which may come in all forms of a [`HostAddress`], as in
/// Python. [`getaddrinfo`](super::getaddrinfo) finds those of IPv6, too.
///
/// # Errors
/// Those of [`getaddrinfo`](super::getaddrinfo).
pub async fn gethostbyname(host: impl Into<HostAddress>) -> io::Result<HostEntry> {
    let host = host.into();
    let numeric = |address| {
        Ok(HostEntry { name: host.to_string(), aliases: Vec::new(), addresses: vec![address] })
    };
    match &host {
        HostAddress::Any => numeric(Ipv4Addr::UNSPECIFIED.into()),
        HostAddress::Broadcast => numeric(Ipv4Addr::BROADCAST.into()),
        HostAddress::Ip(address, _) => {
            let address = in_family(Numeric::from(*address), Some(Domain::IPV4), false, address)?;
            numeric(address.address)
        }
        HostAddress::Name(name) => {
            let names = attachment()?.names.clone();
            names.look_up(name, V4_ONLY).await.map(HostEntry::from)
        }
    }
}

/// `gethostbyname2`: the addresses of one family that a host has, which may be one written as text.
#[cfg(feature = "tokio")]
pub(crate) async fn host_by_name(host: &str, family: Domain) -> io::Result<HostEntry> {
    if let Some(numeric) = Numeric::parse(host) {
        let address = in_family(numeric, Some(family), false, &host)?.address;
        let name = host.to_owned();
        return Ok(HostEntry { name, aliases: Vec::new(), addresses: vec![address] });
    }
    let turns = if family == Domain::IPV6 { V6_ONLY } else { V4_ONLY };
    let names = attachment()?.names.clone();
    names.look_up(host, turns).await.map(HostEntry::from)
}

/// The host that has an address: a reverse lookup.
///
/// # Errors
/// An [`AddrInfoError`](super::AddrInfoError): `EAI_NONAME` when the address has no name,
/// `EAI_AGAIN` when no DNS server answers.
pub async fn gethostbyaddr(address: IpAddr) -> io::Result<HostEntry> {
    let names = attachment()?.names.clone();
    match names.look_up_address(address.to_canonical()).await? {
        Some(found) => Ok(found.into()),
        None => Err(AddrInfoErrorKind::NoName.about(format!("no host has the address {address}"))),
    }
}
