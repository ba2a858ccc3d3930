//! The sending half of a connection: what was written, what of it is in flight, and what lets more
//! go (RFC 9293 3.3.1's SND variables, 3.8).

mod acknowledge;
mod chronograph;
mod info;
mod output;
mod rate;
mod recovery;
mod sack;
mod seldom;
mod timer;
mod timers;

use super::congestion::{Congestion, INFINITE};
use super::flight::Flight;
use super::options::{Block, MAX_SACKS, TIMESTAMPS_LEN};
use super::rack::Rack;
use super::ring::{Memory, Ring};
use super::rtt::RoundTrip;
use crate::clock::When;
use crate::tcp::boundary::Handshake;
use crate::tcp::limits::Limits;
use crate::tcp::options::CongestionControl;
use crate::wire::tcp::Seq;

pub(super) use acknowledge::{Acknowledgment, Verdict};
use chronograph::Chronograph;
pub(super) use output::{Outgoing, Pace};
use rate::Rate;
use seldom::Seldom;
pub(super) use timer::Fired;
use timer::Timer;

/// The MSS of a peer that does not say (RFC 9293 3.7.1).
pub(super) const DEFAULT_MSS: u32 = 536;
/// No peer has less room than this, whatever it says (Linux's `tcp_min_snd_mss`).
const MIN_MSS: u32 = 48;
/// Segments by which others may overtake one before it is lost (RFC 5681 3.2, RFC 6675).
const DUPLICATE_THRESHOLD: u32 = 3;

/// What the sender makes of its losses: Linux's `tcp_ca_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nothing is amiss.
    Open,
    /// Something was SACKed, or there were duplicate ACKs.
    Disorder,
    /// The window is being reduced without a loss.
    Reducing,
    /// Fast recovery (RFC 5681 3.2, RFC 6675 section 5).
    Recovery,
    /// After a timeout.
    Loss,
}

/// What may leave in answer to an ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Release {
    /// What is new, if the window has room.
    New,
    /// First what is lost.
    Lost,
    /// What is new, without regard to Nagle's algorithm, to see whether a timeout was spurious
    /// (RFC 5682).
    Probing,
}

/// What a reduction that turns out to be unfounded is undone by.
#[derive(Clone, Copy, Debug, Default)]
struct Undo {
    /// SND.UNA when it began.
    marker: Option<Seq>,
    /// Retransmissions that no DSACK speaks of; negative when not all can be accounted for.
    retransmissions: i32,
    /// The threshold before; 0 when it must not come back.
    threshold: u32,
    window: u32,
}

/// Proportional rate reduction (RFC 9937).
#[derive(Clone, Copy, Debug, Default)]
struct Reduction {
    delivered: u32,
    out: u32,
    /// The window when it began.
    window: u32,
}

/// How much of the window the application uses (RFC 7661's concern, Linux's `is_cwnd_limited`).
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    is_limited: bool,
    most: u32,
    round_end: Seq,
    used: u32,
    since: u64,
}

/// The sending half of a connection.
pub(super) struct Sender {
    una: Seq,
    nxt: Seq,
    /// The number after the last byte written, which the FIN has.
    written: Seq,
    is_closed: bool,
    data: Ring,

    window: u32,
    /// The sequence number of the segment that last changed it.
    window_seq: Seq,
    max_window: u32,
    scale: u8,
    peer_scales: bool,

    /// Bytes of payload of a full segment, beside timestamps.
    mss: u32,
    peer_mss: u32,
    has_timestamps: bool,
    has_sack: bool,
    /// The end of the last segment that was not full (Minshall).
    small: Seq,
    /// The end of the last segment with PSH.
    pushed: Seq,

    flight: Flight,
    round_trip: RoundTrip,
    round_end: Seq,
    congestion: Congestion,
    initial_window: u32,
    initial_window_bytes: u32,
    /// After a time without anything in flight the window begins again (RFC 5681 4.1).
    restarts_slowly: bool,
    has_tail_loss_probe: bool,
    usage: Usage,

