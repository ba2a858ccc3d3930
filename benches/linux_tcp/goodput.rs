//! One flow for some seconds: what arrives, in Mbit/s.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{Instant, timeout_at};
use glassnet::{CongestionControl, HostOptions, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::linux::Column;
use super::samples::Samples;
use super::table;

struct Path {
    name: &'static str,
    mbit: u64,
    /// The round trip, in ms.
    rtt: u64,
    /// Frames that may wait at the bottleneck.
    queue: usize,
    /// Towards the receiver, in percent.
    loss: f64,
    seconds: u64,
}

#[rustfmt::skip]
const PATHS: [Path; 8] = [
    Path { name: "100M-20ms-0", mbit: 100, rtt: 20, queue: 165, loss: 0.0, seconds: 12 },
    Path { name: "100M-20ms-0.1", mbit: 100, rtt: 20, queue: 165, loss: 0.1, seconds: 12 },
    Path { name: "100M-20ms-1", mbit: 100, rtt: 20, queue: 165, loss: 1.0, seconds: 12 },
    Path { name: "100M-20ms-3", mbit: 100, rtt: 20, queue: 165, loss: 3.0, seconds: 12 },
    Path { name: "10M-100ms-0", mbit: 10, rtt: 100, queue: 83, loss: 0.0, seconds: 20 },
    Path { name: "10M-100ms-1", mbit: 10, rtt: 100, queue: 83, loss: 1.0, seconds: 20 },
    Path { name: "100M-20ms-10bdp", mbit: 100, rtt: 20, queue: 1_650, loss: 0.0, seconds: 12 },
    Path { name: "200M-250ms-0", mbit: 200, rtt: 250, queue: 4_128, loss: 0.0, seconds: 30 },
];

/// Reads for so long after the first bytes, and says how many there were.
pub(crate) async fn sink(stream: &mut TcpStream, seconds: u64) -> std::io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut total = stream.read(&mut buffer).await? as u64;
    let end = Instant::now() + Duration::from_secs(seconds);
    while let Ok(read) = timeout_at(end, stream.read(&mut buffer)).await {
        match read? {
            0 => break,
            len => total += len as u64,
        }
    }
    Ok(total)
}

fn run(path: &Path, control: CongestionControl, seed: u64) -> f64 {
    let mut sim = Sim::new(seed);
    sim.default_options(HostOptions::linux().congestion_control(control));
    let delay = Duration::from_micros(path.rtt * 500);
    sim.link("source", "sink").delay(delay).rate(path.mbit * 1_000_000).queue(path.queue);
    sim.one_way("source", "sink").loss(path.loss / 100.0);
    sim.host("source", || async {
        let mut stream = TcpStream::connect("sink:5001").await?;
        let block = [b'x'; 65_536];
        while stream.write_all(&block).await.is_ok() {}
        Ok(())
    });
    let bytes = Rc::new(Cell::new(0));
    let (counted, seconds) = (bytes.clone(), path.seconds);
    sim.client("sink", async move {
        let listener = TcpListener::bind("0.0.0.0:5001").await?;
        let (mut stream, _) = listener.accept().await?;
        counted.set(sink(&mut stream, seconds).await?);
        Ok(())
    });
    sim.run().unwrap();
    bytes.get() as f64 * 8.0 / path.seconds as f64 / 1e6
}

pub(crate) fn print(linux: &Column, runs: u32) {
    table::head("Goodput, Mbit/s, mean and 95 % interval", "Linux | glassnet");
    for (control, name) in [(CongestionControl::Cubic, "cubic"), (CongestionControl::Reno, "reno")]
    {
        for path in &PATHS {
            let row = format!("{} {name}", path.name);
            let theirs = linux.row(&format!("goodput {row}"));
            let runs = if path.loss > 0.0 { runs } else { 1 };
            let ours =
                Samples::new((0..runs.into()).map(|seed| run(path, control, seed)).collect());
            let agrees = match path.loss > 0.0 {
                true => ours.agrees_with(theirs),
                false => (ours.mean() - theirs.mean()).abs() <= 0.02 * theirs.mean(),
            };
            let cell = |of: &Samples| match path.loss > 0.0 {
                true => format!("{:.2} ± {:.2}", of.mean(), of.half_interval()),
                false => format!("{:.2}", of.mean()),
            };
            table::row(&row, &[cell(theirs), cell(&ours)], agrees);
        }
    }
}
