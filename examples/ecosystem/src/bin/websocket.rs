//! WebSocket with tokio-tungstenite, used as it is: it takes any stream with tokio's I/O traits,
//! and nothing here needed glue.
//!
//! `cargo run --bin websocket [CAPTURE]` prints what happened, and leaves a capture of the
//! client's interface.
//!
//! The client's key and masks come from the operating system's randomness, so the octets of two
//! runs differ; their times and lengths do not.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{Instant, timeout};
use glassnet::{Sim, spawn};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{accept_async, client_async};

fn main() -> glassnet::Result {
    let capture = std::env::args_os().nth(1).map(PathBuf::from);
    let capture = capture.unwrap_or_else(|| std::env::temp_dir().join("glassnet-websocket.pcapng"));

    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(Duration::from_millis(20)).rate(10_000_000);
    sim.host("server", serve);
    sim.client("client", talk());
    sim.capture("client", &capture)?;
    sim.run()?;
    println!("{} s in all; {}", sim.now().since_start().as_secs_f64(), capture.display());
    Ok(())
}

/// Sends back every message; tungstenite itself answers pings and the close.
async fn serve() -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        spawn(async move {
            let mut socket = accept_async(stream).await?;
            while let Some(message) = socket.next().await {
                let message = message?;
                if message.is_text() || message.is_binary() {
                    socket.send(message).await?;
                }
            }
            glassnet::Result::Ok(())
        });
    }
}

async fn talk() -> glassnet::Result {
    let stream = TcpStream::connect("server:80").await?;
    let (mut socket, response) = client_async("ws://server/echo", stream).await?;
    println!("{} {}", Instant::now(), response.status());

    let ping = Message::Ping(Bytes::from("are you there"));
    let pong = Message::Pong(Bytes::from("are you there"));
    // More than 65,535 octets need the 64-bit length of RFC 6455, section 5.2.
    let long = Message::binary(vec![0x5a; 70_000]);
    for (sent, expected) in [
        (Message::text("Thank you for connecting"), Message::text("Thank you for connecting")),
        (ping, pong),
        (long.clone(), long),
    ] {
        socket.send(sent).await?;
        // Virtual time: a peer that never answers costs nothing.
        let answer = timeout(Duration::from_secs(10), socket.next()).await?;
        let answer = answer.ok_or("the server closed")??;
        println!("{} {}", Instant::now(), describe(&answer));
        if answer != expected {
            return Err("not what was sent".into());
        }
    }

    socket.close(None).await?;
    let last = socket.next().await.ok_or("the server did not answer the close")??;
    println!("{} {}", Instant::now(), describe(&last));
    if !last.is_close() || socket.next().await.is_some() {
        return Err("the connection was not closed properly".into());
    }
    Ok(())
}

fn describe(message: &Message) -> String {
    match message {
        Message::Text(text) => format!("text {:?}", text.as_str()),
        Message::Binary(octets) => format!("{} octets", octets.len()),
        Message::Ping(_) => "ping".to_owned(),
        Message::Pong(_) => "pong".to_owned(),
        Message::Close(_) => "close".to_owned(),
        Message::Frame(_) => "frame".to_owned(),
    }
}
