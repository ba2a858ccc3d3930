//! `glassnet demo`: the greeting of every sockets tutorial, on a network that can be looked into.

mod problem;
mod transfer;

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use glassnet::greeting::{self, GREETING};
use glassnet::net::names::IpVersion;
use glassnet::{CongestionControl, Event, FrameMatch, HostOptions, Impairments, Sim, TcpEngine};

use self::problem::Problem;
use super::output::{self, Color, Style};
use super::recording::{Connection, Recording};
use super::{engine, ladder, values};

/// Greet clients over a simulated network, and show every TCP segment
///
/// A server and its clients run the greeting of every sockets tutorial on real
/// TCP/IP stacks, in virtual time, over links that you can make as bad as you like.
///
/// Printed are, for each client, the tutorial's two lines as they happen:
///
///   Got connection from <address:port>
///   Thank you for connecting
///
/// then each connection as a ladder (the first ten, when there are more, and the
/// one that failed): a line for each host, time going down in seconds, an arrow
/// for each segment with sequence numbers counted from the SYN, each end's TCP
/// state where it changes, and opposite the sender when the segment arrives.
///
/// The same seed gives the same run, to the last byte of the capture.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_long_help = HELP)]
pub(crate) struct Demo {
    /// What all randomness comes from; another seed, other losses
    #[arg(long, value_name = "N", default_value = "7", value_parser = values::seed)]
    #[arg(allow_hyphen_values = true)]
    seed: u64,

    /// How many clients connect, all at the same moment
    ///
    /// With more than 1000 each connection has buffers of 4 KiB instead of 64 KiB.
    #[arg(long, short, value_name = "N", default_value = "1", value_parser = values::clients)]
    #[arg(allow_hyphen_values = true)]
    clients: u32,

    /// The server's port
    #[arg(long, short, value_name = "PORT", default_value = "12345", value_parser = values::port)]
    #[arg(allow_hyphen_values = true)]
    port: u16,

    /// What the server says
    #[arg(long, value_name = "TEXT", default_value = GREETING)]
    message: String,

    /// Let the server say this many bytes instead: 100000, 64K, 1M
    #[arg(long, value_name = "N", value_parser = values::bytes, conflicts_with = "message")]
    bytes: Option<u64>,

    #[command(flatten)]
    stack: Stack,

    #[command(flatten)]
    link: Link,

    /// Where to write the capture, for Wireshark; - is standard output
    ///
    /// With one client it shows the link, tapped at the sender's side: every
    /// transmission once, also those that the link loses, with a comment that says so.
    /// With several it shows the server's interface, as tcpdump there would see it.
    /// A name that ends in .pcap gets a classic pcap file, of the frames alone.
    /// A file that glassnet has not written is never overwritten. With -, everything
    /// else is printed on standard error.
    #[arg(long, short = 'w', value_name = "PATH", default_value = "glassnet-demo.pcapng")]
    #[arg(value_parser = clap::value_parser!(PathBuf), help_heading = "Output")]
    pcap: PathBuf,

    /// No rows in the capture for what is no frame, such as TCP states
    #[arg(long, help_heading = "Output")]
    frames_only: bool,

    /// No ladder: only the two lines for each client, and the summary
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,

    /// Draw with ASCII characters [default: where the locale, as LC_ALL=C, has no others]
    #[arg(long, help_heading = "Output")]
    ascii: bool,
}

/// How the hosts' stacks are set.
#[derive(Args, Debug)]
#[command(next_help_heading = "Hosts")]
struct Stack {
    /// Connect over IPv4, which is the default
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,

    /// Connect over IPv6
    #[arg(short = '6', long)]
    ipv6: bool,

    /// Largest IP packet in bytes
    #[arg(long, value_name = "BYTES", default_value = "1500", value_parser = values::mtu)]
    mtu: usize,

    /// Send small segments at once, as with TCP_NODELAY
    #[arg(long)]
    nodelay: bool,

    /// What speaks TCP: smoltcp, or glassnet, our own, which does as Linux does
    #[arg(long, value_name = "NAME", default_value = "smoltcp", value_parser = engine::engine)]
    engine: TcpEngine,

    /// Congestion control: reno, cubic or none [default: reno; cubic with --engine glassnet]
    #[arg(long, value_name = "NAME", value_parser = values::congestion)]
    congestion: Option<CongestionControl>,

    /// How long an acknowledgment waits for data to ride on; 0 is not at all [default: 10ms;
    /// at most 200ms with --engine glassnet]
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    #[arg(allow_hyphen_values = true)]
    ack_delay: Option<Duration>,
}

