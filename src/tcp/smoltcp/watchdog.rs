//! C, silent socket: with something still to deliver, the socket can be left without any timer.
//!
//! It happens when the retransmission timer fires under a zero window, when a window update ends a
//! probe with data in flight, and when a timer is taken for a probe while a FIN is in flight. The
//! engine then asks the peer, or makes the socket retransmit, and waits longer each time, as for a
//! retransmission (RFC 6298 5.5), until something is acknowledged.

use super::engine::SmoltcpEngine;
use crate::tcp::boundary::{Env, Out};
use crate::time::When;
use crate::wire::tcp::Seq;

/// What makes a duplicate ACK a loss (RFC 5681 3.2), and one to begin with.
const DUPLICATE_ACKS: u32 = 4;

impl SmoltcpEngine {
    /// Begins to watch when the socket does not say when it wants to be polled.
    pub(super) fn watch(&mut self, now: u64) {
        if self.has_something_to_deliver() {
            self.watchdog.arm(now);
        } else {
            self.watchdog.fires_at = When::NEVER;
        }
    }

    /// Does for the socket what it has no timer for.
    #[cold]
    pub(super) fn run_watchdog(&mut self, env: &mut Env<'_, impl Out>) {
        self.watchdog.fires_at = When::NEVER;
        // A timer that is only there to delay an ACK is soon over.
        let delays_ack = self.rcv_nxt().is_after(self.sequences.ack_sent);
        let poll_at = self.socket.poll_at(env.now, &mut env.shared.smoltcp);
        if !self.has_something_to_deliver() || (poll_at.is_some() && !delays_ack) {
            return;
        }
        self.watchdog.fired = self.watchdog.fired.saturating_add(1);
        if self.send_queue() > 0 && self.sequences.peer_window > 0 {
            // What leaves then is counted as any other retransmission.
            for _ in 0..DUPLICATE_ACKS {
                self.feed_ack(env, self.sequences.peer_window);
            }
            return;
        }
        let is_fin = self.send_queue() == 0;
        if !self.count_retry(env.now, &env.shared.limits, is_fin) {
            self.time_out(env.out);
        } else if is_fin {
            self.send_fin_segment(env);
        } else {
            self.probe(env);
        }
    }

    /// Asks the peer what it has, with a number that it has acknowledged already and no byte, as
    /// Linux's `tcp_xmit_probe_skb` does.
    pub(super) fn probe(&mut self, env: &mut Env<'_, impl Out>) {
        self.send_bare_ack(env, Seq(self.snd_una().0.wrapping_sub(1)));
    }
}
