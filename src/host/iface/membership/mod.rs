//! Groups: which of them an interface is in, and what the network is told of it (IGMPv3, RFC 3376;
//! MLDv2, RFC 3810).
//!
//! When the first socket joins a group, and when the last leaves it, the host reports it once.
//! Linux repeats each report once within a second (`igmp_qrv`); here every query is answered.
//! As on Linux, a query for some sources of a group is answered for the whole group: sockets here
//! choose no sources.
//!
//! `pending` says when a query is answered.

mod pending;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pending::PendingReports;

use super::addresses::Addresses;
use super::neighbor::{count_control, send_to_many};
use crate::host::context::Ctx;
use crate::host::packet::IpPacket;
use crate::rng::Stream;
use crate::wire::checksum::internet_checksum;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::ipv4::{self, ALL_SYSTEMS};
use crate::wire::ipv6::{self, ALL_NODES, link_local};
use crate::wire::membership::{
    GroupMessage, Query, Record, Version, parse_igmp, parse_mld, reports,
};

/// The groups of an interface.
pub(super) struct Memberships {
    /// How many sockets have joined each group.
    members: BTreeMap<IpAddr, usize>,
    pending: PendingReports,
}

/// What the reports of an interface tell besides.
#[derive(Clone, Copy)]
pub(super) struct Link<'a> {
    pub(super) addresses: &'a Addresses,
    pub(super) mtu: usize,
}

impl Memberships {
    /// Delays of answers are drawn from `stream`.
    pub(super) fn new(stream: Stream) -> Memberships {
        Memberships { members: BTreeMap::new(), pending: PendingReports::new(stream) }
    }

    /// A socket has joined a group.
    pub(super) fn join(&mut self, ctx: &mut Ctx<'_>, link: Link<'_>, group: IpAddr) {
        let members = self.members.entry(group).or_default();
        *members += 1;
        if *members == 1 {
            self.report_change(ctx, link, group, Record::Joins);
        }
    }

    /// A socket that was in a group is not any more.
    pub(super) fn leave(&mut self, ctx: &mut Ctx<'_>, link: Link<'_>, group: IpAddr) {
        let Some(members) = self.members.get_mut(&group) else { return };
        *members -= 1;
        if *members == 0 {
            self.members.remove(&group);
            self.report_change(ctx, link, group, Record::Leaves);
        }
    }

