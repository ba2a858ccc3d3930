//! The socket calls of a host that failed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::io;

use super::origin::Origin;
use crate::clock::Instant;

/// Failed calls that a host remembers.
const MAX_FAILED_CALLS: usize = 32;
/// How many sources of an error are looked at.
const MAX_SOURCES: usize = 32;

/// A socket call that failed.
#[derive(Clone, Debug)]
pub(crate) struct FailedCall {
    call: String,
    error: String,
    at: Instant,
    by: Origin,
}

impl fmt::Display for FailedCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedCall { call, error, at, by } = self;
        write!(formatter, "{call}: {error}, at {at} in {by}")
    }
}

/// The last calls of a host that failed.
#[derive(Default)]
pub(super) struct FailedCalls(RefCell<VecDeque<FailedCall>>);

impl FailedCalls {
    /// A call of the task that comes from `by` has failed.
    pub(super) fn note(&self, call: String, error: &io::Error, at: Instant, by: Origin) {
        let failed = FailedCall { call, error: error.to_string(), at, by };
        let mut failed_calls = self.0.borrow_mut();
        if failed_calls.len() == MAX_FAILED_CALLS {
            failed_calls.pop_front();
        }
        failed_calls.push_back(failed);
    }

    /// The last call of all, if it failed at this moment and was of the task that comes from `by`.
    pub(super) fn last_if(&self, at: Instant, by: Origin) -> Option<FailedCall> {
        let failed_calls = self.0.borrow();
        failed_calls.back().filter(|failed| failed.by == by && failed.at == at).cloned()
    }

    /// The last call that failed with what `error`, or a source of it, says.
    pub(super) fn behind(&self, error: &(dyn Error + 'static)) -> Option<FailedCall> {
        let mut chain: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next.filter(|_| chain.len() < MAX_SOURCES) {
            chain.push(error.to_string());
            next = error.source();
        }
        let failed_calls = self.0.borrow();
        let is_behind = |failed: &&FailedCall| chain.iter().any(|it| it.contains(&failed.error));
        failed_calls.iter().rev().find(is_behind).cloned()
    }
}
