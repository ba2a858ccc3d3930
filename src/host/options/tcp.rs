//! What TCP offers in a SYN, and how fast it begins.

use super::HostOptions;
use crate::tcp::HyStart;

impl HostOptions {
    /// Whether selective acknowledgments (RFC 2018) are offered and taken: Linux's `tcp_sack`. Default
    /// on. Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn sack(mut self, on: bool) -> HostOptions {
        self.sack = on;
        self.needing_glassnet("sack", true)
    }

    /// Whether timestamps (RFC 7323 section 3) are offered and taken: Linux's `tcp_timestamps`.
    /// Default on. Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn timestamps(mut self, on: bool) -> HostOptions {
        self.timestamps = on;
        self.needing_glassnet("timestamps", true)
    }

    /// Whether connections that the host begins ask for explicit congestion notification (RFC 3168): a
    /// `tcp_ecn` of 1 in Linux. Default off, a `tcp_ecn` of 2: a peer that asks gets it, and the host
    /// does not ask. Needs [`TcpEngine::Glassnet`]; the other neither asks nor answers.
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn ecn(mut self, asks: bool) -> HostOptions {
        self.ecn = asks;
        self.needing_glassnet("ecn", asks)
    }

    /// Whether window scaling (RFC 7323 section 2) is offered and taken: Linux's
    /// `tcp_window_scaling`. Without it no window is larger than 65,535 bytes. Default on. Needs
    /// [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn window_scaling(mut self, on: bool) -> HostOptions {
        self.window_scaling = on;
        self.needing_glassnet("window_scaling", true)
    }

    /// The congestion window with which a connection begins, in segments, 1 to 10,000: Linux's
    /// `TCP_INIT_CWND`, `initcwnd` of `ip-route(8)`. Default 10 (RFC 6928). After more than one
    /// retransmission of its SYN it is 1. Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn initial_window(mut self, segments: u32) -> HostOptions {
        self.initial_window = segments;
        self.needing_glassnet("initial_window", true)
    }

    /// The most bytes of [`initial_window`](HostOptions::initial_window), unless two segments are
    /// more: RFC 6928 has 14,600. `None`, the default, is no limit, as on Linux. Needs
    /// [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn initial_window_bytes(mut self, bytes: impl Into<Option<u32>>) -> HostOptions {
        self.initial_window_bytes = bytes.into();
        self.needing_glassnet("initial_window_bytes", true)
    }

    /// Whether the congestion window shrinks while it is not used: by half for each retransmission
    /// timeout without anything in flight, not below the initial window (RFC 2861): Linux's
    /// `tcp_slow_start_after_idle`. Default on. Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn slow_start_after_idle(mut self, on: bool) -> HostOptions {
        self.slow_start_after_idle = on;
        self.needing_glassnet("slow_start_after_idle", true)
    }

    /// How the slow start of CUBIC ends before it overflows a queue: Linux's `hystart` of `tcp_cubic`.
    /// Default [`HyStart::Linux`]. Needs [`TcpEngine::Glassnet`].
    ///
    /// [`TcpEngine::Glassnet`]: crate::TcpEngine::Glassnet
    pub fn hystart(mut self, hystart: HyStart) -> HostOptions {
        self.hystart = hystart;
        self.needing_glassnet("hystart", true)
    }
}
