//! The determinism check: each seed in two processes.
#![allow(clippy::disallowed_types, reason = "maps that are iterated are what is to be found")]

use std::cell::Cell;
use std::collections::HashMap;
use std::process::Output;
use std::rc::Rc;
use std::time::Duration;

use crate::common::directory::Directory;
use crate::{again_though_ignored, text};
use glassnet::net::UdpSocket;
use glassnet::time::sleep;
use glassnet::{Check, Sim, greeting};

/// Runs one of the ignored tests of this file as a process of its own, with an environment.
fn run(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = again_though_ignored(module_path!(), test);
    // What fails here on purpose is no regression of this crate.
    command.env("GLASSNET_REGRESSIONS", "");
    command.envs(environment.iter().copied()).output().unwrap()
}

/// The report of a test that differs from itself, from the error's first line to its last.
fn report_of(test: &str) -> String {
    let output = run(test, &[]);
    assert!(!output.status.success(), "{}", text(&output));
    let text = text(&output);
    let from = text.find("two runs of this seed").unwrap_or_else(|| panic!("{text}"));
    let to = text[from..].find("\nreplay: ").unwrap();
    text[from..from + to].to_owned()
}

/// A report that has the same words in each process: what is random stands in `holes`, in order.
fn fits(report: &str, pattern: &str) -> bool {
    let mut rest = report;
    let mut parts = pattern.split('*');
    let Some(after) = rest.strip_prefix(parts.next().unwrap()) else { return false };
    rest = after;
    for part in parts {
        match (part.is_empty(), rest.find(part)) {
            (true, _) => rest = "",
            (false, Some(at)) => rest = &rest[at + part.len()..],
            (false, None) => return false,
        }
    }
    rest.is_empty()
}

fn listens(sim: &mut Sim, name: &str) {
    sim.host(name, || async {
        let socket = UdpSocket::bind("0.0.0.0:9").await?;
        loop {
            socket.recv_from(&mut [0; 64]).await?;
        }
    });
}

#[test]
#[ignore = "run by the tests below"]
fn a_map_is_iterated() -> glassnet::Result {
    Check::new().seed(3).determinism(true).run(|sim| {
        let names: Vec<String> = (0..20).map(|number| format!("host{number}")).collect();
        names.iter().for_each(|name| listens(sim, name));
        sim.client("sender", async move {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            let map: HashMap<String, u8> = names.into_iter().zip(0..).collect();
            sleep(Duration::from_millis(5)).await;
            glassnet::spawn(async move {
                for (name, number) in map {
                    socket.send_to(&[number], format!("{name}:9")).await?;
                }
                Ok::<(), std::io::Error>(())
            })
            .await??;
            Ok(())
        });
        sim.run()
    })
}

#[test]
fn a_map_that_is_iterated_is_found_by_the_first_frame_it_sends() {
    let report = report_of("a_map_is_iterated");
    let expected = "\
two runs of this seed, in two processes, differ: event * is the first (seed 3, at 0.005000000s)
before, in both:  0.005000000s  *
in this process:  0.005000000s  sender sends to host*: ARP who has 10.0.0.* tell 10.0.0.21 (arrives at 0.006000000s), by task spawned at tests/process/determinism.rs:*:13 (task 22), or main spawned at tests/process/determinism.rs:*:13 (task 21)
in the other one: 0.005000000s  sender sends to host*: ARP who has 10.0.0.* tell 10.0.0.21 (arrives at 0.006000000s), by task spawned at tests/process/determinism.rs:*:13 (task 22), or main spawned at tests/process/determinism.rs:*:13 (task 21)
hint: a task has decided otherwise: by the order in which a `HashMap` is iterated, by `tokio::select!` without `biased;`, by a clock of `std`, or by another source of randomness. `glassnet::guide` lists what makes two runs of one seed differ, with remedies
in this process the test passes";
    assert!(fits(&report, expected), "{report}");
}

#[test]
#[ignore = "run by the tests below"]
fn watch_wakes_six() -> glassnet::Result {
    Check::new().seed(3).determinism(true).run(|sim| {
        sim.client("client", async {
            let (sender, receiver) = tokio::sync::watch::channel(0);
            for _ in 0..6 {
                let mut receiver = receiver.clone();
                glassnet::spawn(async move { while receiver.changed().await.is_ok() {} });
            }
            drop(receiver);
            // Of 720 orders two runs have the same one now and then, but not twenty times.
            for round in 0..20 {
                sleep(Duration::from_millis(1)).await;
                sender.send(round)?;
            }
            sleep(Duration::from_millis(1)).await;
            Ok(())
        });
        sim.run()
    })
}

