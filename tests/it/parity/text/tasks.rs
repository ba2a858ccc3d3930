// Included twice by `../tasks.rs`: with `task`, `time`, `spawn` and `select` being tokio's,
// and being glassnet's. Nothing else differs, so what compiles here compiles with either.

use std::any::Any;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::hash::Hash;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use task::{AbortHandle, Id, JoinError, JoinHandle, JoinSet, LocalSet};
use time::error::Elapsed;
use time::{Duration, Instant, Interval, MissedTickBehavior, Sleep, Timeout};
use tokio::sync::{Notify, mpsc, oneshot};

// ---- Traits and signatures ----------------------------------------------------------------

fn is_an_object<T: Send + Sync + Unpin + Debug + 'static>() {}
fn is_a_value<T: Copy + Eq + Hash + Debug + Send + Sync + Unpin + 'static>() {}
fn is_ordered<T: Ord>() {}
fn is_shown<T: Display>() {}
fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}
fn becomes_an_io_error<T: Into<io::Error>>() {}
fn is_a_future<F: Future<Output = T>, T>() {}

#[test]
fn the_types_have_the_traits() {
    is_an_object::<JoinHandle<u8>>();
    is_an_object::<JoinSet<u8>>();
    is_an_object::<AbortHandle>();
    is_an_object::<Interval>();
    is_a_value::<Id>();
    is_ordered::<Id>();
    is_shown::<Id>();
    is_a_value::<Instant>();
    is_ordered::<Instant>();
    is_an_error::<JoinError>();
    is_an_error::<Elapsed>();
    becomes_an_io_error::<JoinError>();
    becomes_an_io_error::<Elapsed>();
    is_a_future::<JoinHandle<u8>, Result<u8, JoinError>>();
    is_a_future::<Sleep, ()>();
    is_a_future::<Timeout<std::future::Ready<u8>>, Result<u8, Elapsed>>();
    is_a_future::<LocalSet, ()>();
    let _: MissedTickBehavior = MissedTickBehavior::default();
    let _: JoinSet<u8> = JoinSet::default();
    let _: LocalSet = LocalSet::default();
}

type Joined<T> = Result<T, JoinError>;

