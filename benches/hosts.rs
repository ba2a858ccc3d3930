//! What hosts that run on tokio cost: `cargo bench --features tokio --bench hosts`; `-- --quick` is a
//! tenth of it, to see that it runs.

#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "real time is what is measured")]

use std::time::{Duration, Instant};

use glassnet::Sim;
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval, sleep};

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let part = if is_quick { 10 } else { 1 };
    timers(200_000 / part);
    datagrams(100_000 / part);
    heartbeats(1_000 / part, 60);
    heartbeats(10_000 / part, 10);
    year(365 / part);
}

/// Runs a world. Returns the real time that it took.
fn run(sim: &mut Sim) -> Duration {
    sim.event_limit(u64::MAX).last_frames(0);
    let began = Instant::now();
    sim.run().unwrap();
    began.elapsed()
}

fn micros(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

/// A host that has a turn each millisecond.
fn timers(count: u32) {
    let mut sim = Sim::tokio(7);
    sim.client("host", async move {
        let mut ticks = interval(Duration::from_millis(1));
        for _ in 0..count {
            ticks.tick().await;
        }
        Ok(())
    });
    let took = run(&mut sim);
    println!("a step that a timer makes: {:.2} us", micros(took, count.into()));
}

/// Two hosts that send a datagram to and fro: each has a turn for each.
fn datagrams(count: u32) {
    let mut sim = Sim::tokio(7);
    sim.host("echo", || async {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        let mut buffer = [0; 64];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..len], from).await?;
        }
    });
    sim.client("client", async move {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect("echo:7").await?;
        for _ in 0..count {
            socket.send(b"x").await?;
            socket.recv(&mut [0; 64]).await?;
        }
        Ok(())
    });
    let took = run(&mut sim);
    println!("a step that a datagram makes: {:.2} us", micros(took, 2 * u64::from(count)));
}

/// Hosts that send a datagram a second each to one that counts them.
fn heartbeats(hosts: u32, seconds: u32) {
    let before = resident_bytes();
    let mut sim = Sim::tokio(7);
    sim.host("counter", || async {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        loop {
            socket.recv_from(&mut [0; 64]).await?;
        }
    });
    for host in 0..hosts {
        sim.host(&format!("host-{host}"), move || async move {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            // They do not all beat at once.
            sleep(Duration::from_millis(u64::from(host % 1_000))).await;
            let mut beats = interval(Duration::from_secs(1));
            loop {
                beats.tick().await;
                socket.send_to(b"alive", "10.0.0.1:7").await?;
            }
        });
    }
    sim.event_limit(u64::MAX).last_frames(0);
    let began = Instant::now();
    sim.run_for(Duration::from_secs(seconds.into())).unwrap();
    let took = began.elapsed();
    let events = sim.events();
    let each = match (before, resident_bytes()) {
        (Some(before), Some(after)) => {
            format!("{} kB", (after.saturating_sub(before)) / hosts as usize / 1_000)
        }
        _ => "unknown".to_owned(),
    };
    println!(
        "{hosts} hosts with a heartbeat a second: {:.0} events/s, memory of a host {each}",
        events as f64 / took.as_secs_f64()
    );
}

/// A ticker of 30 s.
fn year(days: u32) {
    let mut sim = Sim::tokio(7);
    sim.time_limit(Duration::from_secs(366 * 86_400));
    sim.client("host", async move {
        let mut ticks = interval(Duration::from_secs(30));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..=days * 2_880 {
            ticks.tick().await;
        }
        Ok(())
    });
    let took = run(&mut sim);
    println!("{days} days with a tick each 30 s: {:.1} s", took.as_secs_f64());
}

/// Memory of this process that is in use.
fn resident_bytes() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
