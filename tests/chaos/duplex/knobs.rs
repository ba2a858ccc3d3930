//! What of a host's stack and of a way a plan draws, prints and simplifies.

use std::time::Duration;

use glassnet::{CongestionControl, HostOptions, Impairments};

/// Of a host's stack.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) mtu: usize,
    pub(crate) recv_buffer: usize,
    pub(crate) send_buffer: usize,
    pub(crate) congestion_control: CongestionControl,
    pub(crate) ack_delay: Option<Duration>,
    pub(crate) nagle: bool,
    /// Retransmissions of SYN and SYN-ACK, where there are more than usual.
    pub(crate) handshake_retries: Option<u32>,
}

impl Default for Stack {
    fn default() -> Stack {
        Stack {
            mtu: 1500,
            recv_buffer: 65_535,
            send_buffer: 98_304,
            congestion_control: CongestionControl::Reno,
            ack_delay: Some(Duration::from_millis(10)),
            nagle: true,
            handshake_retries: None,
        }
    }
}

impl Stack {
    pub(crate) fn host_options(&self) -> HostOptions {
        let options = HostOptions::default()
            .mtu(self.mtu)
            .recv_buffer(self.recv_buffer)
            .send_buffer(self.send_buffer)
            .congestion_control(self.congestion_control)
            .ack_delay(self.ack_delay)
            .nagle(self.nagle);
        match self.handshake_retries {
            Some(retries) => options.syn_retries(retries).synack_retries(retries),
            None => options,
        }
    }
}

/// Of one direction of the link.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    pub(crate) loss: f64,
    pub(crate) duplicate: f64,
    pub(crate) reorder: f64,
    pub(crate) rate: Option<u64>,
    pub(crate) queue: usize,
}

impl Default for Way {
    fn default() -> Way {
        Way::after(Duration::from_millis(1))
    }
}

impl Way {
    /// With a delay, and nothing else.
    pub(crate) fn after(delay: Duration) -> Way {
        Way {
            delay,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            rate: None,
            queue: 1000,
        }
    }

    pub(crate) fn impairments(&self) -> Impairments {
        Impairments::default()
            .delay(self.delay)
            .jitter(self.jitter)
            .loss(self.loss)
            .duplicate(self.duplicate)
            .reorder(self.reorder)
            .rate(self.rate)
            .queue(self.queue)
    }
}
