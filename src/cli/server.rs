//! `glassnet server`: the greeting server of every sockets tutorial, on a real network.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;

use clap::Args;
use glassnet::greeting::GREETING;
use glassnet::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use glassnet::spawn;
use tokio::io::AsyncWriteExt;

use super::attach::{self, Attach};
use super::printing::Printer;
use super::values;

/// Greet whoever connects, over a TAP device or a cable, with a TCP/IP stack of our own
///
/// It serves for ever, any number of clients at once, and prints one line for each:
///
///   Got connection from <address:port>
///
/// SIGINT (Ctrl-C), SIGTERM and SIGHUP end it: connections are closed, and the capture is whole.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_long_help = HELP)]
pub(crate) struct Server {
    #[command(flatten)]
    attach: Attach,

    /// Port to listen on
    #[arg(long, value_name = "PORT", default_value = "12345", value_parser = values::port)]
    #[arg(help_heading = "Server")]
    port: u16,

    /// Connections that may wait to be accepted
    #[arg(long, value_name = "N", default_value = "5", value_parser = values::backlog)]
    #[arg(help_heading = "Server")]
    backlog: u32,

    /// What clients are told
    #[arg(long, value_name = "TEXT", default_value = GREETING, help_heading = "Server")]
    message: String,

    /// TCP connections that the host keeps at most; SYNs beyond them are dropped
    #[arg(long, value_name = "N", value_parser = values::connections, help_heading = "Server")]
    max_connections: Option<usize>,

    /// Greet one client, and end
    #[arg(long, help_heading = "Server")]
    once: bool,
}

const DEFAULT_NAME: &str = "server";

const HELP: &str = "\
Examples:
  glassnet server &
  glassnet client server 12345

  sudo scripts/tap-up.sh tap0
  glassnet server --tap tap0 --address 192.0.2.2/24 --address fd00:db8::2/64 &
  nc 192.0.2.2 12345

  scripts/tap-demo.sh      the same without root, in a network of its own

Without --address on a TAP device, the address comes from a DHCP server there.

Exit code:
  0  it was ended by a signal, or with --once has greeted its client
  1  the device failed, or the capture could not be written
  2  something was asked wrongly, or the device cannot be used; nothing was run";

impl Server {
    /// Runs it.
    pub(crate) fn run(&self) -> ExitCode {
        let mut live = match self.attach.live(DEFAULT_NAME) {
            Ok(live) => live,
            Err(error) => return attach::not_attached(&error),
        };
        if let Some(most) = self.max_connections {
            live.host_options(|options| options.max_connections = most);
        }
        let of_host: Vec<IpAddr> =
            live.addresses().into_iter().map(|(address, _)| address).collect();
        let serving = Serving {
            port: self.port,
            backlog: self.backlog,
            message: self.message.as_str().into(),
            once: self.once,
            out: match Printer::new(self.attach.is_captured_on_stdout()) {
                Ok(out) => out,
                Err(error) => return attach::not_attached(&error),
            },
            addresses: of_host,
            lent_to: self.attach.asks_by_dhcp().then(|| self.attach.name(DEFAULT_NAME).to_owned()),
        };
        match live.run(async move { Ok(serving.serve().await?) }) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => attach::ended(error.as_ref(), None),
        }
    }
}

struct Serving {
    port: u16,
    backlog: u32,
    message: Rc<str>,
    once: bool,
    out: Printer,
    addresses: Vec<IpAddr>,
    /// The host's name, where it has another address by DHCP.
    lent_to: Option<String>,
}

impl Serving {
    async fn serve(mut self) -> io::Result<()> {
        let socket = TcpSocket::new_v6()?;
        socket.set_reuseaddr(true)?;
        // Of both families: `::` takes IPv4 as well.
        socket.bind(SocketAddr::from(([0u16; 8], self.port)))?;
        let listener: TcpListener = socket.listen(self.backlog)?;
        let addresses = self.all_addresses().await?.join(", ");
        let _ = writeln!(io::stderr(), "glassnet: listening on port {} of {addresses}", self.port);
        loop {
            let (stream, peer) = listener.accept().await?;
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            self.out.write_all(format!("Got connection from {peer}\n").as_bytes()).await?;
            self.out.flush().await?;
            let greeting = greet(stream, self.message.clone());
            if self.once {
                greeting.await;
                return Ok(());
            }
            spawn(greeting);
        }
    }

    async fn all_addresses(&self) -> io::Result<Vec<String>> {
        let mut all = self.addresses.clone();
        if let Some(name) = &self.lent_to {
            let known = lookup_host((name.as_str(), self.port)).await?.map(|address| address.ip());
            let lent: Vec<IpAddr> = known.filter(|address| !all.contains(address)).collect();
            all.splice(0..0, lent);
        }
        Ok(all.iter().map(IpAddr::to_string).collect())
    }
}

/// A client that goes away in the middle is no error of the server.
async fn greet(mut stream: TcpStream, message: Rc<str>) {
    let _ = stream.write_all(message.as_bytes()).await;
}
