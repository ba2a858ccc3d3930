//! What to wait for.

use std::os::fd::BorrowedFd;

/// A descriptor to wait for.
pub(crate) struct Interest<'d> {
    pub(crate) descriptor: BorrowedFd<'d>,
    /// It is waited for until it can be written, too.
    pub(crate) writable: bool,
}
