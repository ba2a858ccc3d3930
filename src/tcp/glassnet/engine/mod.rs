//! A connection: its state, its two halves, and what both need.

mod calls;
mod handshake;
mod info;
mod output;
mod segment;
mod timers;

use super::ecn::Ecn;
use super::receive::{Capacity, DelayBounds, Receiver};
use super::send::Sender;
use super::shared::Shared;
use crate::clock::{When, nanos};
use crate::error::Errno;
use crate::tcp::boundary::{Counted, Handshake, Out, Status, TimestampState};
use crate::tcp::counters::Counters;
use crate::tcp::limits::Limits;
use crate::tcp::options::TcpOptions;
use crate::tcp::state::TcpState;
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER};
use crate::wire::tcp::{FourTuple, Seq, TCP_HEADER};

/// No challenge ACK within this time of another (RFC 5961 section 7; Linux's
/// `tcp_invalid_ratelimit`).
const CHALLENGE_INTERVAL: u64 = 500_000_000;

/// A connection that our own TCP speaks for.
pub(crate) struct GlassnetEngine {
    state: TcpState,
    /// It was opened by the peer's SYN.
    is_passive: bool,
    /// No application holds it any more.
    is_orphan: bool,
    /// The network is done with it.
    is_over: bool,
    /// A SYN, or SYN-ACK, is to be sent.
    syn_due: bool,
    /// A RST is to be sent, when what may leave before it has left.
    reset_due: bool,
    /// Both sides understand timestamps, and the peer's last (RFC 7323's TS.Recent), with when it
    /// came.
    has_timestamps: bool,
    recent: u32,
    recent_at: u64,
    ecn: Ecn,
    pub(super) send: Sender,
    pub(super) receive: Receiver,
    options: TcpOptions,
    iss: Seq,
    irs: Seq,
    /// Largest IP packet that reaches the peer, as far as is known.
    path_mtu: u32,
    ip_header: u32,
    /// Why it ended, until the host has taken note.
    error: Option<Errno>,
    /// What a router said, which counts only if the connection times out.
    soft_error: Option<Errno>,
    /// When to give up, apart from counting retries.
    give_up_at: When,
    no_challenge_before: u64,
    no_answer_before: u64,
    heard_at: u64,
    keep_alive_probes: u32,
    probed_at: u64,
    deadline: When,
    counters: Counters,
}

fn delays_of(limits: &Limits, options: &TcpOptions) -> DelayBounds {
    let max = options.ack_delay_in_force().map_or(0, nanos);
    DelayBounds { min: limits.ack_delay_min.min(max), max, quick: limits.quick_acks }
}

impl GlassnetEngine {
    /// One that begins a connection, with an initial sequence number after `after`, if there is one.
    pub(in crate::tcp) fn connect(
        now: u64,
        shared: &Shared,
        limits: &Limits,
        tuple: &FourTuple,
        options: &TcpOptions,
        after: Option<Seq>,
    ) -> GlassnetEngine {
        let mut engine = GlassnetEngine::new(now, shared, limits, tuple, options, after);
        engine.state = TcpState::SynSent;
        engine.syn_due = true;
        engine
    }

    /// One that waits for a SYN from the other end of `tuple`.
    pub(in crate::tcp) fn listen(
        now: u64,
        shared: &Shared,
        limits: &Limits,
        tuple: &FourTuple,
        options: &TcpOptions,
    ) -> GlassnetEngine {
        let mut engine = GlassnetEngine::new(now, shared, limits, tuple, options, None);
        engine.state = TcpState::Listen;
        engine.is_passive = true;
        engine
    }

    /// One in SYN-RECEIVED, that takes over a handshake which was kept without an engine.
    pub(in crate::tcp) fn resume(
        shared: &Shared,
        limits: &Limits,
        tuple: &FourTuple,
        handshake: &Handshake,
        options: &TcpOptions,
    ) -> GlassnetEngine {
        let began = handshake.began;
        let mut engine = GlassnetEngine::new(began, shared, limits, tuple, options, None);
        engine.state = TcpState::SynReceived;
        engine.is_passive = true;
        engine.take_over(limits, handshake);
        engine.counters.take_over();
        engine
    }

