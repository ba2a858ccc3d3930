//! The counters of a host, by the names that the kernel has for them.

use std::fmt;
use std::ops::Index;

use super::discard::HostCounters;
use super::host::Host;
use super::ip::ReassemblyCounters;
use super::mib::{IcmpMib, IpMib, Mib, PerFamily, UdpMib};
use crate::wire::icmp::{v4, v6};

/// The counters of a host, as `nstat` shows them: see [`Sim::nstat`](crate::Sim::nstat). In the order
/// of the kernel, which is that of `/proc/net/snmp`, `/proc/net/snmp6` and `/proc/net/netstat`.
///
/// A counter that Linux has and a host does not count is not there, rather than 0; nor are those of
/// what a host does not do. Missing are: of IP forwarding, `InDiscards`, `OutDiscards`, `FragFails`,
/// `OutTransmits`, and octets and packets by kind (`IpExt…`); of ICMP the types that a host neither
/// sends nor understands, and limits of rate; all `InCsumErrors`, which are within `InErrors` and
/// `InErrs`; `UdpSndbufErrors`; and of `TcpExt…` all but those about overflows of listeners, aborts,
/// challenge ACKs, keep-alive and SYNs sent again.
///
/// `Display` prints what `nstat -az` prints, and `{:#}` what `nstat -a` does, which leaves out what
/// is 0. Neither has `TcpCurrEstab`, which is no counter.
///
/// ```
/// use glassnet::{Sim, net::UdpSocket, time::sleep};
/// use std::time::Duration;
///
/// let mut sim = Sim::new(7);
/// sim.client("client", async {
///     let socket = UdpSocket::bind("0.0.0.0:0").await?;
///     socket.send_to(b"is anybody there?", "server:9").await?;
///     sleep(Duration::from_secs(1)).await;
///     Ok(())
/// });
/// sim.client("server", async { Ok(()) });
/// sim.run()?;
/// assert_eq!(sim.nstat("server")["UdpNoPorts"], 1);
/// assert_eq!(sim.nstat("client").get("IcmpInDestUnreachs"), Some(1));
/// assert_eq!(format!("{:#}", sim.nstat("server")), "\
/// ##kernel
/// IpInReceives                    1                  0.0
/// IpInDelivers                    1                  0.0
/// IpOutRequests                   1                  0.0
/// IcmpOutMsgs                     1                  0.0
/// IcmpOutDestUnreachs             1                  0.0
/// UdpNoPorts                      1                  0.0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nstat(Vec<(&'static str, u64)>);

impl Nstat {
    /// A counter by its name; `None` for one that is not counted.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        self.iter().find(|(other, _)| *other == name).map(|(_, count)| count)
    }

    /// Every counter with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied()
    }

    /// What was counted since an earlier look at the same host, as `nstat` shows it when it is called
    /// again. What has become less, because the host was started anew, is 0.
    #[must_use]
    pub fn since(&self, earlier: &Nstat) -> Nstat {
        let before = |name| earlier.get(name).unwrap_or(0);
        let less = |(name, count): (&'static str, u64)| (name, count.saturating_sub(before(name)));
        Nstat(self.iter().map(less).collect())
    }

    /// That of a host that has not run.
    pub(crate) fn of_nothing() -> Nstat {
        Source {
            mib: &Mib::default(),
            discards: &PerFamily::default(),
            reassembly: PerFamily::default(),
            received_datagrams: PerFamily::default(),
            established: 0,
            sent_again: 0,
        }
        .nstat()
    }
}

/// # Panics
/// For a name that is not counted; [`Nstat::get`] does not.
impl Index<&str> for Nstat {
    type Output = u64;

    fn index(&self, name: &str) -> &u64 {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map_or_else(|| panic!("{name:?} is not counted"), |(_, count)| count)
    }
}

impl fmt::Display for Nstat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("#kernel")?;
        let is_shown =
            |name: &str, count: u64| name != CURR_ESTAB && (count > 0 || !formatter.alternate());
        let shown: Vec<_> = self.iter().filter(|(name, count)| is_shown(name, *count)).collect();
        for (name, count) in shown {
            // The last column is a rate, which nstat knows only when it runs all the time.
            write!(formatter, "\n{name:<32}{count:<16}{:>6}", "0.0")?;
        }
        Ok(())
    }
}

/// `nstat` leaves it out as well.
const CURR_ESTAB: &str = "TcpCurrEstab";

