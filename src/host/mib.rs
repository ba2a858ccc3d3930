//! What a host counts of what it sends and takes in, apart from what it discards: the raw numbers
//! behind [`Nstat`](super::Nstat).

use std::collections::BTreeMap;
use std::net::IpAddr;

/// One for IPv4, and one for IPv6.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PerFamily<T> {
    pub(super) v4: T,
    pub(super) v6: T,
}

impl<T> PerFamily<T> {
    #[inline]
    pub(super) fn of(&mut self, address: IpAddr) -> &mut T {
        if address.is_ipv4() { &mut self.v4 } else { &mut self.v6 }
    }

    /// That of the family of a packet.
    #[inline]
    pub(super) fn of_packet(&mut self, packet: &[u8]) -> &mut T {
        match packet.first() {
            Some(first) if first >> 4 == 6 => &mut self.v6,
            _ => &mut self.v4,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Mib {
    pub(super) ip: PerFamily<IpMib>,
    pub(super) icmp: PerFamily<IcmpMib>,
    pub(super) udp: PerFamily<UdpMib>,
    pub(super) tcp: TcpMib,
    /// What arrived at `eth0`.
    pub(super) received: Passed,
    /// What of that was for a group.
    pub(super) received_for_groups: u64,
    /// What passed `lo`.
    pub(super) looped_back: Passed,
}

/// Frames, and their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Passed {
    #[inline]
    pub(super) fn count(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IpMib {
    pub(super) in_receives: u64,
    /// Without TCP's.
    pub(super) in_delivers: u64,
    /// Without TCP's.
    pub(super) out_requests: u64,
    pub(super) out_no_routes: u64,
    pub(super) frag_oks: u64,
    pub(super) frag_creates: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct IcmpMib {
    pub(super) in_messages: u64,
    pub(super) out_messages: u64,
    /// By their type.
    in_of: BTreeMap<u8, u64>,
    out_of: BTreeMap<u8, u64>,
}

impl IcmpMib {
    /// A message with a good checksum arrived.
    pub(super) fn count_in(&mut self, message: &[u8]) {
        if let Some(kind) = message.first() {
            *self.in_of.entry(*kind).or_default() += 1;
        }
    }

    /// A message was sent.
    pub(super) fn count_out(&mut self, message: &[u8]) {
        self.out_messages += 1;
        if let Some(kind) = message.first() {
            *self.out_of.entry(*kind).or_default() += 1;
        }
    }

    pub(super) fn in_of(&self, kind: u8) -> u64 {
        self.in_of.get(&kind).copied().unwrap_or(0)
    }

    pub(super) fn out_of(&self, kind: u8) -> u64 {
        self.out_of.get(&kind).copied().unwrap_or(0)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UdpMib {
    pub(super) out_datagrams: u64,
    pub(super) recv_buffer_errors: u64,
    pub(super) ignored_multi: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TcpMib {
    /// Segments that were for this host, those with errors included.
    pub(super) received: PerFamily<u64>,
    /// All segments sent, again or not.
    pub(super) sent: PerFamily<u64>,
    pub(super) syns_sent_again: u64,
    pub(super) resets_sent: u64,
    pub(super) active_opens: u64,
    pub(super) passive_opens: u64,
    pub(super) attempt_fails: u64,
    pub(super) estab_resets: u64,
    /// SYNs dropped because too many connections were half-open.
    pub(super) syn_queue_full: u64,
    pub(super) aborts_on_data: u64,
    pub(super) aborts_on_close: u64,
    pub(super) aborts_on_timeout: u64,
    pub(super) challenge_acks: u64,
    pub(super) keep_alive_probes: u64,
}
