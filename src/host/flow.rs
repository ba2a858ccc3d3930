//! One TCP connection of a host: the engine, and what the engine does not remember.

use super::engine::Engine;
use super::ip::NextHop;
use super::keep_alive::KeepAlive;
use super::last_ack::KeptFin;
use super::listener::ListenerId;
use super::options::HostOptions;
use super::repair;
use super::state::TcpState;
use super::tcp_options::TcpOptions;
use super::wakers::Wakers;
use super::watchdog::Watchdog;
use crate::error::Errno;
use crate::wire::frame::FrameBuffer;
use crate::wire::ip::IpFields;
use crate::wire::tcp::{FourTuple, Segment, Seq};

/// A connection of a host. An id is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// Who holds a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It is half-open, or waits in the accept queue.
    Listener(ListenerId),
    Application,
    /// The application closed it; what was written is still delivered.
    Nobody,
}

pub(crate) struct Flow {
    pub(crate) tuple: FourTuple,
    pub(crate) options: TcpOptions,
    pub(crate) engine: Engine,
    pub(crate) state: TcpState,
    pub(crate) owner: Owner,
    pub(crate) neighbor: Option<NextHop>,
    /// Largest IP packet that reaches the peer, as far as is known.
    pub(crate) path_mtu: usize,
    /// A SYN that the engine has handed over already.
    pub(crate) syn: Option<FrameBuffer>,
    pub(crate) sequences: Sequences,
    /// Why it ended, until a call has reported it.
    pub(crate) error: Option<Errno>,
    /// What a router said, which counts only if the connection times out (Linux's `sk_err_soft`).
    pub(crate) soft_error: Option<Errno>,
    /// It ended, or left a TIME-WAIT record behind: the engine is kept only for unread data.
    pub(crate) detached: bool,
    /// A close that waits for the handshake (repair F).
    pub(crate) close_pending: bool,
    /// A reset that waits until what was written before it, and may leave, has left.
    pub(crate) abort_pending: bool,
    pub(crate) sending_shut_down: bool,
    /// The peer's FIN has arrived, in order.
    pub(crate) fin_received: bool,
    /// `shutdown(SHUT_RD)`: reading does not wait any more.
    pub(crate) receiving_shut_down: bool,
    /// A write found too little room since there was last enough.
    pub(crate) write_blocked: bool,
    /// Unanswered retransmissions, probes and keep-alives in a row.
    pub(crate) retries: u32,
    retried_at: u64,
    /// When to give up, apart from counting retries.
    pub(crate) give_up_at: Option<u64>,
    /// Since when the peer owes an acknowledgment, counted from its last.
    pub(crate) unacknowledged_since: Option<u64>,
    pub(crate) keep_alive: KeepAlive,
    /// How long a close waits for the peer.
    pub(crate) linger_until: Option<u64>,
    /// What watches over an engine without a timer (repair C).
    pub(crate) watchdog: Watchdog,
    /// The FIN that the host sends while the engine has data unacknowledged (repair L).
    pub(crate) kept_fin: KeptFin,
    /// What the engine has sent in this turn of its own accord.
    pub(crate) emitted: Emitted,
    pub(crate) no_challenge_before: u64,
    pub(crate) readers: Wakers,
    pub(crate) writers: Wakers,
    /// What it has to send, or when, is not yet known.
    pub(crate) dirty: bool,
    /// It is in the host's list of those that are, or were, dirty.
    pub(crate) in_dirty_list: bool,
    /// When the engine, or the host on its behalf, wants a look.
    pub(crate) deadline: Option<u64>,
    /// What the host's heap holds for this flow: not after its deadline, so that one which only
    /// moves later, as it does with each acknowledgment, costs nothing.
    pub(crate) queued_deadline: Option<u64>,
}

