//! A process for each seed.

use std::collections::HashMap;
use std::process::{Command, Output};
use std::time::Duration;

use glassnet::{Check, Failure, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// This program, called again for one of the ignored tests of this file.
fn again(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("processes::{test}"), "--ignored", "--nocapture"]);
    command.env("GLASSNET_REGRESSIONS", "").envs(environment.iter().copied());
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn failing() -> Check {
    Check::new().tokio().regressions(false)
}

/// What a test says that fails with it.
fn said(check: Check, say: impl Fn() -> String + Sync) -> String {
    let error = check.seed(5).run(|sim| {
        sim.client("client", async { Ok(()) });
        sim.run()?;
        Err(say().into())
    });
    let error = error.unwrap_err().to_string();
    error.lines().next().unwrap().to_owned()
}

#[glassnet::test(tokio, seeds = 4)]
fn a_test_of_programs_that_use_tokio(sim: &mut Sim) -> glassnet::Result {
    sim.link("client", "server").loss(0.05);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move { stream.write_all(b"hello").await });
        }
    });
    sim.client("client", async {
        let mut hello = String::new();
        TcpStream::connect("server:80").await?.read_to_string(&mut hello).await?;
        assert_eq!(hello, "hello");
        Ok(())
    });
    sim.run()
}

#[glassnet::test(tokio, seeds = 2)]
async fn a_test_on_the_only_host() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let connects = tokio::spawn(TcpStream::connect(listener.local_addr()?));
    listener.accept().await?;
    connects.await??;
    Ok(())
}

