//! The user's side of FTP.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{Instant, timeout};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::reply::{Refused, Reply, address_as_numbers, address_from_numbers};

/// How long it waits for the server to open a data connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which side opens the data connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Passive,
    Active,
}

/// A data connection that is open already, or that the server will open after the command.
enum Data {
    Open(TcpStream),
    Expected(TcpListener),
}

pub(crate) struct Client {
    control: BufReader<TcpStream>,
    mode: Mode,
}

impl Client {
    pub(crate) async fn connect(server: &str) -> glassnet::Result<Client> {
        let control = BufReader::new(TcpStream::connect(server).await?);
        let mut client = Client { control, mode: Mode::Passive };
        client.reply(220).await?;
        Ok(client)
    }

    pub(crate) fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    pub(crate) async fn login(&mut self, user: &str, password: &str) -> glassnet::Result {
        self.command(&format!("USER {user}"), 331).await?;
        self.command(&format!("PASS {password}"), 230).await?;
        Ok(())
    }

    /// "A" for text, whose lines end with CR LF on their way, and "I" for octets as they are.
    pub(crate) async fn set_type(&mut self, name: &str) -> glassnet::Result {
        self.command(&format!("TYPE {name}"), 200).await?;
        Ok(())
    }

    pub(crate) async fn retrieve(&mut self, name: &str) -> glassnet::Result<Vec<u8>> {
        self.receive(&format!("RETR {name}")).await
    }

    pub(crate) async fn list(&mut self) -> glassnet::Result<Vec<u8>> {
        self.receive("LIST").await
    }

    pub(crate) async fn store(&mut self, name: &str, file: &[u8]) -> glassnet::Result {
        let mut data = self.start_transfer(&format!("STOR {name}")).await?;
        data.write_all(file).await?;
        // In stream mode the end of the connection is the end of the file.
        drop(data);
        self.reply(226).await?;
        Ok(())
    }

    pub(crate) async fn quit(mut self) -> glassnet::Result {
        self.command("QUIT", 221).await?;
        Ok(())
    }

    async fn receive(&mut self, command: &str) -> glassnet::Result<Vec<u8>> {
        let mut data = self.start_transfer(command).await?;
        let mut file = Vec::new();
        data.read_to_end(&mut file).await?;
        self.reply(226).await?;
        Ok(file)
    }

    async fn start_transfer(&mut self, command: &str) -> glassnet::Result<TcpStream> {
        let data = match self.mode {
            Mode::Passive => {
                let reply = self.command("PASV", 227).await?;
                let numbers = reply.text.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
                let address = numbers.and_then(|(numbers, _)| address_from_numbers(numbers));
                let address = address.ok_or("the reply to PASV has no address")?;
                Data::Open(TcpStream::connect(SocketAddr::V4(address)).await?)
            }
            Mode::Active => {
                let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
                let SocketAddr::V4(ours) = self.control.get_ref().local_addr()? else {
                    return Err("PORT knows IPv4 only".into());
                };
                let here = SocketAddrV4::new(*ours.ip(), listener.local_addr()?.port());
                self.command(&format!("PORT {}", address_as_numbers(here)), 200).await?;
                Data::Expected(listener)
            }
        };
        self.command(command, 150).await?;
        match data {
            Data::Open(stream) => Ok(stream),
            Data::Expected(listener) => Ok(timeout(PATIENCE, listener.accept()).await??.0),
        }
    }

    async fn command(&mut self, command: &str, expected: u16) -> glassnet::Result<Reply> {
        println!("{} > {command}", Instant::now());
        self.control.write_all(format!("{command}\r\n").as_bytes()).await?;
        self.reply(expected).await
    }

    async fn reply(&mut self, expected: u16) -> glassnet::Result<Reply> {
        let mut line = String::new();
        if self.control.read_line(&mut line).await? == 0 {
            return Err("the server closed the connection".into());
        }
        let reply = Reply::parse(line.trim_end()).ok_or("not a reply of one line")?;
        println!("{} < {reply}", Instant::now());
        if reply.code == expected { Ok(reply) } else { Err(Refused(reply).into()) }
    }
}