    phase: Phase,
    release: Release,
    /// SND.NXT when the phase began.
    high: Seq,
    undo: Undo,
    reduction: Reduction,
    /// The window was reduced, and the peer does not know (RFC 3168 6.1.2).
    has_reduced: bool,
    /// A timeout may have been spurious (RFC 5682).
    is_doubted: bool,
    /// When the first retransmission of this recovery left; 0 when none has.
    retransmitted_at: u64,
    reordering: u32,
    reordering_seen: bool,
    rack: Rack,
    /// SND.NXT when a tail loss probe left, and whether it was a retransmission.
    probe: Option<Seq>,
    probe_repeats: bool,
    /// The blocks of the last ACK.
    known_sacks: [Block; MAX_SACKS],
    delivered: u32,

    timer: Timer,
    /// Timeouts in a row.
    retries: u32,
    /// Window probes that were not answered, and how often the time between them doubled.
    window_probes: u32,
    backoff: u32,
    /// Since when the peer owes an acknowledgment.
    owed_since: u64,
    last_sent: u64,
    /// It is known when the SYN, or SYN-ACK, left.
    has_syn_time: bool,
    /// Segments sent again so far.
    retransmissions: u32,
    timestamp_offset: u32,

    /// Bytes acknowledged so far, a SYN of ours and the FIN as one each.
    bytes_acked: u64,
    /// The peer's window held something back in this turn.
    is_held_by_window: bool,
    /// The last write found too little room.
    wants_room: bool,
    chronograph: Chronograph,
    rate: Rate,
    seldom: Seldom,
}

/// What the handshake has agreed on for the sender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreement {
    pub(super) peer_mss: u32,
    /// The shift of the peer's windows, if it scales them.
    pub(super) scale: Option<u8>,
    pub(super) has_timestamps: bool,
    pub(super) has_sack: bool,
}

impl Sender {
    pub(super) fn new(
        iss: Seq,
        control: CongestionControl,
        limits: &Limits,
        timestamp_offset: u32,
    ) -> Sender {
        Sender {
            una: iss,
            nxt: iss,
            written: iss.plus(1),
            is_closed: false,
            data: Ring::default(),
            window: 0,
            window_seq: Seq::default(),
            max_window: 0,
            scale: 0,
            peer_scales: false,
            mss: DEFAULT_MSS,
            peer_mss: DEFAULT_MSS,
            has_timestamps: false,
            has_sack: false,
            small: iss,
            pushed: iss,
            flight: Flight::default(),
            round_trip: RoundTrip::new(limits.rto),
            round_end: iss,
            congestion: Congestion::new(control, limits.initial_window),
            initial_window: limits.initial_window,
            initial_window_bytes: limits.initial_window_bytes,
            restarts_slowly: limits.slow_start_after_idle,
            has_tail_loss_probe: limits.tail_loss_probe,
            usage: Usage { round_end: iss, ..Usage::default() },
            phase: Phase::Open,
            release: Release::New,
            high: iss,
            undo: Undo::default(),
            reduction: Reduction::default(),
            has_reduced: false,
            is_doubted: false,
            retransmitted_at: 0,
            reordering: DUPLICATE_THRESHOLD,
            reordering_seen: false,
            rack: Rack::new(iss),
            probe: None,
            probe_repeats: false,
            known_sacks: [(iss, iss); MAX_SACKS],
            delivered: 0,
            timer: Timer::default(),
            retries: 0,
            window_probes: 0,
            backoff: 0,
            owed_since: 0,
            last_sent: 0,
            has_syn_time: true,
            retransmissions: 0,
            timestamp_offset,
            bytes_acked: 0,
            is_held_by_window: false,
            wants_room: false,
            chronograph: Chronograph::default(),
            rate: Rate::default(),
            seldom: Seldom::default(),
        }
    }

    // ---- The handshake ----------------------------------------------------------------------

    /// The SYN has left, or leaves again.
    pub(super) fn send_syn(&mut self, now: u64) {
        if self.nxt == self.una {
            self.nxt = self.una.plus(1);
            self.owed_since = now;
        } else {
            self.retransmissions += 1;
        }
        self.last_sent = now;
    }

