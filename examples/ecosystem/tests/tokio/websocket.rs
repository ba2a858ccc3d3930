//! A chat: tokio-tungstenite, and a broadcast among the connections.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use glassnet::Sim;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async, connect_async};

use crate::capture::Capture;

async fn serve() -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let (said, _) = broadcast::channel(16);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(chat(stream, said.clone()));
    }
}

async fn chat(stream: TcpStream, said: broadcast::Sender<Message>) -> Result<(), Error> {
    let mut others = said.subscribe();
    let (mut send, mut receive) = accept_async(stream).await?.split();
    loop {
        tokio::select! {
            message = receive.next() => match message.transpose()? {
                Some(message @ Message::Text(_)) => drop(said.send(message)),
                Some(_) => {}
                None => return Ok(()),
            },
            Ok(message) = others.recv() => send.send(message).await?,
        }
    }
}

/// Says one sentence at a time of the world, and returns the first `count` that it hears.
async fn talk(at: Duration, sentence: &str, count: usize) -> Result<Vec<String>, Error> {
    let began = Instant::now();
    let (mut socket, _) = connect_async("ws://server/chat").await?;
    // Whoever comes late has not heard what was said before.
    sleep_until(began + at).await;
    socket.send(Message::text(sentence)).await?;
    let mut heard = Vec::new();
    while heard.len() < count {
        match socket.next().await.transpose()? {
            Some(message) => heard.push(message.into_text()?.to_string()),
            None => break,
        }
    }
    socket.close(None).await?;
    Ok(heard)
}

/// Three clients say a sentence each, and hear all of them.
fn run(mut sim: Sim) -> glassnet::Result {
    let sentences = ["hello", "who is there?", "nobody"];
    for (place, sentence) in sentences.into_iter().enumerate() {
        sim.client(&format!("client-{place}"), async move {
            let at = Duration::from_secs(5) + place as u32 * Duration::from_millis(100);
            let heard = talk(at, sentence, sentences.len()).await?;
            assert_eq!(heard, sentences);
            Ok(())
        });
    }
    sim.run()
}

#[test]
fn three_clients_chat() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    let capture = Capture::of(&mut sim, "server", "websocket")?;
    run(sim)?;
    capture.shows("http.response", "http.response.code", "101 101 101");
    capture.shows_some("websocket.payload.text == \"who is there?\"");
    capture.is_clean();
    Ok(())
}

#[test]
fn a_chat_goes_on_under_loss_and_after_a_partition() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    for client in ["client-0", "client-1", "client-2"] {
        sim.link(client, "server").loss(0.05);
        sim.at(Duration::from_millis(5_150)).partition(client, "server");
        sim.at(Duration::from_secs(8)).heal(client, "server");
    }
    run(sim)
}