async fn sleeps() -> glassnet::Result {
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[glassnet::test(tokio, direct, seeds = 2)]
fn a_test_in_the_process_of_the_others(sim: &mut Sim) -> glassnet::Result {
    sim.client("client", sleeps());
    sim.run()
}

#[glassnet::test(tokio, seed = 1)]
#[should_panic(expected = "as it should")]
async fn a_panic_in_the_other_process_is_one_of_the_test() {
    panic!("as it should");
}

#[glassnet::test(process, seed = 1)]
async fn a_program_that_does_not_use_tokio_may_have_a_process_too() {
    glassnet::time::sleep(Duration::from_secs(1)).await;
}

#[test]
fn each_seed_has_a_process_of_its_own_unless_it_is_not_wanted() {
    let process = || format!("process {}", std::process::id());
    let here = process();
    let first = said(failing(), process);
    let second = said(failing(), process);
    assert!(first.contains("process ") && !first.contains(&here), "{first}");
    assert!(first != second && !second.contains(&here), "{first} {second}");
    assert!(said(failing().process(false), process).contains(&here));
}

#[test]
fn the_environment_of_such_a_process_is_a_short_list_and_what_is_added() {
    // Set by cargo for this process, and by nobody.
    let environment = || {
        let is_known = |name: &str| {
            ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE", "TZ", "ADDED"]
                .contains(&name)
                || ["CARGO", "RUST", "GLASSNET_", "NEXTEST", "OPENSSL_ia32cap"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        };
        let others = std::env::vars().map(|(name, _)| name).filter(|name| !is_known(name));
        let of = |name: &str| std::env::var(name).unwrap_or_default();
        let others = others.collect::<Vec<_>>();
        format!("{others:?} {} {} {}", of("ADDED"), of("TZ"), of("OPENSSL_ia32cap"))
    };
    let said = said(failing().env("ADDED", "by the test"), environment);
    assert!(said.contains("[] by the test UTC ~0x4000000000000000"), "{said}");
    let error = failing().process(false).env("ADDED", "in vain").run(|_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("Check::process"), "{error}");
}

#[test]
#[ignore = "run by the next test"]
fn fails_with_addresses() -> glassnet::Result {
    Check::new().tokio().seed(5).run(|sim| {
        sim.client("client", async { Ok(()) });
        sim.run()?;
        let (on_stack, on_heap) = (0_u8, Box::new(0_u8));
        let main = fails_with_addresses as fn() -> glassnet::Result;
        Err(format!("{:p} {:p} {main:p}", &raw const on_stack, on_heap).into())
    })
}

#[test]
fn addresses_are_the_same_in_each_process() {
    let addresses = || {
        let text = text(&again("fails_with_addresses", &[]));
        text.lines().find(|line| line.contains("0x")).map(str::to_owned).unwrap()
    };
    assert_eq!(addresses(), addresses());
}

#[test]
fn the_failure_of_a_client_is_that_of_the_check() {
    let error = failing().seeds(3).run(|sim| {
        sim.client("client", async {
            TcpStream::connect("localhost:1").await?;
            Ok(())
        });
        sim.run()
    });
    let error = error.unwrap_err();
    let run_error = error.run_error().unwrap();
    assert!(matches!(run_error.failure(), Failure::Client { name, .. } if name == "client"));
    assert_eq!(run_error.seed(), 0);
    let text = error.to_string();
    assert!(text.starts_with("client `client` failed: Connection refused"), "{text}");
    assert_eq!(text.matches("\nreplay: GLASSNET_SEED=0 ").count(), 1, "{text}");
}

#[test]
fn a_crash_fails_its_seed_and_nothing_else() {
    let error = failing().seeds(5).run(|sim| {
        let crashes = sim.seed() == 3;
        sim.client("client", async move {
            if crashes {
                std::process::abort();
            }
            Ok(())
        });
        sim.run()
    });
    let error = error.unwrap_err();
    let run_error = error.run_error().unwrap();
    assert!(matches!(run_error.failure(), Failure::Process { .. }), "{error}");
    assert_eq!(run_error.seed(), 3);
    let text = error.to_string();
    let expected =
        "the process of this seed was ended by signal 6 (SIGABRT) before the test had ended";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("\nreplay: GLASSNET_SEED=3 "), "{text}");
}

#[test]
fn a_program_that_exits_fails_its_seed() {
    let error = failing().seed(9).run(|sim| {
        sim.client("client", async { std::process::exit(3) });
        sim.run()
    });
    let text = error.unwrap_err().to_string();
    assert!(text.contains("the process of this seed has exited with 3"), "{text}");
}

#[test]
fn a_hang_ends_with_the_wall_limit_and_fails_its_seed() {
    let check = failing().seeds(2).threads(2).wall_limit(Duration::from_secs(2));
    let error = check.run(|sim| {
        let hangs = sim.seed() == 1;
        sim.client("client", async move {
            if hangs {
                loop {
                    std::hint::spin_loop();
                }
            }
            Ok(())
        });
        sim.run()
    });
    let error = error.unwrap_err();
    let run_error = error.run_error().unwrap();
    assert!(matches!(run_error.failure(), Failure::WallLimit { .. }), "{error}");
    assert_eq!(run_error.seed(), 1);
}

#[test]
#[ignore = "run by the tests below"]
fn prints_and_fails() -> glassnet::Result {
    Check::new().tokio().threads(1).seeds(3).run(|sim| {
        println!("seed {} has begun", sim.seed());
        eprintln!("seed {} complains", sim.seed());
        sim.client("client", async { Ok(()) });
        sim.run()?;
        if sim.seed() == 2 { Err("the third".into()) } else { Ok(()) }
    })
}

#[test]
fn what_the_processes_print_is_passed_on() {
    let output = again("prints_and_fails", &[]);
    assert!(!output.status.success());
    let text = text(&output);
    for seed in 0..3 {
        assert_eq!(text.matches(&format!("seed {seed} has begun\n")).count(), 1, "{text}");
        assert_eq!(text.matches(&format!("seed {seed} complains\n")).count(), 1, "{text}");
    }
    assert_eq!(text.matches("running 1 test").count(), 1, "{text}");
    assert!(text.contains("Error: the test failed: the third (seed 2, "), "{text}");
    assert!(text.contains("glassnet: seed 2 failed, after 2 seeds that passed"), "{text}");
}

/// Hashes at random, selects at random, and addresses of memory go into frames.
fn is_random(sim: &mut Sim) -> glassnet::Result {
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
        }
    });
    sim.client("client", async {
        let words: HashMap<usize, String> = (0..20).map(|n| (n, n.to_string())).collect();
        for word in words.values() {
            let mut stream = TcpStream::connect("server:80").await?;
            tokio::select! {
                _ = tokio::task::yield_now() => stream.write_all(b"left").await?,
                _ = tokio::task::yield_now() => stream.write_all(b"right").await?,
            }
            stream.write_all(format!("{word} {:p}", word.as_ptr()).as_bytes()).await?;
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn a_seed_gives_the_same_run_in_two_processes() -> glassnet::Result {
    Check::new().tokio().seeds(3).determinism(true).run(is_random)
}

/// How fast that is: `cargo test --features tokio --test tokio -- --ignored --nocapture seeds_a_second`.
#[test]
#[ignore = "a figure"]
fn seeds_a_second() -> glassnet::Result {
    for (name, process) in [("in processes of their own", true), ("in this process", false)] {
        let began = std::time::Instant::now();
        let seeds = if process { 200 } else { 2_000 };
        Check::new().tokio().process(process).seeds(seeds).run(|sim| {
            sim.client("client", sleeps());
            sim.run()
        })?;
        let rate = seeds as f64 / began.elapsed().as_secs_f64();
        eprintln!("{name}: {rate:.0} seeds a second");
    }
    Ok(())
}
