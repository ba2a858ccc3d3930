//! The numbers of the files of worlds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::file::File;
use super::spin::Spin;
use crate::error::Errno;

/// The first number. The kernel gives none as high, so that a number says whose it is, on every
/// thread.
pub(super) const FIRST: i32 = 0x1000_0000;

/// How many there may be.
const MAX: usize = 1 << 24;

static TABLE: Spin<Table> = Spin::new(Table { slots: Vec::new(), free: BinaryHeap::new() });

struct Table {
    slots: Vec<Option<Slot>>,
    /// The lowest number that is free is given next, as by a kernel.
    free: BinaryHeap<Reverse<usize>>,
}

struct Slot {
    file: Arc<File>,
    /// `FD_CLOEXEC`.
    close_on_exec: bool,
}

/// Whether the number is that of a file of a world.
#[inline]
pub(super) fn is_ours(fd: i32) -> bool {
    fd >= FIRST
}

/// Gives a file a number.
pub(super) fn insert(file: Arc<File>, close_on_exec: bool) -> Result<i32, Errno> {
    let slot = Slot { file, close_on_exec };
    let mut table = TABLE.lock();
    let index = match table.free.pop() {
        Some(Reverse(index)) => {
            table.slots[index] = Some(slot);
            index
        }
        None if table.slots.len() < MAX => {
            table.slots.push(Some(slot));
            table.slots.len() - 1
        }
        None => return Err(Errno::TooManyOpenFiles),
    };
    Ok(FIRST + index as i32)
}

/// The file with this number.
pub(super) fn get(fd: i32) -> Result<Arc<File>, Errno> {
    let table = TABLE.lock();
    let slot = index(fd).and_then(|index| table.slots.get(index)?.as_ref());
    slot.map(|slot| slot.file.clone()).ok_or(Errno::BadDescriptor)
}

/// `FD_CLOEXEC`.
pub(super) fn closes_on_exec(fd: i32) -> Result<bool, Errno> {
    let table = TABLE.lock();
    let slot = index(fd).and_then(|index| table.slots.get(index)?.as_ref());
    slot.map(|slot| slot.close_on_exec).ok_or(Errno::BadDescriptor)
}

pub(super) fn set_close_on_exec(fd: i32, close_on_exec: bool) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let slot = index(fd).and_then(|index| table.slots.get_mut(index)?.as_mut());
    slot.ok_or(Errno::BadDescriptor)?.close_on_exec = close_on_exec;
    Ok(())
}

/// Takes the number back.
pub(super) fn remove(fd: i32) -> Result<(), Errno> {
    let removed = {
        let mut table = TABLE.lock();
        let index = index(fd).ok_or(Errno::BadDescriptor)?;
        let slot = table.slots.get_mut(index).and_then(Option::take);
        let slot = slot.ok_or(Errno::BadDescriptor)?;
        table.free.push(Reverse(index));
        slot
    };
    // Closing a socket may run anything: never under the lock.
    drop(removed);
    Ok(())
}

fn index(fd: i32) -> Option<usize> {
    fd.checked_sub(FIRST).and_then(|index| usize::try_from(index).ok())
}
