//! Writes one capture, and remembers when it could not.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Write};
use std::net::IpAddr;

use pcap_file::pcapng::blocks::ENHANCED_PACKET_BLOCK;
use pcap_file::pcapng::blocks::systemd_journal_export::SystemdJournalExportBlock;
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter, RawBlock};

use super::packet::Packet;
use super::secrets::{DECRYPTION_SECRETS_BLOCK, TlsSecrets, Unwritten};
use super::section::names_block;
use super::{Direction, Interface, LONGEST_RECORD, Section, Start, journal};

/// A block's type, and its length at both ends.
const BLOCK_OVERHEAD: usize = 12;

/// Names in one block: ten thousand hosts in a single one would be longer than any packet.
const NAMES_PER_BLOCK: usize = 1_000;

/// Writes a pcapng file to anything that takes bytes.
///
/// It writes many small pieces and does not buffer them: give it a `BufWriter`, a `Vec<u8>`, or
/// another writer that is cheap to call.
///
/// A capture is complete only when [`flush`](Self::flush) says so. Once a write has failed, all
/// later calls fail with the same kind of error, so no one takes half a file for a whole one.
#[must_use = "a capture is whole only when `flush` says so"]
pub(crate) struct CaptureWriter<W: Write> {
    blocks: PcapNgWriter<W>,
    start: Start,
    /// How many bytes of a frame are kept, by interface.
    limits: Vec<usize>,
    /// The body of the block being written, kept to save an allocation a frame.
    body: Vec<u8>,
    secrets: Unwritten,
    failure: Option<Failure>,
}

impl<W: Write> CaptureWriter<W> {
    /// Writes everything that stands before the first frame.
    pub(crate) fn new(
        writer: W,
        section: &Section,
        interfaces: &[Interface],
        names: &[(IpAddr, String)],
    ) -> io::Result<Self> {
        let mut blocks =
            PcapNgWriter::with_section_header(writer, section.block()).map_err(into_io)?;
        let mut limits = Vec::with_capacity(interfaces.len());
        for interface in interfaces {
            blocks.write_pcapng_block(interface.block()).map_err(into_io)?;
            limits.push(match interface.snap {
                0 => LONGEST_RECORD,
                snap => LONGEST_RECORD.min(snap as usize),
            });
        }
        for some in names.chunks(NAMES_PER_BLOCK) {
            blocks.write_pcapng_block(names_block(some)?).map_err(into_io)?;
        }
        Ok(Self {
            blocks,
            start: section.start,
            limits,
            body: Vec::new(),
            secrets: Unwritten::default(),
            failure: None,
        })
    }

    /// Writes these secrets, too, each before the first frame that passes after it was added.
    pub(crate) fn with_secrets(mut self, secrets: TlsSecrets) -> Self {
        self.secrets = Unwritten::of(secrets);
        self
    }

    /// Writes a frame that passed `interface` at virtual time `time_ns`.
    ///
    /// `packet_id` is the same wherever the same frame is seen. `crc_error` says that its check
    /// sequence would not match. A frame longer than 262,144 bytes is cut there, as tcpdump does.
    #[expect(clippy::too_many_arguments, reason = "a frame and all that is known of it")]
    pub(crate) fn frame(
        &mut self,
        time_ns: u64,
        interface: u32,
        direction: Direction,
        packet_id: u64,
        comments: &[&str],
        crc_error: bool,
        bytes: &[u8],
    ) -> io::Result<()> {
        let (id, len) = (packet_id, bytes.len());
        self.cut_frame(time_ns, interface, direction, id, comments, crc_error, bytes, len)
    }

    /// Writes a frame of which only the first `bytes` are there; it had `original_length`.
    #[expect(clippy::too_many_arguments, reason = "a frame and all that is known of it")]
    pub(crate) fn cut_frame(
        &mut self,
        time_ns: u64,
        interface: u32,
        direction: Direction,
        packet_id: u64,
        comments: &[&str],
        crc_error: bool,
        bytes: &[u8],
        original_length: usize,
    ) -> io::Result<()> {
        self.attempt(|capture| {
            capture.write_new_secrets()?;
            let Some(&limit) = capture.limits.get(interface as usize) else {
                return Err(invalid(format!("the capture has no interface {interface}")));
            };
            let packet = Packet {
                nanoseconds: nanoseconds_since_1970(capture.start, time_ns)?,
                interface,
                direction,
                packet_id,
                comments,
                crc_error,
                captured: &bytes[..bytes.len().min(limit)],
                original_length: u32::try_from(original_length).unwrap_or(u32::MAX),
            };
            packet.lay_out(&mut capture.body);
            capture.write_body_as(ENHANCED_PACKET_BLOCK)
        })
    }

    /// Writes something that happened on a host, which Wireshark shows as a row at that time.
    ///
    /// An empty `host` stands for the world itself.
    pub(crate) fn event(&mut self, time_ns: u64, host: &str, message: &str) -> io::Result<()> {
        self.attempt(|capture| {
            nanoseconds_since_1970(capture.start, time_ns)?;
            journal::lay_out(&mut capture.body, capture.start, time_ns, host, message);
            let block = SystemdJournalExportBlock { journal_entry: Cow::Borrowed(&capture.body) };
            capture.blocks.write_pcapng_block(block).map_err(into_io)?;
            Ok(())
        })
    }

    /// Hands on what is buffered: the file is whole as far as it goes, and may go on.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.attempt(|capture| {
            capture.write_new_secrets()?;
            capture.blocks.get_mut().flush()
        })
    }

    /// Flushes, and gives the writer back if every byte was taken.
    #[cfg(test)]
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.blocks.into_inner())
    }

    fn write_new_secrets(&mut self) -> io::Result<()> {
        if self.secrets.is_empty() {
            return Ok(());
        }
        self.secrets.lay_out(&mut self.body);
        self.write_body_as(DECRYPTION_SECRETS_BLOCK)
    }

    fn write_body_as(&mut self, type_: u32) -> io::Result<()> {
        let length = u32::try_from(self.body.len() + BLOCK_OVERHEAD)
            .map_err(|_| invalid("a block of more than 4 GiB".to_owned()))?;
        let block = RawBlock {
            type_,
            initial_len: length,
            body: Cow::Borrowed(&self.body),
            trailer_len: length,
        };
        self.blocks.write_raw_block(&block).map_err(into_io)?;
        Ok(())
    }

    /// Does it unless an earlier attempt failed, and remembers if this one does.
    fn attempt(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        if let Some(failure) = &self.failure {
            return Err(failure.repeat());
        }
        let result = write(self);
        if let Err(error) = &result {
            self.failure = Some(Failure::from(error));
        }
        result
    }
}

/// The first error, in a form that can be returned more than once.
struct Failure {
    kind: io::ErrorKind,
    message: String,
}

impl Failure {
    fn repeat(&self) -> io::Error {
        let message = format!("the capture is incomplete: {}", self.message);
        io::Error::new(self.kind, message)
    }
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        Self { kind: error.kind(), message: error.to_string() }
    }
}

fn nanoseconds_since_1970(start: Start, time_ns: u64) -> io::Result<u64> {
    start
        .nanoseconds()
        .checked_add(time_ns)
        .ok_or_else(|| invalid(format!("{time_ns} ns is beyond what a capture can say")))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Keeps an I/O error as it is; tells the whole chain of any other, whose own text is only its
/// last link.
fn into_io(error: PcapNgWriteError) -> io::Error {
    if let PcapNgWriteError::Io(error) = error {
        return error;
    }
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    invalid(message)
}
