//! Programs that use tokio, in worlds.
#![cfg(feature = "tokio")]

use std::time::Duration;

use glassnet::Sim;
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
