//! The engine: a socket, what is remembered beside it, and the verbs that need no more.

use super::account::Account;
use super::handshake::end_of_handshake;
use super::memory::{Emitted, KeepAlive, KeptFin, Sequences, Watchdog};
use super::socket::{Socket, SocketBuffers};
use crate::clock::When;
use crate::error::Errno;
use crate::tcp::boundary::{Counted, Out, Status, Written};
use crate::tcp::options::TcpOptions;
use crate::tcp::shared::Shared;
use crate::tcp::state::TcpState;
use crate::wire::frame::FrameBuffer;
use crate::wire::tcp::{FourTuple, Seq};

/// A connection that smoltcp speaks for.
pub(crate) struct SmoltcpEngine {
    pub(super) socket: Socket,
    pub(super) options: TcpOptions,
    /// Largest IP packet that reaches the peer, as far as is known.
    pub(super) path_mtu: usize,
    /// What that was when what is in flight was last sent anew for its sake, or first of all: Linux's
    /// `icsk_pmtu_cookie`.
    pub(super) path_mtu_in_flight: usize,
    /// The state with the close that the socket has not been told of yet, as was last reported.
    pub(super) state: TcpState,
    /// It was opened by the peer's SYN.
    pub(super) is_passive: bool,
    /// No application holds it any more.
    pub(super) is_orphan: bool,
    /// The network is done with it: the socket is kept only for unread data.
    pub(super) is_over: bool,
    /// A close that waits for the handshake (repair F).
    pub(super) close_pending: bool,
    /// A reset that waits until what was written before it, and may leave, has left.
    pub(super) abort_pending: bool,
    /// The peer's FIN has arrived, in order.
    pub(super) fin_received: bool,
    /// Why it ended, until the host has taken note.
    pub(super) error: Option<Errno>,
    /// What a router said, which counts only if the connection times out (Linux's `sk_err_soft`).
    pub(super) soft_error: Option<Errno>,
    /// A SYN that the socket has handed over already.
    pub(super) syn: Option<FrameBuffer>,
    pub(super) sequences: Sequences,
    /// Unanswered retransmissions, probes and keep-alives in a row.
    pub(super) retries: u32,
    pub(super) retried_at: u64,
    /// When to give up, apart from counting retries.
    pub(super) give_up_at: When,
    /// Since when the peer owes an acknowledgment, counted from its last.
    pub(super) unacknowledged_since: When,
    pub(super) no_challenge_before: u64,
    pub(super) keep_alive: KeepAlive,
    /// What watches over a socket without a timer (repair C).
    pub(super) watchdog: Watchdog,
    /// The FIN that is sent beside the socket while data is unacknowledged (repair L).
    pub(super) kept_fin: KeptFin,
    /// What the socket has sent in this turn of its own accord.
    pub(super) emitted: Emitted,
    pub(super) account: Account,
    pub(super) deadline: When,
}

impl SmoltcpEngine {
    pub(in crate::tcp) fn connect(
        now: u64,
        shared: &mut Shared,
        tuple: FourTuple,
        options: &TcpOptions,
        buffers: Option<SocketBuffers>,
        after: Option<Seq>,
    ) -> Option<SmoltcpEngine> {
        let mut engine = SmoltcpEngine::new(options, buffers);
        engine.syn = engine.socket.connect(now, &mut shared.smoltcp, &tuple, after).ok()?;
        engine.state = engine.socket.seen().state;
        engine.give_up_at = end_of_handshake(now, shared.limits.syn_retries);
        engine.account.begin(now, tuple.local_addr.is_ipv4());
        Some(engine)
    }

    pub(in crate::tcp) fn listen(
        now: u64,
        shared: &Shared,
        tuple: FourTuple,
        options: &TcpOptions,
        buffers: Option<SocketBuffers>,
    ) -> SmoltcpEngine {
        let mut engine = SmoltcpEngine::new(options, buffers);
        engine.socket.listen(&tuple);
        engine.state = engine.socket.seen().state;
        engine.is_passive = true;
        engine.give_up_at = end_of_handshake(now, shared.limits.synack_retries);
        engine.account.begin(now, tuple.local_addr.is_ipv4());
        engine
    }

    fn new(options: &TcpOptions, buffers: Option<SocketBuffers>) -> SmoltcpEngine {
        let buffers = buffers.filter(|buffers| buffers.fit(options));
        let buffers = buffers.unwrap_or_else(|| SocketBuffers::new(options));
        SmoltcpEngine {
            socket: Socket::new(buffers, options),
            options: *options,
            path_mtu: usize::MAX,
            path_mtu_in_flight: usize::MAX,
            state: TcpState::Closed,
            is_passive: false,
            is_orphan: false,
            is_over: false,
            close_pending: false,
            abort_pending: false,
            fin_received: false,
            error: None,
            soft_error: None,
            syn: None,
            sequences: Sequences::default(),
            retries: 0,
            retried_at: 0,
            give_up_at: When::NEVER,
            unacknowledged_since: When::NEVER,
            no_challenge_before: 0,
            keep_alive: KeepAlive::default(),
            watchdog: Watchdog::default(),
            kept_fin: KeptFin::default(),
            emitted: Emitted::default(),
            account: Account::default(),
            deadline: When::NEVER,
        }
    }

    pub(in crate::tcp) fn into_buffers(self) -> SocketBuffers {
        self.socket.into_buffers()
    }

