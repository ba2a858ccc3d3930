//! Groups: who on the host is in which, and what the network is told of it (IGMPv3, RFC 3376;
//! MLDv2, RFC 3810).
//!
//! When the first socket joins a group, and when the last leaves it, the host reports it once.
//! Linux repeats each report once within a second (`igmp_qrv`); here whoever asks is answered.
//! As on Linux, who asks for some sources of a group is told of the whole group: nobody here
//! hears less of it.
//!
//! - `query`: what is asked; `pending`: when it is answered; `report`: with what.

mod pending;
mod query;
mod report;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) use pending::PendingReports;
use query::{Heard, Query, Version, has_router_alert_v4, has_router_alert_v6};
use report::{Record, reports};

use super::address::INTERFACE_INDEX;
use super::datagram::DatagramId;
use super::stack::Host;
use crate::error::Errno;
use crate::wire::checksum::checksum;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::FramePool;
use crate::wire::ip::IpHeader;
use crate::wire::ipv6::{ALL_NODES, link_local};

/// Everybody is always in these, so nobody reports them: RFC 3376 5, RFC 3810 6.
const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

/// A group, and the interface on which a socket joins or leaves it: that with an address, or a
/// number; the unspecified address and 0 are any.
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

impl Host {
    /// `IP_ADD_MEMBERSHIP` and `IPV6_ADD_MEMBERSHIP`: EINVAL for what is no group, ENODEV for an
    /// interface that there is not.
    pub(crate) fn datagram_join(
        &mut self,
        now: u64,
        id: DatagramId,
        membership: Membership,
    ) -> Result<(), Errno> {
        if !membership.group().is_multicast() {
            return Err(Errno::Invalid);
        }
        if !self.has_interface_of(membership) {
            return Err(Errno::NoDevice);
        }
        self.join_group(now, id, membership.group())
    }

    /// `IP_DROP_MEMBERSHIP` and `IPV6_DROP_MEMBERSHIP`: EADDRNOTAVAIL for everything that was not
    /// joined, but EINVAL for an IPv6 address that is no group's.
    pub(crate) fn datagram_leave(
        &mut self,
        now: u64,
        id: DatagramId,
        membership: Membership,
    ) -> Result<(), Errno> {
        let group = membership.group();
        if group.is_ipv6() && !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        if !self.has_interface_of(membership) {
            return Err(Errno::AddrNotAvailable);
        }
        self.datagrams.get_mut(id).ok_or(Errno::ConnReset)?.leave(group)?;
        self.leave_group(now, group);
        Ok(())
    }

    fn has_interface_of(&self, membership: Membership) -> bool {
        match membership {
            Membership::V4(_, address) => {
                address.is_unspecified() || self.addresses.has(address.into())
            }
            Membership::V6(_, number) => matches!(number, 0 | INTERFACE_INDEX),
        }
    }

    fn join_group(&mut self, now: u64, id: DatagramId, group: IpAddr) -> Result<(), Errno> {
        self.datagrams.get_mut(id).ok_or(Errno::ConnReset)?.join(group)?;
        if self.datagrams.joins(group) {
            self.report_change(now, group, Record::Joins);
        }
        Ok(())
    }

    /// A socket that was in a group is not any more.
    pub(super) fn leave_group(&mut self, now: u64, group: IpAddr) {
        if self.datagrams.quits(group) {
            self.report_change(now, group, Record::Leaves);
        }
    }

