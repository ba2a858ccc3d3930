//! Settings of a Linux kernel, as options of a host.

use std::time::Duration;

use super::error::{Step, Stop};
use crate::host::{CongestionControl, HostOptions, TcpEngine};

/// What `defaults.sh` of the published scripts sets, so far as it is not what a host has anyway.
const DEFAULTS: [(&str, &str); 7] = [
    ("tcp_rmem", "4096 540000 15728640"),
    ("tcp_wmem", "4096 262144 4194304"),
    ("tcp_syn_retries", "5"),
    ("tcp_synack_retries", "5"),
    ("tcp_congestion_control", "cubic"),
    ("tcp_slow_start_after_idle", "0"),
    ("tcp_syncookies", "1"),
];

/// Settings that a host always has with these values.
const FIXED: [(&str, &[&str]); 13] = [
    ("sys.module.tcp_cubic.parameters.hystart_detect", &["3"]),
    ("tcp_dsack", &["1"]),
    ("tcp_ecn", &["2"]),
    ("tcp_recovery", &["1"]),
    ("tcp_frto", &["1", "2"]),
    ("tcp_reordering", &["3"]),
    ("tcp_fack", &["0", "1"]),
    ("tcp_moderate_rcvbuf", &["1"]),
    ("tcp_mtu_probing", &["0"]),
    ("tcp_rfc1337", &["0"]),
    ("tcp_notsent_lowat", &["4294967295", "-1"]),
    ("tcp_shrink_window", &["0"]),
    ("tcp_stdurg", &["0"]),
];

/// Settings of what a host does not have: segmentation by network cards, pacing, metrics of earlier
/// connections, probes of which there are none.
const WITHOUT_COUNTERPART: [&str; 13] = [
    "tcp_tso_win_divisor",
    "tcp_min_tso_segs",
    "tcp_tso_rtt_log",
    "tcp_pacing_ss_ratio",
    "tcp_pacing_ca_ratio",
    "tcp_limit_output_bytes",
    "tcp_no_metrics_save",
    "tcp_base_mss",
    "tcp_ecn_option",
    "tcp_challenge_ack_limit",
    "tcp_comp_sack_nr",
    "tcp_comp_sack_delay_ns",
    "net.core.default_qdisc",
];

/// Sets what `defaults.sh` sets.
pub(super) fn defaults(options: &mut HostOptions) -> Step {
    DEFAULTS.iter().try_for_each(|(name, value)| set(options, name, value))
}

/// Sets one; those of `net.ipv4` have short names.
pub(super) fn set(options: &mut HostOptions, name: &str, value: &str) -> Step {
    let old = options.clone();
    let value = value.trim();
    // smoltcp's buffers have one size.
    let grows = old.tcp_engine != TcpEngine::Smoltcp;
    let number = || number(name, value);
    let seconds = || number().map(|seconds| Duration::from_secs(seconds.into()));
    *options = match name {
        "tcp_rmem" => {
            let (default, max) = buffers(name, value)?;
            let old = old.recv_buffer(default);
            if grows { old.recv_buffer_max(max) } else { old }
        }
        "tcp_wmem" => {
            let (default, max) = buffers(name, value)?;
            let old = old.send_buffer(default);
            if grows { old.send_buffer_max(max) } else { old }
        }
        "tcp_adv_win_scale" => old.adv_win_scale(number()?.min(255) as u8),
        "tcp_congestion_control" => match value {
            "cubic" => old.congestion_control(CongestionControl::Cubic),
            "reno" => old.congestion_control(CongestionControl::Reno),
            other => return Stop::skipped(format!("there is no congestion control {other}")),
        },
        "tcp_timestamps" => old.timestamps(number()? != 0),
        "tcp_sack" => old.sack(number()? != 0),
        "tcp_ecn" if grows => match number()? {
            1 => old.ecn(true),
            2 => old.ecn(false),
            other => return Stop::skipped(format!("{name}={other} is not simulated")),
        },
        "tcp_window_scaling" => old.window_scaling(number()? != 0),
        "tcp_slow_start_after_idle" if grows => old.slow_start_after_idle(number()? != 0),
        "tcp_slow_start_after_idle" => old,
        "tcp_early_retrans" => match number()? {
            0 => old.tail_loss_probe(false),
            3 | 4 => old.tail_loss_probe(true),
            other => return Stop::skipped(format!("{name}={other} is not simulated")),
        },
        "tcp_keepalive_time" => old.keepalive_time(seconds()?),
        "tcp_keepalive_intvl" => old.keepalive_interval(seconds()?),
        "tcp_keepalive_probes" => old.keepalive_probes(number()?),
        "tcp_syn_linear_timeouts" => old.syn_linear_timeouts(number()?),
        "tcp_syn_retries" => old.syn_retries(number()?),
        "tcp_synack_retries" => old.synack_retries(number()?),
        "tcp_retries2" => old.retries(number()?),
        "tcp_orphan_retries" => old.orphan_retries(number()?),
        "tcp_fin_timeout" => old.fin_timeout(seconds()?),
        "tcp_max_syn_backlog" => old.syn_backlog(number()? as usize),
        "tcp_syncookies" => old.syn_cookies(number()? != 0),
        "tcp_abort_on_overflow" => old.reset_on_overflow(number()? != 0),
        _ if name.starts_with("tcp_fastopen") => {
            return Stop::skipped("TCP Fast Open is not simulated");
        }
        _ if WITHOUT_COUNTERPART.contains(&name) => old,
        _ => match FIXED.iter().find(|(known, _)| *known == name) {
            Some((_, values)) if values.contains(&value) => old,
            Some(_) => return Stop::skipped(format!("{name}={value} is not simulated")),
            None => return Stop::failed(format!("the setting {name} is not understood")),
        },
    };
    Ok(())
}

/// Settings of a route, which here are those of the host.
pub(super) fn route(options: &mut HostOptions, words: &[&str]) -> Step {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "via" | "dev" | "src" | "proto" | "scope" | "metric" => {
                words.next();
            }
            "mtu" => {
                let mtu = words.find(|word| **word != "lock").and_then(|mtu| mtu.parse().ok());
                let Some(mtu) = mtu else { return Stop::failed("mtu wants a number") };
                *options = options.clone().mtu(mtu);
            }
            "initcwnd" => {
                let segments = words.next().and_then(|segments| segments.parse().ok());
                let Some(segments) = segments else {
                    return Stop::failed("initcwnd wants a number");
                };
                *options = options.clone().initial_window(segments);
            }
            "advmss" | "initrwnd" | "rto_min" | "quickack" | "features" | "congctl" => {
                return Stop::skipped(format!("{word} of a route is not simulated"));
            }
            address if address.contains(['.', ':']) || address == "default" => {}
            other => return Stop::failed(format!("{other} of a route is not understood")),
        }
    }
    Ok(())
}

fn number(name: &str, value: &str) -> Step<u32> {
    let number = value.parse().or_else(|_| u32::from_str_radix(value.trim_start_matches("0x"), 16));
    number.or_else(|_| Stop::failed(format!("{name} wants a number, not {value}")))
}

/// The second and the third of three sizes.
fn buffers(name: &str, value: &str) -> Step<(usize, usize)> {
    let sizes: Vec<Option<usize>> =
        value.split_whitespace().map(|size| size.parse().ok()).collect();
    match sizes[..] {
        [Some(_), Some(default), Some(max)] => Ok((default, max)),
        _ => Stop::failed(format!("{name} wants three sizes, not {value}")),
    }
}
