//! Half-open connections that are kept as a few numbers, without an engine and its buffers: Linux's
//! `request_sock` (RFC 4987 section 3.3).

use rustc_hash::FxHashMap;

use super::ids::ListenerId;
use crate::clock::{Deadline, Deadlines};
use crate::tcp::{Handshake, RtoBounds, TcpOptions};
use crate::wire::tcp::{FourTuple, TupleKey};

/// One half-open connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) tuple: FourTuple,
    pub(super) listener: ListenerId,
    /// The listener's when the SYN came.
    pub(super) options: TcpOptions,
    pub(super) handshake: Handshake,
    /// What does not belong to the handshake is not answered before.
    pub(super) no_answer_before: u64,
}

/// The half-open connections of a host that have no engine.
pub(super) struct Requests {
    /// When their SYN-ACKs leave again.
    timeouts: RtoBounds,
    slots: Vec<Option<Request>>,
    free: Vec<u32>,
    by_tuple: FxHashMap<TupleKey, u32>,
    /// By slot.
    deadlines: Deadlines,
}

impl Requests {
    pub(super) fn new(timeouts: RtoBounds) -> Requests {
        Requests {
            timeouts,
            slots: Vec::new(),
            free: Vec::new(),
            by_tuple: FxHashMap::default(),
            deadlines: Deadlines::default(),
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Requests::new(self.timeouts);
    }

    pub(super) fn len(&self) -> usize {
        self.by_tuple.len()
    }

    pub(super) fn insert(&mut self, request: Request) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.by_tuple.insert((&request.tuple).into(), slot);
        self.set_deadline(slot, request.handshake.deadline(&self.timeouts));
        self.slots[slot as usize] = Some(request);
    }

    pub(super) fn contains(&self, tuple: &FourTuple) -> bool {
        !self.by_tuple.is_empty() && self.by_tuple.contains_key(&tuple.into())
    }

    pub(super) fn get(&self, tuple: &FourTuple) -> Option<&Request> {
        let slot = *self.by_tuple.get(&tuple.into())?;
        self.slots[slot as usize].as_ref()
    }

    pub(super) fn get_mut(&mut self, tuple: &FourTuple) -> Option<&mut Request> {
        if self.by_tuple.is_empty() {
            return None;
        }
        let slot = *self.by_tuple.get(&tuple.into())?;
        self.slots[slot as usize].as_mut()
    }

    pub(super) fn remove(&mut self, tuple: &FourTuple) -> Option<Request> {
        let slot = self.by_tuple.remove(&tuple.into())?;
        self.deadlines.remove(slot);
        self.free.push(slot);
        let request = self.slots[slot as usize].take();
        if self.by_tuple.is_empty() {
            // A flood has passed: what it took is given back.
            self.clear();
        }
        request
    }

    /// In the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.slots.iter().flatten()
    }

    /// When the first wants to be looked at.
    #[inline]
    pub(super) fn first_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|first| first.at)
    }

    /// One whose SYN-ACK was due to be sent again, or that was due to be given up, at `now`: it
    /// counts one retransmission more, and its next deadline is set.
    pub(super) fn next_due(&mut self, now: u64) -> Option<Request> {
        let Deadline { at, id, .. } = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        let request = self.slots[id as usize].as_mut()?;
        request.handshake.retransmissions += 1;
        let request = *request;
        self.set_deadline(id, request.handshake.deadline(&self.timeouts));
        Some(request)
    }

    fn set_deadline(&mut self, slot: u32, at: u64) {
        self.deadlines.set(Deadline { at, order: slot.into(), id: slot });
    }
}
