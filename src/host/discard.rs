//! What a host discards: packets that never leave it, and counters of those it does not take.

use std::fmt;

use crate::wire::ethernet::{Mac, ethertype_of_packet, write_ethernet_header};
use crate::wire::frame::FrameBuffer;

const NOBODY: Mac = [0; 6];

/// Why a packet that a host sent never left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiscardReason {
    NeighborUnreachable,
    NeighborQueueFull,
    NeighborTableFull,
    NoRoute,
}

/// A packet that never left its host, in a frame to no Ethernet address.
pub(crate) struct Discarded {
    pub(crate) frame: FrameBuffer,
    pub(crate) reason: DiscardReason,
}

impl Discarded {
    /// `mac` is the Ethernet address that it would have left from.
    pub(super) fn new(mac: Mac, mut frame: FrameBuffer, reason: DiscardReason) -> Discarded {
        let ethertype = ethertype_of_packet(frame.packet());
        write_ethernet_header(frame.bytes_mut(), NOBODY, mac, ethertype);
        frame.fill_checksums();
        Discarded { frame, reason }
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a host has discarded, as `netstat -s` and `/proc/net/snmp` of Linux count it; see
        /// [`Sim::counters`](crate::Sim::counters). `Display` names those that are not 0.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct HostCounters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl HostCounters {
            /// Every counter with its name.
            fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            /// Adds those of another time, or of another host.
            pub(crate) fn add(&mut self, other: &HostCounters) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counters! {
    /// Packets that waited for a neighbour's Ethernet address and gave way to later ones, because
    /// 212,992 bytes waited (`unresolved_discards`).
    neighbor_queue_full,
    /// Packets to a neighbour that answered none of three questions for its Ethernet address.
    neighbor_unreachable,
    /// Packets to a neighbour for which the neighbour table had no room (`table_fulls`).
    neighbor_table_full,
    /// Packets for which there was no way (`OutNoRoutes`).
    no_route,
    /// Packets to the host itself beyond the 1,000 that may wait (`netdev_max_backlog`).
    loopback_queue_full,
    /// Frames for another Ethernet address.
    other_host,
    /// Frames that hold neither IPv4, IPv6 nor ARP, or nothing whole.
    unknown_ethertype,
    /// ARP packets and messages of neighbour discovery that are malformed or break its rules.
    neighbor_errors,
    /// IP packets with a malformed header or a wrong header checksum (`InHdrErrors`).
    ip_header_errors,
    /// IP packets that are not for this host, or have a source that no packet may have
    /// (`InAddrErrors`).
    ip_address_errors,
    /// Packets whose fragments did not all come in time, contradict each other, or gave way to
    /// those of later packets, and fragments that are malformed (`ReasmFails`).
    reassembly_failures,
    /// UDP datagrams with a wrong length or checksum (`UdpInErrors`).
    udp_errors,
    /// UDP datagrams to a port, or a group, that no socket listens to (`UdpNoPorts`,
    /// `UdpIgnoredMulti`).
    udp_no_ports,
    /// Datagrams for which a UDP, ping or raw socket had no room (`UdpRcvbufErrors`).
    receive_buffer_full,
    /// IP packets that hold a protocol the host does not speak (`InUnknownProtos`).
    unknown_protocols,
    /// ICMP messages that are too short, have a wrong checksum, or quote no packet
    /// (`IcmpInErrors`).
    icmp_errors,
    /// Messages of IGMP or MLD that are malformed or break its rules, or are none that matter.
    membership_errors,
    /// TCP segments with a malformed header or a wrong checksum (`TcpInErrs`).
    tcp_errors,
    /// SYNs, and ACKs of a handshake, that met a full backlog (`ListenOverflows`).
    listen_overflows,
    /// SYNs, and ACKs of a handshake, for whose connection there was no memory
    /// ([`HostOptions::tcp_mem`](crate::HostOptions::tcp_mem)).
    tcp_memory_drops,
    /// SYNs that were answered with a smaller window than the listener's, because memory was scarce
    /// (`TCPMemoryPressures`).
    tcp_memory_pressures,
    /// SYNs that were answered with a cookie, because a listener had as many half-open connections as
    /// [`HostOptions::syn_backlog`](crate::HostOptions::syn_backlog) says (`SyncookiesSent`).
    syn_cookies_sent,
    /// Connections that a cookie has let in (`SyncookiesRecv`).
    syn_cookies_received,
    /// ACKs for a listener that sent cookies not long ago, which acknowledge none, or one that is too
    /// old (`SyncookiesFailed`).
    syn_cookies_failed,
}

impl fmt::Display for HostCounters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.all().into_iter().filter(|(_, count)| *count > 0);
        let counted: Vec<String> = counted.map(|(name, count)| format!("{name} {count}")).collect();
        formatter.write_str(&counted.join(", "))
    }
}

impl HostCounters {
    pub(super) fn count_discarded(&mut self, reason: DiscardReason) {
        let counter = match reason {
            DiscardReason::NeighborUnreachable => &mut self.neighbor_unreachable,
            DiscardReason::NeighborQueueFull => &mut self.neighbor_queue_full,
            DiscardReason::NeighborTableFull => &mut self.neighbor_table_full,
            DiscardReason::NoRoute => &mut self.no_route,
        };
        *counter += 1;
    }
}
