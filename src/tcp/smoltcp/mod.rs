//! smoltcp's TCP as an engine (DESIGN D3): its socket, and what the socket does not remember or
//! gets wrong.
//!
//! Its control block is closed, so where a connection stands is counted from the segments that pass
//! (`sequences`), and its defects are mended on the way in (`receive`) and out (`transmit`).

mod device;
mod keep_alive;
mod last_ack;
mod receive;
mod repair;
mod sequences;
mod socket;
mod split;
mod timers;
mod transmit;
mod watchdog;

use self::keep_alive::KeepAlive;
use self::last_ack::KeptFin;
use self::sequences::{Emitted, Sequences};
use self::socket::Socket;
use self::watchdog::Watchdog;
use super::{Env, Out, Status, TcpOptions, TcpState, Written};
use crate::error::Errno;
use crate::time::When;
use crate::wire::frame::FrameBuffer;
use crate::wire::tcp::{FourTuple, Seq};

#[cfg(test)]
pub(crate) use self::repair::Repairs;
pub(crate) use self::socket::{Shared, SocketBuffers};

/// A connection that smoltcp speaks for.
pub(crate) struct SmoltcpEngine {
    socket: Socket,
    options: TcpOptions,
    /// Largest IP packet that reaches the peer, as far as is known.
    path_mtu: usize,
    /// The state with the close that the socket has not been told of yet, as was last reported.
    state: TcpState,
    /// It was opened by the peer's SYN.
    is_passive: bool,
    /// No application holds it any more.
    is_orphan: bool,
    /// The network is done with it: the socket is kept only for unread data.
    is_over: bool,
    /// A close that waits for the handshake (repair F).
    close_pending: bool,
    /// A reset that waits until what was written before it, and may leave, has left.
    abort_pending: bool,
    /// The peer's FIN has arrived, in order.
    fin_received: bool,
    /// Why it ended, until the host has taken note.
    error: Option<Errno>,
    /// What a router said, which counts only if the connection times out (Linux's `sk_err_soft`).
    soft_error: Option<Errno>,
    /// A SYN that the socket has handed over already.
    syn: Option<FrameBuffer>,
    sequences: Sequences,
    /// Unanswered retransmissions, probes and keep-alives in a row.
    retries: u32,
    retried_at: u64,
    /// When to give up, apart from counting retries.
    give_up_at: When,
    /// Since when the peer owes an acknowledgment, counted from its last.
    unacknowledged_since: When,
    no_challenge_before: u64,
    keep_alive: KeepAlive,
    /// What watches over a socket without a timer (repair C).
    watchdog: Watchdog,
    /// The FIN that is sent beside the socket while data is unacknowledged (repair L).
    kept_fin: KeptFin,
    /// What the socket has sent in this turn of its own accord.
    emitted: Emitted,
    deadline: When,
}

impl SmoltcpEngine {
    pub(super) fn connect(
        now: u64,
        shared: &mut super::Shared,
        tuple: FourTuple,
        options: &TcpOptions,
        buffers: Option<SocketBuffers>,
        after: Option<Seq>,
    ) -> Option<SmoltcpEngine> {
        let mut engine = SmoltcpEngine::new(options, buffers);
        engine.syn = engine.socket.connect(now, &mut shared.smoltcp, &tuple, after).ok()?;
        engine.state = engine.socket.seen().state;
        engine.give_up_at = timers::end_of_handshake(now, shared.limits.syn_retries);
        Some(engine)
    }

    pub(super) fn listen(
        now: u64,
        shared: &super::Shared,
        tuple: FourTuple,
        options: &TcpOptions,
        buffers: Option<SocketBuffers>,
    ) -> SmoltcpEngine {
        let mut engine = SmoltcpEngine::new(options, buffers);
        engine.socket.listen(&tuple);
        engine.state = engine.socket.seen().state;
        engine.is_passive = true;
        engine.give_up_at = timers::end_of_handshake(now, shared.limits.synack_retries);
        engine
    }

    fn new(options: &TcpOptions, buffers: Option<SocketBuffers>) -> SmoltcpEngine {
        let buffers = buffers.filter(|buffers| buffers.fit(options));
        let buffers = buffers.unwrap_or_else(|| SocketBuffers::new(options));
        SmoltcpEngine {
            socket: Socket::new(buffers, options),
            options: *options,
            path_mtu: usize::MAX,
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
            deadline: When::NEVER,
        }
    }

    pub(super) fn into_buffers(self) -> SocketBuffers {
        self.socket.into_buffers()
    }

    // ---- The application's calls ------------------------------------------------------------

