//! The capture of what passes.

use std::io;
use std::net::IpAddr;

use crate::capture::{CaptureWriter, Direct, Direction, Interface, LinkType, Section, Start};
use crate::wire::ethernet::Mac;

/// A capture at the interface of the host, and the first error of writing it.
#[derive(Default)]
pub(super) struct Capture {
    writers: Vec<(String, CaptureWriter<Direct>)>,
    failure: Option<io::Error>,
    packets: u64,
}

/// The interface where it is captured.
pub(super) struct Vantage<'a> {
    pub(super) seed: u64,
    pub(super) host: &'a str,
    pub(super) mac: Mac,
    pub(super) addresses: Vec<(IpAddr, u8)>,
}

impl Capture {
    /// Begins one more, which errors call `name`.
    pub(super) fn add(&mut self, name: &str, to: Direct, vantage: Vantage<'_>) -> io::Result<()> {
        let interface = format!("{}.eth0", vantage.host);
        let title = format!("vantage={interface}");
        let section = Section { seed: vantage.seed, title, start: Start::Simulated };
        let interface = Interface {
            name: interface,
            description: format!("interface of host {}", vantage.host),
            link_type: LinkType::Ethernet,
            mac: Some(vantage.mac),
            addresses: vantage.addresses,
            speed_bits_per_second: None,
            snap: 0,
        };
        let writer = CaptureWriter::new(to, &section, &[interface], &[]);
        self.writers.push((name.to_owned(), writer.map_err(|error| named(name, &error))?));
        Ok(())
    }

    pub(super) fn frame(
        &mut self,
        now: u64,
        direction: Direction,
        comments: &[&str],
        frame: &[u8],
    ) {
        self.packets += 1;
        let id = self.packets;
        self.write(|writer| writer.frame(now, 0, direction, id, comments, false, frame));
    }

    pub(super) fn event(&mut self, now: u64, host: &str, message: impl Fn() -> String) {
        self.write(|writer| writer.event(now, host, &message()));
    }

    fn write(&mut self, write: impl Fn(&mut CaptureWriter<Direct>) -> io::Result<()>) {
        let Capture { writers, failure, .. } = self;
        writers.retain_mut(|(name, writer)| match write(writer) {
            Ok(()) => true,
            Err(error) => {
                failure.get_or_insert_with(|| named(name, &error));
                false
            }
        });
    }

    /// Writes everything; the first error of all is told once.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.write(CaptureWriter::flush);
        self.failure.take().map_or(Ok(()), Err)
    }
}

fn named(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write the capture {name}: {error}"))
}
