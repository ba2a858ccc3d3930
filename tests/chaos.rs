//! Echo and half-close over links that lose, duplicate and reorder: all bytes right, and nobody
//! hangs, ever.
//!
//! `cargo test` runs 200 seeds of each line; `scripts/chaos.sh` any number.

#![allow(clippy::disallowed_methods, clippy::expect_used)]

use std::time::Duration;

use glassnet::Sim;
use glassnet::net::{TcpListener, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LEN: usize = 20_000;

fn seeds() -> u64 {
    let seeds = std::env::var("CHAOS_SEEDS").ok();
    seeds.map_or(200, |seeds| seeds.parse().expect("CHAOS_SEEDS is a number of seeds"))
}

fn pattern(seed: u64) -> Vec<u8> {
    (0..LEN as u64).map(|at| (at.wrapping_mul(31).wrapping_add(seed) >> 3) as u8).collect()
}

fn echo_under(seed: u64, loss: f64, duplicate: f64, reorder: f64) -> glassnet::Result {
    let mut sim = Sim::new(seed);
    let link = sim.link("client", "server").delay(Duration::from_millis(10));
    link.loss(loss).duplicate(duplicate).reorder(reorder);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut received = Vec::new();
            stream.read_to_end(&mut received).await?;
            stream.write_all(&received).await?;
        }
    });
    sim.client("client", async move {
        let sent = pattern(seed);
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_all(&sent).await?;
        stream.shutdown().await?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await?;
        assert!(received == sent, "seed {seed}: {} bytes came back, or other ones", received.len());
        Ok(())
    });
    sim.run()
}

fn chaos(loss: f64, duplicate: f64, reorder: f64) {
    let failed: Vec<(u64, String)> = (0..seeds())
        .filter_map(|seed| {
            let result = echo_under(seed, loss, duplicate, reorder);
            result.err().map(|error| (seed, error.to_string()))
        })
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} seeds failed, first {}",
        failed.len(),
        seeds(),
        failed[0].1
    );
    println!(
        "loss {loss} duplicate {duplicate} reorder {reorder}: {} seeds, 0 hangs, 0 wrong bytes",
        seeds()
    );
}

#[test]
fn chaos_of_duplicates_and_reordering() {
    chaos(0.0, 0.10, 0.20);
}

#[test]
fn chaos_of_many_duplicates_and_much_reordering() {
    chaos(0.0, 0.30, 0.30);
}

#[test]
fn chaos_of_a_little_of_everything() {
    chaos(0.02, 0.05, 0.10);
}

#[test]
fn chaos_of_more_loss() {
    chaos(0.05, 0.05, 0.10);
}

#[test]
fn chaos_of_loss_alone() {
    chaos(0.10, 0.0, 0.0);
}
