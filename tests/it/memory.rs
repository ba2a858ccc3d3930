//! What the connections of a host may take together.

use crate::common::*;
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{Instant, sleep};
use glassnet::{HostOptions, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

// 1 GB, if each had the buffers it asks for.
#[test]
fn three_thousand_connections_that_never_read_leave_room_for_one_that_does() -> glassnet::Result {
    let mut sim = Sim::new(7);
    let options = HostOptions::default().tcp_mem(32 << 20);
    sim.host_options("server", options);
    sim.host("server", || async {
        let active = TcpListener::bind("0.0.0.0:7").await?;
        glassnet::spawn(async move {
            let mut stream = active.accept().await?.0;
            let mut received = Vec::new();
            stream.read_to_end(&mut received).await?;
            stream.write_all(&received.len().to_be_bytes()).await
        });
        let silent = TcpListener::bind("0.0.0.0:9").await?;
        let mut kept = Vec::new();
        loop {
            kept.push(silent.accept().await?.0);
        }
    });
    sim.client("active", async {
        let mut stream = TcpStream::connect("server:7").await?;
        // The crowd has come by then.
        sleep(secs(2)).await;
        let began = Instant::now();
        stream.write_all(&pattern(3_000_000)).await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        assert_eq!(answer, 3_000_000_usize.to_be_bytes());
        // 46 windows, a round trip each, and no wait for a timer.
        assert!(began.elapsed() < ms(300), "{:?}", began.elapsed());
        Ok(())
    });
    let unbounded = HostOptions::default().tcp_mem(u64::MAX);
    sim.host_options("crowd", unbounded);
    sim.client("crowd", async {
        sleep(ms(500)).await;
        for _ in 0..3_000 {
            glassnet::spawn(async {
                let mut stream = TcpStream::connect("server:9").await?;
                let taken = stream.try_write(&pattern(98_304))?;
                assert_eq!(taken, 98_304);
                let _: std::io::Result<_> = stream.read(&mut [0]).await;
                std::io::Result::Ok(())
            });
        }
        sleep(secs(20)).await;
        Ok(())
    });
    sim.run()?;
    let counters = sim.counters("server").unwrap();
    assert!(counters.tcp_memory_drops > 100, "{counters}");
    assert!(counters.tcp_memory_pressures > 100, "{counters}");
    Ok(())
}

#[test]
#[should_panic(expected = "tcp_mem of 8191 is less than 8192")]
fn memory_for_no_connection_is_refused() {
    Sim::new(7).host_options("client", HostOptions::default().tcp_mem(8_191));
}
