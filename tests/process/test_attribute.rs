//! `#[glassnet::test]` in its forms.

use std::time::Duration;

use crate::{again, text};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::{Sim, greeting};

/// A world, an error of this crate's.
#[glassnet::test]
fn a_world_is_set_up_and_run(sim: &mut Sim) -> glassnet::Result {
    sim.link("client", "server").loss(0.05);
    sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
    sim.client("client", async { Ok(greeting::greet("server:12345").await.map(drop)?) });
    sim.run()
}

/// The only host, an error that is not of this crate.
#[glassnet::test(seed = 7)]
async fn the_only_host() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let connects = glassnet::spawn(TcpStream::connect(listener.local_addr()?));
    listener.accept().await?;
    connects.await??;
    Ok(())
}

/// Neither has to return anything.
#[glassnet::test(seeds = 3)]
async fn nothing_is_returned() {
    glassnet::time::sleep(Duration::from_secs(1)).await;
}

#[glassnet::test(seeds = 3, keep_going, timeout = "10s", wall = "1min")]
pub(crate) fn nothing_is_returned_by_a_world(sim: &mut glassnet::Sim) {
    sim.client("client", async { Ok(()) });
    sim.run().unwrap();
    println!("seed {} has run", sim.seed());
}

const LIMIT: Duration = Duration::from_millis(5);

#[glassnet::test(seed = 1, timeout = LIMIT)]
#[should_panic(expected = "not every client has ended after 5ms")]
async fn virtual_time_runs_out() {
    glassnet::time::sleep(Duration::from_millis(6)).await;
}

#[should_panic = "on purpose"]
#[glassnet::test]
async fn a_panic_that_should_be() {
    panic!("on purpose");
}

#[glassnet::test]
#[should_panic(expected = "the world was never run")]
fn a_world_that_is_not_run(sim: &mut Sim) {
    sim.client("client", async { Ok(()) });
}

mod renamed {
    mod inner {
        pub(super) use ::glassnet as network;
    }
    use glassnet::Sim;

    #[glassnet::test(crate = "self::inner::network", seeds = 2)]
    fn the_crate_may_be_called_otherwise(sim: &mut Sim) -> glassnet::Result {
        sim.client("client", async { Ok(()) });
        sim.run()
    }
}

#[glassnet::test]
#[ignore = "run by the tests below"]
async fn fails() -> Result<(), String> {
    Err(format!("drew {}", glassnet::rng().next_u64()))
}

#[glassnet::test(seed = 99)]
#[ignore = "run by the tests below"]
async fn fails_with_its_seed() -> Result<(), &'static str> {
    Err("as it should")
}

#[glassnet::test(wall = "200ms")]
#[ignore = "run by the tests below"]
async fn never_ends() {
    loop {
        glassnet::time::sleep(Duration::from_nanos(1)).await;
    }
}

fn run(test: &str, arguments: &[&str]) -> String {
    let mut command = again(module_path!(), test);
    command.arg("--ignored").args(arguments);
    let output = command.env("GLASSNET_REGRESSIONS", "").output().unwrap();
    assert!(!output.status.success());
    text(&output)
}

#[test]
fn so_many_seeds_are_run_as_the_attribute_says() {
    let mut command = again(module_path!(), "nothing_is_returned_by_a_world");
    let said = text(&command.arg("--nocapture").output().unwrap());
    assert_eq!(said.matches(" has run").count(), 3, "{said}");
    assert!(said.contains("3 seeds passed"), "{said}");
}

#[test]
fn a_failure_says_seed_and_replay_whatever_runs_it() {
    // As cargo runs tests, as cargo-nextest does, and where there is one processor.
    for arguments in [&[][..], &["--nocapture"], &["--test-threads=1"]] {
        let text = run("fails", arguments);
        assert!(text.contains("(seed 0, at 0.000000000s)"), "{text}");
        assert!(text.contains("replay: GLASSNET_SEED=0 cargo test "), "{text}");
        assert!(
            text.contains(" --test process test_attribute::fails -- --exact --ignored"),
            "{text}"
        );
        let text = run("fails_with_its_seed", arguments);
        assert!(text.contains("as it should (seed 99, at 0.000000000s)"), "{text}");
        assert!(text.contains("replay: cargo test "), "{text}");
    }
}

#[test]
fn real_time_runs_out() {
    let text = run("never_ends", &[]);
    assert!(text.contains("the test has not ended after 200ms of real time"), "{text}");
}
