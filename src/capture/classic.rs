//! Classic pcap, for what reads nothing newer: frames and their times, and nothing beside them.
//!
//! Layout: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>

use super::LONGEST_RECORD;
use super::section::LinkType;

/// The times are in nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
/// Stands in a field that readers ignore; what marks a file as ours to overwrite.
const MARK: [u8; 4] = *b"glas";
/// Length of what stands before the first record.
pub(super) const FILE_HEADER: usize = 24;
/// Length of what stands before a frame.
const RECORD_HEADER: usize = 16;

/// Appends what stands before the first record.
pub(super) fn lay_out_head(file: &mut Vec<u8>, link_type: LinkType) {
    file.extend_from_slice(&MAGIC.to_le_bytes());
    for number in VERSION {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(&[0; 4]);
    file.extend_from_slice(&MARK);
    file.extend_from_slice(&(LONGEST_RECORD as u32).to_le_bytes());
    file.extend_from_slice(&u32::from(link_type.number()).to_le_bytes());
}

/// Appends a frame of which `captured` is there. `None`, and nothing appended, when its time is
/// beyond what the format can say, which is the year 2106.
pub(super) fn lay_out_record(
    file: &mut Vec<u8>,
    nanoseconds_since_1970: u64,
    captured: &[u8],
    original_length: u32,
) -> Option<()> {
    let seconds = u32::try_from(nanoseconds_since_1970 / 1_000_000_000).ok()?;
    let nanoseconds = (nanoseconds_since_1970 % 1_000_000_000) as u32;
    for field in [seconds, nanoseconds, captured.len() as u32, original_length] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    file.extend_from_slice(captured);
    Some(())
}

/// Whether a file that begins like this was written here.
pub(super) fn is_ours(start: &[u8]) -> bool {
    start.len() >= FILE_HEADER && start.starts_with(&MAGIC.to_le_bytes()) && start[12..16] == MARK
}

/// How many bytes the records take that are whole within the first `len` bytes.
pub(super) fn whole_records(records: &[u8], len: usize) -> usize {
    let mut whole = 0;
    while let Some(captured) =
        records[whole..].get(8..12).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes)
    {
        let end = whole + RECORD_HEADER + captured as usize;
        if end > len {
            break;
        }
        whole = end;
    }
    whole
}
