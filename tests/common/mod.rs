//! What the integration tests share: a look at the wire, notes, and two hosts with a connection.
#![allow(dead_code, reason = "every test binary uses some of it")]

pub(crate) mod directory;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::{Instant, sleep};
use glassnet::{DropReason, Event, Fate, RunError, Sim, TcpEngine, TcpSegment, TcpState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The time of the world, since it began.
pub(crate) fn now() -> Duration {
    Instant::now().since_start()
}

/// Octets that repeat only after a long while, so that a gap, a copy or a swap shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 11) as u8).collect()
}

/// What a test expects of smoltcp's TCP, or of glassnet's own: of the one that hosts have by default,
/// which is the other when tests are built with `--cfg glassnet_own_tcp`.
pub(crate) fn by_engine<T>(smoltcp: T, glassnet: T) -> T {
    match TcpEngine::default() {
        TcpEngine::Smoltcp => smoltcp,
        TcpEngine::Glassnet => glassnet,
    }
}

/// Runs a client on a host that has the network for itself, and all the time of the world.
pub(crate) fn alone<F>(main: F) -> glassnet::Result
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(1);
    sim.time_limit(Duration::MAX);
    sim.client("alone", main);
    sim.run()
}

/// Things noted by tasks, for the test to look at when the run is over.
pub(crate) struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Log<T> {
        Log(self.0.clone())
    }
}

impl<T: Clone> Log<T> {
    pub(crate) fn new() -> Log<T> {
        Log(Rc::default())
    }

    pub(crate) fn note(&self, what: T) {
        self.0.borrow_mut().push(what);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.borrow().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

/// A frame that a host sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) time: Duration,
    pub(crate) from: String,
    pub(crate) to: Option<String>,
    pub(crate) fate: Fate,
    pub(crate) frame: Vec<u8>,
}

impl Sent {
    pub(crate) fn segment(&self) -> Option<TcpSegment> {
        TcpSegment::parse(&self.frame)
    }

    /// When it arrives.
    pub(crate) fn arrival(&self) -> Option<Duration> {
        match self.fate {
            Fate::Arrives { at, .. } => Some(at.since_start()),
            _ => None,
        }
    }

    pub(crate) fn is_dropped(&self, reason: DropReason) -> bool {
        self.fate == Fate::Dropped(reason)
    }
}

/// A change of a connection's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) time: Duration,
    pub(crate) host: String,
    pub(crate) from: TcpState,
    pub(crate) to: TcpState,
}

/// Everything that was seen on the wire, and every change of a connection's state.
#[derive(Clone)]
pub(crate) struct Wire {
    sent: Log<Sent>,
    changes: Log<Change>,
    duplicates: Log<Duration>,
}

impl Wire {
    pub(crate) fn watch(sim: &mut Sim) -> Wire {
        let wire = Wire { sent: Log::new(), changes: Log::new(), duplicates: Log::new() };
        let ours = wire.clone();
        sim.observe(move |event| match *event {
            Event::Sent { time, from, to, frame, fate, .. } => ours.sent.note(Sent {
                time: time.since_start(),
                from: from.to_owned(),
                to: to.map(str::to_owned),
                fate,
                frame: frame.to_owned(),
            }),
            Event::Arrived { time, duplicate: true, .. } => {
                ours.duplicates.note(time.since_start());
            }
            Event::State { time, host, from, to, .. } => {
                let time = time.since_start();
                ours.changes.note(Change { time, host: host.to_owned(), from, to });
            }
            _ => {}
        });
        wire
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.all()
    }

    pub(crate) fn duplicates(&self) -> usize {
        self.duplicates.len()
    }

    /// The TCP segments that a host sent, with their times.
    pub(crate) fn segments(&self, from: &str) -> Vec<(Duration, TcpSegment)> {
        let ours = self.sent().into_iter().filter(|sent| sent.from == from);
        ours.filter_map(|sent| sent.segment().map(|segment| (sent.time, segment))).collect()
    }

    /// When a host sent what `which` chooses.
    pub(crate) fn times(&self, from: &str, which: impl Fn(&TcpSegment) -> bool) -> Vec<Duration> {
        let chosen = self.segments(from).into_iter().filter(|(_, segment)| which(segment));
        chosen.map(|(time, _)| time).collect()
    }

    pub(crate) fn resets(&self, from: &str) -> usize {
        self.times(from, |segment| segment.rst).len()
    }

    pub(crate) fn fins(&self, from: &str) -> usize {
        self.times(from, |segment| segment.fin).len()
    }

