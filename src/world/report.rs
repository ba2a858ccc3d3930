//! What a failed run says.

use std::error::Error;
use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::observe::TcpSegment;
use super::state::World;
use crate::host::{ETHERNET_HEADER, ETHERTYPE_IPV6, is_ndp_packet};
use crate::network::Fate;
use crate::time::Instant;

/// Why a run failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// A client returned an error.
    Client {
        /// Its name.
        name: String,
    },
    /// A host's main task returned an error.
    Host {
        /// Its name.
        name: String,
    },
    /// A task returned an error that nobody took, in a [strict](crate::Sim::strict) world.
    Task {
        /// The host that it ran on.
        host: String,
        /// What the error says.
        message: String,
    },
    /// Clients have not ended, and nothing can ever happen again.
    Deadlock,
    /// The run handled more events than its limit allows.
    EventLimit {
        /// The limit.
        limit: u64,
    },
    /// Tasks ran this often without the clock moving.
    Spinning {
        /// How often.
        polls: u64,
    },
    /// The world was set up wrongly.
    Setup {
        /// How.
        message: String,
    },
    /// A capture could not be written.
    Capture {
        /// What the error says, with the path.
        message: String,
    },
    /// The closure given to [`check`](crate::check()) returned an error of its own.
    Test,
    /// An earlier run of the same world has failed; a world that has failed does not run on.
    FailedBefore {
        /// What that run said.
        first: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Client { name } => write!(formatter, "client `{name}` failed"),
            Failure::Host { name } => write!(formatter, "host `{name}` failed"),
            Failure::Task { host, message } => write!(
                formatter,
                "a task of host `{host}` returned an error that nobody took: {message}"
            ),
            Failure::Deadlock => formatter.write_str(
                "deadlock: not every client has ended, and nothing can ever happen again",
            ),
            Failure::EventLimit { limit } => write!(
                formatter,
                "not every client has ended after {limit} events, the limit of this run \
                 (Sim::event_limit changes it)"
            ),
            Failure::Spinning { polls } => {
                write!(
                    formatter,
                    "tasks ran {polls} times without the clock moving: one of them spins"
                )
            }
            Failure::Setup { message } | Failure::Capture { message } => {
                formatter.write_str(message)
            }
            Failure::Test => formatter.write_str("the test failed"),
            Failure::FailedBefore { first } => {
                write!(formatter, "this world has failed before and does not run on: {first}")
            }
        }
    }
}

/// A run failed. `Display` and `Debug` both give the whole report: the error, the seed, the
/// virtual time, what each task waits for, each host's `netstat`, the last frames, the captures,
/// and the command that replays the run. [`Error::source`] is the error of the client or host.
pub struct RunError {
    pub(super) failure: Failure,
    pub(super) source: Option<Box<dyn Error>>,
    pub(super) seed: u64,
    pub(super) time: Instant,
    pub(super) details: String,
    /// Set once somebody was shown the report.
    pub(super) shown: Arc<AtomicBool>,
}

impl RunError {
    /// Why it failed.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// When it failed.
    #[must_use]
    pub fn time(&self) -> Instant {
        self.time
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.store(true, Ordering::Relaxed);
        write!(formatter, "{}", self.failure)?;
        if let Some(source) = &self.source {
            write!(formatter, ": {source}")?;
        }
        write!(formatter, " (seed {}, at {})", self.seed, self.time)?;
        formatter.write_str(&self.details)
    }
}

impl fmt::Debug for RunError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref()
    }
}

/// Frames that a report shows.
const FRAMES: usize = 16;
/// Octets kept of each: all headers.
const HEADERS: usize = 96;
/// Lines of a kind that a report shows before it only counts.
pub(super) const LINES: usize = 24;

/// The last frames that were sent, in a ring that is written in place: every frame passes here.
#[derive(Default)]
pub(super) struct LastFrames {
    ring: Vec<LastFrame>,
    next: usize,
}

