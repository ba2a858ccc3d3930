//! Programs that look again and again whether something has come, instead of waiting for it.

use std::io::ErrorKind::WouldBlock;
use std::io::Read;
use std::time::{Duration, Instant};

use glassnet::Sim;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// A world with a server that says something after 10 ms.
fn world() -> Sim {
    let mut sim = Sim::tokio(7);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
            stream.write_all(b"x").await?;
        }
    });
    sim
}

/// Looks with `yield_now` between. Returns how long it took.
async fn look() -> std::io::Result<Duration> {
    let began = Instant::now();
    let stream = TcpStream::connect("server:80").await?;
    loop {
        match stream.try_read(&mut [0]) {
            Err(error) if error.kind() == WouldBlock => tokio::task::yield_now().await,
            read => return read.map(|_| began.elapsed()),
        }
    }
}

#[test]
fn a_task_that_yields_until_something_comes_does_not_stop_the_world() -> glassnet::Result {
    let mut sim = world();
    sim.client("client", async {
        // ARP, the handshake until its last segment, 10 ms, and the byte.
        let took = look().await?;
        assert!((16..17).contains(&took.as_millis()), "{took:?}");
        Ok(())
    });
    sim.run()
}

#[test]
fn the_runtime_of_a_thread_may_look_as_well() -> glassnet::Result {
    let mut sim = world();
    sim.client("client", async {
        let thread = tokio::task::spawn_blocking(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(look())
        });
        let took = thread.await.unwrap()?;
        assert!((16..17).contains(&took.as_millis()), "{took:?}");
        Ok(())
    });
    sim.run()
}

#[test]
fn a_thread_that_yields_until_something_comes_does_not_stop_the_world() -> glassnet::Result {
    let mut sim = world();
    sim.client("client", async {
        let thread = tokio::task::spawn_blocking(|| {
            let mut stream = std::net::TcpStream::connect("server:80")?;
            stream.set_nonblocking(true)?;
            let began = Instant::now();
            loop {
                match stream.read(&mut [0]) {
                    Err(error) if error.kind() == WouldBlock => std::thread::yield_now(),
                    read => return read.map(|_| began.elapsed()),
                }
            }
        });
        let took = thread.await.unwrap()?;
        assert!((12..13).contains(&took.as_millis()), "{took:?}");
        Ok(())
    });
    sim.run()
}

#[test]
fn a_thread_that_yields_until_a_time_reaches_it() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.client("client", async {
        tokio::task::spawn_blocking(|| {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(20) {
                std::thread::yield_now();
            }
        })
        .await
        .unwrap();
        let began = Instant::now();
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "what ends soon takes no time");
        Ok(())
    });
    sim.run()
}
