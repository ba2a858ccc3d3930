//! glassnet's simulated world. The default LAN already is 1 ms one way.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use glassnet::net::{TcpListener, TcpStream};
use glassnet::{HostOptions, Sim};

use crate::application::{self, LISTEN, SERVER, Sockets};
use crate::job::{BUFFER, DELAY, Job, Measured, Pings, Result, SEED, SMALL_BUFFER, check_total};

/// Of a path of the default LAN.
const ROUND_TRIP: Duration = DELAY.saturating_mul(2);

#[derive(Clone, Copy)]
struct Glassnet;

impl Sockets for Glassnet {
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

/// The applications' errors need not be `Send`, and those of a world are.
async fn sent<T>(application: impl Future<Output = Result<T>>) -> glassnet::Result<T> {
    application.await.map_err(|error| error.to_string().into())
}

pub fn run(job: &Job) -> Result<Option<Measured>> {
    match *job {
        Job::Greetings { count, buffer } => greetings(count, &buffers(buffer)),
        Job::CapturedGreetings { count } => captured_greetings(count),
        Job::Bulk { bytes, mtu, .. } => bulk(bytes, mtu),
        Job::IdleConnections { idle, pings } => echo(idle, 0, pings),
        Job::IdleHosts { idle, pings } => echo(0, idle, pings),
        Job::ActiveHosts { hosts, messages } => active_hosts(hosts, messages),
    }
    .map(Some)
}

fn sim() -> Sim {
    let mut sim = Sim::new(SEED);
    // Jobs end by themselves, and have more events than a test should.
    sim.event_limit(u64::MAX);
    sim
}

fn buffers(size: usize) -> HostOptions {
    HostOptions::default().recv_buffer(size).send_buffer(size)
}

/// Both ends alike.
fn configure(sim: &mut Sim, options: &HostOptions) {
    sim.host_options("server", options.clone());
    sim.host_options("client", options.clone());
}

fn greeting_sim(count: u64, options: &HostOptions) -> Sim {
    let mut sim = sim();
    sim.host("server", || sent(application::greeting_server(Glassnet)));
    sim.client("client", sent(application::greeting_client(Glassnet, count)));
    configure(&mut sim, options);
    sim
}

fn greetings(count: u64, options: &HostOptions) -> Result<Measured> {
    let start = Instant::now();
    let mut sim = greeting_sim(count, options);
    sim.run()?;
    drop(sim);
    Ok(Measured { work: count, elapsed: start.elapsed() })
}

fn captured_greetings(count: u64) -> Result<Measured> {
    let directory = TemporaryDirectory::new()?;
    let client = directory.path("client.pcapng");
    let server = directory.path("server.pcapng");

    let start = Instant::now();
    let mut sim = greeting_sim(count, &buffers(BUFFER));
    sim.capture("client", &client)?;
    sim.capture("server", &server)?;
    sim.run()?;
    // The files are complete when the world is gone.
    drop(sim);
    let elapsed = start.elapsed();

    for file in [&client, &server] {
        check_capture(file, count)?;
    }
    Ok(Measured { work: count, elapsed })
}

/// A greeting is at least SYN, SYN|ACK, ACK, data, and two FINs: six frames of
/// 54 bytes or more, each in a block of 32 more.
fn check_capture(file: &Path, count: u64) -> Result {
    let length = std::fs::metadata(file)?.len();
    if length < count * 6 * (54 + 32) {
        return Err(format!("{} has only {length} bytes", file.display()).into());
    }
    Ok(())
}

fn bulk(bytes: u64, mtu: usize) -> Result<Measured> {
    let options = buffers(BUFFER).mtu(mtu);
    let start = Instant::now();
    let mut sim = sim();
    sim.host("server", move || sent(application::bulk_server(Glassnet, bytes)));
    sim.client("client", sent(application::bulk_client(Glassnet, bytes)));
    configure(&mut sim, &options);
    sim.run()?;
    drop(sim);
    Ok(Measured { work: bytes, elapsed: start.elapsed() })
}

fn echo(connections: usize, hosts: usize, pings: Pings) -> Result<Measured> {
    let mut sim = sim();
    sim.host("server", move || sent(application::echo_server(Glassnet, connections)));
    for n in 0..hosts {
        sim.host(&format!("idle{n}"), || sent(application::idle_host(Glassnet)));
    }
    let measured = Arc::new(OnceLock::new());
    let result = measured.clone();
    sim.client("client", async move {
        let measured = sent(application::echo_client(Glassnet, connections, pings)).await?;
        result.get_or_init(|| measured);
        Ok(())
    });
    // 50,000 idle connections are more than the default of `tcp_mem` lets a host have.
    configure(&mut sim, &buffers(SMALL_BUFFER).tcp_mem(u64::MAX));
    sim.run()?;
    Ok(*measured.get().ok_or("the client did not finish")?)
}

/// The clock begins when all are connected and warm. Every pair has a message on its way all the
/// time, so that each event is one of another host than the last.
fn active_hosts(hosts: usize, messages: u64) -> Result<Measured> {
    let mut sim = sim();
    let pairs = hosts / 2;
    let done = Arc::new(AtomicU64::new(0));
    for n in 0..pairs {
        let (server, client) = (format!("server{n}"), format!("client{n}"));
        sim.host(&server, || sent(application::pair_server(Glassnet)));
        let (done, address) = (done.clone(), format!("{server}:{}", application::PAIR_PORT));
        sim.client(&client, async move {
            let mut stream = TcpStream::connect(address).await?;
            sent(application::ping_for_ever(&mut stream, &done)).await
        });
        for name in [&server, &client] {
            sim.host_options(name, buffers(SMALL_BUFFER));
        }
    }
    // Names, handshakes, and messages until nothing is new any more.
    sim.run_for(ROUND_TRIP * 16)?;
    let before = done.load(Relaxed);
    let rounds = (messages / pairs as u64).max(1);
    let start = Instant::now();
    sim.run_for(ROUND_TRIP * u32::try_from(rounds)?)?;
    let elapsed = start.elapsed();
    let work = done.load(Relaxed) - before;
    check_total(rounds * pairs as u64, work)?;
    Ok(Measured { work, elapsed })
}

/// Removed when dropped, also after a failed run.
struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("glassnet-peers-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // Nothing depends on it: a leftover in the temporary directory is harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
