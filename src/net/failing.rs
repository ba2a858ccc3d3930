//! Which call failed, and with which address, for reports: an [`io::Error`] that has the number of
//! an errno has no room for it.

use std::io;
use std::task::Poll;

use crate::task::context;

/// The result of a socket call.
pub(crate) trait NoteFailure: Sized {
    /// Notes a failure with the running task. `call` names the call and its address.
    fn note_failure(self, call: impl FnOnce() -> String) -> Self;
}

impl<T> NoteFailure for io::Result<T> {
    fn note_failure(self, call: impl FnOnce() -> String) -> Self {
        if let Err(error) = &self {
            note(call, error);
        }
        self
    }
}

impl<T> NoteFailure for Poll<io::Result<T>> {
    fn note_failure(self, call: impl FnOnce() -> String) -> Self {
        if let Poll::Ready(Err(error)) = &self {
            note(call, error);
        }
        self
    }
}

#[cold]
fn note(call: impl FnOnce() -> String, error: &io::Error) {
    // What would block has not failed.
    if error.kind() != io::ErrorKind::WouldBlock {
        context::note_failed_call(call(), error);
    }
}
