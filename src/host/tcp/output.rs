//! Where what an engine says goes: segments to IP, changes of state to whoever watches.

use super::connection::Path;
use super::lower::Lower;
use crate::tcp::{Out, TcpState};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::FourTuple;

/// Where what one connection's engine says goes.
pub(super) struct Output<'a, 'l> {
    pub(super) lower: &'a mut Lower<'l>,
    pub(super) path: Path<'a>,
}

impl Out for Output<'_, '_> {
    fn tuple(&self) -> &FourTuple {
        self.path.tuple
    }

    #[inline]
    fn pool(&mut self) -> &mut FramePool {
        self.lower.ctx.pool
    }

    #[inline]
    fn send(&mut self, mut packet: FrameBuffer, retransmission: bool) {
        let Path { tuple, next_hop, ip_fields } = self.path;
        ip_fields.write(packet.packet_mut());
        packet.set_retransmission(retransmission);
        self.lower.send(tuple.remote_addr, next_hop, packet);
    }

    fn state_changed(&mut self, from: TcpState, to: TcpState) {
        let tuple = self.path.tuple;
        tracing::trace!(target: "glassnet::tcp", flow = %tuple, %from, %to, "state");
        let outbox = &mut self.lower.ctx.outbox;
        outbox.change_state((from, to), || (tuple.local(), tuple.remote()));
    }
}
