//! `glassnet client`: the greeting client of every sockets tutorial, on a real network.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Args;
use glassnet::net::TcpStream;
use tokio::io::AsyncReadExt;

use super::attach::{self, Attach};
use super::output;
use super::values;

/// Connect to a server, over a TAP device or a cable, and print what it says
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_long_help = HELP)]
pub(crate) struct Client {
    /// Name or address of the server's host
    ///
    /// On a TAP device, and with --dhcp, a name is one that a DNS server knows: the network's, or
    /// see --nameserver.
    #[arg(value_name = "HOST")]
    host: String,

    /// Port of the server
    #[arg(value_name = "PORT", value_parser = values::port)]
    port: u16,

    #[command(flatten)]
    attach: Attach,
}

const HELP: &str = "\
Examples:
  glassnet server &
  glassnet client server 12345

  sudo scripts/tap-up.sh tap0
  python3 -m http.server --bind 192.0.2.1 8000 &
  glassnet client 192.0.2.1 8000 --tap tap0 --address 192.0.2.2/24
  glassnet client 192.0.2.1 8000 --tap tap0      asks for an address by DHCP

Exit code:
  0    the server has said everything
  1    the connection, the device or the capture failed
  2    something was asked wrongly, or the device cannot be used; nothing was run
  130  SIGINT (Ctrl-C) ended it; 143: SIGTERM; 129: SIGHUP";

impl Client {
    /// Runs it.
    pub(crate) fn run(&self) -> ExitCode {
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
        if self.attach.are_names_addresses() && self.host.parse::<IpAddr>().is_err() {
            live.peer(&self.host);
        }
        let progress = Rc::new(Cell::new(Progress::Attached));
        let reached = progress.clone();
        let (host, port) = (self.host.clone(), self.port);
        let on_stderr = self.attach.is_captured_on_stdout();
        let ended = live.run(async move {
            reached.set(Progress::Connects);
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            reached.set(Progress::Connected);
            tracing::info!(target: "glassnet::client", peer = %stream.peer_addr()?, "connected");
            if on_stderr {
                print_all(stream, io::stderr()).await
            } else {
                print_all(stream, io::stdout()).await
            }
        });
        match ended {
            Err(error) => attach::ended(&*error, self.hint(&*error, progress.get())),
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

/// Prints what is read, and ends the last line.
async fn print_all(mut stream: TcpStream, mut out: impl Write) -> glassnet::Result {
    let mut buffer = vec![0; 64 * 1024];
    let mut last = b'\n';
    loop {
        let len = stream.read(&mut buffer).await?;
        let Some(newest) = buffer[..len].last() else { break };
        last = *newest;
        if let Err(unwritten) = output::written(out.write_all(&buffer[..len])) {
            return Err(unwritten.into());
        }
    }
    if last != b'\n' {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}
