//! What arrives.

use crate::wire::checksum::Checksum;
use crate::wire::ethernet::ETHERNET_HEADER;

/// A header with an 802.1Q tag, and the largest IP packet.
pub(crate) const MAX_FRAME: usize = ETHERNET_HEADER + 4 + 65_535;

/// A frame that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) len: usize,
    /// One that was made on this machine and has met no wire is trusted, though its checksums may be
    /// missing.
    pub(crate) checksum: Checksum,
}
