//! `glassnet server`: the greeting server of every sockets tutorial, on a real network.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;

use clap::Args;
use glassnet::greeting::GREETING;
use glassnet::net::lookup_host;
use glassnet::net::socket::{Domain, Socket, Type};
use glassnet::spawn;
use glassnet::task::JoinHandle;
use tokio::io::AsyncWriteExt;

use super::attach::{self, Attach, Family};
use super::printing::Printer;
use super::values;

/// Greet whoever connects over a TAP device or a cable
///
/// The TCP/IP stack is our own. It serves for ever, any number of clients at once,
/// and prints one line for each:
///
///   Got connection from <address:port>
///
/// SIGINT (Ctrl-C), SIGTERM and SIGHUP end it: connections are closed, and the
/// capture is whole.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_long_help = HELP)]
pub(crate) struct Server {
    #[command(flatten)]
    attach: Attach,

    #[command(flatten)]
    family: Family,

    /// Port to listen on
    #[arg(long, short, value_name = "PORT", default_value = "12345", value_parser = values::port)]
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

    /// Greet so many clients, and end [default: serve for ever]
    #[arg(long, short, value_name = "N", value_parser = values::count, help_heading = "Server")]
    count: Option<u64>,

    /// Greet one client, and end: --count 1
    #[arg(long, conflicts_with = "count", help_heading = "Server")]
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
  0  it was ended by a signal, or has greeted as many clients as it should
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
            live.host_options(self.attach.host_options().max_connections(most));
        }
        let addresses = live.addresses().into_iter().map(|(address, _)| address);
        let of_host: Vec<IpAddr> =
            addresses.filter(|address| self.family.includes(*address)).collect();
        let serving = Serving {
            port: self.port,
            backlog: self.backlog,
            message: self.message.as_str().into(),
            family: self.family,
            left: if self.once { Some(1) } else { self.count },
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
    family: Family,
    /// Clients to greet before it ends.
    left: Option<u64>,
    out: Printer,
    addresses: Vec<IpAddr>,
    /// The host's name, where it has another address by DHCP.
    lent_to: Option<String>,
}

impl Serving {
    async fn serve(mut self) -> io::Result<()> {
        let listener = self.listener()?;
        let addresses = self.all_addresses().await?.join(", ");
        let _ = writeln!(io::stderr(), "glassnet: listening on port {} of {addresses}", self.port);
        let mut greetings: Vec<JoinHandle<()>> = Vec::new();
        while self.left != Some(0) {
            let (client, peer) = listener.accept().await?;
            let peer = peer.as_socket().ok_or(io::ErrorKind::InvalidData)?;
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            self.out.write_all(format!("Got connection from {peer}\n").as_bytes()).await?;
            self.out.flush().await?;
            greetings.retain(|greeting| !greeting.is_finished());
            greetings.push(spawn(greet(client, self.message.clone())));
            self.left = self.left.map(|left| left - 1);
        }
        for greeting in greetings {
            let _ = greeting.await;
        }
        Ok(())
    }

    /// Listens over the families that were asked for.
    fn listener(&self) -> io::Result<Socket> {
        let domain = self.family.only().unwrap_or(Domain::IPV6);
        let socket = Socket::new(domain, Type::STREAM, None)?;
        let any: IpAddr = match domain {
            Domain::IPV4 => Ipv4Addr::UNSPECIFIED.into(),
            _ => {
                // `::` takes IPv4 as well, unless it is told not to.
                socket.set_only_v6(self.family.only().is_some())?;
                Ipv6Addr::UNSPECIFIED.into()
            }
        };
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(any, self.port).into())?;
        socket.listen(i32::try_from(self.backlog).unwrap_or(i32::MAX))?;
        Ok(socket)
    }

    async fn all_addresses(&self) -> io::Result<Vec<String>> {
        let mut all = self.addresses.clone();
        if let Some(name) = &self.lent_to {
            let known = lookup_host((name.as_str(), self.port)).await?.map(|address| address.ip());
            let is_new = |address: &IpAddr| !all.contains(address);
            let lent: Vec<IpAddr> = known.filter(is_new).collect();
            let lent = lent.into_iter().filter(|address| self.family.includes(*address));
            let lent: Vec<IpAddr> = lent.collect();
            all.splice(0..0, lent);
        }
        Ok(all.iter().map(IpAddr::to_string).collect())
    }
}

/// A client that goes away in the middle is no error of the server.
async fn greet(client: Socket, message: Rc<str>) {
    let mut rest = message.as_bytes();
    while !rest.is_empty() {
        match client.send(rest).await {
            Ok(sent) => rest = &rest[sent..],
            Err(_) => return,
        }
    }
}
