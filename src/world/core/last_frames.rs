//! The last frames of a world, as a report shows them.

use std::collections::VecDeque;
use std::fmt::Write;
use std::net::SocketAddr;

use super::describe::Describer;
use super::frame_records::SentFrame;
use super::recorder::Recorder;
use crate::network::Fate;
use crate::time::Instant;
use crate::wire::frame::FrameBuffer;

/// Frames that a report shows.
const FRAMES: usize = 16;
/// Bytes kept of each: all headers.
const HEADERS: usize = 96;

/// The last frames of which the flight recorder does not tell what became: those for many, and
/// those that died at a host.
#[derive(Default)]
pub(in crate::world) struct LastFrames {
    ring: VecDeque<LastFrame>,
}

struct LastFrame {
    time: u64,
    from: u32,
    to: Option<u32>,
    fate: Fate,
    retransmission: bool,
    /// The number of the packet that was sent next.
    next_packet_id: u64,
    len: usize,
    headers: [u8; HEADERS],
}

impl LastFrames {
    #[cold]
    pub(in crate::world) fn push(
        &mut self,
        time: u64,
        from: u32,
        to: Option<u32>,
        fate: Fate,
        next_packet_id: u64,
        frame: &FrameBuffer,
    ) {
        if self.ring.len() == FRAMES {
            self.ring.pop_front();
        }
        let retransmission = frame.is_retransmission();
        let (frame, mut headers) = (frame.bytes(), [0; HEADERS]);
        let (len, kept) = (frame.len(), frame.len().min(HEADERS));
        headers[..kept].copy_from_slice(&frame[..kept]);
        let last = LastFrame { time, from, to, fate, retransmission, next_packet_id, len, headers };
        self.ring.push_back(last);
    }

    /// Writes a line for each of these and of those that `recorder` knows; `initial_of` knows where
    /// the sequence numbers of a connection of a host begin.
    pub(in crate::world) fn write(
        &self,
        text: &mut String,
        recorder: &Recorder,
        name_of: impl Fn(u32) -> String,
        initial_of: impl Fn(u32, SocketAddr, SocketAddr) -> Option<(u32, Option<u32>)>,
    ) {
        let recorded = recorder.last_sent(FRAMES);
        let mut frames: Vec<(u64, bool, SentFrame<'_>)> =
            self.ring.iter().map(|frame| (frame.next_packet_id, false, frame.sent())).collect();
        frames.extend(recorded.into_iter().map(|frame| (frame.packet_id, true, frame)));
        if frames.is_empty() {
            return;
        }
        frames.sort_by_key(|(order, is_recorded, _)| (*order, *is_recorded));
        let surplus = frames.len().saturating_sub(FRAMES);
        text.push_str("\nlast frames:");
        let mut describer = Describer::default();
        for (.., frame) in frames.drain(surplus..) {
            let to = frame.to.map_or_else(|| "nobody".to_owned(), &name_of);
            let what = describer.describe(frame.headers, frame.len, |source, destination| {
                initial_of(frame.from, source, destination)
            });
            let time = Instant::from_nanos(frame.time);
            let _ = write!(text, "\n  {time} {} -> {to}: {what}", name_of(frame.from));
            if frame.retransmission {
                text.push_str(" [retransmission]");
            }
            if let Some(reason) = frame.dropped {
                let _ = write!(text, " [dropped: {reason}]");
            } else if frame.duplicated {
                text.push_str(" [duplicated]");
            } else if frame.held {
                text.push_str(" [held]");
            }
        }
    }
}

impl LastFrame {
    fn sent(&self) -> SentFrame<'_> {
        let dropped = match self.fate {
            Fate::Dropped(reason) => Some(reason),
            Fate::Arrives { .. } | Fate::Held => None,
        };
        SentFrame {
            time: self.time,
            from: self.from,
            to: self.to,
            packet_id: self.next_packet_id,
            dropped,
            duplicated: matches!(self.fate, Fate::Arrives { duplicate_at: Some(_), .. }),
            held: self.fate == Fate::Held,
            retransmission: self.retransmission,
            len: self.len,
            headers: &self.headers[..self.len.min(HEADERS)],
        }
    }
}
