//! Virtual time, and tasks that belong to their hosts.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpStream};
use glassnet::task::{JoinHandle, yield_now};
use glassnet::time::{Instant, interval, interval_at, sleep, sleep_until, timeout, timeout_at};
use glassnet::{Sim, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NANOSECOND: Duration = Duration::from_nanos(1);

/// Notes when it is dropped.
struct Guard(Log<Duration>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.note(now());
    }
}

// ---- Time --------------------------------------------------------------------------------------

#[test]
fn time_begins_at_zero_and_stands_still_while_code_runs() -> glassnet::Result {
    alone(async {
        let began = Instant::now();
        assert_eq!(began.since_start(), Duration::ZERO);
        let sum: u64 = (0..1_000_000).sum();
        assert!(sum > 0);
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        Ok(())
    })
}

#[test]
fn a_sleep_takes_exactly_as_long_as_it_says() -> glassnet::Result {
    alone(async {
        for nanoseconds in [0, 1, 2, 999, 1_000_001, 86_400_000_000_123] {
            let began = Instant::now();
            sleep(Duration::from_nanos(nanoseconds)).await;
            assert_eq!(began.elapsed(), Duration::from_nanos(nanoseconds));
        }
        Ok(())
    })
}

#[test]
fn a_sleep_until_a_moment_that_has_passed_is_over_at_once() -> glassnet::Result {
    alone(async {
        sleep(secs(5)).await;
        sleep_until(Instant::now() - secs(1)).await;
        sleep_until(Instant::now()).await;
        assert_eq!(now(), secs(5));
        sleep_until(Instant::now() + NANOSECOND).await;
        assert_eq!(now(), secs(5) + NANOSECOND);
        Ok(())
    })
}

#[test]
fn a_sleep_counts_from_its_call_and_not_from_its_first_poll() -> glassnet::Result {
    alone(async {
        let early = sleep(secs(10));
        let limit = timeout(secs(3), pending::<()>());
        sleep(secs(2)).await;
        assert!(limit.await.is_err());
        assert_eq!(now(), secs(3));
        early.await;
        assert_eq!(now(), secs(10));
        Ok(())
    })
}

#[test]
fn timers_fire_in_order_of_time_and_then_of_being_set() -> glassnet::Result {
    let order = Log::new();
    let note = order.clone();
    alone(async move {
        let mut tasks = Vec::new();
        for (name, wait) in [("a", 5), ("b", 3), ("c", 5), ("d", 3), ("e", 1), ("f", 5)] {
            let note = note.clone();
            tasks.push(spawn(async move {
                sleep(Duration::from_nanos(wait)).await;
                note.note(name);
            }));
        }
        for task in tasks {
            task.await?;
        }
        Ok(())
    })?;
    assert_eq!(order.all(), ["e", "b", "d", "a", "c", "f"]);
    Ok(())
}

#[test]
fn hosts_timers_that_are_due_together_fire_in_the_order_they_were_set() -> glassnet::Result {
    let order = Log::new();
    let mut sim = Sim::new(1);
    for name in ["one", "two", "three"] {
        let note = order.clone();
        sim.client(name, async move {
            for round in 0..3 {
                sleep(secs(1)).await;
                note.note((round, name));
            }
            Ok(())
        });
    }
    sim.run()?;
    let expected: Vec<_> =
        (0..3).flat_map(|round| ["one", "two", "three"].map(|name| (round, name))).collect();
    assert_eq!(order.all(), expected);
    Ok(())
}

#[test]
fn a_timeout_ends_what_takes_too_long_and_nothing_else() -> glassnet::Result {
    alone(async {
        assert_eq!(timeout(secs(2), async { 7 }).await, Ok(7));
        let in_time = timeout(secs(2), sleep(secs(1))).await;
        assert!(in_time.is_ok());
        assert_eq!(now(), secs(1));
        assert!(timeout(secs(2), pending::<()>()).await.is_err());
        assert_eq!(now(), secs(3));
        // Both are due at once: the future goes first, as in tokio.
        assert!(timeout(secs(1), sleep(secs(1))).await.is_ok());
        assert!(timeout_at(Instant::now() + secs(1), pending::<()>()).await.is_err());
        assert_eq!(now(), secs(5));
        assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
        assert!(timeout(Duration::MAX, async {}).await.is_ok());
        Ok(())
    })
}

