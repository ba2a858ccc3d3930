//! Segments out: with the host's turn, or in the call that gave reason to send. A write is a segment
//! of its own, unless Nagle's algorithm or a window says otherwise.

use super::Tcp;
use super::ids::FlowId;
use super::lower::Lower;
use super::output::Output;
use crate::tcp::{Env, TcpState};

impl Tcp {
    /// Lets each connection that must be looked at do what is due, and send what it has to send.
    #[inline]
    pub(in crate::host) fn drain(&mut self, lower: &mut Lower<'_>) {
        let first_request = self.tables.requests.first_deadline();
        if first_request.is_some_and(|at| at <= lower.ctx.now) {
            self.expire_requests(lower);
        }
        if self.connections.has_dirty() {
            self.drain_dirty(lower);
        }
    }

    #[inline(never)]
    fn drain_dirty(&mut self, lower: &mut Lower<'_>) {
        let mut at = 0;
        while let Some(id) = self.connections.dirty(at) {
            at += 1;
            let Some(connection) = self.connections.get_mut(id) else { continue };
            connection.in_dirty_list = false;
            // A call may have sent what there was.
            if connection.is_dirty {
                let before = connection.state();
                self.drain_one(lower, id, before);
            }
        }
        self.connections.clear_dirty();
    }

    /// The same for one connection, which was in state `before` when it was last settled.
    pub(super) fn drain_one(&mut self, lower: &mut Lower<'_>, id: FlowId, before: TcpState) {
        let Tcp { connections, tables, engines, .. } = self;
        let Some(connection) = connections.get_mut(id) else { return };
        connection.is_dirty = false;
        if !connection.is_detached() {
            let now = lower.ctx.now;
            if connection.has_lingered(now) {
                connection.wake_writers(lower.ctx.woken);
            }
            let (engine, path) = connection.parts();
            let mut out = Output { lower, path };
            let mut env = Env { now, shared: engines, out: &mut out };
            engine.on_deadline(&mut env);
            engine.transmit(&mut env);
            tables.settle(lower, id, connection, before);
        }
        if connection.is_detached() {
            self.release_if_over(lower, id);
        } else {
            connection.set_deadline(lower.ctx.now);
            connections.queue_deadline(id);
        }
    }

    /// Sends what a call gave reason to send: at once, or when the host has its turn.
    pub(super) fn transmit(&mut self, lower: &mut Lower<'_>, id: FlowId) {
        if self.sends_in_calls {
            if let Some(connection) = self.connections.get(id) {
                let before = connection.state();
                self.drain_one(lower, id, before);
            }
        } else {
            self.release_if_over(lower, id);
            self.connections.mark_dirty(id);
        }
    }

    /// Sends what was written, if anything may leave. `was_empty` says that nothing was queued
    /// before.
    #[inline]
    pub(super) fn transmit_written(&mut self, lower: &mut Lower<'_>, id: FlowId, was_empty: bool) {
        // What waits for the peer, behind bytes that wait already, changes no timer. A write into a
        // full window is the common case of bulk transfer, and must cost no look for segments.
        if !was_empty
            && let Some(connection) = self.connections.get(id)
            && connection.deadline().is_some()
            && connection.engine.waits_for_the_peer(lower.ctx.now, &mut self.engines)
        {
            return;
        }
        self.transmit(lower, id);
    }
}
