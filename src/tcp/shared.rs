//! What the engines of one host have in common.

use super::glassnet;
use super::limits::Limits;
use super::smoltcp;
use crate::wire::tcp::SynOptions;

/// What the engines of one host have in common.
pub(crate) struct Shared {
    pub(super) limits: Limits,
    /// Segments sent again so far.
    pub(super) retransmissions: u64,
    pub(super) smoltcp: smoltcp::Shared,
    pub(super) glassnet: glassnet::Shared,
}

impl Shared {
    /// `seed` feeds the initial sequence numbers.
    pub(crate) fn new(limits: Limits, seed: u64) -> Shared {
        let smoltcp = smoltcp::Shared::new(limits.mtu, seed);
        Shared { limits, retransmissions: 0, smoltcp, glassnet: glassnet::Shared::new(seed) }
    }

    /// A segment was sent again for a connection that has no engine.
    pub(crate) fn count_retransmission(&mut self) {
        self.retransmissions += 1;
    }

    /// What of a SYN's options counts on this host.
    pub(crate) fn understood(&self, offer: SynOptions) -> SynOptions {
        SynOptions {
            window_scale: offer.window_scale.filter(|_| self.limits.window_scaling),
            sack_permitted: offer.sack_permitted && self.limits.sack,
            ..offer
        }
    }

    /// Segments sent again so far.
    pub(crate) fn retransmissions(&self) -> u64 {
        self.retransmissions
    }

    /// Which repairs smoltcp's engines get.
    #[cfg(test)]
    pub(crate) fn set_repairs(&mut self, repairs: smoltcp::Repairs) {
        self.smoltcp.set_repairs(repairs);
    }
}
