//! The points where frames are captured.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::capture::{
    self, CaptureWriter, Direction, Interface, LinkType, Section, Start, Target, TlsSecrets,
};
use crate::network::{DropReason, Fate, HostAddresses};
use crate::rng::Seed;

/// A capture, from the moment it is asked for.
pub(super) struct Vantage {
    /// Of its file, or what it is called.
    pub(super) path: PathBuf,
    /// What is no frame has a row, too.
    has_events: bool,
    /// The hosts at the ends: one for an interface, two for a link.
    ends: Vec<String>,
    /// Their addresses, once known.
    addresses: Vec<IpAddr>,
    state: State,
}

enum State {
    /// A file is made at once, so that a bad path is an error at once; what goes before the
    /// first frame is written when the hosts and their names are known.
    Created(Target),
    Writing(Box<CaptureWriter<Target>>),
    /// Its head could not be written, which was an error of the run.
    Failed,
}

/// What is known of a host when the capture begins.
pub(super) struct CapturedHost {
    pub(super) name: String,
    pub(super) addresses: HostAddresses,
}

impl Vantage {
    /// One end is a host's interface, as tcpdump there would see it. Two are a link, tapped at the
    /// sender's side: every transmission once, lost ones included, and the states of the
    /// connections at both ends.
    pub(super) fn file(path: &Path, ends: &[&str], has_events: bool) -> io::Result<Vantage> {
        let file = Target::File(capture::create_file(path)?);
        Ok(Vantage::new(path, ends, has_events, file))
    }

    /// The same to anything that takes bytes, which is called `name`.
    pub(super) fn stream(
        name: &str,
        ends: &[&str],
        has_events: bool,
        writer: Box<dyn Write + Send>,
    ) -> Vantage {
        Vantage::new(Path::new(name), ends, has_events, Target::Stream(writer))
    }

    fn new(path: &Path, ends: &[&str], has_events: bool, target: Target) -> Vantage {
        Vantage {
            path: path.to_owned(),
            has_events,
            ends: ends.iter().map(|end| (*end).to_owned()).collect(),
            addresses: Vec::new(),
            state: State::Created(target),
        }
    }

    pub(super) fn ends(&self) -> &[String] {
        &self.ends
    }

    pub(super) fn is_link(&self) -> bool {
        self.ends.len() == 2
    }

    /// Whether it taps the link between two addresses.
    pub(super) fn joins(&self, a: IpAddr, b: IpAddr) -> bool {
        self.is_link() && a != b && self.addresses.contains(&a) && self.addresses.contains(&b)
    }

    pub(super) fn is_link_of(&self, host: &str) -> bool {
        self.is_link() && self.ends.iter().any(|end| end == host)
    }

    /// Writes what goes before the first frame.
    pub(super) fn begin(
        &mut self,
        seed: Seed,
        hosts: &[CapturedHost],
        names: &[(IpAddr, String)],
        secrets: &TlsSecrets,
    ) -> io::Result<()> {
        let State::Created(_) = self.state else { return Ok(()) };
        let State::Created(target) = std::mem::replace(&mut self.state, State::Failed) else {
            return Ok(());
        };
        self.addresses = hosts.iter().flat_map(|host| host.addresses.all()).collect();
        let (title, interfaces) = match hosts {
            [host] => {
                let title = format!("vantage={}.eth0", host.name);
                (title, vec![interface_of(host, &format!("interface of host {}", host.name))])
            }
            ends => {
                let joined: Vec<&str> = ends.iter().map(|end| end.name.as_str()).collect();
                let title = format!("vantage=link {}", joined.join("-"));
                let of_end = |end: &CapturedHost| {
                    interface_of(end, &format!("link at the sending side of {}", end.name))
                };
                (title, ends.iter().map(of_end).collect())
            }
        };
        let section = Section { seed: seed.0, title, start: Start::Simulated };
        let writer = CaptureWriter::new(target, &section, &interfaces, names)
            .map_err(|error| self.named(error))?;
        self.state = State::Writing(Box::new(
            writer.with_secrets(secrets.clone()).with_events(self.has_events),
        ));
        Ok(())
    }

    /// A frame that the vantage's host sends or receives.
    pub(super) fn frame(
        &mut self,
        now: u64,
        direction: Direction,
        packet_id: u64,
        duplicate: bool,
        frame: &[u8],
    ) -> io::Result<()> {
        let comments: &[&str] = if duplicate { &["duplicate made by the link"] } else { &[] };
        self.write(now, 0, direction, packet_id, comments, frame)
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
            Fate::Arrives { duplicate_at: Some(_), .. } => &["duplicated by the link"],
            Fate::Arrives { duplicate_at: None, .. } => &[],
        };
        self.write(now, end, Direction::Outbound, packet_id, comments, frame)
    }

    /// Something that no frame shows: a connection's new state, a fault.
    pub(super) fn event(&mut self, now: u64, host: &str, message: &str) -> io::Result<()> {
        let State::Writing(writer) = &mut self.state else { return Ok(()) };
        writer.event(now, host, message).map_err(|error| self.named(error))
    }

    fn write(
        &mut self,
        now: u64,
        interface: u32,
        direction: Direction,
        packet_id: u64,
        comments: &[&str],
        frame: &[u8],
    ) -> io::Result<()> {
        let State::Writing(writer) = &mut self.state else { return Ok(()) };
        let written = writer.frame(now, interface, direction, packet_id, comments, false, frame);
        written.map_err(|error| self.named(error))
    }

    /// Makes the file whole as far as it goes; another run may go on with it. Every error of
    /// writing it comes out here at the latest.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Writing(writer) => writer.flush().map_err(|error| self.named(error)),
            State::Created(_) | State::Failed => Ok(()),
        }
    }

    fn named(&self, error: io::Error) -> io::Error {
        io::Error::new(
            error.kind(),
            format!("cannot write the capture {}: {error}", self.path.display()),
        )
    }
}

pub(super) fn comment_on_drop(reason: DropReason) -> String {
    format!("dropped: {reason}")
}

pub(super) fn interface_of(host: &CapturedHost, description: &str) -> Interface {
    Interface {
        name: format!("{}.eth0", host.name),
        description: description.to_owned(),
        link_type: LinkType::Ethernet,
        mac: Some(host.addresses.mac),
        addresses: addresses_of(host),
        speed_bits_per_second: None,
        snap: 0,
    }
}

fn addresses_of(host: &CapturedHost) -> Vec<(IpAddr, u8)> {
    host.addresses.prefixes().map(|prefix| (prefix.address, prefix.len)).to_vec()
}
