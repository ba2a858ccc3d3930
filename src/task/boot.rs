//! One start of a host.

use std::cell::Cell;

/// One start of a host, as each of its tasks knows it.
pub(super) struct Boot {
    host: String,
    /// Another for each start of each host.
    number: u64,
    is_alive: Cell<bool>,
}

impl Boot {
    pub(super) fn new(host: String, number: u64) -> Boot {
        Boot { host, number, is_alive: Cell::new(true) }
    }

    /// The name of the host.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_alive(&self) -> bool {
        self.is_alive.get()
    }

    /// The host has ended, or crashed.
    pub(super) fn end(&self) {
        self.is_alive.set(false);
    }
}
