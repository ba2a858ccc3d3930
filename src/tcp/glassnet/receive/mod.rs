//! The receiving half of a connection: the window, what is there to be read, and what waits behind
//! gaps (RFC 9293 3.3.1's RCV variables, 3.8.6, 3.10.7.4).

mod acks;
mod capacity;
mod info;
mod reassembly;
mod window;

use super::options::{Block, MAX_SACKS, TIMESTAMPS_LEN};
use super::ring::{Memory, Ring};
use crate::wire::tcp::Seq;

pub(super) use acks::{Acks, DelayBounds};
use capacity::Tuning;
pub(super) use capacity::{Capacity, scale_for};
use reassembly::Reassembly;

/// The receiving half of a connection.
pub(super) struct Receiver {
    nxt: Seq,
    /// RCV.NXT, and the window, when an ACK was last sent.
    acked: Seq,
    window: u32,
    scale: u8,
    /// What can be read; it ends before RCV.NXT, and before a FIN.
    data: Ring,
    /// What is there behind gaps.
    beyond: Reassembly,
    /// The number of a FIN that has arrived, in order or not.
    fin: Option<Seq>,
    has_finished: bool,
    capacity: Capacity,
    /// What may be advertised of it now.
    allowed: u32,
    tuning: Tuning,
    /// Bytes of a full segment, as far as they show.
    mss: u32,
    /// Bytes of the last segment that was smaller.
    last_len: u32,
    advertised_mss: u32,
    /// Bytes received in order so far, and segments that waited behind a gap.
    bytes: u64,
    out_of_order: u32,
    pub(super) acks: Acks,
}

/// What became of a segment's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// There was nothing in it.
    Nothing,
    InOrder,
    /// It waits behind a gap, or fills a part of one.
    OutOfOrder,
    /// It was received before.
    Duplicate,
    /// It is beyond the window.
    Beyond,
}

impl Receiver {
    pub(super) fn new(capacity: Capacity, advertised_mss: u32, delays: DelayBounds) -> Receiver {
        let window = capacity.initial_window(advertised_mss);
        Receiver {
            nxt: Seq::default(),
            acked: Seq::default(),
            window,
            scale: 0,
            data: Ring::default(),
            beyond: Reassembly::default(),
            fin: None,
            has_finished: false,
            capacity,
            allowed: if capacity.is_fixed() { capacity.now() } else { window },
            tuning: Tuning::default(),
            mss: advertised_mss.min(window / 2).clamp(88, 536),
            last_len: 0,
            advertised_mss,
            bytes: 0,
            out_of_order: 0,
            acks: Acks::new(delays),
        }
    }

    /// The peer's SYN has arrived.
    pub(super) fn begin(&mut self, irs: Seq) {
        self.nxt = irs.plus(1);
        self.acked = self.nxt;
    }

    /// What the SYNs say: the shift of our window, and whether SACK and timestamps are understood.
    pub(super) fn agree(&mut self, now: u64, scale: u8, has_sack: bool, has_timestamps: bool) {
        self.scale = scale;
        self.beyond.set_sack(has_sack);
        self.acks.begin(now);
        self.tuning.begin(now, self.nxt, self.window.min(10 * self.advertised_mss));
        if scale == 0 {
            self.allowed = self.allowed.min(65_535);
            self.capacity.limit(65_535);
        }
        let timestamps = if has_timestamps { TIMESTAMPS_LEN } else { 0 };
        self.capacity.reserve(self.advertised_mss.saturating_sub(timestamps));
        self.allowed = self.allowed.min(self.capacity.clamp());
    }

    /// The application has set the receive buffer, or a bound of the window. What was offered stays
    /// offered. `is_agreed`: the peer's SYN has said whether windows are scaled.
    pub(super) fn resize(&mut self, capacity: Capacity, is_agreed: bool) {
        self.capacity = self.capacity.becoming(capacity);
        if is_agreed && self.scale == 0 {
            self.capacity.limit(65_535);
        }
        self.allowed = if self.capacity.is_fixed() {
            self.capacity.now()
        } else {
            self.allowed.min(self.capacity.clamp())
        };
        if !is_agreed {
            self.window = self.window.min(self.capacity.initial_window(self.advertised_mss));
        }
    }

