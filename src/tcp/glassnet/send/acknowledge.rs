//! What an ACK means to the sender (RFC 9293 3.10.7.4, fifth step). The one that acknowledges what
//! is next, while nothing is amiss, goes the short way.

use super::{Phase, Sender};
use crate::tcp::glassnet::flight::Sent;
use crate::tcp::glassnet::options::Block;
use crate::tcp::glassnet::ring::Memory;
use crate::wire::tcp::Seq;

/// What a segment says to the sender.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp::glassnet) struct Acknowledgment<'a> {
    pub(in crate::tcp::glassnet) ack: Seq,
    /// The segment's own number.
    pub(in crate::tcp::glassnet) seq: Seq,
    /// Scaled.
    pub(in crate::tcp::glassnet) window: u32,
    /// It carries data.
    pub(in crate::tcp::glassnet) is_data: bool,
    /// What it echoes of our timestamps.
    pub(in crate::tcp::glassnet) echo: Option<u32>,
    pub(in crate::tcp::glassnet) sacks: &'a [Block],
    /// It says that a router saw congestion (RFC 3168).
    pub(in crate::tcp::glassnet) ece: bool,
}

/// What an ACK is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp::glassnet) enum Verdict {
    Accepted,
    /// It acknowledges what was never sent.
    Unsent,
    /// It is older than anything that may be on its way (RFC 5961 section 5).
    TooOld,
}

/// What has been learnt from an ACK.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// SND.UNA has moved.
    pub(super) is_progress: bool,
    /// Whole segments were acknowledged.
    pub(super) acked: u32,
    /// Segments were SACKed.
    pub(super) is_sack: bool,
    /// What was sent once, before the phase began, has arrived.
    pub(super) original_arrived: bool,
    /// A retransmission was acknowledged.
    pub(super) retransmission_acked: bool,
    pub(super) is_window_update: bool,
    pub(super) is_data: bool,
    pub(super) is_dsack: bool,
    /// Of a tail loss probe.
    pub(super) is_dsack_of_probe: bool,
    pub(super) ece: bool,
    /// A retransmission was lost.
    pub(super) retransmission_lost: bool,
    pub(super) restarts_timer: bool,
    /// The first segment was SACKed, and then not acknowledged.
    pub(super) is_reneged: bool,
    pub(super) echo: Option<u32>,
    /// When the first and the last of the segments that were SACKed now, and were sent once, left.
    pub(super) sacked_at: Option<(u64, u64)>,
    /// Where the lowest segment begins that arrived after later ones.
    pub(super) reordered: Option<Seq>,
}

impl Facts {
    /// Another segment arrived after later ones.
    pub(super) fn note_reordered(&mut self, start: Seq) {
        if self.reordered.is_none_or(|lowest| start.is_before(lowest)) {
            self.reordered = Some(start);
        }
    }

    /// It says nothing but that something has arrived.
    fn is_duplicate(&self) -> bool {
        !self.is_progress && !self.is_data && !self.is_window_update && self.acked == 0
    }
}

impl Sender {
    #[inline]
    pub(in crate::tcp::glassnet) fn acknowledge(
        &mut self,
        memory: &mut Memory,
        now: u64,
        ack: &Acknowledgment<'_>,
    ) -> Verdict {
        let advance = ack.ack.ahead_of(self.una);
        let is_plain = self.phase == Phase::Open
            && advance >= 0
            && ack.sacks.is_empty()
            && !ack.ece
            && self.flight.is_plain()
            && self.probe.is_none()
            && !ack.ack.is_after(self.nxt);
        if is_plain && advance > 0 {
            self.acknowledge_plainly(memory, now, ack);
        } else if is_plain && if self.flight.is_empty() { !self.has_unsent() } else { ack.is_data }
        {
            self.update_window(ack);
            self.window_probes = 0;
        } else {
            return self.acknowledge_carefully(memory, now, ack);
        }
        Verdict::Accepted
    }

    /// Everything was sent once, and some of it is acknowledged.
    #[inline]
    fn acknowledge_plainly(&mut self, memory: &mut Memory, now: u64, ack: &Acknowledgment<'_>) {
        let before = self.flight.packets();
        let (mut first, mut last, mut is_sampled) = (None, None, true);
        self.flight.acknowledge(ack.ack, |_, sent| {
            first = first.or(Some(sent.at));
            last = Some(*sent);
            is_sampled &= !sent.was_retransmitted();
        });
        let acked = before - self.flight.packets();
        self.update_window(ack);
        self.advance(memory, now, ack.ack);
        if let (Some(first), Some(last)) = (first, last) {
            self.rack.advance(now, &last, self.round_trip.min());
            if is_sampled {
                self.sample(now, micros(now - first), micros(now - last.at));
            } else {
                self.sample_echo(now, ack.echo);
            }
            self.delivered = self.delivered.wrapping_add(acked);
            self.rate.deliver(now, self.una, self.delivered, self.round_trip.min());
            if self.is_window_limited() {
                self.congestion.grow(now, acked);
            }
        }
        self.restart_timer(now);
    }

