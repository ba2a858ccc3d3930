//! How many segments of a burst one acknowledgment stands for.

use super::wire::{Peer, SECOND, Wire, octets};
use crate::host::options::HostOptions;

/// The ACKs of a burst of twelve full segments.
fn acks_of_burst(wire: &mut Wire) -> Vec<Option<u32>> {
    let (_, peer) = wire.passive();
    let at = |count: u32| peer.seq + count * 1_460;
    let burst: Vec<_> = (0..12)
        .map(|count| Peer { seq: at(count), ..peer }.segment().payload(&octets(1_460)))
        .collect();
    wire.inject_burst(&burst);
    wire.advance(SECOND);
    wire.take().iter().map(|sent| sent.ack.map(|ack| (ack - peer.seq) / 1_460)).collect()
}

#[test]
fn where_acks_stretch_one_stands_for_what_came_at_once_and_no_more() {
    let mut wire = Wire::new();
    wire.host.stretch_acks(32 * 1024);
    assert_eq!(acks_of_burst(&mut wire), [Some(12)]);
    let mut wire = Wire::new();
    wire.host.stretch_acks(10_000);
    // The seventh segment is more than ten thousand bytes.
    assert_eq!(acks_of_burst(&mut wire), [Some(7), Some(12)]);
    // Who asks for no delay is not kept waiting.
    let mut wire = Wire::with(HostOptions::default().ack_delay(None));
    wire.host.stretch_acks(32 * 1024);
    assert!(acks_of_burst(&mut wire).len() >= 6);
}
