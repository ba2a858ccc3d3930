//! Two flows of one host over one bottleneck, the second five seconds later: how they share it in the
//! last 15 of 25 seconds.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{Instant, sleep, timeout_at};
use glassnet::{CongestionControl, HostOptions, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::linux::Column;
use super::table;

const SECONDS: u64 = 25;
const JUDGED: u64 = 15;

/// Jain's index of two shares: 1 where they are equal, 0.5 where one has all.
fn jain(shares: [f64; 2]) -> f64 {
    let sum = shares[0] + shares[1];
    sum * sum / (2.0 * (shares[0] * shares[0] + shares[1] * shares[1]))
}

/// Mbit/s of each flow in the last seconds.
fn run(control: CongestionControl) -> [f64; 2] {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux().congestion_control(control));
    let link = &mut sim.link("source", "sink");
    link.delay(Duration::from_millis(10)).rate(100_000_000).queue(165);
    sim.host("source", || async {
        let send = async |start: u64| {
            sleep(Duration::from_secs(start)).await;
            let mut stream = TcpStream::connect("sink:5001").await?;
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
            std::io::Result::Ok(())
        };
        let (first, second) = tokio::join!(send(0), send(5));
        Ok(first.and(second)?)
    });
    let bytes = Rc::new(RefCell::new([0u64; 2]));
    let counted = bytes.clone();
    sim.client("sink", async move {
        let listener = TcpListener::bind("0.0.0.0:5001").await?;
        let end = Instant::now() + Duration::from_secs(SECONDS);
        for flow in 0..2 {
            let (mut stream, _) = listener.accept().await?;
            let counted = counted.clone();
            glassnet::spawn(async move {
                let mut buffer = vec![0; 1 << 20];
                while let Ok(Ok(len @ 1..)) = timeout_at(end, stream.read(&mut buffer)).await {
                    if Instant::now() + Duration::from_secs(JUDGED) >= end {
                        counted.borrow_mut()[flow] += len as u64;
                    }
                }
            });
        }
        glassnet::time::sleep_until(end).await;
        Ok(())
    });
    sim.run().unwrap();
    bytes.take().map(|bytes| bytes as f64 * 8.0 / JUDGED as f64 / 1e6)
}

pub(crate) fn print(linux: &Column) {
    table::head(
        "Two flows at 100 Mbit/s and 20 ms, last 15 of 25 s: Mbit/s, Jain's index",
        "Linux | glassnet",
    );
    for (control, name) in [(CongestionControl::Cubic, "cubic"), (CongestionControl::Reno, "reno")]
    {
        let shares = |flow| linux.row(&format!("fair {name} {flow}")).mean();
        let theirs = [shares(0), shares(1)];
        let ours = run(control);
        let cell = |of: [f64; 2]| format!("{:.1} + {:.1}, {:.3}", of[0], of[1], jain(of));
        let agrees = (jain(ours) - jain(theirs)).abs() < 0.05;
        table::row(&format!("two of {name}"), &[cell(theirs), cell(ours)], agrees);
    }
}