    /// SND.UNA moves.
    #[inline]
    fn advance(&mut self, memory: &mut Memory, now: u64, ack: Seq) {
        let bytes = ack.ahead_of(self.una).cast_unsigned().min(self.data.len());
        self.data.consume(memory, bytes, true);
        self.bytes_acked += u64::from(ack.ahead_of(self.una).cast_unsigned());
        self.una = ack;
        (self.retries, self.window_probes) = (0, 0);
        self.owed_since = now;
    }

    /// Takes note of the window (RFC 9293 3.10.7.4, with RFC 1122 4.2.2.20 (g)); true if it may
    /// have changed.
    #[inline]
    fn update_window(&mut self, ack: &Acknowledgment<'_>) -> bool {
        let is_newer = ack.ack.is_after(self.una)
            || ack.seq.is_after(self.window_seq)
            || (ack.seq == self.window_seq && (ack.window > self.window || ack.window == 0));
        if is_newer {
            self.window_seq = ack.seq;
            if ack.window != self.window {
                self.window = ack.window;
                self.max_window = self.max_window.max(ack.window);
            }
        }
        is_newer
    }

    /// Takes in round-trip times in microseconds: of the first segment that was acknowledged, and of
    /// the last.
    #[inline]
    fn sample(&mut self, now: u64, rtt: u32, latest: u32) {
        self.round_trip.note_min(now, latest);
        if self.round_trip.sample(rtt, self.una.is_after(self.round_end)) {
            self.round_end = self.nxt;
        }
        self.congestion.sample(now, latest, self.una, self.nxt);
    }

    /// The same of what timestamps say, in milliseconds (RFC 7323 section 4).
    fn sample_echo(&mut self, now: u64, echo: Option<u32>) {
        let Some(echo) = echo.filter(|_| self.has_timestamps) else { return };
        let elapsed = self.timestamp(now).wrapping_sub(echo);
        if elapsed < 1 << 21 {
            let rtt = elapsed.max(1) * 1_000;
            self.sample(now, rtt, rtt);
        }
    }

    /// Whether the window was what held the sender: else it has no reason to grow.
    #[inline]
    pub(super) fn is_window_limited(&self) -> bool {
        self.usage.is_limited
            || (self.congestion.in_slow_start() && self.cwnd() / 2 < self.usage.most)
    }

    // ---- When something is amiss ------------------------------------------------------------

    #[inline(never)]
    fn acknowledge_carefully(
        &mut self,
        memory: &mut Memory,
        now: u64,
        ack: &Acknowledgment<'_>,
    ) -> Verdict {
        if ack.ack.is_after(self.nxt) {
            return Verdict::Unsent;
        }
        let prior = self.una;
        let mut facts = Facts {
            is_data: ack.is_data,
            ece: ack.ece,
            echo: ack.echo.filter(|_| self.has_timestamps),
            ..Facts::default()
        };
        let (delivered, losses) = (self.delivered, self.flight.losses());
        let highest = self.flight.highest_sacked();
        if ack.ack.is_before(prior) {
            if prior.ahead_of(ack.ack).cast_unsigned() > self.max_window {
                return Verdict::TooOld;
            }
            // It says nothing of windows, but may say what has arrived.
            if !ack.sacks.is_empty() && !self.flight.is_empty() {
                self.take_sacks(now, ack, &mut facts);
                self.alert(now, prior, 0, &mut facts);
                self.adapt_window(now, &facts, delivered, losses);
            }
            return Verdict::Accepted;
        }
        let was_empty = self.flight.is_empty();
        facts.is_progress = ack.ack != prior;
        facts.is_window_update = self.update_window(ack);
        self.window_probes = 0;
        if !ack.sacks.is_empty() {
            self.take_sacks(now, ack, &mut facts);
        }
        if was_empty {
            if facts.is_dsack {
                self.alert(now, prior, 0, &mut facts);
            }
            self.on_probe_answer(now);
            return Verdict::Accepted;
        }
        self.clear_acknowledged(memory, now, ack.ack, highest, &mut facts);
        self.rack.adapt(self.una, self.nxt);
        if self.probe.is_some() {
            self.on_probe_acknowledged(&facts);
        }
        let is_dubious = facts.is_duplicate()
            || facts.is_sack
            || facts.is_dsack
            || facts.ece
            || self.phase != Phase::Open;
        if is_dubious {
            let duplicates = u32::from(facts.is_duplicate() && !facts.is_dsack);
            self.alert(now, prior, duplicates, &mut facts);
        }
        if facts.restarts_timer {
            self.restart_timer(now);
        }
        self.adapt_window(now, &facts, delivered, losses);
        Verdict::Accepted
    }

