//! What ICMP errors say that a host is sent.

use crate::error::Errno;
use crate::wire::icmp::{IcmpHeader, Quoted, v4, v6};

/// What an ICMP error says of a packet that this host sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) struct Reported {
    pub(in crate::host) packet: Quoted,
    pub(in crate::host) problem: Problem,
}

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) enum Problem {
    /// It was not delivered; unless that is `fatal`, trying again may help.
    Undelivered { errno: Errno, fatal: bool },
    /// No more than this passes at once.
    TooBig(usize),
}

impl Problem {
    fn transient(errno: Errno) -> Option<Problem> {
        Some(Problem::Undelivered { errno, fatal: false })
    }

    fn fatal(errno: Errno) -> Option<Problem> {
        Some(Problem::Undelivered { errno, fatal: true })
    }
}

/// Linux's `icmp_err_convert`.
pub(super) fn problem_of_v4(icmp: &IcmpHeader) -> Option<Problem> {
    match (icmp.kind, icmp.code) {
        (v4::UNREACHABLE, 4) => {
            // A router from before RFC 1191 does not say how much.
            Some(Problem::TooBig(icmp.mtu_v4().unwrap_or(576)))
        }
        (v4::UNREACHABLE, 0 | 11) => Problem::transient(Errno::NetUnreachable),
        (v4::UNREACHABLE, 1 | 12) => Problem::transient(Errno::HostUnreachable),
        (v4::UNREACHABLE, 2) => Problem::fatal(Errno::NoProtocolOption),
        (v4::UNREACHABLE, 3) => Problem::fatal(Errno::ConnRefused),
        (v4::UNREACHABLE, 5) => Problem::transient(Errno::OperationNotSupported),
        (v4::UNREACHABLE, 6 | 9) => Problem::fatal(Errno::NetUnreachable),
        (v4::UNREACHABLE, 7) => Problem::fatal(Errno::HostDown),
        (v4::UNREACHABLE, 8) => Problem::fatal(Errno::NoNetwork),
        (v4::UNREACHABLE, 10 | 13..=15) => Problem::fatal(Errno::HostUnreachable),
        (v4::TIME_EXCEEDED, _) => Problem::transient(Errno::HostUnreachable),
        (v4::PARAMETER_PROBLEM, _) => Problem::fatal(Errno::Protocol),
        _ => None,
    }
}

/// Linux's `icmpv6_err_convert`.
pub(super) fn problem_of_v6(icmp: &IcmpHeader) -> Option<Problem> {
    match (icmp.kind, icmp.code) {
        (v6::TOO_BIG, _) => Some(Problem::TooBig(icmp.mtu_v6())),
        (v6::UNREACHABLE, 0) => Problem::transient(Errno::NetUnreachable),
        (v6::UNREACHABLE, 1 | 5 | 6) => Problem::fatal(Errno::Access),
        (v6::UNREACHABLE, 4) => Problem::fatal(Errno::ConnRefused),
        (v6::UNREACHABLE | v6::TIME_EXCEEDED, _) => Problem::transient(Errno::HostUnreachable),
        (v6::PARAMETER_PROBLEM, _) => Problem::fatal(Errno::Protocol),
        _ => None,
    }
}
