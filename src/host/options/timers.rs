//! The timers of TCP: how long a segment, an acknowledgment, a peer or a port is waited for.

use std::time::Duration;

use super::HostOptions;

impl HostOptions {
    /// The retransmission timeout before a round trip was measured, for SYNs above all, 1 ms to an
    /// hour: RFC 6298 (2.1), Linux's `TCP_TIMEOUT_INIT`. Default 1 s. Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn rto_initial(mut self, timeout: Duration) -> HostOptions {
        self.rto_initial = timeout;
        self.needing_glassnet("rto_initial", true)
    }

    /// What the retransmission timeout exceeds the smoothed round-trip time by, at least, 1 us to an
    /// hour: Linux's `TCP_RTO_MIN`, `rto_min` of `ip-route(8)`. So much longer a probe for the loss
    /// of a lone segment waits as well, since its acknowledgment may be delayed. Default 200 ms.
    /// Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn rto_min(mut self, timeout: Duration) -> HostOptions {
        self.rto_min = timeout;
        self.needing_glassnet("rto_min", true)
    }

    /// The least retransmission timeout, whatever the round-trip time, at most an hour: RFC 6298
    /// (2.4) has 1 s. Default 0, as on Linux. Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn rto_floor(mut self, timeout: Duration) -> HostOptions {
        self.rto_floor = timeout;
        self.needing_glassnet("rto_floor", true)
    }

    /// The longest retransmission timeout, and the longest time between probes of a closed window,
    /// 1 ms to an hour: RFC 6298 (2.5), Linux's `TCP_RTO_MAX`. Default 120 s. Needs
    /// [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn rto_max(mut self, timeout: Duration) -> HostOptions {
        self.rto_max = timeout;
        self.needing_glassnet("rto_max", true)
    }

    /// Whether the last segments of a flight are probed for two round trips after they left, before
    /// the retransmission timeout (RFC 8985 section 7): Linux's `tcp_early_retrans` of 3. Only with
    /// SACK. Default on. Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn tail_loss_probe(mut self, on: bool) -> HostOptions {
        self.tail_loss_probe = on;
        self.needing_glassnet("tail_loss_probe", true)
    }

    /// How many times a SYN is sent again after
    /// [`rto_initial`](HostOptions::rto_initial) each, before that time doubles, 0 to 127: Linux's
    /// `tcp_syn_linear_timeouts`, 4 there since 6.5. Default 0. With 4 a SYN leaves again after 1, 2,
    /// 3, 4, 5, 7, 11, 19, 35 and 67 seconds, and `connect` gives up after 131. Needs
    /// [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn syn_linear_timeouts(mut self, retransmissions: u32) -> HostOptions {
        self.syn_linear_timeouts = retransmissions;
        self.needing_glassnet("syn_linear_timeouts", true)
    }

    /// How long an acknowledgment may wait for data to ride on, or for a second segment (RFC 9293
    /// section 3.8.6.3); `None` acknowledges at once. Default 10 ms. Linux's `TCP_DELACK_MAX` is 200 ms.
    /// [`TcpEngine::Glassnet`](crate::TcpEngine::Glassnet) waits from
    /// [`ack_delay_min`](HostOptions::ack_delay_min) up to this, as far apart as the peer's segments
    /// are.
    pub fn ack_delay(mut self, delay: impl Into<Option<Duration>>) -> HostOptions {
        self.ack_delay = delay.into();
        self
    }

    /// The least that an acknowledgment waits where it may: Linux's `TCP_DELACK_MIN`. More than
    /// [`ack_delay`](HostOptions::ack_delay) counts as that. Default 40 ms. Needs
    /// [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn ack_delay_min(mut self, delay: Duration) -> HostOptions {
        self.ack_delay_min = delay;
        self.needing_glassnet("ack_delay_min", true)
    }

    /// How many acknowledgments leave at once when a connection begins, after a silence, and after
    /// a gap, but no more than segments that half of the window holds: Linux's `TCP_MAX_QUICKACKS`.
    /// Default 16. Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn quick_acks(mut self, acknowledgments: u8) -> HostOptions {
        self.quick_acks = acknowledgments;
        self.needing_glassnet("quick_acks", true)
    }

    /// Number of SYN retransmissions before `connect` fails with
    /// [`TimedOut`](std::io::ErrorKind::TimedOut): Linux's `tcp_syn_retries`. Default 6, which gives
    /// up 127 seconds after the first; [`syn_linear_timeouts`](HostOptions::syn_linear_timeouts) are
    /// added to it.
    pub fn syn_retries(mut self, retransmissions: u32) -> HostOptions {
        self.syn_retries = retransmissions;
        self
    }

    /// Number of SYN-ACK retransmissions before a half-open connection is forgotten: Linux's
    /// `tcp_synack_retries`. Default 5, which is 63 seconds.
    pub fn synack_retries(mut self, retransmissions: u32) -> HostOptions {
        self.synack_retries = retransmissions;
        self
    }

    /// Number of retransmissions of the first unacknowledged segment before the connection fails
    /// with [`TimedOut`](std::io::ErrorKind::TimedOut), and of probes of a closed window that are not
    /// answered: Linux's `tcp_retries2`. Default 15, which is 924.6 seconds at Linux's least timeout.
    pub fn retries(mut self, retransmissions: u32) -> HostOptions {
        self.retries = retransmissions;
        self
    }

    /// The same for a connection that no application holds any more: Linux's
    /// `tcp_orphan_retries`. Default 15; Linux's is 8, which gave up once in 50,000 echoes of 20 kB
    /// over a link that loses a tenth.
    pub fn orphan_retries(mut self, retransmissions: u32) -> HostOptions {
        self.orphan_retries = retransmissions;
        self
    }

    /// How long a connection that no application holds waits in FIN-WAIT-2 for the peer's FIN:
    /// Linux's `tcp_fin_timeout`. Default 60 s.
    pub fn fin_timeout(mut self, timeout: Duration) -> HostOptions {
        self.fin_timeout = timeout;
        self
    }

    /// How long TIME-WAIT lasts. Default 60 s, as on Linux, where it is no setting.
    pub fn time_wait(mut self, duration: Duration) -> HostOptions {
        self.time_wait = duration;
        self
    }

    /// How long a connection with `SO_KEEPALIVE` is silent before the peer is asked, 1 to 32,767 whole
    /// seconds: Linux's `tcp_keepalive_time`. Default 7200 s. `TCP_KEEPIDLE` changes it for one
    /// socket.
    pub fn keepalive_time(mut self, time: Duration) -> HostOptions {
        self.keepalive_time = time;
        self
    }

    /// How long after one question of keep-alive the next follows, 1 to 32,767 whole seconds: Linux's
    /// `tcp_keepalive_intvl`. Default 75 s. `TCP_KEEPINTVL` changes it for one socket.
    pub fn keepalive_interval(mut self, interval: Duration) -> HostOptions {
        self.keepalive_interval = interval;
        self
    }

    /// After how many unanswered questions of keep-alive a connection fails with
    /// [`TimedOut`](std::io::ErrorKind::TimedOut), 1 to 127: Linux's `tcp_keepalive_probes`. Default
    /// 9. `TCP_KEEPCNT` changes it for one socket.
    pub fn keepalive_probes(mut self, probes: u32) -> HostOptions {
        self.keepalive_probes = probes;
        self
    }
}