    #[inline]
    pub(super) fn write<'b>(&mut self, buffers: impl Iterator<Item = &'b [u8]>) -> Option<Written> {
        let was_empty = self.send_queue() == 0;
        let (asked, taken) = self.socket.write(buffers)?;
        self.sequences.written = self.sequences.written.wrapping_add(taken as u32);
        Some(Written { asked, taken, was_empty })
    }

    pub(super) fn waits_for_the_peer(&self, now: u64, shared: &mut super::Shared) -> bool {
        self.deadline.is_some()
            && self.socket.poll_at(now, &mut shared.smoltcp).is_some_and(|at| at > now)
    }

    #[inline]
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let len = self.socket.read(buffer)?;
        self.sequences.read = self.sequences.read.wrapping_add(len as u32);
        Some(len)
    }

    pub(super) fn peek(&mut self, buffer: &mut [u8]) -> usize {
        self.socket.peek(buffer)
    }

    pub(super) fn close(&mut self, env: &mut Env<'_, impl Out>) {
        if env.shared.smoltcp.repairs.early_close && repair::must_defer_close(self.state) {
            self.close_pending = true;
        } else {
            self.tell_socket_of_close(env);
        }
        self.limit_fin_wait_2(env);
    }

    pub(super) fn abort(&mut self, out: &mut impl Out) {
        self.set_state(TcpState::Closed, out);
        self.socket.abort();
    }

    pub(super) fn abort_after_sending(&mut self) {
        self.abort_pending = true;
    }

    pub(super) fn on_unreachable(&mut self, out: &mut impl Out, seq: Option<Seq>, errno: Errno) {
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

    pub(super) fn end(&mut self, out: &mut impl Out) {
        self.set_state(TcpState::Closed, out);
        self.finish();
    }

    pub(super) fn orphan(&mut self) {
        self.is_orphan = true;
    }

    pub(super) fn options(&self) -> &TcpOptions {
        &self.options
    }

    pub(super) fn set_options(&mut self, now: u64, options: TcpOptions) {
        self.socket.apply(&self.options, &options);
        if options.keep_alive && !self.options.keep_alive {
            self.keep_alive.begin(now);
        }
        self.options = options;
    }

    pub(super) fn set_path_mtu(&mut self, mtu: usize) {
        self.path_mtu = self.path_mtu.min(mtu);
    }

    // ---- What it knows ----------------------------------------------------------------------

    #[inline]
    pub(super) fn state(&self) -> TcpState {
        self.state
    }

    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    #[inline]
    pub(super) fn deadline(&self) -> When {
        self.deadline
    }

    pub(super) fn status(&self) -> Status {
        Status {
            state: self.state,
            iss: self.sequences.iss,
            irs: self.sequences.irs,
            snd_una: self.snd_una(),
            snd_nxt: self.sequences.snd_max,
            rcv_nxt: self.rcv_nxt(),
            window: self.window_to_repeat(),
            send_queue: self.send_queue(),
            recv_queue: self.recv_queue(),
        }
    }

    #[inline]
    pub(super) fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    #[inline]
    pub(super) fn has_received_fin(&self) -> bool {
        self.fin_received
    }

    pub(super) fn has_sent_fin(&self) -> bool {
        self.sequences.fin.is_some()
    }

    #[inline]
    pub(super) fn send_queue(&self) -> u32 {
        self.socket.seen().send_queue
    }

    #[inline]
    pub(super) fn recv_queue(&self) -> u32 {
        self.socket.seen().recv_queue
    }

    pub(super) fn is_closed_for_writing(&self) -> bool {
        !matches!(self.socket.seen().state, TcpState::Established | TcpState::CloseWait)
    }

    // ---- Changes of state -------------------------------------------------------------------

    /// Every change of the connection's state passes here.
    #[inline]
    fn set_state(&mut self, to: TcpState, out: &mut impl Out) {
        if self.state == to {
            return;
        }
        let from = std::mem::replace(&mut self.state, to);
        self.fin_received |= to.has_received_fin();
        out.state_changed(from, to);
    }

    /// The state that the socket is in, with the close that it has not been told of yet.
    #[inline]
    fn state_of_socket(&self) -> TcpState {
        self.kept_fin.state(self.socket.seen().state)
    }

    /// The connection is over for the network.
    fn finish(&mut self) {
        self.is_over = true;
        self.deadline = When::NEVER;
        self.give_up_at = When::NEVER;
    }

    /// The peer has not answered for too long. Linux says nothing to it, and neither do we.
    fn time_out(&mut self, out: &mut impl Out) {
        tracing::debug!(target: "glassnet::tcp", flow = %out.tuple(), "timed out");
        self.error = Some(self.soft_error.unwrap_or(Errno::TimedOut));
        self.end(out);
    }
}
