//! The numbers of the files of worlds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::file::File;
use super::seat::{self, Owner};
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
    /// The program that it is of.
    owner: Owner,
}

/// Whether the number is that of a file of a world.
#[inline]
pub(super) fn is_ours(fd: i32) -> bool {
    fd >= FIRST
}

/// Gives a file the lowest number that is free.
pub(super) fn insert(file: Arc<File>, close_on_exec: bool) -> Result<i32, Errno> {
    let slot = Slot { file, close_on_exec, owner: seat::owner() };
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

/// Gives a file the lowest number that is free and not below `min`: `F_DUPFD`.
pub(super) fn insert_from(min: i32, file: Arc<File>, close_on_exec: bool) -> Result<i32, Errno> {
    let min = index(min).unwrap_or(0);
    if min == 0 {
        return insert(file, close_on_exec);
    }
    let at = {
        let table = TABLE.lock();
        let free = |at: &usize| table.slots.get(*at).is_none_or(Option::is_none);
        (min..MAX).find(free).ok_or(Errno::Invalid)?
    };
    replace(FIRST + at as i32, file, close_on_exec)
}

/// Gives a file this number, which it takes from the file that has it: `dup2(2)`.
pub(super) fn replace(fd: i32, file: Arc<File>, close_on_exec: bool) -> Result<i32, Errno> {
    let at = index(fd).filter(|at| *at < MAX).ok_or(Errno::BadDescriptor)?;
    let slot = Slot { file, close_on_exec, owner: seat::owner() };
    let replaced = {
        let mut table = TABLE.lock();
        while table.slots.len() <= at {
            let free = table.slots.len();
            table.slots.push(None);
            table.free.push(Reverse(free));
        }
        let replaced = table.slots[at].replace(slot);
        if replaced.is_none() {
            table.free.retain(|Reverse(free)| *free != at);
        }
        replaced
    };
    // Closing a socket may run anything: never under the lock.
    drop(replaced);
    Ok(fd)
}

/// The numbers from `first` to `last` of the files of a program.
pub(super) fn numbers_of(owner: Owner, first: i32, last: i32) -> Vec<i32> {
    let table = TABLE.lock();
    let of_owner = table.slots.iter().enumerate().filter_map(|(at, slot)| {
        let fd = FIRST + at as i32;
        let is_meant = slot.as_ref().is_some_and(|slot| slot.owner == owner);
        (is_meant && (first..=last).contains(&fd)).then_some(fd)
    });
    of_owner.collect()
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