impl Host {
    /// What it has counted since it was made.
    pub(crate) fn nstat(&self) -> Nstat {
        Source {
            mib: &self.io.mib,
            discards: &self.io.counters,
            reassembly: self.ip.reassembly(),
            received_datagrams: self.udp().received(),
            established: self.tcp.established() as u64,
            sent_again: self.tcp.retransmissions(),
        }
        .nstat()
    }
}

struct Source<'a> {
    mib: &'a Mib,
    discards: &'a PerFamily<HostCounters>,
    reassembly: PerFamily<ReassemblyCounters>,
    received_datagrams: PerFamily<u64>,
    established: u64,
    sent_again: u64,
}

impl Source<'_> {
    fn nstat(&self) -> Nstat {
        let Source { mib, discards, .. } = *self;
        let (v4, v6) = (&discards.v4, &discards.v6);
        let tcp = &mib.tcp;
        let mut all = Vec::with_capacity(128);
        let ip = [
            "IpInReceives",
            "IpInHdrErrors",
            "IpInAddrErrors",
            "IpInUnknownProtos",
            "IpInDelivers",
            "IpOutRequests",
            "IpOutNoRoutes",
            "IpReasmTimeout",
            "IpReasmReqds",
            "IpReasmOKs",
            "IpReasmFails",
            "IpFragOKs",
            "IpFragCreates",
        ];
        let counts = of_ip(&mib.ip.v4, v4, &self.reassembly.v4, tcp.received.v4, tcp.sent.v4);
        all.extend(ip.into_iter().zip(counts));
        all.extend(of_icmp(&mib.icmp.v4, v4.icmp_errors));
        let listen_drops = v4.listen_overflows + v6.listen_overflows;
        all.extend([
            ("TcpActiveOpens", tcp.active_opens),
            ("TcpPassiveOpens", tcp.passive_opens),
            ("TcpAttemptFails", tcp.attempt_fails),
            ("TcpEstabResets", tcp.estab_resets),
            (CURR_ESTAB, self.established),
            ("TcpInSegs", tcp.received.v4 + tcp.received.v6),
            ("TcpOutSegs", (tcp.sent.v4 + tcp.sent.v6).saturating_sub(self.sent_again)),
            ("TcpRetransSegs", self.sent_again),
            ("TcpInErrs", v4.tcp_errors + v6.tcp_errors),
            ("TcpOutRsts", tcp.resets_sent),
        ]);
        let udp = [
            "UdpInDatagrams",
            "UdpNoPorts",
            "UdpInErrors",
            "UdpOutDatagrams",
            "UdpRcvbufErrors",
            "UdpIgnoredMulti",
        ];
        all.extend(udp.into_iter().zip(of_udp(&mib.udp.v4, v4, self.received_datagrams.v4)));
        let ip6 = [
            "Ip6InReceives",
            "Ip6InHdrErrors",
            "Ip6InAddrErrors",
            "Ip6InUnknownProtos",
            "Ip6InDelivers",
            "Ip6OutRequests",
            "Ip6OutNoRoutes",
            "Ip6ReasmTimeout",
            "Ip6ReasmReqds",
            "Ip6ReasmOKs",
            "Ip6ReasmFails",
            "Ip6FragOKs",
            "Ip6FragCreates",
        ];
        let counts = of_ip(&mib.ip.v6, v6, &self.reassembly.v6, tcp.received.v6, tcp.sent.v6);
        all.extend(ip6.into_iter().zip(counts));
        all.extend(of_icmp6(&mib.icmp.v6, v6.icmp_errors));
        let udp6 = [
            "Udp6InDatagrams",
            "Udp6NoPorts",
            "Udp6InErrors",
            "Udp6OutDatagrams",
            "Udp6RcvbufErrors",
            "Udp6IgnoredMulti",
        ];
        all.extend(udp6.into_iter().zip(of_udp(&mib.udp.v6, v6, self.received_datagrams.v6)));
        all.extend([
            ("TcpExtListenOverflows", listen_drops - tcp.syn_queue_full),
            ("TcpExtListenDrops", listen_drops),
            ("TcpExtTCPAbortOnData", tcp.aborts_on_data),
            ("TcpExtTCPAbortOnClose", tcp.aborts_on_close),
            ("TcpExtTCPAbortOnTimeout", tcp.aborts_on_timeout),
            ("TcpExtTCPChallengeACK", tcp.challenge_acks),
            ("TcpExtTCPSynRetrans", tcp.syns_sent_again),
            ("TcpExtTCPKeepAlive", tcp.keep_alive_probes),
        ]);
        Nstat(all)
    }
}