    /// `TCP_QUICKACK`: what is owed, and was read, is acknowledged at once (Linux's
    /// `__tcp_sock_set_quickack`).
    pub(super) fn set_quickack(&mut self, on: bool) {
        self.acks.set_quickack(on);
        if on && self.acks.is_owed() && self.data.is_empty() {
            self.acks.owe_now();
        }
    }

    // ---- What is known of it ----------------------------------------------------------------

    #[inline]
    pub(super) fn nxt(&self) -> Seq {
        self.nxt
    }

    /// RCV.NXT when an ACK was last sent.
    #[inline]
    pub(super) fn acked(&self) -> Seq {
        self.acked
    }

    /// Bytes that can be read.
    #[inline]
    pub(super) fn queued(&self) -> u32 {
        self.data.len()
    }

    /// The peer's FIN has arrived, in order.
    #[inline]
    pub(super) fn has_finished(&self) -> bool {
        self.has_finished
    }

    /// Nothing waits behind a gap.
    #[inline]
    pub(super) fn is_in_order(&self) -> bool {
        self.beyond.is_empty() && self.fin.is_none()
    }

    /// The window that the peer sees, from RCV.NXT on.
    #[inline]
    pub(super) fn open_window(&self) -> u32 {
        self.acked.plus(self.window).ahead_of(self.nxt).max(0).cast_unsigned()
    }

    /// As it stands on the wire.
    pub(super) fn window_on_wire(&self) -> u16 {
        (self.open_window() >> self.scale).min(65_535) as u16
    }

    pub(super) fn scale(&self) -> u8 {
        self.scale
    }

    /// Whether a segment may be one of this connection's (RFC 9293 3.10.7.4, first step), as Linux
    /// has it: it touches the window, or what was received since the last ACK.
    pub(super) fn is_acceptable(&self, seq: Seq, end: Seq) -> bool {
        !end.is_before(self.acked) && !seq.is_after(self.nxt.plus(self.open_window()))
    }

    /// The blocks that an ACK carries (RFC 2018 section 4, RFC 2883 section 4).
    pub(super) fn sacks(&self, blocks: &mut [Block; MAX_SACKS]) -> usize {
        self.beyond.blocks(blocks)
    }

    /// Whether an ACK carries blocks.
    #[inline]
    pub(super) fn has_sacks(&self) -> bool {
        self.beyond.has_blocks()
    }

    // ---- What arrives -----------------------------------------------------------------------

    /// Takes in the payload of a segment that begins at RCV.NXT, while nothing waits behind a gap;
    /// false if it does not fit the window.
    #[inline]
    pub(super) fn take_next(&mut self, memory: &mut Memory, now: u64, payload: &[u8]) -> bool {
        let len = payload.len() as u32;
        if len > self.open_window() {
            return false;
        }
        self.data.push(memory, payload);
        self.nxt = self.nxt.plus(len);
        self.bytes += u64::from(len);
        self.note_data(now, len);
        true
    }