#[test]
fn a_timeout_drops_the_future_that_took_too_long_when_it_is_dropped_itself() -> glassnet::Result {
    let dropped = Log::new();
    let note = dropped.clone();
    alone(async move {
        let guard = Guard(note);
        let slow = async move {
            let _guard = guard;
            pending::<()>().await;
        };
        assert!(timeout(secs(1), slow).await.is_err());
        sleep(secs(1)).await;
        Ok(())
    })?;
    assert_eq!(dropped.all(), [secs(1)]);
    Ok(())
}

#[test]
fn a_dropped_sleep_leaves_no_timer_behind() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("alone", async {
        for _ in 0..100 {
            let _ = timeout(secs(1_000), async {}).await;
            assert!(timeout(NANOSECOND, sleep(secs(1_000))).await.is_err());
        }
        Ok(())
    });
    sim.run()?;
    sim.run_for(secs(10_000))?;
    assert!(sim.events() < 150, "{} events", sim.events());
    Ok(())
}

#[test]
fn a_sleep_can_be_reset() -> glassnet::Result {
    alone(async {
        let mut later = Box::pin(sleep(secs(100)));
        assert!(timeout(secs(1), &mut later).await.is_err());
        later.as_mut().reset(Instant::now() + secs(2));
        assert_eq!(later.deadline(), Instant::now() + secs(2));
        later.await;
        assert_eq!(now(), secs(3));
        Ok(())
    })
}

#[test]
fn an_interval_ticks_at_once_and_then_every_period() -> glassnet::Result {
    alone(async {
        let mut every = interval(ms(10));
        assert_eq!(every.period(), ms(10));
        for tick in 0..5 {
            assert_eq!(every.tick().await.since_start(), ms(10) * tick);
            assert_eq!(now(), ms(10) * tick);
            sleep(ms(3)).await;
        }
        let mut later = interval_at(Instant::now() + secs(1), secs(2));
        let before = now();
        later.tick().await;
        later.tick().await;
        assert_eq!(now() - before, secs(3));
        later.reset();
        later.tick().await;
        assert_eq!(now() - before, secs(5));
        Ok(())
    })
}

#[test]
fn an_interval_catches_up_with_ticks_that_were_missed() -> glassnet::Result {
    alone(async {
        let mut every = interval(ms(10));
        every.tick().await;
        sleep(ms(35)).await;
        let mut due = Vec::new();
        for _ in 0..4 {
            due.push((every.tick().await.since_start(), now()));
        }
        assert_eq!(due, [(ms(10), ms(35)), (ms(20), ms(35)), (ms(30), ms(35)), (ms(40), ms(40))]);
        Ok(())
    })
}

#[test]
fn a_dropped_tick_is_not_lost() -> glassnet::Result {
    alone(async {
        let mut every = interval(ms(10));
        every.tick().await;
        for _ in 0..3 {
            assert!(timeout(ms(2), every.tick()).await.is_err());
        }
        assert_eq!(every.tick().await.since_start(), ms(10));
        Ok(())
    })
}

#[test]
fn instants_are_added_subtracted_and_compared() -> glassnet::Result {
    alone(async {
        sleep(secs(5)).await;
        let five = Instant::now();
        let seven = five + secs(2);
        assert!(seven > five);
        assert_eq!(seven - five, secs(2));
        assert_eq!(five - seven, Duration::ZERO);
        assert_eq!(five.duration_since(seven), Duration::ZERO);
        assert_eq!(five.checked_duration_since(seven), None);
        assert_eq!(five.checked_sub(secs(6)), None);
        assert_eq!(five.checked_add(Duration::MAX), None);
        assert_eq!(five.to_string(), "5.000000000s");
        Ok(())
    })
}

