//! The timers that a connection has beside its engine's.

use super::flow::{Flow, Owner};
use super::stack::{Host, nanos};
use super::state::TcpState;
use crate::wire::frame::FramePool;

impl Flow {
    /// When the host wants a look at the connection, whatever its engine says.
    pub(super) fn timer_at(&self, now: u64) -> Option<u64> {
        if !self.has_timers_of_its_own() {
            return self.give_up_at;
        }
        let linger = self.linger_until.filter(|until| *until > now);
        let timers = [self.give_up_at, self.user_timeout_at(), self.keep_alive_at(), linger];
        timers.into_iter().flatten().min()
    }

    /// Whether an option asks for a timer: most connections have none.
    fn has_timers_of_its_own(&self) -> bool {
        self.options.keep_alive
            || self.options.user_timeout().is_some()
            || self.linger_until.is_some()
    }

    /// When the user wants to wait no longer for an acknowledgment (RFC 5482, `tcp(7)`).
    fn user_timeout_at(&self) -> Option<u64> {
        let timeout = self.options.user_timeout()?;
        let belongs_to_a_user =
            self.state != TcpState::SynReceived || !matches!(self.owner, Owner::Listener(_));
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
}

impl Host {
    /// Does what these timers ask for; true when the connection is over.
    pub(super) fn run_timers(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) -> bool {
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        if due(flow.give_up_at) || due(flow.user_timeout_at()) {
            self.give_up(flow);
            return true;
        }
        if !flow.has_timers_of_its_own() {
            return false;
        }
        if due(flow.linger_until) {
            flow.writers.wake_all(&mut self.io.woken);
        }
        self.keep_alive(now, flow, pool)
    }
}
