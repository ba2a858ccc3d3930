//! A path that carries less than was sent: what did not pass is sent again at once, in segments that
//! do (RFC 1191 section 3, RFC 8201 5.4), and not when the retransmission timer asks for it.

use super::engine::SmoltcpEngine;
use crate::tcp::boundary::{Env, Out};
use crate::wire::tcp::bare_ack_len;

impl SmoltcpEngine {
    /// A router has dropped a segment of this connection, because it was larger than the path MTU
    /// that was set since.
    ///
    /// Each value counts once, so that routers, and who writes what they might, cannot make the
    /// connection send without end.
    #[cold]
    pub(in crate::tcp) fn on_too_big(&mut self, env: &mut Env<'_, impl Out>) {
        let known = std::mem::replace(&mut self.path_mtu_in_flight, self.path_mtu);
        let may_send = !self.state.is_opening() && self.sequences.peer_window > 0;
        if self.path_mtu >= known || self.is_over || !may_send {
            return;
        }
        let in_flight = self.sequences.snd_max.ahead_of(self.snd_una());
        let max_payload = self.path_mtu.saturating_sub(bare_ack_len(env.out.tuple()));
        // Nothing can have been too large when all of it would fit into one segment.
        if usize::try_from(in_flight).is_ok_and(|in_flight| in_flight > max_payload) {
            // The peer was not asked in vain: this is no retry.
            self.retried_at = env.now;
            self.socket.go_back(env.now, &mut env.shared.smoltcp, env.out.pool(), &self.options);
        }
    }
}
