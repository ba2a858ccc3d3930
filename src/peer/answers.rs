//! How the peer answers those who look for its Ethernet address.

use std::net::IpAddr;

use crate::wire::arp::ArpPacket;
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::{ETHERNET_HEADER, Mac, source_mac};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::protocol;
use crate::wire::ipv6::Ipv6Header;
use crate::wire::ndp::Ndp;

/// Answers ARP requests and neighbour solicitations.
pub(super) struct Answers {
    pub(super) is_on: bool,
    pub(super) mac: Mac,
    /// For which addresses.
    pub(super) addresses: Vec<IpAddr>,
}

impl Answers {
    /// The answer to a frame, if it asks for one of the addresses.
    pub(super) fn to(&self, frame: &[u8], pool: &mut FramePool) -> Option<FrameBuffer> {
        if !self.is_on {
            return None;
        }
        let mut answer = self.to_arp(frame, pool).or_else(|| self.to_ndp(frame, pool))?;
        answer.set_checksum(Checksum::Unverified);
        Some(answer)
    }

    fn to_arp(&self, frame: &[u8], pool: &mut FramePool) -> Option<FrameBuffer> {
        let request = ArpPacket::parse(frame).filter(|arp| !arp.is_reply)?;
        let is_ours = self.addresses.contains(&request.target.into());
        let reply = request.reply_from(self.mac, request.target);
        is_ours.then(|| reply.write(request.sender_mac, pool))
    }

    fn to_ndp(&self, frame: &[u8], pool: &mut FramePool) -> Option<FrameBuffer> {
        let (ip, message) = Ipv6Header::of_whole(frame.get(ETHERNET_HEADER..)?)?;
        if ip.next_header != protocol::ICMPV6 || ip.source.is_unspecified() {
            return None;
        }
        let asked = Ndp::parse(ip.source, ip.destination, ip.hop_limit, message)?;
        let Ndp::Solicitation { target, .. } = asked else { return None };
        let mac = Some(self.mac);
        let answer = Ndp::Advertisement { target, mac, solicited: true, overrides: true };
        let asker = (ip.source, source_mac(frame)?);
        let is_ours = self.addresses.contains(&target.into());
        is_ours.then(|| answer.write((target, self.mac), asker, pool))
    }
}
