//! `glassnet demo`: the greeting of every sockets tutorial, on a network that can be looked into.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use glassnet::greeting::{self, GREETING};
use glassnet::{Failure, HostOptions, Impairments, RunError, Sim};

use super::output::{self, Style};
use super::recording::Recording;
use super::{ladder, values};

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
/// then each connection as a ladder (the first ten, when there are more): a line
/// for each host, time going down in seconds, an arrow for each segment with
/// sequence numbers counted from the SYN, each end's TCP state where it changes,
/// and opposite the sender when the segment arrives.
///
/// The same seed gives the same run, to the last octet of the capture.
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
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::clients)]
    #[arg(allow_hyphen_values = true)]
    clients: u32,

    /// The server's port
    #[arg(long, value_name = "PORT", default_value = "12345", value_parser = values::port)]
    #[arg(allow_hyphen_values = true)]
    port: u16,

    /// What the server says
    #[arg(long, value_name = "TEXT", default_value = GREETING)]
    message: String,

    #[command(flatten)]
    link: Link,

    /// Where to write the capture, for Wireshark
    ///
    /// With one client it shows the link, tapped at the sender's side: every
    /// transmission once, also those that the link loses, with a comment that says so.
    /// With several it shows the server's interface, as tcpdump there would see it.
    /// A file that glassnet has not written is never overwritten.
    #[arg(long, value_name = "PATH", default_value = "glassnet-demo.pcapng")]
    #[arg(verbatim_doc_comment)]
    #[arg(value_parser = clap::value_parser!(PathBuf), help_heading = "Output")]
    pcap: PathBuf,

    /// No ladder: only the two lines for each client, and the last line
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
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
}

/// With more clients than these, buffers are small.
const MANY: u32 = 1000;
/// Octets; four of these are a connection's two ends: 1 GiB with 65,000 clients, and not 17.
const SMALL_BUFFER: usize = 4096;

const HELP: &str = "\
Values are written as tc(8) writes them:
  TIME     20ms, 1.5s, 500us, 5ns
  PERCENT  10%, 0.5%
  RATE     100mbit, 1gbit, 512kbit, 9600bit; or in octets: 1mbps is a megabyte a second

Exit code:
  0  every client got the greeting
  1  one did not, or the capture could not be written; captures are kept
  2  something was asked wrongly; nothing was run

Examples:
  glassnet demo
  glassnet demo --delay 20ms --loss 20% --seed 3
  glassnet demo --clients 3 --rate 9600bit --quiet
  wireshark glassnet-demo.pcapng";

impl Demo {
    /// Runs it.
    pub(crate) fn run(&self) -> ExitCode {
        if let Some(problem) = self.path_problem() {
            return output::misused(problem);
        }
        let mut sim = Sim::new(self.seed);
        let greeted = self.add_hosts(&mut sim);
        let captured = if self.clients == 1 {
            sim.capture_link("client", "server", &self.pcap)
        } else {
            sim.capture("server", &self.pcap)
        };
        if let Err(error) = captured {
            return output::misused(&error.to_string());
        }
        let recording = Rc::new(RefCell::new(Recording::default()));
        let recorder = Rc::clone(&recording);
        sim.observe(move |event| recorder.borrow_mut().note(event));
        tracing::info!(target: "glassnet::demo", seed = self.seed, clients = self.clients, "run");
        let result = sim.run();
        let greeted = greeted.get();
        tracing::info!(target: "glassnet::demo", events = sim.events(), greeted, "run has ended");
        let problem = result.err().map(|error| Problem::of(error.as_ref()));
        let is_captured = !problem.as_ref().is_some_and(|problem| problem.is_of_capture);
        let printed = self.print(&sim, &recording.borrow(), greeted, is_captured);
        match (problem, output::written(printed)) {
            (Some(problem), _) => output::failed(&problem.what, problem.hint),
            (None, Err(unwritten)) => output::failed(&unwritten, None),
            (None, Ok(())) if greeted == self.clients => ExitCode::SUCCESS,
            (None, Ok(())) => output::failed("not every client was greeted", None),
        }
    }

