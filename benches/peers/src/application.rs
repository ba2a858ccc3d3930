//! The application, written once: every peer with async sockets runs this code.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::job::{
    CHUNK, GREETING, MESSAGE, Measured, Pings, Result, bulk_chunk, check_bulk, check_total,
};

/// Where simulated servers listen and are found, by index. More than one port
/// because a client has 16,384 ephemeral ports towards each.
pub const LISTEN: [&str; 5] =
    ["0.0.0.0:12345", "0.0.0.0:12346", "0.0.0.0:12347", "0.0.0.0:12348", "0.0.0.0:12349"];
pub const SERVER: [&str; 5] =
    ["server:12345", "server:12346", "server:12347", "server:12348", "server:12349"];
/// Connections to one server port, below the size of the ephemeral range.
const PER_PORT: usize = 12_500;
/// Messages before the clock of a ping-pong starts.
pub const WARM_UP: u64 = 16;
/// The wall clock is read once in this many messages: a message can be cheaper
/// than ten readings.
pub const CLOCK_EVERY: u64 = 16;

/// The sockets of one peer.
pub trait Sockets: Clone + 'static {
    type Listener: 'static;
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Listens on the server's `port`-th port.
    async fn listen(&self, port: usize) -> io::Result<Self::Listener>;
    async fn accept(&self, listener: &Self::Listener) -> io::Result<Self::Stream>;
    /// Connects to the server's `port`-th port.
    async fn connect(&self, port: usize) -> io::Result<Self::Stream>;
}

/// How many server ports `idle` connections and an active one need.
pub fn ports_for(idle: usize) -> usize {
    idle / PER_PORT + 1
}

pub async fn greeting_server<S: Sockets>(sockets: S) -> Result {
    let listener = sockets.listen(0).await?;
    loop {
        let mut stream = sockets.accept(&listener).await?;
        stream.write_all(GREETING).await?;
    }
}

pub async fn greeting_client<S: Sockets>(sockets: S, count: u64) -> Result {
    let mut greeting = Vec::with_capacity(GREETING.len() + 1);
    for _ in 0..count {
        let mut stream = sockets.connect(0).await?;
        greeting.clear();
        stream.read_to_end(&mut greeting).await?;
        if greeting != GREETING {
            return Err(format!("not the greeting: {greeting:?}").into());
        }
    }
    Ok(())
}

/// Writes the bulk to the first client, and leaves the connection open: turmoil
/// loses an EOF that meets a full queue, and greetings measure closing.
pub async fn bulk_server<S: Sockets>(sockets: S, bytes: u64) -> Result {
    let chunk = bulk_chunk();
    let listener = sockets.listen(0).await?;
    let mut stream = sockets.accept(&listener).await?;
    let mut left = bytes;
    while left > 0 {
        let length = left.min(CHUNK as u64);
        stream.write_all(&chunk[..length as usize]).await?;
        left -= length;
    }
    std::future::pending().await
}

/// Reads until all of the bulk is there.
pub async fn bulk_client<S: Sockets>(sockets: S, bytes: u64) -> Result {
    let chunk = bulk_chunk();
    let mut stream = sockets.connect(0).await?;
    let mut buffer = vec![0; CHUNK];
    let mut got = 0;
    while got < bytes {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        check_bulk(&chunk, got, &buffer[..length])?;
        got += length as u64;
    }
    check_total(bytes, got)
}

/// Accepts `idle` connections, holds them, and echoes on one more.
///
/// One task holds them all: turmoil-net runs a spawned task on the wrong host,
/// and the work must be the same for everybody.
pub async fn echo_server<S: Sockets>(sockets: S, idle: usize) -> Result {
    let mut listeners = Vec::new();
    for port in 0..ports_for(idle) {
        listeners.push(sockets.listen(port).await?);
    }
    let mut held = Vec::with_capacity(idle);
    for n in 0..idle {
        held.push(sockets.accept(&listeners[n % listeners.len()]).await?);
    }
    let mut stream = sockets.accept(&listeners[0]).await?;
    let mut message = [0; MESSAGE];
    while stream.read_exact(&mut message).await.is_ok() {
        stream.write_all(&message).await?;
    }
    // The client has gone and decides whether the run was good; a host that
    // ends, well or not, could end a run before its client.
    std::future::pending().await
}

/// Opens `idle` connections, then measures ping-pong on one more. The clock
/// starts when all are established and warm.
pub async fn echo_client<S: Sockets>(sockets: S, idle: usize, pings: Pings) -> Result<Measured> {
    let ports = ports_for(idle);
    let mut held = Vec::with_capacity(idle);
    for n in 0..idle {
        held.push(sockets.connect(n % ports).await?);
    }
    let mut stream = sockets.connect(0).await?;

    for n in 0..WARM_UP {
        ping(&mut stream, n).await?;
    }
    let start = Instant::now();
    let mut work = 0;
    while work < pings.most {
        ping(&mut stream, work).await?;
        work += 1;
        if work % CLOCK_EVERY == 0 && start.elapsed() >= pings.budget {
            break;
        }
    }
    let elapsed = start.elapsed();
    drop(held);
    Ok(Measured { work, elapsed })
}

async fn ping<T: AsyncRead + AsyncWrite + Unpin>(stream: &mut T, number: u64) -> Result {
    let request = [number as u8; MESSAGE];
    let mut response = [0; MESSAGE];
    stream.write_all(&request).await?;
    stream.read_exact(&mut response).await?;
    if request == response {
        Ok(())
    } else {
        Err(format!("response {number} is not its request").into())
    }
}

/// Where the server of a pair listens.
#[cfg(feature = "glassnet")]
pub const PAIR_PORT: u16 = 12_345;

/// Answers one client for as long as it asks.
#[cfg(feature = "glassnet")]
pub async fn pair_server<S: Sockets>(sockets: S) -> Result {
    let listener = sockets.listen(0).await?;
    let mut stream = sockets.accept(&listener).await?;
    let mut message = [0; MESSAGE];
    while stream.read_exact(&mut message).await.is_ok() {
        stream.write_all(&message).await?;
    }
    std::future::pending().await
}

/// Counts messages that were answered, until it is stopped from outside.
#[cfg(feature = "glassnet")]
pub async fn ping_for_ever<T: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut T,
    done: &std::sync::atomic::AtomicU64,
) -> Result {
    for number in 0.. {
        ping(stream, number).await?;
        done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    Ok(())
}

/// A host that listens and is never called.
pub async fn idle_host<S: Sockets>(sockets: S) -> Result {
    let listener = sockets.listen(0).await?;
    sockets.accept(&listener).await?;
    Err("an idle host was called".into())
}