/// What the link between each client and the server does, in both directions.
#[derive(Args, Debug)]
#[command(next_help_heading = "Link between each client and the server, each way")]
struct Link {
    /// Propagation delay
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = values::time)]
    #[arg(allow_hyphen_values = true)]
    delay: Duration,

    /// Variation of each packet's delay, either way
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = values::time)]
    #[arg(allow_hyphen_values = true)]
    jitter: Duration,

    /// Packets that are lost
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = values::percentage)]
    #[arg(allow_hyphen_values = true)]
    loss: f64,

    /// Packets that arrive twice
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = values::percentage)]
    #[arg(allow_hyphen_values = true)]
    duplicate: f64,

    /// Packets that are held back and overtaken
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = values::percentage)]
    #[arg(allow_hyphen_values = true)]
    reorder: f64,

    /// Rate at which frames leave [default: at once]
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    #[arg(allow_hyphen_values = true)]
    rate: Option<u64>,

    /// Frames that may wait to leave, with --rate; one more is dropped [default: 1000]
    #[arg(long, value_name = "FRAMES", value_parser = values::queue, requires = "rate")]
    #[arg(allow_hyphen_values = true)]
    queue: Option<usize>,

    /// Drop these frames: HOST:KIND:N or HOST:KIND:N-M; may be given more than once
    ///
    /// The N-th (to M-th) frame of that kind which HOST sends, retransmissions counted. KIND is
    /// syn, synack, fin, rst, data, ack, udp or any; HOST is server, or client, or, where there
    /// are several, client1, client2 and so on.
    #[arg(long, value_name = "FRAMES", value_parser = values::frames)]
    drop: Vec<FrameMatch>,
}

/// With more clients than these, buffers are small.
const MANY: u32 = 1000;
/// Bytes; four of these are a connection's two ends: 1 GiB with 65,000 clients, and not 17.
const SMALL_BUFFER: usize = 4096;

/// The default of [`HostOptions::syn_backlog`].
const SYN_BACKLOG: usize = 1024;
/// The server's name.
const SERVER: &str = "server";

const HELP: &str = "\
Values are written as tc(8) writes them:
  TIME     20ms, 1.5s, 500us, 5ns
  PERCENT  10%, 0.5%
  RATE     100mbit, 1gbit, 512kbit, 9600bit; or in bytes: 1mbps is a megabyte a second

Exit code:
  0  every client got the greeting
  1  one did not, or the capture could not be written; captures are kept
  2  something was asked wrongly; nothing was run

Examples:
  glassnet demo
  glassnet demo --delay 20ms --loss 20% --seed 3
  glassnet demo --drop client:syn:1 --drop server:data:1
  glassnet demo --bytes 1M --rate 10mbit --queue 20 --congestion cubic
  glassnet demo --bytes 1M --delay 20ms --loss 1% --engine glassnet
  glassnet demo --clients 3 --rate 9600bit --quiet
  wireshark glassnet-demo.pcapng";

impl Demo {
    /// Runs it.
    pub(crate) fn run(&self, color: Color) -> ExitCode {
        if let Some(problem) = self.unknown_host().or_else(|| self.too_narrow_for_ipv6()) {
            return output::misused(&problem);
        }
        let stdout = match output::is_stdout(&self.pcap).then(output::take_stdout).transpose() {
            Ok(stdout) => stdout,
            Err(error) => return output::misused(&error.to_string()),
        };
        let mut sim = Sim::new(self.seed);
        let greeted = self.add_hosts(&mut sim);
        if let Err(error) = self.capture(&mut sim, stdout) {
            return output::misused(&error.to_string());
        }
        let recording = if self.quiet { Recording::only_counting() } else { Recording::default() };
        let recording = Rc::new(RefCell::new(recording));
        let recorder = Rc::clone(&recording);
        let rules = Rc::new(RefCell::new(RuleCounts::new(&self.link.drop)));
        let counted = Rc::clone(&rules);
        sim.observe(move |event| {
            recorder.borrow_mut().note(event);
            counted.borrow_mut().note(event);
        });
        tracing::info!(target: "glassnet::demo", seed = self.seed, clients = self.clients, "run");
        let result = sim.run();
        let is_greeted = greeted.borrow();
        let waiting = (1..=self.clients).zip(&*is_greeted).filter(|(_, is_greeted)| !**is_greeted);
        let waiting: Vec<String> = waiting.map(|(number, _)| self.client_name(number)).collect();
        let greeted = is_greeted.len() - waiting.len();
        tracing::info!(target: "glassnet::demo", events = sim.events(), greeted, "run has ended");
        let problem = result.err().map(|error| Problem::of(error.as_ref(), &waiting));
        let printed = self.print(&sim, &recording.borrow(), greeted, problem.as_ref(), color);
        rules.borrow().tell_of_those_that_met_nothing();
        match (problem, output::written(printed)) {
            (Some(problem), _) => output::failed(&problem.what, problem.hint),
            (None, Err(unwritten)) => output::failed(&unwritten, None),
            (None, Ok(())) if waiting.is_empty() => ExitCode::SUCCESS,
            (None, Ok(())) => output::failed("not every client was greeted", None),
        }
    }

