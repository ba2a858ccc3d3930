//! A client, as small as the protocol allows.

use glassnet::net::TcpStream;
use glassnet::time::Instant;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::control::{
    COOKIE_LEN, CREATE_STREAMS, DISPLAY_RESULTS, EXCHANGE_RESULTS, IPERF_DONE, PARAM_EXCHANGE,
    PORT, TEST_END, TEST_RUNNING, TEST_START, expect_state, octets_of, receive_json, results,
    send_json, send_state,
};

const STREAMS: usize = 2;
/// Octets of each stream.
const AMOUNT: u64 = 500_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    FromServer,
}

pub(crate) async fn measure(server: &str, way: Way) -> glassnet::Result {
    // Only one client is there, so that any cookie is its own.
    let mut cookie = [b'g'; COOKIE_LEN];
    cookie[COOKIE_LEN - 1] = 0;
    let mut control = TcpStream::connect((server, PORT)).await?;
    control.set_nodelay(true)?;
    control.write_all(&cookie).await?;
    expect_state(&mut control, PARAM_EXCHANGE).await?;
    let parameters = json!({
        "tcp": true, "omit": 0, "time": 0, "num": AMOUNT * STREAMS as u64, "parallel": STREAMS,
        "len": 65_536, "reverse": way == Way::FromServer,
    });
    send_json(&mut control, &parameters).await?;
    expect_state(&mut control, CREATE_STREAMS).await?;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = TcpStream::connect((server, PORT)).await?;
        stream.write_all(&cookie).await?;
        streams.push(stream);
    }
    expect_state(&mut control, TEST_START).await?;
    expect_state(&mut control, TEST_RUNNING).await?;
    let began = Instant::now();
    let piece = vec![0; AMOUNT as usize];
    for stream in &mut streams {
        match way {
            Way::ToServer => stream.write_all(&piece).await?,
            Way::FromServer => drop(stream.read_exact(&mut piece.clone()).await?),
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    send_state(&mut control, TEST_END).await?;
    expect_state(&mut control, EXCHANGE_RESULTS).await?;
    send_json(&mut control, &results((0..STREAMS).map(|_| AMOUNT), seconds)).await?;
    let theirs = receive_json(&mut control).await?;
    expect_state(&mut control, DISPLAY_RESULTS).await?;
    for index in 0..STREAMS {
        let octets = octets_of(&theirs, index).ok_or("the server counted no such stream")?;
        match way {
            Way::ToServer => println!("stream {index}: sent {AMOUNT} octets, {octets} arrived"),
            // The server sends until it is told to stop.
            Way::FromServer => println!("stream {index}: {AMOUNT} octets of {octets}"),
        }
    }
    send_state(&mut control, IPERF_DONE).await?;
    Ok(())
}
