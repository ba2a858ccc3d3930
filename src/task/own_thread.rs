//! What the thread that drives a world leaves behind for that world: tasks that can run, and hosts
//! whose sockets were used.
//!
//! Nobody else is there, so it takes no lock, which a message would take eight times. What other
//! threads leave goes where there is one. What is here is always older than what is there: who finds
//! something there puts his own behind it. So both in turn are one queue, first in, first out.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use async_task::Runnable;

/// Tells the worlds of a process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorldId(u64);

impl Default for WorldId {
    fn default() -> WorldId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        WorldId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Stands for no world.
const NOBODY: WorldId = WorldId(0);

struct Left {
    world: Cell<WorldId>,
    runnables: RefCell<VecDeque<Runnable>>,
    hosts: RefCell<Vec<u32>>,
}

thread_local! {
    static LEFT: Left = const {
        Left {
            world: Cell::new(NOBODY),
            runnables: RefCell::new(VecDeque::new()),
            hosts: RefCell::new(Vec::new()),
        }
    };
}

/// This thread drives a world, until this is dropped. Before that, what was left is to be taken.
#[must_use]
pub(crate) struct Driving {
    outer: WorldId,
    runnables: VecDeque<Runnable>,
    hosts: Vec<u32>,
}

/// This thread drives `world`, and the world that it drove before, if it is in a call of one, waits.
pub(crate) fn drive(world: WorldId) -> Driving {
    LEFT.with(|left| Driving {
        outer: left.world.replace(world),
        runnables: left.runnables.take(),
        hosts: left.hosts.take(),
    })
}

impl Drop for Driving {
    fn drop(&mut self) {
        let _ = LEFT.try_with(|left| {
            left.world.set(self.outer);
            left.runnables.replace(std::mem::take(&mut self.runnables));
            left.hosts.replace(std::mem::take(&mut self.hosts));
        });
    }
}

/// Leaves a task of `world` that can run; it comes back where another thread drives that world, or
/// none does.
#[inline]
pub(super) fn leave_runnable(world: WorldId, runnable: Runnable) -> Option<Runnable> {
    let mut runnable = Some(runnable);
    // A task may be woken when even its thread's variables are gone.
    let _ = LEFT.try_with(|left| {
        if left.world.get() == world {
            left.runnables.borrow_mut().extend(runnable.take());
        }
    });
    runnable
}

/// Whether a task of `world` was left.
pub(super) fn has_runnables(world: WorldId) -> bool {
    LEFT.try_with(|left| left.world.get() == world && !left.runnables.borrow().is_empty())
        .unwrap_or(false)
}

/// Moves the tasks that were left to `batch`, which is empty.
#[inline]
pub(super) fn take_runnables(world: WorldId, batch: &mut VecDeque<Runnable>) {
    let _ = LEFT.try_with(|left| {
        if left.world.get() == world {
            std::mem::swap(&mut *left.runnables.borrow_mut(), batch);
        }
    });
}

/// Leaves a host of `world`; false where another thread drives that world, or none does.
#[inline]
pub(crate) fn leave_host(world: WorldId, host: u32) -> bool {
    let leave = |left: &Left| {
        let is_driven = left.world.get() == world;
        if is_driven {
            left.hosts.borrow_mut().push(host);
        }
        is_driven
    };
    LEFT.try_with(leave).unwrap_or(false)
}

/// The hosts of `world` that were left.
pub(crate) fn hosts(world: WorldId) -> Vec<u32> {
    let hosts = |left: &Left| {
        if left.world.get() == world { left.hosts.borrow().clone() } else { Vec::new() }
    };
    LEFT.try_with(hosts).unwrap_or_default()
}

/// Moves the hosts that were left to the end of `hosts`, which is empty in most cases.
#[inline]
pub(crate) fn take_hosts(world: WorldId, hosts: &mut Vec<u32>) {
    let _ = LEFT.try_with(|left| {
        if left.world.get() == world {
            let mut left = left.hosts.borrow_mut();
            if hosts.is_empty() {
                std::mem::swap(&mut *left, hosts);
            } else {
                hosts.append(&mut left);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_for_a_world_is_that_worlds_and_is_kept_while_another_is_driven() {
        let (one, other) = (WorldId::default(), WorldId::default());
        assert!(!leave_host(one, 1));
        let driving = drive(one);
        assert!(leave_host(one, 1) && !leave_host(other, 2));
        {
            let _inner = drive(other);
            assert!(leave_host(other, 2) && !leave_host(one, 3));
            assert_eq!((hosts(one), hosts(other)), (vec![], vec![2]));
            let mut taken = vec![7];
            take_hosts(other, &mut taken);
            assert_eq!(taken, [7, 2]);
        }
        let mut taken = Vec::new();
        take_hosts(one, &mut taken);
        assert_eq!(taken, [1]);
        drop(driving);
        assert!(!leave_host(one, 4) && hosts(one).is_empty());
    }
}