/// Where a connection stands in the two sequence spaces (RFC 9293 3.3.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequences {
    pub(crate) iss: Seq,
    pub(crate) snd_max: Seq,
    /// The sequence number of our FIN, once sent.
    pub(crate) fin: Option<Seq>,
    pub(crate) irs: Seq,
    /// The last acknowledgment and window sent.
    pub(crate) ack_sent: Seq,
    pub(crate) window_sent: u16,
    /// It was sent with a SYN, and so is not scaled (RFC 7323 2.2).
    pub(crate) window_of_syn: bool,
    /// The last window received, not scaled.
    pub(crate) peer_window: u16,
    /// It came with a SYN, and so is not scaled.
    pub(crate) peer_window_of_syn: bool,
    /// How far the peer's windows are shifted.
    pub(crate) peer_scale: u8,
    /// The end of what has probed a zero window: the peer may have taken it.
    pub(crate) probed: Option<Seq>,
    /// Octets the application has written and read.
    pub(crate) written: u32,
    pub(crate) read: u32,
    syn_sent: bool,
}

impl Sequences {
    /// SND.WND, in bytes.
    pub(crate) fn send_window(&self) -> u32 {
        let scale = if self.peer_window_of_syn { 0 } else { self.peer_scale };
        u32::from(self.peer_window) << scale
    }

    /// The highest number that the peer may acknowledge.
    pub(crate) fn highest_sent(&self) -> Seq {
        self.probed.map_or(self.snd_max, |probed| probed.later(self.snd_max))
    }
}

/// What an engine has sent in one turn of its own accord.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Emitted {
    pub(crate) payload: u64,
    /// Segments that said nothing new.
    pub(crate) idle: u32,
}

/// Between two timeouts of one segment lies at least this, in nanoseconds.
const MIN_TIMEOUT: u64 = 900_000_000;

/// What to do with a segment that the engine wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    Send {
        seq: Seq,
        retransmission: bool,
    },
    /// The peer did not answer this often: the connection has timed out.
    GiveUp,
}

impl Flow {
    pub(crate) fn new(tuple: FourTuple, engine: Engine, owner: Owner, options: TcpOptions) -> Flow {
        Flow {
            tuple,
            options,
            engine,
            state: TcpState::Closed,
            owner,
            neighbor: None,
            path_mtu: usize::MAX,
            syn: None,
            sequences: Sequences::default(),
            error: None,
            soft_error: None,
            detached: false,
            close_pending: false,
            abort_pending: false,
            sending_shut_down: false,
            fin_received: false,
            receiving_shut_down: false,
            write_blocked: false,
            retries: 0,
            retried_at: 0,
            give_up_at: None,
            unacknowledged_since: None,
            keep_alive: KeepAlive::default(),
            linger_until: None,
            watchdog: Watchdog::default(),
            kept_fin: KeptFin::default(),
            emitted: Emitted::default(),
            no_challenge_before: 0,
            readers: Wakers::default(),
            writers: Wakers::default(),
            dirty: false,
            in_dirty_list: false,
            deadline: None,
            queued_deadline: None,
        }
    }

    /// SND.UNA as the engine has it.
    pub(crate) fn snd_una(&self) -> Seq {
        let Sequences { iss, written, fin, .. } = self.sequences;
        if self.state.is_opening() {
            return iss;
        }
        let acknowledged = written.wrapping_sub(self.send_queue());
        let fin_acknowledged = fin.is_some()
            && matches!(self.state, TcpState::FinWait2 | TcpState::TimeWait | TcpState::Closed);
        iss.plus(1).plus(acknowledged).plus(u32::from(fin_acknowledged))
    }

    /// RCV.NXT as the engine has it.
    pub(crate) fn rcv_nxt(&self) -> Seq {
        let Sequences { irs, read, .. } = self.sequences;
        let fin = u32::from(self.fin_received);
        irs.plus(1).plus(read).plus(self.recv_queue()).plus(fin)
    }

    /// Octets written that the peer has not acknowledged.
    pub(crate) fn send_queue(&self) -> u32 {
        self.engine.socket(|socket| socket.send_queue()) as u32
    }

    /// The engine is likely to have something to send: data, or a FIN, that never left.
    pub(crate) fn has_unsent(&self) -> bool {
        let Sequences { iss, snd_max, written, fin, .. } = self.sequences;
        snd_max.is_before(iss.plus(1).plus(written))
            || fin.is_none()
                && matches!(self.state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck)
    }

