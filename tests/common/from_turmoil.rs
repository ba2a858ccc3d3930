//! What the README's diff for users of turmoil comes to, word for word.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::sleep;

#[test]
fn an_answer_takes_a_second() -> glassnet::Result {
    let mut sim = glassnet::Sim::new(7);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let (mut stream, _) = listener.accept().await?;
        glassnet::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            stream.write_all(b"answer").await
        });
        std::future::pending().await
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:80").await?;
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).await?;
        Ok(())
    });
    sim.run()
}