    /// Whether a socket of this host is in a group.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        self.members.contains_key(&group)
    }

    /// Every socket is gone.
    pub(super) fn forget_members(&mut self) {
        self.members.clear();
    }

    /// Whether [`Memberships::answer_queries`] will be needed.
    #[inline]
    pub(super) fn has_deadline(&self) -> bool {
        self.pending.has_deadline()
    }

    /// When [`Memberships::answer_queries`] is next needed.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.pending.deadline()
    }

    fn report_change(&mut self, ctx: &mut Ctx<'_>, link: Link<'_>, group: IpAddr, record: Record) {
        // The host's own business with a group goes on.
        if !is_reported(group) || is_solicited_node(link.addresses, group) {
            return;
        }
        if record == Record::Leaves {
            self.pending.forget(group);
        }
        let version = self.pending.version(ctx.now, group.is_ipv4());
        report(ctx, link, version, record, &[group]);
    }

    /// Takes in an IGMP message: RFC 3376 4 and 9.1.
    pub(super) fn receive_igmp(
        &mut self,
        ctx: &mut Ctx<'_>,
        link: Link<'_>,
        packet: &IpPacket<'_>,
    ) {
        let IpPacket { header, payload: message, whole, checksum } = *packet;
        if header.hop_limit != 1 || (!checksum.is_trusted() && internet_checksum(message) != 0) {
            ctx.counters.membership_errors += 1;
            return;
        }
        match parse_igmp(message, ipv4::has_router_alert(whole)) {
            Some(heard) => self.hear(ctx, link, header.destination, heard),
            None => ctx.counters.membership_errors += 1,
        }
    }

    /// Takes in an MLD message whose checksum is good: RFC 3810 6.2.
    pub(super) fn receive_mld(&mut self, ctx: &mut Ctx<'_>, link: Link<'_>, packet: &IpPacket<'_>) {
        let IpPacket { header, payload: message, whole, .. } = *packet;
        let is_of_link = matches!(header.source, IpAddr::V6(from) if from.is_unicast_link_local());
        if header.hop_limit != 1 || !is_of_link || !ipv6::has_router_alert(whole) {
            ctx.counters.membership_errors += 1;
            return;
        }
        match parse_mld(message) {
            Some(heard) => self.hear(ctx, link, header.destination, heard),
            None => ctx.counters.membership_errors += 1,
        }
    }

    fn hear(&mut self, ctx: &Ctx<'_>, link: Link<'_>, destination: IpAddr, heard: GroupMessage) {
        match heard {
            GroupMessage::Query(query) => {
                // RFC 3376 9.1: who asks for everything asks everybody, or this host alone.
                let is_for_all = [ALL_SYSTEMS.into(), ALL_NODES.into()].contains(&destination);
                let is_for_us = destination.is_loopback() || link.addresses.has(destination);
                if !query.group.is_unspecified() || is_for_all || is_for_us {
                    self.prepare_answer(ctx.now, link.addresses, &query);
                }
            }
            // RFC 2236 3, RFC 2710 4: one member is enough, for those who ask by these versions.
            GroupMessage::Report(group) => {
                let version = self.pending.version(ctx.now, group.is_ipv4());
                if version != Version::V3 && destination == group {
                    self.pending.forget(group);
                }
            }
        }
    }

    fn prepare_answer(&mut self, now: u64, addresses: &Addresses, query: &Query) {
        let is_v4 = query.group.is_ipv4();
        self.pending.note_query(now, query);
        let version = self.pending.version(now, is_v4);
        let mut asked = self.groups_to_report(addresses, query.group);
        // IGMPv3 and MLDv2 have one answer for all groups, older versions one for each.
        if query.group.is_unspecified() && version == Version::V3 && !asked.is_empty() {
            asked = vec![query.group];
        }
        for group in asked {
            self.pending.schedule(now, version, group, query.max_response);
        }
    }

    /// Answers what is due to be answered.
    pub(super) fn answer_queries(&mut self, ctx: &mut Ctx<'_>, link: Link<'_>) {
        while let Some((group, version)) = self.pending.take_due(ctx.now) {
            let groups = self.groups_to_report(link.addresses, group);
            report(ctx, link, version, Record::IsMember, &groups);
        }
    }

    /// The group, if the host is in it and reports it; for the unspecified address, all such
    /// groups of its family.
    fn groups_to_report(&self, addresses: &Addresses, asked: IpAddr) -> Vec<IpAddr> {
        if !asked.is_unspecified() {
            let is_in = self.is_member(asked) || is_solicited_node(addresses, asked);
            return if is_in && is_reported(asked) { vec![asked] } else { Vec::new() };
        }
        let mut groups: Vec<IpAddr> = self.members.keys().copied().collect();
        // RFC 4861 7.2.1: a switch that heard nothing of these would not let its neighbours ask
        // for the host.
        groups.extend(addresses.solicited_nodes().map(IpAddr::V6));
        groups.retain(|group| group.is_ipv4() == asked.is_ipv4() && is_reported(*group));
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

/// Tells switches that hand groups only to those who listen, that this host listens to those in
/// which its neighbours look for it (RFC 4861 7.2.1). In a simulated world no switch does.
pub(super) fn report_solicited_nodes(ctx: &mut Ctx<'_>, link: Link<'_>) {
    let groups: BTreeSet<IpAddr> = link.addresses.solicited_nodes().map(IpAddr::V6).collect();
    let groups: Vec<IpAddr> = groups.into_iter().collect();
    report(ctx, link, Version::V3, Record::Joins, &groups);
}

fn report(
    ctx: &mut Ctx<'_>,
    Link { addresses, mtu }: Link<'_>,
    version: Version,
    record: Record,
    groups: &[IpAddr],
) {
    let source = match groups.first() {
        // A host that has no address has nobody who could hear it.
        Some(group @ IpAddr::V4(_)) => match addresses.source_for(*group) {
            Some(source) => source,
            None => return,
        },
        Some(IpAddr::V6(_)) => link_local(addresses.mac()).into(),
        None => return,
    };
    for (to, packet) in reports(version, record, source, groups, mtu) {
        let mut frame = ctx.pool.take(ETHERNET_HEADER + packet.len());
        frame.packet_mut().copy_from_slice(&packet);
        count_control(ctx, &frame);
        send_to_many(ctx, addresses.mac(), to, frame);
    }
}

fn is_solicited_node(addresses: &Addresses, group: IpAddr) -> bool {
    matches!(group, IpAddr::V6(group) if addresses.is_solicited_node(group))
}

/// Whether anybody is told of a group: everybody is always in that of all hosts (RFC 3376 5,
/// RFC 3810 6). Nor is anybody told of one that reaches no further than the interface.
fn is_reported(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group != ALL_SYSTEMS,
        IpAddr::V6(group) => group != ALL_NODES && group.octets()[1] & 0x0f > 1,
    }
}
