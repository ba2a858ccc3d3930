//! A poll that does not end. It would take the test with it, so each runs in a process of its own:
//! this one again, with one test and a variable that says that it is the child.

use std::process::Output;
use std::time::Duration;

use crate::again;
use glassnet::{Sim, spawn};
use tokio::io::AsyncReadExt;

const CHILD: &str = "GLASSNET_TEST_CHILD";

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the test `name` in a process of its own. Its output is kept from it, as `cargo test` does.
fn in_a_child(name: &str, watchdog: Option<&str>) -> Output {
    let mut command = again(module_path!(), name);
    command.env(CHILD, "1");
    if let Some(watchdog) = watchdog {
        command.env("GLASSNET_WATCHDOG", watchdog);
    }
    command.output().unwrap()
}

#[cfg(unix)]
fn has_aborted(output: &Output) -> bool {
    use std::os::unix::process::ExitStatusExt;
    const SIGABRT: i32 = 6;
    output.status.signal() == Some(SIGABRT)
}

#[cfg(not(unix))]
fn has_aborted(output: &Output) -> bool {
    !output.status.success()
}

fn text(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Loops over what is always ready, and does not give way.
async fn spins() {
    loop {
        let _ = tokio::io::empty().read(&mut [0; 1]).await;
    }
}

#[test]
fn a_poll_that_does_not_end_is_reported_and_aborts() {
    if is_child() {
        let mut sim = Sim::new(77);
        sim.watchdog(Duration::from_millis(300));
        sim.host("idle", std::future::pending);
        sim.client("alone", async {
            glassnet::time::sleep(Duration::from_millis(5)).await;
            let _ = glassnet::time::timeout(Duration::from_millis(1), spins()).await;
            Ok(())
        });
        let _ = sim.run();
        return;
    }
    let output = in_a_child("a_poll_that_does_not_end_is_reported_and_aborts", None);
    let text = text(&output);
    assert!(has_aborted(&output), "{text}");
    for part in [
        "host `alone`: main",
        "seed 77",
        "at 0.005000000s",
        "thread watchdog::a_poll_that_does_not_end_is_reported_and_aborts",
        "yield_now",
        "Sim::watchdog",
        "GLASSNET_WATCHDOG",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn a_destructor_that_does_not_end_is_reported_too() {
    struct Stuck;
    impl Drop for Stuck {
        fn drop(&mut self) {
            loop {
                std::hint::spin_loop();
            }
        }
    }
    if is_child() {
        let mut sim = Sim::new(1);
        sim.watchdog(Duration::from_millis(300));
        sim.client("owner", async {
            spawn(async {
                let _stuck = Stuck;
                std::future::pending::<()>().await;
            });
            glassnet::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        });
        let _ = sim.run();
        return;
    }
    let output = in_a_child("a_destructor_that_does_not_end_is_reported_too", None);
    let text = text(&output);
    assert!(has_aborted(&output), "{text}");
    assert!(text.contains("host `owner`:"), "{text}");
}

/// A poll that takes longer than its world allows, and ends.
#[allow(clippy::disallowed_methods, reason = "a task that blocks its thread is what is tested")]
fn blocks_for_a_while() {
    let mut sim = Sim::new(1);
    sim.watchdog(Duration::from_millis(50));
    sim.client("slow", async {
        std::thread::sleep(Duration::from_secs(2));
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn the_environment_switches_the_watchdog_off() {
    if is_child() {
        return blocks_for_a_while();
    }
    let output = in_a_child("the_environment_switches_the_watchdog_off", Some("off"));
    assert!(output.status.success(), "{}", text(&output));
    let output = in_a_child("the_environment_switches_the_watchdog_off", Some("3600"));
    assert!(output.status.success(), "{}", text(&output));
    let output = in_a_child("the_environment_switches_the_watchdog_off", None);
    assert!(has_aborted(&output), "{}", text(&output));
}

#[test]
fn a_watchdog_that_cannot_be_understood_is_an_error() {
    if is_child() {
        let mut sim = Sim::new(1);
        sim.client("client", async { Ok(()) });
        let error = sim.run().unwrap_err().to_string();
        assert!(error.contains("GLASSNET_WATCHDOG=\"soon\""), "{error}");
        return;
    }
    let output = in_a_child("a_watchdog_that_cannot_be_understood_is_an_error", Some("soon"));
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "worlds run beside the thread that watches them")]
fn worlds_that_come_and_go_are_not_taken_for_each_other() {
    if is_child() {
        let until = std::time::Instant::now() + Duration::from_secs(2);
        // Each world has one poll at a time that could be mistaken for that of the one before.
        while std::time::Instant::now() < until {
            let mut sim = Sim::new(1);
            sim.watchdog(Duration::from_millis(300));
            sim.client("client", async {
                std::thread::sleep(Duration::from_millis(20));
                Ok(())
            });
            sim.run().unwrap();
        }
        return;
    }
    let output = in_a_child("worlds_that_come_and_go_are_not_taken_for_each_other", None);
    assert!(output.status.success(), "{}", text(&output));
}
