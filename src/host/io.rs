//! What goes in and out of a host, whichever of its subsystems it concerns.

use super::context::Ctx;
use super::discard::HostCounters;
use super::mib::{Mib, PerFamily};
use super::options::HostOptions;
use super::outbox::Outbox;
use super::wakers::Woken;
use crate::wire::frame::FramePool;

/// Frames a host keeps for calls, at most; a call that needs more allocates. The default window is
/// 45 segments.
const MAX_RESERVE: usize = 64;

/// What the subsystems of a host share.
#[derive(Default)]
pub(super) struct Io {
    pub(super) outbox: Outbox,
    pub(super) woken: Woken,
    pub(super) counters: PerFamily<HostCounters>,
    pub(super) mib: Mib,
    /// Whether the IP packet that is being taken in is one of IPv6: whose counters count it.
    takes_in_v6: bool,
    /// Frames for what leaves in calls, where the world's pool is not at hand.
    reserve: FramePool,
    /// The most frames that calls have needed between two turns.
    reserve_len: usize,
}

impl Io {
    /// For a host's turn, with the world's pool.
    #[inline]
    pub(super) fn ctx<'a>(
        &'a mut self,
        now: u64,
        options: &'a HostOptions,
        pool: &'a mut FramePool,
    ) -> Ctx<'a> {
        let Io { outbox, woken, counters, mib, takes_in_v6, .. } = self;
        let counters = if *takes_in_v6 { &mut counters.v6 } else { &mut counters.v4 };
        Ctx { now, pool, outbox, woken, counters, mib, options }
    }

    /// For a call.
    #[inline]
    pub(super) fn ctx_of_call<'a>(&'a mut self, now: u64, options: &'a HostOptions) -> Ctx<'a> {
        let Io { outbox, woken, counters, mib, reserve, .. } = self;
        Ctx { now, pool: reserve, outbox, woken, counters: &mut counters.v4, mib, options }
    }

    /// An IP packet arrives: counts it, and lets what becomes of it be counted for its family.
    #[inline]
    pub(super) fn takes_in(&mut self, packet: &[u8]) {
        self.takes_in_v6 = packet.first().is_some_and(|first| first >> 4 == 6);
        self.mib.ip.of_packet(packet).in_receives += 1;
    }

    /// Makes up for the frames that calls have used, as far as the world's pool has any: it is where
    /// they come back to, wherever they end. It comes before anything else in a turn.
    pub(super) fn refill_reserve(&mut self, pool: &mut FramePool) {
        // What is in the outbox before a turn was put there by calls.
        let used = self.outbox.len().min(MAX_RESERVE);
        self.reserve_len = self.reserve_len.max(used);
        self.reserve.refill(pool, self.reserve_len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_takes_what_it_needs_and_no_more() {
        let (mut world, mut reserve) = (FramePool::default(), FramePool::default());
        for len in 1..=20 {
            let frames: Vec<_> = (0..len).map(|_| world.take(64)).collect();
            frames.into_iter().for_each(|frame| world.give_back(frame));
        }
        reserve.refill(&mut world, 5);
        assert_eq!((reserve.len(), world.len()), (5, 15));
        reserve.refill(&mut world, 3);
        assert_eq!((reserve.len(), world.len()), (5, 15));
        reserve.refill(&mut world, 100);
        assert_eq!((reserve.len(), world.len()), (20, 0));
    }
}
