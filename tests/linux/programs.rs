//! What ran at the two ends of the path.

use std::io;
use std::time::Duration;

use glassnet::net::tcp::{SockRef, TcpKeepalive};
use glassnet::net::{TcpListener, TcpStream, UdpSocket};
use glassnet::time::{Instant, sleep, timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A program that accepts one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    /// Reads a request of 100 bytes, answers with so many and a FIN.
    Serve(usize),
    /// Reads so many bytes and answers with 100, again and again.
    Echo { want: usize, nodelay: bool },
    /// Reads whatever comes.
    Stream,
    /// Reads nothing for so long, then everything.
    Slow(Duration),
}

/// A program that connects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    /// Sends a request of 100 bytes and reads until the end.
    Fetch,
    /// Writes `pieces` of `size` bytes, waits for an answer of 100 and sleeps, so many times.
    Ask { pieces: usize, size: usize, nodelay: bool, times: usize, sleep: Duration },
    /// The same for one piece of 100 bytes, and gives up after so long.
    AskFor { times: usize, sleep: Duration, at_most: Duration },
    /// Writes so many messages of 100 bytes, at times that lie so far apart, and closes.
    Messages { times: u32, apart: Duration },
    /// Writes so many bytes, sleeps and closes.
    Put { bytes: usize, sleep: Duration, keep_alive: bool },
}

async fn read_to_end(stream: &mut TcpStream) -> io::Result<usize> {
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(total),
            len => total += len,
        }
    }
}

impl Server {
    pub(crate) async fn run(self) -> io::Result<()> {
        let listener = TcpListener::bind("0.0.0.0:6001").await?;
        let (mut stream, _) = listener.accept().await?;
        match self {
            Server::Serve(size) => {
                stream.read_exact(&mut [0; 100]).await?;
                stream.write_all(&vec![b'x'; size]).await?;
                stream.shutdown().await?;
                read_to_end(&mut stream).await?;
            }
            Server::Echo { want, nodelay } => {
                if nodelay {
                    stream.set_nodelay(true)?;
                }
                let mut asked = vec![0; want];
                while stream.read_exact(&mut asked).await.is_ok() {
                    stream.write_all(&[b'x'; 100]).await?;
                }
            }
            Server::Stream => {
                read_to_end(&mut stream).await?;
            }
            Server::Slow(wait) => {
                sleep(wait).await;
                read_to_end(&mut stream).await?;
            }
        }
        Ok(())
    }
}

async fn ask(stream: &mut TcpStream, pieces: usize, size: usize) -> io::Result<Duration> {
    let began = Instant::now();
    for _ in 0..pieces {
        stream.write_all(&vec![b'x'; size]).await?;
    }
    stream.read_exact(&mut [0; 100]).await?;
    Ok(began.elapsed())
}

impl Client {
    /// Notes how long each thing took that somebody waits for.
    pub(crate) async fn run(self, mut note: impl FnMut(Duration)) -> io::Result<()> {
        // The neighbour is known when the connection begins.
        let ping = UdpSocket::bind("0.0.0.0:0").await?;
        ping.send_to(b"ping", "server:6001").await?;
        sleep(Duration::from_millis(500)).await;
        let began = Instant::now();
        let mut stream = TcpStream::connect("server:6001").await?;
        match self {
            Client::Fetch => {
                stream.write_all(&[b'x'; 100]).await?;
                read_to_end(&mut stream).await?;
                note(began.elapsed());
            }
            Client::Ask { pieces, size, nodelay, times, sleep: pause } => {
                if nodelay {
                    stream.set_nodelay(true)?;
                }
                for _ in 0..times {
                    note(ask(&mut stream, pieces, size).await?);
                    sleep(pause).await;
                }
            }
            Client::AskFor { times, sleep: pause, at_most } => {
                let asking = async {
                    stream.set_nodelay(true)?;
                    for _ in 0..times {
                        note(ask(&mut stream, 1, 100).await?);
                        sleep(pause).await;
                    }
                    Ok(())
                };
                return timeout(at_most, asking).await.unwrap_or(Ok(()));
            }
            Client::Messages { times, apart } => {
                stream.set_nodelay(true)?;
                let began = Instant::now();
                for number in 0..times {
                    glassnet::time::sleep_until(began + apart * number).await;
                    stream.write_all(&[b'x'; 100]).await?;
                }
                stream.shutdown().await?;
                sleep(Duration::from_secs(3)).await;
            }
            Client::Put { bytes, sleep: pause, keep_alive } => {
                if keep_alive {
                    let every = Duration::from_secs(2);
                    let probes = TcpKeepalive::new()
                        .with_time(Duration::from_secs(3))
                        .with_interval(every)
                        .with_retries(3);
                    SockRef::from(&stream).set_tcp_keepalive(&probes)?;
                }
                stream.write_all(&vec![b'x'; bytes]).await?;
                sleep(pause).await;
            }
        }
        Ok(())
    }
}
