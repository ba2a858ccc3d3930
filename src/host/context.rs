//! What a subsystem of a host is given with each call: what time it is, where frames come from, and
//! where everything goes that comes of the call.

use super::discard::{DiscardReason, HostCounters};
use super::mib::Mib;
use super::options::HostOptions;
use super::outbox::Outbox;
use super::wakers::Woken;
use crate::wire::ethernet::Mac;
use crate::wire::frame::{FrameBuffer, FramePool};

/// What the subsystems of a host share, for one call.
pub(super) struct Ctx<'a> {
    pub(super) now: u64,
    pub(super) pool: &'a mut FramePool,
    pub(super) outbox: &'a mut Outbox,
    pub(super) woken: &'a mut Woken,
    /// Those of the family of the packet that is being taken in.
    pub(super) counters: &'a mut HostCounters,
    pub(super) mib: &'a mut Mib,
    pub(super) options: &'a HostOptions,
}

impl Ctx<'_> {
    /// A packet does not leave the interface with this Ethernet address: nobody knows for which
    /// other it is.
    pub(super) fn discard(&mut self, mac: Mac, frame: FrameBuffer, reason: DiscardReason) {
        self.counters.count_discarded(reason);
        if reason == DiscardReason::NoRoute {
            self.mib.ip.of_packet(frame.packet()).out_no_routes += 1;
        }
        self.outbox.discard(mac, frame, reason);
    }
}
