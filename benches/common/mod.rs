//! The jobs that the benches time.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use glassnet::net::{TcpListener, TcpStream};
use glassnet::{HostOptions, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const WARM_UP: u64 = 5_000;
const MESSAGE: [u8; 64] = [0x5a; 64];

/// `count` greetings one after the other, each torn down; with captures of both hosts in
/// `captures`, if given.
pub(crate) fn greetings(count: usize, captures: Option<&Path>) {
    let mut sim = Sim::new(7);
    sim.event_limit(u64::MAX);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:12345").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(b"Thank you for connecting").await?;
        }
    });
    sim.client("client", async move {
        for _ in 0..count {
            let mut stream = TcpStream::connect("server:12345").await?;
            let mut greeting = [0; 32];
            let mut len = 0;
            loop {
                match stream.read(&mut greeting[len..]).await? {
                    0 => break,
                    more => len += more,
                }
            }
            assert_eq!(&greeting[..len], b"Thank you for connecting");
        }
        Ok(())
    });
    if let Some(directory) = captures {
        sim.capture("client", directory.join("client.pcapng")).unwrap();
        sim.capture("server", directory.join("server.pcapng")).unwrap();
    }
    sim.run().unwrap();
}

/// One flow of `len` bytes.
pub(crate) fn bulk(len: usize, mtu: usize) {
    let mut sim = Sim::new(7);
    sim.event_limit(u64::MAX);
    for host in ["server", "client"] {
        sim.host_options(host, HostOptions::default().mtu(mtu));
    }
    sim.host("server", move || async move {
        let listener = TcpListener::bind("0.0.0.0:12345").await?;
        let (mut stream, _) = listener.accept().await?;
        let chunk = vec![0x5a; 64 << 10];
        let mut left = len;
        while left > 0 {
            let next = left.min(chunk.len());
            stream.write_all(&chunk[..next]).await?;
            left -= next;
        }
        Ok(())
    });
    sim.client("client", async move {
        let mut stream = TcpStream::connect("server:12345").await?;
        let mut buffer = vec![0; 64 << 10];
        let mut received = 0;
        loop {
            match stream.read(&mut buffer).await? {
                0 => break,
                more => received += more,
            }
        }
        assert_eq!(received, len);
        Ok(())
    });
    sim.run().unwrap();
}

/// Time that `messages` requests of 64 bytes with responses of 64 bytes take, beside `idle`
/// established connections between the same two hosts and `idle_hosts` hosts that wait.
pub(crate) fn messages(messages: u64, idle: usize, idle_hosts: usize) -> Duration {
    let mut sim = Sim::new(7);
    sim.event_limit(u64::MAX);
    // 50,000 idle connections are more than the default of `tcp_mem` lets a host have.
    let options = HostOptions::default().recv_buffer(4096).send_buffer(4096).tcp_mem(u64::MAX);
    sim.host_options("server", options.clone()).host_options("client", options);
    let ports = 1 + (idle / 16_000) as u16;
    sim.host("server", move || async move {
        for port in 0..ports {
            glassnet::spawn(async move {
                let listener = TcpListener::bind(("0.0.0.0".to_owned(), 1000 + port)).await?;
                loop {
                    let (mut stream, _) = listener.accept().await?;
                    glassnet::spawn(async move {
                        let mut request = MESSAGE;
                        while stream.read_exact(&mut request).await.is_ok() {
                            stream.write_all(&request).await?;
                        }
                        std::io::Result::Ok(())
                    });
                }
                #[allow(unreachable_code)]
                std::io::Result::Ok(())
            });
        }
        std::future::pending().await
    });
    let took = Rc::new(Cell::new(Duration::ZERO));
    let result = took.clone();
    sim.client("client", async move {
        glassnet::time::sleep(Duration::from_millis(1)).await;
        let mut kept = Vec::with_capacity(idle);
        for connection in 0..idle {
            let port = 1000 + (connection / 16_000) as u16;
            kept.push(TcpStream::connect(("server", port)).await?);
        }
        let mut stream = TcpStream::connect("server:1000").await?;
        stream.set_nodelay(true)?;
        let mut response = MESSAGE;
        // The caches must be warm: a bench of a few messages would measure the set-up.
        let mut start = Instant::now();
        for message in 0..WARM_UP + messages {
            if message == WARM_UP {
                start = Instant::now();
            }
            stream.write_all(&MESSAGE).await?;
            stream.read_exact(&mut response).await?;
        }
        result.set(start.elapsed());
        Ok(())
    });
    for host in 0..idle_hosts {
        sim.host(&format!("idle{host}"), || async {
            let listener = TcpListener::bind("0.0.0.0:1").await?;
            listener.accept().await?;
            Ok(())
        });
    }
    sim.run().unwrap();
    took.get()
}
