//! Arbitrary segments: in and out of windows, every mix of flags, options cut and doubled.

use crate::host::HostOptions;
use crate::rng::Stream;
use crate::tcp::state::TcpState;
use crate::wire::tcp::Seq;

use super::reference::{Incoming, Reference};

pub(super) struct Generator {
    stream: Stream,
    options: HostOptions,
}

impl Generator {
    pub(super) fn new(stream: Stream) -> Generator {
        // Each segment is acknowledged at once, so that what is answered shows.
        Generator { stream, options: HostOptions::linux().ack_delay(None) }
    }

    pub(super) fn up_to(&mut self, max: u64) -> u64 {
        self.stream.up_to(max)
    }

    pub(super) fn rig_options(&mut self) -> &HostOptions {
        if self.up_to(1) == 0 {
            // Fixed, so that it is soon full.
            let size = [3_000, 20_000, 65_535][self.up_to(2) as usize];
            let options = std::mem::take(&mut self.options);
            self.options = options.recv_buffer(size).recv_buffer_max(0).adv_win_scale(0);
        }
        &self.options
    }

    /// The peer's SYN, or SYN-ACK.
    pub(super) fn syn(&mut self, model: &Reference, is_bare: bool) -> Incoming {
        let mut options = vec![2, 4, 5, 180];
        if self.up_to(1) == 0 {
            options.extend([1, 3, 3, self.up_to(14) as u8]);
        }
        if self.up_to(1) == 0 {
            options.extend([4, 2, 8, 10]);
            options.extend((self.stream.next_u64() as u32).to_be_bytes());
            options.extend([0; 4]);
        }
        Incoming {
            seq: Seq(self.stream.next_u64() as u32),
            ack: (!is_bare).then_some(model.snd_nxt),
            syn: true,
            window: self.window(),
            options,
            ..Incoming::default()
        }
    }

    /// An ACK of everything, with the next number.
    pub(super) fn expected(&mut self, model: &Reference) -> Incoming {
        Incoming {
            seq: model.rcv_nxt,
            ack: Some(model.snd_nxt),
            window: 65_535,
            options: timestamps(model.recent),
            ..Incoming::default()
        }
    }

    fn window(&mut self) -> u16 {
        match self.up_to(5) {
            0 => 0,
            1 => self.up_to(100) as u16,
            _ => self.up_to(65_535) as u16,
        }
    }

    /// A number near one of `around`, or any.
    fn near(&mut self, around: &[Seq]) -> Seq {
        let center = around[self.up_to(around.len() as u64 - 1) as usize];
        match self.up_to(12) {
            0 => Seq(self.stream.next_u64() as u32),
            1..=7 => center,
            8 => center.plus(self.up_to(3) as u32),
            9 => Seq(center.0.wrapping_sub(1 + self.up_to(3) as u32)),
            10 => Seq(center.0.wrapping_sub(self.up_to(3_000) as u32)),
            _ => center.plus(self.up_to(4_000) as u32),
        }
    }

    pub(super) fn segment(&mut self, model: &Reference) -> Incoming {
        let numbers = [model.rcv_nxt, model.rcv_nxt, model.rcv_nxt, model.rcv_edge, model.irs];
        let seq = self.near(&numbers);
        let ack = self.near(&[model.snd_una, model.snd_nxt, model.snd_nxt]);
        let (syn, fin, rst, ack_too) = match self.up_to(11) {
            0 => (true, false, false, false),
            1 => (true, false, false, true),
            2 | 3 => (false, true, false, true),
            4 => {
                let bits = self.up_to(15);
                (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0, bits & 8 != 0)
            }
            _ => (false, false, false, true),
        };
        // One that is believed ends it too soon.
        let rst = rst || self.up_to(30) == 0;
        let len = match self.up_to(5) {
            0..=2 => 0,
            3 => self.up_to(20) as u32,
            _ => self.up_to(2_500) as u32,
        };
        // In SYN-SENT what is not a SYN is soon told.
        let syn = syn || (model.state == TcpState::SynSent && self.up_to(2) == 0);
        Incoming {
            seq,
            ack: ack_too.then_some(ack),
            syn,
            fin,
            rst,
            other_flags: [0, 0, 0x08, 0x20][self.up_to(3) as usize],
            window: self.window(),
            options: self.options(model),
            len,
        }
    }

    fn options(&mut self, model: &Reference) -> Vec<u8> {
        let mut bytes = Vec::new();
        let count = [0, 1, 1, 1, 2, 3][self.up_to(5) as usize];
        for _ in 0..count {
            match self.up_to(9) {
                0 => bytes.push(1),
                1..=5 => {
                    // A little earlier, or later, or any.
                    let age = match self.up_to(6) {
                        0 => self.stream.next_u64() as u32,
                        1 => 1 + self.up_to(1_000) as u32,
                        2 => (self.up_to(1_000) as u32).wrapping_neg(),
                        _ => 0,
                    };
                    bytes.extend(timestamps(model.recent.wrapping_sub(age)));
                }
                6 | 7 => {
                    let blocks = self.up_to(3) as u8 + 1;
                    bytes.extend([5, 2 + 8 * blocks]);
                    for _ in 0..2 * blocks {
                        let number = self.near(&[model.snd_una, model.snd_nxt]);
                        bytes.extend(number.0.to_be_bytes());
                    }
                }
                8 => bytes.extend([2, 4, 0, self.up_to(255) as u8]),
                _ => bytes.extend([self.up_to(255) as u8, self.up_to(12) as u8]),
            }
        }
        // Cut wherever that is.
        bytes.truncate(40);
        while !bytes.len().is_multiple_of(4) {
            bytes.push(0);
        }
        bytes
    }
}

fn timestamps(value: u32) -> Vec<u8> {
    let mut bytes = vec![1, 1, 8, 10];
    bytes.extend(value.to_be_bytes());
    bytes.extend([0; 4]);
    bytes
}
