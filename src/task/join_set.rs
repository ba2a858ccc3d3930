//! Tasks that are waited for together.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::budget;
use super::id::Id;
use super::join::{AbortHandle, JoinHandle};
use super::join_error::JoinError;
use super::local::{LocalSet, spawn_local};
use super::record::MAX_WAITS;
use super::{spawn, spawn_blocking};

type Joined<T> = Result<(Id, T), JoinError>;

/// Tasks that are waited for together, in the order in which they end; `tokio::task::JoinSet`'s
/// counterpart. When it is dropped, its tasks are aborted.
///
/// ```
/// use glassnet::task::JoinSet;
///
/// let mut sim = glassnet::Sim::new(7);
/// sim.client("client", async {
///     let mut set = JoinSet::new();
///     for seconds in [3, 1, 2] {
///         set.spawn(async move {
///             glassnet::time::sleep(std::time::Duration::from_secs(seconds)).await;
///             seconds
///         });
///     }
///     assert_eq!(set.join_all().await, [1, 2, 3]);
///     Ok(())
/// });
/// sim.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JoinSet<T> {
    /// By the number of their insertion.
    handles: BTreeMap<u64, JoinHandle<T>>,
    next: u64,
    ended: Arc<Ended>,
}

/// The tasks of a set that have ended and were not taken yet.
#[derive(Default)]
struct Ended(Mutex<EndedTasks>);

#[derive(Default)]
struct EndedTasks {
    tasks: VecDeque<u64>,
    /// Of whoever waits for the next.
    waker: Option<Waker>,
}

impl Ended {
    fn lock(&self) -> MutexGuard<'_, EndedTasks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the first. If there is none, `waker` is woken by the next that ends.
    fn pop(&self, waker: Option<&Waker>) -> Option<u64> {
        let mut ended = self.lock();
        let first = ended.tasks.pop_front();
        if first.is_none()
            && let Some(waker) = waker
        {
            match &mut ended.waker {
                Some(registered) => registered.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        first
    }
}

/// Woken by the end of one task of a set.
struct EndOf {
    task: u64,
    ended: Arc<Ended>,
}

impl Wake for EndOf {
    fn wake(self: Arc<Self>) {
        let mut ended = self.ended.lock();
        ended.tasks.push_back(self.task);
        let waker = ended.waker.take();
        drop(ended);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    #[must_use]
    pub fn new() -> JoinSet<T> {
        JoinSet { handles: BTreeMap::new(), next: 0, ended: Arc::default() }
    }

    /// How many tasks are in the set: those that run, and those that have ended and were not taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// Whether no task is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Starts a task in the set, as [`spawn`] does.
    ///
    /// # Panics
    /// When called outside a task of a world.
    #[track_caller]
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(spawn(task))
    }

    /// Starts a task in the set, as [`spawn_local`] does.
    ///
    /// # Panics
    /// When called outside a task of a world.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(spawn_local(task))
    }

    /// Starts a task of `local_set` in this set.
    ///
    /// # Panics
    /// When called outside a task of a world.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(local_set.spawn_local(task))
    }

    /// Runs a function that may block in the set, as [`spawn_blocking`] does.
    ///
    /// # Panics
    /// When called outside a task of a world.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, function: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(spawn_blocking(function))
    }

    fn insert(&mut self, mut handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let task = self.next;
        self.next += 1;
        let waker = Waker::from(Arc::new(EndOf { task, ended: self.ended.clone() }));
        if handle.notify(&waker) {
            waker.wake();
        }
        self.handles.insert(task, handle);
        abort
    }

    /// Waits until a task ends and takes its result; `None` when the set is empty. Dropping the
    /// future loses no result.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// [`JoinSet::join_next`] with the task's [`Id`]; that of an error is in
    /// [`JoinError::id`].
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// The result of a task that has ended, if there is one.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(without_id)
    }

    /// [`JoinSet::try_join_next`] with the task's [`Id`].
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        let task = self.ended.pop(None)?;
        self.take(task)
    }

    /// Aborts all tasks, and waits until all have ended.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits until all tasks have ended and gives what they returned, in the order in which they
    /// did.
    ///
    /// # Panics
    /// When a task has panicked or was cancelled; the others are aborted.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut output = Vec::with_capacity(self.len());
        while let Some(joined) = self.join_next().await {
            match joined.map_err(|error| (error.to_string(), error.try_into_panic())) {
                Ok(value) => output.push(value),
                Err((_, Ok(payload))) => panic::resume_unwind(payload),
                Err((message, Err(_))) => panic!("{message}"),
            }
        }
        output
    }

    /// Aborts all tasks. They stay in the set until they are taken.
    pub fn abort_all(&mut self) {
        self.handles.values().for_each(JoinHandle::abort);
    }

    /// Takes all tasks from the set and lets them run on.
    pub fn detach_all(&mut self) {
        self.ended = Arc::default();
        self.handles.clear();
    }

    /// Polls for the next task that ends: see [`JoinSet::join_next`].
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx).map(|joined| joined.map(without_id))
    }

    /// Polls for the next task that ends: see [`JoinSet::join_next_with_id`].
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        if budget::gives_way(cx.waker()) {
            return Poll::Pending;
        }
        let Some(task) = self.ended.pop(Some(cx.waker())) else {
            // A report names no more.
            self.handles.values().take(MAX_WAITS).for_each(JoinHandle::is_waited_for);
            return Poll::Pending;
        };
        // That a task has ended changes nothing outside of tasks.
        budget::spend(true);
        Poll::Ready(self.take(task))
    }

    /// The result of a task that has ended.
    fn take(&mut self, task: u64) -> Option<Joined<T>> {
        let mut handle = self.handles.remove(&task)?;
        let id = handle.id();
        let mut cx = Context::from_waker(Waker::noop());
        match budget::free(|| Pin::new(&mut handle).poll(&mut cx)) {
            Poll::Ready(joined) => Some(joined.map(|value| (id, value))),
            Poll::Pending => None,
        }
    }
}

fn without_id<T>(joined: Joined<T>) -> Result<T, JoinError> {
    joined.map(|(_, value)| value)
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.handles.values().for_each(JoinHandle::abort);
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T: 'static, F: Future<Output = T> + 'static> FromIterator<F> for JoinSet<T> {
    fn from_iter<I: IntoIterator<Item = F>>(tasks: I) -> JoinSet<T> {
        let mut set = JoinSet::new();
        set.extend(tasks);
        set
    }
}

impl<T: 'static, F: Future<Output = T> + 'static> Extend<F> for JoinSet<T> {
    fn extend<I: IntoIterator<Item = F>>(&mut self, tasks: I) {
        for task in tasks {
            self.spawn(task);
        }
    }
}
