//! What a world can be told about its tasks: whose a panic is, and who goes first. And its date.
#![allow(clippy::disallowed_methods, reason = "threads are what is tested")]

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use crate::common::ms;
use glassnet::net::UdpSocket;
use glassnet::task::{self, JoinSet, LocalSet, yield_now};
use glassnet::time::{SystemTime, UNIX_EPOCH, sleep};
use glassnet::{Schedule, Sim, spawn};

// ---- Panics -------------------------------------------------------------------------------

fn with_isolated_panics<F>(main: F) -> Sim
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(1);
    sim.isolate_panics(true);
    sim.client("client", main);
    sim
}

async fn one_panics_beside_another() -> glassnet::Result {
    let panics = spawn(async {
        sleep(ms(1)).await;
        panic!("on purpose");
    });
    let other = spawn(async {
        sleep(ms(2)).await;
        7
    });
    let error: task::JoinError = panics.await.unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "on purpose");
    assert_eq!(other.await?, 7);
    Ok(())
}

#[test]
fn a_panic_is_the_tasks_own_where_that_is_asked_for() -> glassnet::Result {
    with_isolated_panics(one_panics_beside_another()).run()
}

#[test]
#[should_panic(expected = "on purpose")]
fn elsewhere_it_ends_the_run() {
    let mut sim = Sim::new(1);
    sim.client("client", one_panics_beside_another());
    let _ = sim.run();
}

#[test]
#[should_panic(expected = "of main")]
fn a_panic_of_main_ends_the_run_everywhere() {
    let _ = with_isolated_panics(async { panic!("of main") }).run();
}

async fn nobody_takes_a_panic() -> glassnet::Result {
    drop(spawn(async { panic!("unseen") }));
    sleep(ms(1)).await;
    Ok(())
}

#[test]
fn a_panic_that_nobody_takes_is_a_lost_error() {
    with_isolated_panics(nobody_takes_a_panic()).run().unwrap();
    let mut strict = with_isolated_panics(nobody_takes_a_panic());
    let error = strict.strict(true).run().unwrap_err().to_string();
    assert!(error.contains("panicked with message \"unseen\""), "{error}");
    assert!(error.contains("returned an error that nobody took"), "{error}");
}

#[test]
fn what_a_panicking_task_held_is_dropped_and_its_sockets_are_closed() -> glassnet::Result {
    with_isolated_panics(async {
        let panics = spawn(async {
            let _socket = UdpSocket::bind("0.0.0.0:9").await.unwrap();
            panic!("with a socket");
        });
        assert!(panics.await.unwrap_err().is_panic());
        UdpSocket::bind("0.0.0.0:9").await?;
        // In a set of tasks within a task, too.
        let set = LocalSet::new();
        let panics = set.spawn_local(async { panic!("in a set") });
        let joined = set.run_until(panics).await;
        assert!(joined.unwrap_err().is_panic());
        Ok(())
    })
    .run()
}

#[test]
fn a_report_after_a_panic_that_was_taken_does_not_blame_it() {
    let mut sim = with_isolated_panics(async {
        assert!(spawn(async { panic!("taken") }).await.is_err());
        pending().await
    });
    let error = sim.run().unwrap_err().to_string();
    assert!(error.contains("deadlock"), "{error}");
    assert!(!error.contains("panicked") && !error.contains("errors of tasks"), "{error}");
}

// ---- Order --------------------------------------------------------------------------------

/// In which order eight tasks of two hosts come, in all ways to become ready.
async fn order_of_eight(log: Rc<RefCell<Vec<u32>>>, first: u32) -> glassnet::Result {
    let mut set = JoinSet::new();
    for number in first..first + 4 {
        let log = log.clone();
        set.spawn(async move {
            log.borrow_mut().push(number);
            yield_now().await;
            log.borrow_mut().push(100 + number);
            sleep(ms(10)).await;
            log.borrow_mut().push(200 + number);
        });
    }
    while set.join_next().await.is_some() {}
    let local = LocalSet::new();
    for number in first..first + 4 {
        let log = log.clone();
        local.spawn_local(async move { log.borrow_mut().push(300 + number) });
    }
    local.await;
    Ok(())
}

