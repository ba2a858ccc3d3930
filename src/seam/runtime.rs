//! A tokio runtime as the program of a host.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::{Builder, Runtime};

use super::descriptors::is_ours;
use super::dispatch::Armed;
use super::hooks;
use super::lookups::Lookups;
use super::seat::{Parked, Seat};
use super::signals;
use super::spin::Spin;
use crate::clock::TimerKey;
use crate::error::Result;
use crate::task::{context, rng};

/// Runs the main function of a host on a tokio runtime of its own, of the kind `current_thread`.
///
/// The runtime has a turn whenever it may have something to do: when a socket of it is ready, its
/// next timer is due, or another thread has woken it. It has its turns in the task of the world
/// that polls this future.
pub(crate) struct RuntimeHost<M> {
    seat: Arc<Seat>,
    lookups: Lookups,
    /// Before the first turn.
    make_main: Option<M>,
    running: Option<Running>,
    timer: Option<TimerKey>,
    _armed: Armed,
}

// Nothing in it is pinned but `main`, which is in a box.
impl<M> Unpin for RuntimeHost<M> {}

struct Running {
    main: Pin<Box<dyn Future<Output = Result>>>,
    main_woken: Arc<MainWoken>,
    runtime: Runtime,
}

impl<M, F> RuntimeHost<M>
where
    M: FnOnce() -> F,
    F: Future<Output = Result> + 'static,
{
    /// # Errors
    /// Outside a task of a world.
    pub(crate) fn new(make_main: M) -> io::Result<RuntimeHost<M>> {
        let scope = context::scope().ok_or_else(crate::error::outside_a_host)?;
        let seat = Arc::new(Seat::new(scope, rng()));
        let armed = Armed::new(hooks::answer_number);
        self_test(&seat)?;
        signals::find_receiver()?;
        seat.hear_signals();
        Ok(RuntimeHost {
            seat,
            _armed: armed,
            lookups: Lookups::default(),
            make_main: Some(make_main),
            running: None,
            timer: None,
        })
    }

    fn turn(&mut self) -> Result<Turn> {
        let _sitting = self.seat.sit();
        if let Some(make_main) = self.make_main.take() {
            let build = || Builder::new_current_thread().enable_all().build();
            let runtime = self.seat.build(build)?;
            let main = {
                let _entered = runtime.enter();
                Box::pin(make_main())
            };
            let main_woken = Arc::new(MainWoken::default());
            self.running = Some(Running { main, main_woken, runtime });
        }
        let Some(Running { main, main_woken, runtime }) = &mut self.running else {
            return Ok(Turn::Ended(Ok(())));
        };
        let seat = &*self.seat;
        let main_waker = Waker::from(main_woken.clone());
        let turn = std::future::poll_fn(|cx| {
            seat.set_root(cx.waker());
            main_woken.set_outer(cx.waker());
            if main_woken.take()
                && let Poll::Ready(result) =
                    main.as_mut().poll(&mut Context::from_waker(&main_waker))
            {
                return Poll::Ready(Turn::Ended(result));
            }
            match seat.take_parked() {
                Some(parked) => Poll::Ready(Turn::Parked(parked)),
                None => Poll::Pending,
            }
        });
        Ok(runtime.block_on(turn))
    }

    /// Lets the host's threads run until all of them are blocked, and answers what they ask.
    fn run_threads(&mut self, cx: &mut Context<'_>) {
        loop {
            while self.seat.run_next() {}
            self.seat.take_asked().into_iter().for_each(|asked| self.lookups.add(asked));
            self.lookups.poll(cx);
            if !self.seat.has_ready() {
                return;
            }
        }
    }
}

impl<M> RuntimeHost<M> {
    /// Ends the runtime: what it holds is dropped where the host answers. Its threads see that, and
    /// end, unless they wait for something else.
    fn end(&mut self) {
        let _sitting = self.seat.sit();
        self.make_main = None;
        if let Some(Running { main, runtime, .. }) = self.running.take() {
            drop(main);
            runtime.shutdown_background();
        }
        while self.seat.run_next() {}
        self.lookups = Lookups::default();
        self.seat.program_ends();
        if let Some(key) = self.timer.take() {
            self.seat.clock().cancel_timer(key);
        }
    }
}

enum Turn {
    Ended(Result),
    Parked(Parked),
}

impl<M, F> Future for RuntimeHost<M>
where
    M: FnOnce() -> F,
    F: Future<Output = Result> + 'static,
{
    type Output = Result;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result> {
        let this = &mut *self;
        this.seat.set_task(cx.waker());
        if this.seat.is_killed() {
            this.end();
            return Poll::Ready(Ok(()));
        }
        let clock = this.seat.clock().clone();
        if let Some(key) = this.timer.take() {
            clock.cancel_timer(key);
        }
        match this.turn() {
            Ok(Turn::Parked(Parked { until })) => {
                this.run_threads(cx);
                this.timer = until.map(|until| clock.set_timer(until, cx.waker().clone()));
                Poll::Pending
            }
            Ok(Turn::Ended(result)) => {
                this.end();
                Poll::Ready(result)
            }
            Err(error) => {
                this.end();
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<M> Drop for RuntimeHost<M> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether this executable asks our symbols of libc, which a linker may have decided otherwise.
#[allow(clippy::disallowed_methods, reason = "what std's clock shows is what is tested")]
fn self_test(seat: &Arc<Seat>) -> io::Result<()> {
    let _sitting = seat.sit();
    let before = std::time::Instant::now();
    // SAFETY: it makes a descriptor, or does not.
    let fd = unsafe { libc::eventfd(0, 0) };
    // SAFETY: the descriptor is ours to close.
    unsafe { libc::close(fd) };
    if is_ours(fd) && before.elapsed().is_zero() {
        return Ok(());
    }
    Err(io::Error::other(
        "this executable asks the kernel itself, so that a world cannot answer: link it dynamically \
         with glibc (no `-C target-feature=+crt-static`), or write the test for `glassnet::net`",
    ))
}

/// Whether the main function has been woken; it is not polled otherwise.
struct MainWoken {
    is_woken: AtomicBool,
    outer: Spin<Option<Waker>>,
}

impl Default for MainWoken {
    fn default() -> MainWoken {
        MainWoken { is_woken: AtomicBool::new(true), outer: Spin::default() }
    }
}

impl MainWoken {
    fn set_outer(&self, waker: &Waker) {
        let outdated = self.outer.lock().replace(waker.clone());
        drop(outdated);
    }

    fn take(&self) -> bool {
        self.is_woken.swap(false, Ordering::Relaxed)
    }
}

impl Wake for MainWoken {
    fn wake(self: Arc<MainWoken>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<MainWoken>) {
        self.is_woken.store(true, Ordering::Relaxed);
        let outer = self.outer.lock().clone();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}