struct LastFrame {
    time: u64,
    from: u32,
    to: Option<u32>,
    fate: Fate,
    len: usize,
    headers: [u8; HEADERS],
}

impl LastFrames {
    pub(super) fn push(&mut self, time: u64, from: u32, to: Option<u32>, fate: Fate, frame: &[u8]) {
        if self.ring.len() < FRAMES {
            self.ring.push(LastFrame { time, from, to, fate, len: 0, headers: [0; HEADERS] });
        }
        let slot = &mut self.ring[self.next];
        self.next = (self.next + 1) % FRAMES;
        (slot.time, slot.from, slot.to, slot.fate, slot.len) = (time, from, to, fate, frame.len());
        let kept = frame.len().min(HEADERS);
        slot.headers[..kept].copy_from_slice(&frame[..kept]);
    }

    pub(super) fn write(&self, text: &mut String, name_of: impl Fn(u32) -> String) {
        if self.ring.is_empty() {
            return;
        }
        text.push_str("\nlast frames:");
        let oldest = if self.ring.len() < FRAMES { 0 } else { self.next };
        for frame in self.ring[oldest..].iter().chain(&self.ring[..oldest]) {
            let to = frame.to.map_or_else(|| "nobody".to_owned(), &name_of);
            let what = describe(&frame.headers[..frame.len.min(HEADERS)], frame.len);
            let time = Instant::from_nanos(frame.time);
            let _ = write!(text, "\n  {time} {} -> {to}: {what}", name_of(frame.from));
            match frame.fate {
                Fate::Dropped(reason) => {
                    let _ = write!(text, " [dropped: {reason}]");
                }
                Fate::Arrives { duplicate_at: Some(_), .. } => text.push_str(" [duplicated]"),
                Fate::Arrives { .. } => {}
            }
        }
    }
}

/// Where the type of an ICMPv6 message stands in a frame.
const NDP_TYPE: usize = ETHERNET_HEADER + 40;

/// One line about a frame of which only the headers may be there.
fn describe(headers: &[u8], len: usize) -> String {
    if headers.get(12..14) == Some(&[0x08, 0x06]) {
        let operation = if headers.get(21) == Some(&2) { "reply" } else { "request" };
        return format!("ARP {operation}");
    }
    if headers.get(12..14) == Some(&ETHERTYPE_IPV6) && is_ndp_packet(&headers[ETHERNET_HEADER..]) {
        return match headers.get(NDP_TYPE) {
            Some(135) => "neighbor solicitation".to_owned(),
            _ => "neighbor advertisement".to_owned(),
        };
    }
    if let Some(datagram) = describe_datagram(headers) {
        return format!("{datagram}, {len} octets");
    }
    // The parser wants the whole packet, of which the end is missing here.
    let mut whole = headers.to_vec();
    whole.resize(len.max(headers.len()), 0);
    TcpSegment::parse(&whole).map_or_else(|| format!("{len} octets"), |segment| segment.to_string())
}