    /// Octets received that the application has not read.
    pub(crate) fn recv_queue(&self) -> u32 {
        self.engine.socket(|socket| socket.recv_queue()) as u32
    }

    /// What the headers of its packets carry.
    pub(crate) fn ip_fields(&self) -> IpFields {
        self.options.ip_fields(self.tuple.remote_addr)
    }

    /// The window for an acknowledgment that the host sends beside the engine: what was last
    /// advertised. After a SYN-ACK it is scaled as if the peer had agreed to scaling: less than
    /// there is does no harm.
    pub(crate) fn window_to_repeat(&self) -> u16 {
        let Sequences { window_sent, window_of_syn, .. } = self.sequences;
        if !window_of_syn {
            return window_sent;
        }
        let bits = u32::BITS - self.options.recv_buffer().leading_zeros();
        window_sent >> bits.saturating_sub(u16::BITS).min(14)
    }

    /// Room in the receive buffer.
    pub(crate) fn recv_room(&self) -> u32 {
        self.engine.socket(|socket| socket.recv_capacity() - socket.recv_queue()) as u32
    }

    /// Whether the send buffer takes anything.
    pub(crate) fn has_room_to_send(&self) -> bool {
        self.engine.socket(|socket| socket.send_queue() < socket.send_capacity())
    }

    /// Whether the receive window has grown so much since it was last advertised that the engine
    /// may want to tell. It does when the window has doubled; a scaled window is taken for
    /// smaller than it was, so that the engine is asked once too often rather than never.
    pub(crate) fn owes_window_update(&self) -> bool {
        !self.detached && self.recv_room() / 2 >= u32::from(self.sequences.window_sent)
    }

    /// The deadline, if the host's heap needs an entry for it: none there is as early.
    pub(crate) fn deadline_to_queue(&mut self) -> Option<u64> {
        let deadline = self.deadline?;
        if self.queued_deadline.is_some_and(|queued| queued <= deadline) {
            return None;
        }
        self.queued_deadline = Some(deadline);
        Some(deadline)
    }

    /// For the application there is no connection any more.
    pub(crate) fn is_over(&self) -> bool {
        self.detached || matches!(self.state, TcpState::Closed | TcpState::TimeWait)
    }

    /// Nothing that was sent is unacknowledged but the FIN.
    pub(crate) fn only_fin_in_flight(&self) -> bool {
        self.sequences.fin.is_some()
            && matches!(self.state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck)
            && self.send_queue() == 0
    }

    /// A read would not wait.
    pub(crate) fn is_readable(&self) -> bool {
        self.error.is_some()
            || self.detached
            || self.state == TcpState::Closed
            || self.fin_received
            || self.receiving_shut_down
            || self.recv_queue() > 0
    }

    /// There is room for a writer; after a write that found too little, a third of the buffer,
    /// as Linux's `sk_stream_is_writeable` says, so that it is not woken for every segment.
    pub(crate) fn is_writable(&self) -> bool {
        if self.error.is_some() || self.detached || self.sending_shut_down {
            return true;
        }
        !self.state.is_opening()
            && self.engine.socket(|socket| {
                let (queued, capacity) = (socket.send_queue(), socket.send_capacity());
                let most = if self.write_blocked { capacity / 3 * 2 } else { capacity - 1 };
                !socket.may_send() || queued <= most
            })
    }

    /// The state that the engine is in, with the close that it has not been told of yet.
    pub(crate) fn state_of_engine(&self) -> TcpState {
        self.kept_fin.state(self.engine.socket(|socket| socket.state()).into())
    }

    /// Something that the peer must acknowledge is not acknowledged, or not sent.
    pub(crate) fn has_something_to_deliver(&self) -> bool {
        !self.state.is_opening()
            && self.state != TcpState::Closed
            && (self.send_queue() > 0 || self.only_fin_in_flight())
    }

