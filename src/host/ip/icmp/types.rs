//! Types of ICMP and ICMPv6 messages.

/// What every message begins with.
pub(super) const HEADER: usize = 8;

pub(super) mod v4 {
    pub(in crate::host::ip::icmp) const ECHO_REPLY: u8 = 0;
    pub(in crate::host::ip::icmp) const UNREACHABLE: u8 = 3;
    pub(in crate::host::ip::icmp) const ECHO_REQUEST: u8 = 8;
    pub(in crate::host::ip::icmp) const TIME_EXCEEDED: u8 = 11;
    pub(in crate::host::ip::icmp) const PARAMETER_PROBLEM: u8 = 12;
}

pub(super) mod v6 {
    pub(in crate::host::ip::icmp) const UNREACHABLE: u8 = 1;
    pub(in crate::host::ip::icmp) const TOO_BIG: u8 = 2;
    pub(in crate::host::ip::icmp) const TIME_EXCEEDED: u8 = 3;
    pub(in crate::host::ip::icmp) const PARAMETER_PROBLEM: u8 = 4;
    pub(in crate::host::ip::icmp) const ECHO_REQUEST: u8 = 128;
    pub(in crate::host::ip::icmp) const ECHO_REPLY: u8 = 129;
    pub(in crate::host::ip::icmp) const MLD_QUERY: u8 = 130;
    pub(in crate::host::ip::icmp) const MLD_V1_REPORT: u8 = 131;
}