    /// Takes what is acknowledged out of the flight.
    fn clear_acknowledged(
        &mut self,
        memory: &mut Memory,
        now: u64,
        ack: Seq,
        highest: Seq,
        facts: &mut Facts,
    ) {
        let (mut first, mut last) = (None, now);
        let (high, has_sack, min_rtt) = (self.high, self.has_sack, self.round_trip.min());
        let offset = self.timestamp_offset;
        let echo = facts.echo;
        let is_spurious = |sent: &Sent| {
            let left = ((sent.at / 1_000_000) as u32).wrapping_add(offset);
            sent.was_retransmitted() && echo.is_some_and(|echo| Seq(echo).is_before(Seq(left)))
        };
        let Sender { flight, rack, delivered, .. } = self;
        let mut reordered = None;
        flight.acknowledge(ack, |start, sent| {
            facts.acked += 1;
            if sent.was_retransmitted() {
                facts.retransmission_acked = true;
            } else if !sent.is_sacked() {
                first = first.or(Some(sent.at));
                last = sent.at;
                reordered = reordered.or(Some(start));
                facts.original_arrived |= !sent.end.is_after(high);
            }
            if has_sack && !sent.is_sacked() {
                *delivered = delivered.wrapping_add(1);
                if !is_spurious(sent) {
                    rack.advance(now, sent, min_rtt);
                }
            }
        });
        if facts.is_progress {
            self.advance(memory, now, ack);
            facts.is_reneged = self.has_sack && self.flight.is_reneged();
        }
        let is_updated = self.sample_carefully(now, facts, first, last);
        if facts.acked > 0 {
            facts.restarts_timer = true;
            if !self.has_sack {
                self.forget_duplicates(facts.acked);
            } else if let Some(start) = reordered
                && start.is_before(highest)
            {
                self.note_reordering(start);
            }
        } else if is_updated
            && let (Some((first_sacked, _)), Some(head)) = (facts.sacked_at, self.flight.first())
        {
            // What was sent after the first segment has arrived: the first one's time goes on.
            facts.restarts_timer |= now - first_sacked > now - head.at;
        }
        facts.restarts_timer |= facts.is_progress;
    }

    /// Takes in what round-trip times an ACK gives; true if it gives any.
    fn sample_carefully(&mut self, now: u64, facts: &Facts, first: Option<u64>, last: u64) -> bool {
        let acknowledged = first.filter(|_| !facts.retransmission_acked).map(|first| (first, last));
        if let Some((first, last)) = acknowledged.or(facts.sacked_at) {
            self.sample(now, micros(now - first), micros(now - last));
            return true;
        }
        if facts.acked > 0 && facts.echo.is_some() {
            self.sample_echo(now, facts.echo);
            return true;
        }
        false
    }

    /// The window shrinks or grows with what has arrived.
    fn adapt_window(&mut self, now: u64, facts: &Facts, delivered: u32, losses: u32) {
        let arrived = self.delivered.wrapping_sub(delivered);
        if arrived > 0 {
            self.rate.deliver(now, self.una, self.delivered, self.round_trip.min());
        }
        if matches!(self.phase, Phase::Reducing | Phase::Recovery) {
            let is_clean = facts.is_progress && self.flight.losses() == losses;
            self.reduce(arrived, is_clean);
        } else {
            let grows = if self.reordering > super::DUPLICATE_THRESHOLD {
                facts.acked > 0 || facts.is_sack
            } else {
                facts.acked > 0
            };
            if grows && arrived > 0 && self.is_window_limited() {
                self.congestion.grow(now, arrived);
            }
        }
    }
}

/// Nanoseconds in microseconds.
fn micros(nanos: u64) -> u32 {
    (nanos / 1_000).min(u64::from(u32::MAX)) as u32
}