    /// Whether a socket of this host is in a group.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        self.datagrams.is_member(group)
    }

    fn report_change(&mut self, now: u64, group: IpAddr, record: Record) {
        // The host's own business with a group goes on.
        if !is_reported(group) || self.is_solicited_node(group) {
            return;
        }
        if record == Record::Leaves {
            self.pending_reports.forget(group);
        }
        let version = self.pending_reports.version(now, group.is_ipv4());
        self.report(version, record, &[group]);
    }

    /// Tells switches that hand groups only to those who listen, that this host listens to those
    /// in which its neighbours look for it (RFC 4861 7.2.1). In a simulated world no switch does.
    pub(crate) fn report_solicited_nodes(&mut self) {
        let groups: BTreeSet<IpAddr> = self.addresses.solicited_nodes().map(IpAddr::V6).collect();
        let groups: Vec<IpAddr> = groups.into_iter().collect();
        self.report(Version::Newest, Record::Joins, &groups);
    }

    /// Takes in an IGMP message: RFC 3376 4 and 9.1.
    pub(super) fn receive_igmp(
        &mut self,
        now: u64,
        header: &IpHeader,
        message: &[u8],
        packet: &[u8],
        intact: bool,
    ) {
        if header.hop_limit != 1 || (!intact && checksum(message) != 0) {
            self.counters.membership_errors += 1;
            return;
        }
        match Heard::parse_igmp(message, has_router_alert_v4(packet)) {
            Some(heard) => self.hear_of_group(now, header.destination, heard),
            None => self.counters.membership_errors += 1,
        }
    }

    /// Takes in an MLD message whose checksum is good: RFC 3810 6.2.
    pub(super) fn receive_mld(
        &mut self,
        now: u64,
        header: &IpHeader,
        message: &[u8],
        packet: &[u8],
    ) {
        let is_of_link = matches!(header.source, IpAddr::V6(from) if from.is_unicast_link_local());
        if header.hop_limit != 1 || !is_of_link || !has_router_alert_v6(packet) {
            self.counters.membership_errors += 1;
            return;
        }
        match Heard::parse_mld(message) {
            Some(heard) => self.hear_of_group(now, header.destination, heard),
            None => self.counters.membership_errors += 1,
        }
    }

    fn hear_of_group(&mut self, now: u64, destination: IpAddr, heard: Heard) {
        match heard {
            Heard::Query(query) => {
                // RFC 3376 9.1: who asks for everything asks everybody, or this host alone.
                let is_for_all = [ALL_SYSTEMS.into(), ALL_NODES.into()].contains(&destination);
                if !query.group.is_unspecified() || is_for_all || self.addresses.is_own(destination)
                {
                    self.prepare_answer(now, &query);
                }
            }
            // RFC 2236 3, RFC 2710 4: one member is enough, for those who ask by these versions.
            Heard::Report(group) => {
                let version = self.pending_reports.version(now, group.is_ipv4());
                if version != Version::Newest && destination == group {
                    self.pending_reports.forget(group);
                }
            }
        }
    }

    fn prepare_answer(&mut self, now: u64, query: &Query) {
        let is_v4 = query.group.is_ipv4();
        self.pending_reports.heed(now, query);
        let version = self.pending_reports.version(now, is_v4);
        let mut asked = self.groups_to_report(query.group);
        // The newest version has one answer for all groups, and older ones one for each.
        if query.group.is_unspecified() && version == Version::Newest && !asked.is_empty() {
            asked = vec![query.group];
        }
        for group in asked {
            self.pending_reports.schedule(now, version, group, query.max_response);
        }
    }

    /// Answers what is due to be answered.
    pub(super) fn answer_queries(&mut self, now: u64) {
        while let Some((group, version)) = self.pending_reports.take_due(now) {
            let groups = self.groups_to_report(group);
            self.report(version, Record::IsMember, &groups);
        }
    }

    /// The group, if the host is in it and reports it; for the unspecified address, all such
    /// groups of its family.
    fn groups_to_report(&self, asked: IpAddr) -> Vec<IpAddr> {
        if !asked.is_unspecified() {
            let is_in = self.is_member(asked) || self.is_solicited_node(asked);
            return if is_in && is_reported(asked) { vec![asked] } else { Vec::new() };
        }
        let mut groups: Vec<IpAddr> = self.datagrams.groups().collect();
        // RFC 4861 7.2.1: a switch that heard nothing of these would not let its neighbours ask
        // for the host.
        groups.extend(self.addresses.solicited_nodes().map(IpAddr::V6));
        groups.retain(|group| group.is_ipv4() == asked.is_ipv4() && is_reported(*group));
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    fn is_solicited_node(&self, group: IpAddr) -> bool {
        matches!(group, IpAddr::V6(group) if self.addresses.is_solicited_node(group))
    }

    fn report(&mut self, version: Version, record: Record, groups: &[IpAddr]) {
        let source = match groups.first() {
            // A host that has no address has nobody who could hear it.
            Some(IpAddr::V4(group)) => match self.addresses.source_for((*group).into()) {
                Ok(source) => source,
                Err(_) => return,
            },
            Some(IpAddr::V6(_)) => link_local(self.mac).into(),
            None => return,
        };
        for (to, packet) in reports(version, record, source, groups, self.options.mtu) {
            let mut frame = FramePool::default().take(ETHERNET_HEADER + packet.len());
            frame.packet_mut().copy_from_slice(&packet);
            self.neighbors.send_to_many(to, frame, &mut self.outbox);
        }
    }
}

/// Whether anybody is told of a group: RFC 3376 5, RFC 3810 6. Nor is anybody of one that reaches
/// no further than the interface.
fn is_reported(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group != ALL_SYSTEMS,
        IpAddr::V6(group) => group != ALL_NODES && group.octets()[1] & 0x0f > 1,
    }
}
