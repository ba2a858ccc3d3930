//! What a connection tells of itself (Linux's `tcp_get_info`).

use super::GlassnetEngine;
use crate::tcp::counters::millis_since;
use crate::tcp::glassnet::options::TIMESTAMPS_LEN;
use crate::tcp::info::TcpInfo;
use crate::tcp::limits::Limits;
use crate::tcp::state::TcpState;

impl GlassnetEngine {
    pub(in crate::tcp) fn info(&self, now: u64, limits: &Limits) -> TcpInfo {
        // On Linux TIME-WAIT is the host's, and the socket itself is closed.
        let is_closed = self.state == TcpState::TimeWait;
        let mut info = TcpInfo::new(if is_closed { TcpState::Closed } else { self.state });
        self.send.inform(now, &mut info);
        self.receive.inform(now, &mut info);
        if !self.send.peer_scales() {
            info.rcv_wscale = 0;
        }
        if self.state.is_opening() && self.send.nxt() != self.iss {
            info.unacked = 1;
        }
        info.probes = info.probes.max(self.keep_alive_probes.min(255) as u8);
        info.last_ack_recv = millis_since(now, self.heard_at);
        info.pmtu = self.path_mtu.min(limits.mtu as u32);
        let timestamps = if self.has_timestamps { TIMESTAMPS_LEN } else { 0 };
        info.advmss = super::payload_of(limits.mtu as u32, self.ip_header) - timestamps;
        self.counters.inform(&mut info);
        // What was sent is what is acknowledged or not, but for SYN and FIN, and what was sent again.
        let (una, nxt) = (self.send.una(), self.send.nxt());
        let in_flight = u64::from(nxt.ahead_of(una).max(0).cast_unsigned());
        let has_syn = if una == self.iss { nxt != una } else { !self.is_passive };
        let controls = u64::from(has_syn) + u64::from(self.send.has_sent_fin());
        let sent_once = (info.bytes_acked + in_flight).saturating_sub(controls);
        info.bytes_sent = sent_once + info.bytes_retrans;
        info
    }
}
