//! What counts on the state of its process, or ends it: the environment, panics that nobody
//! catches, aborts, exits, the last frames of failed runs. Most of it happens in a process of its
//! own: this program, called again for one test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "processes are what is tested"
)]

use std::process::{Command, Output};

#[cfg(target_os = "linux")]
mod capture_ends;
mod check;
mod check_threads;
#[path = "../common/mod.rs"]
mod common;
mod determinism;
mod last_frames;
mod replay;
mod report;
mod test_attribute;
mod watchdog;

/// This program, to be called again for one test of a module that gives its `module_path!()`.
/// What the environment says to worlds is not for it.
fn again(module: &str, test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &path_of(module, test)]);
    for variable in
        ["SEED", "SEEDS", "KEEP_GOING", "THREADS", "PCAP_DIR", "WATCHDOG", "DETERMINISM"]
    {
        command.env_remove(format!("GLASSNET_{variable}"));
    }
    command
}

/// The same for an ignored test, whose output is seen.
fn again_though_ignored(module: &str, test: &str) -> Command {
    let mut command = again(module, test);
    command.args(["--ignored", "--nocapture"]);
    command
}

/// The name that a test has in this program.
fn path_of(module: &str, test: &str) -> String {
    match module.split_once("::") {
        Some((_, module)) => format!("{module}::{test}"),
        None => test.to_owned(),
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