    /// A SYN-ACK left without us.
    pub(super) fn take_over(&mut self, handshake: &Handshake) {
        let Handshake { iss, began, retransmissions, is_cookie, .. } = *handshake;
        self.has_syn_time = !is_cookie;
        (self.una, self.nxt, self.written) = (iss, iss.plus(1), iss.plus(1));
        (self.last_sent, self.owed_since, self.retries) = (began, began, retransmissions);
        self.retransmissions = retransmissions;
        for _ in 0..retransmissions.min(32) {
            self.round_trip.back_off();
        }
        self.time_syn(began.saturating_add(self.rto()));
    }

    /// What the SYNs say.
    pub(super) fn agree(&mut self, agreement: Agreement, payload_of_path: u32) {
        let Agreement { peer_mss, scale, has_timestamps, has_sack } = agreement;
        (self.scale, self.peer_scales) = (scale.unwrap_or(0), scale.is_some());
        (self.has_timestamps, self.has_sack) = (has_timestamps, has_sack);
        self.peer_mss = peer_mss.max(MIN_MSS);
        self.set_path(payload_of_path);
        self.initial_window =
            self.initial_window.min((self.initial_window_bytes / self.mss).max(2));
        self.congestion.set_window(self.initial_window);
    }

    /// Our SYN is acknowledged. `rtt` is how long that took in nanoseconds, where it is known, and
    /// `syn_retries` how often it was sent again.
    pub(super) fn establish(&mut self, now: u64, rtt: Option<u64>, syn_retries: u32) {
        self.una = self.nxt;
        let start = self.una;
        self.flight.begin(start);
        self.rack = Rack::new(start);
        self.known_sacks = [(start, start); MAX_SACKS];
        (self.high, self.small, self.pushed) = (start, start, start);
        (self.round_end, self.usage.round_end) = (start, start);
        self.usage.since = now;
        (self.retries, self.timer) = (0, Timer::default());
        self.delivered = 1;
        self.last_sent = now;
        if let Some(rtt) = rtt {
            let rtt = (rtt / 1_000).min(u64::from(u32::MAX)) as u32;
            self.round_trip.sample(rtt, true);
            self.round_trip.note_min(now, rtt);
        }
        // RFC 5681 3.1: more than one SYN was lost.
        if syn_retries > 1 {
            self.congestion.set_window(1);
        }
        self.congestion.begin(now, start);
    }

    /// A connection that was opened from here counts its SYN as a byte, as Linux does.
    pub(super) fn count_syn(&mut self) {
        self.bytes_acked += 1;
    }

    /// The window of the SYN-ACK, or of the ACK that ends the handshake.
    pub(super) fn set_window(&mut self, window: u32, seq: Seq) {
        self.window = window;
        self.max_window = self.max_window.max(window);
        self.window_seq = seq;
    }

    /// Bytes of payload that fit into a packet on the path, before options.
    pub(super) fn set_path(&mut self, payload_of_path: u32) {
        let timestamps = if self.has_timestamps { TIMESTAMPS_LEN } else { 0 };
        self.mss = self.peer_mss.min(payload_of_path).saturating_sub(timestamps).max(1);
    }

    /// A router dropped what was larger than the path takes, which is known by now: it leaves again
    /// (RFC 1191 6.5).
    pub(super) fn resize(&mut self) {
        self.flight.mark_larger_lost(self.mss);
        self.retransmit_for_path();
    }

    // ---- What is written --------------------------------------------------------------------

