//! Packets that wait until their neighbour's Ethernet address is known: how much may, whose send
//! buffer they stay in, and what gives way.

use std::collections::VecDeque;

use super::datagram::SocketCharge;
use super::discard::{DiscardReason, Discarded};
use crate::wire::frame::FrameBuffer;

/// What waits for one neighbour, as Linux counts it (`unres_qlen_bytes`); the oldest gives way. A
/// socket's send buffer has the same size unless it is set, and there is room for its packets under
/// the same condition: what one socket sends never gives way.
const QUEUED: usize = 212_992;
/// What waits for all neighbours together; one packet more is lost.
const QUEUED_FOR_ALL: usize = 64 * QUEUED;
/// What Linux adds to the octets of a packet for its own (`struct sk_buff`).
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
    /// What waits no longer, for the sockets' send buffers.
    released: Vec<SocketCharge>,
    /// What will never leave.
    discarded: Vec<Discarded>,
}

impl Unresolved {
    /// Keeps a packet until its neighbour is known; false when there is no room for it.
    pub(super) fn wait(
        &mut self,
        queue: &mut Queue,
        frame: FrameBuffer,
        socket: Option<SocketCharge>,
    ) -> bool {
        let packet = Packet { frame, socket };
        let charge = packet.charge();
        let needs = if socket.is_some() { 1 } else { charge };
        while queue.charged + needs > QUEUED
            && let Some(oldest) = queue.packets.pop_front()
        {
            queue.charged -= oldest.charge();
            self.charged -= oldest.charge();
            self.released.extend(oldest.socket);
            self.discard(oldest.frame, DiscardReason::NeighborQueueFull);
        }
        if self.charged + needs > QUEUED_FOR_ALL {
            self.discard(packet.frame, DiscardReason::NeighborQueueFull);
            return false;
        }
        queue.charged += charge;
        self.charged += charge;
        queue.packets.push_back(packet);
        true
    }

    /// What waits for a neighbour waits no longer.
    pub(super) fn take(&mut self, queue: &mut Queue) -> VecDeque<FrameBuffer> {
        let Queue { packets, charged } = std::mem::take(queue);
        self.charged -= charged;
        self.released.extend(packets.iter().filter_map(|packet| packet.socket));
        packets.into_iter().map(|packet| packet.frame).collect()
    }

    pub(super) fn discard(&mut self, frame: FrameBuffer, reason: DiscardReason) {
        self.discarded.push(Discarded { frame, reason });
    }

    /// The charges of packets that wait no longer.
    pub(super) fn take_released(&mut self) -> Vec<SocketCharge> {
        std::mem::take(&mut self.released)
    }

    /// Packets that gave way to others.
    pub(super) fn take_discarded(&mut self) -> Vec<Discarded> {
        std::mem::take(&mut self.discarded)
    }
}