/// What a frame with UDP or ICMP in it is, unless it is a fragment.
fn describe_datagram(headers: &[u8]) -> Option<String> {
    let packet = headers.get(ETHERNET_HEADER..)?;
    let (protocol, source, destination, payload): (u8, IpAddr, IpAddr, &[u8]) =
        match packet.first()? >> 4 {
            4 => {
                let fixed: &[u8; 20] = packet.first_chunk()?;
                let is_fragment = fixed[6] & 0x3f != 0 || fixed[7] != 0;
                let address = |at: usize| {
                    IpAddr::from([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
                };
                let payload = packet.get(usize::from(fixed[0] & 0x0f) * 4..)?;
                (if is_fragment { 0 } else { fixed[9] }, address(12), address(16), payload)
            }
            6 => {
                let fixed: &[u8; 40] = packet.first_chunk()?;
                let address = |at: usize| {
                    let octets: [u8; 16] = std::array::from_fn(|octet| fixed[at + octet]);
                    IpAddr::from(octets)
                };
                (fixed[6], address(8), address(24), &packet[40..])
            }
            _ => return None,
        };
    let [a, b, c, d, ..] = *payload else { return None };
    let port = |high, low| u16::from_be_bytes([high, low]);
    match (protocol, a) {
        (17, _) => {
            let source = SocketAddr::new(source, port(a, b));
            let destination = SocketAddr::new(destination, port(c, d));
            Some(format!("UDP {source} > {destination}"))
        }
        (1, 8) | (58, 128) => Some(format!("echo request {source} > {destination}")),
        (1, 0) | (58, 129) => Some(format!("echo reply {source} > {destination}")),
        (1 | 58, _) => Some(format!("ICMP type {a} code {b} {source} > {destination}")),
        _ => None,
    }
}

/// The command that runs this again. The names of thread and program are for people only.
#[allow(clippy::disallowed_methods)]
pub(super) fn replay_command(seed: u64, from_environment: bool) -> String {
    let test = std::thread::current().name().filter(|name| *name != "main").map(str::to_owned);
    let seed = if from_environment { format!("GLASSNET_SEED={seed} ") } else { String::new() };
    match test {
        Some(test) => format!("{seed}cargo test {test} -- --exact"),
        None => {
            let arguments: Vec<String> = std::env::args().collect();
            format!("{seed}{}", arguments.join(" "))
        }
    }
}

/// The captures of a run.
pub(super) fn write_captures(text: &mut String, paths: &[PathBuf]) {
    for path in paths {
        let _ = write!(text, "\ncapture: {}", path.display());
    }
}

impl World {
    /// The first error of a client or a host, or else this one.
    pub(super) fn first_or(&mut self, failure: Failure) -> RunError {
        match self.first_error.take() {
            Some(first) => first,
            None => self.error(failure, None),
        }
    }

    pub(super) fn error(
        &self,
        failure: Failure,
        source: Option<Box<dyn std::error::Error>>,
    ) -> RunError {
        let details = self.details();
        let shown = Arc::default();
        RunError { failure, source, seed: self.seed.0, time: self.now(), details, shown }
    }

    pub(super) fn details(&self) -> String {
        let mut text = String::new();
        write_limited(
            &mut text,
            "waiting tasks",
            self.executor.waiting_tasks().iter().map(ToString::to_string),
        );
        let (lost, errors) = self.executor.lost_errors().all();
        if lost > 0 {
            let title = format!("{lost} errors of tasks that nobody took");
            write_limited(&mut text, &title, errors.iter().map(ToString::to_string));
        }
        let now = self.clock.now();
        let mut connections = Vec::new();
        for machine in &self.machines {
            let Some(running) = &machine.running else {
                if machine.starts > 0 {
                    connections.push(format!("{} ({}): down", machine.name, machine.addresses.v4));
                }
                continue;
            };
            let open = running.host.look(|host| host.netstat(now));
            let of_host = |connection| format!("{}: {connection}", machine.name);
            connections.extend(open.iter().take(LINES).map(of_host));
        }
        write_limited(
            &mut text,
            "netstat (recv-q send-q local remote state)",
            connections.into_iter(),
        );
        let name_of = |host: u32| self.machines[host as usize].name.clone();
        self.last_frames.write(&mut text, name_of);
        let paths: Vec<_> = self.vantages.iter().map(|vantage| vantage.path.clone()).collect();
        write_captures(&mut text, &paths);
        for kept in self.keep_last_frames() {
            let _ = write!(text, "\n{kept}");
        }
        let _ =
            write!(text, "\nreplay: {}", replay_command(self.seed.0, self.seed_from_environment));
        text
    }
}

fn write_limited(text: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    let count = lines.len();
    if count == 0 {
        return;
    }
    let _ = write!(text, "\n{title}:");
    for line in lines.take(LINES) {
        let _ = write!(text, "\n  {line}");
    }
    if count > LINES {
        let _ = write!(text, "\n  … and {} more", count - LINES);
    }
}