#[test]
fn a_sleep_for_ever_is_not_a_sleep_for_no_time() -> glassnet::Result {
    alone(async {
        assert!(timeout(secs(1_000_000), sleep(Duration::MAX)).await.is_err());
        Ok(())
    })
}

#[test]
fn nothing_ticks_while_nothing_happens() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.time_limit(Duration::MAX);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_u8(1).await?;
        stream.read_u8().await?;
        sleep(secs(10 * 365 * 86_400)).await;
        stream.write_u8(2).await?;
        assert_eq!(stream.read_u8().await?, 2);
        Ok(())
    });
    sim.run()?;
    assert!(sim.events() < 60, "{} events in ten years", sim.events());
    Ok(())
}

// ---- Tasks -------------------------------------------------------------------------------------

#[test]
fn a_spawned_task_runs_beside_its_parent_and_gives_its_result() -> glassnet::Result {
    alone(async {
        let task = spawn(async {
            sleep(secs(3)).await;
            "result"
        });
        assert!(!task.is_finished());
        sleep(secs(1)).await;
        assert_eq!(task.await?, "result");
        assert_eq!(now(), secs(3));
        Ok(())
    })
}

#[test]
fn a_spawned_task_does_not_run_before_its_parent_waits() -> glassnet::Result {
    let order = Log::new();
    let note = order.clone();
    alone(async move {
        let ours = note.clone();
        let task = spawn(async move { ours.note("child") });
        note.note("parent");
        task.await?;
        note.note("parent again");
        Ok(())
    })?;
    assert_eq!(order.all(), ["parent", "child", "parent again"]);
    Ok(())
}

#[test]
fn a_dropped_handle_lets_its_task_run_on() -> glassnet::Result {
    let ended = Log::new();
    let note = ended.clone();
    alone(async move {
        drop(spawn(async move {
            sleep(secs(1)).await;
            note.note(now());
        }));
        sleep(secs(2)).await;
        Ok(())
    })?;
    assert_eq!(ended.all(), [secs(1)]);
    Ok(())
}

#[test]
fn an_aborted_task_is_dropped_at_once_and_says_that_it_was_cancelled() -> glassnet::Result {
    let dropped = Log::new();
    let note = dropped.clone();
    alone(async move {
        let guard = Guard(note.clone());
        let task = spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        sleep(secs(1)).await;
        task.abort();
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled());
        assert!(error.to_string().contains("cancelled"));
        assert_eq!(note.len(), 1);

        let guard = Guard(note.clone());
        let never_polled = spawn(async move {
            drop(guard);
            unreachable!("it was aborted before it could run");
        });
        never_polled.abort_handle().abort();
        assert!(never_polled.await.is_err());
        assert_eq!(note.len(), 2);
        Ok(())
    })?;
    assert_eq!(dropped.all(), [secs(1), secs(1)]);
    Ok(())
}

#[test]
fn an_abort_after_the_end_changes_nothing() -> glassnet::Result {
    alone(async {
        let task = spawn(async { 7 });
        yield_now().await;
        assert!(task.is_finished());
        task.abort();
        assert_eq!(task.await?, 7);
        Ok(())
    })
}