#[test]
fn the_methods_have_the_signatures() {
    let _: fn(&JoinHandle<u8>) = JoinHandle::abort;
    let _: fn(&JoinHandle<u8>) -> bool = JoinHandle::is_finished;
    let _: fn(&JoinHandle<u8>) -> AbortHandle = JoinHandle::abort_handle;
    let _: fn(&JoinHandle<u8>) -> Id = JoinHandle::id;
    let _: fn(&AbortHandle) = AbortHandle::abort;
    let _: fn(&AbortHandle) -> bool = AbortHandle::is_finished;
    let _: fn(&AbortHandle) -> Id = AbortHandle::id;
    let _: fn(&JoinError) -> bool = JoinError::is_cancelled;
    let _: fn(&JoinError) -> bool = JoinError::is_panic;
    let _: fn(JoinError) -> Box<dyn Any + Send + 'static> = JoinError::into_panic;
    let _: fn(JoinError) -> Result<Box<dyn Any + Send + 'static>, JoinError> =
        JoinError::try_into_panic;
    let _: fn(&JoinError) -> Id = JoinError::id;
    let _: fn() -> Id = task::id;
    let _: fn() -> Option<Id> = task::try_id;

    let _: fn() -> JoinSet<u8> = JoinSet::new;
    let _: fn(&JoinSet<u8>) -> usize = JoinSet::len;
    let _: fn(&JoinSet<u8>) -> bool = JoinSet::is_empty;
    let _: fn(&mut JoinSet<u8>) -> Option<Joined<u8>> = JoinSet::try_join_next;
    let _: fn(&mut JoinSet<u8>) -> Option<Joined<(Id, u8)>> = JoinSet::try_join_next_with_id;
    let _: fn(&mut JoinSet<u8>) = JoinSet::abort_all;
    let _: fn(&mut JoinSet<u8>) = JoinSet::detach_all;
    let _: for<'a, 'b, 'c> fn(&'a mut JoinSet<u8>, &'b mut Context<'c>) -> Poll<Option<Joined<u8>>> =
        JoinSet::poll_join_next;
    let _: for<'a, 'b, 'c> fn(
        &'a mut JoinSet<u8>,
        &'b mut Context<'c>,
    ) -> Poll<Option<Joined<(Id, u8)>>> = JoinSet::poll_join_next_with_id;
    let _: fn(&LocalSet) -> task::LocalEnterGuard = LocalSet::enter;

    let _: fn(Duration) -> Sleep = time::sleep;
    let _: fn(Instant) -> Sleep = time::sleep_until;
    let _: fn(&Sleep) -> Instant = Sleep::deadline;
    let _: fn(&Sleep) -> bool = Sleep::is_elapsed;
    let _: fn(Pin<&mut Sleep>, Instant) = Sleep::reset;
    let _: fn(&Timeout<Sleep>) -> &Sleep = Timeout::get_ref;
    let _: fn(Duration) -> Interval = time::interval;
    let _: fn(Instant, Duration) -> Interval = time::interval_at;
    let _: fn(&mut Interval) = Interval::reset;
    let _: fn(&mut Interval) = Interval::reset_immediately;
    let _: fn(&mut Interval, Duration) = Interval::reset_after;
    let _: fn(&mut Interval, Instant) = Interval::reset_at;
    let _: fn(&Interval) -> MissedTickBehavior = Interval::missed_tick_behavior;
    let _: fn(&mut Interval, MissedTickBehavior) = Interval::set_missed_tick_behavior;
    let _: fn(&Interval) -> Duration = Interval::period;
    let _: for<'a, 'b, 'c> fn(&'a mut Interval, &'b mut Context<'c>) -> Poll<Instant> =
        Interval::poll_tick;

    let _: fn() -> Instant = Instant::now;
    let _: fn(&Instant, Instant) -> Duration = Instant::duration_since;
    let _: fn(&Instant, Instant) -> Option<Duration> = Instant::checked_duration_since;
    let _: fn(&Instant, Instant) -> Duration = Instant::saturating_duration_since;
    let _: fn(&Instant) -> Duration = Instant::elapsed;
    let _: fn(&Instant, Duration) -> Option<Instant> = Instant::checked_add;
    let _: fn(&Instant, Duration) -> Option<Instant> = Instant::checked_sub;
}

// ---- Behaviour ----------------------------------------------------------------------------

/// What happened, in order.
#[derive(Clone)]
struct Log {
    began: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    fn new() -> Log {
        Log { began: Instant::now(), lines: Arc::default() }
    }

