//! What worlds leave behind in their process: nothing.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use glassnet::{Check, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// The highest number of a descriptor of a world.
static HIGHEST: AtomicI32 = AtomicI32::new(0);

/// Descriptors, threads and kilobytes of memory of this process.
fn in_use() -> (usize, usize, usize) {
    let count = |directory: &str| std::fs::read_dir(directory).unwrap().count();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    (count("/proc/self/fd"), count("/proc/self/task"), pages * 4)
}

/// Sockets, timers, tasks that never end, threads, names, files of the world, a crash.
fn world(seed: u64) -> glassnet::Result {
    let mut sim = Sim::tokio(seed);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        tokio::spawn(std::future::pending::<()>());
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                stream.write_all(b"hello").await?;
                std::future::pending::<std::io::Result<()>>().await
            });
        }
    });
    sim.at(Duration::from_millis(500)).bounce("server");
    sim.client("client", async {
        let datagrams = UdpSocket::bind("0.0.0.0:9").await?;
        // The lowest number that is free.
        HIGHEST.fetch_max(std::os::fd::AsRawFd::as_raw_fd(&datagrams), Ordering::Relaxed);
        let pair = tokio::net::UnixStream::pair()?;
        let _device = std::fs::File::open("/dev/null")?;
        tokio::spawn(async move {
            let _pair = pair;
            tokio::time::sleep(Duration::from_secs(1_000)).await;
        });
        let mut hello = [0; 5];
        let mut stream = TcpStream::connect("server:80").await?;
        stream.read_exact(&mut hello).await?;
        let slept = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(5)));
        tokio::task::spawn_blocking(move || slept.join()).await?.map_err(|_| "panicked")?;
        // It is in the pool of blocking threads when its runtime ends.
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)));
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    sim.run()
}

#[test]
fn a_thousand_worlds_in_a_row_leave_nothing_behind() -> glassnet::Result {
    // A process of its own, where nobody else opens files and starts threads.
    Check::new().seed(7).process(true).run(|sim| {
        let run = |from: u64, to: u64| (from..to).try_for_each(world);
        // What is made once is made, and memory has grown to what is used.
        run(0, 100)?;
        let (before, highest) = (settled(), HIGHEST.load(Ordering::Relaxed));
        run(100, 1_100)?;
        let after = settled();
        assert!(after.0 <= before.0, "descriptors: {} before, {} after", before.0, after.0);
        assert!(after.1 <= before.1, "threads: {} before, {} after", before.1, after.1);
        // A kilobyte a world would be 1,000.
        assert!(after.2 < before.2 + 1_000, "kB of memory: {} before, {} after", before.2, after.2);
        let after = HIGHEST.load(Ordering::Relaxed);
        assert_eq!(after, highest, "numbers of descriptors of worlds have grown");
        sim.client("client", async { Ok(()) });
        sim.run()
    })
}

/// What is in use once the kernel has taken back threads that have ended.
fn settled() -> (usize, usize, usize) {
    let mut least = in_use();
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(10));
        let now = in_use();
        if now.1 >= least.1 && least.1 <= 4 {
            break;
        }
        least = now;
    }
    least
}

#[test]
#[ignore = "run by the next test"]
fn a_thread_spins() -> glassnet::Result {
    let mut sim = Sim::tokio(77);
    sim.watchdog(Duration::from_millis(300));
    sim.host("idle", std::future::pending);
    sim.client("client", async {
        let spins = || {
            loop {
                std::hint::spin_loop();
            }
        };
        let spins = std::thread::Builder::new().name("spinning".to_owned()).spawn(spins)?;
        tokio::task::spawn_blocking(|| spins.join()).await?.map_err(|_| "panicked".into())
    });
    sim.run()
}

#[test]
fn a_thread_that_neither_waits_nor_ends_is_named() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leaks::a_thread_spins", "--ignored"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("glassnet: host `client`: main spawned at tests/tokio/leaks.rs"),
        "{text}"
    );
    assert!(text.contains("`spinning` (number "), "{text}");
    assert!(text.contains("neither waited nor ended for 300ms"), "{text}");
    assert!(text.contains("(seed 77, at 0.000000000s)"), "{text}");
}
