//! Programs that use tokio, in worlds.
#![cfg(feature = "tokio")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    unsafe_code,
    reason = "what runs here stands for other people's programs"
)]

mod blocking;
mod calls;
mod doubles;
mod files;
mod leaks;
mod machine;
mod messages;
mod names;
mod polling;
mod processes;
mod raw_calls;
mod signals;

use std::time::Duration;

use glassnet::{Door, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[test]
fn a_greeting_over_tokios_own_types() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:12345").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move { stream.write_all(b"Thank you for connecting").await });
        }
    });
    sim.client("client", async {
        let began = tokio::time::Instant::now();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(began.elapsed(), Duration::from_millis(50));
        let mut greeting = String::new();
        let mut stream = TcpStream::connect("10.0.0.1:12345").await?;
        stream.read_to_string(&mut greeting).await?;
        assert_eq!(greeting, "Thank you for connecting");
        assert_eq!(began.elapsed(), Duration::from_millis(56));
        Ok(())
    });
    sim.run()
}

#[test]
fn names_are_those_of_the_world_and_blocking_calls_take_its_time() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move { stream.write_all(b"hello").await });
        }
    });
    sim.client("client", async {
        let began = tokio::time::Instant::now();
        let blocking = tokio::task::spawn_blocking(|| {
            std::thread::sleep(Duration::from_millis(30));
            std::thread::spawn(|| std::thread::sleep(Duration::from_secs(1))).join().unwrap();
            7
        });
        let mut hello = String::new();
        TcpStream::connect("server:80").await?.read_to_string(&mut hello).await?;
        assert_eq!(hello, "hello");
        assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
        assert_eq!(blocking.await.unwrap(), 7);
        assert_eq!(began.elapsed(), Duration::from_millis(1_030));
        Ok(())
    });
    sim.run()
}

#[test]
fn sockets_of_std_block_a_thread_in_the_time_of_the_world() -> glassnet::Result {
    use std::io::{Read, Write};

    let mut sim = Sim::tokio(7);
    sim.host("server", || async {
        tokio::task::spawn_blocking(|| {
            let listener = std::net::TcpListener::bind("0.0.0.0:80")?;
            loop {
                let (mut stream, _) = listener.accept()?;
                std::thread::sleep(Duration::from_millis(100));
                stream.write_all(&vec![7; 1_000_000])?;
            }
        })
        .await?
    });
    sim.client("client", async {
        tokio::task::spawn_blocking(|| {
            let began = std::time::Instant::now();
            let mut stream = std::net::TcpStream::connect("server:80")?;
            stream.set_read_timeout(Some(Duration::from_millis(10)))?;
            let error = stream.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            // ARP both ways, then the handshake.
            assert_eq!(began.elapsed(), Duration::from_millis(4 + 10));
            stream.set_read_timeout(None)?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes)?;
            assert_eq!(bytes, vec![7; 1_000_000]);
            assert!(began.elapsed() > Duration::from_millis(100));
            Ok(())
        })
        .await?
    });
    sim.run()
}

#[test]
fn datagrams_and_the_calendar_are_the_worlds() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("echo", || async {
        let socket = tokio::net::UdpSocket::bind("0.0.0.0:7").await?;
        let mut buffer = [0; 100];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..len], from).await?;
        }
    });
    sim.client("client", async move {
        let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect("echo:7").await?;
        socket.send(b"hello").await?;
        let mut buffer = [0; 100];
        assert_eq!(socket.recv(&mut buffer).await?, 5);
        let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        assert_eq!(since_1970, Duration::from_nanos(946_684_800_004_000_000));
        Ok(())
    });
    sim.run()
}

#[test]
fn hosts_of_both_doors_meet_in_one_world() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.door(Door::Glassnet)
        .host("server", || async { Ok(glassnet::greeting::serve("0.0.0.0:12345").await?) });
    sim.door(Door::Tokio).client("client", async {
        let mut stream = TcpStream::connect("server:12345").await?;
        let mut greeting = String::new();
        stream.read_to_string(&mut greeting).await?;
        assert_eq!(greeting, "Thank you for connecting");
        Ok(())
    });
    sim.run()
}

#[test]
fn another_process_is_refused_and_a_blocking_read_on_the_runtime_fails() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.client("client", async {
        let error = std::process::Command::new("true").spawn().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        // A blocking read on the thread of the runtime would never end.
        let (first, _second) = std::os::unix::net::UnixStream::pair()?;
        let error = std::io::Read::read(&mut &first, &mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::Deadlock);
        Ok(())
    });
    sim.run()
}

#[test]
fn a_crash_drops_the_runtime_and_a_bounce_builds_another() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                stream.write_all(b"late").await
            });
        }
    });
    sim.at(Duration::from_millis(500)).crash("server");
    sim.at(Duration::from_millis(600)).bounce("server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:80").await?;
        stream.write_all(b"x").await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        stream.write_all(b"x").await?;
        // The server that came back knows nothing of it.
        let error = stream.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let mut late = String::new();
        TcpStream::connect("server:80").await?.read_to_string(&mut late).await?;
        assert_eq!(late, "late");
        Ok(())
    });
    sim.run()
}