    fn note(&self, what: impl Display) {
        let at = self.began.elapsed().as_millis();
        self.lines.lock().unwrap().push(format!("{at} ms: {what}"));
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Notes that it is dropped.
struct Dropped(Log, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note(format!("{} is dropped", self.1));
    }
}

/// To be run as a task; the second part in a `LocalSet` as well. Panics of tasks are their own.
async fn observe() -> Vec<String> {
    let log = Log::new();
    spawned_tasks_run_in_order(&log).await;
    woken_tasks_run_in_order(&log).await;
    timers(&log).await;
    intervals(&log).await;
    handles(&log).await;
    sets(&log).await;
    blocking(&log).await;
    selects(&log).await;
    let lines = log.lines.lock().unwrap();
    lines.clone()
}

async fn spawned_tasks_run_in_order(log: &Log) {
    log.note("spawned tasks");
    let mut handles = Vec::new();
    for number in 0..4 {
        let log = log.clone();
        handles.push(spawn(async move {
            log.note(format!("{number} begins"));
            let inner = {
                let log = log.clone();
                spawn(async move { log.note(format!("the child of {number}")) })
            };
            if number % 2 == 0 {
                inner.await.unwrap();
                log.note(format!("{number} has waited for its child"));
            }
            log.note(format!("{number} ends"));
        }));
    }
    log.note("all are spawned");
    for handle in handles {
        handle.await.unwrap();
    }
    log.note("all have ended");
}

async fn woken_tasks_run_in_order(log: &Log) {
    log.note("woken tasks");
    // Three wait for one notification each, and are woken last first.
    let notifies: Vec<Arc<Notify>> = (0..3).map(|_| Arc::default()).collect();
    let mut set = JoinSet::new();
    for (number, notify) in notifies.iter().cloned().enumerate() {
        let log = log.clone();
        set.spawn(async move {
            notify.notified().await;
            log.note(format!("{number} is woken"));
        });
    }
    task::yield_now().await;
    for notify in notifies.iter().rev() {
        notify.notify_one();
    }
    log.note("all are notified");
    while set.join_next().await.is_some() {}
    // A producer and two consumers.
    let (sender, receiver) = mpsc::channel::<u32>(2);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    for consumer in ["a", "b"] {
        let (log, receiver) = (log.clone(), receiver.clone());
        set.spawn(async move {
            loop {
                let next = receiver.lock().await.recv().await;
                let Some(number) = next else { break };
                log.note(format!("{consumer} gets {number}"));
                // Of no length it would be over at once with tokio's paused clock, and only with that.
                time::sleep(ms(u64::from(number) + 1)).await;
            }
        });
    }
    for number in 0..6 {
        sender.send(number).await.unwrap();
        log.note(format!("{number} is sent"));
    }
    drop(sender);
    while set.join_next().await.is_some() {}
    log.note("both have ended");
}

async fn timers(log: &Log) {
    log.note("timers");
    let mut set = JoinSet::new();
    for (name, after) in [("a", 20), ("b", 10), ("c", 20), ("d", 10), ("e", 5), ("f", 15)] {
        let log = log.clone();
        set.spawn(async move {
            time::sleep(ms(after)).await;
            log.note(format!("{name} after {after}"));
        });
    }
    while set.join_next().await.is_some() {}

    let began = Instant::now();
    let mut sleep = pin!(time::sleep(ms(10)));
    log.note(format!("deadline {:?}", sleep.deadline() - began));
    log.note(format!("before it is polled {}", sleep.is_elapsed()));
    time::sleep(ms(20)).await;
    log.note(format!("never polled, and late {}", sleep.is_elapsed()));
    sleep.as_mut().reset(Instant::now() + ms(5));
    log.note(format!("reset {}", sleep.is_elapsed()));
    sleep.as_mut().await;
    log.note(format!("over {}", sleep.is_elapsed()));
    sleep.as_mut().reset(began + ms(100));
    log.note(format!("reset again {} {:?}", sleep.is_elapsed(), sleep.deadline() - began));
    let limited = time::timeout(ms(10), sleep.as_mut()).await;
    log.note(format!("timeout {limited:?} {}", sleep.is_elapsed()));
    sleep.as_mut().await;
    log.note(format!("over again {}", sleep.is_elapsed()));
    // Polled by somebody, and due together with others.
    let polled = time::timeout(ms(5), sleep.as_mut()).await;
    log.note(format!("over for ever {polled:?}"));

    let elapsed = time::timeout_at(began, std::future::pending::<()>()).await.unwrap_err();
    log.note(format!("{elapsed} {elapsed:?}"));
    log.note(format!("{:?}", io::Error::from(elapsed).kind()));
    log.note(format!("{:?}", time::timeout(Duration::ZERO, async { 7 }).await));

    let (early, late) = (began, began + ms(3));
    log.note(format!("{:?} {:?}", late.duration_since(early), early.duration_since(late)));
    log.note(format!("{:?}", late.saturating_duration_since(early)));
    log.note(format!("{:?}", early.saturating_duration_since(late)));
    log.note(format!("{:?}", early.checked_duration_since(late)));
    log.note(format!("{:?}", early.checked_add(ms(3)) == Some(late)));
    log.note(format!("{:?}", late.checked_sub(ms(3)) == Some(early)));
    log.note(format!("{:?} {:?}", late - early, late - ms(3) == early));
}

async fn intervals(log: &Log) {
    for behavior in
        [MissedTickBehavior::Burst, MissedTickBehavior::Delay, MissedTickBehavior::Skip]
    {
        log.note(format!("{behavior:?}"));
        let began = Instant::now();
        let mut interval = time::interval(ms(50));
        interval.set_missed_tick_behavior(behavior);
        log.note(format!("{:?} {:?}", interval.period(), interval.missed_tick_behavior()));
        // On time, just not late, just late, late by more than one, by exactly two, and very late.
        for work in [0, 0, 5, 0, 6, 0, 50, 51, 55, 56, 57, 0, 150, 0, 0, 470, 0, 0, 0, 3, 52, 0] {
            let due = interval.tick().await;
            log.note(format!("due {:?}", due - began));
            time::sleep(ms(work)).await;
        }
        interval.reset();
        log.note(format!("reset {:?}", interval.tick().await - began));
        interval.reset_immediately();
        log.note(format!("at once {:?}", interval.tick().await - began));
        log.note(format!("then {:?}", interval.tick().await - began));
        interval.reset_after(ms(7));
        log.note(format!("after {:?}", interval.tick().await - began));
        interval.reset_at(Instant::now() + ms(9));
        log.note(format!("at {:?}", interval.tick().await - began));
        interval.reset_at(Instant::now() - ms(120));
        log.note(format!("in the past {:?}", interval.tick().await - began));
        log.note(format!("then {:?}", interval.tick().await - began));
        log.note(format!("then {:?}", interval.tick().await - began));
    }
    let began = Instant::now();
    let mut interval = time::interval_at(began + ms(30), ms(10));
    let dropped = time::timeout(ms(20), interval.tick()).await;
    log.note(format!("dropped {}", dropped.is_err()));
    log.note(format!("not lost {:?}", interval.tick().await - began));
}

async fn handles(log: &Log) {
    log.note("handles");
    let handle = {
        let log = log.clone();
        spawn(async move {
            let _guard = Dropped(log.clone(), "the aborted one");
            time::sleep(ms(1_000)).await;
        })
    };
    let abort = handle.abort_handle();
    task::yield_now().await;
    log.note(format!("{} {}", handle.is_finished(), abort.is_finished()));
    abort.abort();
    log.note(format!("{} {}", handle.is_finished(), abort.is_finished()));
    let id = handle.id();
    let error = handle.await.unwrap_err();
    log.note(format!("{} {}", error.is_cancelled(), error.is_panic()));
    log.note(format!("{} {}", abort.is_finished(), error.id() == id && abort.id() == id));
    log.note(error.to_string().replace(&id.to_string(), "ID"));
    log.note(format!("{}", format!("{error:?}").starts_with("JoinError::Cancelled(Id(")));
    log.note(error.try_into_panic().is_err());

    let ended = spawn(async { task::id() });
    let id = ended.id();
    task::yield_now().await;
    ended.abort();
    log.note(format!("ended before the abort {}", ended.await.unwrap() == id));
    let never_begun = {
        let log = log.clone();
        spawn(async move { log.note("never") })
    };
    never_begun.abort();
    log.note(format!("{}", never_begun.await.unwrap_err().is_cancelled()));

    let panics = spawn(async { panic!("on {}", "purpose") });
    let id = panics.id();
    let error: JoinError = panics.await.unwrap_err();
    log.note(format!("{} {}", error.is_cancelled(), error.is_panic()));
    log.note(error.to_string().replace(&id.to_string(), "ID"));
    log.note(io::Error::from(spawn(async { panic!("x") }).await.unwrap_err()));
    let payload = error.into_panic();
    log.note(format!("{:?}", payload.downcast_ref::<String>()));
    let panics = spawn(async { std::panic::panic_any(7_u8) });
    let error: JoinError = panics.await.unwrap_err();
    log.note(error.to_string().replace(&error.id().to_string(), "ID"));
    log.note(format!("{:?}", error.into_panic().downcast_ref::<u8>()));

    // A panic while the task is dropped.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let bomb = spawn(async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
    });
    task::yield_now().await;
    bomb.abort();
    log.note(format!("{}", bomb.await.unwrap_err().is_panic()));
}

