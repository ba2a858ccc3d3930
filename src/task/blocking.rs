//! Functions that block.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::context;
use super::join::JoinHandle;
use super::origin::Origin;

/// Runs a function that blocks or computes for long, beside the other tasks, as
/// `tokio::task::spawn_blocking` does.
///
/// In a simulation there is one thread. The function runs from beginning to end in the turn of a
/// task, and takes no virtual time. It must not wait for other tasks, which do not run before it has
/// ended; after 30 seconds of real time the process is aborted, as
/// [`Sim::watchdog`](crate::Sim::watchdog) says.
///
/// In a world on the wall clock the function runs on a thread of its own, of which there are up to
/// 512. It belongs to no host there: it cannot spawn tasks or open sockets.
///
/// A function that is aborted before it has begun never runs. One that has begun runs on, but its
/// handle gives a [`JoinError`](super::JoinError) at once, and what it returns is lost; tokio's handle
/// waits for it. The end of a run does not wait for such functions.
///
/// # Panics
/// When called outside a task of a world.
#[track_caller]
pub fn spawn_blocking<F, R>(function: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let Some(scope) = context::scope() else {
        panic!("spawn_blocking needs a world: call it in a task of a host");
    };
    let origin = Origin::Spawned(Location::caller());
    if scope.clock.real_start().is_none() {
        return scope.spawn(origin, async move { function() });
    }
    let begun = Arc::new(Handoff::default());
    let other_side = begun.clone();
    scope.spawn(origin, async move {
        run_on_a_thread(Box::new(move || {
            // The task is gone when it was aborted.
            if Arc::strong_count(&other_side) > 1 {
                other_side.give(catch_unwind(AssertUnwindSafe(function)));
            }
        }));
        let result = poll_fn(|cx| begun.poll(cx.waker())).await;
        result.unwrap_or_else(|payload| resume_unwind(payload))
    })
}

/// What one thread hands over to the task that waits for it.
struct Handoff<R>(Mutex<(Option<std::thread::Result<R>>, Option<Waker>)>);

impl<R> Default for Handoff<R> {
    fn default() -> Handoff<R> {
        Handoff(Mutex::new((None, None)))
    }
}

impl<R> Handoff<R> {
    fn give(&self, result: std::thread::Result<R>) {
        let mut handoff = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handoff.0 = Some(result);
        let waker = handoff.1.take();
        drop(handoff);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<std::thread::Result<R>> {
        let mut handoff = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match handoff.0.take() {
            Some(result) => Poll::Ready(result),
            None => {
                handoff.1 = Some(waker.clone());
                Poll::Pending
            }
        }
    }
}

/// Threads that run at once, as many as tokio's.
const MAX_THREADS: usize = 512;

type Job = Box<dyn FnOnce() + Send>;

/// The threads of this process that run such functions.
struct Threads {
    running: usize,
    waiting: VecDeque<Job>,
}

static THREADS: Mutex<Threads> = Mutex::new(Threads { running: 0, waiting: VecDeque::new() });

fn threads() -> MutexGuard<'static, Threads> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run_on_a_thread(job: Job) {
    let mut all = threads();
    all.waiting.push_back(job);
    if all.running >= MAX_THREADS {
        return;
    }
    let thread = std::thread::Builder::new().name("glassnet blocking".to_owned());
    if thread.spawn(work).is_ok() {
        all.running += 1;
    } else if all.running == 0 {
        // Where there are no threads it runs here.
        let job = all.waiting.pop_back();
        drop(all);
        job.into_iter().for_each(|job| job());
    }
}

/// What a thread does. It ends when nothing is left to be run.
fn work() {
    loop {
        let next = {
            let mut all = threads();
            let next = all.waiting.pop_front();
            if next.is_none() {
                all.running -= 1;
            }
            next
        };
        let Some(job) = next else { return };
        // What nobody takes is dropped here, and may panic as it is.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}
