//! The groups that datagram sockets join and leave.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{DatagramId, UdpCalls};
use crate::error::Errno;
use crate::host::ip::InterfaceId;

/// A group, and the interface on which a socket joins or leaves it: the one that has an address, or
/// a number. The unspecified address and 0 are any.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Membership {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, u32),
}

impl Membership {
    pub(crate) fn group(self) -> IpAddr {
        match self {
            Membership::V4(group, _) => group.into(),
            Membership::V6(group, _) => group.into(),
        }
    }
}

impl UdpCalls<'_> {
    /// `IP_ADD_MEMBERSHIP` and `IPV6_ADD_MEMBERSHIP`: EINVAL for what is no group, ENODEV for an
    /// interface that there is not.
    pub(crate) fn join(&mut self, id: DatagramId, membership: Membership) -> Result<(), Errno> {
        let group = membership.group();
        if !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        let on = self.interface_of(membership).ok_or(Errno::NoDevice)?;
        if !self.ip.carries(on, group) {
            // As Linux 6.18 where an MTU has taken IPv6 away from the interface.
            let names_it = matches!(membership, Membership::V6(_, number) if number != 0);
            return Err(if names_it { Errno::Invalid } else { Errno::NoDevice });
        }
        self.udp.sockets.get_mut(id).ok_or(Errno::ConnReset)?.join(group, on)?;
        self.ip.join(&mut self.ctx, on, group);
        Ok(())
    }

    /// `IP_DROP_MEMBERSHIP` and `IPV6_DROP_MEMBERSHIP`: EADDRNOTAVAIL for everything that was not
    /// joined, but EINVAL for an IPv6 address that is no group's.
    pub(crate) fn leave(&mut self, id: DatagramId, membership: Membership) -> Result<(), Errno> {
        let group = membership.group();
        if group.is_ipv6() && !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        let on = self.interface_of(membership).ok_or(Errno::AddrNotAvailable)?;
        self.udp.sockets.get_mut(id).ok_or(Errno::ConnReset)?.leave(group, on)?;
        self.ip.leave(&mut self.ctx, on, group);
        Ok(())
    }

    fn interface_of(&self, membership: Membership) -> Option<InterfaceId> {
        match membership {
            Membership::V4(_, address) => self.ip.interface_with(address),
            Membership::V6(_, number) => self.ip.interface_numbered(number),
        }
    }
}
