//! A seed gives the same bytes, in another process too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::capture::DIRECTORY;

/// Tests of this file's neighbours that leave captures.
const TESTS: [&str; 8] = [
    "http::axum_answers_reqwest_under_loss",
    "http2::reqwest_multiplexes_requests_over_tls",
    "http2::reqwest_multiplexes_requests_with_prior_knowledge",
    "grpc::a_call_has_a_deadline",
    "redis::a_client_sets_and_gets",
    "postgres::a_query_is_prepared_and_answered",
    "websocket::three_clients_chat",
    "dns::hickory_asks_the_server_of_the_world",
];

#[test]
fn a_seed_gives_the_same_captures_in_another_process() {
    for test in TESTS {
        let [first, second] = ["first", "second"].map(|run| run_alone(test, run));
        let names = |directory: &Path| {
            let entries = fs::read_dir(directory).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&first), names(&second), "{test}");
        assert!(!names(&first).is_empty(), "{test} leaves no capture");
        for name in names(&first) {
            let [first, second] = [&first, &second].map(|run| fs::read(run.join(&name)).unwrap());
            assert!(first == second, "{test}: {} differs", name.display());
        }
    }
}

/// Runs a test in a process of its own. Returns the directory with its captures.
fn run_alone(test: &str, run: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reproducible").join(run);
    let directory = directory.join(test.replace("::", "-"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", test]).env(DIRECTORY, &directory);
    let output = alone.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{test}: {said}");
    directory
}
