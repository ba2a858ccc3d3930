//! Keep-alive: whether the peer of a silent connection is still there (RFC 9293 3.8.4).
//!
//! smoltcp has a keep-alive of its own, with one interval for everything and without an end, that
//! carries a byte nobody wrote. This one counts as Linux's `tcp_keepalive_timer` does.

use super::engine::SmoltcpEngine;
use super::memory::KeepAlive;
use crate::clock::{When, nanos};
use crate::error::Errno;
use crate::tcp::boundary::{Counted, Env, Out};
use crate::tcp::state::TcpState;
use crate::wire::tcp::Seq;

impl SmoltcpEngine {
    /// When the peer must be probed, or given up.
    pub(super) fn keep_alive_at(&self) -> When {
        if !self.options.keep_alive || !self.is_silent() {
            return When::NEVER;
        }
        let KeepAlive { heard_at, probes, probed_at } = self.keep_alive;
        When::at(if probes == 0 {
            heard_at.saturating_add(nanos(self.options.keep_alive_time()))
        } else {
            probed_at.saturating_add(nanos(self.options.keep_alive_interval()))
        })
    }

    /// Nothing is in flight whose acknowledgment would tell of the peer.
    fn is_silent(&self) -> bool {
        let synchronised =
            matches!(self.state, TcpState::Established | TcpState::CloseWait | TcpState::FinWait2);
        synchronised && !self.is_orphan && self.send_queue() == 0
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

    /// Probes the peer, or gives it up.
    pub(super) fn run_keep_alive(&mut self, env: &mut Env<'_, impl Out>) {
        if !self.keep_alive_at().is_due(env.now) {
            return;
        }
        if self.is_dead(env.now) {
            // Linux tells the peer, in case it is only the way back that is broken.
            self.socket.abort();
            self.emit(env);
            self.error = Some(Errno::TimedOut);
            env.out.count(Counted::TimedOut);
            self.end(env.out);
            return;
        }
        self.keep_alive.probes += 1;
        self.keep_alive.probed_at = env.now;
        env.out.count(Counted::KeepAliveProbe);
        // One number before what the peer expects, so that it must answer.
        self.send_bare_ack(env, Seq(self.sequences.snd_max.0.wrapping_sub(1)));
    }
}
