//! What the receiving half tells of itself.

use super::Receiver;
use crate::tcp::counters::millis_since;
use crate::tcp::info::TcpInfo;

impl Receiver {
    /// Puts what it knows into `info`.
    pub(in crate::tcp::glassnet) fn inform(&self, now: u64, info: &mut TcpInfo) {
        let micros = |nanos: u64| (nanos / 1_000).min(u64::from(u32::MAX)) as u32;
        info.rcv_wscale = self.scale;
        info.ato = micros(self.acks.delay_of_next());
        info.rcv_mss = self.mss;
        info.last_data_recv = millis_since(now, self.acks.last_data());
        info.rcv_ssthresh = self.allowed;
        info.rcv_rtt = micros(self.tuning.rtt);
        info.rcv_space = self.tuning.space;
        info.bytes_received = self.bytes;
        info.rcv_ooopack = self.out_of_order;
        info.rcv_wnd = self.window;
    }
}
