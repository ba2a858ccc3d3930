//! What leaves in the call of a socket, and not when the host has its turn: a segment of its own for
//! each write, unless Nagle's algorithm or a window says otherwise, and a FIN behind it.

use super::flow::{Flow, FlowId};
use super::stack::Host;

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
        // The world's pool is not at hand in a call.
        let mut pool = self.io.take_reserve();
        self.drain_flow(now, &mut flow, &mut pool);
        self.io.put_back_reserve(pool);
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
}
