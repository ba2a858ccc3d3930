//! What comes of a host's turn: frames to send, packets to itself, what never left, and which
//! connections changed their state.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::discard::{DiscardReason, Discarded};
use super::mib::Passed;
use crate::tcp::TcpState;
use crate::wire::ethernet::Mac;
use crate::wire::frame::FrameBuffer;

/// Packets to the host itself that wait, apart from TCP's, which its windows bound (Linux's
/// `netdev_max_backlog`).
const MAX_LOOPED_BACK: usize = 1_000;

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

/// What a packet takes of the send buffer of the socket that sent it, by a number of its protocol's.
#[derive(Clone, Copy, Debug)]
pub(super) struct SocketCharge {
    pub(super) socket: u64,
    pub(super) bytes: usize,
}

/// What a host has to hand over, in the order in which it came about.
#[derive(Default)]
pub(super) struct Outbox {
    frames: Vec<FrameBuffer>,
    /// All that was ever in `frames`.
    sent: Passed,
    /// Frames from the host to itself: they never reach a link.
    loopback: VecDeque<FrameBuffer>,
    /// What never left.
    discarded: Vec<Discarded>,
    /// The charges of packets that wait for neighbours no longer.
    released: Vec<SocketCharge>,
    changes: Vec<StateChange>,
    /// Whether changes of state are noted.
    observed: bool,
    /// A segment or a timer changed a connection's state since that was last asked.
    state_changed: bool,
}

impl Outbox {
    /// A frame leaves.
    #[inline]
    pub(super) fn send(&mut self, frame: FrameBuffer) {
        self.sent.count(frame.len());
        self.frames.push(frame);
    }

    /// What has left so far.
    pub(super) fn sent(&self) -> Passed {
        self.sent
    }

    /// A packet reaches this host itself, like one from the link.
    pub(super) fn loop_back(&mut self, frame: FrameBuffer) {
        self.loopback.push_back(frame);
    }

    /// Whether there is room for one more packet to this host itself.
    pub(super) fn has_room_to_loop_back(&self) -> bool {
        self.loopback.len() < MAX_LOOPED_BACK
    }

    pub(super) fn take_looped_back(&mut self) -> Option<FrameBuffer> {
        self.loopback.pop_front()
    }

    #[inline]
    pub(super) fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    #[inline]
    pub(super) fn has_looped_back(&self) -> bool {
        !self.loopback.is_empty()
    }

    /// A packet does not leave.
    pub(super) fn discard(&mut self, mac: Mac, frame: FrameBuffer, reason: DiscardReason) {
        self.discarded.push(Discarded::new(mac, frame, reason));
    }

    /// A packet waits for its neighbour no longer.
    pub(super) fn release(&mut self, charge: SocketCharge) {
        self.released.push(charge);
    }

    /// The charges of packets that wait for neighbours no longer.
    #[inline]
    pub(super) fn take_released(&mut self) -> Vec<SocketCharge> {
        std::mem::take(&mut self.released)
    }

    /// A connection between the addresses that `ends` gives changed its state.
    pub(super) fn change_state(
        &mut self,
        (from, to): (TcpState, TcpState),
        ends: impl FnOnce() -> (SocketAddr, SocketAddr),
    ) {
        self.state_changed = true;
        if self.observed {
            let ((local, remote), frames_before) = (ends(), self.frames.len());
            self.changes.push(StateChange { local, remote, from, to, frames_before });
        }
    }

    /// How many frames wait to be taken.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether something waits for the host's next turn, or for what drives it.
    pub(super) fn has_work(&self) -> bool {
        !self.loopback.is_empty() || !self.frames.is_empty() || self.state_changed
    }

    /// Whether changes of state are to be noted.
    pub(super) fn observe(&mut self, observed: bool) {
        self.observed = observed;
    }

    /// Moves what there is to send to `frames`. Their checksums are filled
    /// in if somebody will look at them; else some are [partial](crate::wire::checksum::Checksum).
    pub(super) fn take_frames(&mut self, frames: &mut Vec<FrameBuffer>, looked_at: bool) {
        if !self.frames.is_empty() {
            if looked_at {
                self.frames.iter_mut().for_each(FrameBuffer::fill_checksums);
            }
            move_to(frames, &mut self.frames);
        }
    }

    /// Moves what never left to `discarded`.
    pub(super) fn take_discarded(&mut self, discarded: &mut Vec<Discarded>) {
        if !self.discarded.is_empty() {
            move_to(discarded, &mut self.discarded);
        }
    }

    pub(super) fn take_changes(&mut self, changes: &mut Vec<StateChange>) {
        if self.observed {
            changes.append(&mut self.changes);
        }
    }

    /// Whether a segment or a timer changed a connection's state since this was last asked.
    pub(super) fn take_state_changed(&mut self) -> bool {
        std::mem::take(&mut self.state_changed)
    }

    pub(super) fn state_changed(&self) -> bool {
        self.state_changed
    }

    /// Nothing of it will leave.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.loopback.clear();
        self.discarded.clear();
        self.released.clear();
    }
}

/// Moves everything to the end of `to`, which is empty in most cases: then nothing is copied.
#[inline]
fn move_to<T>(to: &mut Vec<T>, from: &mut Vec<T>) {
    if to.is_empty() { std::mem::swap(to, from) } else { to.append(from) }
}
