//! What an engine remembers beside its socket.

use crate::tcp::state::TcpState;
use crate::time::When;
use crate::wire::tcp::Seq;

/// Where a connection stands in the two sequence spaces (RFC 9293 3.3.1).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequences {
    pub(super) iss: Seq,
    pub(super) snd_max: Seq,
    /// The sequence number of our FIN, once sent.
    pub(super) fin: Option<Seq>,
    pub(super) irs: Seq,
    /// The last acknowledgment and window sent.
    pub(super) ack_sent: Seq,
    pub(super) window_sent: u16,
    /// It was sent with a SYN, and so is not scaled (RFC 7323 2.2).
    pub(super) window_of_syn: bool,
    /// The last window received, not scaled.
    pub(super) peer_window: u16,
    /// It came with a SYN, and so is not scaled.
    pub(super) peer_window_of_syn: bool,
    /// How far the peer's windows are shifted.
    pub(super) peer_scale: u8,
    /// The end of what has probed a zero window: the peer may have taken it.
    pub(super) probed: Option<Seq>,
    /// Bytes the application has written and read.
    pub(super) written: u32,
    pub(super) read: u32,
    pub(super) syn_sent: bool,
}

impl Sequences {
    /// SND.WND, in bytes.
    pub(super) fn send_window(&self) -> u32 {
        let scale = if self.peer_window_of_syn { 0 } else { self.peer_scale };
        u32::from(self.peer_window) << scale
    }

    /// The highest number that the peer may acknowledge.
    pub(super) fn highest_sent(&self) -> Seq {
        self.probed.map_or(self.snd_max, |probed| probed.later(self.snd_max))
    }
}

/// What a socket has sent in one turn of its own accord.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Emitted {
    pub(super) payload: u32,
    /// Segments that said nothing new.
    pub(super) idle: u32,
}

/// What a connection remembers for its keep-alive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeepAlive {
    /// When the peer was last heard of, or keep-alive switched on if that was later.
    pub(super) heard_at: u64,
    /// Probes sent since then, and when the last was.
    pub(super) probes: u32,
    pub(super) probed_at: u64,
}

impl KeepAlive {
    /// It was switched on.
    pub(super) fn begin(&mut self, now: u64) {
        self.heard(now);
    }

    /// A segment of the peer's arrived.
    pub(super) fn heard(&mut self, now: u64) {
        self.heard_at = now;
        self.probes = 0;
    }
}

/// How far the close of a connection in CLOSE-WAIT has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum KeptFin {
    /// It is not closed, or the socket knows of it.
    #[default]
    No,
    /// The socket does not know that it is closed.
    Kept,
    /// The socket does not know, and the peer has acknowledged the FIN and all before it.
    Acknowledged,
    /// The socket knows, and its first FIN is only to set its timer: one has left already.
    Repeated,
}

impl KeptFin {
    /// The state of a connection whose socket is in `state`.
    pub(super) fn state(self, state: TcpState) -> TcpState {
        match (self, state) {
            (KeptFin::Kept, TcpState::CloseWait) => TcpState::LastAck,
            (KeptFin::Acknowledged, TcpState::CloseWait) => TcpState::Closed,
            _ => state,
        }
    }
}

/// The first wait, and the longest, in nanoseconds: the socket's own for a retransmission.
const MIN_WAIT: u64 = 1_000_000_000;
const MAX_WAIT: u64 = 60 * MIN_WAIT;

/// Watches over a connection whose socket has no timer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watchdog {
    pub(super) fires_at: When,
    /// How many times it has fired since anything was acknowledged.
    pub(super) fired: u32,
}

impl Watchdog {
    pub(super) fn fires_at(&self) -> When {
        self.fires_at
    }

    pub(super) fn has_asked(&self) -> bool {
        self.fired > 0
    }

    /// The peer acknowledged something new.
    pub(super) fn rest(&mut self) {
        *self = Watchdog::default();
    }

    pub(super) fn arm(&mut self, now: u64) {
        let wait = (MIN_WAIT << self.fired.min(6)).min(MAX_WAIT);
        self.fires_at.get_or_insert(now.saturating_add(wait));
    }
}
