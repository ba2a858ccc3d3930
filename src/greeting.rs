//! The application: the greeting server and client of every sockets tutorial.
//!
//! It uses [`net`](crate::net) and nothing else of this crate. The same code runs in a simulation, on
//! a cable, and on a TAP device.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::{TcpSocket, TcpStream, ToSocketAddrs, lookup_host};

/// What the server sends to everybody.
pub const GREETING: &str = "Thank you for connecting";

/// Greets whoever connects to `addr`, with [`GREETING`], for ever.
///
/// # Errors
/// When it cannot listen there. A client that goes away in the middle is no error of the server.
pub async fn serve<A: ToSocketAddrs>(addr: A) -> io::Result<()> {
    serve_message(addr, GREETING).await
}

/// Greets whoever connects to `addr` with a message of one's own, for ever.
///
/// # Errors
/// Those of [`serve`].
pub async fn serve_message<A: ToSocketAddrs>(addr: A, message: &str) -> io::Result<()> {
    let addr = lookup_host(addr).await?.next().ok_or(io::ErrorKind::InvalidInput)?;
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(addr)?;
    let listener = socket.listen(5)?;
    loop {
        let (mut stream, peer) = listener.accept().await?;
        println!("Got connection from {peer}");
        let _ = stream.write_all(message.as_bytes()).await;
    } // dropping the stream closes the connection
}

/// Connects to `addr`, prints what the server says, and returns it.
///
/// # Errors
/// Those of connecting and reading.
pub async fn greet<A: ToSocketAddrs>(addr: A) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).await?;
    println!("{greeting}");
    Ok(greeting)
}
