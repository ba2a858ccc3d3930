//! The flight recorder: the last frames of each host, kept in memory for a run that fails.
//!
//! Every frame passes here, so recording one is a copy of its first bytes and no more: memory is
//! taken in chunks, a full ring forgets its oldest chunk, and checksums that were left out are
//! filled in only when the frames are written.

use std::collections::VecDeque;
use std::io;

use super::vantage::comment_on_drop;
use crate::capture::{CaptureFile, Direction};
use crate::host::{FrameBuffer, fill_checksums};
use crate::network::{DropReason, Fate};

/// Frames of each host, unless [`Sim::last_frames`](crate::Sim::last_frames) says otherwise.
const FRAMES: usize = 10_000;
/// Frames of all hosts together: where there are many hosts, each has fewer.
const MAX_FRAMES: usize = 500_000;
/// Bytes that are kept of a frame: all headers, and the beginning of what it carries.
pub(super) const SNAP: usize = 256;
/// Parts of a ring, of which the oldest is forgotten as a whole.
const PARTS: usize = 8;

pub(super) struct Recorder {
    frames: usize,
    rings: Vec<Ring>,
}

/// The last frames of one host.
#[derive(Default)]
struct Ring {
    chunks: VecDeque<Chunk>,
    /// Room in the last chunk.
    room: usize,
    last_sent: u64,
}

#[derive(Default)]
struct Chunk {
    records: Vec<Record>,
    bytes: Vec<u8>,
}

/// A frame; its bytes stand beside it.
struct Record {
    time: u64,
    packet_id: u64,
    len: u32,
    is_inbound: bool,
    has_checksums: bool,
    note: Note,
}

/// What only the simulator knows about a frame.
#[derive(Clone, Copy)]
pub(super) enum Note {
    Nothing,
    Dropped(DropReason),
    Duplicated,
    Duplicate,
}

impl From<&Fate> for Note {
    fn from(fate: &Fate) -> Note {
        match fate {
            Fate::Dropped(reason) => Note::Dropped(*reason),
            Fate::Arrives { duplicate_at: Some(_), .. } => Note::Duplicated,
            Fate::Arrives { duplicate_at: None, .. } => Note::Nothing,
        }
    }
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder { frames: FRAMES, rings: Vec::new() }
    }
}

impl Recorder {
    /// Keeps so many frames of each host from now on; none when it is 0.
    pub(super) fn set_frames(&mut self, frames: usize) {
        self.frames = frames.min(MAX_FRAMES);
        self.rings.clear();
    }

    /// A frame that a host sends. Told more than once, because it is for many, it is one frame.
    #[inline]
    pub(super) fn sent(
        &mut self,
        host: u32,
        time: u64,
        packet_id: u64,
        note: Note,
        frame: &FrameBuffer,
    ) {
        let Some(ring) = self.ring(host) else { return };
        if ring.last_sent != packet_id {
            ring.last_sent = packet_id;
            self.record(host, time, packet_id, false, note, frame);
        }
    }

    /// A frame that reaches a host.
    #[inline]
    pub(super) fn arrived(
        &mut self,
        host: u32,
        time: u64,
        packet_id: u64,
        duplicate: bool,
        frame: &FrameBuffer,
    ) {
        if self.ring(host).is_some() {
            let note = if duplicate { Note::Duplicate } else { Note::Nothing };
            self.record(host, time, packet_id, true, note, frame);
        }
    }

    #[inline]
    fn ring(&mut self, host: u32) -> Option<&mut Ring> {
        if self.frames == 0 {
            return None;
        }
        let host = host as usize;
        if self.rings.len() <= host {
            self.rings.resize_with(host + 1, Ring::default);
        }
        Some(&mut self.rings[host])
    }

    #[inline]
    fn record(
        &mut self,
        host: u32,
        time: u64,
        packet_id: u64,
        is_inbound: bool,
        note: Note,
        frame: &FrameBuffer,
    ) {
        if self.rings[host as usize].room == 0 {
            self.next_chunk(host as usize);
        }
        let ring = &mut self.rings[host as usize];
        ring.room -= 1;
        let Some(chunk) = ring.chunks.back_mut() else { return };
        let bytes = frame.bytes();
        chunk.bytes.extend_from_slice(&bytes[..bytes.len().min(SNAP)]);
        let len = bytes.len() as u32;
        let has_checksums = frame.has_checksums();
        chunk.records.push(Record { time, packet_id, len, is_inbound, has_checksums, note });
    }

