//! getnameinfo(3).

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::{AddrInfoErrorKind, getservbyport};
use crate::net::addr::interface_name;
use crate::net::attachment::attachment;

/// What [`getnameinfo`] is to give: the default is names where there are any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "flags do nothing until `getnameinfo` has them"]
pub struct NameInfoFlags {
    numeric_host: bool,
    numeric_serv: bool,
    name_required: bool,
    datagram: bool,
}

impl NameInfoFlags {
    /// `NI_NUMERICHOST`: the address, without a lookup. Default off.
    pub fn numeric_host(mut self, on: bool) -> NameInfoFlags {
        self.numeric_host = on;
        self
    }

    /// `NI_NUMERICSERV`: the number of the port. Default off.
    pub fn numeric_serv(mut self, on: bool) -> NameInfoFlags {
        self.numeric_serv = on;
        self
    }

    /// `NI_NAMEREQD`: an address without a name is an error. Default off.
    pub fn name_required(mut self, on: bool) -> NameInfoFlags {
        self.name_required = on;
        self
    }

    /// `NI_DGRAM`: the service is UDP's. Default off.
    pub fn datagram(mut self, on: bool) -> NameInfoFlags {
        self.datagram = on;
        self
    }
}

/// The names of a host and of a service, from an address and a port; or the numbers, as text,
/// where there is no name. A scope is written behind the address: `fe80::1%eth0`.
///
/// # Errors
/// An [`AddrInfoError`](super::AddrInfoError), `EAI_NONAME`, when a name is required and there is
/// none.
pub async fn getnameinfo(
    address: SocketAddr,
    flags: NameInfoFlags,
) -> io::Result<(String, String)> {
    let names = attachment()?.names.clone();
    let found = if flags.numeric_host {
        None
    } else {
        // As in glibc, an error of the lookup is no error of this call.
        names.look_up_address(address.ip().to_canonical()).await.ok().flatten()
    };
    let host = match found {
        Some(found) => found.canonical,
        None if flags.name_required => {
            let about = format!("no host has the address {}", address.ip());
            return Err(AddrInfoErrorKind::NoName.about(about));
        }
        None => numeric(address),
    };
    let protocol = if flags.datagram { "udp" } else { "tcp" };
    let service = match getservbyport(address.port(), Some(protocol)) {
        Ok(service) if !flags.numeric_serv => service.to_owned(),
        _ => address.port().to_string(),
    };
    Ok((host, service))
}

fn numeric(address: SocketAddr) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            format!("{}%{}", v6.ip(), interface_name(*v6.ip(), v6.scope_id()))
        }
        _ => IpAddr::to_string(&address.ip()),
    }
}
