//! Tests that would be green though they check nothing, and what is said of them.

use std::io;

use crate::common::*;
use glassnet::net::TcpStream;
use glassnet::time::sleep;
use glassnet::{Failure, Sim, spawn};

/// What a world says that is built, and dropped.
fn drop_of(build: impl FnOnce(&mut Sim)) -> String {
    panic_of(|| {
        let mut sim = Sim::new(7);
        build(&mut sim);
    })
}

#[test]
fn a_run_without_clients_is_an_error() {
    for build in [|_: &mut Sim| {}, |sim: &mut Sim| echo_host(sim, "server")] {
        let mut sim = Sim::new(1);
        build(&mut sim);
        let error = failure(sim.run());
        assert!(matches!(error.failure(), Failure::Setup { .. }), "{error}");
        assert!(error.to_string().contains("no client"), "{error}");
        assert!(error.to_string().contains("run_for"), "{error}");
    }
}

#[test]
fn a_world_that_is_dropped_unrun_panics_and_says_its_seed() {
    let text = drop_of(|sim| echo_host(sim, "server"));
    assert!(text.contains("never run") && text.contains("\"server\""), "{text}");
    assert!(text.contains("seed 7") && text.contains("replay: "), "{text}");
    let text = drop_of(|sim| {
        sim.client("client", async { Ok(()) });
    });
    assert!(text.contains("never run"), "{text}");
}

#[test]
fn an_empty_world_and_one_that_was_run_are_dropped_in_silence() -> glassnet::Result {
    drop(Sim::new(1));
    let mut sim = Sim::new(1);
    sim.link("a", "b").loss(0.5);
    drop(sim);
    let mut sim = with_echo_server();
    sim.run_for(secs(0))
}

#[test]
fn a_world_whose_setup_has_returned_an_error_is_dropped_in_silence() {
    let built = || -> glassnet::Result {
        let mut sim = with_echo_server();
        sim.capture("server", "/nowhere/at/all.pcapng")?;
        sim.run()
    };
    let error = built().unwrap_err();
    assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_world_is_dropped_in_silence_while_a_panic_goes_on() {
    let text = panic_of(|| {
        let _sim = with_echo_server();
        panic!("the first panic");
    });
    assert_eq!(text, "the first panic");
}

#[test]
fn a_world_that_has_failed_is_dropped_in_silence() {
    let mut sim = with_echo_server();
    failure(sim.run());
    sim.client("late", async { Ok(()) });
    drop(sim);
    let mut sim = Sim::new(1);
    sim.client("client", async { panic!("on purpose") });
    assert_eq!(panic_of(|| drop(sim.run())), "on purpose");
    sim.client("late", async { Ok(()) });
    let error = failure(sim.run());
    assert!(error.to_string().contains("a task panicked"), "{error}");
}

#[test]
fn what_was_added_after_the_last_run_is_named_when_the_world_is_dropped() {
    let text = drop_of(|sim| {
        sim.client("first", async { Ok(()) });
        sim.run().unwrap();
        sim.client("second", async { Ok(()) });
    });
    assert!(text.contains("after the last run") && text.contains("\"second\""), "{text}");
    assert!(!text.contains("first"), "{text}");
}

#[test]
fn a_mistake_after_the_last_run_is_told_when_the_world_is_dropped() {
    type Wrong = fn(&mut Sim);
    let all: [(Wrong, &str); 3] = [
        (
            |sim| {
                sim.link("client", "typo").loss(0.1);
            },
            "\"typo\"",
        ),
        (
            |sim| {
                sim.link("client", "server").loss(2.0);
            },
            "loss",
        ),
        (|sim| echo_host(sim, "client"), "two hosts"),
    ];
    for (wrong, about) in all {
        let text = drop_of(|sim| {
            echo_host(sim, "server");
            sim.client("client", async { Ok(()) });
            sim.run().unwrap();
            wrong(sim);
        });
        assert!(text.contains(about), "{text}");
    }
}

#[test]
fn an_unknown_name_in_a_fault_is_an_error_at_the_call_that_names_the_known() {
    type Fault = fn(&mut Sim);
    let all: [Fault; 5] = [
        |sim| sim.partition("typo", "client"),
        |sim| sim.partition("client", "typo"),
        |sim| sim.heal("client", "typo"),
        |sim| sim.crash("typo"),
        |sim| sim.bounce("typo"),
    ];
    for fault in all {
        let mut sim = with_echo_server();
        sim.client("client", async { Ok(()) });
        sim.run().unwrap();
        let text = panic_of(|| fault(&mut sim));
        assert!(text.contains("no host is called \"typo\""), "{text}");
        assert!(text.contains("\"server\", \"client\""), "{text}");
    }
}

#[test]
fn a_fault_that_cannot_be_is_an_error_at_the_call() {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        sleep(secs(5)).await;
        Ok(())
    });
    sim.run_for(secs(1)).unwrap();
    let text = panic_of(|| sim.bounce("client"));
    assert!(text.contains("\"client\" is a client"), "{text}");
    let text = panic_of(|| sim.partition("client", "client"));
    assert!(text.contains("from itself"), "{text}");
}

