//! The captures of a host's interface.

use std::io::{self, Write};
use std::path::Path;

use super::settings::Plan;
use crate::capture::{self, CaptureWriter, Direction, Interface, Section, Start, TlsSecrets};

const SECOND: u64 = 1_000_000_000;

/// One capture, from the moment it is asked for.
pub(super) struct Vantage {
    name: String,
    /// Somebody watches it: nothing waits in it while the host sleeps.
    is_watched: bool,
    flushed_at: u64,
    state: State,
}

enum State {
    Created(Box<dyn Write>),
    Writing(Box<CaptureWriter<Box<dyn Write>>>),
    Failed,
}

impl Vantage {
    pub(super) fn file(path: &Path) -> io::Result<Vantage> {
        let file = capture::create_file(path)?;
        let is_watched = !file.get_ref().metadata().is_ok_and(|metadata| metadata.is_file());
        let state = State::Created(Box::new(file));
        Ok(Vantage { name: path.display().to_string(), is_watched, flushed_at: 0, state })
    }

    pub(super) fn stream(name: &str, writer: Box<dyn Write>) -> Vantage {
        let state = State::Created(Box::new(io::BufWriter::new(writer)));
        Vantage { name: name.to_owned(), is_watched: true, flushed_at: 0, state }
    }

    /// Writes what goes before the first frame. A later run goes on with the same file.
    pub(super) fn begin(
        &mut self,
        plan: &Plan,
        start: u64,
        secrets: &TlsSecrets,
    ) -> io::Result<()> {
        let writer = match std::mem::replace(&mut self.state, State::Failed) {
            State::Created(writer) => writer,
            State::Writing(writer) => {
                self.state = State::Writing(writer);
                return Ok(());
            }
            State::Failed => {
                return Err(self.named(&io::Error::other("an earlier run could not")));
            }
        };
        let host = &plan.hostname;
        let section = Section {
            seed: plan.seed.0,
            title: format!("vantage={host}.eth0"),
            start: Start::Real(start),
        };
        let interface = Interface {
            name: format!("{host}.eth0"),
            description: format!("interface of host {host}"),
            mac: Some(plan.mac),
            addresses: plan.prefixes.iter().map(|prefix| (prefix.address, prefix.len)).collect(),
            speed_bits_per_second: None,
            snap: 0,
        };
        let writer = CaptureWriter::new(writer, &section, &[interface], &plan.names.all())
            .map_err(|error| self.named(&error))?;
        self.state = State::Writing(Box::new(writer.with_secrets(secrets.clone())));
        Ok(())
    }

    pub(super) fn frame(
        &mut self,
        now: u64,
        direction: Direction,
        packet_id: u64,
        comments: &[&str],
        frame: &[u8],
    ) -> io::Result<()> {
        let State::Writing(writer) = &mut self.state else { return Ok(()) };
        let written = writer.frame(now, 0, direction, packet_id, comments, false, frame);
        written.map_err(|error| self.failed(&error))
    }

    /// Something that no frame shows.
    pub(super) fn event(&mut self, now: u64, host: &str, message: &str) -> io::Result<()> {
        let State::Writing(writer) = &mut self.state else { return Ok(()) };
        let written = writer.event(now, host, message);
        written.map_err(|error| self.failed(&error))
    }

    /// Hands on what is due before the host falls asleep.
    pub(super) fn flush_if_due(&mut self, now: u64) -> io::Result<()> {
        if self.is_watched || now >= self.flushed_at.saturating_add(SECOND) {
            self.flushed_at = now;
            return self.flush();
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Writing(writer) => writer.flush().map_err(|error| self.failed(&error)),
            State::Created(_) | State::Failed => Ok(()),
        }
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