    /// Takes bytes to be sent, `room` at most; returns how many were there and how many it took.
    #[inline]
    pub(super) fn write<'b>(
        &mut self,
        memory: &mut Memory,
        buffers: impl Iterator<Item = &'b [u8]>,
        room: u32,
    ) -> (usize, usize) {
        let (mut asked, mut left) = (0, room as usize);
        for buffer in buffers {
            asked += buffer.len();
            let taken = buffer.len().min(left);
            self.data.push(memory, &buffer[..taken]);
            left -= taken;
        }
        let taken = room as usize - left;
        self.written = self.written.plus(taken as u32);
        self.wants_room = taken < asked;
        (asked, taken)
    }

    /// Nothing more will be written: a FIN follows.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Gives its memory back.
    pub(super) fn release_memory(&mut self, memory: &mut Memory) {
        self.data.release(memory);
    }

    pub(super) fn set_control(&mut self, now: u64, control: CongestionControl) {
        self.congestion.set_control(now, control, self.nxt);
    }

    // ---- What is known of it ----------------------------------------------------------------

    #[inline]
    pub(super) fn una(&self) -> Seq {
        self.una
    }

    #[inline]
    pub(super) fn nxt(&self) -> Seq {
        self.nxt
    }

    #[inline]
    pub(super) fn scale(&self) -> u8 {
        self.scale
    }

    /// Bytes written that are not acknowledged.
    #[inline]
    pub(super) fn queued(&self) -> u32 {
        self.data.len()
    }

    pub(super) fn has_sent_fin(&self) -> bool {
        self.is_closed && self.nxt.is_after(self.written)
    }

    #[inline]
    pub(super) fn is_fin_acknowledged(&self) -> bool {
        self.is_closed && self.una.is_after(self.written)
    }

    /// There is something that has not left.
    #[inline]
    pub(super) fn has_unsent(&self) -> bool {
        self.nxt != self.written.plus(u32::from(self.is_closed))
    }

    /// There is something that is not acknowledged.
    pub(super) fn has_anything(&self) -> bool {
        self.una != self.written.plus(u32::from(self.is_closed))
    }

    /// There may be something that leaves.
    #[inline]
    pub(super) fn has_work(&self) -> bool {
        self.has_unsent() || self.release != Release::New
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The congestion window, in segments. Without congestion control there is none, unless what was
    /// lost is sent again: that goes by what arrives, and not a window at a time.
    #[inline]
    fn cwnd(&self) -> u32 {
        if self.congestion.is_unlimited() && self.phase < Phase::Recovery {
            return INFINITE;
        }
        self.congestion.window()
    }

    /// The number of a segment without data: the next, unless the window was taken back.
    #[inline]
    pub(super) fn acceptable_seq(&self) -> Seq {
        let edge = self.una.plus(self.window);
        if edge.is_before(self.nxt) && self.window > 0 { edge } else { self.nxt }
    }

    /// The peer's SYN said that it scales windows.
    pub(super) fn peer_scales(&self) -> bool {
        self.peer_scales
    }

    /// The window was reduced since this was last asked.
    pub(super) fn take_reduced(&mut self) -> bool {
        std::mem::take(&mut self.has_reduced)
    }

    pub(super) fn knows_when_syn_left(&self) -> bool {
        self.has_syn_time
    }

    pub(super) fn last_sent(&self) -> u64 {
        self.last_sent
    }

    /// A buffer that holds the window twice, with what the kernel's memory takes for a segment
    /// (Linux's `tcp_sndbuf_expand`).
    pub(super) fn suitable_buffer(&self) -> u32 {
        let segments = self.cwnd().max(self.initial_window).min(1 << 18);
        let each = (self.mss + 640).next_power_of_two() + 256;
        (2 * segments).saturating_mul(each)
    }

    /// How often the time between window probes doubled.
    pub(super) fn backoff(&self) -> u32 {
        self.backoff
    }

    pub(super) fn rto(&self) -> u64 {
        self.round_trip.rto()
    }

    /// The smoothed round-trip time in nanoseconds.
    pub(super) fn smoothed_rtt(&self) -> Option<u64> {
        self.round_trip.smoothed().map(|rtt| u64::from(rtt) * 1_000)
    }

    /// SACK blocks that a segment may carry, so that no more than half of a small one is taken.
    pub(super) fn sacks_that_fit(&self) -> usize {
        let most = if self.has_timestamps { 3 } else { MAX_SACKS };
        most.min((self.mss / 2).saturating_sub(4) as usize / 8)
    }

    pub(super) fn has_sack(&self) -> bool {
        self.has_sack
    }

    /// The value of our timestamps clock, which counts milliseconds (RFC 7323 5.4).
    #[inline]
    pub(super) fn timestamp(&self, now: u64) -> u32 {
        ((now / 1_000_000) as u32).wrapping_add(self.timestamp_offset)
    }

    #[inline]
    pub(super) fn timer(&self) -> When {
        self.timer.at()
    }

    /// Since when the peer owes an acknowledgment, if it does.
    pub(super) fn owed_since(&self) -> Option<u64> {
        self.has_anything().then_some(self.owed_since)
    }
}
