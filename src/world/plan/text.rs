//! The printed form of a plan: a line for each thing that was said.

use std::fmt;
use std::time::Duration;

use super::{Limits, Plan};
use crate::host::HostOptions;
use crate::net::names::{DnsRecord, IpVersion};
use crate::network::Impairments;

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "seed {}", self.seed.0)?;
        for host in &self.hosts {
            write!(formatter, "\n{host}")?;
        }
        if self.default_options != HostOptions::default() {
            write!(formatter, "\noptions *{}", OptionsText(&self.default_options))?;
        }
        for (host, options) in &self.options {
            write!(formatter, "\noptions {host}{}", OptionsText(options))?;
        }
        for ((from, to), impairments) in &self.links {
            write!(formatter, "\nlink {from} > {to}{}", ImpairmentsText(impairments))?;
        }
        for (names, address) in &self.names.lines {
            write!(formatter, "\nhosts {address} {names}")?;
        }
        for nameserver in &self.names.nameservers {
            write!(formatter, "\nnameserver {nameserver}")?;
        }
        if self.names.ip_version != IpVersion::default() {
            write!(formatter, "\nip-version {:?}", self.names.ip_version)?;
        }
        for (name, record) in &self.names.records {
            let (kind, value) = match record {
                DnsRecord::Address(address) => ("address", address.to_string()),
                DnsRecord::Cname(target) => ("cname", target.clone()),
                DnsRecord::Ptr(target) => ("ptr", target.clone()),
            };
            write!(formatter, "\nrecord {name} {kind} {value}")?;
        }
        for capture in &self.captures {
            write!(formatter, "\ncapture {} to {}", capture.point, capture.name)?;
            if !capture.has_events {
                formatter.write_str(" frames-only")?;
            }
        }
        for frames in &self.dropped {
            write!(formatter, "\ndrop {frames}")?;
        }
        for (at, fault) in &self.faults {
            write!(formatter, "\nat {:?} {fault}", Duration::from_nanos(*at))?;
        }
        write!(formatter, "{}", LimitsText(&self.limits))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// What is set otherwise than by default.
struct OptionsText<'o>(&'o HostOptions);

impl fmt::Display for OptionsText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_default = fields(&HostOptions::default());
        for ((name, value), (_, default)) in fields(self.0).into_iter().zip(by_default) {
            if value != default {
                write!(formatter, " {name} {value}")?;
            }
        }
        Ok(())
    }
}

fn fields(options: &HostOptions) -> [(&'static str, String); 44] {
    // What is left out says which of the others were set.
    let HostOptions {
        mtu: _,
        needs_glassnet: _,
        tcp_engine,
        recv_buffer,
        send_buffer,
        recv_buffer_max,
        send_buffer_max,
        adv_win_scale,
        congestion_control,
        ack_delay,
        nagle,
        syn_retries,
        synack_retries,
        retries,
        orphan_retries,
        fin_timeout,
        time_wait,
        ip_local_port_range,
        syn_backlog,
        syn_cookies,
        reset_on_overflow,
        tcp_mem: _,
        max_connections,
        rmem_max,
        wmem_max,
        recv_buffer_min,
        send_buffer_min,
        keepalive_time,
        keepalive_interval,
        keepalive_probes,
        sack,
        timestamps,
        window_scaling,
        ecn,
        initial_window,
        initial_window_bytes,
        slow_start_after_idle,
        hystart,
        rto_initial,
        rto_min,
        rto_floor,
        rto_max,
        tail_loss_probe,
        ack_delay_min,
        quick_acks,
        syn_linear_timeouts,
    } = options;
    let none = || "none".to_owned();
    let ack_delay = ack_delay.map_or_else(none, |delay| format!("{delay:?}"));
    [
        ("mtu", options.mtu_in_force().to_string()),
        ("tcp_engine", format!("{tcp_engine:?}").to_lowercase()),
        ("recv_buffer", recv_buffer.to_string()),
        ("send_buffer", send_buffer.to_string()),
        ("recv_buffer_max", recv_buffer_max.to_string()),
        ("send_buffer_max", send_buffer_max.to_string()),
        ("adv_win_scale", adv_win_scale.to_string()),
        ("congestion_control", format!("{congestion_control:?}").to_lowercase()),
        ("ack_delay", ack_delay),
        ("nagle", nagle.to_string()),
        ("syn_retries", syn_retries.to_string()),
        ("synack_retries", synack_retries.to_string()),
        ("retries", retries.to_string()),
        ("orphan_retries", orphan_retries.to_string()),
        ("fin_timeout", format!("{fin_timeout:?}")),
        ("time_wait", format!("{time_wait:?}")),
        ("ip_local_port_range", format!("{ip_local_port_range:?}")),
        ("syn_backlog", syn_backlog.to_string()),
        ("syn_cookies", syn_cookies.to_string()),
        ("reset_on_overflow", reset_on_overflow.to_string()),
        ("tcp_mem", options.tcp_mem_in_force().to_string()),
        ("max_connections", max_connections.to_string()),
        ("rmem_max", rmem_max.to_string()),
        ("wmem_max", wmem_max.to_string()),
        ("recv_buffer_min", recv_buffer_min.to_string()),
        ("send_buffer_min", send_buffer_min.to_string()),
        ("keepalive_time", format!("{keepalive_time:?}")),
        ("keepalive_interval", format!("{keepalive_interval:?}")),
        ("keepalive_probes", keepalive_probes.to_string()),
        ("sack", sack.to_string()),
        ("timestamps", timestamps.to_string()),
        ("window_scaling", window_scaling.to_string()),
        ("ecn", ecn.to_string()),
        ("initial_window", initial_window.to_string()),
        ("initial_window_bytes", initial_window_bytes.map_or_else(none, |bytes| bytes.to_string())),
        ("slow_start_after_idle", slow_start_after_idle.to_string()),
        ("hystart", format!("{hystart:?}").to_lowercase()),
        ("rto_initial", format!("{rto_initial:?}")),
        ("rto_min", format!("{rto_min:?}")),
        ("rto_floor", format!("{rto_floor:?}")),
        ("rto_max", format!("{rto_max:?}")),
        ("tail_loss_probe", tail_loss_probe.to_string()),
        ("ack_delay_min", format!("{ack_delay_min:?}")),
        ("quick_acks", quick_acks.to_string()),
        ("syn_linear_timeouts", syn_linear_timeouts.to_string()),
    ]
}

/// In the words of `tc-netem(8)`.
struct ImpairmentsText<'i>(&'i Impairments);

