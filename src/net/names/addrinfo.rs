//! getaddrinfo(3).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::family::{Turns, select, turns};
use super::{AddrInfoErrorKind, getservbyname};
use crate::net::addr::{Domain, Numeric, Port, Protocol, Type};
use crate::net::attachment::attachment;

/// What [`getaddrinfo`] is to look for: the default leaves everything open, and each method narrows
/// it.
///
/// ```
/// use glassnet::net::addr::{Domain, Type};
/// use glassnet::net::names::AddrInfoHints;
///
/// let hints = AddrInfoHints::default().family(Domain::IPV6).socktype(Type::STREAM);
/// # let _ = hints;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "hints do nothing until `getaddrinfo` has them"]
pub struct AddrInfoHints {
    family: Option<Domain>,
    socktype: Option<Type>,
    protocol: Option<Protocol>,
    passive: bool,
    canon_name: bool,
    numeric_host: bool,
    numeric_serv: bool,
    v4_mapped: bool,
    all: bool,
}

impl AddrInfoHints {
    /// The family; `None`, the default, leaves it to [`Sim::ip_version`](crate::Sim::ip_version).
    pub fn family(mut self, family: impl Into<Option<Domain>>) -> AddrInfoHints {
        self.family = family.into();
        self
    }

    /// The type of socket; `None`, the default, is any.
    pub fn socktype(mut self, socktype: impl Into<Option<Type>>) -> AddrInfoHints {
        self.socktype = socktype.into();
        self
    }

    /// The protocol; `None`, the default, is any.
    pub fn protocol(mut self, protocol: impl Into<Option<Protocol>>) -> AddrInfoHints {
        self.protocol = protocol.into();
        self
    }

    /// `AI_PASSIVE`: without a host, the addresses to listen on rather than loopback. Default off.
    pub fn passive(mut self, on: bool) -> AddrInfoHints {
        self.passive = on;
        self
    }

    /// `AI_CANONNAME`: the first result tells the full name of the host. Default off.
    pub fn canon_name(mut self, on: bool) -> AddrInfoHints {
        self.canon_name = on;
        self
    }

    /// `AI_NUMERICHOST`: the host is not a name. Default off.
    pub fn numeric_host(mut self, on: bool) -> AddrInfoHints {
        self.numeric_host = on;
        self
    }

    /// `AI_NUMERICSERV`: the service is not a name. Default off.
    pub fn numeric_serv(mut self, on: bool) -> AddrInfoHints {
        self.numeric_serv = on;
        self
    }

    /// `AI_V4MAPPED`: in IPv6's family, IPv4 addresses stand in as `::ffff:a.b.c.d` where there are
    /// no others. Default off.
    pub fn v4_mapped(mut self, on: bool) -> AddrInfoHints {
        self.v4_mapped = on;
        self
    }

    /// `AI_ALL`: with [`v4_mapped`](AddrInfoHints::v4_mapped), they come beside the others. Default
    /// off.
    pub fn all(mut self, on: bool) -> AddrInfoHints {
        self.all = on;
        self
    }
}

/// One way to reach what was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddrInfo {
    /// The family.
    pub family: Domain,
    /// The type of socket.
    pub socktype: Type,
    /// The protocol; 0 for a raw socket, which may take any.
    pub protocol: Protocol,
    /// The full name of the host, on the first result, if the hints ask for it.
    pub canonical_name: Option<String>,
    /// The address.
    pub address: SocketAddr,
}

/// Finds the addresses of a service on a host: one result for each address and each type of
/// socket that the service has, as `getaddrinfo(3)` of glibc does.
///
/// The host is a name, or an address in any form that `inet_aton(3)` and IPv6 with a scope
/// have; without one, this host is meant. The service is a name or a number; without one, the
/// port is 0. `"*"` is the same as `None`.
///
/// Addresses come in the order of RFC 6724 with glibc's table, in which IPv6 is before IPv4.
/// Unlike glibc, the rule of the longest common prefix is left out, so that several IPv4
/// addresses stay in the order of the table or the answer.
///
/// # Errors
/// An [`AddrInfoError`](super::AddrInfoError) with the number that glibc gives:
/// `EAI_NONAME` for a name that does not exist or is not valid, and when neither host nor
/// service is given; `EAI_AGAIN` when no DNS server is known, or none answers; `EAI_NODATA`
/// when the name has no address of that family; `EAI_ADDRFAMILY` for an address of another
/// family; `EAI_SERVICE`, `EAI_SOCKTYPE`, `EAI_FAMILY` and `EAI_BADFLAGS` for services and hints
/// that do not fit. Unlike in glibc, a port above 65535 is `EAI_SERVICE`, too.
pub async fn getaddrinfo(
    host: Option<&str>,
    service: Option<&str>,
    hints: &AddrInfoHints,
) -> io::Result<Vec<AddrInfo>> {
    let attachment = attachment()?;
    let host = host.filter(|host| *host != "*");
    let service = service.filter(|service| *service != "*");
    if host.is_none() && service.is_none() {
        return Err(AddrInfoErrorKind::NoName.about("neither a host nor a service"));
    }
    if host.is_none() && hints.canon_name {
        return Err(AddrInfoErrorKind::BadFlags.about("a full name without a host"));
    }
    if let Some(family) = hints.family
        && !matches!(family, Domain::IPV4 | Domain::IPV6)
    {
        return Err(AddrInfoErrorKind::Family.about(format!("{family:?}")));
    }
    let transports = transports(service, hints)?;
    let turns =
        turns(hints.family, hints.v4_mapped, hints.all, attachment.names.names().ip_version());
    let (addresses, canonical) = match host {
        None => (this_host(hints.passive, turns, |found| attachment.names.sort(found)), None),
        Some(host) => match Numeric::parse(host) {
            Some(numeric) => {
                let address = in_family(numeric, hints.family, hints.v4_mapped, &host)?;
                (vec![address], Some(host.to_owned()))
            }
            None if hints.numeric_host => {
                return Err(AddrInfoErrorKind::NoName.about(format!("{host:?} is no address")));
            }
            None => {
                let found = attachment.names.clone().look_up(host, turns).await?;
                let addresses = found.addresses.into_iter().map(Numeric::from).collect();
                (addresses, Some(found.canonical))
            }
        },
    };
    let maps = hints.family == Some(Domain::IPV6);
    let mut infos = Vec::with_capacity(addresses.len() * transports.len());
    for address in addresses {
        for (socktype, protocol, port) in &transports {
            let address = if maps { mapped(address) } else { address }.with_port(*port);
            infos.push(AddrInfo {
                family: Domain::for_address(address),
                socktype: *socktype,
                protocol: *protocol,
                canonical_name: None,
                address,
            });
        }
    }
    if hints.canon_name
        && let Some(first) = infos.first_mut()
    {
        first.canonical_name = canonical;
    }
    Ok(infos)
}

