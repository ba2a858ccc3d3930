//! turmoil 0.7: its own `TcpStream` (messages over a channel), 1 ms tick.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use turmoil::net::{TcpListener, TcpStream};
use turmoil::{Builder, Sim};

use crate::application::{self, LISTEN, SERVER, Sockets};
use crate::job::{BUFFER, DELAY, Job, Measured, Pings, Result, SEED};

/// A host has 16,384 ephemeral ports in all, not towards each server port.
const MOST_CONNECTIONS: usize = 10_000;
/// Its links are stored per pair and ticked one by one: 10,000 hosts are
/// 50,000,000 links.
const MOST_HOSTS: usize = 98;

#[derive(Clone, Copy)]
struct Turmoil;

impl Sockets for Turmoil {
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
        // Its queues hold segments, not bytes: there is no buffer to make small.
        Job::Greetings { count, buffer } if buffer == BUFFER => greetings(count).map(Some),
        // It has no MTU, a write is one segment: the nearest row is the largest MTU.
        Job::Bulk { bytes, mtu: 65535, each_frame: false } => bulk(bytes).map(Some),
        Job::IdleConnections { idle, pings } if idle <= MOST_CONNECTIONS => {
            echo(idle, 0, pings).map(Some)
        }
        Job::IdleHosts { idle, pings } if idle <= MOST_HOSTS => echo(0, idle, pings).map(Some),
        _ => Ok(None),
    }
}

fn sim() -> Sim<'static> {
    Builder::new()
        .rng_seed(SEED)
        .min_message_latency(DELAY)
        .max_message_latency(DELAY)
        // Its default of 10 virtual seconds is too short; none of the jobs needs
        // as many as these, so a run that hangs fails.
        .simulation_duration(Duration::from_secs(1_000))
        .build()
}

fn greetings(count: u64) -> Result<Measured> {
    let start = Instant::now();
    let mut sim = sim();
    sim.host("server", || application::greeting_server(Turmoil));
    sim.client("client", application::greeting_client(Turmoil, count));
    sim.run()?;
    drop(sim);
    Ok(Measured { work: count, elapsed: start.elapsed() })
}

fn bulk(bytes: u64) -> Result<Measured> {
    let start = Instant::now();
    let mut sim = sim();
    sim.host("server", move || application::bulk_server(Turmoil, bytes));
    sim.client("client", application::bulk_client(Turmoil, bytes));
    sim.run()?;
    drop(sim);
    Ok(Measured { work: bytes, elapsed: start.elapsed() })
}

fn echo(connections: usize, hosts: usize, pings: Pings) -> Result<Measured> {
    let mut sim = sim();
    sim.host("server", move || application::echo_server(Turmoil, connections));
    for n in 0..hosts {
        sim.host(format!("idle{n}"), || application::idle_host(Turmoil));
    }
    let measured = Arc::new(OnceLock::new());
    let result = measured.clone();
    sim.client("client", async move {
        let measured = application::echo_client(Turmoil, connections, pings).await?;
        result.get_or_init(|| measured);
        Ok(())
    });
    sim.run()?;
    Ok(*measured.get().ok_or("the client did not finish")?)
}
