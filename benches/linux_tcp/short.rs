//! Short flows: from connect to the end of the answer, in ms.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{Instant, sleep};
use glassnet::{HostOptions, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::linux::Column;
use super::samples::Samples;
use super::table;

/// Flows of one run, one after the other.
const FLOWS: u32 = 10;

fn run(size: usize, loss: f64, seed: u64) -> Vec<f64> {
    let mut sim = Sim::new(seed);
    sim.default_options(HostOptions::linux());
    let link = &mut sim.link("server", "client");
    link.delay(Duration::from_millis(10)).rate(100_000_000).queue(1_000).loss(loss / 100.0);
    sim.host("server", move || async move {
        let listener = TcpListener::bind("0.0.0.0:5101").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            glassnet::spawn(async move {
                stream.read_exact(&mut [0; 100]).await?;
                stream.write_all(&vec![b'x'; size]).await?;
                stream.shutdown().await?;
                stream.read_to_end(&mut Vec::new()).await
            });
        }
    });
    let times = Rc::new(RefCell::new(Vec::new()));
    let noted = times.clone();
    sim.client("client", async move {
        for _ in 0..FLOWS {
            let began = Instant::now();
            let mut stream = TcpStream::connect("server:5101").await?;
            stream.write_all(&[b'x'; 100]).await?;
            let mut answer = Vec::with_capacity(size);
            stream.read_to_end(&mut answer).await?;
            assert_eq!(answer.len(), size);
            noted.borrow_mut().push(began.elapsed().as_secs_f64() * 1e3);
            drop(stream);
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    });
    sim.run().unwrap();
    times.take()
}

pub(crate) fn print(linux: &Column, runs: u32) {
    table::head(
        "Short flows at 100 Mbit/s and 20 ms, loss both ways: ms",
        "Linux p50 / p90 / mean | glassnet",
    );
    for loss in [0, 1, 3] {
        for size in [10_000, 100_000, 1_000_000] {
            let row = format!("{size} {loss}");
            let theirs = linux.row(&format!("short {row}"));
            let runs = if loss > 0 { runs } else { 1 };
            let of_seed = |seed| run(size, f64::from(loss), seed);
            let ours = Samples::new((0..runs.into()).flat_map(of_seed).collect());
            let agrees = match loss {
                0 => (ours.percentile(0.5) - theirs.percentile(0.5)).abs() < 1.0,
                _ => ours.agrees_with(theirs),
            };
            let cell = |of: &Samples| {
                let (p50, p90) = (of.percentile(0.5), of.percentile(0.9));
                format!("{p50:.0} / {p90:.0} / {:.0} ± {:.0}", of.mean(), of.half_interval())
            };
            table::row(&format!("{size} bytes, {loss} %"), &[cell(theirs), cell(&ours)], agrees);
        }
    }
}
