//! The flight recorder: the last frames of each host, kept in memory for a run that fails.
//!
//! Every frame passes here, so recording one is a copy of its first bytes and no more. It is
//! recorded once, by its sender, with the time at which it arrives; the frames that a host received
//! are looked for among those that others sent. What a busy sender forgets goes to the receiver, if
//! it is still one of its last. Memory is taken in chunks, a full log forgets its oldest chunk, and
//! checksums that were left out are filled in only when the frames are written.

use std::collections::VecDeque;
use std::io;

use super::frame_records::{Log, NEVER, Note, Record, SentFrame};
use crate::capture::{CaptureFile, CaptureWriter};
use crate::network::Fate;
use crate::wire::checksum::Checksum;
use crate::wire::frame::{FrameBuffer, fill_checksums};

/// Frames of each host, unless [`Sim::last_frames`](crate::Sim::last_frames) says otherwise.
const FRAMES: usize = 10_000;
/// Frames that all hosts send together: where there are many hosts, each has fewer.
const MAX_FRAMES: usize = 500_000;
/// Times that a host was down, of which the latest are remembered.
const MAX_DOWN: usize = 64;
/// Frames of each host that a report may need, whether or not files are to be written.
const MIN_FRAMES: usize = 128;

pub(in crate::world) struct Recorder {
    frames: usize,
    hosts: Vec<HostRecord>,
}

/// What is known about the frames of one host.
#[derive(Default)]
struct HostRecord {
    sent: Log,
    /// Frames that reach it and are not, or no longer, in the log of their sender.
    heard: Log,
    /// How many frames were sent to it.
    received: u64,
    last_sent: u64,
    /// When it was down: frames that arrived later than the one and no later than the other.
    down: VecDeque<(u64, u64)>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder { frames: FRAMES, hosts: Vec::new() }
    }
}

impl Recorder {
    /// Keeps so many frames of each host from now on; none when it is 0.
    pub(in crate::world) fn set_frames(&mut self, frames: usize) {
        self.frames = frames.min(MAX_FRAMES);
        self.hosts.iter_mut().for_each(|host| *host = HostRecord::default());
    }

    pub(in crate::world) fn add_host(&mut self) {
        self.hosts.push(HostRecord::default());
    }

    /// A frame that a host sends to many, each of which is told of with its fate.
    pub(in crate::world) fn sent_to_many(
        &mut self,
        from: u32,
        now: u64,
        packet_id: u64,
        frame: &FrameBuffer,
    ) {
        self.hosts[from as usize].last_sent = packet_id;
        let record = Record::new(now, NEVER, packet_id, frame, Note::Nothing);
        self.note_sent(from, record, frame.bytes());
    }

    /// A frame that a host sends, and what becomes of it. False when it is one of many copies:
    /// [`Recorder::sent_to_many`] was told of the frame.
    #[inline]
    pub(in crate::world) fn sent(
        &mut self,
        from: u32,
        to: Option<u32>,
        now: u64,
        packet_id: u64,
        fate: &Fate,
        frame: &FrameBuffer,
    ) -> bool {
        // What happens to most frames.
        if let (Some(to), Fate::Arrives { at, duplicate_at: None }) = (to, fate)
            && self.hosts[from as usize].last_sent != packet_id
        {
            self.hosts[from as usize].last_sent = packet_id;
            let receiver = &mut self.hosts[to as usize];
            receiver.received += 1;
            let nth = receiver.received;
            let record = Record::new(now, at.as_nanos(), packet_id, frame, Note::Nothing);
            self.note_sent(from, Record { to, nth, ..record }, frame.bytes());
            return true;
        }
        self.sent_otherwise(from, to, now, packet_id, fate, frame)
    }

    #[inline(never)]
    fn sent_otherwise(
        &mut self,
        from: u32,
        to: Option<u32>,
        now: u64,
        packet_id: u64,
        fate: &Fate,
        frame: &FrameBuffer,
    ) -> bool {
        let (note, arrives) = match fate {
            Fate::Dropped(reason) => (Note::Dropped(*reason), NEVER),
            Fate::Held => (Note::Held, NEVER),
            Fate::Arrives { at, duplicate_at: None } => (Note::Nothing, at.as_nanos()),
            Fate::Arrives { at, duplicate_at: Some(_) } => (Note::Duplicated, at.as_nanos()),
        };
        let mut record = Record::new(now, arrives, packet_id, frame, note);
        if let Some(to) = to {
            let receiver = &mut self.hosts[to as usize];
            receiver.received += 1;
            (record.to, record.nth) = (to, receiver.received);
        }
        let before = std::mem::replace(&mut self.hosts[from as usize].last_sent, packet_id);
        let is_alone = before != packet_id;
        if is_alone {
            self.note_sent(from, record, frame.bytes());
        } else if arrives != NEVER {
            self.note_heard(record.to, Record { note: Note::Nothing, ..record }, frame.bytes());
        }
        if let Fate::Arrives { duplicate_at: Some(at), .. } = fate {
            let copy = Record { arrives: at.as_nanos(), note: Note::Duplicate, ..record };
            self.note_heard(record.to, copy, frame.bytes());
        }
        is_alone
    }

