//! Which segment leaves next: what is lost before what is new, as far as the windows and Nagle's
//! algorithm let it (RFC 9293 3.7.4, 3.8.6.2.1; Minshall's variant).

use super::chronograph::Limit;
use super::timer::Purpose;
use super::{Phase, Release, Sender};
use crate::wire::tcp::Seq;

/// A segment that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp::glassnet) struct Outgoing {
    pub(in crate::tcp::glassnet) seq: Seq,
    /// Bytes of payload.
    pub(in crate::tcp::glassnet) len: u32,
    pub(in crate::tcp::glassnet) fin: bool,
    pub(in crate::tcp::glassnet) push: bool,
    pub(in crate::tcp::glassnet) is_retransmission: bool,
}

/// What the application wants of segments that are not full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp::glassnet) enum Pace {
    /// They wait while another is not acknowledged.
    Nagle,
    /// They leave at once.
    NoDelay,
}

impl Sender {
    /// Before something leaves: after a time without anything the window begins again
    /// (RFC 5681 4.1).
    #[inline]
    pub(in crate::tcp::glassnet) fn begin_turn(&mut self, now: u64) {
        self.is_held_by_window = false;
        if self.flight.is_empty() && self.has_unsent() {
            self.chronograph.begin(now);
            let idle = now.saturating_sub(self.last_sent);
            if idle > self.rto() && self.restarts_slowly {
                self.congestion.restart(idle, self.rto(), self.initial_window);
                (self.usage.since, self.usage.used) = (now, 0);
            }
            self.congestion.resume(now, self.last_sent);
        }
    }

    /// The segment that leaves next. `reserved` bytes of it are taken by SACK blocks.
    #[inline]
    pub(in crate::tcp::glassnet) fn next(
        &mut self,
        now: u64,
        pace: Pace,
        reserved: u32,
    ) -> Option<Outgoing> {
        if self.release != Release::New {
            let out = self.next_of_recovery(now, reserved);
            if out.is_some() {
                return out;
            }
        }
        if self.has_unsent() { self.next_new(now, pace, reserved, false) } else { None }
    }

    #[inline(never)]
    fn next_of_recovery(&mut self, now: u64, reserved: u32) -> Option<Outgoing> {
        if self.release == Release::Probing {
            if self.has_unsent()
                && let Some(out) = self.next_new(now, Pace::NoDelay, reserved, false)
            {
                return Some(out);
            }
            if self.nxt.is_after(self.high) {
                self.release = Release::New;
                return None;
            }
            self.is_doubted = false;
            self.release = Release::Lost;
        }
        self.next_lost(now, reserved)
    }

    // ---- What is new ------------------------------------------------------------------------

    /// Bytes of payload of a full segment now.
    #[inline]
    fn segment_size(&self, reserved: u32) -> u32 {
        let mut size = self.mss;
        // Half of a small window, so that there is always a segment that fits (RFC 9293
        // 3.8.6.2.1).
        if self.max_window < 2 * size {
            let max = self.max_window;
            let fits = if max > super::DEFAULT_MSS { max / 2 } else { max };
            if fits > 0 {
                size = size.min(fits.max(28));
            }
        }
        size.saturating_sub(reserved).max(1)
    }

    /// How many bytes beyond SND.NXT the window lets go.
    #[inline]
    fn room(&self) -> i32 {
        self.una.plus(self.window).ahead_of(self.nxt)
    }

    /// The window lets the next segment go.
    pub(super) fn window_has_room(&self) -> bool {
        let unsent = self.written.ahead_of(self.nxt).max(1);
        self.room() >= unsent.min(self.segment_size(0).cast_signed())
    }

    /// Nothing can leave before the peer says more.
    pub(in crate::tcp::glassnet) fn waits_for_the_peer(&self) -> bool {
        self.flight.in_flight() >= self.cwnd() || !self.window_has_room()
    }

    #[inline]
    fn next_new(
        &mut self,
        now: u64,
        pace: Pace,
        reserved: u32,
        is_forced: bool,
    ) -> Option<Outgoing> {
        let unsent = self.written.ahead_of(self.nxt).max(0).cast_unsigned();
        let size = self.segment_size(reserved);
        let len = unsent.min(size);
        let mut fin = self.is_closed && len == unsent;
        if self.flight.in_flight() >= self.cwnd() && !is_forced {
            self.usage.is_limited = true;
            self.note_usage(true);
            // The last FIN does not wait.
            if len > 0 {
                return None;
            }
        }
        let room = self.room();
        if len.cast_signed() > room || room <= 0 {
            self.is_held_by_window |= len > 0 || fin;
            return None;
        }
        if fin && len.cast_signed() == room && len > 0 {
            fin = false;
        }
        if len == 0 && !fin {
            return None;
        }
        if len < size && !fin && !is_forced && pace == Pace::Nagle {
            let small_is_out = self.small.is_after(self.una) && !self.small.is_after(self.nxt);
            if !self.flight.is_empty() && small_is_out {
                return None;
            }
        }
        Some(self.depart(now, len, fin, len < size))
    }

