//! The last line of a report: the command that runs the failed test again.

use std::process::Command;

use crate::{again_though_ignored, text};
use glassnet::Sim;

#[test]
#[ignore = "run by the tests below"]
fn a_test_that_fails() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.client("client", async { Err("too bad".into()) });
    sim.run()
}

#[test]
#[ignore = "run by the tests below"]
fn a_check_that_fails() -> glassnet::Result {
    glassnet::check(|sim| {
        sim.client("client", async { Err("too bad".into()) });
        sim.run()
    })
}

#[test]
#[ignore = "run by the tests below"]
fn a_test_that_fails_in_a_thread_of_its_own() {
    let failed = std::thread::spawn(|| {
        let mut sim = Sim::new(7);
        sim.client("client", async { Err("too bad".into()) });
        sim.run().unwrap_err().to_string()
    });
    panic!("{}", failed.join().unwrap());
}

/// What a shell has that was not started by cargo.
fn like_a_shell(command: &mut Command) -> &mut Command {
    let of_cargo = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "GLASSNET_"];
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        let one = ["CARGO", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "LD_LIBRARY_PATH"];
        if of_cargo.iter().any(|prefix| name.starts_with(prefix)) || one.contains(&&*name) {
            command.env_remove(&variable);
        }
    }
    command
}

/// Fails one of the tests above, and does what its report says.
fn replayed(test: &str) -> (String, String) {
    let mut failing = again_though_ignored(module_path!(), test);
    // What fails here on purpose is no regression of this crate.
    let failing = failing.env("GLASSNET_REGRESSIONS", "").output().unwrap();
    let report = text(&failing);
    let replay = report.lines().find_map(|line| line.split_once("replay: ")).expect(&report).1;
    let mut shell = Command::new("sh");
    shell.args(["-c", replay]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let shell = like_a_shell(&mut shell).env("GLASSNET_REGRESSIONS", "");
    let output = text(&shell.output().unwrap());
    (replay.to_owned(), output)
}

#[test]
fn the_replay_line_runs_the_failed_test_and_no_other() {
    let (replay, output) = replayed("a_test_that_fails");
    assert!(output.contains("test result: FAILED. 0 passed; 1 failed; 0 ignored"), "{output}");
    assert!(output.contains("client `client` failed: too bad (seed 7"), "{output}");
    assert!(output.contains(&format!("replay: {replay}")), "{replay}\n{output}");
}

#[test]
fn the_replay_line_of_a_check_runs_the_seed_that_failed() {
    let (replay, output) = replayed("a_check_that_fails");
    assert!(replay.starts_with("GLASSNET_SEED=0 "), "{replay}");
    assert!(output.contains("0 passed; 1 failed"), "{output}");
    assert!(output.contains(&format!("replay: {replay}")), "{replay}\n{output}");
}

#[test]
fn the_replay_line_of_a_thread_without_a_name_runs_the_test_that_was_asked_for() {
    let (replay, output) = replayed("a_test_that_fails_in_a_thread_of_its_own");
    assert!(output.contains("0 passed; 1 failed"), "{replay}\n{output}");
}
