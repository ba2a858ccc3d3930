//! Tasks: the executor of a world, and [`spawn`].
//!
//! One queue of tasks that can run, first in, first out, on one thread. A task carries its host
//! with it: whatever it spawns, or opens, belongs to that host.

mod alarm;
pub(crate) mod context;
mod executor;
mod join;

pub(crate) use alarm::Alarm;
pub(crate) use context::HostScope;
pub(crate) use executor::Executor;
pub use join::{AbortHandle, JoinError, JoinHandle};
use std::future::Future;

/// Starts a task on the host of the calling task, and returns a handle to its result.
///
/// The task ends with its host: when the host crashes, it is dropped. Unlike tokio's, the future
/// need not be `Send`: a world runs on one thread. A panic in the task ends the run.
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
