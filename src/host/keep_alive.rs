//! Keep-alive: whether the peer of a silent connection is still there (RFC 9293 3.8.4).
//!
//! The engine has a keep-alive of its own, with one interval for everything and without an end, that
//! carries a byte nobody wrote. This one counts as Linux's `tcp_keepalive_timer` does.

use super::flow::{Flow, Owner};
use super::stack::{Host, nanos};
use super::state::TcpState;
use crate::error::Errno;
use crate::wire::frame::FramePool;
use crate::wire::tcp::{BareAck, Seq};

/// What a connection remembers for its keep-alive.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeepAlive {
    /// When the peer was last heard of, or keep-alive switched on if that was later.
    heard_at: u64,
    /// Probes sent since then, and when the last was.
    probes: u32,
    probed_at: u64,
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

impl Flow {
    /// When the peer must be probed, or given up.
    pub(super) fn keep_alive_at(&self) -> Option<u64> {
        if !self.options.keep_alive || !self.is_silent() {
            return None;
        }
        let KeepAlive { heard_at, probes, probed_at } = self.keep_alive;
        Some(if probes == 0 {
            heard_at.saturating_add(nanos(self.options.keep_alive_time()))
        } else {
            probed_at.saturating_add(nanos(self.options.keep_alive_interval()))
        })
    }

    /// Nothing is in flight whose acknowledgment would tell of the peer.
    fn is_silent(&self) -> bool {
        let synchronised =
            matches!(self.state, TcpState::Established | TcpState::CloseWait | TcpState::FinWait2);
        synchronised && self.owner != Owner::Nobody && self.send_queue() == 0
    }

    /// Whether enough probes went unanswered. The user's timeout, if there is one, decides
    /// instead of their number.
    fn is_dead(&self, now: u64) -> bool {
        let KeepAlive { heard_at, probes, .. } = self.keep_alive;
        match self.options.user_timeout() {
            Some(timeout) => probes > 0 && now - heard_at >= nanos(timeout),
            None => probes >= self.options.keep_alive_retries(),
        }
    }
}

impl Host {
    /// Probes the peer, or gives it up; true when the connection is over.
    pub(super) fn keep_alive(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) -> bool {
        if flow.keep_alive_at().is_none_or(|at| at > now) {
            return false;
        }
        if flow.is_dead(now) {
            // Linux tells the peer, in case it is only the way back that is broken.
            self.abort(now, flow, Errno::TimedOut, pool);
            return true;
        }
        flow.keep_alive.probes += 1;
        flow.keep_alive.probed_at = now;
        // One number before what the peer expects, so that it must answer.
        let probe = BareAck {
            seq: Seq(flow.sequences.snd_max.0.wrapping_sub(1)),
            ack: flow.rcv_nxt(),
            window: flow.window_to_repeat(),
        };
        let (tuple, ip_fields) = (flow.tuple, flow.ip_fields());
        self.send_bare_ack(now, &tuple, ip_fields, probe, pool);
        false
    }
}
