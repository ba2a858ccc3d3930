//! The points where frames are captured.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;

use crate::capture::{
    self, CaptureWriter, Direct, Direction, Interface, LinkType, Section, Start, TlsSecrets,
};
#[cfg(target_os = "linux")]
use crate::capture::{Format, Pipe, Sink};
use crate::network::{DropReason, Fate, InterfaceName};
use crate::task::Alarm;
use crate::tcp::TcpEngine;
use crate::wire::ipv6::link_local;
use crate::world::plan::{CapturePlan, CapturePoint, HostPlan, Plan};

/// What captures say of a frame that a link has sent twice, and of the copy.
pub(in crate::world) const DUPLICATED: &str = "duplicated by the link";
pub(in crate::world) const DUPLICATE: &str = "duplicate made by the link";
/// What captures say of a frame that a link keeps.
pub(in crate::world) const HELD: &str = "held by the link";

/// What captures say of a frame that died.
pub(in crate::world) fn comment_on_drop(reason: DropReason) -> String {
    format!("dropped: {reason}")
}

/// One capture, from the moment it is asked for.
pub(super) struct Vantage {
    point: CapturePoint,
    /// What it is written to, for people.
    name: String,
    /// What is no frame has a row, too.
    has_events: bool,
    /// The addresses of the hosts at its ends, once it has begun.
    addresses: Vec<IpAddr>,
    state: State,
    /// It was said that frames had to be left out.
    #[cfg(target_os = "linux")]
    has_complained: bool,
}

enum State {
    /// A file is made at once, so that a bad path is an error at once; what goes before the first
    /// frame is written when the hosts and their names are known.
    Created(Target),
    /// A file, or another that takes what it is given.
    Direct(Box<CaptureWriter<Direct>>),
    /// Somebody may be watching it: nothing waits for long while the world sleeps.
    #[cfg(target_os = "linux")]
    Stream(Box<CaptureWriter<Pipe>>),
    /// It could not be written, which is an error of the run.
    Failed,
}

/// Where a capture goes.
pub(in crate::world) enum Target {
    Direct(Direct),
    /// To a reader who may be slow.
    #[cfg(target_os = "linux")]
    Stream(Box<dyn Write + Send>, Format),
}

impl Target {
    /// A file, or what else is at the path.
    pub(in crate::world) fn file(path: &Path) -> io::Result<Target> {
        capture::create_file(path).map(|file| Target::Direct(Direct::File(file)))
    }

    /// What takes bytes: in the thread that runs the world, or in one that flushes each second.
    pub(in crate::world) fn writer(writer: Box<dyn Write + Send>) -> Target {
        Target::Direct(Direct::Writer(writer))
    }

    /// What takes bytes, perhaps slowly.
    #[cfg(target_os = "linux")]
    pub(in crate::world) fn stream(writer: Box<dyn Write + Send>) -> Target {
        Target::Stream(writer, Format::Next)
    }

    /// A file; or, where it is none, something with a reader who may be slow.
    #[cfg(target_os = "linux")]
    pub(in crate::world) fn file_or_stream(path: &Path) -> io::Result<Target> {
        let file = capture::create_file(path)?;
        Ok(match file.is_regular() {
            true => Target::Direct(Direct::File(file)),
            false => {
                let format = file.format();
                Target::Stream(Box::new(file.into_file()), format)
            }
        })
    }
}

/// What goes before the first frame of a section.
pub(super) struct Head<'p> {
    pub(super) plan: &'p Plan,
    pub(super) start: Start,
    pub(super) names: &'p [(IpAddr, String)],
}

impl Head<'_> {
    fn section(&self, point: &CapturePoint) -> Section {
        Section { seed: self.plan.seed.0, title: title(self.plan, point), start: self.start }
    }

    fn hosts(&self, point: &CapturePoint) -> impl Iterator<Item = &HostPlan> {
        point.hosts().filter_map(|name| self.plan.host_called(name)).map(|it| self.plan.host(it))
    }

    fn interfaces(&self, point: &CapturePoint) -> Vec<Interface> {
        let describe = |host: &HostPlan| match point {
            CapturePoint::Interface { number, .. } => {
                interface_of(host, *number, &format!("interface of host {}", host.name))
            }
            CapturePoint::Link { .. } => {
                interface_of(host, 0, &format!("link at the sending side of {}", host.name))
            }
        };
        self.hosts(point).map(describe).collect()
    }
}

