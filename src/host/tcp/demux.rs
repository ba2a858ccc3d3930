//! Which connection a segment is for.

use rustc_hash::FxHashMap;

use super::ids::FlowId;
use crate::wire::tcp::{FourTuple, TupleKey};

/// The connections of a host, by their two ends.
#[derive(Default)]
pub(crate) struct Demux {
    by_key: FxHashMap<TupleKey, FlowId>,
    /// The last that was found: segments come in bursts, and most hosts talk to one other.
    last: Option<(TupleKey, FlowId)>,
}

impl Demux {
    pub(super) fn get(&self, tuple: &FourTuple) -> Option<FlowId> {
        self.by_key.get(&tuple.into()).copied()
    }

    #[inline]
    pub(super) fn find(&mut self, key: &TupleKey) -> Option<FlowId> {
        match &self.last {
            Some((last, id)) if last == key => Some(*id),
            _ => self.find_another(key),
        }
    }

    #[inline(never)]
    fn find_another(&mut self, key: &TupleKey) -> Option<FlowId> {
        let id = *self.by_key.get(key)?;
        self.last = Some((*key, id));
        Some(id)
    }

    pub(super) fn insert(&mut self, tuple: &FourTuple, id: FlowId) {
        self.last = None;
        self.by_key.insert(tuple.into(), id);
    }

    pub(super) fn remove(&mut self, tuple: &FourTuple) {
        self.last = None;
        self.by_key.remove(&tuple.into());
    }

    pub(super) fn clear(&mut self) {
        self.last = None;
        self.by_key.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_its_tuple_and_no_other() {
        let ends = [
            ["10.0.0.1:80", "10.0.0.2:49152"],
            ["10.0.0.2:80", "10.0.0.1:49152"],
            ["10.0.0.1:49152", "10.0.0.2:80"],
            ["[fd00::1]:80", "[fd00::2]:49152"],
            ["[fd00::2]:80", "[fd00::1]:49152"],
            ["[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.2]:49152"],
        ];
        let tuples = ends
            .map(|[local, remote]| FourTuple::new(local.parse().unwrap(), remote.parse().unwrap()));
        let mut demux = Demux::default();
        for (index, tuple) in (0..).zip(&tuples) {
            assert_eq!(TupleKey::from(tuple).tuple(), *tuple);
            demux.insert(tuple, FlowId::of_slot(index));
        }
        for (index, tuple) in (0..).zip(&tuples) {
            assert_eq!(demux.get(tuple), Some(FlowId::of_slot(index)));
            demux.remove(tuple);
            assert_eq!(demux.get(tuple), None);
        }
        assert_eq!(demux.len(), 0);
    }
}
