//! Where the sequence numbers of ended connections stood.
//!
//! When the peer closed first it is the peer that is in TIME-WAIT, where a SYN opens a new
//! connection only with a higher sequence number (RFC 9293 3.6.1). RFC 6528 would let initial
//! sequence numbers rise with time; an engine may draw them at random, so a host remembers for a
//! while where each tuple stood, and tells the engine of the next connection.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::wire::tcp::{FourTuple, Seq, TupleKey};

/// As long as any peer is likely to be in TIME-WAIT.
const REMEMBERED: u64 = 60_000_000_000;
/// Tuples that are remembered; the oldest gives way.
const MAX_ENTRIES: usize = 65_536;

/// The connections of a host that the other side closed first.
#[derive(Default)]
pub(crate) struct RecentTuples {
    by_tuple: FxHashMap<TupleKey, (u64, Seq)>,
    by_expiry: VecDeque<(u64, TupleKey)>,
}

impl RecentTuples {
    pub(crate) fn insert(&mut self, now: u64, tuple: &FourTuple, snd_nxt: Seq) {
        let tuple = TupleKey::from(tuple);
        let expires = now.saturating_add(REMEMBERED);
        self.by_tuple.insert(tuple, (expires, snd_nxt));
        self.by_expiry.push_back((expires, tuple));
        while let Some((at, oldest)) = self.by_expiry.front().copied()
            && (at <= now || self.by_expiry.len() > MAX_ENTRIES)
        {
            self.by_expiry.pop_front();
            if self.by_tuple.get(&oldest).is_some_and(|(expires, _)| *expires == at) {
                self.by_tuple.remove(&oldest);
            }
        }
    }

    /// How many entries there are, those included whose tuple was used again.
    pub(super) fn entries(&self) -> usize {
        self.by_expiry.len().max(self.by_tuple.len())
    }

    /// Where a tuple stood when it was last used.
    pub(crate) fn snd_nxt(&self, tuple: &FourTuple) -> Option<Seq> {
        self.by_tuple.get(&tuple.into()).map(|(_, snd_nxt)| *snd_nxt)
    }
}
