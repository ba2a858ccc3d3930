//! What ICMP errors say: those that a host sends, and those that it is sent.

use super::quoted::Quoted;
use super::types::{HEADER, v4, v6};
use crate::error::Errno;

/// What a host tells the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) enum IcmpError {
    PortUnreachable,
    ProtocolUnreachable,
    /// It could not be handed to its host on the link.
    HostUnreachable,
    /// Its fragments did not all come in time.
    ReassemblyTimeExceeded,
}

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
pub(super) fn problem_of_v4(fixed: &[u8; HEADER]) -> Option<Problem> {
    match (fixed[0], fixed[1]) {
        (v4::UNREACHABLE, 4) => {
            let mtu = usize::from(u16::from_be_bytes([fixed[6], fixed[7]]));
            // A router from before RFC 1191 does not say how much.
            Some(Problem::TooBig(if mtu == 0 { 576 } else { mtu }))
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
pub(super) fn problem_of_v6(fixed: &[u8; HEADER]) -> Option<Problem> {
    match (fixed[0], fixed[1]) {
        (v6::TOO_BIG, _) => {
            let mtu = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
            Some(Problem::TooBig(usize::try_from(mtu).unwrap_or(usize::MAX)))
        }
        (v6::UNREACHABLE, 0) => Problem::transient(Errno::NetUnreachable),
        (v6::UNREACHABLE, 1 | 5 | 6) => Problem::fatal(Errno::Access),
        (v6::UNREACHABLE, 4) => Problem::fatal(Errno::ConnRefused),
        (v6::UNREACHABLE | v6::TIME_EXCEEDED, _) => Problem::transient(Errno::HostUnreachable),
        (v6::PARAMETER_PROBLEM, _) => Problem::fatal(Errno::Protocol),
        _ => None,
    }
}
