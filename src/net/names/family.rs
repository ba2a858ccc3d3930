//! Which of a name's addresses are meant.

use std::net::IpAddr;

use crate::net::addr::Domain;

/// Which of a host's addresses its plain name stands for; set with
/// [`Sim::ip_version`](crate::Sim::ip_version).
///
/// A name that has no address of that family stands for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IpVersion {
    /// Those of IPv4.
    #[default]
    V4,
    /// Those of IPv6.
    V6,
    /// Both.
    Dual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn has(self, address: &IpAddr) -> bool {
        address.is_ipv4() == (self == Family::V4)
    }
}

/// The families to look for, in turns: the next turn counts if the one before found nothing.
pub(crate) type Turns = &'static [&'static [Family]];

pub(crate) const V4_ONLY: Turns = &[&[Family::V4]];
pub(super) const V6_ONLY: Turns = &[&[Family::V6]];
const V4_OR_V6: Turns = &[&[Family::V4], &[Family::V6]];
const V6_OR_V4: Turns = &[&[Family::V6], &[Family::V4]];
const BOTH: Turns = &[&[Family::V4, Family::V6]];

/// Those of a plain name.
pub(crate) fn turns_of(ip_version: IpVersion) -> Turns {
    match ip_version {
        IpVersion::V4 => V4_OR_V6,
        IpVersion::V6 => V6_OR_V4,
        IpVersion::Dual => BOTH,
    }
}

/// Those that getaddrinfo's hints ask for.
pub(super) fn turns(
    family: Option<Domain>,
    v4_mapped: bool,
    all: bool,
    ip_version: IpVersion,
) -> Turns {
    match family {
        Some(Domain::IPV4) => V4_ONLY,
        Some(_) if v4_mapped && all => BOTH,
        Some(_) if v4_mapped => V6_OR_V4,
        Some(_) => V6_ONLY,
        None => turns_of(ip_version),
    }
}

/// The addresses that the first turn with any finds.
pub(super) fn select(addresses: &[IpAddr], turns: Turns) -> Vec<IpAddr> {
    for families in turns {
        let is_meant = |address: &&IpAddr| families.iter().any(|family| family.has(address));
        let selected: Vec<IpAddr> = addresses.iter().filter(is_meant).copied().collect();
        if !selected.is_empty() {
            return selected;
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_stands_for_what_the_world_says_or_for_what_there_is() {
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        let v6: IpAddr = "fd00::1".parse().unwrap();
        let of = |version| select(&[v4, v6], turns_of(version));
        assert_eq!(of(IpVersion::V4), [v4]);
        assert_eq!(of(IpVersion::V6), [v6]);
        assert_eq!(of(IpVersion::Dual), [v4, v6]);
        assert_eq!(select(&[v6], turns_of(IpVersion::V4)), [v6]);
        assert!(select(&[v6], V4_ONLY).is_empty());
    }
}
