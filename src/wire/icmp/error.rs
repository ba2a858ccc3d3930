//! What the sender of a packet is told when something is wrong with it.

use super::{ICMP_HEADER, v4, v6};
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER, IPV6_MIN_MTU};
use crate::wire::ipv6_extensions::ParameterProblem;

/// An error quotes as much of what it is about as fits: RFC 1812 4.3.2.3, RFC 4443 2.4 (c).
const MAX_ERROR_V4: usize = 576;

/// What a host tells the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IcmpError {
    PortUnreachable,
    /// `told_at` is the byte of an IPv6 packet that tells which protocol is not known.
    ProtocolUnreachable {
        told_at: usize,
    },
    /// It could not be handed to its host on the link.
    HostUnreachable,
    /// Its fragments did not all come in time.
    ReassemblyTimeExceeded,
    /// The byte of an IPv4 header at which something is wrong.
    ParameterProblemV4 {
        pointer: usize,
    },
    ParameterProblemV6(ParameterProblem),
}

impl IcmpError {
    /// The message about a packet, without its checksum. It quotes as much as fits.
    pub(crate) fn message(self, packet: &[u8], is_v6: bool) -> Vec<u8> {
        let (kind, code) = if is_v6 { self.kind_v6() } else { self.kind_v4() };
        let room = if is_v6 { IPV6_MIN_MTU - IPV6_HEADER } else { MAX_ERROR_V4 - IPV4_HEADER };
        let quote = packet.len().min(room - ICMP_HEADER);
        let mut message = vec![kind, code, 0, 0];
        message.extend(self.pointer(is_v6));
        message.extend_from_slice(&packet[..quote]);
        message
    }

    /// Type and code.
    fn kind_v4(self) -> (u8, u8) {
        match self {
            IcmpError::HostUnreachable => (v4::UNREACHABLE, 1),
            IcmpError::ProtocolUnreachable { .. } => (v4::UNREACHABLE, 2),
            IcmpError::PortUnreachable => (v4::UNREACHABLE, 3),
            IcmpError::ReassemblyTimeExceeded => (v4::TIME_EXCEEDED, 1),
            IcmpError::ParameterProblemV4 { .. } | IcmpError::ParameterProblemV6(_) => {
                (v4::PARAMETER_PROBLEM, 0)
            }
        }
    }

    fn kind_v6(self) -> (u8, u8) {
        match self {
            IcmpError::HostUnreachable => (v6::UNREACHABLE, 3),
            IcmpError::ProtocolUnreachable { .. } => {
                (v6::PARAMETER_PROBLEM, ParameterProblem::UNKNOWN_NEXT_HEADER)
            }
            IcmpError::PortUnreachable => (v6::UNREACHABLE, 4),
            IcmpError::ReassemblyTimeExceeded => (v6::TIME_EXCEEDED, 1),
            IcmpError::ParameterProblemV4 { .. } => (v6::PARAMETER_PROBLEM, 0),
            IcmpError::ParameterProblemV6(problem) => (v6::PARAMETER_PROBLEM, problem.code),
        }
    }

    /// What a parameter problem points at, in the second word of the message: RFC 792 has a byte
    /// for it, RFC 4443 3.4 four.
    fn pointer(self, is_v6: bool) -> [u8; 4] {
        let pointer = match self {
            IcmpError::ParameterProblemV6(problem) => problem.pointer,
            IcmpError::ProtocolUnreachable { told_at } if is_v6 => told_at,
            IcmpError::ParameterProblemV4 { pointer } => pointer << 24,
            _ => 0,
        };
        (pointer as u32).to_be_bytes()
    }
}
