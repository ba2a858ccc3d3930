//! turmoil-net 0.1 with its own fixture: segments as structs, 1 ms tick.
//!
//! No latency rule is installed: a packet sent during one tick arrives with the
//! next, which is its 1 ms one way. A rule of 1 ms would come on top.

use std::io;
use std::time::Instant;

use turmoil_net::KernelConfig;
use turmoil_net::fixture::ClientServer;
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};

use crate::application::{self, LISTEN, SERVER, Sockets};
use crate::job::{Job, Measured, Pings, Result};

/// A host has 16,384 ephemeral ports in all, not towards each server port; and
/// every tick looks at every socket of every host.
const MOST_CONNECTIONS: usize = 10_000;

#[derive(Clone, Copy)]
struct TurmoilNet;

impl Sockets for TurmoilNet {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen(&self, port: usize) -> io::Result<TcpListener> {
        TcpListener::bind(LISTEN[port]).await
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<TcpStream> {
        Ok(listener.accept().await?.0)
    }

    async fn connect(&self, port: usize) -> io::Result<TcpStream> {
        TcpStream::connect(SERVER[port]).await
    }
}

pub fn run(job: &Job) -> Result<Option<Measured>> {
    match *job {
        Job::Greetings { count, buffer } => greetings(count, buffer).map(Some),
        Job::Bulk { bytes, mtu, each_frame: false } => bulk(bytes, mtu).map(Some),
        Job::IdleConnections { idle, pings } if idle <= MOST_CONNECTIONS => {
            echo(idle, 0, pings).map(Some)
        }
        Job::IdleHosts { idle, pings } => echo(0, idle, pings).map(Some),
        _ => Ok(None),
    }
}

/// The fixture wants servers that return nothing; one that fails stops the run.
async fn server(work: impl Future<Output = Result>) {
    if let Err(error) = work.await {
        panic!("turmoil-net server: {error}");
    }
}

fn greetings(count: u64, buffer: usize) -> Result<Measured> {
    let start = Instant::now();
    let config = KernelConfig::default().send_buf_cap(buffer).recv_buf_cap(buffer);
    ClientServer::with_config(config)
        .server("server", server(application::greeting_server(TurmoilNet)))
        .run("client", application::greeting_client(TurmoilNet, count))?;
    Ok(Measured { work: count, elapsed: start.elapsed() })
}

fn bulk(bytes: u64, mtu: usize) -> Result<Measured> {
    let start = Instant::now();
    let config = KernelConfig::default().mtu(u32::try_from(mtu)?);
    ClientServer::with_config(config)
        .server("server", server(application::bulk_server(TurmoilNet, bytes)))
        .run("client", application::bulk_client(TurmoilNet, bytes))?;
    Ok(Measured { work: bytes, elapsed: start.elapsed() })
}

fn echo(connections: usize, hosts: usize, pings: Pings) -> Result<Measured> {
    let mut fixture = ClientServer::new()
        .server("server", server(application::echo_server(TurmoilNet, connections)));
    for n in 0..hosts {
        fixture = fixture.server(format!("idle{n}"), server(application::idle_host(TurmoilNet)));
    }
    fixture.run("client", application::echo_client(TurmoilNet, connections, pings))
}
