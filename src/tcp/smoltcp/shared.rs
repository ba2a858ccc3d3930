//! What the smoltcp engines of one host have in common.

use smoltcp::iface::{Config, Interface};
use smoltcp::wire::HardwareAddress;

use super::device::{Device, to_smoltcp_time};
use crate::wire::frame::{FrameBuffer, FramePool};

/// What the smoltcp engines of one host have in common.
pub(in crate::tcp) struct Shared {
    pub(super) interface: Interface,
    pub(super) mtu: usize,
    pub(super) repairs: Repairs,
    /// What the socket that was last called has sent.
    pub(super) sent: Vec<FrameBuffer>,
}

impl Shared {
    pub(in crate::tcp) fn new(mtu: usize, seed: u64) -> Shared {
        let interface = new_interface(mtu, seed);
        Shared { interface, mtu, repairs: Repairs::default(), sent: Vec::new() }
    }

    /// An interface like that of its sockets, with another seed.
    pub(super) fn new_interface(&self, seed: u64) -> Interface {
        new_interface(self.mtu, seed)
    }

    #[cfg(test)]
    pub(in crate::tcp) fn set_repairs(&mut self, repairs: Repairs) {
        self.repairs = repairs;
    }
}

fn new_interface(mtu: usize, seed: u64) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed;
    let (mut sent, mut pool) = (Vec::new(), FramePool::default());
    let mut device =
        Device { received: None, sent: &mut sent, pool: &mut pool, mtu, is_full: false };
    let mut interface = Interface::new(config, &mut device, to_smoltcp_time(0));
    // The host decides what is for it, and hands its engines nothing else.
    interface.set_any_ip(true);
    interface
}

/// Which repairs are made: all, except in the tests that show what each is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repairs {
    pub(crate) rewound_ack: bool,
    pub(crate) lone_fin: bool,
    pub(crate) silent_window: bool,
    pub(crate) time_wait: bool,
    pub(crate) early_close: bool,
    pub(crate) blind_reset: bool,
    pub(crate) deaf_window: bool,
    pub(crate) endless_probe: bool,
    pub(crate) early_fin: bool,
    pub(crate) mute_last_ack: bool,
    pub(crate) wide_retransmission: bool,
    pub(crate) wide_syn_window: bool,
}

impl Default for Repairs {
    fn default() -> Repairs {
        Repairs {
            rewound_ack: true,
            lone_fin: true,
            silent_window: true,
            time_wait: true,
            early_close: true,
            blind_reset: true,
            deaf_window: true,
            endless_probe: true,
            early_fin: true,
            mute_last_ack: true,
            wide_retransmission: true,
            wide_syn_window: true,
        }
    }
}
