//! Packets that wait until their neighbour's Ethernet address is known: how much may, whose send
//! buffer they stay in, and what gives way.

use std::collections::VecDeque;

use crate::host::context::Ctx;
use crate::host::discard::DiscardReason;
use crate::host::outbox::SocketCharge;
use crate::wire::ethernet::Mac;
use crate::wire::frame::FrameBuffer;

/// What waits for one neighbour, as Linux counts it (`unres_qlen_bytes`); the oldest gives way. A
/// socket's send buffer has the same size unless it is set, and there is room for its packets under
/// the same condition: what one socket sends never gives way.
const MAX_QUEUED: usize = 212_992;
/// What waits for all neighbours together; one packet more is lost.
const MAX_QUEUED_FOR_ALL: usize = 64 * MAX_QUEUED;
/// What Linux adds to the bytes of a packet for its own (`struct sk_buff`).
const OVERHEAD: usize = 768;

/// What waits for one neighbour.
#[derive(Default)]
pub(super) struct Queue {
    packets: VecDeque<Packet>,
    /// What they are charged with.
    charged: usize,
}

struct Packet {
    frame: FrameBuffer,
    /// The socket that sent it, whose send buffer it stays in.
    socket: Option<SocketCharge>,
}

impl Packet {
    fn charge(&self) -> usize {
        self.socket.map_or_else(|| self.frame.len() + OVERHEAD, |socket| socket.bytes)
    }
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }
}

/// What the packets that wait for all neighbours have in common.
#[derive(Default)]
pub(super) struct Unresolved {
    /// What they are charged with, all together.
    charged: usize,
}

impl Unresolved {
    /// Keeps a packet until its neighbour is known; false when there is no room for it.
    pub(super) fn wait(
        &mut self,
        ctx: &mut Ctx<'_>,
        mac: Mac,
        queue: &mut Queue,
        frame: FrameBuffer,
        socket: Option<SocketCharge>,
    ) -> bool {
        let packet = Packet { frame, socket };
        let charge = packet.charge();
        let needs = if socket.is_some() { 1 } else { charge };
        while queue.charged + needs > MAX_QUEUED
            && let Some(oldest) = queue.packets.pop_front()
        {
            queue.charged -= oldest.charge();
            self.charged -= oldest.charge();
            oldest.socket.iter().for_each(|charge| ctx.outbox.release(*charge));
            ctx.discard(mac, oldest.frame, DiscardReason::NeighborQueueFull);
        }
        if self.charged + needs > MAX_QUEUED_FOR_ALL {
            ctx.discard(mac, packet.frame, DiscardReason::NeighborQueueFull);
            return false;
        }
        queue.charged += charge;
        self.charged += charge;
        queue.packets.push_back(packet);
        true
    }

    /// What waits for a neighbour waits no longer.
    pub(super) fn take(&mut self, ctx: &mut Ctx<'_>, queue: &mut Queue) -> VecDeque<FrameBuffer> {
        let Queue { packets, charged } = std::mem::take(queue);
        self.charged -= charged;
        let charges = packets.iter().filter_map(|packet| packet.socket);
        charges.for_each(|charge| ctx.outbox.release(charge));
        packets.into_iter().map(|packet| packet.frame).collect()
    }
}
