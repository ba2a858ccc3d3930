//! Turns: what a task may do before others have theirs, what ends with what, and what ends a run
//! that gets nowhere.

use std::cell::Cell;
use std::future::{pending, ready};
use std::rc::Rc;
use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use glassnet::task::{JoinHandle, yield_now};
use glassnet::time::{Instant, interval, interval_at, sleep, sleep_until, timeout, timeout_at};
use glassnet::{Failure, RunError, Sim, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

fn failure(result: glassnet::Result) -> Box<RunError> {
    result.expect_err("the run fails").downcast().expect("a report")
}

/// Both ends of a connection of a host with itself.
async fn loopback() -> std::io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

// ---- The budget of a poll ----------------------------------------------------------------------

#[test]
fn a_timeout_ends_a_loop_over_what_is_always_ready() -> glassnet::Result {
    alone(async {
        let (client, server) = loopback().await?;
        let udp = UdpSocket::bind("127.0.0.1:0").await?;
        let tcp_writable = async {
            loop {
                client.writable().await?;
            }
        };
        let end_of_stream = async {
            drop(server);
            let mut ended = UnixStream::pair()?.0;
            loop {
                assert_eq!(ended.read(&mut [0; 8]).await?, 0);
            }
        };
        let errors = async {
            loop {
                assert!(udp.send(b"to nobody").await.is_err());
            }
        };
        let sleeps = async {
            loop {
                sleep_until(Instant::now() - ms(1)).await;
            }
        };
        let ended: Result<std::io::Result<()>, _> = timeout(ms(1), tcp_writable).await;
        assert!(ended.is_err());
        let ended: Result<std::io::Result<()>, _> = timeout(ms(1), end_of_stream).await;
        assert!(ended.is_err());
        let ended: Result<(), _> = timeout(ms(1), errors).await;
        assert!(ended.is_err());
        let ended: Result<(), _> = timeout(ms(1), sleeps).await;
        assert!(ended.is_err());
        assert_eq!(now(), ms(4));
        Ok(())
    })
}

#[test]
fn a_task_gives_way_after_128_operations() -> glassnet::Result {
    alone(async {
        let (mut reader, mut writer) = UnixStream::pair()?;
        writer.write_all(&[7; 1_000]).await?;
        let read = Rc::new(Cell::new(0));
        let count = read.clone();
        yield_now().await;
        let reads = spawn(async move {
            for _ in 0..1_000 {
                reader.read_exact(&mut [0]).await?;
                count.set(count.get() + 1);
            }
            std::io::Result::Ok(())
        });
        let mut seen = Vec::new();
        while !reads.is_finished() {
            seen.push(read.get());
            yield_now().await;
        }
        assert_eq!(seen, [0, 128, 256, 384, 512, 640, 768, 896]);
        Ok(())
    })
}

#[test]
fn operations_that_wait_cost_nothing() -> glassnet::Result {
    alone(async {
        let (_kept, server) = loopback().await?;
        let mut reads = 0;
        std::future::poll_fn(|cx| {
            for _ in 0..1_000 {
                assert!(server.poll_read_ready(cx).is_pending());
                reads += 1;
            }
            // None of those has used up what this one needs.
            assert!(server.poll_write_ready(cx).is_ready());
            std::task::Poll::Ready(())
        })
        .await;
        assert_eq!(reads, 1_000);
        Ok(())
    })
}

#[test]
fn join_handles_count_as_operations() -> glassnet::Result {
    alone(async {
        let mut tasks: Vec<JoinHandle<()>> = (0..300).map(|_| spawn(ready(()))).collect();
        yield_now().await;
        let turns = Rc::new(Cell::new(0));
        let count = turns.clone();
        let other = spawn(async move {
            loop {
                count.set(count.get() + 1);
                yield_now().await;
            }
        });
        for task in tasks.drain(..) {
            task.await?;
        }
        assert_eq!(turns.get(), 2, "300 joins are three polls");
        other.abort();
        Ok(())
    })
}

// ---- Yielding ----------------------------------------------------------------------------------

#[test]
fn a_task_that_yields_lets_its_host_deliver() -> glassnet::Result {
    alone(async {
        let (mut client, server) = loopback().await?;
        client.write_all(b"hello").await?;
        let mut buffer = [0; 5];
        while server.try_read(&mut buffer).is_err() {
            yield_now().await;
        }
        assert_eq!((&buffer, now()), (b"hello", Duration::ZERO));
        Ok(())
    })
}

fn polls_by_yielding(delay: Duration) -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(delay);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"hello").await?;
        for_ever().await
    });
    sim.client("client", async move {
        let stream = TcpStream::connect("server:7").await?;
        let connected = now();
        let mut buffer = [0; 5];
        while stream.try_read(&mut buffer).is_err() {
            yield_now().await;
        }
        assert_eq!((&buffer, now() - connected), (b"hello", delay * 2));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_task_that_yields_until_something_arrives_lets_time_go_on() -> glassnet::Result {
    polls_by_yielding(ms(1))
}

#[test]
fn a_task_that_yields_lets_frames_arrive_that_take_no_time() -> glassnet::Result {
    polls_by_yielding(Duration::ZERO)
}

#[test]
fn a_few_hundred_yields_take_no_time() -> glassnet::Result {
    alone(async {
        let heartbeat = spawn(async {
            loop {
                sleep(ms(1)).await;
            }
        });
        for _ in 0..900 {
            yield_now().await;
        }
        assert_eq!(now(), Duration::ZERO);
        heartbeat.abort();
        Ok(())
    })
}

#[test]
fn a_task_that_yields_for_ever_is_an_error_that_names_it() {
    let mut sim = Sim::new(1);
    sim.host("bystander", pending);
    sim.client("alone", async {
        loop {
            yield_now().await;
        }
    });
    let error = failure(sim.run());
    let Failure::Spinning { polls, tasks, .. } = error.failure() else { panic!("{error}") };
    assert!(*polls >= 1_000_000, "{polls}");
    assert!(tasks.len() == 1 && tasks[0].starts_with("alone: main"), "{tasks:?}");
    assert!(error.to_string().contains("ran last: alone: main"), "{error}");
}

#[test]
fn a_host_that_yields_for_ever_does_not_keep_a_run_from_ending() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("restless", || async {
        loop {
            yield_now().await;
        }
    });
    sim.client("client", async {
        sleep(secs(3)).await;
        Ok(())
    });
    sim.run()?;
    assert_eq!(sim.now().since_start(), secs(3));
    sim.run_for(secs(4))?;
    assert_eq!(sim.now().since_start(), secs(7));
    Ok(())
}

// ---- Timers ------------------------------------------------------------------------------------

#[test]
fn what_has_elapsed_is_ready_at_its_first_poll() -> glassnet::Result {
    alone(async {
        let past = Instant::now();
        let second = sleep(secs(1));
        sleep(secs(1)).await;
        assert_eq!(once(sleep_until(past)).await, Some(()));
        assert_eq!(once(second).await, Some(()));
        let mut ticks = interval_at(past, secs(9));
        assert_eq!(once(ticks.tick()).await, Some(past));
        assert!(once(ticks.tick()).await.is_none());
        assert!(matches!(once(timeout_at(past, pending::<()>())).await, Some(Err(_))));
        let first = tokio::select! {
            biased;
            () = sleep_until(past) => "the deadline",
            () = ready(()) => "what is ready",
        };
        assert_eq!(first, "the deadline");
        let mut reset = Box::pin(sleep(secs(5)));
        reset.as_mut().reset(past);
        assert_eq!(once(reset).await, Some(()));
        Ok(())
    })
}

#[test]
fn a_sleep_of_no_length_lets_the_others_go_first() -> glassnet::Result {
    alone(async {
        let task = spawn(ready(()));
        sleep(Duration::ZERO).await;
        assert!(task.is_finished());
        Ok(())
    })
}

#[test]
fn a_far_future_is_no_timer() {
    let mut sim = Sim::new(1);
    sim.client("alone", async {
        let far = Instant::now() + Duration::MAX;
        assert!(far > Instant::now() + secs(10_000_000_000));
        let mut ticks = interval(Duration::MAX);
        ticks.tick().await;
        tokio::select! {
            ended = timeout(Duration::MAX, pending::<()>()) => panic!("{ended:?}"),
            ended = timeout_at(far, pending::<()>()) => panic!("{ended:?}"),
            () = sleep_until(far - secs(1)) => panic!("it has slept"),
            _ = ticks.tick() => panic!("a second tick"),
            () = sleep(secs(20_000_000_000)) => panic!("634 years have passed"),
        }
    });
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Deadlock), "{error}");
    assert_eq!(error.time().since_start(), Duration::ZERO);
    assert!(error.to_string().contains("the end of time"), "{error}");
}

