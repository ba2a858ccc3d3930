//! `glassnet::check` and what the environment may ask for.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::process::{Command, Output};

use glassnet::Sim;
use glassnet::greeting::{self, GREETING};
use glassnet::net::TcpStream;

/// Runs one of the ignored tests of this file as a process of its own, with an environment.
fn run(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    for variable in ["GLASSNET_SEED", "GLASSNET_SEEDS", "GLASSNET_PCAP_DIR"] {
        command.env_remove(variable);
    }
    command.envs(environment.iter().copied()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn seeds_of(output: &Output) -> Vec<u64> {
    let text = text(output);
    text.lines().filter_map(|line| line.strip_prefix("seed ")?.parse().ok()).collect()
}

#[test]
#[ignore = "run by the tests below"]
fn a_greeting() -> glassnet::Result {
    glassnet::check(|sim| {
        println!("\nseed {}", format!("{sim:?}").split(&[' ', ','][..]).nth(3).unwrap());
        sim.link("client", "server").loss(0.05);
        sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
        sim.client("client", async {
            assert_eq!(greeting::greet("server:12345").await?, GREETING);
            Ok(())
        });
        sim.run()
    })
}

#[test]
#[ignore = "run by the tests below"]
fn a_refusal() -> glassnet::Result {
    glassnet::check(|sim| {
        sim.client("client", async { Ok(TcpStream::connect("localhost:1").await.map(drop)?) });
        sim.run()
    })
}

#[test]
#[ignore = "run by the tests below"]
fn two_worlds_of_one_seed() -> glassnet::Result {
    let mut worlds = [Sim::new(5), Sim::new(5)];
    for sim in &mut worlds {
        sim.client("client", async { Ok(()) });
        sim.run()?;
    }
    Ok(())
}

#[test]
fn a_check_runs_ten_seeds_unless_more_or_one_are_asked_for() {
    assert_eq!(seeds_of(&run("a_greeting", &[])), (0..10).collect::<Vec<_>>());
    assert_eq!(seeds_of(&run("a_greeting", &[("GLASSNET_SEEDS", "25")])).len(), 25);
    assert_eq!(seeds_of(&run("a_greeting", &[("GLASSNET_SEED", "77")])), [77]);
}

#[test]
fn a_failure_says_how_to_replay_it() {
    let output = run("a_refusal", &[("GLASSNET_SEED", "5")]);
    assert!(!output.status.success());
    let text = text(&output);
    assert!(text.contains("client `client` failed: Connection refused"), "{text}");
    assert!(text.contains("seed 5"), "{text}");
    assert!(text.contains("replay: GLASSNET_SEED=5 cargo test "), "{text}");
    assert!(text.contains(" --test check a_refusal -- --exact --ignored"), "{text}");
}

#[test]
fn a_variable_that_is_no_number_is_an_error() {
    for (variable, value) in [("GLASSNET_SEED", "seven"), ("GLASSNET_SEEDS", "0")] {
        let output = run("a_greeting", &[(variable, value)]);
        assert!(!output.status.success());
        assert!(text(&output).contains(variable), "{}", text(&output));
    }
}

#[test]
fn a_capture_of_each_host_is_kept_on_request() {
    let directory = std::env::temp_dir().join(format!("glassnet-pcap-dir-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let kept = directory.to_str().unwrap();
    let output = run("a_greeting", &[("GLASSNET_SEED", "3"), ("GLASSNET_PCAP_DIR", kept)]);
    assert!(output.status.success(), "{}", text(&output));
    for host in ["client", "server"] {
        let file = directory.join(format!("a_greeting-seed3-{host}.pcapng"));
        let bytes = std::fs::read(&file).unwrap();
        assert!(
            bytes.windows(GREETING.len()).any(|window| window == GREETING.as_bytes()),
            "{host}"
        );
    }
    let output = run("two_worlds_of_one_seed", &[("GLASSNET_PCAP_DIR", kept)]);
    assert!(output.status.success(), "{}", text(&output));
    for file in ["two_worlds_of_one_seed-seed5-client", "two_worlds_of_one_seed-seed5-2-client"] {
        assert!(directory.join(format!("{file}.pcapng")).exists(), "{file}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
    let output = run("a_greeting", &[("GLASSNET_PCAP_DIR", "/nowhere/at/all")]);
    assert!(!output.status.success());
    assert!(text(&output).contains("GLASSNET_PCAP_DIR"), "{}", text(&output));
}