    /// The capture is asked for, on standard output where that is taken, or in a file.
    fn capture(&self, sim: &mut Sim, stdout: Option<File>) -> io::Result<()> {
        sim.capture_events(!self.frames_only);
        let is_of_link = self.clients == 1;
        if let Some(stdout) = stdout {
            let name = "standard output";
            if is_of_link {
                sim.capture_link_to(&self.client_name(1), SERVER, name, stdout);
            } else {
                sim.capture_to(SERVER, name, stdout);
            }
            return Ok(());
        }
        if is_of_link {
            sim.capture_link(&self.client_name(1), SERVER, &self.pcap)
        } else {
            sim.capture(SERVER, &self.pcap)
        }
    }

    fn client_name(&self, number: u32) -> String {
        match self.clients {
            1 => "client".to_owned(),
            _ => format!("client{number}"),
        }
    }

    /// What is wrong with an MTU below what IPv6 needs.
    fn too_narrow_for_ipv6(&self) -> Option<String> {
        let mtu = self.stack.mtu;
        let is_too_narrow = self.stack.ipv6 && mtu < values::IPV6_MIN_MTU;
        is_too_narrow.then(|| format!("--mtu {mtu}: IPv6 (-6) needs an MTU of 1280 (RFC 8200)"))
    }

    /// What is wrong with a rule that names a host which there is not.
    fn unknown_host(&self) -> Option<String> {
        let is_known = |name: &str| {
            name.eq_ignore_ascii_case(SERVER)
                || (1..=self.clients)
                    .any(|number| self.client_name(number).eq_ignore_ascii_case(name))
        };
        let rule = self.link.drop.iter().find(|rule| !is_known(rule.host()))?;
        let clients = match self.clients {
            1 => "client".to_owned(),
            many => format!("client1 to client{many}"),
        };
        let host = rule.host();
        Some(format!("--drop {rule}: no host is called {host:?}: there are {SERVER} and {clients}"))
    }

    fn host_options(&self) -> HostOptions {
        let mut options = engine::host_options(self.stack.engine)
            .mtu(self.stack.mtu)
            .nagle(!self.stack.nodelay)
            // The demo is not about a server that is too small.
            .syn_backlog(SYN_BACKLOG.max(self.clients as usize));
        if let Some(congestion) = self.stack.congestion {
            options = options.congestion_control(congestion);
        }
        if let Some(delay) = self.stack.ack_delay {
            options = options.ack_delay(Some(delay).filter(|delay| !delay.is_zero()));
        }
        if self.clients > MANY {
            options = options.recv_buffer(SMALL_BUFFER).send_buffer(SMALL_BUFFER);
            options = options.recv_buffer_max(0).send_buffer_max(0).adv_win_scale(0);
        }
        options
    }

    /// Adds the server, the clients and their links; returns which clients have been greeted.
    fn add_hosts(&self, sim: &mut Sim) -> Rc<RefCell<Vec<bool>>> {
        let (port, bytes) = (self.port, self.bytes);
        let any = if self.stack.ipv6 { "::" } else { "0.0.0.0" };
        if self.stack.ipv6 {
            sim.ip_version(IpVersion::V6);
        }
        let message: Rc<str> = self.message.as_str().into();
        let said = Rc::clone(&message);
        sim.host(SERVER, move || {
            let said = Rc::clone(&said);
            async move {
                match bytes {
                    Some(bytes) => transfer::serve((any, port), bytes).await?,
                    None => greeting::serve_message((any, port), &said).await?,
                }
                Ok(())
            }
        });
        let options = self.host_options();
        sim.host_options(SERVER, options.clone());
        let impairments = self.link.impairments();
        let greeted = Rc::new(RefCell::new(vec![false; self.clients as usize]));
        for number in 1..=self.clients {
            let name = self.client_name(number);
            sim.link(&name, SERVER).impairments(impairments.clone());
            sim.host_options(&name, options.clone());
            let (message, greeted) = (Rc::clone(&message), Rc::clone(&greeted));
            sim.client(&name, async move {
                match bytes {
                    Some(bytes) => {
                        let received = transfer::fetch((SERVER, port)).await?;
                        if received != bytes {
                            return Err(format!("{received} of {bytes} bytes came").into());
                        }
                    }
                    None => {
                        let greeting = greeting::greet((SERVER, port)).await?;
                        if *greeting != *message {
                            return Err(format!("the server said {greeting:?}").into());
                        }
                    }
                }
                if let Some(is_greeted) = greeted.borrow_mut().get_mut(number as usize - 1) {
                    *is_greeted = true;
                }
                Ok(())
            });
        }
        for frames in &self.link.drop {
            sim.drop_frames(frames.clone());
        }
        greeted
    }

