//! `glassnet::check` and what the environment may ask for.

use std::cell::Cell;
use std::path::Path;
use std::process::Output;
use std::rc::Rc;
use std::time::Duration;

use crate::common::directory::Directory;
use crate::{again_though_ignored, text};
use glassnet::Sim;
use glassnet::greeting::{self, GREETING};
use glassnet::net::{TcpStream, UdpSocket};

/// Runs one of the ignored tests of this file as a process of its own, with an environment, and one
/// seed after the other unless that says otherwise.
fn run(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = again_though_ignored(module_path!(), test);
    command.env("GLASSNET_THREADS", "1");
    // What fails here on purpose is no regression of this crate.
    command.env("GLASSNET_REGRESSIONS", "");
    command.envs(environment.iter().copied()).output().unwrap()
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

/// A test that fails with some seeds: on a lossy link, how many of ten datagrams arrive.
fn enough_datagrams_arrive(judge: impl Fn(u32) -> glassnet::Result + Sync) -> glassnet::Result {
    glassnet::check(|sim| {
        println!("\nseed {}", sim.seed());
        let arrived = Rc::new(Cell::new(0));
        let counted = arrived.clone();
        sim.link("sender", "receiver").loss(0.3);
        sim.host("receiver", move || {
            let counted = counted.clone();
            async move {
                let socket = UdpSocket::bind("0.0.0.0:9").await?;
                loop {
                    socket.recv_from(&mut [0; 9]).await?;
                    counted.set(counted.get() + 1);
                }
            }
        });
        sim.host("sender", || async {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            for _ in 0..10 {
                socket.send_to(b"x", "receiver:9").await?;
            }
            Ok(())
        });
        sim.run_for(Duration::from_secs(1))?;
        judge(arrived.get())
    })
}

#[test]
#[ignore = "run by the tests below"]
fn a_panic_after_the_run() -> glassnet::Result {
    enough_datagrams_arrive(|arrived| {
        assert!(arrived > 3, "{arrived} arrived");
        Ok(())
    })
}

#[test]
#[ignore = "run by the tests below"]
fn an_error_after_the_run() -> glassnet::Result {
    enough_datagrams_arrive(|arrived| match arrived {
        0..=3 => Err(format!("{arrived} arrived").into()),
        _ => Ok(()),
    })
}

#[test]
#[ignore = "run by the tests below"]
#[should_panic = "on purpose"]
fn a_panic_that_should_be() {
    let _ = glassnet::check(|sim| {
        sim.client("client", async { Ok(()) });
        sim.run()?;
        panic!("on purpose");
    });
}

#[test]
#[ignore = "run by the tests below"]
fn a_world_that_is_not_run() -> glassnet::Result {
    glassnet::check(|sim| {
        sim.client("client", async { Ok(()) });
        Ok(())
    })
}

#[test]
#[ignore = "run by the tests below"]
fn a_panic_without_a_check() {
    let mut sim = Sim::new(1234);
    sim.client("client", async { Ok(()) });
    sim.run().unwrap();
    panic!("after the run");
}

#[test]
#[ignore = "run by the tests below"]
fn a_panic_about_an_error_of_the_run() {
    let mut sim = Sim::new(1234);
    sim.client("client", async { Err("of the client".into()) });
    sim.run().unwrap();
}

#[test]
#[ignore = "run by the tests below"]
fn a_panic_after_an_error_that_was_meant_to_be() {
    let mut sim = Sim::new(1234);
    sim.client("client", async { Err("of the client".into()) });
    assert!(sim.run().is_err());
    panic!("after the run");
}

#[test]
#[ignore = "run by the tests below"]
fn a_panic_in_a_task() {
    let mut sim = Sim::new(1234);
    sim.client("client", async { panic!("in the client") });
    let _ = sim.run();
}

/// The first of the seeds that a run tried which failed: the last of them.
fn failed_seed(output: &Output) -> u64 {
    assert!(!output.status.success(), "{}", text(output));
    *seeds_of(output).last().unwrap()
}

/// The commands that a text says to run again.
fn replays(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("replay: ")).collect()
}

#[test]
fn whatever_leaves_a_check_says_seed_and_replay_once() {
    for test in ["a_panic_after_the_run", "an_error_after_the_run"] {
        let output = run(test, &[("GLASSNET_SEEDS", "1000")]);
        let (seed, text) = (failed_seed(&output), text(&output));
        assert!(seed > 0, "the first seed is no proof: {text}");
        assert!(text.contains(" arrived"), "{text}");
        assert!(text.contains(&format!("(seed {seed}, at 1.000000000s)")), "{text}");
        assert_eq!(replays(&text).len(), 1, "{text}");
        // Features and profile of this run stand between.
        assert!(
            replays(&text)[0].starts_with(&format!("GLASSNET_SEED={seed} cargo test ")),
            "{text}"
        );
        assert!(replays(&text)[0].contains(&format!("--test process check::{test} ")), "{text}");
        // And that is what fails again.
        assert_eq!(failed_seed(&run(test, &[("GLASSNET_SEED", &seed.to_string())])), seed);
    }
}

