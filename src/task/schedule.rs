//! The order in which tasks run that can.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::rng::Stream;

/// The order in which tasks run that could all run at this moment.
///
/// A fixed order hides races: a test may be green only because one task always comes before
/// another. With [`Schedule::Random`] each seed tries another order, and the same seed the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// First come, first served: in the order in which they were woken.
    #[default]
    Fifo,
    /// At random, from a stream of its own, so that nothing else that is drawn differs.
    Random,
}

/// Chooses the next task.
#[derive(Default)]
pub(super) struct Order(RefCell<Option<Stream>>);

impl Order {
    /// At random, if there is a stream.
    pub(super) fn set_random(&self, stream: Option<Stream>) {
        self.0.replace(stream);
    }

    pub(super) fn is_random(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Brings those who can run into their order.
    pub(super) fn arrange<T>(&self, ready: &mut VecDeque<T>) {
        if let Some(stream) = &mut *self.0.borrow_mut() {
            for last in (1..ready.len()).rev() {
                ready.swap(last, stream.up_to(last as u64) as usize);
            }
        }
    }

    /// Takes the next of those who can run.
    pub(super) fn take_next<T>(&self, ready: &mut VecDeque<T>) -> Option<T> {
        match &mut *self.0.borrow_mut() {
            Some(stream) if ready.len() > 1 => {
                ready.swap_remove_front(stream.up_to(ready.len() as u64 - 1) as usize)
            }
            _ => ready.pop_front(),
        }
    }
}
