//! `glassnet::Check` on many threads: what it reports does not depend on which seed ends first.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::directory::Directory;
use crate::common::ms;
use crate::{again_though_ignored, text};
use glassnet::{Check, Failure, Sim};

/// Runs one of the ignored tests of this file as a process of its own, with an environment.
fn run(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = again_though_ignored(module_path!(), test);
    // What fails here on purpose is no regression of this crate.
    command.env("GLASSNET_REGRESSIONS", "");
    command.envs(environment.iter().copied()).output().unwrap()
}

fn passes(sim: &mut Sim) -> glassnet::Result {
    sim.client("client", async { Ok(()) });
    sim.run()
}

/// The first failure takes longest, so that others have failed before it.
fn most_fail(check: Check) -> glassnet::Result {
    check.run(|sim| {
        passes(sim)?;
        match sim.seed() {
            0..5 => Ok(()),
            5 => {
                std::thread::sleep(ms(50));
                Err("the first".into())
            }
            seed if seed % 2 == 0 => panic!("seed {seed} panics"),
            seed => Err(format!("seed {seed} fails").into()),
        }
    })
}

#[test]
#[ignore = "run by the tests below"]
fn fails_from_five_on() -> glassnet::Result {
    most_fail(Check::new().seeds(30).threads(8))
}

#[test]
#[ignore = "run by the tests below"]
fn goes_on() -> glassnet::Result {
    most_fail(Check::new().seeds(30).threads(8).keep_going(true))
}

#[test]
#[ignore = "run by the tests below"]
fn is_all_right() -> glassnet::Result {
    Check::new().seeds(30).run(passes)
}

#[test]
fn the_failure_that_is_reported_is_the_first_though_it_ends_last() {
    assert!(
        text(&run("fails_from_five_on", &[("GLASSNET_SEED", "6")]))
            .contains("glassnet: seed 6 failed, the first that was run")
    );
    for threads in ["1", "2", "8"] {
        let output = run("fails_from_five_on", &[("GLASSNET_THREADS", threads)]);
        assert!(!output.status.success());
        let text = text(&output);
        assert!(text.contains("Error: the test failed: the first (seed 5, "), "{text}");
        assert!(text.contains("glassnet: seed 5 failed, after 5 seeds that passed"), "{text}");
        assert!(text.contains("replay: GLASSNET_SEED=5 cargo test "), "{text}");
        assert!(
            text.contains(" --test process check_threads::fails_from_five_on -- --exact"),
            "{text}"
        );
    }
}

#[test]
fn it_says_how_many_passed() {
    assert!(text(&run("is_all_right", &[])).contains("glassnet: 30 seeds passed"));
    let one = run("is_all_right", &[("GLASSNET_SEED", "9")]);
    assert!(text(&one).contains("glassnet: 1 seed passed"));
    let many = run("is_all_right", &[("GLASSNET_SEEDS", "1000")]);
    assert!(text(&many).contains("glassnet: 1000 seeds passed"));
}

#[test]
fn it_counts_failures_when_asked_to_by_code_or_environment() {
    for (test, environment) in [
        ("goes_on", ("GLASSNET_THREADS", "4")),
        ("fails_from_five_on", ("GLASSNET_KEEP_GOING", "1")),
    ] {
        let output = run(test, &[environment]);
        assert!(!output.status.success());
        let text = text(&output);
        let summary = "glassnet: 25 of 30 seeds failed:\n  seed 5: the test failed: the first";
        assert!(text.contains(summary), "{text}");
        assert!(text.contains("\n  seed 6: panicked: seed 6 panics\n  seed 7: the"), "{text}");
        assert!(text.contains("\n  seed 24: panicked: seed 24 panics\n  and 5 more"), "{text}");
        assert!(text.contains("Error: the test failed: the first (seed 5, "), "{text}");
    }
}

#[test]
fn seeds_run_at_once_and_each_in_a_thread_of_its_own() -> glassnet::Result {
    thread_local! {
        static USED: Cell<bool> = const { Cell::new(false) };
    }
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let seeds = Mutex::new(BTreeSet::new());
    let name = std::thread::current().name().map(str::to_owned);
    Check::new().seeds(20).threads(4).run(|sim| {
        // Nothing is left of the seed before, and the thread is called as the test.
        assert!(!USED.replace(true));
        assert_eq!(std::thread::current().name().map(str::to_owned), name);
        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        std::thread::sleep(ms(10));
        running.fetch_sub(1, Ordering::SeqCst);
        seeds.lock().unwrap().insert(sim.seed());
        passes(sim)
    })?;
    assert_eq!(seeds.into_inner()?, (0..20).collect());
    let most = most.into_inner();
    assert!((2..=4).contains(&most), "{most}");
    Ok(())
}

