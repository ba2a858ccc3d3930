use std::net::IpAddr;

use super::ip::IpHeader;
use super::stack::Host;

impl Host {
    pub(super) fn is_member(&self, _: IpAddr) -> bool {
        false
    }

    pub(super) fn receive_udp(&mut self, _: u64, _: &IpHeader, _: &[u8], _: &[u8], _: bool) {}

    pub(super) fn receive_icmp(&mut self, _: u64, _: &IpHeader, _: &[u8], _: &[u8], _: bool) {}
}
