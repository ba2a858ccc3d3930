//! HTTP/1.1: reqwest asks `axum::serve`.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use glassnet::Sim;
use tokio::net::TcpListener;

use crate::capture::Capture;

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(50)).await;
    "hello"
}

async fn serve() -> glassnet::Result {
    let app = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
    Ok(axum::serve(TcpListener::bind("0.0.0.0:80").await?, app).await?)
}

fn world() -> Sim {
    // reqwest wants it for plain HTTP too.
    crate::install_cryptography();
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim
}

#[test]
fn reqwest_asks_axum_and_keeps_its_connection() -> glassnet::Result {
    let mut sim = world();
    let capture = Capture::of(&mut sim, "client", "http1")?;
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
    capture.shows("http.request", "http.request.uri", "/slow /slow /slow");
    capture.shows("http.response", "http.response.code", "200 200 200");
    capture.is_clean();
    Ok(())
}

#[test]
fn reqwests_own_timeout_fires_at_its_time_and_a_closed_port_refuses() -> glassnet::Result {
    let mut sim = world();
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
    let mut sim = world();
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

#[test]
fn axum_answers_reqwest_under_loss() -> glassnet::Result {
    let mut sim = world();
    sim.link("client", "server").loss(0.1);
    let capture = Capture::of(&mut sim, "client", "http1-loss")?;
    sim.client("client", async {
        let client = reqwest::Client::new();
        for _ in 0..50 {
            let answer = client.get("http://server/").send().await.expect("it gets through");
            assert_eq!(answer.text().await.expect("it has a body"), "hello");
        }
        Ok(())
    });
    sim.run()?;
    capture.shows_some("tcp.analysis.retransmission");
    Ok(())
}

#[test]
fn a_request_fails_when_its_server_crashes_and_the_next_reaches_the_one_that_is_back()
-> glassnet::Result {
    let mut sim = world();
    sim.at(Duration::from_millis(20)).crash("server");
    sim.at(Duration::from_millis(500)).bounce("server");
    sim.client("client", async {
        let limit = Duration::from_secs(1);
        let client = reqwest::Client::builder().timeout(limit).build().expect("it is built");
        let began = Instant::now();
        // The crash comes while the handler sleeps: nobody says so.
        let error = client.get("http://server/slow").send().await.expect_err("it has crashed");
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(began.elapsed(), limit);
        let answer = client.get("http://server/slow").send().await.expect("it is back");
        assert_eq!(answer.text().await.expect("it has a body"), "hello");
        Ok(())
    });
    sim.run()
}

#[test]
fn the_connect_timeout_fires_at_its_time_behind_a_partition() -> glassnet::Result {
    let mut sim = world();
    sim.at(Duration::ZERO).partition("client", "server");
    sim.client("client", async {
        let limit = Duration::from_millis(2_500);
        let client = reqwest::Client::builder().connect_timeout(limit).build();
        let began = Instant::now();
        let client = client.expect("it is built");
        let error = client.get("http://server/").send().await.expect_err("nothing gets through");
        assert!(error.is_connect() && error.is_timeout(), "{error:?}");
        assert_eq!(began.elapsed(), limit);
        Ok(())
    });
    sim.run()
}
