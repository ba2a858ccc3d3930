//! An engine for a handshake that began without one: what passed before is played to it again, and
//! nothing of what it says to that leaves.
//!
//! A socket gets into SYN-RECEIVED by a SYN alone, and draws its initial sequence number from the
//! generator of its interface. So it sees the SYN through an interface whose generator is set such
//! that the number it gives next is the one that has been sent.

use super::engine::SmoltcpEngine;
use super::shared::Shared as SmoltcpShared;
use crate::tcp::boundary::{Counted, Env, Handshake, Out};
use crate::tcp::options::TcpOptions;
use crate::tcp::shared::Shared;
use crate::tcp::smoltcp::SocketBuffers;
use crate::tcp::state::TcpState;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::{FourTuple, OptionOrder, Segment, Seq, Syn};

impl SmoltcpEngine {
    pub(in crate::tcp) fn resume(
        shared: &mut Shared,
        handshake: &Handshake,
        options: &TcpOptions,
        buffers: Option<SocketBuffers>,
        out: &mut impl Out,
    ) -> SmoltcpEngine {
        let retransmissions = shared.retransmissions;
        let began = handshake.began;
        let tuple = *out.tuple();
        let mut engine = SmoltcpEngine::listen(began, shared, tuple, options, buffers);
        let mut silence = Silence { tuple, pool: out.pool() };
        let usual = shared.smoltcp.give_next(handshake.iss);
        engine.hear_syn(&mut Env { now: began, shared, out: &mut silence }, handshake);
        shared.smoltcp.interface = usual;
        for number in 0..=handshake.retransmissions {
            let now = handshake.sent_at(number, &shared.limits.rto);
            let mut env = Env { now, shared, out: &mut silence };
            engine.on_deadline(&mut env);
            engine.transmit(&mut env);
        }
        debug_assert!(engine.sequences.iss == handshake.iss, "it takes the number it is given");
        shared.retransmissions = retransmissions;
        engine
    }

    fn hear_syn(&mut self, env: &mut Env<'_, impl Out>, handshake: &Handshake) {
        let Handshake { irs, window, offer, .. } = *handshake;
        let order = OptionOrder::Smoltcp;
        let syn = Syn { seq: irs, ack: None, window, options: offer, order, ecn: false };
        let tuple = env.out.tuple().reversed();
        let mut frame = env.out.pool().take(ETHERNET_HEADER + syn.packet_len(&tuple));
        syn.write(frame.packet_mut(), &tuple);
        if let Some(segment) = Segment::of_engine(frame.packet()) {
            self.on_segment(env, &segment, frame.packet());
            self.answer(env);
        }
        env.out.pool().give_back(frame);
    }
}

impl SmoltcpShared {
    /// Sets the generator of initial sequence numbers such that `iss` comes next. Returns the
    /// interface with what it was, to be put back.
    fn give_next(&mut self, iss: Seq) -> smoltcp::iface::Interface {
        let forged = self.new_interface(seed_before(iss));
        std::mem::replace(&mut self.interface, forged)
    }
}

// smoltcp's generator (`rand.rs`): a state is multiplied and added to, and the result gives 32 of its
// bits, from the 30th on where its highest three are 0.
const MULTIPLIER: u64 = 0xbb2e_fcec_3c39_611d;
const INCREMENT: u64 = 0x7590_ef39;
const FIRST_BIT: u32 = 29;

/// The state in which an interface is to begin whose generator then gives `iss`. When it is made it
/// takes a number for itself, and another one if its two halves are the same.
fn seed_before(iss: Seq) -> u64 {
    let after = u64::from(iss.0) << FIRST_BIT;
    // The bits below those that are given are free.
    let seeds = (0..u64::MAX).map(|low| step_back(step_back(after | low)));
    let mut good = seeds.filter(|seed| {
        let taken = given_by(step(*seed));
        (taken ^ taken >> 16) as u16 != 0
    });
    good.next().unwrap_or_default()
}

fn step(state: u64) -> u64 {
    state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT)
}

fn step_back(state: u64) -> u64 {
    state.wrapping_sub(INCREMENT).wrapping_mul(const { inverse(MULTIPLIER) })
}

fn given_by(state: u64) -> u32 {
    (state >> (FIRST_BIT - (state >> 61) as u32)) as u32
}

/// The inverse of an odd number modulo 2^64: each of Newton's steps doubles the bits that are right.
const fn inverse(odd: u64) -> u64 {
    let (mut inverse, mut bits) = (odd, 3);
    while bits < u64::BITS {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse
}

/// Where what an engine says goes that is only told what has passed.
struct Silence<'a> {
    tuple: FourTuple,
    pool: &'a mut FramePool,
}

impl Out for Silence<'_> {
    fn tuple(&self) -> &FourTuple {
        &self.tuple
    }

    fn pool(&mut self) -> &mut FramePool {
        self.pool
    }

    fn send(&mut self, packet: FrameBuffer, _: bool) {
        self.pool.give_back(packet);
    }

    fn state_changed(&mut self, _: TcpState, _: TcpState) {}

    fn count(&mut self, _: Counted) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_back_undoes_a_step() {
        for state in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            assert_eq!(step_back(step(state)), state);
            assert_eq!(step(step_back(state)), state);
        }
    }

    #[test]
    fn the_seed_gives_the_number_asked_for_after_one_that_an_interface_takes() {
        for number in [0, 1, 7, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX] {
            let taken = step(seed_before(Seq(number)));
            assert_ne!(given_by(taken) as u16 ^ (given_by(taken) >> 16) as u16, 0);
            assert_eq!(given_by(step(taken)), number);
        }
    }
}
