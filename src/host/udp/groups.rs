//! The groups that datagram sockets join and leave.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{DatagramId, UdpCalls};
use crate::error::Errno;
use crate::host::ip::InterfaceId;

impl UdpCalls<'_> {
    /// `IP_ADD_MEMBERSHIP`: EINVAL for what is no group, ENODEV for an interface that there is
    /// not.
    pub(crate) fn join_v4(
        &mut self,
        id: DatagramId,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        let interface = self.ip.interface_with(interface).ok_or(Errno::NoDevice)?;
        self.join(id, group.into(), interface)
    }

    /// `IP_DROP_MEMBERSHIP`: EADDRNOTAVAIL for everything that was not joined.
    pub(crate) fn leave_v4(
        &mut self,
        id: DatagramId,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> Result<(), Errno> {
        let interface = self.ip.interface_with(interface).ok_or(Errno::AddrNotAvailable)?;
        self.leave(id, group.into(), interface)
    }

    /// `IPV6_ADD_MEMBERSHIP`: EINVAL for what is no group, ENODEV for an interface that there is
    /// not.
    pub(crate) fn join_v6(
        &mut self,
        id: DatagramId,
        group: Ipv6Addr,
        interface: u32,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        let interface = self.ip.interface_numbered(interface).ok_or(Errno::NoDevice)?;
        self.join(id, group.into(), interface)
    }

    /// `IPV6_DROP_MEMBERSHIP`: EINVAL for what is no group, EADDRNOTAVAIL for everything else that
    /// was not joined.
    pub(crate) fn leave_v6(
        &mut self,
        id: DatagramId,
        group: Ipv6Addr,
        interface: u32,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        let interface = self.ip.interface_numbered(interface).ok_or(Errno::AddrNotAvailable)?;
        self.leave(id, group.into(), interface)
    }

    fn join(&mut self, id: DatagramId, group: IpAddr, on: InterfaceId) -> Result<(), Errno> {
        self.udp.sockets.get_mut(id).ok_or(Errno::ConnReset)?.join(group, on)?;
        self.ip.join(&mut self.ctx, on, group);
        Ok(())
    }

    fn leave(&mut self, id: DatagramId, group: IpAddr, on: InterfaceId) -> Result<(), Errno> {
        self.udp.sockets.get_mut(id).ok_or(Errno::ConnReset)?.leave(group, on)?;
        self.ip.leave(&mut self.ctx, on, group);
        Ok(())
    }
}
