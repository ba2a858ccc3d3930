//! What a client has to tell: an address, and why there is none, or no more.

use std::fmt;
use std::net::Ipv4Addr;

use super::lease::Lease;
use crate::wire::ethernet::{Mac, show_mac};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DhcpEvent {
    /// The host has an address.
    Bound(Lease),
    /// It has it for longer. Anything but the address may be another now.
    Renewed(Lease),
    /// No address is to be had.
    Failed(DhcpFailure),
    /// The host must not use its address any more.
    Lost(DhcpLoss),
}

/// What kept a client from an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DhcpFailure {
    NobodyAnswers,
    /// A server offered an address, and then said nothing.
    Unconfirmed {
        server: Ipv4Addr,
        address: Ipv4Addr,
    },
    Refused {
        server: Ipv4Addr,
        why: Option<String>,
    },
    InUse {
        server: Ipv4Addr,
        address: Ipv4Addr,
        by: Mac,
    },
}

/// Why a lease is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DhcpLoss {
    Expired { server: Ipv4Addr, address: Ipv4Addr },
    Refused { server: Option<Ipv4Addr>, address: Ipv4Addr, why: Option<String> },
    Changed { address: Ipv4Addr, to: Ipv4Addr },
}

impl fmt::Display for DhcpFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DhcpFailure::NobodyAnswers => formatter.write_str("no DHCP server answers"),
            DhcpFailure::Unconfirmed { server, address } => write!(
                formatter,
                "the DHCP server {server} offered {address} and did not confirm it"
            ),
            DhcpFailure::Refused { server, why } => {
                write!(formatter, "the DHCP server {server} refuses")?;
                why.iter().try_for_each(|why| write!(formatter, ": {why}"))
            }
            DhcpFailure::InUse { server, address, by } => {
                let by = show_mac(*by);
                write!(
                    formatter,
                    "the DHCP server {server} offered {address}, which a neighbour, {by}, has"
                )
            }
        }
    }
}

impl fmt::Display for DhcpLoss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DhcpLoss::Expired { server, address } => write!(
                formatter,
                "the time of {address} is over, and neither {server} nor another DHCP server gave \
                 more"
            ),
            DhcpLoss::Refused { server, address, why } => {
                formatter.write_str("the DHCP server")?;
                server.iter().try_for_each(|server| write!(formatter, " {server}"))?;
                write!(formatter, " does not let this host keep {address}")?;
                why.iter().try_for_each(|why| write!(formatter, ": {why}"))
            }
            DhcpLoss::Changed { address, to } => {
                write!(formatter, "the DHCP server gives this host {to} instead of {address}")
            }
        }
    }
}
