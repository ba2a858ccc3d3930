//! Echo and half-close over five kinds of link, with the options every host has by default.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::{Event, HostOptions, Sim, TcpSegment};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::portion::{Outcome, engines, run_each, seeds};

const LEN: usize = 20_000;
/// Of each kind of link, with plain `cargo test`.
const SEEDS: u64 = 200;

fn pattern(seed: u64) -> Vec<u8> {
    (0..LEN as u64).map(|at| (at.wrapping_mul(31).wrapping_add(seed) >> 3) as u8).collect()
}

fn echo_under(seed: u64, loss: f64, duplicate: f64, reorder: f64) -> Outcome {
    let mut sim = Sim::new(seed);
    let mut link = sim.link("client", "server");
    link.delay(Duration::from_millis(10)).loss(loss).duplicate(duplicate).reorder(reorder);
    let [client, server] = engines().map(|engine| HostOptions::default().tcp_engine(engine));
    sim.host_options("client", client).host_options("server", server);
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
        if received != sent {
            let len = received.len();
            return Err(format!("wrong: {len} bytes came back, or other ones").into());
        }
        Ok(())
    });
    let segments = Rc::new(Cell::new(0));
    let sent = segments.clone();
    sim.observe(move |event| {
        if matches!(event, Event::Sent { frame, .. } if TcpSegment::parse(frame).is_some()) {
            sent.set(sent.get() + 1);
        }
    });
    let failure = sim.run().err().map(|error| ("echo".to_owned(), error.to_string()));
    let bytes = if failure.is_none() { 2 * LEN as u64 } else { 0 };
    Outcome { failure, bytes, segments: segments.get(), retransmissions: sim.retransmissions() }
}

fn chaos(line: &str, loss: f64, duplicate: f64, reorder: f64) {
    run_each(line, seeds(SEEDS), |seed| echo_under(seed, loss, duplicate, reorder));
}

#[test]
fn chaos_of_duplicates_and_reordering() {
    chaos("echo-duplicates", 0.0, 0.10, 0.20);
}

#[test]
fn chaos_of_many_duplicates_and_much_reordering() {
    chaos("echo-many-duplicates", 0.0, 0.30, 0.30);
}

#[test]
fn chaos_of_a_little_of_everything() {
    chaos("echo-everything", 0.02, 0.05, 0.10);
}

#[test]
fn chaos_of_more_loss() {
    chaos("echo-more-loss", 0.05, 0.05, 0.10);
}

#[test]
fn chaos_of_loss_alone() {
    chaos("echo-loss", 0.10, 0.0, 0.0);
}
