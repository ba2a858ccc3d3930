//! Tasks: the executor of a world, and [`spawn`].
//!
//! The names and the meaning are those of `tokio::task`. Left out are `block_in_place`,
//! `unconstrained`, `coop`, `JoinSet::{spawn_on, spawn_blocking_on}` and `LocalSet::block_on`.
//!
//! All tasks run on one thread. Those that can run stand in one queue, first in, first out unless
//! [`Sim::schedule`](crate::Sim::schedule) says otherwise. A task belongs to a host, and so does
//! whatever it spawns or opens. When the host's main function ends, its tasks end.
//!
//! Tasks run in rounds: each task that can run is polled once, then hosts send and receive, then the
//! next round begins. In one poll a task may complete 128 operations of its sockets, timers and join
//! handles, as in tokio; the next operation gives way to the other tasks. Futures of other crates,
//! such as tokio's channels, give way only in a tokio runtime. Here a loop over one that is always
//! ready never returns: after 30 seconds of real time the process says which task it is, and aborts
//! (see [`Sim::watchdog`](crate::Sim::watchdog)).

mod abort;
mod alarm;
mod blocking;
mod boot;
pub(crate) mod budget;
mod call;
pub(crate) mod context;
mod current;
mod executor;
mod failed_call;
mod id;
mod join;
mod join_error;
mod join_set;
mod local;
mod lost;
mod observe;
mod origin;
pub(crate) mod own_thread;
mod random;
mod record;
mod schedule;
mod scope;
#[doc(hidden)]
pub mod select;
mod spawn;
mod wait;
mod watchdog;

pub(crate) use alarm::Alarm;
pub use blocking::spawn_blocking;
pub use current::{id, rng, try_id};
pub(crate) use executor::{Executor, Round};
pub(crate) use failed_call::FailedCall;
pub use id::Id;
pub use join::{AbortHandle, JoinHandle};
pub use join_error::JoinError;
pub use join_set::JoinSet;
pub use local::{LocalEnterGuard, LocalSet, spawn_local};
pub(crate) use lost::TaskError;
pub(crate) use observe::{TaskEvent, TaskStep};
pub(crate) use origin::Origin;
pub use random::HostRng;
pub(crate) use record::WaitingTask;
pub use schedule::Schedule;
pub(crate) use scope::{HostScope, Streams};
use std::future::Future;
use std::panic::Location;
pub(crate) use wait::Wait;
pub(crate) use watchdog::Watched;

/// Starts a task on the host of the calling task, and returns a handle to its result.
///
/// The task ends with its host: when the host's main function returns, or the host crashes, it is
/// dropped, as at the end of a process. Unlike tokio's, the future need not be `Send`: a world runs
/// on one thread. A panic in the task ends the run; the report names the task's host and the place of
/// this call. With [`Sim::isolate_panics`](crate::Sim::isolate_panics) the panic is an error of the
/// handle instead.
///
/// An error of the task is lost when its handle is dropped before anybody has taken it. A lost error
/// is logged as a warning and named in the report of a run that fails. With
/// [`Sim::strict`](crate::Sim::strict) it fails the run. This is seen for `Result`s of common types:
///
/// - values: `()`, `bool`, `usize`, `u64`, `String`, `Vec<u8>`
/// - errors: [`glassnet::Error`](crate::Error), [`io::Error`](std::io::Error), `Box<dyn Error>` (also
///   with `Send`, or `Send + Sync`), `String`, `&'static str`,
///   [`Elapsed`](crate::time::error::Elapsed), [`JoinError`], [`fmt::Error`](std::fmt::Error)
///
/// A lost error of another type is not seen.
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
    scope.spawn(Origin::Spawned(Location::caller()), future)
}

/// Lets the other tasks that can run go first, and hosts send and receive.
///
/// This takes no time. But when tasks have done nothing else a thousand times in a row, the clock
/// moves to the next event: so a loop that yields until something has arrived does end, as on a
/// real clock. When no event is left, [`Sim::run`](crate::Sim::run) fails and says which task spins.
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