/// What a capture is of, as its head has it: where, and, beside the seed, what else gives the same
/// bytes again: which TCP spoke, unless that was smoltcp's.
pub(in crate::world) fn title(plan: &Plan, point: &CapturePoint) -> String {
    let engine = |host: &str| match plan.options(host).tcp_engine {
        TcpEngine::Glassnet => "glassnet",
        TcpEngine::Smoltcp => "smoltcp",
    };
    let engines: Vec<(&str, &str)> = point.hosts().map(|host| (host, engine(host))).collect();
    let mut title = format!("vantage={point}");
    if engines.iter().all(|(_, engine)| *engine == "smoltcp") {
        return title;
    }
    title.push_str(" engine=");
    if let [(_, first), others @ ..] = &engines[..]
        && others.iter().all(|(_, engine)| engine == first)
    {
        title.push_str(first);
        return title;
    }
    let each: Vec<String> =
        engines.iter().map(|(host, engine)| format!("{engine}@{host}")).collect();
    title.push_str(&each.join(","));
    title
}

/// An interface of a host, as captures describe it.
pub(in crate::world) fn interface_of(host: &HostPlan, number: u16, description: &str) -> Interface {
    let prefixes = host.interface.prefixes();
    let link_type = host.interface.link_type();
    Interface {
        name: InterfaceName { host: &host.name, number }.to_string(),
        description: description.to_owned(),
        link_type,
        mac: (link_type == LinkType::Ethernet).then_some(host.interface.mac()),
        addresses: prefixes.iter().map(|prefix| (prefix.address, prefix.len)).collect(),
        speed_bits_per_second: None,
        snap: 0,
    }
}

impl Vantage {
    pub(super) fn new(plan: &CapturePlan, target: Target) -> Vantage {
        Vantage {
            point: plan.point.clone(),
            name: plan.name.clone(),
            has_events: plan.has_events,
            addresses: Vec::new(),
            state: State::Created(target),
            #[cfg(target_os = "linux")]
            has_complained: false,
        }
    }

