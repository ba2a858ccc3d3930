//! Where what the engines say goes: segments to the network, changes of state to whoever watches.

use std::net::{IpAddr, SocketAddr};

use super::connection::Path;
use crate::host::lower::Lower;
use crate::tcp::{Out, TcpState};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::FourTuple;

/// A connection went from one state to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateChange {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) from: TcpState,
    pub(crate) to: TcpState,
    /// How many frames of the outbox were sent before.
    pub(crate) frames_before: usize,
}

/// The changes of state of a host's connections.
#[derive(Default)]
pub(super) struct StateLog {
    /// Somebody wants to see them all.
    is_observed: bool,
    has_changed: bool,
    changes: Vec<StateChange>,
}

impl StateLog {
    pub(super) fn observe(&mut self, observed: bool) {
        self.is_observed = observed;
    }

    /// Whether a state has changed since [`StateLog::take_changed`].
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    pub(super) fn take(&mut self, changes: &mut Vec<StateChange>) {
        if self.is_observed {
            changes.append(&mut self.changes);
        }
    }

    fn note(&mut self, tuple: &FourTuple, from: TcpState, to: TcpState, frames_before: usize) {
        self.has_changed = true;
        tracing::trace!(target: "glassnet::tcp", flow = %tuple, %from, %to, "state");
        if self.is_observed {
            let (local, remote) = (tuple.local(), tuple.remote());
            self.changes.push(StateChange { local, remote, from, to, frames_before });
        }
    }
}

/// Where what one connection's engine says goes.
pub(super) struct Output<'a, 'l> {
    pub(super) lower: &'a mut Lower<'l>,
    pub(super) log: &'a mut StateLog,
    pub(super) path: Path<'a>,
}

impl Out for Output<'_, '_> {
    #[inline]
    fn pool(&mut self) -> &mut FramePool {
        self.lower.pool
    }

    #[inline]
    fn send(&mut self, mut packet: FrameBuffer, retransmission: bool) {
        self.path.ip_fields.write(packet.packet_mut());
        packet.set_retransmission(retransmission);
        let to: IpAddr = self.path.tuple.remote_addr;
        self.lower.route(to, self.path.neighbor, packet, None);
    }

    #[inline]
    fn state_changed(&mut self, from: TcpState, to: TcpState) {
        self.log.note(self.path.tuple, from, to, self.lower.outbox.len());
    }
}