    /// A frame that a link has held is on its way to a host.
    pub(in crate::world) fn released(
        &mut self,
        to: u32,
        (sent, arrives): (u64, u64),
        packet_id: u64,
        frame: &FrameBuffer,
    ) {
        let nth = self.hosts[to as usize].received;
        let record = Record::new(sent, arrives, packet_id, frame, Note::Nothing);
        self.note_heard(to, Record { to, nth, ..record }, frame.bytes());
    }

    /// A host went down.
    pub(in crate::world) fn went_down(&mut self, host: u32, now: u64) {
        let down = &mut self.hosts[host as usize].down;
        if down.len() == MAX_DOWN {
            down.pop_front();
        }
        down.push_back((now, NEVER));
    }

    /// A host is up, which may have been down.
    pub(in crate::world) fn came_up(&mut self, host: u32, now: u64) {
        if let Some((_, until)) = self.hosts[host as usize].down.back_mut() {
            *until = now.min(*until);
        }
    }

    /// Frames that a log keeps.
    fn limit(&self) -> usize {
        self.frames.max(MIN_FRAMES).min(MAX_FRAMES / self.hosts.len().max(1)).max(1)
    }

    #[inline]
    fn note_sent(&mut self, host: u32, record: Record, bytes: &[u8]) {
        if self.hosts[host as usize].sent.is_full() {
            self.next_chunk(host);
        }
        self.hosts[host as usize].sent.push(record, bytes);
    }

    /// Begins a chunk of what a host sends. What it forgets, and its receiver would not have
    /// forgotten, becomes the receiver's.
    #[cold]
    fn next_chunk(&mut self, host: u32) {
        let limit = self.limit();
        let mut reused = None;
        while let Some(forgotten) = self.hosts[host as usize].sent.make_room(limit) {
            for (record, bytes) in forgotten.frames() {
                let receiver = self.hosts.get(record.to as usize);
                let is_recent = receiver.is_some_and(|it| it.received - record.nth < limit as u64);
                if record.arrives != NEVER && is_recent {
                    let heard = Record { note: Note::Nothing, ..*record };
                    self.note_heard(record.to, heard, bytes);
                }
            }
            reused = Some(forgotten);
        }
        self.hosts[host as usize].sent.begin(reused, limit);
    }

    #[cold]
    fn note_heard(&mut self, host: u32, record: Record, bytes: &[u8]) {
        let limit = self.limit();
        let heard = &mut self.hosts[host as usize].heard;
        if heard.is_full() {
            let mut reused = None;
            while let Some(forgotten) = heard.make_room(limit) {
                reused = Some(forgotten);
            }
            heard.begin(reused, limit);
        }
        heard.push(record, bytes);
    }