    /// A new segment leaves.
    #[inline]
    fn depart(&mut self, now: u64, len: u32, fin: bool, is_small: bool) -> Outgoing {
        let seq = self.nxt;
        let end = seq.plus(len + u32::from(fin));
        // A write ends here, or half a window of one long write has gone by.
        let ends_write = seq.plus(len) == self.written;
        let push =
            ends_write || end.ahead_of(self.pushed).cast_unsigned() > (self.max_window >> 1).max(1);
        if push {
            self.pushed = end;
        }
        let was_empty = self.flight.is_empty();
        self.flight.push(end, now);
        self.nxt = end;
        if is_small {
            self.small = end;
        }
        self.last_sent = now;
        if was_empty {
            self.owed_since = now;
            self.rate.begin_flight(now);
        }
        let before = if was_empty { now } else { self.rack.sent_at() };
        self.rate.depart(now, end, before, self.delivered);
        if was_empty || self.is_timer_for(Purpose::TailLoss) {
            self.restart_retransmission_timer(now);
        }
        if self.phase >= Phase::Reducing {
            self.count_out();
        }
        Outgoing { seq, len, fin, push: push && len > 0, is_retransmission: false }
    }

    #[inline(never)]
    fn count_out(&mut self) {
        if matches!(self.phase, Phase::Reducing | Phase::Recovery) {
            self.reduction.out += 1;
        }
    }

    /// After what may leave has left: `sent` says that something did.
    #[inline]
    pub(in crate::tcp::glassnet) fn end_turn(&mut self, now: u64, sent_new: bool) {
        self.release = Release::New;
        if sent_new {
            let is_limited = self.flight.in_flight() >= self.cwnd();
            self.note_usage(is_limited);
            if !is_limited && self.written.ahead_of(self.nxt) < self.mss.cast_signed() {
                let in_flight = self.flight.in_flight();
                self.rate.limited_by_app(self.delivered.wrapping_add(in_flight));
            }
            self.note_starvation(now);
            self.schedule_probe(now, false);
        }
        if self.is_held_by_window != (self.chronograph.limit() == Limit::PeerWindow) {
            self.note_window_limit(now);
        }
        self.check_probe_timer(now);
    }

    /// The peer's window begins, or ends, to hold the sender back.
    #[inline(never)]
    fn note_window_limit(&mut self, now: u64) {
        let limit = if self.is_held_by_window { Limit::PeerWindow } else { Limit::Path };
        // What the application cannot write tells more than what it could not send.
        if self.chronograph.limit() != Limit::SendBuffer {
            self.chronograph.set(now, limit, &mut self.seldom);
        }
    }

    /// The size of the send buffer is what holds the sender back.
    #[inline]
    pub(in crate::tcp::glassnet) fn is_held_by_buffer(&self) -> bool {
        self.chronograph.limit() == Limit::SendBuffer
    }

    /// A writer finds room again.
    pub(in crate::tcp::glassnet) fn has_room(&mut self, now: u64) {
        self.wants_room = false;
        self.chronograph.set(now, Limit::Path, &mut self.seldom);
    }

    /// Takes note of how much of the window is in use.
    #[inline]
    fn note_usage(&mut self, is_limited: bool) {
        let packets = self.flight.packets();
        let usage = &mut self.usage;
        if !self.una.is_before(usage.round_end)
            || is_limited
            || (!usage.is_limited && packets > usage.most)
        {
            (usage.is_limited, usage.most, usage.round_end) = (is_limited, packets, self.nxt);
        }
    }

    /// A window that was not used for a timeout shrinks towards what is (RFC 2861).
    #[inline]
    fn note_starvation(&mut self, now: u64) {
        if self.is_window_limited() {
            (self.usage.used, self.usage.since) = (0, now);
            return;
        }
        if self.wants_room && !self.has_unsent() && !self.is_held_by_buffer() {
            self.chronograph.set(now, Limit::SendBuffer, &mut self.seldom);
        }
        self.usage.used = self.usage.used.max(self.flight.packets());
        if self.restarts_slowly && now.saturating_sub(self.usage.since) >= self.rto() {
            self.shrink_unused_window(now);
        }
    }

    #[inline(never)]
    fn shrink_unused_window(&mut self, now: u64) {
        if self.phase == Phase::Open {
            let used = self.usage.used.max(self.initial_window);
            let window = self.cwnd();
            if used < window && !self.congestion.is_unlimited() {
                let threshold = self.congestion.current_threshold();
                self.congestion.set_threshold(threshold);
                self.congestion.set_window((window + used) >> 1);
            }
            self.usage.used = 0;
        }
        self.usage.since = now;
    }

