//! What passes between an engine and whoever drives it.

use super::limits::RtoBounds;
use super::shared::Shared;
use super::state::TcpState;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::{FourTuple, Seq, SynOptions, Timestamps};

/// Where what an engine says goes.
pub(crate) trait Out {
    /// The ends of the connection.
    fn tuple(&self) -> &FourTuple;

    /// Where buffers are taken from.
    fn pool(&mut self) -> &mut FramePool;

    /// An IP packet leaves, no larger than the path MTU.
    fn send(&mut self, packet: FrameBuffer, retransmission: bool);

    /// The connection has gone from one state to another; what was sent before was sent before.
    fn state_changed(&mut self, from: TcpState, to: TcpState);

    /// Something has happened that hosts count.
    fn count(&mut self, event: Counted);
}

/// What of an engine is counted for its host, beside segments and changes of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// The peer has not answered for too long (Linux's `TCPAbortOnTimeout`).
    TimedOut,
    /// RFC 5961 7.
    ChallengeAck,
    KeepAliveProbe,
}

/// What an engine is called with.
pub(crate) struct Env<'a, O> {
    pub(crate) now: u64,
    pub(crate) shared: &'a mut Shared,
    pub(crate) out: &'a mut O,
}

/// A handshake that a peer has begun, and that was kept without an engine: what its SYN said, and
/// with what that was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshake {
    /// The initial sequence numbers: our own, and the peer's.
    pub(crate) iss: Seq,
    pub(crate) irs: Seq,
    /// The SYN's.
    pub(crate) window: u16,
    pub(crate) offer: SynOptions,
    pub(crate) asks_for_ecn: bool,
    /// Nothing was kept of it: it is what a cookie says, and when the SYN-ACK left is not known.
    pub(crate) is_cookie: bool,
    /// When the SYN-ACK left, and how many times again.
    pub(crate) began: u64,
    pub(crate) retransmissions: u32,
}

impl Handshake {
    /// When the SYN-ACK leaves for the `number`th time after the first: the timeout doubles from the
    /// first to the longest (RFC 6298; Linux's `tcp_timeout_init` and `TCP_RTO_MAX`).
    pub(crate) fn sent_at(&self, number: u32, timeouts: &RtoBounds) -> u64 {
        let longest = u64::from(timeouts.max);
        let (mut timeout, mut waited, mut left) = (u64::from(timeouts.initial), 0, number);
        while left > 0 && timeout < longest {
            waited += timeout;
            (timeout, left) = (2 * timeout, left - 1);
        }
        let waited = waited + u64::from(left) * longest;
        self.began.saturating_add(waited.saturating_mul(1_000))
    }

    /// When its timer fires next: to send the SYN-ACK again, or to give up.
    pub(crate) fn deadline(&self, timeouts: &RtoBounds) -> u64 {
        self.sent_at(self.retransmissions + 1, timeouts)
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    pub(crate) state: TcpState,
    /// The initial sequence numbers: our own, and the peer's once heard.
    pub(crate) iss: Seq,
    pub(crate) irs: Seq,
    pub(crate) snd_una: Seq,
    /// The number after the last one sent (SND.MAX where an engine goes back).
    pub(crate) snd_nxt: Seq,
    pub(crate) rcv_nxt: Seq,
    pub(crate) timestamps: Option<TimestampState>,
    /// The window for an acknowledgment that the host sends itself, as on the wire.
    pub(crate) window: u16,
    /// Bytes written that are not acknowledged.
    pub(crate) send_queue: u32,
    /// Bytes received that are not read.
    pub(crate) recv_queue: u32,
}

/// How long a timestamp counts, in nanoseconds: 24 days (RFC 7323 5.5).
const TIMESTAMP_LIFE: u64 = 24 * 86_400 * 1_000_000_000;

/// The timestamps of a connection whose ends both have them (RFC 7323).
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimestampState {
    /// What our clock, which counts milliseconds, is ahead of the world's.
    pub(crate) offset: u32,
    /// The peer's last (TS.Recent), and when it came.
    pub(crate) recent: u32,
    pub(crate) recent_at: u64,
}

impl TimestampState {
    /// Those of a segment that leaves now.
    pub(crate) fn now(&self, now: u64) -> Timestamps {
        let value = ((now / 1_000_000) as u32).wrapping_add(self.offset);
        Timestamps { value, echo: self.recent }
    }

    /// A segment with this value is old (RFC 7323 5.3: PAWS).
    pub(crate) fn is_old(&self, now: u64, value: u32) -> bool {
        Seq(value).is_before(Seq(self.recent))
            && now.saturating_sub(self.recent_at) < TIMESTAMP_LIFE
    }
}

/// A timer of an engine that is known from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A retransmission, or a tail loss probe, is due; so many timeouts came before it.
    Retransmission { at: u64, retransmits: u32 },
    /// A window probe is, after so many that were not answered.
    WindowProbe { at: u64, probes: u32 },
    /// The next keep-alive probe is due, after so many that were not answered.
    KeepAlive { at: u64, probes: u32 },
    /// The connection waits for the peer's FIN no longer.
    FinWait2 { at: u64 },
}

/// What an engine did with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Accepted,
    /// It was not for this connection's engine, and is dealt with.
    Ignored,
    /// Nobody is left to read its data: the connection has ended, and a RST is due.
    Refused,
}

/// How much of a write was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) asked: usize,
    pub(crate) taken: usize,
    /// Nothing was queued before.
    pub(crate) was_empty: bool,
}

impl Status {
    /// Whether a segment with this number may be in flight: who does not know has not seen the
    /// connection (RFC 5927 4.1).
    pub(crate) fn is_in_flight(&self, seq: Option<Seq>) -> bool {
        seq.is_none_or(|seq| !seq.is_before(self.snd_una) && !seq.is_after(self.snd_nxt))
    }
}
