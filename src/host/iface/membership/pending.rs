//! Which groups are to be reported when, because somebody asked (RFC 3376 5.2, RFC 3810 6.2), and
//! in which version of the protocol (RFC 3376 7.2.1, RFC 3810 8.2.1).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::rng::Stream;
use crate::wire::membership::{DEFAULT_QUERIER_TIMEOUT, Query, Version};

/// What a host still has to answer: at most one answer for each group that it is in, and one of
/// each family for all of them, whose group is the unspecified address.
pub(super) struct PendingReports {
    /// Delays are drawn from this, and nothing else is.
    stream: Stream,
    at: BTreeMap<IpAddr, u64>,
    due: BTreeSet<(u64, IpAddr)>,
    igmp: Querier,
    mld: Querier,
}

/// What is known of the queriers of a family.
struct Querier {
    /// The version spoken when it was last looked at.
    version: Version,
    /// Until when a querier of IGMPv1 counts as present, and one of IGMPv2 or MLDv1.
    v1_querier_until: u64,
    v2_querier_until: u64,
    /// [`Query::querier_timeout`], of the last query that told it.
    querier_timeout: u64,
}

impl Querier {
    fn new() -> Querier {
        let querier_timeout = DEFAULT_QUERIER_TIMEOUT;
        Querier { version: Version::V3, v1_querier_until: 0, v2_querier_until: 0, querier_timeout }
    }

    fn version(&self, now: u64) -> Version {
        if now < self.v1_querier_until {
            Version::V1
        } else if now < self.v2_querier_until {
            Version::V2
        } else {
            Version::V3
        }
    }
}

impl PendingReports {
    pub(super) fn new(stream: Stream) -> PendingReports {
        PendingReports {
            stream,
            at: BTreeMap::new(),
            due: BTreeSet::new(),
            igmp: Querier::new(),
            mld: Querier::new(),
        }
    }

    /// Takes note of a query's sender. IGMPv2's general queries, and all of IGMPv1 and MLDv1, tell
    /// that there is a querier that knows nothing newer.
    pub(super) fn note_query(&mut self, now: u64, query: &Query) {
        let is_v4 = query.group.is_ipv4();
        let querier = self.querier(is_v4);
        querier.querier_timeout = query.querier_timeout.unwrap_or(querier.querier_timeout);
        // RFC 3376 8.12, RFC 3810 9.12.
        let until = now.saturating_add(querier.querier_timeout).saturating_add(query.max_response);
        match query.version {
            Version::V1 => querier.v1_querier_until = until,
            Version::V2 if !is_v4 || query.group.is_unspecified() => {
                querier.v2_querier_until = until
            }
            Version::V2 | Version::V3 => {}
        }
    }

    /// The version to speak. When it changes, pending answers are dropped.
    pub(super) fn version(&mut self, now: u64, is_v4: bool) -> Version {
        let querier = self.querier(is_v4);
        let version = querier.version(now);
        if querier.version != version {
            querier.version = version;
            self.at.retain(|group, _| group.is_ipv4() != is_v4);
            self.due.retain(|(_, group)| group.is_ipv4() != is_v4);
        }
        version
    }

    fn querier(&mut self, is_v4: bool) -> &mut Querier {
        if is_v4 { &mut self.igmp } else { &mut self.mld }
    }

    /// A group, or all of them, is to be reported within `max_response`. What is to be reported
    /// sooner anyway is not again.
    pub(super) fn schedule(
        &mut self,
        now: u64,
        version: Version,
        group: IpAddr,
        max_response: u64,
    ) {
        let latest = now.saturating_add(max_response);
        let pending = self.at.get(&group).copied();
        // RFC 2236 3, RFC 2710 4: a timer that is early enough is left alone.
        if version != Version::V3 && pending.is_some_and(|at| at <= latest) {
            return;
        }
        let at = latest - self.stream.up_to(latest - now);
        let of_all = self.at.get(&all_of_family(group)).copied();
        if [pending, of_all].into_iter().flatten().any(|earlier| earlier <= at) {
            return;
        }
        self.forget(group);
        self.at.insert(group, at);
        self.due.insert((at, group));
    }

    /// A group is not to be reported any more; false when it was not.
    pub(super) fn forget(&mut self, group: IpAddr) -> bool {
        let at = self.at.remove(&group);
        at.is_some_and(|at| self.due.remove(&(at, group)))
    }

    /// Whether there is one: asked in each turn, and most hosts have none.
    #[inline]
    pub(super) fn has_deadline(&self) -> bool {
        !self.due.is_empty()
    }

    /// When something is to be reported next.
    #[inline]
    pub(super) fn deadline(&self) -> Option<u64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A group that is to be reported now, and in which version.
    pub(super) fn take_due(&mut self, now: u64) -> Option<(IpAddr, Version)> {
        while let Some((at, group)) = self.due.first().copied()
            && at <= now
        {
            let version = self.version(now, group.is_ipv4());
            if self.forget(group) {
                return Some((group, version));
            }
        }
        None
    }
}

/// What stands for all groups of a group's family.
fn all_of_family(group: IpAddr) -> IpAddr {
    match group {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
