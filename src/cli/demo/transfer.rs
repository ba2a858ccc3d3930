//! What the demo's hosts run when many bytes are asked for in place of a greeting.

use std::io;

use glassnet::net::{TcpSocket, TcpStream, lookup_host};
use glassnet::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of one write or read.
const PIECE: usize = 64 * 1024;

/// What stands at a place of the transfer: visible characters, so that a capture can be read.
fn byte_at(place: u64) -> u8 {
    b'!' + (place % 94) as u8
}

/// Sends whoever connects to `address` that many bytes, for ever.
///
/// # Errors
/// When it cannot listen there.
pub(super) async fn serve(address: (&str, u16), bytes: u64) -> io::Result<()> {
    let address = lookup_host(address).await?.next().ok_or(io::ErrorKind::InvalidInput)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(address)?;
    let listener = socket.listen(5)?;
    loop {
        let (stream, peer) = listener.accept().await?;
        println!("Got connection from {peer}");
        spawn(async move {
            // A client that goes away in the middle is no error of the server.
            let _ = send(stream, bytes).await;
        });
    }
}

async fn send(mut stream: TcpStream, bytes: u64) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes {
        let len = (bytes - sent).min(PIECE as u64);
        let piece: Vec<u8> = (sent..sent + len).map(byte_at).collect();
        stream.write_all(&piece).await?;
        sent += len;
    }
    Ok(())
}

/// Connects to `address`, reads to the end, and says how many bytes came.
///
/// # Errors
/// Those of connecting and reading; [`InvalidData`](io::ErrorKind::InvalidData) when others came
/// than were sent.
pub(super) async fn fetch(address: (&str, u16)) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    let mut buffer = vec![0; PIECE];
    let mut received = 0;
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            println!("Got {received} bytes");
            return Ok(received);
        }
        if !buffer[..len].iter().zip(received..).all(|(byte, place)| *byte == byte_at(place)) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "other bytes than were sent"));
        }
        received += len as u64;
    }
}
