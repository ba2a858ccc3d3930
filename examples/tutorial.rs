//! The two programs of every sockets tutorial, call by call: what Python's `socket` module calls
//! `socket`, `bind`, `listen`, `accept`, `connect`, `send`, `recv` and `close` is called so here.
//!
//! `cargo run --example tutorial [CAPTURE]` runs both on hosts of a simulated network, and leaves
//! a capture of the client's interface.

use std::path::PathBuf;

use glassnet::Sim;
use glassnet::net::addr::socket_address;
use glassnet::net::names::gethostname;
use glassnet::net::socket::{Domain, Protocol, Socket, Type};

/// server.py
async fn server() -> glassnet::Result {
    let s = Socket::new(Domain::IPV4, Type::STREAM, None)?; // s = socket.socket()
    let host = gethostname()?; // host = socket.gethostname()
    let port = 12345; // port = 12345
    s.bind(&address(&host, port).await?.into())?; // s.bind((host, port))
    s.listen(5)?; // s.listen(5)
    loop {
        let (c, addr) = s.accept().await?; // c, addr = s.accept()
        println!("Got connection from {addr:?}"); // print('Got connection from', addr)
        c.send(b"Thank you for connecting").await?; // c.send(b'Thank you for connecting')
        c.close().await; // c.close()
    }
}

/// client.py, which on a network of two hosts names the other one.
async fn client() -> glassnet::Result {
    let s = Socket::new(Domain::IPV4, Type::STREAM, None)?; // s = socket.socket()
    let host = "server"; // host = 'server'
    let port = 12345; // port = 12345
    s.connect(&address(host, port).await?.into()).await?; // s.connect((host, port))
    let mut buffer = [0; 1024];
    let len = s.recv(&mut buffer).await?; // print(s.recv(1024))
    println!("{}", String::from_utf8_lossy(&buffer[..len]));
    s.close().await; // s.close()
    Ok(())
}

/// Python's pair of a host, by name, and a port.
async fn address(host: &str, port: u16) -> std::io::Result<std::net::SocketAddr> {
    socket_address(Domain::IPV4, Protocol::TCP, host, port).await
}

fn main() -> glassnet::Result {
    let capture = std::env::args_os().nth(1).map(PathBuf::from);
    let capture = capture.unwrap_or_else(|| std::env::temp_dir().join("glassnet-tutorial.pcapng"));
    let mut sim = Sim::new(7);
    sim.host("server", server);
    sim.client("client", client());
    sim.capture("client", &capture)?;
    sim.run()?;
    println!("{}", capture.display());
    Ok(())
}
