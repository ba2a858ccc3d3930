//! What became of the frames of a world, for whoever asks afterwards.

use super::drops::Drops;
use super::last_frames::LastFrames;
use super::recorder::Recorder;
use crate::network::{DropReason, Fate};
use crate::wire::frame::FrameBuffer;

/// What became of the frames of a world: the last of each host, and how many died of what.
#[derive(Default)]
pub(in crate::world) struct FrameLog {
    pub(in crate::world) recorder: Recorder,
    pub(in crate::world) last_frames: LastFrames,
    pub(in crate::world) drops: Drops,
}

/// A frame that died at a host, elsewhere than on a link.
pub(in crate::world) struct Death {
    /// Where.
    pub(in crate::world) host: u32,
    pub(in crate::world) from: u32,
    pub(in crate::world) to: Option<u32>,
    pub(in crate::world) packet_id: u64,
    pub(in crate::world) reason: DropReason,
}

impl FrameLog {
    /// A frame has died; the frame that is sent next has the number `next_packet_id`.
    pub(in crate::world) fn died(
        &mut self,
        now: u64,
        death: &Death,
        next_packet_id: u64,
        frame: &FrameBuffer,
    ) {
        let Death { from, to, reason, .. } = *death;
        self.drops.count(reason);
        self.last_frames.push(now, from, to, Fate::Dropped(reason), next_packet_id, frame);
    }
}
