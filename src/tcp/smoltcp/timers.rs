//! The timers that a connection has beside its socket's.

use super::SmoltcpEngine;
use crate::tcp::{Env, Out, TcpState};
use crate::time::nanos;

/// When an attempt is over that began now and sends a SYN, or SYN-ACK, again `retries` times: the
/// timeout doubles from one second to at most Linux's `TCP_RTO_MAX`, two minutes.
pub(super) fn end_of_handshake(now: u64, retries: u32) -> u64 {
    // 1, 2, 4, ... 64 seconds; then two minutes each time.
    const DOUBLINGS: u32 = 6;
    let doubled = (2u64 << retries.min(DOUBLINGS)) - 1;
    let constant = u64::from(retries.saturating_sub(DOUBLINGS)) * 120;
    now.saturating_add((doubled + constant).saturating_mul(1_000_000_000))
}

impl SmoltcpEngine {
    #[inline]
    pub(in crate::tcp) fn on_deadline(&mut self, env: &mut Env<'_, impl Out>) {
        if self.is_over {
            return;
        }
        let due = |at: Option<u64>| at.is_some_and(|at| at <= env.now);
        if due(self.give_up_at) || due(self.user_timeout_at()) {
            self.time_out(env.out);
            return;
        }
        if self.options.keep_alive {
            self.run_keep_alive(env);
        }
        if self.watchdog.fires_at().is_some_and(|at| at <= env.now) && !self.is_over {
            self.run_watchdog(env);
        }
    }

    /// When the connection wants a look, whatever its socket says.
    pub(super) fn timer_at(&self) -> Option<u64> {
        let timers = [self.give_up_at, self.user_timeout_at(), self.keep_alive_at()];
        timers.into_iter().flatten().min()
    }

    /// When the user wants to wait no longer for an acknowledgment (RFC 5482, `tcp(7)`).
    #[inline]
    fn user_timeout_at(&self) -> Option<u64> {
        let timeout = self.options.user_timeout()?;
        let belongs_to_a_user = self.state != TcpState::SynReceived || !self.is_passive;
        let since = self.unacknowledged_since.filter(|_| belongs_to_a_user)?;
        Some(since.saturating_add(nanos(timeout)))
    }

    /// Takes note of whether the peer owes an acknowledgment.
    pub(super) fn note_unacknowledged(&mut self, now: u64) {
        if self.state.is_opening() || self.send_queue() > 0 || self.only_fin_in_flight() {
            self.unacknowledged_since.get_or_insert(now);
        } else {
            self.unacknowledged_since = None;
        }
    }

    /// Nobody waits in FIN-WAIT-2 for ever, when no application does.
    pub(super) fn limit_fin_wait_2(&mut self, env: &mut Env<'_, impl Out>) {
        if self.is_orphan && self.state == TcpState::FinWait2 {
            self.give_up_at = Some(env.now.saturating_add(nanos(env.shared.limits.fin_timeout)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_to_connect_lasts_as_long_as_the_sum_of_its_timeouts() {
        for retries in 0..300 {
            let seconds: u64 =
                (0..=retries).map(|retry: u32| (1u64 << retry.min(7)).min(120)).sum();
            assert_eq!(end_of_handshake(7, retries), 7 + seconds * 1_000_000_000, "{retries}");
        }
        assert_eq!(
            end_of_handshake(0, u32::MAX),
            (127 + (u64::from(u32::MAX) - 6) * 120).saturating_mul(1_000_000_000)
        );
    }
}
