//! Frames that links keep until they are released.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::network::Port;
use crate::wire::frame::FrameBuffer;

/// A frame that a link keeps.
pub(in crate::world) struct Held {
    pub(in crate::world) frame: FrameBuffer,
    pub(in crate::world) packet_id: u64,
    /// When it was sent, in nanoseconds.
    pub(in crate::world) sent: u64,
}

/// From which port to which.
type Ends = (Port, Port);

/// The frames that the links of a world keep, by direction, in the order in which they were sent.
/// It is shared with those that may look at them, who may be tasks of the world.
#[derive(Clone, Default)]
pub(in crate::world) struct HeldFrames(Arc<Mutex<BTreeMap<Ends, VecDeque<Held>>>>);

impl HeldFrames {
    pub(super) fn keep(&self, ends: Ends, held: Held) {
        self.lock().entry(ends).or_default().push_back(held);
    }

    /// Takes all frames of a direction.
    pub(in crate::world) fn take_all(&self, ends: Ends) -> VecDeque<Held> {
        self.lock().remove(&ends).unwrap_or_default()
    }

    /// Takes one frame of a direction.
    pub(in crate::world) fn take(&self, ends: Ends, packet_id: u64) -> Option<Held> {
        let mut all = self.lock();
        let frames = all.get_mut(&ends)?;
        let at = frames.iter().position(|held| held.packet_id == packet_id)?;
        frames.remove(at)
    }

    /// Looks at the frames of a direction, in their order.
    pub(in crate::world) fn look<R>(&self, ends: Ends, mut look: impl FnMut(&Held) -> R) -> Vec<R> {
        self.lock().get(&ends).into_iter().flatten().map(&mut look).collect()
    }

    /// How many there are.
    pub(in crate::world) fn len(&self) -> usize {
        self.lock().values().map(VecDeque::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Ends, VecDeque<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