async fn sets(log: &Log) {
    log.note("sets");
    let mut set = JoinSet::new();
    log.note(format!("{:?} {:?}", set.join_next().await, set.try_join_next()));
    for after in [30, 10, 20, 10, 5, 30] {
        set.spawn(async move {
            time::sleep(ms(after)).await;
            after
        });
    }
    log.note(format!("{} {:?}", set.len(), set));
    while let Some(joined) = set.join_next().await {
        log.note(format!("{joined:?}"));
    }
    log.note(set.is_empty());

    // All end before the set is asked: in which order they ended counts.
    let aborts: Vec<AbortHandle> = (0..5_u64)
        .map(|number| {
            set.spawn(async move {
                time::sleep(ms(10 - 2 * number)).await;
                number
            })
        })
        .collect();
    aborts[1].abort();
    time::sleep(ms(20)).await;
    log.note(format!("{}", aborts.iter().all(AbortHandle::is_finished)));
    while let Some(joined) = set.try_join_next_with_id() {
        match joined {
            Ok((id, number)) => {
                log.note(format!("{number} {}", aborts[number as usize].id() == id));
            }
            Err(error) => log.note(format!("{} {}", error.is_cancelled(), error.id() == aborts[1].id())),
        }
    }

    // Some have ended, some never do.
    for number in 0..4_u64 {
        set.spawn(async move {
            if number % 2 == 0 {
                std::future::pending::<()>().await;
            }
            number
        });
    }
    task::yield_now().await;
    set.abort_all();
    while let Some(joined) = set.join_next().await {
        log.note(format!("{:?}", joined.map_err(|error| error.is_cancelled())));
    }

    // A set that is dropped, one that is shut down, and one that lets its tasks run on.
    {
        let mut set = JoinSet::new();
        let guard = Dropped(log.clone(), "that of a dropped set");
        set.spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        task::yield_now().await;
    }
    log.note("the set was dropped");
    task::yield_now().await;
    let guard = Dropped(log.clone(), "that of a set that is shut down");
    let mut set = JoinSet::new();
    set.spawn(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    task::yield_now().await;
    set.shutdown().await;
    log.note(format!("shut down {}", set.len()));
    let detached = log.clone();
    set.spawn(async move {
        time::sleep(ms(1)).await;
        detached.note("runs on");
    });
    set.detach_all();
    drop(set);
    time::sleep(ms(5)).await;

    let all: JoinSet<u64> = [3, 1, 2]
        .into_iter()
        .map(|after| async move {
            time::sleep(ms(after)).await;
            after
        })
        .collect();
    log.note(format!("{:?}", all.join_all().await));
    let mut set = JoinSet::new();
    set.extend([std::future::ready(1), std::future::ready(2)]);
    log.note(format!("{:?}", set.join_next_with_id().await.unwrap().unwrap().1));
    // What is dropped while it waits loses nothing.
    log.note(format!("{:?}", time::timeout(ms(1), set.join_next()).await.is_ok()));
    set.spawn(async {
        time::sleep(ms(10)).await;
        3
    });
    log.note(format!("{:?}", time::timeout(ms(1), set.join_next()).await.is_ok()));
    log.note(format!("{:?}", set.join_next().await.unwrap().ok()));
    let joined = spawn(async {
        let mut set = JoinSet::new();
        set.spawn(async { panic!("of one") });
        let _: Vec<()> = set.join_all().await;
    });
    let payload = joined.await.unwrap_err().into_panic();
    log.note(format!("{:?}", payload.downcast_ref::<&str>()));
}

async fn blocking(log: &Log) {
    log.note("blocking");
    log.note(format!("{:?}", task::spawn_blocking(|| 7).await.unwrap()));
    let error = task::spawn_blocking(|| panic!("blocked")).await.unwrap_err();
    log.note(format!("{:?}", error.into_panic().downcast_ref::<&str>()));
    let mut set = JoinSet::new();
    set.spawn_blocking(|| "in a set");
    log.note(format!("{:?}", set.join_next().await.unwrap().ok()));
}

async fn selects(log: &Log) {
    log.note("selects");
    let (sender, mut receiver) = oneshot::channel::<u8>();
    let mut sender = Some(sender);
    let mut interval = time::interval(ms(10));
    let mut ticks = 0;
    let received = loop {
        select! {
            biased;
            received = &mut receiver => break received,
            due = interval.tick(), if ticks < 3 => {
                ticks += 1;
                log.note(format!("tick {:?}", due <= Instant::now()));
            }
            () = time::sleep(ms(100)) => {
                sender.take().map(|sender| sender.send(5));
            }
        }
    };
    log.note(format!("{received:?}"));
    let first = Dropped(log.clone(), "the first");
    let second = Dropped(log.clone(), "the second");
    select! {
        biased;
        () = async { let _first = first; std::future::pending().await } => {}
        () = async { let _second = second; time::sleep(ms(1)).await } => log.note("the handler"),
    }
    let out = select! {
        biased;
        Some(number) = async { None::<u8> } => number,
        Ok(mut number) = async { Ok::<u8, ()>(1) } => { number += 1; number }
        else => 9,
    };
    log.note(out);
}

/// To be run where futures need not be `Send`.
async fn observe_local() -> Vec<String> {
    let log = Log::new();
    log.note("local sets");
    let set = LocalSet::new();
    for name in ["a", "b"] {
        let log = log.clone();
        set.spawn_local(async move {
            log.note(format!("{name} begins"));
            let inner = log.clone();
            task::spawn_local(async move { inner.note(format!("the child of {name}")) });
            time::sleep(ms(10)).await;
            log.note(format!("{name} ends"));
        });
    }
    time::sleep(ms(5)).await;
    log.note("nothing has run");
    let early = set.run_until(async {
        log.note("runs");
        time::sleep(ms(4)).await;
        "early"
    });
    log.note(early.await);
    time::sleep(ms(50)).await;
    log.note("nothing has ended");
    set.await;
    log.note("all have ended");

    let set = LocalSet::new();
    let guard = Dropped(log.clone(), "that of a dropped set");
    let begun = set.spawn_local(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    let not_begun = set.spawn_local(async {});
    let ended = set.spawn_local(async { 7 });
    set.run_until(task::yield_now()).await;
    let never_begun = set.spawn_local(async {});
    drop(set);
    log.note("the set was dropped");
    log.note(format!("{:?}", begun.await.map_err(|error| error.is_cancelled())));
    log.note(format!("{:?}", not_begun.await.map_err(|error| error.is_cancelled())));
    log.note(format!("{:?}", ended.await.map_err(|error| error.is_cancelled())));
    log.note(format!("{:?}", never_begun.await.map_err(|error| error.is_cancelled())));

    // More than the 61 that run in one poll.
    let set = LocalSet::new();
    let mut joined = JoinSet::new();
    for number in 0..200_u64 {
        joined.spawn_local_on(
            async move {
                time::sleep(ms(number % 3 + 1)).await;
                number
            },
            &set,
        );
    }
    let order = set.run_until(async {
        let mut order = Vec::new();
        while let Some(number) = joined.join_next().await {
            order.push(number.unwrap());
        }
        order
    });
    log.note(format!("{:?}", order.await));
    let result = AssertUnwindSafe(set.run_until(task::spawn_local(async { "spawned within" }))).0;
    log.note(format!("{:?}", result.await.ok()));
    let lines = log.lines.lock().unwrap();
    lines.clone()
}
