//! `glassnet client`: the greeting client of every sockets tutorial, on a real network.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;

use clap::Args;
use glassnet::net::TcpStream;
use glassnet::net::names::{AddrInfoHints, getaddrinfo};
use glassnet::net::socket::Type;
use glassnet::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use glassnet::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::attach::{self, Attach, Family};
use super::input::Input;
use super::output;
use super::printing::Printer;
use super::values;

/// Connect to a server over a TAP device or a cable
///
/// Standard input is sent to it, unless that is a terminal, and its end is the end
/// of what is sent; < /dev/null sends nothing. What it says is printed as it is;
/// on a terminal a last line without an end gets one.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_long_help = HELP)]
pub(crate) struct Client {
    /// Name or address of the server's host, which may have its port with it: [fd00::1]:80
    ///
    /// On a TAP device, and with --dhcp, a name is one that a DNS server knows: the network's, or
    /// see --nameserver.
    #[arg(value_name = "HOST[:PORT]", value_parser = values::host)]
    host: (String, Option<u16>),

    /// Port of the server
    #[arg(value_name = "PORT", value_parser = values::port)]
    port: Option<u16>,

    #[command(flatten)]
    attach: Attach,

    #[command(flatten)]
    family: Family,
}

const HELP: &str = "\
Examples:
  glassnet server &
  glassnet client server 12345
  glassnet client -6 server:12345

  sudo scripts/tap-up.sh tap0
  python3 -m http.server --bind 192.0.2.1 8000 &
  printf 'GET / HTTP/1.0\\r\\n\\r\\n' |
    glassnet client 192.0.2.1 8000 --tap tap0 --address 192.0.2.2/24

Without --address on a TAP device, the address comes from a DHCP server there.

Exit code:
  0    the server has said everything
  1    the connection, the device or the capture failed
  2    something was asked wrongly, or the device cannot be used; nothing was run
  130  SIGINT (Ctrl-C) ended it; 143: SIGTERM; 129: SIGHUP";

impl Client {
    /// Runs it.
    pub(crate) fn run(&self) -> ExitCode {
        let host = self.host.0.clone();
        let port = match (self.port, self.host.1) {
            (Some(port), None) | (None, Some(port)) => port,
            (None, None) => {
                return output::misused("missing: <PORT>; see 'glassnet client --help'");
            }
            (Some(_), Some(_)) => return output::misused("two ports: give one"),
        };
        // Any number of clients is on a cable, and one on a device of the kernel, whose neighbours
        // know it again by its name.
        let name = match self.attach.is_on_cable() {
            true => format!("client-{}", std::process::id()),
            false => "client".to_owned(),
        };
        let mut live = match self.attach.live(&name) {
            Ok(live) => live,
            Err(error) => return attach::not_attached(&error),
        };
        if self.attach.are_names_addresses() && host.parse::<IpAddr>().is_err() {
            live.peer(&host);
        }
        let progress = Rc::new(Cell::new(Progress::Attached));
        let reached = progress.clone();
        let family = self.family;
        let stdio = Printer::new(self.attach.is_captured_on_stdout())
            .and_then(|out| Ok((Input::unless_terminal()?, out)));
        let (input, out) = match stdio {
            Ok(stdio) => stdio,
            Err(error) => return attach::not_attached(&error),
        };
        let ended = live.run(async move {
            reached.set(Progress::Connects);
            let stream = connect(&host, port, family).await?;
            reached.set(Progress::Connected);
            tracing::info!(target: "glassnet::client", peer = %stream.peer_addr()?, "connected");
            let (reads, writes) = stream.into_split();
            let sends = input.map(|input| spawn(send_all(input, writes)));
            print_all(reads, out).await?;
            match sends {
                Some(sends) if sends.is_finished() => Ok(sends.await??),
                _ => Ok(()),
            }
        });
        match ended {
            Err(error) => attach::ended(error.as_ref(), self.hint(error.as_ref(), progress.get())),
            Ok(()) => match live.stopped_by() {
                Some(signal) => {
                    ExitCode::from(u8::try_from(128 + signal).unwrap_or(output::FAILED))
                }
                None => ExitCode::SUCCESS,
            },
        }
    }

    fn hint(&self, error: &(dyn Error + 'static), reached: Progress) -> Option<&'static str> {
        let kind = error.downcast_ref::<io::Error>()?.kind();
        let on_cable = self.attach.is_on_cable();
        match kind {
            _ if reached != Progress::Connects => None,
            io::ErrorKind::ConnectionRefused => Some("that host listens on no such port"),
            io::ErrorKind::HostUnreachable if on_cable => Some(
                "no host on this cable has that name or address: start the server first, with \
                 the same --cable",
            ),
            io::ErrorKind::HostUnreachable => Some(
                "no neighbour has that address: see `ip address` and `ip neighbour` at the \
                 device's other end",
            ),
            io::ErrorKind::NetworkUnreachable => {
                Some("that address is in none of this host's networks: give --gateway")
            }
            io::ErrorKind::TimedOut => Some("a firewall may drop what is sent there"),
            _ => None,
        }
    }
}

/// How far it got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It may have no address yet.
    Attached,
    Connects,
    Connected,
}

/// Connects over a family that was asked for, or over any.
async fn connect(host: &str, port: u16, family: Family) -> io::Result<TcpStream> {
    let Some(only) = family.only() else { return TcpStream::connect((host, port)).await };
    let hints = AddrInfoHints::default().family(only).socktype(Type::STREAM);
    let found = getaddrinfo(Some(host), Some(&port.to_string()), &hints).await?;
    let addresses: Vec<SocketAddr> = found.into_iter().map(|found| found.address).collect();
    TcpStream::connect(&addresses[..]).await
}

/// Sends what comes from standard input, and then that nothing more comes.
///
/// # Errors
/// Those of reading. That the server takes nothing more is none: what it says goes on.
async fn send_all(mut input: Input, mut writes: OwnedWriteHalf) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let len = input.read(&mut buffer).await.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot read standard input: {error}"))
        })?;
        if len == 0 {
            let _ = writes.shutdown().await;
            return Ok(());
        }
        if writes.write_all(&buffer[..len]).await.is_err() {
            writes.forget();
            return Ok(());
        }
    }
}

/// Prints what is read, as it is. On a terminal the next prompt gets a line of its own.
async fn print_all(mut reads: OwnedReadHalf, mut out: Printer) -> glassnet::Result {
    let mut buffer = vec![0; 64 * 1024];
    let mut last = b'\n';
    loop {
        let len = reads.read(&mut buffer).await?;
        let Some(newest) = buffer[..len].last() else { break };
        last = *newest;
        match out.write_all(&buffer[..len]).await {
            // Its reader, such as `head`, has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            printed => printed.map_err(unprintable)?,
        }
    }
    if last != b'\n' && out.is_terminal() {
        out.write_all(b"\n").await?;
    }
    match out.flush().await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unprintable(error).into()),
        _ => Ok(()),
    }
}

fn unprintable(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
}