    /// The bytes of payload that a host sent, repetitions included.
    pub(crate) fn payload(&self, from: &str) -> u64 {
        self.segments(from).iter().map(|(_, segment)| u64::from(segment.len)).sum()
    }

    /// The states that a host's connections went to, in order.
    pub(crate) fn states(&self, host: &str) -> Vec<TcpState> {
        self.changes().into_iter().filter(|it| it.host == host).map(|it| it.to).collect()
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        self.changes.all()
    }
}

/// Two hosts, `server` (10.0.0.1) and `client` (10.0.0.2), with one connection to port 7; the run
/// waits for both of them.
pub(crate) fn pair<S, C, SF, CF>(seed: u64, server: S, client: C) -> Sim
where
    S: FnOnce(TcpStream) -> SF + 'static,
    C: FnOnce(TcpStream) -> CF + 'static,
    SF: Future<Output = glassnet::Result> + 'static,
    CF: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(seed);
    sim.client("server", async move {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (stream, _) = listener.accept().await?;
        server(stream).await
    });
    sim.client("client", async move { client(TcpStream::connect("server:7").await?).await });
    sim
}

/// Adds a host that sends back what it gets, connection by connection, all at once.
pub(crate) fn echo_host(sim: &mut Sim, name: &str) {
    sim.host(name, || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (stream, _) = listener.accept().await?;
            glassnet::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                // A peer that goes away in the middle is no error of the host.
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
}

/// A world with a host, `server` (10.0.0.1), that sends back what it gets.
pub(crate) fn with_echo_server() -> Sim {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim
}

/// Runs to the end; from some time on `client` and `server` do not hear each other.
pub(crate) fn run_cut_off_after(sim: &mut Sim, after: Duration) -> glassnet::Result {
    sim.run_for(after)?;
    sim.partition("client", "server");
    sim.run()
}

/// Runs to the end; from some time on `client` and `server` do not hear each other for a while.
pub(crate) fn run_with_outage(sim: &mut Sim, after: Duration, lasts: Duration) -> glassnet::Result {
    sim.run_for(after)?;
    sim.partition("client", "server");
    sim.run_for(lasts)?;
    sim.heal("client", "server");
    sim.run()
}

/// Sends `data`, shuts down, and returns what came back.
pub(crate) async fn exchange(stream: TcpStream, data: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let (mut read, mut write) = stream.into_split();
    let sending = glassnet::spawn(async move {
        write.write_all(&data).await?;
        write.shutdown().await
    });
    let mut received = Vec::new();
    read.read_to_end(&mut received).await?;
    sending.await??;
    Ok(received)
}

pub(crate) async fn read_all(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await?;
    Ok(received)
}

/// A listener with a backlog of one's own.
pub(crate) fn listen(port: u16, backlog: u32) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([0, 0, 0, 0], port).into())?;
    socket.listen(backlog)
}

/// Connects from a port of one's own.
pub(crate) async fn connect_from(port: u16, to: [u8; 4]) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([0, 0, 0, 0], port).into())?;
    socket.connect((to, 7).into()).await
}

/// Never ends, and wants nothing to happen.
pub(crate) async fn for_ever() -> ! {
    loop {
        sleep(secs(1_000_000)).await;
    }
}

/// Polls a future once; it is dropped if it is not ready.
pub(crate) async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Makes a future, polls it once and drops it, again and again until one is ready.
pub(crate) async fn stubbornly<T, F: Future<Output = T>>(mut make: impl FnMut() -> F) -> T {
    loop {
        if let Some(output) = once(make()).await {
            return output;
        }
        sleep(ms(1)).await;
    }
}

/// Number and kind of an I/O error.
pub(crate) fn errno<T>(result: std::io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

/// The report of a run that must have failed.
#[track_caller]
pub(crate) fn failure(result: glassnet::Result) -> Box<RunError> {
    result.expect_err("the run must fail").downcast().expect("a run fails with a RunError")
}

/// A path for a file of this test alone.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

// Linux's numbers.
pub(crate) const EINVAL: i32 = 22;
pub(crate) const EMFILE: i32 = 24;
pub(crate) const EPIPE: i32 = 32;
pub(crate) const EADDRINUSE: i32 = 98;
pub(crate) const EADDRNOTAVAIL: i32 = 99;
pub(crate) const ENETUNREACH: i32 = 101;
pub(crate) const ECONNRESET: i32 = 104;
pub(crate) const ENOTCONN: i32 = 107;
pub(crate) const ETIMEDOUT: i32 = 110;
pub(crate) const ECONNREFUSED: i32 = 111;
pub(crate) const EHOSTUNREACH: i32 = 113;

/// What a panic says.
pub(crate) fn panic_of(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("it did not panic");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap()
}