impl fmt::Display for ImpairmentsText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Impairments { delay: _, jitter, loss, duplicate, reorder, rate, queue, in_flight, mtu } =
            self.0;
        let default = Impairments::default();
        write!(formatter, " delay {:?}", self.0.delay_in_force())?;
        if *jitter > Duration::ZERO {
            write!(formatter, " jitter {jitter:?}")?;
        }
        let probabilities = [("loss", loss), ("duplicate", duplicate), ("reorder", reorder)];
        for (name, probability) in probabilities {
            if *probability > 0.0 {
                // As many digits as were meant.
                write!(formatter, " {name} {}%", (probability * 1e8).round() / 1e6)?;
            }
        }
        if let Some(rate) = rate {
            write!(formatter, " rate {rate}bit")?;
        }
        if *queue != default.queue {
            write!(formatter, " limit {queue}")?;
        }
        if *in_flight != default.in_flight {
            write!(formatter, " in-flight {in_flight}")?;
        }
        match mtu {
            Some(mtu) => write!(formatter, " mtu {mtu}"),
            None => Ok(()),
        }
    }
}

/// What is set otherwise than by default, a line each.
struct LimitsText<'l>(&'l Limits);

impl fmt::Display for LimitsText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { events, polls, time, poll_time, in_flight } = self.0;
        let default = Limits::default();
        if *events != default.events {
            write!(formatter, "\nlimit events {events}")?;
        }
        if *polls != default.polls {
            write!(formatter, "\nlimit polls {polls}")?;
        }
        if *time != default.time {
            write!(formatter, "\nlimit time {time:?}")?;
        }
        if *poll_time != default.poll_time {
            write!(formatter, "\nlimit poll-time {poll_time:?}")?;
        }
        if *in_flight != default.in_flight {
            write!(formatter, "\nlimit in-flight {in_flight}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CapturePlan, CapturePoint, Role};
    use super::*;

    #[test]
    fn a_plan_is_printed_a_line_for_each_thing_that_was_said() {
        let mut plan = Plan::new(7);
        plan.add_host("server", Role::Host).unwrap();
        plan.add_host("client", Role::Client).unwrap();
        plan.set_default_options(HostOptions::default().retries(3));
        plan.set_options("server", HostOptions::default().mtu(9_000).nagle(false));
        *plan.link("client", "server") =
            Impairments::default().delay(Duration::from_millis(20)).loss(0.1).rate(8_000_000);
        plan.link("server", "client");
        plan.names().lines.push(("db.example.com db".to_owned(), [10, 0, 0, 9].into()));
        let point = CapturePoint::of_host("server");
        let name = "server.pcapng".to_owned();
        plan.add_capture(CapturePlan { point, name, has_events: false });
        plan.drop_frames("client:syn:1-2".parse().unwrap());
        plan.add_fault(3_500_000_000, "partition client > server".parse().unwrap());
        plan.limits.events = 1_000;
        assert_eq!(
            plan.to_string(),
            "seed 7\n\
             host server on lan 10.0.0.1/16 fd00::1/64\n\
             client client on lan 10.0.0.2/16 fd00::2/64\n\
             options * retries 3\n\
             options server mtu 9000 nagle false\n\
             link client > server delay 20ms loss 10% rate 8000000bit\n\
             link server > client delay 1ms\n\
             hosts 10.0.0.9 db.example.com db\n\
             capture server.eth0 to server.pcapng frames-only\n\
             drop client:syn:1-2\n\
             at 3.5s partition client > server\n\
             limit events 1000"
        );
    }
}
