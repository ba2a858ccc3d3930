//! A packet that arrived, as the layers above IP see it.

use crate::wire::checksum::Checksum;
use crate::wire::ip::IpHeader;

/// A whole IP packet, whose header is good.
#[derive(Clone, Copy)]
pub(super) struct IpPacket<'p> {
    pub(super) header: IpHeader,
    /// What follows the IP headers.
    pub(super) payload: &'p [u8],
    /// With its headers, and without what pads its frame.
    pub(super) whole: &'p [u8],
    pub(super) checksum: Checksum,
}
