//! Groups: who on the host is in which, and what the network is told of it (IGMPv3, RFC 3376;
//! MLDv2, RFC 3810).
//!
//! When the first socket joins a group, and when the last leaves it, the host reports it once.
//! Linux repeats each report once within a second (`igmp_qrv`); here nobody listens to them but
//! captures, and switches hand groups to those who listen anyway. Queries are not answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{INTERFACE_INDEX, link_local};
use super::checksum::{checksum, transport_checksum};
use super::datagram::DatagramId;
use super::frame::{ETHERNET_HEADER, FramePool};
use super::ip::protocol;
use super::stack::Host;
use crate::error::Errno;

/// Who hears reports: RFC 3376 4.2.14, RFC 3810 5.2.14.
const IGMP_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
const MLD_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
const IGMP: u8 = 2;
const IGMP_REPORT: u8 = 0x22;
const MLD_REPORT: u8 = 143;
/// To hear all sources but those listed, and no source but those listed; none is.
const CHANGE_TO_INCLUDE: u8 = 3;
const CHANGE_TO_EXCLUDE: u8 = 4;

impl Host {
    /// `IP_ADD_MEMBERSHIP`: EINVAL for what is no group, ENODEV for an interface that there is
    /// not.
    pub(crate) fn datagram_join_v4(
        &mut self,
        id: DatagramId,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        if !self.is_interface_v4(interface) {
            return Err(Errno::NoDevice);
        }
        self.join_group(id, group.into())
    }

    /// `IP_DROP_MEMBERSHIP`: EADDRNOTAVAIL for everything that was not joined.
    pub(crate) fn datagram_leave_v4(
        &mut self,
        id: DatagramId,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> Result<(), Errno> {
        if !self.is_interface_v4(interface) {
            return Err(Errno::AddrNotAvailable);
        }
        self.datagrams.get_mut(id).ok_or(Errno::ConnReset)?.leave(group.into())?;
        self.leave_group(group.into());
        Ok(())
    }

    /// `IPV6_ADD_MEMBERSHIP`: EINVAL for what is no group, ENODEV for an interface that there is
    /// not.
    pub(crate) fn datagram_join_v6(
        &mut self,
        id: DatagramId,
        group: Ipv6Addr,
        interface: u32,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        if !matches!(interface, 0 | INTERFACE_INDEX) {
            return Err(Errno::NoDevice);
        }
        self.join_group(id, group.into())
    }

    /// `IPV6_DROP_MEMBERSHIP`: EINVAL for what is no group, EADDRNOTAVAIL for everything else that
    /// was not joined.
    pub(crate) fn datagram_leave_v6(
        &mut self,
        id: DatagramId,
        group: Ipv6Addr,
        interface: u32,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        if !matches!(interface, 0 | INTERFACE_INDEX) {
            return Err(Errno::AddrNotAvailable);
        }
        self.datagrams.get_mut(id).ok_or(Errno::ConnReset)?.leave(group.into())?;
        self.leave_group(group.into());
        Ok(())
    }

    fn join_group(&mut self, id: DatagramId, group: IpAddr) -> Result<(), Errno> {
        self.datagrams.get_mut(id).ok_or(Errno::ConnReset)?.join(group)?;
        if self.datagrams.joins(group) {
            self.report_membership(group, CHANGE_TO_EXCLUDE);
        }
        Ok(())
    }

    /// A socket that was in a group is not any more.
    pub(super) fn leave_group(&mut self, group: IpAddr) {
        if self.datagrams.quits(group) {
            self.report_membership(group, CHANGE_TO_INCLUDE);
        }
    }

    /// Whether a socket of this host is in a group.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        self.datagrams.is_member(group)
    }

    /// Whether an address chooses the interface: one of its own, or none.
    fn is_interface_v4(&self, interface: Ipv4Addr) -> bool {
        interface.is_unspecified() || self.addresses.has(interface.into())
    }

    fn report_membership(&mut self, group: IpAddr, change: u8) {
        let (to, packet) = match group {
            // All hosts are always in this one: RFC 3376 5.
            IpAddr::V4(group) if group.octets() == [224, 0, 0, 1] => return,
            IpAddr::V4(group) => {
                let Ok(IpAddr::V4(source)) = self.addresses.source_for(IGMP_ROUTERS.into()) else {
                    return;
                };
                (IpAddr::V4(IGMP_ROUTERS), igmp_report(source, group, change))
            }
            // RFC 3810 6: nor of what reaches no further than the interface.
            IpAddr::V6(group) if group == ALL_NODES || group.octets()[1] & 0x0f <= 1 => return,
            IpAddr::V6(group) => {
                (IpAddr::V6(MLD_ROUTERS), mld_report(link_local(self.mac), group, change))
            }
        };
        let mut frame = FramePool::default().take(ETHERNET_HEADER + packet.len());
        frame.packet_mut().copy_from_slice(&packet);
        self.neighbors.send_to_many(to, frame, &mut self.outbox);
    }
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// RFC 3376 4 and 4.2: an IPv4 packet with the router alert option.
fn igmp_report(source: Ipv4Addr, group: Ipv4Addr, change: u8) -> Vec<u8> {
    let mut packet = vec![0x46, 0xc0, 0, 40, 0, 0, 0x40, 0, 1, IGMP, 0, 0];
    packet.extend(source.octets());
    packet.extend(IGMP_ROUTERS.octets());
    packet.extend([0x94, 4, 0, 0]);
    let header_len = packet.len();
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend([IGMP_REPORT, 0, 0, 0, 0, 0, 0, 1, change, 0, 0, 0]);
    packet.extend(group.octets());
    let sum = checksum(&packet[header_len..]);
    packet[header_len + 2..header_len + 4].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// RFC 3810 5 and 5.2: an IPv6 packet with a hop-by-hop header, in which the router alert option
/// is.
fn mld_report(source: Ipv6Addr, group: Ipv6Addr, change: u8) -> Vec<u8> {
    let mut message = vec![MLD_REPORT, 0, 0, 0, 0, 0, 0, 1, change, 0, 0, 0];
    message.extend(group.octets());
    let sum = transport_checksum(source.into(), MLD_ROUTERS.into(), protocol::ICMPV6, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let hop_by_hop = [protocol::ICMPV6, 0, 5, 2, 0, 0, 1, 0];
    let mut packet = vec![0x60, 0, 0, 0, 0, (hop_by_hop.len() + message.len()) as u8, 0, 1];
    packet.extend(source.octets());
    packet.extend(MLD_ROUTERS.octets());
    packet.extend(hop_by_hop);
    packet.extend(message);
    packet
}