#[test]
fn a_world_that_has_come_to_the_end_of_time_still_works() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.run_for(Duration::MAX)?;
    let end = sim.now();
    assert!(end.since_start() > secs(200 * 365 * 86_400));
    sim.client("client", async {
        let (mut client, mut server) = loopback().await?;
        client.write_all(b"x").await?;
        server.read_exact(&mut [0]).await?;
        sleep(secs(1)).await;
        Ok(())
    });
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Deadlock), "nothing is later: {error}");
    assert_eq!(sim.now(), end);
    Ok(())
}

// ---- What a main function's end ends -----------------------------------------------------------

#[test]
fn tasks_end_with_the_main_function_of_their_client() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        let (alive, gone) = oneshot::channel::<()>();
        spawn(async move {
            let _ = gone.await;
            panic!("polled after main has ended");
        });
        spawn(async {
            sleep(secs(1)).await;
            panic!("woken after main has ended");
        });
        yield_now().await;
        drop(alive);
        Ok(())
    });
    sim.client("other", async {
        sleep(secs(5)).await;
        Ok(())
    });
    sim.run()
}

#[test]
fn tasks_end_with_the_main_function_of_their_host_and_their_sockets_close() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (mut read, _) = listener.accept().await?;
        let (unread, _) = listener.accept().await?;
        spawn(async move {
            read.write_all(&pattern(30_000)).await?;
            pending::<std::io::Result<()>>().await
        });
        spawn(async move {
            let _unread = unread;
            pending::<()>().await;
        });
        sleep(secs(1)).await;
        Ok(())
    });
    sim.client("client", async {
        let mut first = TcpStream::connect("server:7").await?;
        let mut second = TcpStream::connect("server:7").await?;
        second.write_all(b"nobody reads this").await?;
        // What was written before the end is delivered, then comes the FIN.
        assert_eq!(read_all(&mut first).await?, pattern(30_000));
        assert_eq!(now().as_secs(), 1);
        // What was not read is answered by a RST, and the machine is still there to refuse.
        assert_eq!(errno(second.read(&mut [0]).await), Some(ECONNRESET));
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(ECONNREFUSED));
        Ok(())
    });
    sim.run()
}

