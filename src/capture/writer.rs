//! Writes one capture, and remembers when it could not.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::MutexGuard;

use pcap_file::pcapng::blocks::{ENHANCED_PACKET_BLOCK, SYSTEMD_JOURNAL_EXPORT_BLOCK};
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter};

use super::classic;
use super::format::Format;
use super::output::{Output, Sink, State};
use super::packet::Packet;
use super::secrets::{TlsSecrets, Unwritten};
use super::section::names_block;
use super::{Direction, Interface, Section, Start, journal, lay_out_block};

/// Names in one block: ten thousand hosts in a single one would be longer than any packet.
const NAMES_PER_BLOCK: usize = 1_000;

/// Writes a capture to anything that takes bytes, whole blocks or records at a time, in the format
/// that its sink wants.
///
/// A capture is complete only when [`flush`](Self::flush) says so. Once a write has failed, all
/// later calls fail with the same kind of error, so no one takes half a file for a whole one.
#[must_use = "a capture is whole only when `flush` says so"]
pub(crate) struct CaptureWriter<S: Sink> {
    output: Output<S>,
    start: Start,
    format: Format,
    /// What is kept of a frame, by interface.
    kept: Vec<Kept>,
    /// What is no frame has a row, too.
    has_events: bool,
    secrets: Unwritten,
    /// Frames that were left out since the last one that was written.
    dropped: u64,
}

/// What is kept of the frames of an interface.
struct Kept {
    /// How much is left out before it.
    skipped: usize,
    limit: usize,
}

impl<S: Sink> CaptureWriter<S> {
    /// Writes everything that stands before the first frame.
    pub(crate) fn new(
        sink: S,
        section: &Section,
        interfaces: &[Interface],
        names: &[(IpAddr, String)],
    ) -> io::Result<Self> {
        let format = sink.format();
        let mut writer = Self {
            output: Output::new(sink),
            start: section.start,
            format,
            kept: Vec::new(),
            has_events: true,
            secrets: Unwritten::default(),
            dropped: 0,
        };
        writer.begin_section(section, interfaces, names)?;
        Ok(writer)
    }

    /// Begins anew within the same file, as another run has another seed, and may have another
    /// start and other addresses.
    pub(crate) fn begin_section(
        &mut self,
        section: &Section,
        interfaces: &[Interface],
        names: &[(IpAddr, String)],
    ) -> io::Result<()> {
        let head = match self.format {
            Format::Next => head(section, interfaces, names),
            Format::Classic => Ok(classic_head(&self.kept, interfaces)),
        };
        let appended = self.output.lock().append(|blocks| {
            blocks.extend_from_slice(&head?);
            Ok(())
        });
        self.start = section.start;
        let kept = |interface: &Interface| Kept {
            skipped: interface.link_type.skipped(),
            limit: interface.limit(),
        };
        self.kept = interfaces.iter().map(kept).collect();
        appended
    }

    /// Writes these secrets, too, each before the first frame that passes after it was added.
    pub(crate) fn with_secrets(mut self, secrets: TlsSecrets) -> Self {
        self.secrets = Unwritten::of(secrets);
        self
    }

    /// Leaves [`event`](Self::event)s out, unless `has_events`.
    pub(crate) fn with_events(mut self, has_events: bool) -> Self {
        self.has_events = has_events;
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
        let mut output = self.output.lock();
        if output.is_full() {
            self.dropped += 1;
            return Ok(());
        }
        let secrets = &mut self.secrets;
        let dropped = self.dropped;
        output.append(|blocks| {
            let Some(Kept { skipped, limit }) = self.kept.get(interface as usize) else {
                return Err(invalid(format!("the capture has no interface {interface}")));
            };
            let bytes = bytes.get(*skipped..).unwrap_or_default();
            let original_length = original_length.saturating_sub(*skipped);
            let original_length = u32::try_from(original_length).unwrap_or(u32::MAX);
            let captured = &bytes[..bytes.len().min(*limit)];
            let nanoseconds = nanoseconds_since_1970(self.start, time_ns)?;
            if self.format == Format::Classic {
                return classic::lay_out_record(blocks, nanoseconds, captured, original_length)
                    .ok_or_else(|| invalid(format!("{time_ns} ns is beyond what pcap can say")));
            }
            secrets.lay_out_block(blocks);
            let packet = Packet {
                nanoseconds,
                interface,
                direction,
                packet_id,
                dropped,
                comments,
                crc_error,
                captured,
                original_length,
            };
            lay_out_block(blocks, ENHANCED_PACKET_BLOCK, |body| packet.lay_out(body));
            Ok(())
        })?;
        self.dropped = 0;
        Ok(())
    }

    /// Writes something that happened on a host, which Wireshark shows as a row at that time.
    ///
    /// An empty `host` stands for the world itself.
    pub(crate) fn event(&mut self, time_ns: u64, host: &str, message: &str) -> io::Result<()> {
        if !self.has_events || self.format == Format::Classic {
            return Ok(());
        }
        let mut output = self.output.lock();
        if output.is_full() {
            return Ok(());
        }
        output.append(|blocks| {
            nanoseconds_since_1970(self.start, time_ns)?;
            lay_out_block(blocks, SYSTEMD_JOURNAL_EXPORT_BLOCK, |entry| {
                journal::lay_out(entry, self.start, time_ns, host, message);
            });
            Ok(())
        })
    }

    /// Hands on what is buffered: the file is whole as far as it goes, and may go on.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.with_new_secrets()?.attempt(State::flush)
    }

    /// As [`flush`](Self::flush), and waits until a reader that is slow has taken it, unless it
    /// takes nothing for a second.
    #[cfg(target_os = "linux")]
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.with_new_secrets()?.attempt(State::settle)
    }

    /// Frames that were left out since the last one that was written.
    #[cfg(target_os = "linux")]
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Flushes, and gives the sink back if every byte was taken.
    #[cfg(test)]
    pub(crate) fn finish(mut self) -> io::Result<S> {
        self.flush()?;
        self.output.finish()
    }

    fn with_new_secrets(&mut self) -> io::Result<MutexGuard<'_, State<S>>> {
        let mut output = self.output.lock();
        output.append(|blocks| {
            if self.format == Format::Next {
                self.secrets.lay_out_block(blocks);
            }
            Ok(())
        })?;
        Ok(output)
    }
}

/// What stands before the first frame.
fn head(
    section: &Section,
    interfaces: &[Interface],
    names: &[(IpAddr, String)],
) -> io::Result<Vec<u8>> {
    let mut blocks =
        PcapNgWriter::with_section_header(Vec::new(), section.block()).map_err(into_io)?;
    for interface in interfaces {
        blocks.write_pcapng_block(interface.block()).map_err(into_io)?;
    }
    for some in names.chunks(NAMES_PER_BLOCK) {
        blocks.write_pcapng_block(names_block(some)?).map_err(into_io)?;
    }
    Ok(blocks.into_inner())
}

/// Of a pcap file, which has one head whatever begins anew in it, and one link type.
fn classic_head(before: &[Kept], interfaces: &[Interface]) -> Vec<u8> {
    let mut head = Vec::new();
    if before.is_empty() {
        let link_type = interfaces.first().map(|interface| interface.link_type);
        classic::lay_out_head(&mut head, link_type.unwrap_or_default());
    }
    head
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