    pub(super) fn point(&self) -> &CapturePoint {
        &self.point
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_link(&self) -> bool {
        matches!(self.point, CapturePoint::Link { .. })
    }

    /// Whether it taps the link between two addresses.
    pub(super) fn joins(&self, a: IpAddr, b: IpAddr) -> bool {
        self.is_link() && a != b && self.addresses.contains(&a) && self.addresses.contains(&b)
    }

    pub(super) fn is_new(&self) -> bool {
        matches!(self.state, State::Created(_))
    }

    /// Says where it captures, as far as that was not said before.
    pub(super) fn place(&mut self, point: &CapturePoint) {
        self.point.clone_from(point);
    }

    /// Writes what goes before the first frame. `alarm` rings when a stream fails.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "there are no streams"))]
    pub(super) fn begin(
        &mut self,
        head: &Head<'_>,
        secrets: &TlsSecrets,
        alarm: &Alarm,
    ) -> io::Result<()> {
        if !self.is_new() {
            return Ok(());
        }
        let State::Created(target) = std::mem::replace(&mut self.state, State::Failed) else {
            return Ok(());
        };
        let addresses = head.hosts(&self.point).flat_map(|host| {
            let given = host.interface.prefixes().into_iter().map(|prefix| prefix.address);
            given.chain([link_local(host.interface.mac()).into()])
        });
        self.addresses = addresses.collect();
        let (section, interfaces) = (head.section(&self.point), head.interfaces(&self.point));
        let named = |error: io::Error| self.named(&error);
        self.state = match target {
            Target::Direct(direct) => {
                let writer = CaptureWriter::new(direct, &section, &interfaces, head.names);
                let writer = writer.map_err(named)?;
                let writer = writer.with_events(self.has_events);
                State::Direct(Box::new(writer.with_secrets(secrets.clone())))
            }
            #[cfg(target_os = "linux")]
            Target::Stream(stream, format) => {
                let pipe = Pipe::new(stream, format, alarm.clone()).map_err(named)?;
                let writer = CaptureWriter::new(pipe, &section, &interfaces, head.names);
                let writer = writer.map_err(named)?;
                let writer = writer.with_events(self.has_events);
                State::Stream(Box::new(writer.with_secrets(secrets.clone())))
            }
        };
        Ok(())
    }

    /// A later run goes on in the same file, in a section of its own.
    #[cfg(target_os = "linux")]
    pub(super) fn begin_section(&mut self, head: &Head<'_>) -> io::Result<()> {
        fn begin<S: Sink>(
            writer: &mut CaptureWriter<S>,
            point: &CapturePoint,
            head: &Head<'_>,
        ) -> io::Result<()> {
            writer.begin_section(&head.section(point), &head.interfaces(point), head.names)
        }
        let begun = match &mut self.state {
            State::Created(_) => return Ok(()),
            State::Direct(writer) => begin(writer, &self.point, head),
            State::Stream(writer) => begin(writer, &self.point, head),
            State::Failed => Err(io::Error::other("an earlier run could not")),
        };
        begun.map_err(|error| self.failed(&error))
    }

    /// A frame that passes.
    pub(super) fn frame(
        &mut self,
        now: u64,
        interface: u32,
        direction: Direction,
        packet_id: u64,
        comments: &[&str],
        frame: &[u8],
    ) -> io::Result<()> {
        let written = match &mut self.state {
            State::Direct(writer) => {
                writer.frame(now, interface, direction, packet_id, comments, false, frame)
            }
            #[cfg(target_os = "linux")]
            State::Stream(writer) => {
                let written =
                    writer.frame(now, interface, direction, packet_id, comments, false, frame);
                if writer.dropped() > 0 && !std::mem::replace(&mut self.has_complained, true) {
                    let capture = &self.name;
                    tracing::warn!(target: "glassnet::world", capture, "its reader is too slow, so that frames are left out");
                }
                written
            }
            State::Created(_) | State::Failed => Ok(()),
        };
        written.map_err(|error| self.failed(&error))
    }

    /// A frame that one end of the vantage's link sends, with what becomes of it.
    pub(super) fn transmission(
        &mut self,
        now: u64,
        end: u32,
        packet_id: u64,
        fate: &Fate,
        frame: &[u8],
    ) -> io::Result<()> {
        let dropped;
        let comments: &[&str] = match fate {
            Fate::Dropped(reason) => {
                dropped = comment_on_drop(*reason);
                &[&dropped]
            }
            Fate::Arrives { duplicate_at: Some(_), .. } => &[DUPLICATED],
            Fate::Arrives { duplicate_at: None, .. } => &[],
            Fate::Held => &[HELD],
        };
        self.frame(now, end, Direction::Outbound, packet_id, comments, frame)
    }

    /// Something that no frame shows: a connection's new state, a fault.
    pub(super) fn event(&mut self, now: u64, host: &str, message: &str) -> io::Result<()> {
        let written = match &mut self.state {
            State::Direct(writer) => writer.event(now, host, message),
            #[cfg(target_os = "linux")]
            State::Stream(writer) => writer.event(now, host, message),
            State::Created(_) | State::Failed => Ok(()),
        };
        written.map_err(|error| self.failed(&error))
    }

    /// Hands on what a reader may be waiting for. A file has its time of its own.
    #[cfg(target_os = "linux")]
    pub(super) fn flush_stream(&mut self) -> io::Result<()> {
        let flushed = match &mut self.state {
            State::Stream(writer) => writer.flush(),
            State::Created(_) | State::Direct(_) | State::Failed => Ok(()),
        };
        flushed.map_err(|error| self.failed(&error))
    }

    /// Makes it whole, as far as anybody takes it; another run may go on with it. Every error of
    /// writing it comes out here at the latest.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let settled = match &mut self.state {
            State::Direct(writer) => writer.flush(),
            #[cfg(target_os = "linux")]
            State::Stream(writer) => writer.settle(),
            State::Created(_) | State::Failed => Ok(()),
        };
        settled.map_err(|error| self.failed(&error))
    }

    /// What comes after is not written any more.
    fn failed(&mut self, error: &io::Error) -> io::Error {
        self.state = State::Failed;
        self.named(error)
    }

    fn named(&self, error: &io::Error) -> io::Error {
        let name = &self.name;
        io::Error::new(error.kind(), format!("cannot write the capture {name}: {error}"))
    }
}
