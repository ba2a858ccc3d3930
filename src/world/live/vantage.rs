//! The captures of a host's interface.

use std::io::{self, Write};
use std::path::Path;

use super::settings::Plan;
use crate::capture::{
    self, CaptureFile, CaptureWriter, Direction, Format, Interface, LinkType, Pipe, Section, Sink,
    Start, TlsSecrets,
};
use crate::task::Alarm;

/// One capture, from the moment it is asked for.
pub(super) struct Vantage {
    name: String,
    /// It was said that frames had to be left out.
    has_complained: bool,
    state: State,
}

enum State {
    Created(Target),
    /// A file, which takes what it is given.
    Kept(Box<CaptureWriter<CaptureFile>>),
    /// Somebody watches it: nothing waits for long while the host sleeps.
    Watched(Box<CaptureWriter<Pipe>>),
    Failed,
}

enum Target {
    File(CaptureFile),
    Stream(Box<dyn Write + Send>, Format),
}

impl Vantage {
    pub(super) fn file(path: &Path) -> io::Result<Vantage> {
        let file = capture::create_file(path)?;
        let target = if file.is_regular() {
            Target::File(file)
        } else {
            let format = file.format();
            Target::Stream(Box::new(file.into_file()), format)
        };
        Ok(Vantage::new(&path.display().to_string(), target))
    }

    pub(super) fn stream(name: &str, writer: Box<dyn Write + Send>) -> Vantage {
        Vantage::new(name, Target::Stream(writer, Format::Next))
    }

    fn new(name: &str, target: Target) -> Vantage {
        let state = State::Created(target);
        Vantage { name: name.to_owned(), has_complained: false, state }
    }

    /// Writes what goes before the first frame. A later run goes on in the same file, in a section
    /// of its own. `alarm` rings when a stream fails.
    pub(super) fn begin(
        &mut self,
        plan: &Plan,
        start: u64,
        secrets: &TlsSecrets,
        alarm: &Alarm,
    ) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::Created(Target::File(file)) => {
                self.first_section(file, plan, start, secrets).map(State::Kept)?
            }
            State::Created(Target::Stream(stream, format)) => {
                let pipe = Pipe::new(stream, format, alarm.clone());
                let pipe = pipe.map_err(|error| self.named(&error))?;
                self.first_section(pipe, plan, start, secrets).map(State::Watched)?
            }
            State::Kept(writer) => self.next_section(writer, plan, start).map(State::Kept)?,
            State::Watched(writer) => self.next_section(writer, plan, start).map(State::Watched)?,
            State::Failed => {
                return Err(self.named(&io::Error::other("an earlier run could not")));
            }
        };
        Ok(())
    }

    fn first_section<S: Sink>(
        &self,
        sink: S,
        plan: &Plan,
        start: u64,
        secrets: &TlsSecrets,
    ) -> io::Result<Box<CaptureWriter<S>>> {
        let (section, interface) = (section(plan, start), interface(plan));
        let writer = CaptureWriter::new(sink, &section, &[interface], &plan.names.all());
        let writer = writer.map_err(|error| self.named(&error))?;
        Ok(Box::new(writer.with_secrets(secrets.clone()).with_events(plan.captures_events)))
    }

    fn next_section<S: Sink>(
        &self,
        mut writer: Box<CaptureWriter<S>>,
        plan: &Plan,
        start: u64,
    ) -> io::Result<Box<CaptureWriter<S>>> {
        let begun =
            writer.begin_section(&section(plan, start), &[interface(plan)], &plan.names.all());
        begun.map_err(|error| self.named(&error)).map(|()| writer)
    }

    pub(super) fn frame(
        &mut self,
        now: u64,
        direction: Direction,
        packet_id: u64,
        comments: &[&str],
        frame: &[u8],
    ) -> io::Result<()> {
        let written = match &mut self.state {
            State::Kept(writer) => {
                writer.frame(now, 0, direction, packet_id, comments, false, frame)
            }
            State::Watched(writer) => {
                let written = writer.frame(now, 0, direction, packet_id, comments, false, frame);
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

    /// Something that no frame shows.
    pub(super) fn event(&mut self, now: u64, host: &str, message: &str) -> io::Result<()> {
        let written = match &mut self.state {
            State::Kept(writer) => writer.event(now, host, message),
            State::Watched(writer) => writer.event(now, host, message),
            State::Created(_) | State::Failed => Ok(()),
        };
        written.map_err(|error| self.failed(&error))
    }

    /// Hands on what somebody watches, before the host falls asleep. A file has its time of its own.
    pub(super) fn flush_if_watched(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Watched(writer) => writer.flush().map_err(|error| self.failed(&error)),
            _ => Ok(()),
        }
    }

    /// Makes it whole, as far as anybody takes it.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let settled = match &mut self.state {
            State::Kept(writer) => writer.flush(),
            State::Watched(writer) => writer.settle(),
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

fn section(plan: &Plan, start: u64) -> Section {
    let title = format!("vantage={}.eth0", plan.hostname);
    Section { seed: plan.seed.0, title, start: Start::Real(start) }
}

fn interface(plan: &Plan) -> Interface {
    let host = &plan.hostname;
    Interface {
        name: format!("{host}.eth0"),
        description: format!("interface of host {host}"),
        link_type: if plan.has_neighbors { LinkType::Ethernet } else { LinkType::Ip },
        mac: plan.has_neighbors.then_some(plan.mac),
        addresses: plan.prefixes.iter().map(|prefix| (prefix.address, prefix.len)).collect(),
        speed_bits_per_second: None,
        snap: 0,
    }
}