fn order(seed: u64, schedule: Schedule) -> Vec<u32> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let mut sim = Sim::new(seed);
    sim.schedule(schedule);
    sim.client("a", order_of_eight(log.clone(), 0));
    sim.client("b", order_of_eight(log.clone(), 4));
    sim.run().unwrap();
    log.take()
}

#[test]
fn tasks_come_first_come_first_served_unless_told_otherwise() {
    let number = |hundreds: u32| (0..8).map(move |number| 100 * hundreds + number);
    // A timer fires alone, and what becomes ready by it comes before the next one fires.
    let timers = (200..204).chain(300..304).chain(204..208).chain(304..308);
    let expected: Vec<u32> = number(0).chain(number(1)).chain(timers).collect();
    assert_eq!(order(7, Schedule::Fifo), expected);
    assert_eq!(order(8, Schedule::default()), order(7, Schedule::Fifo));
}

#[test]
fn in_random_order_each_seed_has_its_own_and_everything_is_mixed() {
    let one = order(7, Schedule::Random);
    assert_eq!(order(7, Schedule::Random), one);
    let mut orders: Vec<Vec<u32>> = (0..20).map(|seed| order(seed, Schedule::Random)).collect();
    orders.iter().for_each(|order| assert_eq!(order.len(), one.len()));
    // First polls, turns after a yield, timers that are due together, and tasks of a set.
    for hundreds in 0..4 {
        let mixed = |order: &&Vec<u32>| {
            let of: Vec<u32> =
                order.iter().copied().filter(|number| number / 100 == hundreds).collect();
            of.windows(2).any(|pair| pair[0] > pair[1])
        };
        let count = orders.iter().filter(mixed).count();
        assert!(count > 10, "{hundreds}00: {count} of 20");
    }
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 20);
}

#[test]
fn random_order_moves_no_other_stream() {
    // What the link loses, and what applications draw.
    let run = |schedule: Schedule| {
        let drawn = Rc::new(RefCell::new(Vec::new()));
        let mut sim = Sim::new(7);
        sim.schedule(schedule);
        sim.link("sender", "receiver").loss(0.5);
        let received = drawn.clone();
        sim.host("receiver", move || {
            let received = received.clone();
            async move {
                let socket = UdpSocket::bind("0.0.0.0:9").await?;
                loop {
                    let mut number = [0];
                    socket.recv_from(&mut number).await?;
                    received.borrow_mut().push(u64::from(number[0]));
                }
            }
        });
        let draws = drawn.clone();
        sim.client("sender", async move {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            for number in 0..50 {
                socket.send_to(&[number], "receiver:9").await?;
                sleep(ms(10)).await;
            }
            draws.borrow_mut().push(glassnet::rng().next_u64());
            Ok(())
        });
        sim.run().unwrap();
        drawn.take()
    };
    assert_eq!(run(Schedule::Fifo), run(Schedule::Random));
}

