//! What a TCP socket tells of itself, as `ss -in` prints it (`tcp_stats_print` of iproute2).

use std::fmt;

use crate::tcp::{CongestionControl, TcpInfo, TcpState};

/// `ss` shows no threshold above this.
const MAX_THRESHOLD: u32 = 0xffff;

/// The line below a socket's.
pub(super) struct InfoLine<'i> {
    pub(super) info: &'i TcpInfo,
    pub(super) control: Option<CongestionControl>,
}

/// Milliseconds of microseconds, as `%g` prints them: no more than six digits.
fn millis(micros: u64) -> String {
    let (whole, thousandths) = (micros / 1_000, micros % 1_000);
    let digits = 6usize.saturating_sub(whole.to_string().len()).min(3);
    let unit = 10u64.pow(3 - digits as u32);
    let rounded = (thousandths + unit / 2) / unit;
    if digits == 0 {
        return (whole + u64::from(thousandths >= 500)).to_string();
    }
    let carried = whole + rounded / 10u64.pow(digits as u32);
    let fraction = format!("{:0digits$}", rounded % 10u64.pow(digits as u32));
    match fraction.trim_end_matches('0') {
        "" => carried.to_string(),
        fraction => format!("{carried}.{fraction}"),
    }
}

/// A part of the time that a sender was busy: `20ms(50.0%)`.
fn share(part: u64, busy: u64) -> String {
    let tenths = (part * 1_000 + busy / 2) / busy;
    format!("{}ms({}.{}%)", part / 1_000, tenths / 10, tenths % 10)
}

