//! What a connection tells of itself: what is counted beside its socket, which tells nothing.

use super::engine::SmoltcpEngine;
use crate::tcp::boundary::{Env, Out};
use crate::tcp::counters::millis_since;
use crate::tcp::info::{self, TcpInfo};
use crate::tcp::limits::Limits;
use crate::tcp::state::TcpState;
use crate::wire::tcp::{Seq, TCP_HEADER};

impl SmoltcpEngine {
    /// SND.UNA and RCV.NXT were these before a segment came in `state`.
    #[inline]
    pub(super) fn note_progress(&mut self, state: TcpState, (una, nxt): (Seq, Seq)) {
        // Linux does not count the SYN of a connection that the peer has opened.
        let is_uncounted_syn = self.is_passive && state.is_opening();
        let acked = self.snd_una().ahead_of(una).max(0).cast_unsigned();
        let acked = acked.saturating_sub(u32::from(is_uncounted_syn));
        let is_known = !matches!(state, TcpState::Listen | TcpState::SynSent);
        let received = if is_known { self.rcv_nxt().ahead_of(nxt).max(0) } else { 0 };
        self.account.progress(acked, received.cast_unsigned());
    }

    /// A segment leaves, from the socket or beside it.
    #[inline]
    pub(super) fn note_sent(&mut self, env: &Env<'_, impl Out>, len: u32, is_repeated: bool) {
        self.account.sent(env.now, len, is_repeated);
    }

    pub(in crate::tcp) fn info(&self, now: u64, limits: &Limits) -> TcpInfo {
        let sequences = &self.sequences;
        // On Linux TIME-WAIT is the host's, and the socket itself is closed.
        let is_closed = self.state == TcpState::TimeWait;
        let mut info = TcpInfo::new(if is_closed { TcpState::Closed } else { self.state });
        self.account.inform(now, &mut info);
        info.retransmits = self.retries.min(255) as u8;
        info.probes = self.keep_alive.probes.min(255) as u8;
        let peer_scales = self.account.peer_scales();
        if peer_scales {
            info.options = info::WSCALE;
            info.snd_wscale = sequences.peer_scale;
            info.rcv_wscale = self.options.window_scale();
        }
        info.last_ack_recv = millis_since(now, self.keep_alive.heard_at);
        info.pmtu = self.path_mtu.min(limits.mtu) as u32;
        let headers = self.account.ip_header() + TCP_HEADER as u32;
        info.advmss = (limits.mtu as u32).saturating_sub(headers);
        let written = sequences.iss.plus(1).plus(sequences.written);
        if sequences.syn_sent {
            info.notsent_bytes = written.ahead_of(sequences.snd_max).max(0).cast_unsigned();
        }
        info.snd_wnd = sequences.send_window();
        let scale = if sequences.window_of_syn || !peer_scales { 0 } else { info.rcv_wscale };
        info.rcv_wnd = u32::from(sequences.window_sent) << scale;
        info.max_pacing_rate = u64::MAX;
        info
    }
}
