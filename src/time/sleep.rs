//! Waiting for a point in time, alone or beside something else.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::{Clock, Elapsed, Instant, TimerKey};
use crate::task::{TaskStep, Wait, budget, context};

/// Waits until `duration` has passed on the world's clock, counted from this call. A sleep that would
/// end more than 292 years after the world began, as that of `Duration::MAX`, never ends.
///
/// # Panics
/// When first polled outside a task of a world.
pub fn sleep(duration: Duration) -> Sleep {
    match context::clock() {
        Some(clock) => {
            let when = When::At(Instant::from_nanos(clock.now()).saturating_add(duration));
            Sleep { when, timer: None, is_of_no_length: duration.is_zero(), begun: false }
        }
        None => {
            Sleep { when: When::After(duration), timer: None, is_of_no_length: false, begun: false }
        }
    }
}

/// Waits until `deadline`. If it has passed, the first poll is ready; if it is the present moment,
/// the other tasks that can run go first.
///
/// # Panics
/// When first polled outside a task of a world.
pub fn sleep_until(deadline: Instant) -> Sleep {
    let is_of_no_length = is_now(deadline);
    Sleep { when: When::At(deadline), timer: None, is_of_no_length, begun: false }
}

/// The future of [`sleep`]. Dropping it cancels the timer.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    when: When,
    timer: Option<(Clock, TimerKey)>,
    /// It was made at its deadline: it lets other tasks go first, as tokio's does.
    is_of_no_length: bool,
    /// It was polled or reset.
    begun: bool,
}

fn is_now(deadline: Instant) -> bool {
    context::clock().is_some_and(|clock| clock.now() == deadline.as_nanos())
}

#[derive(Clone, Copy, Debug)]
enum When {
    /// Made outside a task, where there is no clock yet: it counts from the first poll.
    After(Duration),
    At(Instant),
}

impl Sleep {
    /// When this will be ready.
    ///
    /// # Panics
    /// When it was made by a duration outside a task, has not been polled yet, and is asked outside
    /// a task: there is no clock to count from.
    #[track_caller]
    #[must_use]
    pub fn deadline(&self) -> Instant {
        match self.when {
            When::At(deadline) => deadline,
            When::After(duration) => Instant::now() + duration,
        }
    }

    /// Whether the time has come. Like tokio's, one that was neither polled nor reset has not begun,
    /// and says that it has not.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        let has_come = |clock: Clock| self.deadline().as_nanos() <= clock.now();
        self.begun && context::clock().is_some_and(has_come)
    }

    /// Waits for `deadline` instead.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.get_mut();
        this.set_deadline(deadline);
        this.begun = true;
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.forget_timer();
        self.when = When::At(deadline);
        self.is_of_no_length = is_now(deadline);
    }

    fn forget_timer(&mut self) {
        if let Some((clock, key)) = self.timer.take() {
            clock.cancel_timer(key);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(clock) = context::clock() else {
            panic!("sleep needs the clock of a world: await it in a task of a host");
        };
        self.begun = true;
        let now = Instant::from_nanos(clock.now());
        let deadline = match self.when {
            When::At(deadline) => deadline,
            When::After(duration) => {
                let deadline = now.saturating_add(duration);
                self.when = When::At(deadline);
                deadline
            }
        };
        if std::mem::take(&mut self.is_of_no_length) && deadline == now {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if deadline <= now {
            // Else a loop of sleeps that have elapsed would be a standstill.
            if budget::gives_way(cx.waker()) {
                return Poll::Pending;
            }
            let has_waited = self.timer.is_some();
            budget::spend(!has_waited);
            self.forget_timer();
            return Poll::Ready(());
        }
        match &self.timer {
            Some((clock, key)) => clock.rearm_timer(*key, cx.waker()),
            None if deadline.is_within_time() => {
                let key = clock.set_timer(deadline.as_nanos(), cx.waker().clone());
                context::tell(TaskStep::SetsTimer { until: deadline });
                self.timer = Some((clock, key));
            }
            None => {}
        }
        context::waits_for(Wait::Sleep { until: deadline });
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget_timer();
    }
}

/// Runs `future` for at most `duration` from now; then drops it and returns [`Elapsed`].
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: Box::pin(future.into_future()), sleep: sleep(duration) }
}

/// Runs `future` until `deadline` at most; then drops it and returns [`Elapsed`].
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: Box::pin(future.into_future()), sleep: sleep_until(deadline) }
}

/// The future of [`timeout`].
#[must_use = "futures do nothing unless awaited"]
pub struct Timeout<F> {
    future: Pin<Box<F>>,
    sleep: Sleep,
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Timeout").field("sleep", &self.sleep).finish_non_exhaustive()
    }
}

impl<F> Timeout<F> {
    /// The future inside.
    #[must_use]
    pub fn get_ref(&self) -> &F {
        &self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let had_left = budget::is_left();
        if let Poll::Ready(output) = self.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let mut sleep = || Pin::new(&mut self.sleep).poll(cx);
        // A future that always uses up what the task may do must not outlast its time.
        let elapsed = if had_left && !budget::is_left() { budget::free(sleep) } else { sleep() };
        elapsed.map(|()| Err(Elapsed::new()))
    }
}
