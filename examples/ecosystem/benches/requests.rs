//! Requests a second from reqwest to `axum::serve`, one after another on a connection that is kept:
//! in a world, and over the kernel's loopback, in one run: `cargo bench --bench requests`;
//! `-- --quick` is a tenth of it, to see that it runs.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "real time is what is measured"
)]

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use glassnet::Sim;
use tokio::net::TcpListener;

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let count = if is_quick { 2_000 } else { 20_000 };
    // reqwest wants it for plain HTTP too.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let world = in_a_world(count);
    let kernel = on_the_kernel(count);
    println!(
        "requests/s: {world:.0} in a world, {kernel:.0} over the kernel's loopback: {:.2}x",
        world / kernel
    );
}

async fn serve(listener: TcpListener) -> std::io::Result<()> {
    axum::serve(listener, Router::new().route("/", get(async || "hello"))).await
}

async fn ask(url: &str, count: u32) -> reqwest::Result<()> {
    let client = reqwest::Client::new();
    for _ in 0..count {
        client.get(url).send().await?.bytes().await?;
    }
    Ok(())
}

fn per_second(count: u32, took: Duration) -> f64 {
    f64::from(count) / took.as_secs_f64()
}

fn in_a_world(count: u32) -> f64 {
    let mut sim = Sim::tokio(7);
    sim.last_frames(0);
    sim.host("server", || async { Ok(serve(TcpListener::bind("0.0.0.0:80").await?).await?) });
    sim.client("client", async move { Ok(ask("http://server/", count).await?) });
    let began = Instant::now();
    sim.run().unwrap();
    per_second(count, began.elapsed())
}

/// A runtime for each side, as in the world, each on a thread.
fn on_the_kernel(count: u32) -> f64 {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        runtime()
            .block_on(async { serve(TcpListener::from_std(listener).unwrap()).await.unwrap() });
    });
    let began = Instant::now();
    runtime().block_on(ask(&url, count)).unwrap();
    per_second(count, began.elapsed())
}