#[test]
fn the_order_in_which_a_watch_channel_wakes_is_found() {
    let report = report_of("watch_wakes_six");
    let expected = "\
two runs of this seed, in two processes, differ: event * is the first (seed 3, at 0.0*
in this process:  0.0*s  a task of client runs, by task spawned at tests/process/determinism.rs:*:17 (task *)
in the other one: 0.0*s  a task of client runs, by task spawned at tests/process/determinism.rs:*:17 (task *)
hint: tasks were woken in another order: by `tokio::sync::watch` with several receivers, by a `HashMap` that is iterated, by `tokio::select!` without `biased;`, or by another thread. `glassnet::guide` lists what makes two runs of one seed differ, with remedies
in this process the test passes";
    assert!(fits(&report, expected), "{report}");
}

#[test]
#[ignore = "run by the tests below"]
fn select_is_not_biased() -> glassnet::Result {
    Check::new().seed(3).determinism(true).run(|sim| {
        listens(sim, "server");
        // Whoever else observes the world does not stand in the way.
        sim.observe(|_| {});
        sim.client("client", async {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            socket.connect("server:9").await?;
            for _ in 0..64 {
                let first = tokio::select! {
                    () = async {} => b"a",
                    () = async {} => b"b",
                };
                socket.send(first).await?;
            }
            Ok(())
        });
        sim.run()
    })
}

#[test]
fn a_select_of_tokio_that_is_not_biased_is_found_by_what_is_sent() {
    let report = report_of("select_is_not_biased");
    let expected = "\
two runs of this seed, in two processes, differ: event * is the first (seed 3, at 0.0*
before, in both:  *
in this process:  0.00*s  client sends to server: UDP 10.0.0.2:* > 10.0.0.1:9, 43 bytes (arrives at 0.00*s)*
in the other one: 0.00*s  client sends to server: UDP 10.0.0.2:* > 10.0.0.1:9, 43 bytes (arrives at 0.00*s)*
the frames differ from byte 40 on: * here, * there
hint: the same is sent with other contents: a `HashMap` that is iterated, the clock of `std`, randomness of the operating system, a pointer, or the number of the process. `glassnet::guide` lists what makes two runs of one seed differ, with remedies
in this process the test passes";
    assert!(fits(&report, expected), "{report}");
}

#[test]
#[ignore = "run by the tests below"]
fn a_clock_of_the_machine() -> glassnet::Result {
    Check::new().seed(3).determinism(true).run(|sim| {
        sim.client("client", async {
            let since = std::time::SystemTime::UNIX_EPOCH.elapsed()?;
            sleep(Duration::from_nanos(since.as_nanos() as u64 % 1_000_000_000 + 1)).await;
            Ok(())
        });
        sim.run()
    })
}

#[test]
fn a_clock_of_the_machine_is_found_by_the_timer_it_sets() {
    let report = report_of("a_clock_of_the_machine");
    let expected = "\
two runs of this seed, in two processes, differ: event 2 is the first (seed 3, at 0.000000000s)
before, in both:  0.000000000s  a task of client runs, by main spawned at tests/process/determinism.rs:*:13 (task 1)
in this process:  0.000000000s  a task of client sets a timer for *s, by main spawned at tests/process/determinism.rs:*:13 (task 1)
in the other one: 0.000000000s  a task of client sets a timer for *s, by main spawned at tests/process/determinism.rs:*:13 (task 1)
hint: a time was computed from something that is not the world's: the clock of `std`, or a number that `glassnet::rng()` has not drawn. `glassnet::guide` lists what makes two runs of one seed differ, with remedies
in this process the test passes";
    assert!(fits(&report, expected), "{report}");
}

