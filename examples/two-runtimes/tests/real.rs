//! The same server on tokio and the loopback of this machine.
#![cfg(not(feature = "simulated"))]

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn an_echo_over_the_loopback() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    tokio::spawn(two_runtimes::serve(listener));
    stream.write_all(b"glass").await?;
    stream.shutdown().await?;
    let mut echoed = String::new();
    stream.read_to_string(&mut echoed).await?;
    assert_eq!(echoed, "glass");
    Ok(())
}
