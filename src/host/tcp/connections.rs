//! The connections of a host, in slots.

use super::connection::Connection;
use super::ids::FlowId;
use crate::clock::{Deadline, Deadlines};

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

/// The connections, when each wants a look, and which must be looked at now.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<Slot>,
    free: Vec<u32>,
    open: usize,
    dirty: Vec<FlowId>,
    /// By slot.
    deadlines: Deadlines,
    /// A deadline was queued that [`Connections::first_deadline`] has not told of yet.
    has_new_deadline: bool,
}

impl Connections {
    pub(super) fn insert(&mut self, connection: Connection) -> FlowId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        self.open += 1;
        slot.connection = Some(Box::new(connection));
        FlowId { index, generation: slot.generation }
    }

    /// Takes one out for good.
    pub(super) fn remove(&mut self, id: FlowId) -> Option<Box<Connection>> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let connection = slot.connection.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        self.deadlines.remove(id.index);
        self.open -= 1;
        Some(connection)
    }

    #[inline]
    pub(super) fn get(&self, id: FlowId) -> Option<&Connection> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.generation == id.generation { slot.connection.as_deref() } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: FlowId) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation == id.generation { slot.connection.as_deref_mut() } else { None }
    }

    /// In the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().filter_map(|slot| slot.connection.as_deref())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.slots.iter_mut().filter_map(|slot| slot.connection.as_deref_mut())
    }

    /// The ids of those for which `is_meant` holds, in the order of their slots.
    pub(super) fn ids_of(&self, is_meant: impl Fn(&Connection) -> bool) -> Vec<FlowId> {
        let id_of = |(slot, index): (&Slot, u32)| {
            let is_meant = slot.connection.as_deref().is_some_and(&is_meant);
            is_meant.then_some(FlowId { index, generation: slot.generation })
        };
        self.slots.iter().zip(0..).filter_map(id_of).collect()
    }

    /// How many there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.open
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// All are gone, and their ids mean nothing any more.
    pub(super) fn forget_everything(&mut self) {
        for slot in &mut self.slots {
            slot.generation = slot.generation.wrapping_add(1);
            slot.connection = None;
        }
        self.free = (0..self.slots.len() as u32).collect();
        self.open = 0;
        self.dirty.clear();
        self.deadlines.clear();
    }

    // ---- Those that must be looked at -------------------------------------------------------

    pub(super) fn mark_dirty(&mut self, id: FlowId) {
        let Some(connection) = self.get_mut(id) else { return };
        connection.is_dirty = true;
        if !connection.in_dirty_list {
            connection.in_dirty_list = true;
            self.dirty.push(id);
        }
    }

    #[inline]
    pub(super) fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The `at`th of those that must be looked at.
    #[inline]
    pub(super) fn dirty(&self, at: usize) -> Option<FlowId> {
        self.dirty.get(at).copied()
    }

    /// All that had to be looked at were.
    #[inline]
    pub(super) fn clear_dirty(&mut self) {
        self.dirty.clear();
    }

    #[cfg(test)]
    pub(super) fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    // ---- Deadlines --------------------------------------------------------------------------

    /// Takes note of when a connection wants a look, which may have changed.
    #[inline]
    pub(super) fn queue_deadline(&mut self, id: FlowId) {
        if let Some(at) = self.get_mut(id).and_then(Connection::deadline_to_queue) {
            self.deadlines.set(Deadline { at, order: id.index.into(), id: id.index });
            self.has_new_deadline = true;
        }
    }

    /// Marks those whose deadline has come.
    #[inline]
    pub(super) fn expire(&mut self, now: u64) {
        if self.deadlines.first().is_some_and(|first| first.at <= now) {
            self.expire_due(now);
        }
    }

    #[inline(never)]
    fn expire_due(&mut self, now: u64) {
        while let Some(due) = self.deadlines.first().copied()
            && due.at <= now
        {
            self.deadlines.remove(due.id);
            let generation = self.slots[due.id as usize].generation;
            let id = FlowId { index: due.id, generation };
            let Some(connection) = self.get_mut(id) else { continue };
            connection.deadline_was_taken();
            match connection.deadline() {
                Some(deadline) if deadline > now => self.queue_deadline(id),
                Some(_) => self.mark_dirty(id),
                None => {}
            }
        }
    }

    /// When the first wants a look.
    #[inline]
    pub(super) fn first_deadline(&mut self) -> Option<u64> {
        self.has_new_deadline = false;
        self.deadlines.first().map(|first| first.at)
    }

    /// Whether [`Connections::first_deadline`] may have changed since it was asked for.
    #[inline]
    pub(super) fn has_new_deadline(&self) -> bool {
        self.has_new_deadline
    }

    pub(super) fn deadlines(&self) -> usize {
        self.deadlines.len()
    }
}
