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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::arp::arp_probe;
    use crate::wire::ethernet::write_ethernet_header;
    use crate::wire::frame::FramePool;
    use crate::wire::ndp::ndp_announcement;

    #[test]
    fn questions_and_answers_of_both_versions_are_told_from_other_frames() {
        let (mac, mut pool) = ([2, 0, 0, 0, 0, 1], FramePool::default());
        assert!(is_address_resolution(&arp_probe(mac, [10, 0, 0, 1].into(), &mut pool)));
        let mut ndp = ndp_announcement(mac, "fd00::1".parse().unwrap(), &mut pool);
        assert!(is_address_resolution(&ndp));
        ndp.packet_mut()[40] = 128;
        assert!(!is_address_resolution(&ndp), "an echo request");
        let mut other = pool.take(60);
        write_ethernet_header(other.bytes_mut(), mac, mac, [8, 0]);
        assert!(!is_address_resolution(&other));
        other.truncate(13);
        assert!(!is_address_resolution(&other));
    }
}
