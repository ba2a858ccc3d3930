//! Tasks: the executor of a world, and [`spawn`].
//!
//! One queue of tasks that can run, first in, first out, on one thread. A task carries its host
//! with it: whatever it spawns, or opens, belongs to that host.

pub(crate) mod context;
mod executor;
mod join;
mod lost;
mod random;

pub(crate) use context::HostScope;
pub(crate) use executor::Executor;
pub use join::{AbortHandle, JoinError, JoinHandle};
pub(crate) use lost::TaskError;
pub use random::{HostRng, rng};
use std::future::Future;

/// Starts a task on the host of the calling task, and returns a handle to its result.
///
/// The task ends with its host: when the host crashes, it is dropped. Unlike tokio's, the future
/// need not be `Send`: a world runs on one thread. A panic in the task ends the run.
///
/// An error that the task returns when its handle is dropped, or that the handle has when it is
/// dropped, is lost: it is logged as a warning and named in the report of a run that fails, and
/// with [`Sim::strict`](crate::Sim::strict) it fails the run. That holds for `Result`s of common
/// types: with the value `()`, `bool`, `usize`, `u64`, `String` or `Vec<u8>`, and the error
/// [`io::Error`](std::io::Error), `Box<dyn Error>` (also `Send`, or `Send + Sync`), `String`,
/// `&'static str`, [`Elapsed`](crate::time::Elapsed), [`JoinError`] or
/// [`fmt::Error`](std::fmt::Error). An error of another type cannot be seen.
///
/// # Panics
/// When called outside a task of a world.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let Some(scope) = context::scope() else {
        panic!("spawn needs a world: call it in a task of a host");
    };
    scope.spawn(None, future)
}

/// Lets the other tasks that can run go first.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return std::task::Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
