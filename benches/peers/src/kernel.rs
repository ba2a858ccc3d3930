//! tokio's sockets over this machine's own loopback, both ends on one thread.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::application::{self, Sockets, ports_for};
use crate::job::{BUFFER, Job, Measured, Pings, Result};

/// Two descriptors a connection: more would meet the usual descriptor limits.
const MOST_CONNECTIONS: usize = 1_000;

/// Listeners are bound before the run, to ports the kernel chooses: TIME-WAIT
/// sockets of earlier runs then never stand in the way.
#[derive(Clone)]
struct Loopback {
    listeners: Rc<Vec<(std::net::TcpListener, SocketAddr)>>,
}

impl Loopback {
    fn new(ports: usize) -> io::Result<Self> {
        let listeners = (0..ports)
            .map(|_| {
                let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                Ok((listener, address))
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self { listeners: Rc::new(listeners) })
    }
}

impl Sockets for Loopback {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen(&self, port: usize) -> io::Result<TcpListener> {
        TcpListener::from_std(self.listeners[port].0.try_clone()?)
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<TcpStream> {
        Ok(listener.accept().await?.0)
    }

    async fn connect(&self, port: usize) -> io::Result<TcpStream> {
        TcpStream::connect(self.listeners[port].1).await
    }
}

pub fn run(job: &Job) -> Result<Option<Measured>> {
    match *job {
        Job::Greetings { count, buffer } if buffer == BUFFER => greetings(count).map(Some),
        // `lo` has an MTU of 65536.
        Job::Bulk { bytes, mtu: 65535, each_frame: false } => bulk(bytes).map(Some),
        Job::IdleConnections { idle, pings } if idle <= MOST_CONNECTIONS => {
            echo(idle, pings).map(Some)
        }
        // One machine: there are no idle hosts to put beside it.
        Job::IdleHosts { idle: 0, pings } => echo(0, pings).map(Some),
        _ => Ok(None),
    }
}

/// Runs the two ends; the client's end is the end.
fn pair<T>(
    server: impl Future<Output = Result> + 'static,
    client: impl Future<Output = Result<T>>,
) -> Result<T> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let tasks = LocalSet::new();
    let server = tasks.spawn_local(server);
    let result = tasks.block_on(&runtime, client);
    server.abort();
    result
}

fn greetings(count: u64) -> Result<Measured> {
    let start = Instant::now();
    let sockets = Loopback::new(1)?;
    pair(
        application::greeting_server(sockets.clone()),
        application::greeting_client(sockets, count),
    )?;
    Ok(Measured { work: count, elapsed: start.elapsed() })
}

fn bulk(bytes: u64) -> Result<Measured> {
    let start = Instant::now();
    let sockets = Loopback::new(1)?;
    pair(
        application::bulk_server(sockets.clone(), bytes),
        application::bulk_client(sockets, bytes),
    )?;
    Ok(Measured { work: bytes, elapsed: start.elapsed() })
}

fn echo(connections: usize, pings: Pings) -> Result<Measured> {
    let sockets = Loopback::new(ports_for(connections))?;
    pair(
        application::echo_server(sockets.clone(), connections),
        application::echo_client(sockets, connections, pings),
    )
}
