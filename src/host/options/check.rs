//! What is wrong with settings.

use std::time::Duration;

use super::HostOptions;
use crate::tcp::{MAX_KEEP_ALIVE_RETRIES, MAX_KEEP_ALIVE_SECONDS, TcpEngine};

/// The longest that any retransmission timeout may be set to.
const MAX_RTO: Duration = Duration::from_secs(3_600);

impl HostOptions {
    /// Takes note of whether `option` is one that smoltcp's engine cannot keep.
    pub(super) fn needing_glassnet(mut self, option: &'static str, needs: bool) -> HostOptions {
        if needs {
            self.needs_glassnet.insert(option);
        } else {
            self.needs_glassnet.remove(option);
        }
        self
    }

    /// What is wrong with these settings, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let within = |what: &str, value: usize, min: usize, max: usize| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                Err(format!("{what} of {value} is not within {min} to {max}"))
            }
        };
        let (first, last) = (*self.ip_local_port_range.start(), *self.ip_local_port_range.end());
        if first == 0 || first > last {
            return Err(format!("ip_local_port_range of {first} to {last} holds no ports"));
        }
        // 68 is the least that every IPv4 module must take (RFC 791 3.2).
        within("mtu", self.mtu_in_force(), 68, 65_535)?;
        within("recv_buffer", self.recv_buffer, 1, 1 << 30)?;
        within("send_buffer", self.send_buffer, 1, 1 << 30)?;
        within("recv_buffer_max", self.recv_buffer_max, 0, 1 << 30)?;
        within("send_buffer_max", self.send_buffer_max, 0, 1 << 30)?;
        within("adv_win_scale", self.adv_win_scale.into(), 0, 31)?;
        within("rmem_max", self.rmem_max as usize, 1, 1 << 29)?;
        within("wmem_max", self.wmem_max as usize, 1, 1 << 29)?;
        within("recv_buffer_min", self.recv_buffer_min, 1, 1 << 30)?;
        within("send_buffer_min", self.send_buffer_min, 1, 1 << 30)?;
        within("initial_window", self.initial_window as usize, 1, 10_000)?;
        within("syn_linear_timeouts", self.syn_linear_timeouts as usize, 0, 127)?;
        within(
            "keepalive_probes",
            self.keepalive_probes as usize,
            1,
            MAX_KEEP_ALIVE_RETRIES.into(),
        )?;
        self.check_times()?;
        if !self.needs_glassnet.is_empty() && self.tcp_engine == TcpEngine::Smoltcp {
            let asked: Vec<&str> = self.needs_glassnet.iter().copied().collect();
            return Err(format!(
                "{} need tcp_engine(TcpEngine::Glassnet): smoltcp's TCP cannot keep them",
                asked.join(", ")
            ));
        }
        let tcp_mem = self.tcp_mem_in_force();
        if tcp_mem < 8_192 {
            return Err(format!("tcp_mem of {tcp_mem} is less than 8192"));
        }
        within("syn_backlog", self.syn_backlog, 1, 1 << 20)
    }

    fn check_times(&self) -> Result<(), String> {
        let within = |what: &str, time: Duration, min: Duration, max: Duration| {
            if (min..=max).contains(&time) {
                Ok(())
            } else {
                Err(format!("{what} of {time:?} is not within {min:?} to {max:?}"))
            }
        };
        let (second, longest) = (Duration::from_secs(1), MAX_RTO);
        let keep_alive = second * u32::from(MAX_KEEP_ALIVE_SECONDS);
        within("rto_initial", self.rto_initial, Duration::from_millis(1), longest)?;
        within("rto_min", self.rto_min, Duration::from_micros(1), longest)?;
        within("rto_floor", self.rto_floor, Duration::ZERO, longest)?;
        within("rto_max", self.rto_max, Duration::from_millis(1), longest)?;
        within("keepalive_time", self.keepalive_time, second, keep_alive)?;
        within("keepalive_interval", self.keepalive_interval, second, keep_alive)?;
        let least = self.rto_initial.max(self.rto_floor);
        if self.rto_max < least {
            return Err(format!(
                "rto_max of {:?} is less than rto_initial or rto_floor",
                self.rto_max
            ));
        }
        Ok(())
    }
}
