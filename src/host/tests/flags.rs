//! Every combination of flags, in CLOSED and in LISTEN.

use super::datagrams::ipv4;
use super::wire::{HOST, PEER, PEER_ISS, PEER_PORT, PORT, Wire};
use crate::wire::checksum::transport_checksum;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
/// What an ACK flag acknowledges.
const ACKNOWLEDGED: u32 = 77;

/// A segment with these flags, as nobody's stack would write it.
fn segment(port: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(PEER_PORT.to_be_bytes());
    segment.extend(port.to_be_bytes());
    segment.extend(PEER_ISS.to_be_bytes());
    segment.extend(if flags & ACK != 0 { ACKNOWLEDGED } else { 0 }.to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    let sum = transport_checksum(PEER.into(), HOST.into(), 6, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ipv4(HOST, 6, 0, &segment)
}

/// The flags of what the host answers, and its numbers.
fn answer(port: u16, flags: u8, payload: &[u8]) -> Option<(&'static str, u32, Option<u32>)> {
    let mut wire = Wire::new();
    wire.listen(8);
    wire.inject_v4(&segment(port, flags, payload));
    let mut sent = wire.take();
    assert!(sent.len() <= 1, "{sent:?}");
    sent.pop().map(|sent| (sent.flags, sent.seq, sent.ack))
}

// RFC 9293 3.10.7.1: all but a RST is answered with a RST. Linux 6.18 answers the same 64.
#[test]
fn where_nobody_listens_everything_but_a_reset_is_answered_with_a_reset() {
    for flags in 0..64 {
        for payload in [&b""[..], b"data"] {
            let taken =
                payload.len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
            let expected = match flags {
                flags if flags & RST != 0 => None,
                flags if flags & ACK != 0 => Some(("RST", ACKNOWLEDGED, None)),
                _ => Some(("RST ACK", 0, Some(PEER_ISS + taken))),
            };
            assert_eq!(answer(81, flags, payload), expected, "flags {flags:06b}");
        }
    }
}

// RFC 9293 3.10.7.2, and Linux 6.18: what has an ACK is answered with a RST, a SYN with a SYN-ACK
// unless it has a FIN, and nothing else is answered.
#[test]
fn a_listener_answers_a_syn_resets_what_acknowledges_and_drops_everything_else() {
    for flags in 0..64 {
        let answered = answer(PORT, flags, b"");
        match flags {
            flags if flags & RST != 0 => assert_eq!(answered, None, "flags {flags:06b}"),
            flags if flags & ACK != 0 => {
                assert_eq!(answered, Some(("RST", ACKNOWLEDGED, None)), "flags {flags:06b}");
            }
            flags if flags & (SYN | FIN) == SYN => {
                let (kind, _, ack) = answered.expect("a SYN is answered");
                assert_eq!((kind, ack), ("SYN ACK", Some(PEER_ISS + 1)), "flags {flags:06b}");
            }
            _ => assert_eq!(answered, None, "flags {flags:06b}"),
        }
    }
}

#[test]
fn what_a_listener_drops_leaves_nothing_behind() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    for flags in (0..64).filter(|flags| flags & (SYN | FIN) != SYN) {
        wire.inject_v4(&segment(PORT, flags, b"data"));
        wire.take();
    }
    assert_eq!(wire.host.sizes().connections, 0);
    assert!(wire.states().is_empty() && wire.accept(listener).is_none());
}
