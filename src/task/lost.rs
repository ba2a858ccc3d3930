//! Errors that tasks returned and nobody took.
//!
//! A task whose handle was dropped has nobody to return its error to, and a test in which such a
//! task fails would be green. Only results of known types can be looked into, because a task may
//! return anything: those of [`error_of`].

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::join_error::JoinError;
use crate::time::Instant;
use crate::time::error::Elapsed;

/// Errors that are kept; of those after them only the number is.
const MAX_ERRORS: usize = 32;

/// An error that a task returned.
#[derive(Clone, Debug)]
pub(crate) struct TaskError {
    pub(crate) host: String,
    pub(crate) task: String,
    pub(crate) time: Instant,
    pub(crate) error: String,
}

impl fmt::Display for TaskError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TaskError { host, task, time, error } = self;
        write!(formatter, "{host}: {task}, at {time}: {error}")
    }
}

/// The errors of a world's tasks that nobody took.
// Shared with handles, which may be dropped in another thread.
#[derive(Clone, Default)]
pub(crate) struct LostErrors(Arc<Mutex<Lost>>);

#[derive(Default)]
struct Lost {
    errors: Vec<TaskError>,
    count: u64,
    /// The world has ended, and handles are dropped because it has.
    closed: bool,
}

impl LostErrors {
    pub(super) fn note(&self, error: TaskError) {
        let mut lost = self.lock();
        if lost.closed {
            return;
        }
        lost.count += 1;
        let is_kept = lost.errors.len() < MAX_ERRORS;
        if is_kept {
            lost.errors.push(error.clone());
        }
        drop(lost);
        tracing::warn!(
            target: "glassnet::task",
            host = %error.host,
            task = %error.task,
            error = %error.error,
            "a task returned an error that nobody took"
        );
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    /// How many there were, and the first of them.
    pub(crate) fn all(&self) -> (u64, Vec<TaskError>) {
        let lost = self.lock();
        (lost.count, lost.errors.clone())
    }

    pub(crate) fn first(&self) -> Option<TaskError> {
        self.lock().errors.first().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Lost> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of the error of a task.
#[derive(Default)]
pub(super) enum Claim {
    /// There is a handle, which may take it.
    #[default]
    Held,
    /// The handle was dropped.
    Dropped,
    /// The task has ended with this error, and the handle has not taken it yet.
    Failed(TaskError, LostErrors),
}

/// The error in what a task returned, if it is a `Result` of a known type: with the errors that
/// sockets, timers, joins and [`glassnet::Result`](crate::Result) give, boxed errors and texts,
/// and with the values that the calls of sockets return.
pub(super) fn error_of<T: 'static>(output: &T) -> Option<String> {
    macro_rules! find {
        ($output:expr, [$($value:ty),*], $errors:tt) => {
            $(find!(@value $output, $value, $errors);)*
        };
        (@value $output:expr, $value:ty, [$($error:ty),*]) => {
            $(if let Some(result) = $output.downcast_ref::<Result<$value, $error>>() {
                return result.as_ref().err().map(ToString::to_string);
            })*
        };
    }
    let output: &dyn Any = output;
    find!(
        output,
        [(), bool, usize, u64, String, Vec<u8>],
        [
            crate::Error,
            Box<dyn Error>,
            Box<dyn Error + Send>,
            Box<dyn Error + Send + Sync>,
            io::Error,
            Arc<io::Error>,
            Elapsed,
            JoinError,
            fmt::Error,
            String,
            &'static str
        ]
    );
    // A task that is limited in time, or that waits for another.
    find!(@value output, io::Result<()>, [Elapsed, JoinError]);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errors_of_common_results_are_found_and_values_are_none() {
        let of_io: io::Result<usize> = Err(io::Error::other("gone"));
        assert_eq!(error_of(&of_io).as_deref(), Some("gone"));
        let of_box: crate::Result = Err("boxed".into());
        assert_eq!(error_of(&of_box).as_deref(), Some("boxed"));
        let of_shared: Result<(), Box<dyn Error + Send + Sync>> = Err("shared".into());
        assert_eq!(error_of(&of_shared).as_deref(), Some("shared"));
        assert_eq!(error_of(&Err::<(), _>("text")).as_deref(), Some("text"));
        assert_eq!(error_of(&Ok::<(), io::Error>(())), None);
        assert_eq!(error_of(&7), None);
    }

    #[test]
    fn only_so_many_errors_are_kept_and_all_are_counted() {
        let lost = LostErrors::default();
        for number in 0..100 {
            lost.note(TaskError {
                host: "host".to_owned(),
                task: "task".to_owned(),
                time: Instant::from_nanos(number),
                error: number.to_string(),
            });
        }
        let (count, errors) = lost.all();
        assert_eq!((count, errors.len()), (100, MAX_ERRORS));
        assert_eq!(errors[0].error, "0");
    }
}
