//! A service that counts visits, and its client.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
#[cfg(not(feature = "turmoil"))]
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
#[cfg(feature = "turmoil")]
use turmoil::net::{TcpListener, TcpStream};

type Visits = Arc<Mutex<HashMap<String, u64>>>;

/// Answers each line, a name, with how often the name has come.
pub async fn serve(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let visits = Visits::default();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream, visits.clone()));
    }
}

async fn answer(stream: TcpStream, visits: Visits) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut name = String::new();
    while stream.read_line(&mut name).await? > 0 {
        let count = {
            let mut visits = visits.lock().unwrap();
            let count = visits.entry(std::mem::take(&mut name)).or_default();
            *count += 1;
            *count
        };
        stream.write_all(format!("{count}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Tries again until the service has answered.
pub async fn visit(server: &str, name: &str) -> io::Result<u64> {
    loop {
        if let Ok(count) = timeout(Duration::from_secs(1), try_to_visit(server, name)).await {
            return count;
        }
    }
}

async fn try_to_visit(server: &str, name: &str) -> io::Result<u64> {
    let mut stream = BufReader::new(TcpStream::connect(server).await?);
    stream.write_all(format!("{name}\n").as_bytes()).await?;
    let mut count = String::new();
    stream.read_line(&mut count).await?;
    count.trim().parse().map_err(io::Error::other)
}