    /// The last frames that hosts sent to one receiver or to nobody, oldest first, at most `count`.
    pub(in crate::world) fn last_sent(&self, count: usize) -> Vec<SentFrame<'_>> {
        let mut last = Vec::new();
        for (host, from) in self.hosts.iter().zip(0..) {
            let sent = host.sent.frames().filter(|(record, _)| !record.is_for_many());
            let frames: Vec<_> = sent.collect();
            let surplus = frames.len().saturating_sub(count);
            let newest = frames[surplus..].iter();
            last.extend(newest.map(|(record, headers)| record.describe(from, headers)));
        }
        last.sort_by_key(|frame| frame.packet_id);
        last.drain(..last.len().saturating_sub(count));
        last
    }

    /// Hosts of which there are frames, those that sent one last coming first.
    pub(in crate::world) fn hosts(&self) -> Vec<u32> {
        if self.frames == 0 {
            return Vec::new();
        }
        let last = |log: &Log, time: fn(&Record) -> u64| log.last().map(time);
        let mut hosts: Vec<(u64, u32)> = self
            .hosts
            .iter()
            .zip(0..)
            .filter_map(|(host, index)| {
                let sent = last(&host.sent, |record| record.sent);
                // One that has only listened comes last.
                let heard = (host.received > 0).then_some(0);
                Some((sent.or(heard)?, index))
            })
            .collect();
        hosts.sort_by_key(|(time, host)| (std::cmp::Reverse(*time), *host));
        hosts.into_iter().map(|(_, host)| host).collect()
    }

    /// Writes the last frames of a host before `now`, oldest first.
    pub(in crate::world) fn write(
        &self,
        host: u32,
        now: u64,
        capture: &mut CaptureWriter<CaptureFile>,
    ) -> io::Result<()> {
        let ours = &self.hosts[host as usize];
        let was_up = |at: u64| !ours.down.iter().any(|(from, until)| *from < at && at <= *until);
        let arrived = |record: &&(&Record, &[u8])| {
            record.0.to == host && record.0.arrives <= now && was_up(record.0.arrives)
        };
        let inbound = |(record, bytes): (&Record, &[u8])| {
            let note = match record.note {
                Note::Duplicate => Note::Duplicate,
                _ => Note::Nothing,
            };
            (record.arrives, false, Record { note, ..*record }, bytes.to_vec())
        };
        let of_others = self.hosts.iter().flat_map(|other| other.sent.frames());
        let mut frames: Vec<(u64, bool, Record, Vec<u8>)> =
            of_others.chain(ours.heard.frames()).filter(|it| arrived(&it)).map(inbound).collect();
        frames.extend(
            ours.sent.frames().map(|(record, bytes)| (record.sent, true, *record, bytes.to_vec())),
        );
        frames
            .sort_by_key(|(time, is_outbound, record, _)| (*time, *is_outbound, record.packet_id));
        let surplus = frames.len().saturating_sub(self.limit().min(self.frames));
        for (time, is_outbound, record, mut bytes) in frames.drain(surplus..) {
            if record.checksum == Checksum::Partial {
                fill_checksums(&mut bytes);
            }
            record.write(time, is_outbound, &bytes, capture)?;
        }
        capture.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::DropReason;
    use crate::time::Instant;
    use crate::wire::frame::FramePool;
    use crate::world::core::frame_records::{HEADERS, PARTS, WHOLE};

    fn recorder(hosts: u32) -> Recorder {
        let mut recorder = Recorder::default();
        (0..hosts).for_each(|_| recorder.add_host());
        recorder
    }

    fn arrives_at(at: u64) -> Fate {
        Fate::Arrives { at: Instant::from_nanos(at), duplicate_at: None }
    }

    #[test]
    fn a_log_keeps_what_it_must_and_little_more() {
        let mut recorder = recorder(2);
        let frame = FramePool::default().take(60);
        for id in 1..=50_000 {
            recorder.sent(0, Some(1), id, id, &arrives_at(id), &frame);
        }
        let kept = recorder.hosts[0].sent.frames().count();
        assert!((FRAMES..=FRAMES + FRAMES / PARTS).contains(&kept), "{kept}");
        assert_eq!(recorder.hosts[1].heard.frames().count(), 0);
    }

    #[test]
    fn where_there_are_many_hosts_each_keeps_fewer_frames() {
        let mut recorder = recorder(10_000);
        let frame = FramePool::default().take(WHOLE);
        for id in 0..200 {
            for host in 0..10_000 {
                let id = id * 10_000 + u64::from(host);
                recorder.sent(host, Some((host + 1) % 10_000), id, id + 1, &arrives_at(id), &frame);
            }
        }
        let logs = recorder.hosts.iter().flat_map(|host| [&host.sent, &host.heard]);
        let all: usize = logs.map(|log| log.frames().count()).sum();
        assert!(all <= MAX_FRAMES + MAX_FRAMES / 4, "{all}");
    }

    #[test]
    fn what_a_busy_sender_forgets_is_the_quiet_receivers() {
        let mut recorder = recorder(3);
        let mut pool = FramePool::default();
        let (long, short) = (pool.take(1_514), pool.take(60));
        for id in 1..=5 {
            recorder.sent(0, Some(2), id, id, &arrives_at(id), &short);
        }
        for id in 6..=100_000 {
            recorder.sent(0, Some(1), id, id, &arrives_at(id), &long);
        }
        let heard: Vec<u64> =
            recorder.hosts[2].heard.frames().map(|(it, _)| it.packet_id).collect();
        assert_eq!(heard, [1, 2, 3, 4, 5]);
        assert!(recorder.hosts[2].heard.frames().all(|(_, bytes)| bytes.len() == 60));
        assert!(recorder.hosts[0].sent.frames().all(|(_, bytes)| bytes.len() == HEADERS));
        assert_eq!(recorder.hosts[1].heard.frames().count(), 0);
    }

    #[test]
    fn a_frame_for_many_is_one_frame_of_its_sender_and_one_of_each_receiver() {
        let mut recorder = recorder(4);
        let frame = FramePool::default().take(60);
        recorder.sent_to_many(0, 0, 7, &frame);
        recorder.sent(0, Some(1), 0, 7, &arrives_at(5), &frame);
        recorder.sent(0, Some(2), 0, 7, &Fate::Dropped(DropReason::Loss), &frame);
        recorder.sent(0, Some(3), 0, 7, &arrives_at(5), &frame);
        let kept = |host: usize| recorder.hosts[host].heard.frames().count();
        assert_eq!(recorder.hosts[0].sent.frames().count(), 1);
        assert_eq!([kept(1), kept(2), kept(3)], [1, 0, 1]);
    }
}
