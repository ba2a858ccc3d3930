//! What the sender of a packet is told when something is wrong with it.

use super::{ICMP_HEADER, v4, v6};
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER};

/// An error quotes as much of what it is about as fits: RFC 1812 4.3.2.3, RFC 4443 2.4 (c).
const MAX_ERROR_V4: usize = 576;
const MAX_ERROR_V6: usize = 1_280;

/// Where an IPv6 header tells what follows it.
const NEXT_HEADER: u8 = 6;

/// What a host tells the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IcmpError {
    PortUnreachable,
    ProtocolUnreachable,
    /// It could not be handed to its host on the link.
    HostUnreachable,
    /// Its fragments did not all come in time.
    ReassemblyTimeExceeded,
}

impl IcmpError {
    /// The message about a packet, without its checksum. It quotes as much as fits.
    pub(crate) fn message(self, packet: &[u8], is_v6: bool) -> Vec<u8> {
        let (kind, code, pointer) = if is_v6 { self.kind_v6() } else { self.kind_v4() };
        let room = if is_v6 { MAX_ERROR_V6 - IPV6_HEADER } else { MAX_ERROR_V4 - IPV4_HEADER };
        let quote = packet.len().min(room - ICMP_HEADER);
        let mut message = vec![kind, code, 0, 0, 0, 0, 0, pointer];
        message.extend_from_slice(&packet[..quote]);
        message
    }

    /// Type, code, and the lowest byte of the pointer.
    fn kind_v4(self) -> (u8, u8, u8) {
        match self {
            IcmpError::HostUnreachable => (v4::UNREACHABLE, 1, 0),
            IcmpError::ProtocolUnreachable => (v4::UNREACHABLE, 2, 0),
            IcmpError::PortUnreachable => (v4::UNREACHABLE, 3, 0),
            IcmpError::ReassemblyTimeExceeded => (v4::TIME_EXCEEDED, 1, 0),
        }
    }

    fn kind_v6(self) -> (u8, u8, u8) {
        match self {
            IcmpError::HostUnreachable => (v6::UNREACHABLE, 3, 0),
            IcmpError::ProtocolUnreachable => (v6::PARAMETER_PROBLEM, 1, NEXT_HEADER),
            IcmpError::PortUnreachable => (v6::UNREACHABLE, 4, 0),
            IcmpError::ReassemblyTimeExceeded => (v6::TIME_EXCEEDED, 1, 0),
        }
    }
}
