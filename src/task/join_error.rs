//! Why a task did not end by itself.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use super::id::Id;

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send + 'static>;

/// A task did not end by itself: it was aborted, its host ended or crashed, or it has panicked in a
/// world that [isolates panics](crate::Sim::isolate_panics).
pub struct JoinError {
    id: Id,
    reason: Reason,
}

enum Reason {
    Cancelled,
    /// In a `Mutex` because a payload need not be `Sync`, and errors are.
    Panic {
        message: Option<String>,
        payload: Mutex<Payload>,
    },
}

impl JoinError {
    pub(super) fn cancelled(id: Id) -> JoinError {
        JoinError { id, reason: Reason::Cancelled }
    }

    pub(super) fn panic(id: Id, payload: Payload) -> JoinError {
        let message = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&'static str>().map(|text| (*text).to_owned()));
        JoinError { id, reason: Reason::Panic { message, payload: Mutex::new(payload) } }
    }

    /// Whether the task was aborted, or ended with its host.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.reason, Reason::Cancelled)
    }

    /// Whether the task has panicked. Only in a world that
    /// [isolates panics](crate::Sim::isolate_panics): elsewhere a panic ends the run.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.reason, Reason::Panic { .. })
    }

    /// What the task panicked with, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    /// When the task has not panicked.
    #[track_caller]
    #[must_use]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(_) => panic!("`JoinError` reason is not a panic."),
        }
    }

    /// What the task panicked with.
    ///
    /// # Errors
    /// This error itself, when the task has not panicked.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self.reason {
            Reason::Panic { payload, .. } => {
                Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner))
            }
            Reason::Cancelled => Err(self),
        }
    }

    /// The task.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id;
        match &self.reason {
            Reason::Cancelled => write!(formatter, "task {id} was cancelled"),
            Reason::Panic { message: Some(message), .. } => {
                write!(formatter, "task {id} panicked with message {message:?}")
            }
            Reason::Panic { message: None, .. } => write!(formatter, "task {id} panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id;
        match &self.reason {
            Reason::Cancelled => write!(formatter, "JoinError::Cancelled({id:?})"),
            Reason::Panic { message: Some(message), .. } => {
                write!(formatter, "JoinError::Panic({id:?}, {message:?}, ...)")
            }
            Reason::Panic { message: None, .. } => {
                write!(formatter, "JoinError::Panic({id:?}, ...)")
            }
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(match error.reason {
            Reason::Cancelled => "task was cancelled",
            Reason::Panic { .. } => "task panicked",
        })
    }
}