/// In the order of the names in [`Source::nstat`].
fn of_ip(
    ip: &IpMib,
    discards: &HostCounters,
    reassembly: &ReassemblyCounters,
    segments_in: u64,
    segments_out: u64,
) -> [u64; 13] {
    [
        ip.in_receives,
        discards.ip_header_errors,
        discards.ip_address_errors,
        discards.unknown_protocols,
        ip.in_delivers + segments_in,
        ip.out_requests + segments_out,
        ip.out_no_routes,
        reassembly.timed_out,
        reassembly.requests,
        reassembly.whole,
        reassembly.failures(),
        ip.frag_oks,
        ip.frag_creates,
    ]
}

/// In the order of the names in [`Source::nstat`]. As in the kernel, a datagram for which there is no
/// room is an error as well.
fn of_udp(udp: &UdpMib, discards: &HostCounters, received: u64) -> [u64; 6] {
    [
        received,
        discards.udp_no_ports - udp.ignored_multi,
        discards.udp_errors + udp.recv_buffer_errors,
        udp.out_datagrams,
        udp.recv_buffer_errors,
        udp.ignored_multi,
    ]
}

fn of_icmp(icmp: &IcmpMib, errors: u64) -> [(&'static str, u64); 13] {
    [
        ("IcmpInMsgs", icmp.in_messages),
        ("IcmpInErrors", errors),
        ("IcmpInDestUnreachs", icmp.in_of(v4::UNREACHABLE)),
        ("IcmpInTimeExcds", icmp.in_of(v4::TIME_EXCEEDED)),
        ("IcmpInParmProbs", icmp.in_of(v4::PARAMETER_PROBLEM)),
        ("IcmpInEchos", icmp.in_of(v4::ECHO_REQUEST)),
        ("IcmpInEchoReps", icmp.in_of(v4::ECHO_REPLY)),
        ("IcmpOutMsgs", icmp.out_messages),
        ("IcmpOutDestUnreachs", icmp.out_of(v4::UNREACHABLE)),
        ("IcmpOutTimeExcds", icmp.out_of(v4::TIME_EXCEEDED)),
        ("IcmpOutParmProbs", icmp.out_of(v4::PARAMETER_PROBLEM)),
        ("IcmpOutEchos", icmp.out_of(v4::ECHO_REQUEST)),
        ("IcmpOutEchoReps", icmp.out_of(v4::ECHO_REPLY)),
    ]
}

fn of_icmp6(icmp: &IcmpMib, errors: u64) -> Vec<(&'static str, u64)> {
    let mut all = vec![
        ("Icmp6InMsgs", icmp.in_messages),
        ("Icmp6InErrors", errors),
        ("Icmp6OutMsgs", icmp.out_messages),
    ];
    let kinds = [
        ("Icmp6InDestUnreachs", "Icmp6OutDestUnreachs", v6::UNREACHABLE),
        ("Icmp6InPktTooBigs", "Icmp6OutPktTooBigs", v6::TOO_BIG),
        ("Icmp6InTimeExcds", "Icmp6OutTimeExcds", v6::TIME_EXCEEDED),
        ("Icmp6InParmProblems", "Icmp6OutParmProblems", v6::PARAMETER_PROBLEM),
        ("Icmp6InEchos", "Icmp6OutEchos", v6::ECHO_REQUEST),
        ("Icmp6InEchoReplies", "Icmp6OutEchoReplies", v6::ECHO_REPLY),
        ("Icmp6InGroupMembQueries", "Icmp6OutGroupMembQueries", v6::MLD_QUERY),
        ("Icmp6InGroupMembResponses", "Icmp6OutGroupMembResponses", v6::MLD_V1_REPORT),
        ("Icmp6InGroupMembReductions", "Icmp6OutGroupMembReductions", v6::MLD_V1_DONE),
        ("Icmp6InNeighborSolicits", "Icmp6OutNeighborSolicits", v6::NEIGHBOR_SOLICITATION),
        (
            "Icmp6InNeighborAdvertisements",
            "Icmp6OutNeighborAdvertisements",
            v6::NEIGHBOR_ADVERTISEMENT,
        ),
        ("Icmp6InMLDv2Reports", "Icmp6OutMLDv2Reports", v6::MLD_V2_REPORT),
    ];
    all.extend(kinds.map(|(name, _, kind)| (name, icmp.in_of(kind))));
    all.extend(kinds.map(|(_, name, kind)| (name, icmp.out_of(kind))));
    all
}