    // ---- The application's calls ------------------------------------------------------------

    #[inline(never)]
    pub(in crate::tcp) fn write<'b>(
        &mut self,
        buffers: impl Iterator<Item = &'b [u8]>,
    ) -> Option<Written> {
        let was_empty = self.send_queue() == 0;
        let (asked, taken) = self.socket.write(buffers)?;
        self.sequences.written = self.sequences.written.wrapping_add(taken as u32);
        Some(Written { asked, taken, was_empty })
    }

    pub(in crate::tcp) fn waits_for_the_peer(&self, now: u64, shared: &mut Shared) -> bool {
        self.deadline.is_some()
            && self.socket.poll_at(now, &mut shared.smoltcp).is_some_and(|at| at > now)
    }

    #[inline(never)]
    pub(in crate::tcp) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let len = self.socket.read(buffer)?;
        self.sequences.read = self.sequences.read.wrapping_add(len as u32);
        Some(len)
    }

    pub(in crate::tcp) fn peek(&mut self, buffer: &mut [u8]) -> Option<usize> {
        self.socket.peek(buffer)
    }

    pub(in crate::tcp) fn abort(&mut self, out: &mut impl Out) {
        self.set_state(TcpState::Closed, out);
        self.socket.abort();
    }

    pub(in crate::tcp) fn abort_after_sending(&mut self) {
        self.abort_pending = true;
    }

    pub(in crate::tcp) fn on_unreachable(
        &mut self,
        out: &mut impl Out,
        seq: Option<Seq>,
        errno: Errno,
    ) {
        if !self.status().is_in_flight(seq) {
            return;
        }
        if self.state == TcpState::SynSent {
            self.error = Some(errno);
            self.end(out);
        } else {
            self.soft_error = Some(errno);
        }
    }

    pub(in crate::tcp) fn end(&mut self, out: &mut impl Out) {
        self.set_state(TcpState::Closed, out);
        self.finish();
    }

    pub(in crate::tcp) fn orphan(&mut self) {
        self.is_orphan = true;
    }

    pub(in crate::tcp) fn options(&self) -> &TcpOptions {
        &self.options
    }

    pub(in crate::tcp) fn set_options(&mut self, now: u64, options: TcpOptions) {
        self.socket.apply(&self.options, &options);
        if options.keep_alive && !self.options.keep_alive {
            self.keep_alive.begin(now);
        }
        self.options = options;
    }

    pub(in crate::tcp) fn set_path_mtu(&mut self, mtu: usize) {
        self.path_mtu = self.path_mtu.min(mtu);
        if !self.sequences.syn_sent {
            self.path_mtu_in_flight = self.path_mtu;
        }
    }

    // ---- What it knows ----------------------------------------------------------------------

    #[inline]
    pub(in crate::tcp) fn state(&self) -> TcpState {
        self.state
    }

    #[inline]
    pub(in crate::tcp) fn is_over(&self) -> bool {
        self.is_over
    }

    #[inline]
    pub(in crate::tcp) fn deadline(&self) -> When {
        self.deadline
    }

    pub(in crate::tcp) fn status(&self) -> Status {
        Status {
            state: self.state,
            iss: self.sequences.iss,
            irs: self.sequences.irs,
            snd_una: self.snd_una(),
            snd_nxt: self.sequences.snd_max,
            timestamps: None,
            rcv_nxt: self.rcv_nxt(),
            window: self.window_to_repeat(),
            send_queue: self.send_queue(),
            recv_queue: self.recv_queue(),
        }
    }

    #[inline]
    pub(in crate::tcp) fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    #[inline]
    pub(in crate::tcp) fn has_received_fin(&self) -> bool {
        self.fin_received
    }

    pub(in crate::tcp) fn has_sent_fin(&self) -> bool {
        self.sequences.fin.is_some()
    }

    #[inline]
    pub(in crate::tcp) fn send_queue(&self) -> u32 {
        self.socket.seen().send_queue
    }

    #[inline]
    pub(in crate::tcp) fn recv_queue(&self) -> u32 {
        self.socket.seen().recv_queue
    }

    pub(in crate::tcp) fn is_closed_for_writing(&self) -> bool {
        !matches!(self.socket.seen().state, TcpState::Established | TcpState::CloseWait)
    }

    // ---- Changes of state -------------------------------------------------------------------

    /// Every change of the connection's state passes here.
    #[inline]
    pub(super) fn set_state(&mut self, to: TcpState, out: &mut impl Out) {
        if self.state == to {
            return;
        }
        let from = std::mem::replace(&mut self.state, to);
        self.fin_received |= to.has_received_fin();
        out.state_changed(from, to);
    }

    /// The state that the socket is in, with the close that it has not been told of yet.
    #[inline]
    pub(super) fn state_of_socket(&self) -> TcpState {
        self.kept_fin.state(self.socket.seen().state)
    }

    /// The connection is over for the network.
    pub(super) fn finish(&mut self) {
        self.is_over = true;
        self.deadline = When::NEVER;
        self.give_up_at = When::NEVER;
    }

    /// The peer has not answered for too long. Linux says nothing to it, and neither do we.
    pub(super) fn time_out(&mut self, out: &mut impl Out) {
        tracing::debug!(target: "glassnet::tcp", flow = %out.tuple(), "timed out");
        self.error = Some(self.soft_error.unwrap_or(Errno::TimedOut));
        out.count(Counted::TimedOut);
        self.end(out);
    }
}
