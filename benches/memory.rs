//! The memory of an idle connection beside its buffers, and of a host that is one of many, all of which
//! send and receive: `cargo bench --bench memory`.

#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::{HostOptions, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CONNECTIONS: usize = 10_000;
const BUFFER: usize = 1024;
const HOSTS: usize = 10_000;
/// Messages of each pair of hosts: by then the last frames of a host are as many as are kept.
const MESSAGES: u32 = 64;

fn main() {
    idle_connections();
    active_hosts();
}

/// Each host has a connection to another, with the buffers of the default, over which a message of
/// 64 bytes goes back and forth.
fn active_hosts() {
    let Some(before) = resident_bytes() else { return };
    let mut sim = Sim::new(7);
    sim.event_limit(u64::MAX);
    for pair in 0..HOSTS / 2 {
        let (server, client) = (format!("server{pair}"), format!("client{pair}"));
        sim.host(&server, || async {
            let listener = TcpListener::bind("0.0.0.0:1").await?;
            let (mut stream, _) = listener.accept().await?;
            let mut message = [0; 64];
            while stream.read_exact(&mut message).await.is_ok() {
                stream.write_all(&message).await?;
            }
            Ok(())
        });
        sim.client(&client, async move {
            let mut stream = TcpStream::connect((server.as_str(), 1)).await?;
            let mut message = [7; 64];
            loop {
                stream.write_all(&message).await?;
                stream.read_exact(&mut message).await?;
            }
        });
    }
    // A round trip takes 2 ms.
    sim.run_for(Duration::from_millis(2) * MESSAGES).unwrap();
    let after = resident_bytes().unwrap_or(before);
    println!("one of {HOSTS} active hosts takes {} bytes", (after - before) / HOSTS);
}

fn idle_connections() {
    let Some(before) = resident_bytes() else {
        println!("memory: /proc/self/statm cannot be read here, so nothing is measured");
        return;
    };
    let mut sim = Sim::new(7);
    let options = HostOptions::default().recv_buffer(BUFFER).send_buffer(BUFFER);
    sim.host_options("server", options.clone()).host_options("client", options);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:1").await?;
        let mut kept = Vec::with_capacity(CONNECTIONS);
        loop {
            kept.push(listener.accept().await?);
        }
    });
    sim.client("client", async move {
        let mut kept = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            kept.push(TcpStream::connect("server:1").await?);
        }
        let after = resident_bytes().unwrap_or(before);
        let ends = 2 * CONNECTIONS;
        let each = (after - before) / ends;
        println!(
            "an idle connection takes {each} bytes at each end, of which {} are buffers: {} beside them",
            2 * BUFFER,
            each.saturating_sub(2 * BUFFER)
        );
        Ok(())
    });
    sim.run().unwrap();
}

/// Memory of this process that is in use.
fn resident_bytes() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