/// A race that a fixed order hides: whoever comes second is refused.
#[test]
fn random_order_finds_what_is_right_in_one_order_only() {
    let passes = |seed: u64, schedule: Schedule| {
        let mut sim = Sim::new(seed);
        sim.schedule(schedule);
        sim.client("client", async {
            let (told, heard) = (Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
            let (tells, hears) = (told.clone(), told);
            let writes = spawn(async move {
                sleep(ms(5)).await;
                tells.borrow_mut().replace("told");
            });
            let result = heard.clone();
            let reads = spawn(async move {
                sleep(ms(5)).await;
                *result.borrow_mut() = *hears.borrow();
            });
            writes.await?;
            reads.await?;
            heard.borrow().map(|_| ()).ok_or_else(|| "read before it was written".into())
        });
        sim.run().is_ok()
    };
    assert!((0..20).all(|seed| passes(seed, Schedule::Fifo)));
    let count = (0..20).filter(|seed| passes(*seed, Schedule::Random)).count();
    assert!((4..=16).contains(&count), "{count} of 20 pass");
}

// ---- Numbers, sets of tasks, blocking calls -------------------------------------------------

#[test]
fn tasks_are_numbered_as_they_are_spawned_and_a_seed_numbers_them_alike() -> glassnet::Result {
    for _ in 0..2 {
        let mut sim = Sim::new(1);
        sim.client("client", async {
            assert_eq!(task::id().to_string(), "1");
            let handles = [spawn(async { task::id() }), spawn(async { task::id() })];
            for (handle, number) in handles.into_iter().zip(["2", "3"]) {
                let id = handle.id();
                assert_eq!(id.to_string(), number);
                assert_eq!(handle.await?, id);
            }
            Ok(())
        });
        sim.run()?;
    }
    assert!(task::try_id().is_none());
    Ok(())
}

#[test]
fn a_set_whose_tasks_spawn_while_they_are_dropped_comes_to_an_end() -> glassnet::Result {
    struct SpawnsInDrop;
    impl Drop for SpawnsInDrop {
        fn drop(&mut self) {
            let again = SpawnsInDrop;
            drop(task::spawn_local(async move {
                let _again = again;
                pending::<()>().await;
            }));
        }
    }
    let mut sim = Sim::new(1);
    sim.client("client", async {
        let set = LocalSet::new();
        let first = SpawnsInDrop;
        let handle = set.spawn_local(async move {
            let _first = first;
            pending::<()>().await;
        });
        set.run_until(yield_now()).await;
        drop(set);
        assert!(handle.await.unwrap_err().is_cancelled());
        Ok(())
    });
    sim.run()
}

#[test]
fn a_set_ends_with_its_host() -> glassnet::Result {
    struct Noted(Rc<RefCell<u32>>);
    impl Drop for Noted {
        fn drop(&mut self) {
            *self.0.borrow_mut() += 1;
        }
    }
    let dropped = Rc::new(RefCell::new(0));
    let noted = dropped.clone();
    let mut sim = Sim::new(1);
    sim.host("host", move || {
        let noted = Noted(noted.clone());
        async move {
            let set = LocalSet::new();
            drop(set.spawn_local(async move {
                let _noted = noted;
                pending::<()>().await;
            }));
            set.await;
            Ok(())
        }
    });
    sim.run_for(ms(1))?;
    assert_eq!(*dropped.borrow(), 0);
    sim.crash("host");
    assert_eq!(*dropped.borrow(), 1);
    sim.run_for(ms(1))
}

#[test]
fn the_report_names_what_the_tasks_of_sets_wait_for() {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        let mut joined = JoinSet::new();
        joined.spawn(async {
            let set = LocalSet::new();
            set.spawn_local(pending::<()>());
            set.await;
        });
        joined.join_next().await;
        Ok(())
    });
    let error = sim.run().unwrap_err().to_string();
    assert!(error.contains("for the end of the task spawned at"), "{error}");
    assert_eq!(error.matches("  client: ").count(), 3, "{error}");
}

#[test]
fn a_function_that_blocks_takes_no_time_and_belongs_to_its_host() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        let before = glassnet::time::Instant::now();
        let blocked = task::spawn_blocking(|| {
            std::thread::sleep(ms(20));
            glassnet::rng().next_u64();
            glassnet::time::Instant::now()
        });
        assert_eq!(blocked.await?, before);
        let aborted = task::spawn_blocking(|| panic!("never begun"));
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        Ok(())
    });
    sim.run()
}

// ---- The date -----------------------------------------------------------------------------

#[test]
fn a_world_has_a_date_that_goes_on_as_its_clock_does() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        let began = SystemTime::now();
        assert_eq!(began.duration_since(UNIX_EPOCH)?, Duration::from_secs(946_684_800));
        sleep(Duration::new(1_000, 1)).await;
        assert_eq!(began.elapsed()?, Duration::new(1_000, 1));
        let now = SystemTime::now();
        assert_eq!(began.duration_since(now).unwrap_err().duration(), Duration::new(1_000, 1));
        assert_eq!(now.checked_sub(Duration::new(1_000, 1)), Some(began));
        assert_eq!(began + Duration::new(1_000, 1), now);
        let of_std: std::time::SystemTime = now.into();
        assert_eq!(SystemTime::from(of_std), now);
        assert!(began < now && began > SystemTime::UNIX_EPOCH);
        Ok(())
    });
    sim.run()
}

#[test]
#[should_panic(expected = "SystemTime::now() needs the clock of a world")]
fn outside_a_world_there_is_no_date() {
    let _ = SystemTime::now();
}