#[test]
fn whoever_waits_for_a_task_of_a_host_that_has_ended_hears_that_it_was_cancelled()
-> glassnet::Result {
    let passed: Rc<Cell<Option<JoinHandle<()>>>> = Rc::default();
    let handle = passed.clone();
    let mut sim = Sim::new(1);
    sim.host("host", move || {
        let handle = handle.clone();
        async move {
            handle.set(Some(spawn(pending())));
            sleep(secs(1)).await;
            Ok(())
        }
    });
    sim.client("client", async move {
        sleep(ms(1)).await;
        assert!(passed.take().unwrap().await.unwrap_err().is_cancelled());
        assert_eq!(now(), secs(1));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_panic_of_a_spawned_task_still_fails_the_run() {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        spawn(async { panic!("on purpose") });
        sleep(secs(1)).await;
        Ok(())
    });
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sim.run())).is_err());
}

/// Spawns as many others like itself as it says when it is dropped: there is no end of them.
struct Hydra(u32);

impl Drop for Hydra {
    fn drop(&mut self) {
        for _ in 0..self.0 {
            let another = Hydra(self.0);
            spawn(async move {
                let _another = another;
            });
        }
    }
}

#[test]
fn a_destructor_that_spawns_does_not_hang_the_end_of_a_world_or_a_host() -> glassnet::Result {
    for heads in [1, 2] {
        let mut sim = Sim::new(1);
        for name in ["crashes", "stays"] {
            sim.host(name, move || async move {
                let _hydra = Hydra(heads);
                for_ever().await
            });
        }
        sim.host("ends", move || async move {
            let hydra = Hydra(heads);
            spawn(async move {
                let _hydra = hydra;
                pending::<()>().await;
            });
            sleep(ms(1)).await;
            Ok(())
        });
        sim.run_for(secs(1))?;
        sim.crash("crashes");
        sim.run_for(secs(1))?;
        drop(sim);
    }
    Ok(())
}

// ---- Limits ------------------------------------------------------------------------------------

#[test]
fn an_exchange_within_one_instant_is_no_spinning() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.poll_limit(1_000);
    sim.client("alone", async {
        let (mut client, mut server) = loopback().await?;
        let (ping, mut pinged) = mpsc::channel(1);
        let (pong, mut ponged) = mpsc::channel(1);
        spawn(async move {
            while let Ok(byte) = server.read_u8().await {
                server.write_u8(byte).await?;
            }
            std::io::Result::Ok(())
        });
        spawn(async move {
            while let Some(byte) = pinged.recv().await {
                pong.send(byte).await.unwrap();
            }
        });
        for _ in 0..5_000 {
            client.write_u8(7).await?;
            client.read_u8().await?;
            ping.send(7).await?;
            ponged.recv().await;
        }
        assert_eq!(now(), Duration::ZERO);
        Ok(())
    });
    sim.run()
}

