//! Tasks that run when their set is polled.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_task::Runnable;

use super::context;
use super::join::{AbortHandle, JoinHandle};
use super::origin::Origin;

/// Tasks that a set runs in one poll before the others of its host have their turn, as many as
/// tokio's.
const MAX_TASKS: usize = 61;

/// How many tasks destructors may spawn on a set that is dropped. Each is dropped unrun, which may
/// spawn another, and so on for ever.
const MAX_LAST_SPAWNS: u32 = 10_000;

/// Starts a task on the [`LocalSet`] that is running. Outside a set it is the same as
/// [`spawn`](super::spawn), which takes futures that are not `Send` as well; tokio's panics there.
///
/// # Panics
/// When called outside a task of a world.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match CURRENT.with_borrow(Clone::clone) {
        Some(set) => set.spawn(Origin::Spawned(Location::caller()), future),
        None => super::spawn(future),
    }
}

/// Tasks that run only while the set is awaited, or [`run_until`](LocalSet::run_until) is, and
/// end when it is dropped; `tokio::task::LocalSet`'s counterpart.
///
/// [`spawn`](super::spawn) takes futures that are not `Send` as well, so a set is of use where
/// the lifetime of tasks matters, and for code that was written for tokio.
pub struct LocalSet(Rc<Set>);

struct Set {
    queue: Arc<Queue>,
    /// Those that have been spawned, to be ended when the set is dropped; those that have ended
    /// are removed now and then.
    tasks: RefCell<Vec<AbortHandle>>,
    /// How many there are when those that have ended are looked for.
    prune_at: Cell<usize>,
    /// The set is being dropped: how many tasks may still be spawned by what is dropped with it.
    last_spawns: Cell<Option<u32>>,
}

/// The tasks of a set that can run.
// Wakers are `Send`, so it must bear being pushed to from anywhere.
#[derive(Default)]
struct Queue(Mutex<Ready>);

#[derive(Default)]
struct Ready {
    tasks: VecDeque<Runnable>,
    /// Of whoever polls the set.
    waker: Option<Waker>,
    /// The set is polled now: what becomes ready needs nobody to be woken.
    is_polled: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Ready> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, runnable: Runnable) {
        let mut ready = self.lock();
        ready.tasks.push_back(runnable);
        let waker = if ready.is_polled { None } else { ready.waker.take() };
        drop(ready);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The set is polled until what this returns is dropped.
    fn begin_poll(&self, waker: &Waker) -> BeingPolled<'_> {
        let mut ready = self.lock();
        match &mut ready.waker {
            Some(registered) => registered.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        ready.is_polled = true;
        BeingPolled(self)
    }
}

struct BeingPolled<'q>(&'q Queue);

impl Drop for BeingPolled<'_> {
    fn drop(&mut self) {
        self.0.lock().is_polled = false;
    }
}

impl Set {
    fn spawn<F>(&self, origin: Origin, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let Some(scope) = context::scope() else {
            panic!("a LocalSet needs a world to spawn: call it in a task of a host");
        };
        if let Some(left) = self.last_spawns.get() {
            if left == 0 {
                // Dropped, it would only spawn the next one.
                std::mem::forget(future);
                return scope.never_begun(origin);
            }
            self.last_spawns.set(Some(left - 1));
        }
        let queue = self.queue.clone();
        let handle = scope.spawn_on(origin, future, move |runnable| queue.push(runnable));
        if self.last_spawns.get().is_some() {
            handle.abort();
        }
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() >= self.prune_at.get() {
            tasks.retain(|task| !task.is_finished());
            self.prune_at.set(2 * tasks.len() + MAX_TASKS);
        }
        tasks.push(handle.abort_handle());
        handle
    }

    /// Runs tasks that can run. True when some are left that can.
    fn run(&self) -> bool {
        let Some(scope) = context::scope() else {
            panic!("a LocalSet needs a world to run its tasks: await it in a task of a host");
        };
        for _ in 0..MAX_TASKS {
            let next = scope.executor().take_next(&mut self.queue.lock().tasks);
            let Some(runnable) = next else { return false };
            runnable.run();
        }
        !self.queue.lock().tasks.is_empty()
    }

    fn has_tasks(&self) -> bool {
        let mut tasks = self.tasks.borrow_mut();
        // The last are the most likely not to have ended, and those that have are of no more use.
        while tasks.last().is_some_and(|task| task.is_finished()) {
            tasks.pop();
        }
        !tasks.is_empty()
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Set>>> = const { RefCell::new(None) };
}

/// Until it is dropped, [`spawn_local`] spawns on the set; made by [`LocalSet::enter`].
pub struct LocalEnterGuard {
    outer: Option<Rc<Set>>,
}

impl LocalEnterGuard {
    fn new(set: &Rc<Set>) -> LocalEnterGuard {
        LocalEnterGuard { outer: CURRENT.replace(Some(set.clone())) }
    }
}

impl Drop for LocalEnterGuard {
    fn drop(&mut self) {
        CURRENT.set(self.outer.take());
    }
}

impl fmt::Debug for LocalEnterGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalEnterGuard").finish()
    }
}

impl LocalSet {
    /// A set without tasks.
    #[must_use]
    pub fn new() -> LocalSet {
        LocalSet(Rc::new(Set {
            queue: Arc::default(),
            tasks: RefCell::default(),
            prune_at: Cell::new(MAX_TASKS),
            last_spawns: Cell::new(None),
        }))
    }

    /// Has [`spawn_local`] spawn on this set until the guard is dropped.
    #[must_use]
    pub fn enter(&self) -> LocalEnterGuard {
        LocalEnterGuard::new(&self.0)
    }

    /// Starts a task of the calling task's host, to run when the set is awaited.
    ///
    /// # Panics
    /// When called outside a task of a world.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.0.spawn(Origin::Spawned(Location::caller()), future)
    }

    /// Runs a future, and the tasks of the set beside it until it is ready. [`spawn_local`] in
    /// either spawns on this set.
    pub async fn run_until<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| {
            let _entered = self.enter();
            let polled = self.0.queue.begin_poll(cx.waker());
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            let has_more = self.0.run();
            drop(polled);
            if has_more {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }
}

/// Ready when all tasks of the set have ended.
impl Future for LocalSet {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _entered = self.enter();
        let polled = self.0.queue.begin_poll(cx.waker());
        let has_more = self.0.run();
        drop(polled);
        if has_more {
            cx.waker().wake_by_ref();
        }
        if has_more || self.0.has_tasks() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for LocalSet {
    /// Ends the tasks, each as a task of its host.
    fn drop(&mut self) {
        let _entered = self.enter();
        let set = &self.0;
        set.last_spawns.set(Some(MAX_LAST_SPAWNS));
        set.queue.lock().waker = None;
        for task in set.tasks.take() {
            task.abort();
        }
        // Each is dropped when it would run.
        loop {
            let next = set.queue.lock().tasks.pop_front();
            let Some(runnable) = next else { break };
            runnable.run();
        }
    }
}

impl Default for LocalSet {
    fn default() -> LocalSet {
        LocalSet::new()
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalSet").finish()
    }
}
