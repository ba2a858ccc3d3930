//! Libraries that use tokio themselves, each in its own documented way, in a world.
#![allow(
    clippy::disallowed_methods,
    reason = "std's clock is the world's for programs that use tokio"
)]

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use glassnet::Sim;
use tokio::net::TcpListener;

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(50)).await;
    "hello"
}

async fn serve() -> glassnet::Result {
    let app = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
    Ok(axum::serve(TcpListener::bind("0.0.0.0:80").await?, app).await?)
}

#[test]
fn reqwest_asks_axum_and_keeps_its_connection() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.client("client", async {
        let client = reqwest::Client::new();
        let began = Instant::now();
        let mut times = Vec::new();
        for _ in 0..3 {
            let answer = client.get("http://server/slow").send().await.expect("it is served");
            assert_eq!(answer.text().await.expect("it has a body"), "hello");
            times.push(began.elapsed().as_millis());
        }
        // ARP, handshake, question and answer take 6 ms at first, then 2.
        assert_eq!(times, [56, 108, 160]);
        Ok(())
    });
    sim.run()?;
    // It closed first, and so one connection is in TIME-WAIT there.
    assert_eq!(sim.netstat("client").len(), 1);
    Ok(())
}

#[test]
fn reqwests_own_timeout_fires_at_its_time_and_a_closed_port_refuses() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.client("client", async {
        let limit = Duration::from_millis(30);
        let client = reqwest::Client::builder().timeout(limit).build().expect("it is built");
        let began = Instant::now();
        let error = client.get("http://server/slow").send().await.expect_err("it is too slow");
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(began.elapsed(), limit);
        let error = client.get("http://server:81/").send().await.expect_err("nobody listens");
        assert!(error.is_connect(), "{error:?}");
        Ok(())
    });
    sim.run()
}

#[test]
fn requests_get_through_a_partition_that_heals() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.at(Duration::from_millis(20)).partition("client", "server");
    sim.at(Duration::from_secs(5)).heal("client", "server");
    sim.client("client", async {
        let client = reqwest::Client::new();
        client.get("http://server/").send().await.expect("the network is whole");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let began = Instant::now();
        let answer = client.get("http://server/").send().await.expect("it heals");
        assert_eq!(answer.text().await.expect("it has a body"), "hello");
        assert!(began.elapsed() > Duration::from_secs(4), "{:?}", began.elapsed());
        Ok(())
    });
    sim.run()
}