#[test]
fn the_limit_of_polls_can_be_set() {
    for limit in [10, 5_000] {
        let mut sim = Sim::new(1);
        sim.poll_limit(limit);
        let polls = Rc::new(Cell::new(0));
        let count = polls.clone();
        sim.client("alone", async move {
            loop {
                count.set(count.get() + 1);
                yield_now().await;
            }
        });
        let error = failure(sim.run());
        assert!(matches!(error.failure(), Failure::Spinning { .. }), "{error}");
        assert_eq!(polls.get(), limit);
    }
}

#[test]
fn an_exchange_without_end_within_one_instant_is_an_error() {
    let mut sim = Sim::new(1);
    sim.event_limit(10_000);
    sim.client("alone", async {
        let (mut client, mut server) = loopback().await?;
        spawn(async move {
            loop {
                server.write_u8(1).await.unwrap();
                server.read_u8().await.unwrap();
            }
        });
        loop {
            client.read_u8().await?;
            client.write_u8(2).await?;
        }
    });
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Spinning { .. }), "{error}");
    assert_eq!(error.time().since_start(), Duration::ZERO);
}

/// A client that waits for ever, beside a host that never rests.
fn stuck_beside_a_heartbeat() -> Sim {
    let mut sim = Sim::new(1);
    sim.host("heart", || async {
        let mut beats = interval(secs(1));
        loop {
            beats.tick().await;
        }
    });
    sim.client("stuck", async {
        TcpListener::bind("0.0.0.0:7").await?.accept().await?;
        Ok(())
    });
    sim.client("done", async { Ok(()) });
    sim
}

#[test]
fn a_run_lasts_one_hour_of_its_world_unless_told_otherwise() {
    let mut sim = stuck_beside_a_heartbeat();
    let error = failure(sim.run());
    let Failure::TimeLimit { limit, waiting, .. } = error.failure() else { panic!("{error}") };
    assert_eq!(*limit, secs(3_600));
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert!(waiting[0].starts_with("stuck: main"), "{waiting:?}");
    assert!(waiting[0].contains("accept on 0.0.0.0:7"), "{waiting:?}");
    assert_eq!(error.time().since_start(), secs(3_600));
    assert!(error.to_string().contains("Sim::time_limit"), "{error}");
}

#[test]
fn the_limit_of_time_can_be_set_and_counts_from_the_call_of_run() -> glassnet::Result {
    let mut sim = stuck_beside_a_heartbeat();
    sim.time_limit(secs(10));
    // Whoever asks for a time gets it.
    sim.run_for(secs(7_200))?;
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::TimeLimit { .. }), "{error}");
    assert_eq!(sim.now().since_start(), secs(7_210));

    let mut sim = Sim::new(1);
    sim.time_limit(Duration::MAX);
    sim.client("patient", async {
        sleep(secs(100_000)).await;
        Ok(())
    });
    sim.run()
}

#[test]
fn what_ends_exactly_at_the_limit_of_time_is_in_time() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.time_limit(secs(10));
    sim.client("punctual", async {
        sleep(secs(10)).await;
        Ok(())
    });
    sim.run()
}

#[test]
fn a_task_that_yields_for_ever_beside_a_heartbeat_ends_with_the_limit_of_time() {
    let mut sim = stuck_beside_a_heartbeat();
    sim.time_limit(secs(20));
    sim.client("restless", async {
        loop {
            yield_now().await;
        }
    });
    let error = failure(sim.run());
    let Failure::TimeLimit { waiting, .. } = error.failure() else { panic!("{error}") };
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    let restless = &waiting[1];
    assert!(restless.starts_with("restless: main spawned at tests/it/executor.rs:"), "{restless}");
    assert!(restless.ends_with(" yields again and again"), "{restless}");
}

#[test]
fn an_error_of_a_host_or_a_client_ends_the_run_at_once() {
    for fails in ["host", "client"] {
        let mut sim = Sim::new(1);
        let failing = move |name| async move {
            sleep(secs(1)).await;
            if name == fails { Err("broken".into()) } else { for_ever().await }
        };
        sim.host("host", move || failing("host"));
        sim.client("client", failing("client"));
        sim.client("patient", async {
            sleep(secs(1_000)).await;
            Ok(())
        });
        let error = failure(sim.run());
        match error.failure() {
            Failure::Host { name, .. } | Failure::Client { name, .. } => assert_eq!(name, fails),
            other => panic!("{other}"),
        }
        assert_eq!(error.time().since_start(), secs(1));
        assert_eq!(sim.now().since_start(), secs(1));
    }
}

#[test]
fn an_error_ends_run_for_at_once_too() {
    let mut sim = Sim::new(1);
    sim.host("host", || async {
        sleep(secs(1)).await;
        Err("broken".into())
    });
    assert!(failure(sim.run_for(secs(10))).to_string().contains("broken"));
    assert_eq!(sim.now().since_start(), secs(1));
}