    /// Takes in what a segment carries, as far as it is new and within the window.
    pub(super) fn take(
        &mut self,
        memory: &mut Memory,
        now: u64,
        seq: Seq,
        payload: &[u8],
        fin: bool,
    ) -> Taken {
        let end = seq.plus(payload.len() as u32);
        if payload.is_empty() && !fin {
            return Taken::Nothing;
        }
        let end_with_fin = end.plus(u32::from(fin));
        if !end_with_fin.is_after(self.nxt) || self.has_finished {
            // RFC 2883 4.1: it was received before.
            self.beyond.note_duplicate((seq, end_with_fin), self.nxt);
            self.acks.hurry(self.window, self.mss);
            return Taken::Duplicate;
        }
        // What goes on behind a FIN, or a FIN before what has arrived, makes no sense.
        let is_odd = match self.fin {
            Some(known) => end.is_after(known) || (fin && end != known),
            None => fin && self.beyond.reaches_beyond(end),
        };
        let edge = self.nxt.plus(self.open_window());
        // A FIN alone needs no room.
        let is_lone_fin = seq == self.nxt && payload.is_empty();
        if is_odd || (!seq.is_before(edge) && !is_lone_fin) {
            self.acks.hurry(self.window, self.mss);
            return Taken::Beyond;
        }
        // Cut to what is new and within the window.
        let skip = self.nxt.ahead_of(seq).max(0).cast_unsigned();
        if skip > 0 {
            self.beyond.note_duplicate((seq, self.nxt), self.nxt);
        }
        let start = seq.plus(skip);
        let beyond = end.ahead_of(edge).max(0) as usize;
        let payload = &payload[(skip as usize).min(payload.len())..payload.len() - beyond];
        // A FIN beyond the window is not there yet.
        if fin && beyond == 0 && (end.is_before(edge) || is_lone_fin) {
            self.fin = Some(end);
        }
        let end = start.plus(payload.len() as u32);
        if start == self.nxt && payload.is_empty() && self.fin != Some(start) {
            // What is new in it is beyond the window.
            self.acks.hurry(self.window, self.mss);
            return Taken::Beyond;
        }
        if start == self.nxt {
            self.fill(memory, now, start, end, payload);
            return Taken::InOrder;
        }
        // A FIN behind a gap is kept, and told of like a byte.
        let is_fin_there = self.fin == Some(end) && fin;
        let offset = start.ahead_of(self.nxt).cast_unsigned() + self.data.len();
        if start != end || is_fin_there {
            let is_new = self.beyond.insert(start, end.plus(u32::from(is_fin_there)));
            self.out_of_order = self.out_of_order.saturating_add(1);
            if is_new {
                self.data.write_at(memory, offset, payload);
            }
        }
        if !payload.is_empty() {
            self.note_data(now, payload.len() as u32);
        }
        self.acks.owe_now();
        Taken::OutOfOrder
    }

    /// The peer needs ACKs at once.
    pub(super) fn hurry(&mut self) {
        self.acks.hurry(self.window, self.mss);
    }

    /// A segment with data came that is not acceptable: the peer is told what is, and of what came
    /// twice (RFC 2883 4.1).
    pub(super) fn note_unacceptable(&mut self, seq: Seq, end: Seq) {
        if seq.is_before(self.nxt) {
            self.beyond.note_duplicate((seq, end), self.nxt);
            self.acks.hurry(self.window, self.mss);
        } else {
            self.acks.owe_now();
        }
    }

    /// The next bytes have arrived, and with them perhaps what waited behind.
    fn fill(&mut self, memory: &mut Memory, now: u64, start: Seq, end: Seq, payload: &[u8]) {
        let had_gap = !self.beyond.is_empty();
        self.data.write_at(memory, self.data.len(), payload);
        let reached = self.beyond.fill(start, end);
        // What waited may end with the FIN.
        let data_end = match self.fin {
            Some(fin) if reached.is_after(fin) => fin,
            _ => reached,
        };
        let arrived = data_end.ahead_of(self.nxt).cast_unsigned();
        self.data.advance(arrived);
        self.nxt = data_end;
        self.bytes += u64::from(arrived);
        if self.fin == Some(self.nxt) {
            self.has_finished = true;
            self.nxt = self.nxt.plus(1);
            self.bytes += 1;
            self.acks.on_fin();
        }
        if !payload.is_empty() {
            self.note_data(now, payload.len() as u32);
        }
        if had_gap {
            // RFC 5681 4.2: a gap is filled, or a part of one.
            self.acks.owe_now();
        }
    }

