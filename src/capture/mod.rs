//! Captures: pcapng files that Wireshark reads, of what passes one vantage; and pcap files, of the
//! frames alone, where their name ends so.
//!
//! A capture tells the truth twice. It holds the frames as `tcpdump` would see them at that
//! point, and beside them what no real capture can know: why a frame died, which frames are
//! copies of the same one, what the hosts were doing.
//!
//! | what | where it is in the file | where Wireshark shows it |
//! |---|---|---|
//! | seed, vantage, version | section header | Statistics, Capture File Properties; `capinfos` |
//! | a frame, its nanosecond | enhanced packet block | a row |
//! | lost, duplicated, corrupted, and why | packet comments | `frame.comment` |
//! | the same frame at another vantage | packet id | `frame.packet_id` |
//! | received or sent | packet flags | `frame.packet_flags_direction` |
//! | a frame check sequence that does not match | packet flags | `frame.packet_flags_crc_error` |
//! | host names | name resolution block | `-N n` |
//! | TLS secrets that were given to us | decryption secrets block | what was encrypted, as if it were not |
//! | events: a TCP state, a timer, a link going down | systemd journal block | a row, `systemd_journal.message` |
//!
//! The same calls give the same bytes: nothing of the machine, the user or the wall clock is
//! written. Virtual time starts at [`EPOCH_SECONDS`].
//!
//! - `writer.rs`: the writer, and how it fails
//! - `section.rs`: what stands at the head of a file
//! - `packet.rs`: the bytes of a packet block
//! - `journal.rs`: the bytes of an event
//! - `secrets.rs`: TLS secrets, and the bytes of their block
//! - `output.rs`: what waits to be written, whole blocks; `keeper.rs`: when it is at the latest
//! - `classic.rs`: the bytes of a pcap file
//! - `file.rs`, `pipe.rs`: what it is written to
//! - `overwrite.rs`: whose file may be replaced

mod classic;
mod file;
mod format;
mod journal;
mod keeper;
mod output;
mod overwrite;
mod packet;
#[cfg(target_os = "linux")]
mod pipe;
mod secrets;
mod section;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use file::{CaptureFile, Direct};
#[cfg(target_os = "linux")]
pub(crate) use format::Format;
#[cfg(target_os = "linux")]
pub(crate) use output::Sink;
pub(crate) use overwrite::create_file;
#[cfg(target_os = "linux")]
pub(crate) use pipe::Pipe;
pub use secrets::TlsSecrets;
pub(crate) use section::{Interface, LinkType, Section, Start};
pub(crate) use writer::CaptureWriter;

pub(crate) use crate::clock::EPOCH_SECONDS;

/// Which way a frame passed an interface, as that interface sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    /// Received by the interface.
    Inbound,
    /// Sent by the interface.
    Outbound,
}

/// The longest text an option can hold: its length field has 16 bits.
const LONGEST_TEXT: usize = u16::MAX as usize;

/// The longest record Wireshark accepts; one that is longer makes it refuse the file.
const LONGEST_RECORD: usize = 262_144;

/// Stands where a text was cut.
const ELLIPSIS: &str = "…";

/// Appends a block: its type, its length, what `lay_out` appends, up to a 32-bit boundary, and its
/// length again.
fn lay_out_block(blocks: &mut Vec<u8>, type_: u32, lay_out: impl FnOnce(&mut Vec<u8>)) {
    let start = blocks.len();
    blocks.extend_from_slice(&type_.to_le_bytes());
    blocks.extend_from_slice(&[0; 4]);
    lay_out(blocks);
    pad(blocks);
    let length = (blocks.len() - start + 4) as u32;
    blocks[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    blocks.extend_from_slice(&length.to_le_bytes());
}

/// Fills up to the next 32-bit boundary. Blocks begin at one.
fn pad(blocks: &mut Vec<u8>) {
    let missing = blocks.len().wrapping_neg() % 4;
    blocks.extend_from_slice(&[0; 3][..missing]);
}

/// Cuts a text that is too long for its field: a shorter comment is better than a missing frame.
///
/// The second part is empty unless something was cut.
fn fit(text: &str) -> (&str, &'static str) {
    if text.len() <= LONGEST_TEXT {
        (text, "")
    } else {
        let end = text.floor_char_boundary(LONGEST_TEXT - ELLIPSIS.len());
        (&text[..end], ELLIPSIS)
    }
}
