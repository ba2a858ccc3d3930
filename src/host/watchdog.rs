//! C, silent engine: with something still to deliver, the engine can be left without any timer.
//!
//! It happens when the retransmission timer fires under a zero window, when a window update ends a
//! probe with data in flight, and when a timer is taken for a probe while a FIN is in flight. The
//! host then asks the peer, or makes the engine retransmit, and waits longer each time, as for a
//! retransmission (RFC 6298 5.5), until something is acknowledged.

use super::flow::Flow;
use super::stack::Host;
use super::state::TcpState;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::FramePool;
use crate::wire::tcp::{BareAck, Seq, bare_ack_len, write_bare_ack};

/// The first wait, and the longest, in nanoseconds: the engine's own for a retransmission.
const MIN_WAIT: u64 = 1_000_000_000;
const MAX_WAIT: u64 = 60 * MIN_WAIT;
/// What makes a duplicate ACK a loss (RFC 5681 3.2), and one to begin with.
const DUPLICATE_ACKS: u32 = 4;

/// Watches over a connection whose engine has no timer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watchdog {
    fires_at: Option<u64>,
    /// How many times it has fired since anything was acknowledged.
    fired: u32,
}

impl Watchdog {
    pub(super) fn fires_at(&self) -> Option<u64> {
        self.fires_at
    }

    pub(super) fn has_asked(&self) -> bool {
        self.fired > 0
    }

    /// The peer acknowledged something new.
    pub(super) fn rest(&mut self) {
        *self = Watchdog::default();
    }

    fn arm(&mut self, now: u64) {
        let wait = (MIN_WAIT << self.fired.min(6)).min(MAX_WAIT);
        self.fires_at.get_or_insert(now.saturating_add(wait));
    }
}

impl Host {
    /// Begins to watch a connection when the engine does not say when it wants to be polled.
    pub(super) fn watch(&mut self, now: u64, flow: &mut Flow, poll_at: Option<u64>) {
        // One that was set before looks for itself whether there is anything to do.
        if poll_at.is_some() || !self.repairs.silent_window {
            return;
        }
        if flow.has_something_to_deliver() {
            flow.watchdog.arm(now);
        } else {
            flow.watchdog.fires_at = None;
        }
    }

    /// Does for the engine what it has no timer for; true when the connection is over.
    pub(super) fn run_watchdog(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) -> bool {
        if flow.watchdog.fires_at.is_none_or(|at| at > now) {
            return false;
        }
        flow.watchdog.fires_at = None;
        // A timer that is only there to delay an ACK is soon over.
        let delays_ack = flow.rcv_nxt().is_after(flow.sequences.ack_sent);
        let poll_at = flow.engine.poll_at(&mut self.interface, now);
        if !flow.has_something_to_deliver() || (poll_at.is_some() && !delays_ack) {
            return false;
        }
        flow.watchdog.fired = flow.watchdog.fired.saturating_add(1);
        if flow.send_queue() > 0 && flow.sequences.peer_window > 0 {
            // What leaves then is counted as any other retransmission.
            for _ in 0..DUPLICATE_ACKS {
                self.feed_ack(now, flow, flow.sequences.peer_window, pool);
            }
            return false;
        }
        let is_fin = flow.send_queue() == 0;
        if !flow.count_retry(now, &self.options, is_fin) {
            self.give_up(flow);
            return true;
        }
        if is_fin {
            self.send_fin_segment(now, flow, pool);
        } else {
            self.probe(now, flow, pool);
        }
        false
    }

    /// Asks the peer what it has, with a number that it has acknowledged already and no byte, as
    /// Linux's `tcp_xmit_probe_skb` does.
    pub(super) fn probe(&mut self, now: u64, flow: &Flow, pool: &mut FramePool) {
        let probe = BareAck {
            seq: Seq(flow.snd_una().0.wrapping_sub(1)),
            ack: flow.rcv_nxt(),
            window: flow.window_to_repeat(),
        };
        self.send_bare_ack(now, &flow.tuple, flow.ip_fields(), probe, pool);
    }

    /// Lets the engine see an ACK of what is acknowledged already, with another window.
    pub(super) fn feed_ack(
        &mut self,
        now: u64,
        flow: &mut Flow,
        window: u16,
        pool: &mut FramePool,
    ) {
        let state: TcpState = flow.engine.socket(|socket| socket.state()).into();
        if state.is_opening() || state == TcpState::Closed {
            return;
        }
        let tuple = flow.tuple.reversed();
        let ack = BareAck { seq: flow.rcv_nxt(), ack: flow.snd_una(), window };
        let mut frame = pool.take(ETHERNET_HEADER + bare_ack_len(&tuple));
        write_bare_ack(frame.packet_mut(), &tuple, ack);
        self.feed(now, flow, frame.packet(), pool);
        pool.give_back(frame);
    }
}
