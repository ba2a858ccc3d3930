//! What the executor and reports know of a task.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::boot::Boot;
use super::id::Id;
use super::origin::Origin;
use super::wait::Wait;
use crate::clock::Instant;

/// Things that a task is said to wait for at once. One that waits for thousands is described well
/// enough by a few.
pub(super) const MAX_WAITS: usize = 8;

/// What the executor and reports know of a task.
pub(super) struct Record {
    boot: Rc<Boot>,
    id: Id,
    origin: Origin,
    /// `None` until it runs for the first time.
    polled_at: Cell<Option<Instant>>,
    waits: RefCell<Vec<Wait>>,
}

impl Record {
    pub(super) fn new(boot: Rc<Boot>, id: Id, origin: Origin) -> Record {
        Record { boot, id, origin, polled_at: Cell::default(), waits: RefCell::default() }
    }

    /// What it waited for when it was last polled counts no more.
    pub(super) fn begin_poll(&self, now: Instant) {
        self.polled_at.set(Some(now));
        self.waits.borrow_mut().clear();
    }

    /// It is about to wait for this.
    pub(super) fn waits_for(&self, wait: Wait) {
        let mut waits = self.waits.borrow_mut();
        if waits.len() < MAX_WAITS {
            waits.push(wait);
        }
    }

    /// The start of its host.
    pub(super) fn boot(&self) -> &Rc<Boot> {
        &self.boot
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// What reports call it.
    pub(super) fn label(&self) -> String {
        format!("{}: {}", self.boot.host(), self.origin)
    }

    /// What it waits for, unless it `yields`.
    pub(super) fn report(&self, yields: bool) -> WaitingTask {
        WaitingTask {
            host: self.boot.host().to_owned(),
            origin: self.origin,
            since: self.polled_at.get(),
            yields,
            waits: self.waits.borrow().clone(),
        }
    }
}

/// A task of a report.
#[derive(Clone, Debug)]
pub(crate) struct WaitingTask {
    host: String,
    origin: Origin,
    since: Option<Instant>,
    /// It waits for nothing but its next turn.
    yields: bool,
    waits: Vec<Wait>,
}

impl WaitingTask {
    /// Whether it waits for something that this world cannot see.
    pub(crate) fn waits_for_the_unknown(&self) -> bool {
        self.since.is_some() && self.waits.is_empty() && !self.yields
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for WaitingTask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} ", self.host, self.origin)?;
        let Some(since) = self.since else { return formatter.write_str("has not run yet") };
        if self.yields {
            return formatter.write_str("yields again and again");
        }
        write!(formatter, "waits since {since} for ")?;
        let Some((first, rest)) = self.waits.split_first() else {
            return formatter.write_str("something that is neither a socket nor a timer");
        };
        write!(formatter, "{first}")?;
        rest.iter().try_for_each(|wait| write!(formatter, ", or {wait}"))
    }
}