    /// Takes note of a segment before the engine gets it.
    pub(crate) fn arrives(&mut self, segment: &Segment) {
        if segment.rst {
            return;
        }
        let sequences = &self.sequences;
        let is_open = sequences.peer_window > 0 && !self.watchdog.has_asked();
        let is_known =
            segment.window == sequences.peer_window && segment.syn == sequences.peer_window_of_syn;
        if is_open && is_known {
            return;
        }
        if !self.state.is_opening() && !self.tells_the_window(segment) {
            return;
        }
        if self.owner != Owner::Nobody
            && (self.sequences.peer_window == 0 || self.watchdog.has_asked())
        {
            // The peer lives, it just has no room. An orphan does not wait for that for ever
            // (Linux's `tcp_orphan_retries` counts its probes, too).
            self.retries = 0;
        }
        self.sequences.peer_window = segment.window;
        self.sequences.peer_window_of_syn = segment.syn;
    }

    /// Whether SND.WND is to be taken from a segment: it is not older than what was acknowledged
    /// (RFC 9293 3.10.7.4), and it is no repetition of what has arrived, which the engine rejects.
    fn tells_the_window(&self, segment: &Segment) -> bool {
        let is_current = segment.ack.is_some_and(|ack| {
            !ack.is_before(self.snd_una()) && !ack.is_after(self.sequences.highest_sent())
        });
        let rcv_nxt = self.rcv_nxt();
        let is_repetition = segment.seq.is_before(rcv_nxt) && !segment.end().is_after(rcv_nxt);
        is_current && !is_repetition
    }

    /// Counts a transmission that asks again for an answer; false when there were too many.
    pub(crate) fn count_retry(
        &mut self,
        now: u64,
        options: &HostOptions,
        retransmission: bool,
    ) -> bool {
        // No timer of the engine is shorter than a second: what comes sooner is a fast
        // retransmission, which says that the peer lives.
        if !self.state.is_opening() && now < self.retried_at.saturating_add(MIN_TIMEOUT) {
            return true;
        }
        self.retried_at = now;
        self.retries += 1;
        let max = match (self.state, self.owner) {
            (TcpState::SynSent, _) => options.syn_retries,
            (TcpState::SynReceived, _) => options.synack_retries,
            (_, Owner::Nobody) => options.orphan_retries,
            _ => options.retries,
        };
        // Linux's `retransmits_timed_out`: the user's timeout counts instead of the retries.
        let users =
            retransmission && !self.state.is_opening() && self.options.user_timeout().is_some();
        self.retries <= max || users
    }

    /// Takes note of a segment that the engine wants to send, and decides how it leaves.
    pub(crate) fn departs(
        &mut self,
        now: u64,
        segment: &Segment,
        options: &HostOptions,
        repair_rewound_ack: bool,
    ) -> Departure {
        let snd_una = if segment.syn { segment.seq } else { self.snd_una() };
        let sequences = &mut self.sequences;
        if segment.syn && !sequences.syn_sent {
            sequences.syn_sent = true;
            sequences.iss = segment.seq;
            sequences.snd_max = segment.seq;
        }
        let seen_before = segment.seq.is_before(sequences.snd_max);
        let probe = sequences.peer_window == 0
            && segment.payload_len == 1
            && segment.seq == sequences.snd_max
            && !self.state.is_opening();
        let retransmission = segment.len() > 0 && seen_before;
        let is_retry = probe || (retransmission && segment.seq == snd_una);
        if is_retry && !self.count_retry(now, options, retransmission) {
            return Departure::GiveUp;
        }
        let sequences = &mut self.sequences;
        // What probed a zero window may have been taken.
        sequences.snd_max = sequences.snd_max.later(snd_una);
        if segment.fin {
            sequences.fin = Some(segment.seq.plus(segment.payload_len));
        }
        // A RST that answers nonsense during the handshake carries what was asked for.
        let seq = if repair_rewound_ack && !(segment.rst && self.state.is_opening()) {
            repair::seq_of_departure(segment, sequences.snd_max)
        } else {
            segment.seq
        };
        if probe {
            sequences.probed = Some(segment.end());
        } else if segment.len() > 0 && !segment.rst {
            sequences.snd_max = sequences.snd_max.later(segment.end());
        }
        if let Some(ack) = segment.ack {
            sequences.ack_sent = ack;
            sequences.window_sent = segment.window;
            sequences.window_of_syn = segment.syn;
        }
        Departure::Send { seq, retransmission }
    }
}