    /// Begins a chunk, in the memory of the oldest if what follows it is enough.
    #[cold]
    fn next_chunk(&mut self, host: usize) {
        let most = self.frames.min(MAX_FRAMES / self.rings.len()).max(1);
        let ring = &mut self.rings[host];
        let mut chunk = Chunk::default();
        let mut kept: usize = ring.chunks.iter().map(|chunk| chunk.records.len()).sum();
        while let Some(oldest) = ring.chunks.front()
            && kept - oldest.records.len() >= most
        {
            kept -= oldest.records.len();
            chunk = ring.chunks.pop_front().unwrap_or_default();
        }
        chunk.records.clear();
        chunk.bytes.clear();
        ring.chunks.push_back(chunk);
        ring.room = most.div_ceil(PARTS);
    }

    /// Hosts of which there are frames, those that had one last coming first.
    pub(super) fn hosts(&self) -> Vec<u32> {
        let last = |ring: &Ring| Some(ring.chunks.back()?.records.last()?.time);
        let mut hosts: Vec<(u64, u32)> = self
            .rings
            .iter()
            .zip(0..)
            .filter_map(|(ring, host)| Some((last(ring)?, host)))
            .collect();
        hosts.sort_by_key(|(time, host)| (std::cmp::Reverse(*time), *host));
        hosts.into_iter().map(|(_, host)| host).collect()
    }

    /// Writes the frames of a host, oldest first.
    pub(super) fn write(&self, host: u32, capture: &mut CaptureFile) -> io::Result<()> {
        let Some(ring) = self.rings.get(host as usize) else { return Ok(()) };
        let most = self.frames.min(MAX_FRAMES / self.rings.len()).max(1);
        let kept: usize = ring.chunks.iter().map(|chunk| chunk.records.len()).sum();
        let mut surplus = kept.saturating_sub(most);
        let mut frame = Vec::new();
        for chunk in &ring.chunks {
            let mut rest = &chunk.bytes[..];
            for record in &chunk.records {
                let (bytes, after) = rest.split_at((record.len as usize).min(SNAP));
                rest = after;
                if surplus > 0 {
                    surplus -= 1;
                    continue;
                }
                frame.clear();
                frame.extend_from_slice(bytes);
                if !record.has_checksums {
                    fill_checksums(&mut frame);
                }
                record.write(&frame, capture)?;
            }
        }
        capture.flush()
    }
}

impl Record {
    fn write(&self, bytes: &[u8], capture: &mut CaptureFile) -> io::Result<()> {
        let dropped;
        let comments: &[&str] = match self.note {
            Note::Nothing => &[],
            Note::Dropped(reason) => {
                dropped = comment_on_drop(reason);
                &[&dropped]
            }
            Note::Duplicated => &["duplicated by the link"],
            Note::Duplicate => &["duplicate made by the link"],
        };
        let direction = if self.is_inbound { Direction::Inbound } else { Direction::Outbound };
        let (time, id) = (self.time, self.packet_id);
        capture.cut_frame(time, 0, direction, id, comments, false, bytes, self.len as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::FramePool;

    fn recorded(recorder: &Recorder, host: usize) -> usize {
        recorder.rings[host].chunks.iter().map(|chunk| chunk.records.len()).sum()
    }

    #[test]
    fn a_ring_keeps_what_it_must_and_little_more() {
        let mut recorder = Recorder::default();
        let frame = FramePool::default().take(60);
        for id in 1..=50_000 {
            recorder.sent(0, id, id, Note::Nothing, &frame);
            assert!(recorded(&recorder, 0) >= FRAMES.min(id as usize));
        }
        assert!(recorded(&recorder, 0) <= FRAMES + FRAMES / PARTS);
    }

    #[test]
    fn where_there_are_many_hosts_each_keeps_fewer_frames() {
        let mut recorder = Recorder::default();
        let mut pool = FramePool::default();
        let frame = pool.take(1_514);
        recorder.arrived(9_999, 0, 1, false, &frame);
        for host in 0..10_000 {
            for id in 0..200 {
                recorder.arrived(host, 0, id, false, &frame);
            }
        }
        let all: usize = (0..10_000).map(|host| recorded(&recorder, host)).sum();
        assert!(all <= MAX_FRAMES + MAX_FRAMES / 4, "{all}");
        assert!(recorder.rings.iter().all(|ring| {
            ring.chunks.iter().all(|chunk| chunk.bytes.len() == chunk.records.len() * SNAP)
        }));
    }

    #[test]
    fn a_frame_for_many_is_one_frame_of_its_sender() {
        let mut recorder = Recorder::default();
        let frame = FramePool::default().take(60);
        for _ in 0..3 {
            recorder.sent(0, 0, 7, Note::Nothing, &frame);
        }
        assert_eq!(recorded(&recorder, 0), 1);
    }
}
