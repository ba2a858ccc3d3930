//! Which window is offered: never one that takes back what was offered, never a silly one
//! (RFC 9293 3.8.6.2.2), and one that grows with what the application reads (dynamic right-sizing,
//! Fisk and Feng 2001, as Linux has it).

use super::Receiver;

/// Milliseconds after which an echo tells no round trip.
const MAX_ECHO_AGE: u32 = i32::MAX as u32 / 1_000;

fn smoothed(rtt: u64, sample: u64) -> u64 {
    rtt - rtt / 8 + sample / 8
}

impl Receiver {
    /// The window that the next segment offers.
    #[inline]
    pub(super) fn window_to_offer(&self) -> u32 {
        let open = self.open_window();
        let capacity = self.capacity.now();
        let free = capacity.saturating_sub(self.data.len());
        let offer = self.suitable(free, capacity);
        // What was offered stays offered (RFC 9293 3.8.6.2.1), and what the scale cannot tell of it is
        // rounded up, as Linux does, for which there is some more room (RFC 7323 2.4).
        let rounded = offer.max(open).next_multiple_of(1 << self.scale);
        if rounded <= free.saturating_add(capacity / 8) { rounded } else { offer.max(open) }
    }

    #[inline]
    fn suitable(&self, mut free: u32, capacity: u32) -> u32 {
        let mss = self.mss.min(capacity);
        if free < capacity / 2 {
            free &= !((1u32 << self.scale) - 1);
            if free < capacity >> 4 || free < mss {
                return 0;
            }
        }
        free.min(self.allowed).min(65_535 << self.scale)
    }

    /// Data has arrived: more of the buffer may be offered, segment by segment.
    pub(super) fn widen(&mut self, len: u32) {
        if len >= 128 && self.allowed < self.capacity.clamp() {
            let more = self.allowed.saturating_add(2 * self.advertised_mss);
            self.allowed = more.min(self.capacity.clamp());
            // As Linux's `tcp_grow_window`: the sender is told at once.
            self.acks.grant_one();
        }
        let now = self.acks.last_data();
        let tuning = &mut self.tuning;
        if !self.nxt.is_before(tuning.round_end) {
            let elapsed = now - tuning.round_start;
            let is_better = tuning.rtt == 0 || elapsed < tuning.rtt;
            if is_better {
                tuning.rtt = elapsed;
            } else if !tuning.has_echo {
                tuning.rtt = smoothed(tuning.rtt, elapsed);
            }
            (tuning.round_start, tuning.round_end) = (now, self.nxt.plus(self.window));
        }
    }

    /// Data of `len` bytes has come, and with it the `echo` of one of our timestamps; `clock` is what
    /// one of now would be, in milliseconds. It is a round trip if the data was sent for an ACK of ours
    /// (Linux's `tcp_rcv_rtt_measure_ts`).
    #[inline]
    pub(in crate::tcp::glassnet) fn note_echo(&mut self, clock: u32, echo: u32, len: u32) {
        if self.capacity.is_fixed() || echo == self.tuning.last_echo {
            return;
        }
        self.tuning.last_echo = echo;
        let elapsed = clock.wrapping_sub(echo);
        if len >= self.mss && elapsed < MAX_ECHO_AGE {
            let sample = u64::from(elapsed.max(1)) * 1_000_000;
            let tuning = &mut self.tuning;
            tuning.rtt = if tuning.rtt == 0 { sample } else { smoothed(tuning.rtt, sample) };
            tuning.has_echo = true;
        }
    }

    /// Data was read: the buffer grows to twice what is read in a round trip, and more while that
    /// grows.
    pub(super) fn adapt_to_reader(&mut self) {
        let read = self.nxt.plus(self.data.len().wrapping_neg());
        let now = self.acks.last_data();
        let tuning = &mut self.tuning;
        if tuning.rtt == 0 || now.saturating_sub(tuning.since) < tuning.rtt {
            return;
        }
        let copied = read.0.wrapping_sub(tuning.read);
        if tuning.read != 0 && copied > tuning.space && copied < 1 << 30 {
            let base = 2 * u64::from(copied) + 16 * u64::from(self.advertised_mss);
            let grown = base * u64::from(copied - tuning.space) / u64::from(tuning.space);
            self.capacity.grow(base.saturating_add(2 * grown));
            tuning.space = copied;
        }
        (tuning.read, tuning.since) = (read.0, now);
    }
}