#[test]
fn a_thread_may_have_a_runtime_of_its_own() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move { stream.write_all(b"hello").await });
        }
    });
    sim.client("client", async {
        let thread = tokio::task::spawn_blocking(|| {
            let began = std::time::Instant::now();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                tokio::time::sleep(Duration::from_secs(3_000)).await;
                let mut hello = String::new();
                TcpStream::connect("server:80").await?.read_to_string(&mut hello).await?;
                assert_eq!(hello, "hello");
                Ok::<_, std::io::Error>(())
            })?;
            Ok::<_, std::io::Error>(began.elapsed())
        });
        // ARP, the handshake, and the answer that follows it.
        assert_eq!(thread.await.unwrap()?, Duration::from_millis(3_000_006));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_lock_that_a_thread_outside_of_the_world_holds_is_waited_for() -> glassnet::Result {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    let lock = Arc::new(Mutex::new(0));
    let (held, ends) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let outside = {
        let (lock, held, ends) = (lock.clone(), held.clone(), ends.clone());
        std::thread::spawn(move || {
            // It has the lock most of the time, and longer than a thread of a world looks at it.
            while !ends.load(Ordering::Relaxed) {
                let mut count = lock.lock().unwrap();
                held.store(true, Ordering::Relaxed);
                *count += 1;
                std::thread::sleep(Duration::from_millis(3));
                drop(count);
                std::thread::sleep(Duration::from_millis(3));
            }
        })
    };
    while !held.load(Ordering::Relaxed) {
        std::thread::yield_now();
    }
    let run = || {
        let lock = lock.clone();
        let mut sim = Sim::tokio(7);
        sim.client("client", async move {
            for _ in 0..5 {
                let lock = lock.clone();
                let seen = tokio::task::spawn_blocking(move || *lock.lock().unwrap()).await;
                assert!(seen.unwrap() > 0);
            }
            Ok(())
        });
        sim.run()
    };
    let results: Vec<_> = (0..10).map(|_| run()).collect();
    ends.store(true, Ordering::Relaxed);
    outside.join().unwrap();
    results.into_iter().collect()
}

#[test]
fn threads_that_end_after_their_host_has_take_nothing_with_them() -> glassnet::Result {
    for seed in 0..200 {
        let mut sim = Sim::tokio(seed);
        sim.host("server", || async {
            for _ in 0..4 {
                tokio::task::spawn_blocking(|| {});
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        });
        sim.client("client", async {
            let slept = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(5)));
            tokio::time::sleep(Duration::from_millis(10)).await;
            slept.join().unwrap();
            assert_eq!(tokio::task::spawn_blocking(|| 7).await.unwrap(), 7);
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

/// The bytes of a capture.
#[derive(Clone, Default)]
struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a link carries when many clients send what a map gives them, in its order.
fn captured(seed: u64) -> Vec<u8> {
    let capture = Shared::default();
    let bytes = capture.clone();
    let world = move || -> glassnet::Result {
        let mut sim = Sim::tokio(seed);
        sim.capture_to("server", "memory", capture);
        sim.host("server", || async {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            loop {
                let (mut stream, _) = listener.accept().await?;
                tokio::spawn(async move {
                    let mut word = String::new();
                    let _ = stream.read_to_string(&mut word).await;
                });
            }
        });
        sim.client("client", async {
            let words: std::collections::HashMap<usize, String> =
                (0..20).map(|n| (n, n.to_string())).collect();
            for (n, word) in words {
                let mut stream = TcpStream::connect("server:80").await?;
                tokio::select! {
                    _ = tokio::task::yield_now() => stream.write_all(b"left").await?,
                    _ = tokio::task::yield_now() => stream.write_all(b"right").await?,
                }
                stream.write_all(word.as_bytes()).await?;
                tokio::time::sleep(Duration::from_micros(n as u64)).await;
            }
            Ok(())
        });
        sim.run()
    };
    world().unwrap();
    let bytes = bytes.0.lock().unwrap();
    bytes.clone()
}

/// The child of the test below.
#[test]
#[ignore = "run by the next test, in a process of its own"]
fn prints_what_was_captured() {
    let seed = std::env::var("SEED").unwrap().parse().unwrap();
    let bytes = captured(seed);
    assert!(bytes.len() > 10_000);
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("captured {text}");
}

#[test]
fn maps_and_selects_of_a_seed_give_the_same_bytes_in_every_process() {
    let run = |seed: &str| {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "prints_what_was_captured", "--ignored", "--nocapture"])
            .env("SEED", seed)
            .output()
            .unwrap();
        assert!(child.status.success());
        let text = String::from_utf8(child.stdout).unwrap();
        text[text.find("captured ").unwrap()..].lines().next().unwrap().to_owned()
    };
    let first = run("7");
    assert!(first == run("7"), "two processes, two captures");
    assert!(first != run("8"));
}