impl InfoLine<'_> {
    /// The parts of the line, in `ss`'s order; what is 0 is left out.
    fn parts(&self) -> Vec<String> {
        let TcpInfo { options, .. } = *self.info;
        let flags = [(1, "ts"), (2, "sack"), (8, "ecn"), (16, "ecnseen")];
        let set = flags.iter().filter(|(bit, _)| options & bit != 0);
        let mut parts: Vec<String> = set.map(|(_, name)| (*name).to_owned()).collect();
        parts.extend(self.control.map(|control| name_of(control).to_owned()));
        self.add_sender(&mut parts);
        self.add_counters(&mut parts);
        self.add_rates(&mut parts);
        self.add_flight(&mut parts);
        parts
    }

    fn add_sender(&self, parts: &mut Vec<String>) {
        let info = self.info;
        if info.options & 4 != 0 {
            parts.push(format!("wscale:{},{}", info.snd_wscale, info.rcv_wscale));
        }
        if info.rto > 0 {
            parts.push(format!("rto:{}", millis(info.rto.into())));
        }
        add(parts, "backoff", info.backoff.into());
        if info.rtt > 0 {
            let (rtt, variance) = (millis(info.rtt.into()), millis(info.rttvar.into()));
            parts.push(format!("rtt:{rtt}/{variance}"));
        }
        if info.ato > 0 {
            parts.push(format!("ato:{}", millis(info.ato.into())));
        }
        add(parts, "mss", info.snd_mss.into());
        add(parts, "pmtu", info.pmtu.into());
        add(parts, "rcvmss", info.rcv_mss.into());
        add(parts, "advmss", info.advmss.into());
        add(parts, "cwnd", info.snd_cwnd.into());
        if info.snd_ssthresh < MAX_THRESHOLD {
            add(parts, "ssthresh", info.snd_ssthresh.into());
        }
    }

    fn add_counters(&self, parts: &mut Vec<String>) {
        let info = self.info;
        add(parts, "bytes_sent", info.bytes_sent);
        add(parts, "bytes_retrans", info.bytes_retrans);
        add(parts, "bytes_acked", info.bytes_acked);
        add(parts, "bytes_received", info.bytes_received);
        add(parts, "segs_out", info.segs_out.into());
        add(parts, "segs_in", info.segs_in.into());
        add(parts, "data_segs_out", info.data_segs_out.into());
        add(parts, "data_segs_in", info.data_segs_in.into());
    }

    fn add_rates(&self, parts: &mut Vec<String>) {
        let info = self.info;
        if info.rtt > 0 {
            let window = u128::from(info.snd_cwnd) * u128::from(info.snd_mss);
            parts.push(format!("send {}bps", window * 8_000_000 / u128::from(info.rtt)));
        }
        add(parts, "lastsnd", info.last_data_sent.into());
        add(parts, "lastrcv", info.last_data_recv.into());
        add(parts, "lastack", info.last_ack_recv.into());
        if info.pacing_rate > 0 && info.pacing_rate < u64::MAX {
            parts.push(format!("pacing_rate {}bps", u128::from(info.pacing_rate) * 8));
        }
        if info.delivery_rate > 0 {
            parts.push(format!("delivery_rate {}bps", u128::from(info.delivery_rate) * 8));
        }
        add(parts, "delivered", info.delivered.into());
        add(parts, "delivered_ce", info.delivered_ce.into());
        if info.delivery_rate_app_limited {
            parts.push("app_limited".to_owned());
        }
        if info.busy_time > 0 {
            parts.push(format!("busy:{}ms", info.busy_time / 1_000));
            let limits = [("rwnd", info.rwnd_limited), ("sndbuf", info.sndbuf_limited)];
            for (name, part) in limits.into_iter().filter(|(_, part)| *part > 0) {
                parts.push(format!("{name}_limited:{}", share(part, info.busy_time)));
            }
        }
    }

    fn add_flight(&self, parts: &mut Vec<String>) {
        let info = self.info;
        let is_listener = info.state == TcpState::Listen;
        add(parts, "unacked", info.unacked.into());
        if info.retrans > 0 || info.total_retrans > 0 {
            parts.push(format!("retrans:{}/{}", info.retrans, info.total_retrans));
        }
        add(parts, "lost", info.lost.into());
        add(parts, "sacked", if is_listener { 0 } else { info.sacked.into() });
        add(parts, "dsack_dups", info.dsack_dups.into());
        if info.reordering != 3 {
            add(parts, "reordering", info.reordering.into());
        }
        add(parts, "reord_seen", info.reord_seen.into());
        if info.rcv_rtt > 0 {
            parts.push(format!("rcv_rtt:{}", millis(info.rcv_rtt.into())));
        }
        add(parts, "rcv_space", info.rcv_space.into());
        add(parts, "rcv_ssthresh", info.rcv_ssthresh.into());
        add(parts, "notsent", info.notsent_bytes.into());
        if info.min_rtt > 0 && info.min_rtt < u32::MAX {
            parts.push(format!("minrtt:{}", millis(info.min_rtt.into())));
        }
        add(parts, "rcv_ooopack", info.rcv_ooopack.into());
        add(parts, "snd_wnd", info.snd_wnd.into());
        add(parts, "rcv_wnd", info.rcv_wnd.into());
    }
}

fn add(parts: &mut Vec<String>, name: &str, value: u64) {
    if value > 0 {
        parts.push(format!("{name}:{value}"));
    }
}

fn name_of(control: CongestionControl) -> &'static str {
    match control {
        CongestionControl::Reno => "reno",
        CongestionControl::Cubic => "cubic",
        CongestionControl::None => "none",
    }
}

impl fmt::Display for InfoLine<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.parts().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_written_as_g_writes_them() {
        let written =
            [0, 28, 20_000, 20_125, 20_100, 1_234_567, 12_345_678, 120_000_000].map(millis);
        let expected = ["0", "0.028", "20", "20.125", "20.1", "1234.57", "12345.7", "120000"];
        assert_eq!(written, expected);
        assert_eq!((millis(1_999_999), millis(999_999_500)), ("2000".into(), "1000000".into()));
    }

    #[test]
    fn shares_are_in_tenths_of_a_percent() {
        assert_eq!(share(20_000, 60_000), "20ms(33.3%)");
        assert_eq!(share(60_000, 60_000), "60ms(100.0%)");
    }
}
