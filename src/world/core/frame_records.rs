//! What a flight recorder keeps of a frame, and the logs of frames.
//!
//! Every frame is noted in one: memory is taken in chunks, and a full log forgets its oldest chunk.

use std::collections::VecDeque;
use std::io;

use super::vantage::{DUPLICATE, DUPLICATED, HELD, comment_on_drop};
use crate::capture::{CaptureFile, CaptureWriter, Direction};
use crate::network::DropReason;
use crate::wire::checksum::Checksum;
use crate::wire::frame::FrameBuffer;

/// Longest frame of which every byte is kept.
pub(super) const WHOLE: usize = 512;
/// Bytes that are kept of a longer one: all headers.
pub(super) const HEADERS: usize = 128;
/// Parts of a log, of which the oldest is forgotten as a whole.
pub(super) const PARTS: usize = 8;
/// Frames of the first part of a log: the next are twice as long, until they are full parts.
const FIRST_CHUNK: usize = 32;
/// Stands for the receiver of a frame that has none.
pub(super) const NOBODY: u32 = u32::MAX;
/// Stands for the arrival of a frame that does not arrive.
pub(super) const NEVER: u64 = u64::MAX;

/// Frames in the order in which they were noted.
#[derive(Default)]
pub(super) struct Log {
    /// Those before the last.
    chunks: VecDeque<Chunk>,
    last: Chunk,
    /// Room in the last chunk.
    room: usize,
}

#[derive(Default)]
pub(super) struct Chunk {
    records: Vec<Record>,
    bytes: Vec<u8>,
}

/// A frame; its bytes stand beside it.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) sent: u64,
    pub(super) arrives: u64,
    pub(super) packet_id: u64,
    /// Which of the frames sent to its receiver it is.
    pub(super) nth: u64,
    pub(super) to: u32,
    pub(super) len: u32,
    pub(super) checksum: Checksum,
    pub(super) retransmission: bool,
    pub(super) note: Note,
}

/// A frame that a host sent, as a report shows it.
pub(in crate::world) struct SentFrame<'r> {
    pub(in crate::world) time: u64,
    pub(in crate::world) from: u32,
    pub(in crate::world) to: Option<u32>,
    pub(in crate::world) packet_id: u64,
    pub(in crate::world) dropped: Option<DropReason>,
    pub(in crate::world) duplicated: bool,
    pub(in crate::world) held: bool,
    pub(in crate::world) retransmission: bool,
    pub(in crate::world) len: usize,
    /// Its first bytes: all of its headers.
    pub(in crate::world) headers: &'r [u8],
}

/// What only the simulator knows about a frame.
#[derive(Clone, Copy)]
pub(super) enum Note {
    Nothing,
    Dropped(DropReason),
    Duplicated,
    Duplicate,
    Held,
}

impl Log {
    pub(super) fn last(&self) -> Option<&Record> {
        self.last.records.last()
    }

    /// Whether the next frame needs another chunk.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.room == 0
    }

    #[inline]
    pub(super) fn push(&mut self, record: Record, bytes: &[u8]) {
        self.room = self.room.saturating_sub(1);
        self.last.bytes.extend_from_slice(&bytes[..record.kept().min(bytes.len())]);
        self.last.records.push(record);
    }

    /// Takes out the oldest chunk, if what follows it is enough.
    pub(super) fn make_room(&mut self, limit: usize) -> Option<Chunk> {
        let before: usize = self.chunks.iter().map(|chunk| chunk.records.len()).sum();
        let kept = before + self.last.records.len();
        let oldest = self.chunks.front()?.records.len();
        if kept - oldest >= limit { self.chunks.pop_front() } else { None }
    }

    /// Begins a chunk, in the memory of one that was taken out. Those of a log that is new are
    /// small, so that a host that says little takes little.
    pub(super) fn begin(&mut self, chunk: Option<Chunk>, limit: usize) {
        let mut chunk = chunk.unwrap_or_default();
        chunk.records.clear();
        chunk.bytes.clear();
        let last = Some(&self.last).filter(|last| !last.records.is_empty());
        let records = last.map_or(FIRST_CHUNK, |last| last.records.len().saturating_mul(2));
        self.room = records.min(limit.div_ceil(PARTS));
        chunk.records.reserve_exact(self.room);
        // As long as those before, on average; a frame of headers where there are none.
        let len = last.map_or(HEADERS, |last| last.bytes.len().div_ceil(last.records.len().max(1)));
        chunk.bytes.reserve_exact(self.room * (len + len / 4));
        let last = std::mem::replace(&mut self.last, chunk);
        if !last.records.is_empty() {
            self.chunks.push_back(last);
        }
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = (&Record, &[u8])> {
        self.chunks.iter().chain([&self.last]).flat_map(Chunk::frames)
    }
}

impl Chunk {
    pub(super) fn frames(&self) -> impl Iterator<Item = (&Record, &[u8])> {
        let mut rest = &self.bytes[..];
        self.records.iter().map(move |record| {
            let (bytes, after) = rest.split_at(record.kept());
            rest = after;
            (record, bytes)
        })
    }
}

impl Record {
    #[inline]
    pub(super) fn new(
        sent: u64,
        arrives: u64,
        packet_id: u64,
        frame: &FrameBuffer,
        note: Note,
    ) -> Record {
        Record {
            sent,
            arrives,
            packet_id,
            nth: 0,
            to: NOBODY,
            len: frame.len() as u32,
            checksum: frame.checksum(),
            retransmission: frame.is_retransmission(),
            note,
        }
    }

    pub(super) fn is_for_many(&self) -> bool {
        self.to == NOBODY && matches!(self.note, Note::Nothing)
    }

    pub(super) fn describe<'r>(&self, from: u32, headers: &'r [u8]) -> SentFrame<'r> {
        SentFrame {
            time: self.sent,
            from,
            to: (self.to != NOBODY).then_some(self.to),
            packet_id: self.packet_id,
            dropped: match self.note {
                Note::Dropped(reason) => Some(reason),
                _ => None,
            },
            duplicated: matches!(self.note, Note::Duplicated),
            held: matches!(self.note, Note::Held),
            retransmission: self.retransmission,
            len: self.len as usize,
            headers,
        }
    }

    /// How many of its bytes are there.
    #[inline]
    pub(super) fn kept(&self) -> usize {
        let len = self.len as usize;
        if len <= WHOLE { len } else { HEADERS }
    }

    pub(super) fn write(
        &self,
        time: u64,
        is_outbound: bool,
        bytes: &[u8],
        capture: &mut CaptureWriter<CaptureFile>,
    ) -> io::Result<()> {
        let dropped;
        let comments: &[&str] = match self.note {
            Note::Nothing => &[],
            Note::Dropped(reason) => {
                dropped = comment_on_drop(reason);
                &[&dropped]
            }
            Note::Duplicated => &[DUPLICATED],
            Note::Duplicate => &[DUPLICATE],
            Note::Held => &[HELD],
        };
        let direction = if is_outbound { Direction::Outbound } else { Direction::Inbound };
        let (id, len) = (self.packet_id, self.len as usize);
        capture.cut_frame(time, 0, direction, id, comments, false, bytes, len)
    }
}
