//! The server's data connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::reply::address_as_numbers;
use crate::server::Session;

/// Where active data connections come from: the control port less one (RFC 959, section 3.2).
const DATA_PORT: u16 = 20;
/// How long it waits for a data connection.
const PATIENCE: Duration = Duration::from_secs(30);
const LARGEST_FILE: u64 = 1 << 20;
const MOST_FILES: usize = 100;

/// How a data connection comes about.
pub(crate) enum Data {
    /// The client connects to this.
    Passive(TcpListener),
    /// The client listens there.
    Active(SocketAddrV4),
}

impl Session {
    pub(crate) fn peer(&self) -> io::Result<IpAddr> {
        Ok(self.control.get_ref().peer_addr()?.ip())
    }

    /// PASV: listens at a port that nobody uses, and says which.
    pub(crate) async fn listen(&mut self) -> io::Result<String> {
        let IpAddr::V4(address) = self.control.get_ref().local_addr()?.ip() else {
            return Ok("425 PASV knows IPv4 only".into());
        };
        let listener = TcpListener::bind((address, 0)).await?;
        let here = SocketAddrV4::new(address, listener.local_addr()?.port());
        self.data = Some(Data::Passive(listener));
        Ok(format!("227 Entering passive mode ({})", address_as_numbers(here)))
    }

    /// RETR and LIST.
    pub(crate) async fn send(&mut self, file: Vec<u8>, ascii: bool) -> io::Result<String> {
        let file = if ascii { with_network_line_ends(&file) } else { file };
        let Some(mut stream) = self.open().await? else {
            return Ok("425 No data connection".into());
        };
        // In stream mode the end of the connection is the end of the file: it is closed before
        // the last reply.
        let sent = stream.write_all(&file).await;
        drop(stream);
        Ok(match sent {
            Ok(()) => "226 That was all".to_owned(),
            Err(error) => format!("426 Broken off: {error}"),
        })
    }

    /// STOR.
    pub(crate) async fn receive(&mut self, name: &str) -> io::Result<String> {
        let Some(stream) = self.open().await? else {
            return Ok("425 No data connection".into());
        };
        let mut file = Vec::new();
        if let Err(error) = stream.take(LARGEST_FILE + 1).read_to_end(&mut file).await {
            return Ok(format!("426 Broken off: {error}"));
        }
        if file.len() as u64 > LARGEST_FILE {
            return Ok("552 Too large".into());
        }
        if self.ascii {
            file = without_network_line_ends(&file);
        }
        let mut files = self.files.borrow_mut();
        if files.len() == MOST_FILES && !files.contains_key(name) {
            return Ok("452 No room".into());
        }
        files.insert(name.to_owned(), file);
        Ok("226 I have it".into())
    }

    /// Announces the transfer and opens the connection for it; `None` if that fails.
    async fn open(&mut self) -> io::Result<Option<TcpStream>> {
        let Some(data) = self.data.take() else { return Ok(None) };
        self.reply("150 Here it comes").await?;
        let opened = timeout(PATIENCE, async {
            match data {
                Data::Passive(listener) => Ok::<_, io::Error>(listener.accept().await?.0),
                Data::Active(to) => {
                    let socket = TcpSocket::new_v4()?;
                    // The last connection from this port is in TIME-WAIT.
                    socket.set_reuseaddr(true)?;
                    socket.bind((Ipv4Addr::UNSPECIFIED, DATA_PORT).into())?;
                    socket.connect(SocketAddr::V4(to)).await
                }
            }
        });
        let Ok(Ok(stream)) = opened.await else { return Ok(None) };
        // Whoever else finds the port in time gets nothing.
        Ok(Some(stream).filter(|stream| {
            let peer = stream.peer_addr().map(|address| address.ip());
            peer.ok() == self.peer().ok()
        }))
    }
}

fn with_network_line_ends(text: &[u8]) -> Vec<u8> {
    let mut sent = Vec::with_capacity(text.len());
    for octet in text {
        if *octet == b'\n' {
            sent.push(b'\r');
        }
        sent.push(*octet);
    }
    sent
}

fn without_network_line_ends(received: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(received.len());
    let mut octets = received.iter().peekable();
    while let Some(octet) = octets.next() {
        if *octet != b'\r' || octets.peek() != Some(&&b'\n') {
            text.push(*octet);
        }
    }
    text
}