#[test]
fn a_large_world_is_not_listed_whole() {
    let mut sim = Sim::new(1);
    for number in 0..100 {
        sim.host(&format!("host{number}"), || async { Ok(()) });
    }
    sim.run_for(secs(0)).unwrap();
    let text = panic_of(|| sim.crash("typo"));
    assert!(text.contains("and 88 more") && text.len() < 300, "{text}");
}

/// A world whose client loses the error of a task: before the task has ended, or after.
fn with_a_lost_error(after: bool) -> Sim {
    let mut sim = Sim::new(1);
    sim.client("client", async move {
        let task = spawn(async { TcpStream::connect("127.0.0.1:1").await.map(drop) });
        if after {
            sleep(secs(1)).await;
        }
        drop(task);
        sleep(secs(1)).await;
        Ok(())
    });
    sim
}

#[test]
fn in_a_strict_world_an_error_that_a_task_returned_to_nobody_is_one_of_the_run() {
    for after in [false, true] {
        with_a_lost_error(after).run().unwrap();
        let mut sim = with_a_lost_error(after);
        let error = failure(sim.strict(true).run());
        assert!(
            matches!(error.failure(), Failure::Task { host, .. } if host == "client"),
            "{error}"
        );
        assert!(error.to_string().contains("Connection refused"), "{error}");
    }
}

#[test]
fn a_run_that_fails_names_the_errors_that_tasks_returned_to_nobody() {
    let mut sim = with_a_lost_error(false);
    sim.client("other", async {
        sleep(secs(3)).await;
        Err("another error".into())
    });
    let report = failure(sim.run()).to_string();
    assert!(report.contains("errors of tasks that nobody took (1)"), "{report}");
    assert!(report.contains("client: task spawned at tests/it/unchecked.rs:"), "{report}");
    assert!(report.contains(", at 0.000000000s: Connection refused"), "{report}");
}

#[test]
fn an_error_that_is_taken_or_that_goes_with_its_host_is_not_lost() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.strict(true);
    sim.host("crashes", || async {
        let _task = spawn(async { Err::<(), _>("kept until the crash") });
        for_ever().await
    });
    sim.host("restarts", || async {
        let _task = spawn(async { Err::<(), _>("kept until the end") });
        for_ever().await
    });
    sim.client("client", async {
        let task = spawn(async { Err::<(), _>(io::Error::other("taken")) });
        sleep(secs(2)).await;
        assert_eq!(task.await?.unwrap_err().to_string(), "taken");
        Ok(())
    });
    sim.run_for(secs(1))?;
    sim.crash("crashes");
    sim.bounce("restarts");
    sim.run()
}

#[test]
fn in_a_strict_world_a_client_must_have_ended_when_it_is_dropped() {
    let too_short = |sim: &mut Sim| {
        sim.client("slow", async {
            sleep(secs(9)).await;
            panic!("not reached")
        });
        sim.client("quick", async { Ok(()) });
        sim.run_for(secs(5)).unwrap();
    };
    let text = drop_of(|sim| too_short(sim.strict(true)));
    assert!(text.contains("before its clients ended: \"slow\""), "{text}");
    too_short(&mut Sim::new(1));
}