/// The addresses of the host itself.
fn this_host(passive: bool, turns: Turns, sort: impl Fn(&mut [IpAddr])) -> Vec<Numeric> {
    let addresses: [IpAddr; 2] = if passive {
        [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
    } else {
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    };
    let mut addresses = select(&addresses, turns);
    // glibc has 0.0.0.0 before ::.
    if !passive {
        sort(&mut addresses);
    }
    addresses.into_iter().map(Numeric::from).collect()
}

/// An address that was given in numbers, for a socket of a family.
///
/// # Errors
/// `EAI_ADDRFAMILY` for one of the other family, unless one stands for the other.
pub(in crate::net) fn in_family(
    numeric: Numeric,
    family: Option<Domain>,
    v4_mapped: bool,
    written: &dyn std::fmt::Display,
) -> io::Result<Numeric> {
    match (family, numeric.address) {
        (Some(Domain::IPV4), IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
            Some(v4) => Ok(IpAddr::V4(v4).into()),
            None => Err(AddrInfoErrorKind::AddrFamily.about(format!("{written} for IPv4"))),
        },
        (Some(Domain::IPV6), IpAddr::V4(_)) if !v4_mapped => {
            Err(AddrInfoErrorKind::AddrFamily.about(format!("{written} for IPv6")))
        }
        _ => Ok(numeric),
    }
}

fn mapped(numeric: Numeric) -> Numeric {
    match numeric.address {
        IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()).into(),
        IpAddr::V6(_) => numeric,
    }
}

/// A protocol of 0 leaves a raw socket's open.
const ANY_PROTOCOL: i32 = 0;

/// The types of socket that the hints allow, each with its protocol and the port of a service.
fn transports(
    service: Option<&str>,
    hints: &AddrInfoHints,
) -> io::Result<Vec<(Type, Protocol, u16)>> {
    let any = Protocol::from(ANY_PROTOCOL);
    // A raw socket takes any protocol, and has no services.
    let of_hints = |(socktype, protocol): &(Type, Protocol)| {
        hints.socktype.is_none_or(|wanted| wanted == *socktype)
            && hints.protocol.is_none_or(|wanted| *protocol == any || wanted == *protocol)
    };
    let all = [(Type::STREAM, Protocol::TCP), (Type::DGRAM, Protocol::UDP), (Type::RAW, any)];
    let mut allowed: Vec<_> = all.into_iter().filter(of_hints).collect();
    let not_for = |kind: AddrInfoErrorKind| {
        let (socktype, protocol) = (hints.socktype, hints.protocol);
        kind.about(format!("{:?} for {socktype:?}, {protocol:?}", service.unwrap_or_default()))
    };
    if hints.socktype.is_some() || hints.protocol.is_some() {
        // glibc takes the first that fits.
        allowed.truncate(1);
        match allowed.first() {
            None if hints.socktype.is_some() => return Err(not_for(AddrInfoErrorKind::SockType)),
            None => return Err(not_for(AddrInfoErrorKind::Service)),
            Some((Type::RAW, _)) if service.is_some() => {
                return Err(not_for(AddrInfoErrorKind::Service));
            }
            Some(_) => {}
        }
    }
    let wanted = |protocol| if protocol == any { hints.protocol.unwrap_or(any) } else { protocol };
    let at_port = |port| {
        let all = allowed.iter();
        Ok(all.map(|(socktype, protocol)| (*socktype, wanted(*protocol), port)).collect())
    };
    let Some(service) = service.filter(|service| !service.is_empty()) else { return at_port(0) };
    match Port::from(service) {
        Port::Number(number) => at_port(number),
        Port::Service(name) if hints.numeric_serv => {
            Err(AddrInfoErrorKind::NoName.about(format!("{name:?} is no number")))
        }
        Port::Service(name) => {
            let port_of = |protocol: Protocol| getservbyname(&name, Some(protocol.name()?)).ok();
            let found: Vec<_> = allowed
                .iter()
                .filter_map(|(socktype, protocol)| {
                    Some((*socktype, *protocol, port_of(*protocol)?))
                })
                .collect();
            if found.is_empty() { Err(not_for(AddrInfoErrorKind::Service)) } else { Ok(found) }
        }
    }
}