    /// What is wrong with the capture's path, though a file could be made there.
    fn path_problem(&self) -> Option<&'static str> {
        // By custom this is standard output, on which the greeting is printed.
        (self.pcap.as_os_str() == "-")
            .then_some("--pcap -: the capture goes to a file; for one that is called '-' give ./-")
    }

    /// What many connections at the same moment need.
    fn host_options(&self) -> HostOptions {
        let defaults = HostOptions::default();
        // The demo is not about a server that is too small.
        let syn_backlog = defaults.syn_backlog.max(self.clients as usize);
        if self.clients <= MANY {
            return HostOptions { syn_backlog, ..defaults };
        }
        let (recv_buffer, send_buffer) = (SMALL_BUFFER, SMALL_BUFFER);
        HostOptions { syn_backlog, recv_buffer, send_buffer, ..defaults }
    }

    /// Adds the server, the clients and their links; returns how many clients have been greeted.
    fn add_hosts(&self, sim: &mut Sim) -> Rc<Cell<u32>> {
        let port = self.port;
        let message: Rc<str> = self.message.as_str().into();
        let said = Rc::clone(&message);
        sim.host("server", move || {
            let said = Rc::clone(&said);
            async move { Ok(greeting::serve_message(("0.0.0.0", port), &said).await?) }
        });
        let options = self.host_options();
        sim.host_options("server", options.clone());
        let impairments = self.link.impairments();
        let greeted = Rc::new(Cell::new(0));
        for number in 1..=self.clients {
            let name = match self.clients {
                1 => "client".to_owned(),
                _ => format!("client{number}"),
            };
            sim.link(&name, "server").impairments(&impairments);
            sim.host_options(&name, options.clone());
            let (message, greeted) = (Rc::clone(&message), Rc::clone(&greeted));
            sim.client(&name, async move {
                let greeting = greeting::greet(("server", port)).await?;
                if *greeting != *message {
                    return Err(format!("the server said {greeting:?}").into());
                }
                greeted.set(greeted.get() + 1);
                Ok(())
            });
        }
        greeted
    }

    fn print(
        &self,
        sim: &Sim,
        recording: &Recording,
        greeted: u32,
        is_captured: bool,
    ) -> io::Result<()> {
        let stdout = io::stdout();
        let style = Style::of(&stdout);
        let mut out = BufWriter::new(stdout.lock());
        if !self.quiet {
            for connection in recording.connections() {
                writeln!(out)?;
                ladder::draw(&mut out, connection, style)?;
            }
            match recording.connections_not_kept() {
                0 => {}
                more => writeln!(out, "\n… and {more} more (see the capture)")?,
            }
            writeln!(out)?;
        }
        let clients = counted(u64::from(self.clients), "client");
        let segments = counted(recording.segments(), "segment");
        let retransmissions = counted(sim.retransmissions(), "retransmission");
        let lasted = duration(sim.now().since_start());
        let of_all = format!("greeted {greeted} of {clients} in {lasted} (virtual)");
        write!(out, "{of_all}: {segments}, {retransmissions}")?;
        if is_captured {
            write!(out, "; capture: {}", self.pcap.display())?;
        }
        writeln!(out)?;
        out.flush()
    }
}

impl Link {
    fn impairments(&self) -> Impairments {
        Impairments {
            delay: self.delay,
            jitter: self.jitter,
            loss: self.loss,
            duplicate: self.duplicate,
            reorder: self.reorder,
            rate: self.rate,
            ..Impairments::default()
        }
    }
}

/// Why a run failed, as it is told.
struct Problem {
    what: String,
    hint: Option<&'static str>,
    is_of_capture: bool,
}

impl Problem {
    fn of(error: &(dyn Error + 'static)) -> Problem {
        let report = error.to_string();
        let first = report.lines().next().unwrap_or_default().to_owned();
        let Some(error) = error.downcast_ref::<RunError>() else {
            return Problem { what: first, hint: None, is_of_capture: false };
        };
        let at = error.time();
        match (error.failure(), error.source()) {
            (Failure::Client { name }, Some(source)) => Problem {
                what: format!("{name} was not greeted: {source} (seed {}, at {at})", error.seed()),
                hint: Some(hint(source)),
                is_of_capture: false,
            },
            // It reads from a connection that the server has long forgotten.
            (Failure::Deadlock, _) => Problem {
                what: format!(
                    "a client waits for its greeting for ever (seed {}, at {at})",
                    error.seed()
                ),
                hint: Some(GAVE_UP),
                is_of_capture: false,
            },
            (Failure::Capture { message }, _) => {
                Problem { what: message.clone(), hint: None, is_of_capture: true }
            }
            _ => Problem { what: first, hint: None, is_of_capture: false },
        }
    }
}

const GAVE_UP: &str =
    "TCP gave up, as the capture shows: try less --loss, a shorter --delay or another --seed";

fn hint(error: &(dyn Error + 'static)) -> &'static str {
    match error.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => GAVE_UP,
        _ => "the capture shows what happened; another --seed has other losses",
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn duration(time: Duration) -> String {
    format!("{}s", output::seconds(time, output::decimals(time)))
}