    fn print(
        &self,
        sim: &Sim,
        recording: &Recording,
        greeted: usize,
        problem: Option<&Problem>,
        color: Color,
    ) -> io::Result<()> {
        let stdout = io::stdout();
        let style = Style::of(&stdout, color).drawing_in_ascii(self.ascii);
        let mut out = BufWriter::new(stdout.lock());
        if !self.quiet {
            for connection in recording.connections() {
                writeln!(out)?;
                ladder::draw(&mut out, connection, style)?;
            }
            match recording.connections_not_kept() {
                0 => {}
                more => {
                    let ellipsis = style.glyphs().ellipsis;
                    writeln!(out, "\n{ellipsis} and {more} more (see the capture)")?;
                }
            }
            if let Some(failed) = failed_among_the_others(recording, problem) {
                writeln!(out)?;
                ladder::draw(&mut out, failed, style)?;
            }
            writeln!(out)?;
        }
        let clients = counted(u64::from(self.clients), "client");
        let segments = counted(recording.segments(), "segment");
        let retransmissions = counted(sim.retransmissions(), "retransmission");
        let lasted = duration(sim.now().since_start());
        let summary = format!("greeted {greeted} of {clients} in {lasted} (virtual): ");
        let counts = format!("{segments}, {retransmissions}");
        if summary.len() + counts.len() > ladder::WIDTH {
            writeln!(out, "{}", summary.trim_end())?;
            writeln!(out, "{counts}")?;
        } else {
            writeln!(out, "{summary}{counts}")?;
        }
        let is_whole = !problem.is_some_and(|problem| problem.is_of_capture);
        if is_whole && !output::is_stdout(&self.pcap) {
            writeln!(out, "capture: {}", self.pcap.display())?;
        }
        out.flush()
    }
}

/// The connection that shows a problem, unless it is drawn already.
fn failed_among_the_others<'r>(
    recording: &'r Recording,
    problem: Option<&Problem>,
) -> Option<&'r Connection> {
    recording.unfinished_of(problem?.client.as_deref()?)
}

impl Link {
    fn impairments(&self) -> Impairments {
        let impairments = Impairments::default()
            .delay(self.delay)
            .jitter(self.jitter)
            .loss(self.loss)
            .duplicate(self.duplicate)
            .reorder(self.reorder)
            .rate(self.rate);
        match self.queue {
            Some(frames) => impairments.queue(frames),
            None => impairments,
        }
    }
}

/// How many frames were sent of the kinds that rules name.
struct RuleCounts {
    rules: Vec<(FrameMatch, u64)>,
    /// One for several is told of several times.
    last_packet_id: u64,
}

impl RuleCounts {
    fn new(rules: &[FrameMatch]) -> RuleCounts {
        let rules = rules.iter().map(|rule| (rule.clone(), 0)).collect();
        RuleCounts { rules, last_packet_id: 0 }
    }

    fn note(&mut self, event: &Event<'_>) {
        let Event::Sent { from, packet_id, frame, .. } = *event else { return };
        if std::mem::replace(&mut self.last_packet_id, packet_id) == packet_id {
            return;
        }
        for (rule, seen) in &mut self.rules {
            *seen += u64::from(rule.counts(from, frame));
        }
    }

    /// Who drops what is never sent is in for a surprise.
    fn tell_of_those_that_met_nothing(&self) {
        for (rule, seen) in &self.rules {
            if seen < rule.numbers().start() {
                let (host, kind) = (rule.host(), rule.kind());
                let sent = counted(*seen, &format!("{kind} frame"));
                output::note(&format!("--drop {rule} dropped nothing: {host} sent {sent}"));
            }
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn duration(time: Duration) -> String {
    format!("{}s", output::seconds(time, output::decimals(time)))
}
