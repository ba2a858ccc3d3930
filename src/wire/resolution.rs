//! Which Ethernet address has an IP address: what is asked and answered about that, by ARP or by
//! neighbour discovery.

use super::ethernet::{ETHERTYPE_ARP, ETHERTYPE_IPV6, ethertype};
use super::frame::FrameBuffer;
use super::ndp::is_ndp_packet;

/// Whether a frame is one of ARP or of neighbour discovery.
#[inline]
pub(crate) fn is_address_resolution(frame: &FrameBuffer) -> bool {
    match ethertype(frame.bytes()) {
        Some(ETHERTYPE_ARP) => true,
        Some(ETHERTYPE_IPV6) => is_ndp_packet(frame.packet()),
        _ => false,
    }
}