    fn new(
        now: u64,
        shared: &Shared,
        limits: &Limits,
        tuple: &FourTuple,
        options: &TcpOptions,
        after: Option<Seq>,
    ) -> GlassnetEngine {
        let iss = shared.initial_sequence_number(now, tuple, after);
        let ip_header = if tuple.local_addr.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER } as u32;
        let offset = shared.timestamp_offset(tuple);
        let send = Sender::new(iss, options.congestion_control, limits, offset);
        let mss = payload_of(limits.mtu as u32, ip_header);
        GlassnetEngine {
            state: TcpState::Closed,
            is_passive: false,
            is_orphan: false,
            is_over: false,
            syn_due: false,
            reset_due: false,
            has_timestamps: false,
            recent: 0,
            recent_at: 0,
            ecn: Ecn::default(),
            send,
            receive: Receiver::new(Capacity::of(options), mss, delays_of(limits, options)),
            options: *options,
            iss,
            irs: Seq::default(),
            path_mtu: u32::MAX,
            ip_header,
            error: None,
            soft_error: None,
            give_up_at: When::NEVER,
            no_challenge_before: 0,
            no_answer_before: 0,
            heard_at: now,
            keep_alive_probes: 0,
            probed_at: 0,
            deadline: When::NEVER,
            counters: Counters::default(),
        }
    }

    /// Bytes of payload that fit into a packet on the path, before options.
    fn payload_of_path(&self, limits: &Limits) -> u32 {
        payload_of(self.path_mtu.min(limits.mtu as u32), self.ip_header)
    }

    /// The connection is gone for good.
    pub(in crate::tcp) fn release(&mut self, shared: &mut Shared) {
        self.send.release_memory(&mut shared.memory);
        self.receive.release_memory(&mut shared.memory);
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

    pub(in crate::tcp) fn options(&self) -> &TcpOptions {
        &self.options
    }

    pub(in crate::tcp) fn status(&self) -> Status {
        Status {
            state: self.state,
            iss: self.iss,
            irs: self.irs,
            snd_una: self.send.una(),
            snd_nxt: self.send.nxt(),
            rcv_nxt: self.receive.nxt(),
            timestamps: self.timestamps(),
            window: self.receive.window_on_wire(),
            send_queue: self.send.queued(),
            recv_queue: self.receive.queued(),
        }
    }

    fn timestamps(&self) -> Option<TimestampState> {
        let (recent, recent_at) = (self.recent, self.recent_at);
        let offset = self.send.timestamp(0);
        self.has_timestamps.then_some(TimestampState { offset, recent, recent_at })
    }

    #[inline]
    pub(in crate::tcp) fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    #[inline]
    pub(in crate::tcp) fn has_received_fin(&self) -> bool {
        self.receive.has_finished()
    }

    pub(in crate::tcp) fn has_sent_fin(&self) -> bool {
        self.send.has_sent_fin()
    }

    #[inline]
    pub(in crate::tcp) fn owes_window_update(&mut self) -> bool {
        !self.is_over && !self.state.is_opening() && self.receive.owes_ack_after_read()
    }

    #[inline]
    pub(in crate::tcp) fn send_queue(&self) -> u32 {
        self.send.queued()
    }

    #[inline]
    pub(in crate::tcp) fn recv_queue(&self) -> u32 {
        self.receive.queued()
    }

    pub(in crate::tcp) fn is_closed_for_writing(&self) -> bool {
        !matches!(self.state, TcpState::Established | TcpState::CloseWait)
    }

    // ---- Changes of state -------------------------------------------------------------------

    /// Every change of the connection's state passes here.
    #[inline]
    fn set_state(&mut self, to: TcpState, out: &mut impl Out) {
        if self.state != to {
            let from = std::mem::replace(&mut self.state, to);
            out.state_changed(from, to);
        }
    }

    /// The connection is over for the network.
    fn finish(&mut self) {
        self.is_over = true;
        self.deadline = When::NEVER;
        self.give_up_at = When::NEVER;
        self.send.stop_timer();
    }

    /// Ends the connection without a word. What was received can still be read.
    pub(in crate::tcp) fn end(&mut self, out: &mut impl Out) {
        self.set_state(TcpState::Closed, out);
        self.finish();
    }

    /// The peer has not answered for too long. Linux says nothing to it, and neither do we.
    fn time_out(&mut self, out: &mut impl Out) {
        tracing::debug!(target: "glassnet::tcp", flow = %out.tuple(), "timed out");
        out.count(Counted::TimedOut);
        self.error = Some(self.soft_error.unwrap_or(Errno::TimedOut));
        self.end(out);
    }
}

/// What is left of an IP packet for a segment's payload and options.
fn payload_of(mtu: u32, ip_header: u32) -> u32 {
    mtu.saturating_sub(ip_header + TCP_HEADER as u32).min(65_535)
}