/// Far behind what has a line of its own in the first journals.
#[test]
#[ignore = "run by the tests below"]
fn a_map_is_iterated_late() -> glassnet::Result {
    Check::new().seed(3).determinism(true).run(|sim| {
        listens(sim, "server");
        sim.client("client", async {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            socket.connect("server:9").await?;
            for _ in 0..3_000 {
                socket.send(&[0; 300]).await?;
                sleep(Duration::from_micros(1)).await;
            }
            let map: HashMap<u8, u8> = (0..64).zip(0..).collect();
            socket.send(&map.into_keys().collect::<Vec<u8>>()).await?;
            Ok(())
        });
        sim.run()
    })
}

#[test]
fn a_difference_after_the_longest_journal_is_found_by_running_again() {
    let report = report_of("a_map_is_iterated_late");
    let expected = "\
two runs of this seed, in two processes, differ: event * is the first (seed 3, at *
before, in both:  *
in this process:  *  client sends to server: UDP 10.0.0.2:* > 10.0.0.1:9, 106 bytes (arrives *
the frames differ from byte 4* on: * here, * there
hint: *
in this process the test passes";
    assert!(fits(&report, expected), "{report}");
}

#[test]
#[ignore = "run by the tests below"]
fn the_test_itself_differs() -> glassnet::Result {
    Check::new().seed(3).determinism(true).run(|sim| {
        sim.client("client", async { Ok(()) });
        sim.run()?;
        Err(format!("process {}", std::process::id()).into())
    })
}

#[test]
fn what_the_test_itself_comes_to_is_compared() {
    let report = report_of("the_test_itself_differs");
    let expected = "\
two runs of this seed, in two processes, differ: event 2 is the first (seed 3, at 0.000000000s)
before, in both:  0.000000000s  a task of client runs, by main spawned at tests/process/determinism.rs:*:13 (task 1)
in this process:  0.000000000s  the test fails: the test failed: process * (seed 3, at 0.000000000s)
in the other one: 0.000000000s  the test fails: the test failed: process * (seed 3, at 0.000000000s)
hint: what the test itself finds at the end depends on something that is not in the world, such as a `HashMap` that is iterated, a `static`, or the clock of `std`. `glassnet::guide` lists what makes two runs of one seed differ, with remedies
in this process the test fails: the test failed: process * (seed 3, at 0.000000000s)";
    assert!(fits(&report, expected), "{report}");
}

#[test]
fn a_test_in_the_main_thread_which_has_no_name_is_called_with_the_same_arguments() {
    let mut command = again_though_ignored(module_path!(), "the_test_itself_differs");
    let output = command.arg("--test-threads=1").output().unwrap();
    assert!(text(&output).contains("two runs of this seed, in two processes, differ: event 2"));
}

/// Loss, timers, random numbers, `select!`, tasks, a crash: whatever a seed decides.
fn a_busy_world(sim: &mut Sim) -> glassnet::Result {
    sim.link("client", "server").loss(0.2).jitter(Duration::from_millis(3));
    sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
    let seen = Rc::new(Cell::new(0));
    for name in ["client", "other"] {
        let seen = seen.clone();
        sim.client(name, async move {
            let handle = glassnet::spawn(async {
                for _ in 0..5 {
                    let pause = glassnet::rng().up_to(3_000_000);
                    glassnet::select! {
                        () = sleep(Duration::from_nanos(pause)) => {}
                        () = sleep(Duration::from_millis(2)) => {}
                    }
                }
            });
            greeting::greet("server:12345").await?;
            handle.await?;
            seen.set(seen.get() + 1);
            Ok(())
        });
    }
    sim.run()?;
    assert_eq!(seen.get(), 2);
    sim.bounce("server");
    sim.run_for(Duration::from_secs(1))
}

#[test]
fn a_world_that_depends_on_its_seed_alone_passes() {
    Check::new().seeds(4).regressions(false).determinism(true).run(a_busy_world).unwrap();
}

#[glassnet::test(seeds = 2, determinism)]
fn the_attribute_takes_it(sim: &mut Sim) -> glassnet::Result {
    a_busy_world(sim)
}

#[ignore = "run by the tests below"]
#[should_panic]
#[glassnet::test(seed = 3, determinism)]
async fn a_panic_that_differs() {
    panic!("process {}", std::process::id());
}

#[ignore = "run by the tests below"]
#[should_panic]
#[glassnet::test(seed = 3, determinism)]
async fn a_panic_that_is_always_the_same() {
    panic!("on purpose");
}

#[test]
fn a_test_that_should_panic_does_not_pass_because_two_runs_differ() {
    assert!(run("a_panic_that_is_always_the_same", &[]).status.success());
    let differs = run("a_panic_that_differs", &[]);
    assert!(!differs.status.success(), "{}", text(&differs));
    assert!(text(&differs).contains("two runs of this seed"), "{}", text(&differs));
}

#[test]
#[ignore = "run by the tests below"]
fn two_checks_of_one_test() -> glassnet::Result {
    for round in 0..2 {
        glassnet::check(|sim| {
            sim.client("client", async { Ok(()) });
            sim.run()?;
            match round {
                0 => Ok(()),
                _ => Err(format!("process {}", std::process::id()).into()),
            }
        })?;
    }
    Ok(())
}

#[test]
fn the_environment_asks_for_it_and_each_check_of_a_test_is_one_of_its_own() {
    let seeds = ("GLASSNET_SEEDS", "2");
    let without = run("two_checks_of_one_test", &[seeds]);
    assert!(text(&without).contains("the test failed: process "), "{}", text(&without));
    let empty = Directory::new("determinism");
    let folder = empty.to_str().unwrap();
    let folders = [("GLASSNET_REGRESSIONS", folder), ("TMPDIR", folder)];
    let asked = [seeds, ("GLASSNET_DETERMINISM", "1"), folders[0], folders[1]];
    let with = text(&run("two_checks_of_one_test", &asked));
    // Neither a journal, nor a seed, which is not what is wrong.
    assert_eq!(std::fs::read_dir(&*empty).unwrap().count(), 0);
    assert!(with.contains("glassnet: 2 seeds passed"), "{with}");
    assert!(with.contains("glassnet: seed 0 failed, the first that was run"), "{with}");
    assert!(with.contains("two runs of this seed, in two processes, differ"), "{with}");
}

#[test]
#[ignore = "run by the tests below"]
fn a_failure_that_is_always_the_same() -> glassnet::Result {
    Check::new().seed(3).determinism(true).run(|sim| {
        sim.client("client", async { Err("always".into()) });
        sim.run()
    })
}

#[test]
fn a_test_that_fails_in_both_fails_as_without_the_check() {
    let text = text(&run("a_failure_that_is_always_the_same", &[]));
    assert!(text.contains("client `client` failed: always (seed 3, at 0.000000000s)"), "{text}");
    assert!(!text.contains("two runs of this seed"), "{text}");
}

/// The other process is not asked for this test, but for one that does not exist.
#[test]
fn another_process_that_does_not_come_to_the_check_is_an_error() {
    let thread = std::thread::Builder::new().name("determinism::there_is_no_such_test".to_owned());
    let checked = thread.spawn(|| {
        let passes = |sim: &mut Sim| {
            sim.client("client", async { Ok(()) });
            sim.run()
        };
        Check::new().seed(0).determinism(true).run(passes).map_err(|error| error.to_string())
    });
    let error = checked.unwrap().join().unwrap().unwrap_err();
    let expected = "the determinism check has run this test again, as \
        * determinism::there_is_no_such_test --exact --test-threads=2, which \
        never came to the check at tests/process/determinism.rs:*:*(seed 0*";
    assert!(fits(&error, expected), "{error}");
}

#[test]
#[ignore = "run by the tests below"]
fn one_run_draws_more() -> glassnet::Result {
    Check::new().seed(3).determinism(true).run(|sim| {
        sim.client("client", async {
            for _ in 0..std::process::id() {
                glassnet::rng().next_u64();
            }
            Ok(())
        });
        sim.run()
    })
}

#[test]
fn numbers_that_only_one_run_draws_are_found() {
    let report = report_of("one_run_draws_more");
    let expected = "\
two runs of this seed, in two processes, differ: event 2 is the first (seed 3, at 0.000000000s)
before, in both:  0.000000000s  a task of client runs, by main spawned at tests/process/determinism.rs:*:13 (task 1)
in this process:  0.000000000s  a task of client draws from glassnet::rng() (* times), by main spawned at *
in the other one: 0.000000000s  a task of client draws from glassnet::rng() (* times), by main spawned at *
hint: one run draws random numbers that the other does not: look at what decides that they are drawn. `glassnet::guide` lists what makes two runs of one seed differ, with remedies
in this process the test passes";
    assert!(fits(&report, expected), "{report}");
}