#[test]
fn tasks_that_can_run_take_turns_first_come_first_served() -> glassnet::Result {
    let order = Log::new();
    let note = order.clone();
    alone(async move {
        let tasks: Vec<_> = (0..3)
            .map(|number| {
                let note = note.clone();
                spawn(async move {
                    for round in 0..3 {
                        note.note((round, number));
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await?;
        }
        Ok(())
    })?;
    let expected: Vec<_> =
        (0..3).flat_map(|round| (0..3).map(move |number| (round, number))).collect();
    assert_eq!(order.all(), expected);
    Ok(())
}

/// The address a socket opened here has.
async fn own_address() -> std::io::Result<std::net::IpAddr> {
    let stream = TcpStream::connect("server:7").await?;
    Ok(stream.local_addr()?.ip())
}

#[test]
fn a_task_of_a_task_belongs_to_the_same_host() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    for number in 2..=4u8 {
        sim.client(&format!("client{number}"), async move {
            let own = std::net::IpAddr::from([10, 0, 0, number]);
            let innermost = spawn(async { spawn(async { spawn(own_address()).await }).await });
            assert_eq!(innermost.await????, own);
            Ok(())
        });
    }
    sim.run()
}

#[test]
fn a_task_spawned_by_a_drop_belongs_to_the_host_whose_task_is_dropped() -> glassnet::Result {
    struct SpawnsWhenDropped(Log<std::net::IpAddr>);
    impl Drop for SpawnsWhenDropped {
        fn drop(&mut self) {
            let note = self.0.clone();
            spawn(async move { note.note(own_address().await.unwrap()) });
        }
    }
    let addresses = Log::new();
    let note = addresses.clone();
    let to_abort: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let handle = to_abort.clone();
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("owner", async move {
        let ends_by_itself = SpawnsWhenDropped(note.clone());
        spawn(async move {
            let _guard = ends_by_itself;
            sleep(ms(1)).await;
        });
        let is_aborted = SpawnsWhenDropped(note);
        *handle.borrow_mut() = Some(spawn(async move {
            let _guard = is_aborted;
            pending::<()>().await;
        }));
        sleep(secs(2)).await;
        Ok(())
    });
    sim.client("other", async move {
        sleep(secs(1)).await;
        // From another host: the drop is still the owner's.
        to_abort.borrow().as_ref().unwrap().abort();
        sleep(secs(1)).await;
        Ok(())
    });
    sim.run()?;
    assert_eq!(addresses.all(), [std::net::IpAddr::from([10, 0, 0, 2]); 2]);
    Ok(())
}

#[test]
fn a_task_that_is_awaited_on_another_host_runs_on_its_own() -> glassnet::Result {
    type Handle = JoinHandle<std::io::Result<std::net::IpAddr>>;
    let passed: Rc<RefCell<Option<Handle>>> = Rc::default();
    let handle = passed.clone();
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("owner", async move {
        *handle.borrow_mut() = Some(spawn(async {
            sleep(secs(1)).await;
            own_address().await
        }));
        sleep(secs(2)).await;
        Ok(())
    });
    sim.client("other", async move {
        sleep(ms(1)).await;
        let task = passed.borrow_mut().take().unwrap();
        assert_eq!(task.await??, std::net::IpAddr::from([10, 0, 0, 2]));
        assert_eq!(own_address().await?, std::net::IpAddr::from([10, 0, 0, 3]));
        Ok(())
    });
    sim.run()
}

#[test]
fn spawning_outside_a_world_panics_with_a_hint() {
    let outside = std::panic::catch_unwind(|| drop(spawn(async {})));
    let payload = outside.unwrap_err();
    let text = payload.downcast_ref::<&str>().unwrap();
    assert!(text.contains("world"), "{text}");
    assert!(std::panic::catch_unwind(Instant::now).is_err());
}

// ---- Crashes -----------------------------------------------------------------------------------

/// Notes when it is dropped.
struct Witness(Log<&'static str>, &'static str);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

#[test]
fn a_crash_drops_every_task_of_the_host_and_sends_nothing() -> glassnet::Result {
    let dropped = Log::new();
    let note = dropped.clone();
    let mut sim = Sim::new(1);
    sim.host("server", move || {
        let note = note.clone();
        async move {
            let _main = Witness(note.clone(), "main");
            let listener = TcpListener::bind("0.0.0.0:7").await?;
            let witness = Witness(note.clone(), "spawned");
            spawn(async move {
                let _witness = witness;
                pending::<()>().await;
            });
            let (mut stream, _) = listener.accept().await?;
            // It never reads: a close would send a RST.
            stream.write_all(b"data").await?;
            for_ever().await
        }
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_all(b"unread").await?;
        stream.read_exact(&mut [0; 4]).await?;
        assert!(timeout(secs(30), stream.read(&mut [0; 4])).await.is_err());
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run_for(secs(1))?;
    let before = wire.sent().len();
    assert_eq!(dropped.len(), 0);
    sim.crash("server");
    let mut names = dropped.all();
    names.sort_unstable();
    assert_eq!(names, ["main", "spawned"], "at once, before anything else happens");
    sim.run()?;
    assert!(wire.sent()[before..].iter().all(|sent| sent.from != "server"));
    Ok(())
}

#[test]
fn a_task_that_a_crash_makes_spawn_does_not_outlive_the_host() -> glassnet::Result {
    struct Phoenix(Log<&'static str>);
    impl Drop for Phoenix {
        fn drop(&mut self) {
            let note = self.0.clone();
            spawn(async move {
                sleep(secs(1)).await;
                note.note("it lives");
            });
        }
    }
    let signs = Log::new();
    let note = signs.clone();
    let mut sim = Sim::new(1);
    sim.host("host", move || {
        let phoenix = Phoenix(note.clone());
        async move {
            let _phoenix = phoenix;
            for_ever().await
        }
    });
    sim.run_for(secs(1))?;
    sim.crash("host");
    sim.run_for(secs(10))?;
    assert_eq!(signs.len(), 0);
    Ok(())
}

#[test]
fn whoever_waits_for_a_task_of_a_crashed_host_hears_that_it_was_cancelled() -> glassnet::Result {
    let passed: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let handle = passed.clone();
    let mut sim = Sim::new(1);
    sim.host("host", move || {
        let handle = handle.clone();
        async move {
            *handle.borrow_mut() = Some(spawn(pending()));
            for_ever().await
        }
    });
    sim.client("client", async move {
        sleep(ms(1)).await;
        let task = passed.borrow_mut().take().unwrap();
        assert!(task.await.is_err());
        assert_eq!(now(), secs(1));
        Ok(())
    });
    sim.run_for(secs(1))?;
    sim.crash("host");
    sim.run()
}

#[test]
fn a_bounce_runs_the_host_anew_with_the_same_address() -> glassnet::Result {
    let starts = Log::new();
    let note = starts.clone();
    let mut sim = Sim::new(1);
    sim.host("server", move || {
        note.note(now());
        async {
            let listener = TcpListener::bind("0.0.0.0:7").await?;
            loop {
                let (mut stream, _) = listener.accept().await?;
                stream.write_all(stream.local_addr()?.to_string().as_bytes()).await?;
            }
        }
    });
    sim.client("client", async {
        for _ in 0..3 {
            let mut stream = TcpStream::connect("server:7").await?;
            assert_eq!(read_all(&mut stream).await?, b"10.0.0.1:7");
            sleep(secs(2)).await;
        }
        Ok(())
    });
    for _ in 0..3 {
        sim.run_for(secs(1))?;
        sim.bounce("server");
    }
    sim.run()?;
    assert_eq!(starts.all(), [secs(0), secs(1), secs(2), secs(3)]);
    assert_eq!(sim.lookup("server"), Some([10, 0, 0, 1].into()));
    Ok(())
}

#[test]
fn a_host_that_crashes_while_it_connects_leaves_no_trace_at_its_next_start() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    let done = Log::new();
    let note = done.clone();
    sim.host("client", move || {
        let note = note.clone();
        async move {
            let stream = connect_from(1_234, [10, 0, 0, 1]).await?;
            note.note(exchange(stream, b"data".to_vec()).await?);
            Ok(())
        }
    });
    sim.link("client", "server").delay(ms(10));
    for _ in 0..5 {
        sim.run_for(ms(17))?;
        sim.bounce("client");
    }
    sim.run_for(secs(200))?;
    assert_eq!(done.all(), [b"data".to_vec()]);
    Ok(())
}

#[test]
fn frames_on_their_way_when_a_host_restarts_meet_a_stack_that_knows_nothing() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(ms(100));
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_all(b"too late").await?;
        assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ECONNRESET));
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    while wire.payload("client") == 0 {
        sim.run_for(ms(1))?;
    }
    sim.bounce("server");
    sim.run()
}

#[test]
fn a_loop_of_sleeps_of_no_length_is_a_spinning_task_and_no_standstill() {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        loop {
            sleep(Duration::ZERO).await;
        }
    });
    let error = sim.run().map_err(|error| error.to_string()).unwrap_err();
    assert!(error.contains("without the clock moving"), "{error}");
}
