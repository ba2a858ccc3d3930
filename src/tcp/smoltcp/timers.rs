//! The timers that a connection has beside its socket's.

use super::engine::SmoltcpEngine;
use crate::clock::{When, nanos};
use crate::tcp::boundary::{Env, Out, Timer};
use crate::tcp::state::TcpState;

impl SmoltcpEngine {
    #[inline(never)]
    pub(in crate::tcp) fn on_deadline(&mut self, env: &mut Env<'_, impl Out>) {
        if self.is_over {
            return;
        }
        if self.give_up_at.is_due(env.now) || self.user_timeout_at().is_due(env.now) {
            self.time_out(env.out);
            return;
        }
        if self.options.keep_alive {
            self.run_keep_alive(env);
        }
        if self.watchdog.fires_at().is_due(env.now) && !self.is_over {
            self.run_watchdog(env);
        }
    }

    /// When the connection wants a look, whatever its socket says.
    #[inline]
    pub(super) fn timer_at(&self) -> When {
        // Most connections have no option that asks for a timer.
        if !self.options.keep_alive && self.options.user_timeout().is_none() {
            return self.give_up_at;
        }
        self.give_up_at.earlier(self.user_timeout_at()).earlier(self.keep_alive_at())
    }

    /// The timer that is known to run. Of its retransmissions and delayed ACKs the socket tells only
    /// which is first, and not which of them that is.
    pub(in crate::tcp) fn timer(&self) -> Option<Timer> {
        if self.is_orphan && self.state == TcpState::FinWait2 {
            return self.give_up_at.get().map(|at| Timer::FinWait2 { at });
        }
        let at = self.keep_alive_at().get()?;
        Some(Timer::KeepAlive { at, probes: self.keep_alive.probes })
    }

    /// When the user wants to wait no longer for an acknowledgment (RFC 5482, `tcp(7)`).
    #[inline]
    fn user_timeout_at(&self) -> When {
        let Some(timeout) = self.options.user_timeout() else { return When::NEVER };
        let belongs_to_a_user = self.state != TcpState::SynReceived || !self.is_passive;
        let since = self.unacknowledged_since.get().filter(|_| belongs_to_a_user);
        since.map(|since| since.saturating_add(nanos(timeout))).into()
    }

    /// Takes note of whether the peer owes an acknowledgment.
    pub(super) fn note_unacknowledged(&mut self, now: u64) {
        if self.state.is_opening() || self.send_queue() > 0 || self.only_fin_in_flight() {
            self.unacknowledged_since.get_or_insert(now);
        } else {
            self.unacknowledged_since = When::NEVER;
        }
    }

    /// Nobody waits in FIN-WAIT-2 for ever, when no application does.
    pub(super) fn limit_fin_wait_2(&mut self, env: &mut Env<'_, impl Out>) {
        if self.is_orphan && self.state == TcpState::FinWait2 {
            let end = env.now.saturating_add(nanos(env.shared.limits.fin_timeout));
            self.give_up_at = When::at(end);
        }
    }
}