#[test]
fn a_check_that_should_panic_may() {
    let output = run("a_panic_that_should_be", &[]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_check_whose_test_does_not_run_its_world_fails_and_says_the_seed() {
    let output = run("a_world_that_is_not_run", &[]);
    assert!(!output.status.success());
    let text = text(&output);
    assert!(text.contains("never run"), "{text}");
    let [replay] = &replays(&text)[..] else { panic!("{text}") };
    assert!(replay.starts_with("GLASSNET_SEED=0 cargo test "), "{text}");
    assert!(replay.contains("--test process check::a_world_that_is_not_run "), "{text}");
}

#[test]
fn a_panic_while_a_world_is_alive_says_seed_and_replay_once() {
    for test in [
        "a_panic_without_a_check",
        "a_panic_about_an_error_of_the_run",
        "a_panic_after_an_error_that_was_meant_to_be",
        "a_panic_in_a_task",
    ] {
        let output = run(test, &[]);
        assert!(!output.status.success());
        let text = text(&output);
        assert_eq!(text.matches("(seed 1234, at 0.000000000s)").count(), 1, "{text}");
        assert_eq!(text.matches("replay: cargo test").count(), 1, "{text}");
    }
}

#[test]
fn a_seed_that_failed_is_kept_and_run_first() {
    let kept = Directory::new("check-regressions");
    let environment =
        [("GLASSNET_SEEDS", "1000"), ("GLASSNET_REGRESSIONS", kept.to_str().unwrap())];
    let first = run("a_panic_after_the_run", &environment);
    let seed = failed_seed(&first);
    let file = kept.join("tests/process/check.txt");
    assert!(text(&first).contains(&format!("kept: seed {seed} in {}", file.display())));
    let second = run("a_panic_after_the_run", &environment);
    assert_eq!(seeds_of(&second), [seed]);
    // Another test of the same file runs its own alone, which are added.
    let other = run("an_error_after_the_run", &environment);
    assert_eq!(seeds_of(&other), (0..=seed).collect::<Vec<_>>());
    let lines = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = lines.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            format!("check::a_panic_after_the_run {seed}"),
            format!("check::an_error_after_the_run {seed}")
        ]
    );
    // A seed that is pinned is run alone, and one that passes is run once.
    let pinned = run("a_panic_after_the_run", &[environment[1], ("GLASSNET_SEED", "0")]);
    assert_eq!(seeds_of(&pinned), [0]);
    std::fs::write(&file, "check::a_greeting 3\ncheck::a_greeting 70\n").unwrap();
    let passes = run("a_greeting", &[environment[1], ("GLASSNET_SEEDS", "5")]);
    assert_eq!(seeds_of(&passes), [3, 70, 0, 1, 2, 4]);
}

#[test]
fn a_file_of_failed_seeds_that_cannot_be_written_is_no_error_of_its_own() {
    let environment = [("GLASSNET_SEED", "5"), ("GLASSNET_REGRESSIONS", "/dev/null")];
    let output = run("a_refusal", &environment);
    let text = text(&output);
    assert!(text.contains("Connection refused"), "{text}");
    assert_eq!(
        text.matches("not kept: cannot write /dev/null/tests/process/check.txt").count(),
        1,
        "{text}"
    );
    assert!(run("a_greeting", &environment).status.success());
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
    assert!(text.contains(" --test process check::a_refusal -- --exact --ignored"), "{text}");
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
    let directory = Directory::new("check-pcap-dir");
    // Made if it is missing, with those above it.
    let kept = format!("{}/made/for/it", directory.display());
    let output = run("a_greeting", &[("GLASSNET_SEED", "3"), ("GLASSNET_PCAP_DIR", &kept)]);
    assert!(output.status.success(), "{}", text(&output));
    for host in ["client", "server"] {
        let file =
            Path::new(&kept).join(format!("glassnet-process-check-a_greeting-seed3-{host}.pcapng"));
        let bytes = std::fs::read(&file).unwrap();
        assert!(
            bytes.windows(GREETING.len()).any(|window| window == GREETING.as_bytes()),
            "{host}"
        );
    }
    let output = run("two_worlds_of_one_seed", &[("GLASSNET_PCAP_DIR", &kept)]);
    assert!(output.status.success(), "{}", text(&output));
    for seed in ["seed5", "seed5-2"] {
        let file = format!("glassnet-process-check-two_worlds_of_one_seed-{seed}-client.pcapng");
        assert!(Path::new(&kept).join(&file).exists(), "{file}");
    }
    let output = run("a_greeting", &[("GLASSNET_PCAP_DIR", "/dev/null/below")]);
    assert!(!output.status.success());
    assert!(text(&output).contains("GLASSNET_PCAP_DIR"), "{}", text(&output));
}
