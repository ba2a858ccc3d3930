//! What passed a device.

/// What passed a device so far, as `ip -statistics link` counts it. Sizes are those of frames
/// with their Ethernet header. A frame that the
/// kernel makes or takes in place of several counts once, as there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceCounters {
    /// Frames that arrived.
    pub received: u64,
    /// Their bytes.
    pub received_octets: u64,
    /// Frames that were sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_octets: u64,
    /// Frames that were to be sent and were not, because the device was down or had no room.
    pub dropped: u64,
}

impl DeviceCounters {
    pub(super) fn note_received(&mut self, octets: usize) {
        self.received += 1;
        self.received_octets += octets as u64;
    }

    pub(super) fn note_sent(&mut self, octets: usize) {
        self.sent += 1;
        self.sent_octets += octets as u64;
    }
}