#[test]
fn a_seed_in_code_is_the_only_one() -> glassnet::Result {
    let seeds = Mutex::new(Vec::new());
    Check::new().seed(77).run(|sim| {
        seeds.lock().unwrap().push(sim.seed());
        passes(sim)
    })?;
    assert_eq!(*seeds.lock().unwrap(), [77]);
    // Its replay needs no variable.
    let error = Check::new().seed(77).run(|sim| {
        passes(sim)?;
        Err("fails".into())
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("\nreplay: cargo test "), "{error}");
    Ok(())
}

#[test]
fn nothing_to_check_is_an_error() {
    assert!(Check::new().seeds(0).run(passes).is_err());
}

#[test]
fn virtual_time_can_be_limited() {
    let error = Check::new().regressions(false).time_limit(ms(10)).run(|sim| {
        sim.client("client", async {
            glassnet::time::sleep(ms(11)).await;
            Ok(())
        });
        sim.run()
    });
    let error = error.unwrap_err();
    let limited = matches!(
        error.run_error().unwrap().failure(),
        Failure::TimeLimit { limit, .. } if *limit == ms(10)
    );
    assert!(limited, "{error}");
}

#[test]
#[ignore = "run by the tests below"]
fn is_in_no_run() -> glassnet::Result {
    Check::new().wall_limit(ms(200)).run(|_| {
        std::thread::sleep(Duration::from_secs(60));
        Ok(())
    })
}

#[test]
fn real_time_can_be_limited() {
    let error = Check::new().wall_limit(ms(300)).seeds(1_000).run(|sim| {
        // It would take hours to come to the end of the hour.
        sim.event_limit(u64::MAX);
        sim.client("client", async {
            loop {
                glassnet::time::sleep(Duration::from_nanos(1)).await;
            }
        });
        sim.run()
    });
    let error = error.unwrap_err();
    let run = error.run_error().unwrap();
    assert_eq!(run.seed(), 0);
    assert!(
        matches!(run.failure(), Failure::WallLimit { limit, .. } if *limit == ms(300)),
        "{error}"
    );
    let aborted = run_aborted();
    assert!(aborted.contains("has not ended after 200ms of real time"), "{aborted}");
}

/// A seed that ends by itself, each a little later than the last.
fn takes_a_while(sim: &mut Sim) -> glassnet::Result {
    std::thread::sleep(ms(5));
    passes(sim)
}

#[test]
fn seeds_that_real_time_is_too_short_for_fail_a_check() {
    for limit in [ms(0), ms(100)] {
        let check = Check::new().regressions(false).wall_limit(limit).seeds(1_000_000);
        let error = check.run(takes_a_while).unwrap_err().to_string();
        // Those that run at that moment are ended.
        let is_said = error.contains("not every seed has run within")
            || limit > ms(0) && error.contains("has not ended after 100ms of real time");
        assert!(is_said, "{error}");
    }
    // Also where quick ones end all the time while one never does.
    let check = Check::new().regressions(false).threads(4).wall_limit(ms(200)).seeds(1_000_000);
    let error = check.run(|sim| {
        if sim.seed() > 0 {
            return takes_a_while(sim);
        }
        sim.event_limit(u64::MAX);
        sim.client("client", async {
            loop {
                glassnet::time::sleep(Duration::from_nanos(1)).await;
            }
        });
        sim.run()
    });
    let error = error.unwrap_err();
    let run = error.run_error().unwrap();
    assert_eq!(run.seed(), 0);
    assert!(matches!(run.failure(), Failure::WallLimit { .. }), "{error}");
}

#[test]
#[ignore = "run by the tests below"]
fn all_seeds_capture_to_one_file() -> glassnet::Result {
    let path = std::env::temp_dir().join(format!("glassnet-one-{}.pcapng", std::process::id()));
    let ended = Check::new().seeds(8).threads(8).keep_going(true).run(|sim| {
        sim.client("client", async { Ok(()) });
        sim.capture("client", &path)?;
        std::thread::sleep(ms(50));
        sim.run()
    });
    std::fs::remove_file(&path)?;
    ended
}

#[test]
fn seeds_that_want_one_file_are_told_so_and_are_no_regressions() {
    let directory = Directory::new("one-file");
    let mut command = again_though_ignored(module_path!(), "all_seeds_capture_to_one_file");
    let output = command.env("GLASSNET_REGRESSIONS", directory.as_os_str()).output().unwrap();
    let said = text(&output);
    assert!(
        !output.status.success() && said.contains("the seeds of a check run at once"),
        "{said}"
    );
    let kept = std::fs::read_dir(&*directory).unwrap().count();
    assert_eq!(kept, 0, "{said}");
}

fn run_aborted() -> String {
    let output = run("is_in_no_run", &[]);
    assert!(!output.status.success());
    text(&output)
}
