//! What leaves in the call of a socket, and not when the host has its turn: a segment of its own for
//! each write, unless Nagle's algorithm or a window says otherwise, and a FIN behind it.

use std::mem;

use super::flow::{Flow, FlowId};
use super::stack::Host;
use crate::wire::frame::FramePool;

/// Frames a host keeps for calls, at most; a call that needs more allocates. The default window is
/// 45 segments.
const MAX_RESERVE: usize = 64;

impl Host {
    /// Sends what a connection has to send, and sets its deadline.
    pub(super) fn transmit(&mut self, now: u64, id: FlowId) {
        if let Some(flow) = self.take_flow(id) {
            self.transmit_and_put_back(now, id, flow);
        }
    }

    /// As [`Host::transmit`], for a connection that was taken out of its slot.
    pub(super) fn transmit_and_put_back(&mut self, now: u64, id: FlowId, mut flow: Box<Flow>) {
        if !self.sends_in_calls {
            self.put_back(id, flow);
            return self.mark_dirty(id);
        }
        self.now = now;
        // The world's pool is not at hand in a call.
        let mut pool = mem::take(&mut self.reserve);
        self.drain_flow(now, &mut flow, &mut pool);
        self.reserve = pool;
        self.put_back(id, flow);
    }

    /// Sends what was written, if anything may leave. `was_empty` says that nothing was queued
    /// before.
    pub(super) fn transmit_written(&mut self, now: u64, id: FlowId, was_empty: bool) {
        let Some(flow) = self.flows[id.index as usize].flow.as_deref() else { return };
        // What waits for the peer, behind bytes that wait already, changes no timer. A write into a
        // full window is the common case of bulk transfer, and must cost no look for segments.
        if !was_empty && flow.deadline.is_some() {
            let poll_at = flow.engine.poll_at(&mut self.interface, now);
            if poll_at.is_some_and(|at| at > now) {
                return;
            }
        }
        self.transmit(now, id);
    }

    /// Makes up for the frames that calls have used, as far as the world's pool has any: it is where
    /// they come back to, wherever they end. It comes before anything else in a turn.
    pub(crate) fn refill_reserve(&mut self, pool: &mut FramePool) {
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