    // ---- What is sent again -----------------------------------------------------------------

    fn next_lost(&mut self, now: u64, reserved: u32) -> Option<Outgoing> {
        if self.flight.in_flight() >= self.cwnd() {
            return None;
        }
        let (at, start, _) = self.flight.next_lost()?;
        let is_first = start == self.una;
        let out = self.repeat(now, at, start, reserved)?;
        self.count_out();
        if is_first && !self.is_timer_for(Purpose::Reordering) {
            self.set_timer(Purpose::Retransmission, now.saturating_add(self.rto()));
        }
        Some(out)
    }

    /// The segment at `at` leaves again, or as much of it as the path and the window take; what
    /// follows it joins it if both fit.
    fn repeat(&mut self, now: u64, at: usize, start: Seq, reserved: u32) -> Option<Outgoing> {
        let size = self.segment_size(reserved);
        let mut room = self.una.plus(self.window).ahead_of(start);
        if room <= 0 {
            if start != self.una {
                return None;
            }
            // The window was taken back: this asks whether it is open again.
            room = size.cast_signed();
        }
        let most = start.plus(size.min(room.cast_unsigned()));
        let payload_end = |end: Seq| if end.is_after(self.written) { self.written } else { end };
        let mut end = self.flight.end_of(at)?;
        if payload_end(end).is_after(most) {
            end = most;
        } else {
            let mut next = at;
            while let Some(further) = self.flight.can_merge(next) {
                if payload_end(further).is_after(most) {
                    break;
                }
                (end, next) = (further, next + 1);
            }
        }
        let push = end == self.written || end.is_after(self.written);
        self.flight.retransmit(at, end, now);
        self.rate.repeat(start, end);
        let fin = end.is_after(self.written);
        let len = end.ahead_of(start).cast_unsigned() - u32::from(fin);
        self.note_retransmission(now, len);
        Some(Outgoing { seq: start, len, fin, push: push && len > 0, is_retransmission: true })
    }

    fn note_retransmission(&mut self, now: u64, len: u32) {
        self.count_retransmission(now, len);
        if self.retransmitted_at == 0 {
            self.retransmitted_at = now;
        }
        if self.undo.retransmissions < 0 {
            self.undo.retransmissions = 0;
        }
        self.undo.retransmissions += 1;
    }

    fn count_retransmission(&mut self, now: u64, len: u32) {
        self.retransmissions += 1;
        self.last_sent = now;
        self.seldom.add_repeated(len);
    }

    /// The first segment leaves again after a timeout.
    pub(in crate::tcp::glassnet) fn repeat_first(
        &mut self,
        now: u64,
        reserved: u32,
    ) -> Option<Outgoing> {
        self.repeat(now, 0, self.una, reserved)
    }

    /// A tail loss probe: something new, or the last segment again (RFC 8985 7.3).
    pub(in crate::tcp::glassnet) fn probe_tail(
        &mut self,
        now: u64,
        reserved: u32,
    ) -> Option<Outgoing> {
        if self.probe.is_some() {
            self.forgo_probe(now);
            return None;
        }
        if self.has_unsent()
            && let Some(out) = self.next_new(now, Pace::NoDelay, reserved, true)
        {
            self.note_probe(now, false);
            return Some(out);
        }
        let Some((start, last)) = self.flight.last() else {
            self.stop_timer();
            return None;
        };
        let (end, fin) = (last.end, last.end.is_after(self.written));
        let len = end.ahead_of(start).cast_unsigned() - u32::from(fin);
        let edge = self.una.plus(self.window);
        if len > self.segment_size(reserved) || end.is_after(edge.plus(u32::from(fin))) {
            self.forgo_probe(now);
            return None;
        }
        self.flight.repeat_last(now);
        self.rate.repeat(start, end);
        self.count_retransmission(now, len);
        self.note_probe(now, true);
        let push = len > 0 && !end.is_before(self.written);
        Some(Outgoing { seq: start, len, fin, push, is_retransmission: true })
    }

    /// A window probe with as much as the window takes; `None` when it takes nothing, so that the
    /// probe carries no byte.
    pub(in crate::tcp::glassnet) fn probe_window(
        &mut self,
        now: u64,
        reserved: u32,
    ) -> Option<Outgoing> {
        let unsent = self.written.ahead_of(self.nxt).max(0);
        let room = self.room().min(unsent).min(self.segment_size(reserved).cast_signed());
        if room <= 0 {
            return None;
        }
        (self.window_probes, self.backoff) = (0, 0);
        Some(self.depart(now, room.cast_unsigned(), false, true))
    }

    /// Copies what a segment carries.
    #[inline]
    pub(in crate::tcp::glassnet) fn copy_payload(&self, seq: Seq, out: &mut [u8]) {
        self.data.copy_to(seq.ahead_of(self.una).cast_unsigned(), out);
    }
}
