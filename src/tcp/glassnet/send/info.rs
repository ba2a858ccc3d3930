//! What the sending half tells of itself.

use super::{Phase, Sender};
use crate::tcp::counters::millis_since;
use crate::tcp::info::{self, TcpCaState, TcpInfo};

impl Sender {
    /// Puts what it knows into `info`.
    pub(in crate::tcp::glassnet) fn inform(&self, now: u64, info: &mut TcpInfo) {
        let flag = |is_so: bool, flag: u8| if is_so { flag } else { 0 };
        info.ca_state = match self.phase {
            Phase::Open => TcpCaState::Open,
            Phase::Disorder => TcpCaState::Disorder,
            Phase::Reducing => TcpCaState::Cwr,
            Phase::Recovery => TcpCaState::Recovery,
            Phase::Loss => TcpCaState::Loss,
        };
        info.retransmits = self.retries.min(255) as u8;
        info.probes = self.window_probes.min(255) as u8;
        info.backoff = self.retries.max(self.backoff).min(255) as u8;
        info.options |= flag(self.has_timestamps, info::TIMESTAMPS)
            | flag(self.has_sack, info::SACK)
            | flag(self.peer_scales, info::WSCALE);
        info.snd_wscale = self.scale;
        info.rto = (self.rto() / 1_000).min(u64::from(u32::MAX)) as u32;
        info.snd_mss = self.mss;
        info.unacked = self.flight.packets();
        info.sacked = self.flight.sacked();
        info.lost = self.flight.lost();
        info.retrans = self.flight.retransmitted();
        info.last_data_sent = millis_since(now, self.last_sent);
        info.rtt = self.round_trip.smoothed().unwrap_or(0);
        info.rttvar = self.round_trip.deviation();
        info.snd_ssthresh = self.congestion.threshold();
        info.snd_cwnd = self.congestion.window();
        info.reordering = self.reordering;
        info.total_retrans = self.retransmissions;
        info.pacing_rate = self.pacing_rate();
        info.max_pacing_rate = u64::MAX;
        info.bytes_acked = self.bytes_acked;
        info.notsent_bytes = self.written.ahead_of(self.nxt).max(0).cast_unsigned();
        info.min_rtt = self.round_trip.min();
        info.delivery_rate = self.rate.bytes_per_second(self.mss);
        info.delivery_rate_app_limited = self.rate.was_app_limited();
        info.busy_time = self.chronograph.busy(now);
        info.rwnd_limited = self.chronograph.held_by_window(now, &self.seldom);
        info.sndbuf_limited = self.chronograph.held_by_buffer(now, &self.seldom);
        info.delivered = self.delivered;
        info.dsack_dups = self.seldom.dsack_duplicates();
        info.reord_seen = self.seldom.reorderings();
        info.bytes_retrans = self.seldom.bytes_repeated();
        info.snd_wnd = self.window;
    }

    /// Linux's `tcp_update_pacing_rate`: twice the window a round trip in slow start, and 1.2 times
    /// later on.
    fn pacing_rate(&self) -> u64 {
        let Some(rtt) = self.round_trip.smoothed() else { return u64::MAX };
        let (window, threshold) = (self.congestion.window(), self.congestion.threshold());
        let percent = if window < threshold / 2 { 200 } else { 120 };
        let segments = u64::from(window.max(self.flight.packets()));
        let bytes = (u64::from(self.mss) * segments).saturating_mul(percent * 10_000);
        bytes / u64::from(rtt.max(1))
    }
}