    /// Data has arrived.
    #[inline]
    fn note_data(&mut self, now: u64, len: u32) {
        if len >= self.mss {
            self.mss = len.min(self.advertised_mss);
        } else {
            self.note_small(len);
        }
        self.acks.on_data(now, self.window, self.mss);
        if !self.capacity.is_fixed() {
            self.widen(len);
        }
    }

    fn note_small(&mut self, len: u32) {
        // A sender whose segments have become smaller.
        if len >= 536 && len == self.last_len {
            self.mss = len;
        } else {
            self.acks.note_pushed();
        }
        self.last_len = len;
    }

    // ---- What is read -----------------------------------------------------------------------

    /// Moves bytes to `buffer`.
    #[inline]
    pub(super) fn read(&mut self, memory: &mut Memory, buffer: &mut [u8]) -> u32 {
        let len = (buffer.len() as u32).min(self.data.len());
        self.data.copy_to(0, &mut buffer[..len as usize]);
        self.data.consume(memory, len, self.beyond.is_empty());
        if !self.capacity.is_fixed() {
            self.adapt_to_reader();
        }
        len
    }

    /// Copies bytes to `buffer`.
    pub(super) fn peek(&self, buffer: &mut [u8]) -> u32 {
        let len = (buffer.len() as u32).min(self.data.len());
        self.data.copy_to(0, &mut buffer[..len as usize]);
        len
    }

    /// Gives its memory back, and what was not read.
    pub(super) fn release_memory(&mut self, memory: &mut Memory) {
        self.data.release(memory);
    }

    // ---- What is acknowledged ---------------------------------------------------------------

    /// A segment leaves: what it acknowledges, and the window as it stands on the wire.
    #[inline]
    pub(super) fn acknowledge(&mut self) -> (Seq, u16) {
        let (open, offer) = (self.open_window(), self.window_to_offer());
        let on_wire = (offer >> self.scale).min(65_535);
        // What was offered is taken, though the scale may have rounded it away since.
        self.window = open.max(on_wire << self.scale);
        self.acked = self.nxt;
        self.acks.clear();
        (self.nxt, on_wire as u16)
    }

    /// After an ACK with blocks has left: a DSACK is said once.
    pub(super) fn forget_duplicate(&mut self) {
        self.beyond.forget_duplicate();
    }

    /// The window of a SYN, which is never scaled (RFC 7323 2.2).
    pub(super) fn window_of_syn(&mut self) -> u16 {
        self.window = self.window.min(65_535);
        self.window as u16
    }

    /// More than one full segment is not acknowledged, and the window moves with it (RFC 9293
    /// 3.8.6.3).
    #[inline]
    fn is_second_segment(&self) -> bool {
        self.nxt.ahead_of(self.acked).cast_unsigned() > self.mss
            && self.window_to_offer() >= self.open_window()
    }

    /// An ACK must leave now.
    #[inline]
    pub(super) fn owes_ack(&self) -> bool {
        self.acks.is_owed() && (self.acks.is_due() || self.is_second_segment())
    }

    /// After data was read: an ACK that waited for that must leave, or the window has grown so much
    /// that the peer is to be told (RFC 9293 3.8.6.2.2; Linux's `tcp_cleanup_rbuf`).
    #[inline]
    pub(super) fn owes_ack_after_read(&mut self) -> bool {
        if self.has_finished {
            return false;
        }
        let drained = self.data.is_empty() && self.acks.waits_for_reader();
        let unacknowledged = self.nxt.ahead_of(self.acked).cast_unsigned();
        if self.acks.is_owed() && (drained || unacknowledged > self.mss) {
            self.acks.owe_now();
            return true;
        }
        let open = self.open_window();
        if 2 * open <= self.capacity.now() {
            let offer = self.window_to_offer();
            if offer > 0 && offer >= 2 * open {
                self.acks.owe_now();
                return true;
            }
        }
        false
    }
}
