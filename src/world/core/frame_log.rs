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

/// A frame on its way from one host to another, or to nobody.
#[derive(Clone, Copy)]
pub(in crate::world) struct Passage {
    pub(in crate::world) from: u32,
    pub(in crate::world) to: Option<u32>,
    pub(in crate::world) packet_id: u64,
    /// The number of the packet that is sent next.
    pub(in crate::world) next_packet_id: u64,
}

impl FrameLog {
    /// A frame that a host sends.
    #[inline]
    pub(in crate::world) fn sent(
        &mut self,
        now: u64,
        passage: Passage,
        fate: &Fate,
        frame: &FrameBuffer,
    ) {
        let Passage { from, to, packet_id, next_packet_id } = passage;
        if !self.recorder.sent(from, to, now, packet_id, fate, frame) {
            self.last_frames.push(now, from, to, *fate, next_packet_id, frame);
        }
        if let Fate::Dropped(reason) = fate {
            self.drops.count(*reason);
        }
    }

    /// A frame that died at a host, elsewhere than on a link.
    pub(in crate::world) fn died(
        &mut self,
        now: u64,
        passage: Passage,
        reason: DropReason,
        frame: &FrameBuffer,
    ) {
        let Passage { from, to, next_packet_id, .. } = passage;
        self.drops.count(reason);
        self.last_frames.push(now, from, to, Fate::Dropped(reason), next_packet_id, frame);
    }
}
