//! A transfer that outlives an outage: the two hosts are cut off from each other for ten seconds,
//! TCP tries again at longer and longer intervals, and every byte arrives after the link heals.
//!
//! `cargo run --example outage` prints what the wire saw, and leaves a capture to look at.

use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::{Event, Fate, Sim, TcpSegment};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(Duration::from_millis(30)).rate(8_000_000);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (mut stream, peer) = listener.accept().await?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await?;
        println!("{}: {} octets from {peer}", glassnet::time::Instant::now(), received.len());
        Ok(())
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_all(&vec![0x5a; 1 << 20]).await?;
        Ok(())
    });
    sim.observe(|event| {
        if let Event::Sent { time, from, frame, fate: Fate::Dropped(reason), .. } = event
            && let Some(segment) = TcpSegment::parse(frame)
            && segment.len > 0
        {
            println!("{time}: {from}'s seq {} len {}: {reason}", segment.seq, segment.len);
        }
    });
    let capture = std::env::temp_dir().join("glassnet-outage.pcapng");
    sim.capture_link("client", "server", &capture)?;

    sim.run_for(Duration::from_millis(500))?;
    println!("{}: partition", sim.now());
    sim.partition("client", "server");
    sim.run_for(Duration::from_secs(10))?;
    println!("{}: heal", sim.now());
    sim.heal("client", "server");
    sim.run()?;
    println!("{} segments were sent again; {}", sim.retransmissions(), capture.display());
    Ok(())
}
