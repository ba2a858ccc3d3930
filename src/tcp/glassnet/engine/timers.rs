//! What the timers ask for: retransmissions and probes, keep-alive (RFC 9293 3.8.4), the user's
//! timeout (RFC 5482), and giving up.

use super::GlassnetEngine;
use crate::clock::{When, nanos};
use crate::error::Errno;
use crate::tcp::boundary::{Counted, Env, Out, Timer};
use crate::tcp::glassnet::send::Fired;
use crate::tcp::limits::Limits;
use crate::tcp::state::TcpState;
use crate::wire::tcp::Seq;

impl GlassnetEngine {
    #[inline]
    pub(in crate::tcp) fn on_deadline(&mut self, env: &mut Env<'_, impl Out>) {
        if self.deadline.is_due(env.now) && !self.is_over {
            self.on_time(env);
        }
    }

    #[inline(never)]
    fn on_time(&mut self, env: &mut Env<'_, impl Out>) {
        if self.give_up_at.is_due(env.now) || self.user_timeout_at().is_due(env.now) {
            self.time_out(env.out);
            return;
        }
        self.receive.acks.on_timer(env.now, self.send.rto());
        match self.send.on_timer(env.now) {
            Fired::Nothing | Fired::Segments => {}
            Fired::First => self.on_timeout(env),
            Fired::TailLoss => {
                let reserved = self.reserved();
                if let Some(out) = self.send.probe_tail(env.now, reserved) {
                    self.send_segment(env, out);
                }
            }
            Fired::WindowProbe => self.probe_window(env),
        }
        if self.options.keep_alive && !self.is_over {
            self.run_keep_alive(env);
        }
    }

    /// How often the first segment is sent again before the connection has timed out.
    fn retry_limit(&self, limits: &Limits) -> u32 {
        match self.state {
            TcpState::SynSent => limits.syn_retries.saturating_add(limits.syn_linear_timeouts),
            TcpState::SynReceived => limits.synack_retries,
            _ if self.is_orphan => limits.orphan_retries,
            _ => limits.retries,
        }
    }

    /// RFC 6298 section 5.
    fn on_timeout(&mut self, env: &mut Env<'_, impl Out>) {
        // With a time of the user's only that counts.
        let is_counted = self.options.user_timeout().is_none() || self.state.is_opening();
        if is_counted && self.send.retries() >= self.retry_limit(&env.shared.limits) {
            self.time_out(env.out);
            return;
        }
        if self.state.is_opening() {
            self.send_syn(env);
        } else {
            self.send.time_out(env.now);
            let reserved = self.reserved();
            if let Some(out) = self.send.repeat_first(env.now, reserved) {
                self.send_segment(env, out);
            }
        }
        let is_linear = self.state == TcpState::SynSent
            && self.send.retries() < env.shared.limits.syn_linear_timeouts;
        self.send.back_off(env.now, is_linear);
    }

    /// RFC 9293 3.8.6.1.
    fn probe_window(&mut self, env: &mut Env<'_, impl Out>) {
        let limits = &env.shared.limits;
        let unanswered = self.options.user_timeout().is_none()
            && self.send.window_probes() >= self.retry_limit(limits);
        // Nobody holds an orphan whose peer has no room for it.
        let forsaken = self.is_orphan && self.send.backoff() >= limits.orphan_retries;
        if unanswered || forsaken {
            self.time_out(env.out);
            return;
        }
        let reserved = self.reserved();
        if let Some(out) = self.send.probe_window(env.now, reserved) {
            self.send_segment(env, out);
        } else {
            // A number that was acknowledged, and no byte: the peer must answer.
            let seq = Seq(self.send.una().0.wrapping_sub(1));
            self.send_ack_at(env, seq);
            self.send.probed(env.now);
        }
    }

    /// When the user wants to wait no longer for an acknowledgment.
    pub(super) fn user_timeout_at(&self) -> When {
        let Some(timeout) = self.options.user_timeout() else { return When::NEVER };
        if self.state == TcpState::SynReceived && self.is_passive {
            return When::NEVER;
        }
        self.send.owed_since().map(|since| since.saturating_add(nanos(timeout))).into()
    }

    /// The timer that is known from outside, if one runs.
    pub(in crate::tcp) fn known_timer(&self) -> Option<Timer> {
        if let Some(at) = self.give_up_at.get().filter(|_| self.state == TcpState::FinWait2) {
            return Some(Timer::FinWait2 { at });
        }
        if let Some(timer) = self.send.pending() {
            return Some(timer);
        }
        let at = self.keep_alive_at().get()?;
        Some(Timer::KeepAlive { at, probes: self.keep_alive_probes })
    }

    // ---- Keep-alive -------------------------------------------------------------------------

    /// When the peer is asked whether it is there.
    pub(super) fn keep_alive_at(&self) -> When {
        let is_open = !self.state.is_opening()
            && !matches!(self.state, TcpState::Closed | TcpState::TimeWait);
        if !self.options.keep_alive || self.is_orphan || !is_open || self.send.has_anything() {
            return When::NEVER;
        }
        When::at(if self.keep_alive_probes == 0 {
            self.heard_at.saturating_add(nanos(self.options.keep_alive_time()))
        } else {
            self.probed_at.saturating_add(nanos(self.options.keep_alive_interval()))
        })
    }

    fn is_dead(&self, now: u64) -> bool {
        match self.options.user_timeout() {
            Some(timeout) => self.keep_alive_probes > 0 && now - self.heard_at >= nanos(timeout),
            None => self.keep_alive_probes >= self.options.keep_alive_retries(),
        }
    }

    fn run_keep_alive(&mut self, env: &mut Env<'_, impl Out>) {
        if !self.keep_alive_at().is_due(env.now) {
            return;
        }
        if self.is_dead(env.now) {
            // Linux tells the peer, in case it is only the way back that is broken.
            env.out.count(Counted::TimedOut);
            self.error = Some(Errno::TimedOut);
            self.send_reset(env);
            return;
        }
        self.keep_alive_probes += 1;
        env.out.count(Counted::KeepAliveProbe);
        self.probed_at = env.now;
        let seq = Seq(self.send.una().0.wrapping_sub(1));
        self.send_ack_at(env, seq);
    }
}
