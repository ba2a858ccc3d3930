//! Tasks of a world on the wall clock: what blocks does so beside it, and the date is the machine's.

use std::sync::mpsc;
use std::time::Duration;

use glassnet::Live;
use glassnet::task::{JoinSet, spawn_blocking, yield_now};
use glassnet::time::{self, SystemTime};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Runs one host on a cable of its own.
fn live<F>(test: &str, main: F) -> glassnet::Result
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let directory =
        std::env::temp_dir().join(format!("glassnet-live-tasks-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let mut live = Live::cable(directory.join("cable"))?;
    live.hostname("alone").leave_signals(true);
    let ended = live.run(main);
    let _ = std::fs::remove_dir_all(&directory);
    ended
}

#[test]
fn what_blocks_has_a_thread_and_the_others_run_on() -> glassnet::Result {
    live("blocks", async {
        let (tells, hears) = mpsc::channel();
        // It waits for what a task does: in the world's own thread neither would end.
        let blocked = spawn_blocking(move || hears.recv_timeout(Duration::from_secs(20)));
        time::sleep(ms(20)).await;
        assert!(!blocked.is_finished());
        tells.send("go on")?;
        assert_eq!(blocked.await?, Ok("go on"));
        // More than there are threads.
        let mut set = JoinSet::new();
        for number in 0..600_u64 {
            set.spawn_blocking(move || {
                std::thread::sleep(ms(1));
                number
            });
        }
        assert_eq!(set.join_all().await.iter().sum::<u64>(), 599 * 300);
        // Aborted before it has begun.
        let aborted = spawn_blocking(|| panic!("never begun"));
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        yield_now().await;
        Ok(())
    })
}

#[test]
#[should_panic(expected = "on another thread")]
fn a_panic_of_what_blocks_ends_the_run() {
    let _ = live("panics", async {
        spawn_blocking(|| panic!("on another thread")).await?;
        Ok(())
    });
}

#[test]
fn the_date_is_the_machines() -> glassnet::Result {
    live("date", async {
        let ours: std::time::SystemTime = SystemTime::now().into();
        let difference = std::time::SystemTime::now().duration_since(ours)?;
        assert!(difference < Duration::from_secs(10), "{difference:?}");
        Ok(())
    })
}
