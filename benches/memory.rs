//! The memory of an idle connection beside its buffers: `cargo bench --bench memory`.

#![allow(clippy::unwrap_used, missing_docs)]

use glassnet::net::{TcpListener, TcpStream};
use glassnet::{HostOptions, Sim};

const CONNECTIONS: usize = 10_000;
const BUFFER: usize = 1024;

fn main() {
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
