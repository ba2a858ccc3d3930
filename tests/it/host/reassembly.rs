//! Data out of order (row 34).

use super::wire::{FlowId, MILLISECOND, Peer, Wire, octets};

// RFC 5681 3.2, RFC 9293 3.10.7.4: kept, and acknowledged at once with what is missing.
#[test]
fn data_after_a_gap_is_kept_and_answered_with_a_duplicate_ack() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.inject(&peer.segment().seq(peer.seq + 4).payload(b"5678"));
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    assert!(wire.try_read(flow).is_none());
    wire.inject(&peer.segment().seq(peer.seq + 12).payload(b"3456"));
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    wire.inject(&peer.segment().payload(b"1234"));
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq + 8));
    wire.inject(&peer.segment().seq(peer.seq + 8).payload(b"9012"));
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq + 16));
    assert_eq!(wire.read(flow), b"1234567890123456");
    peer.seq += 16;
    wire.is_alive(flow, &mut peer);
}

/// Sends `pieces` (offset and length into `data`) until everything is there; the last of them
/// must do.
fn arrives(wire: &mut Wire, flow: FlowId, peer: &Peer, data: &[u8], pieces: &[(usize, usize)]) {
    let mut read = Vec::new();
    for (offset, len) in pieces {
        let segment = peer.segment().seq(peer.seq.wrapping_add(*offset as u32));
        wire.inject(&segment.payload(&data[*offset..offset + len]));
        if let Some(octets) = wire.try_read(flow) {
            read.extend(octets.unwrap());
        }
    }
    assert!(read == data, "{} octets of {}", read.len(), data.len());
    wire.advance(50 * MILLISECOND);
    let end = peer.seq.wrapping_add(data.len() as u32);
    assert_eq!(wire.take().last().unwrap().ack, Some(end));
}

#[test]
fn segments_in_reverse_order_are_put_right() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    let data = octets(30 * 1_000);
    let pieces: Vec<_> = (0..30).rev().map(|at| (at * 1_000, 1_000)).collect();
    arrives(&mut wire, flow, &peer, &data, &pieces);
}

// 32 are kept: the engine's `assembler-max-segment-count-32`.
#[test]
fn thirty_holes_are_remembered() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    let data = octets(61 * 100);
    let odd = (0..30).map(|at| ((2 * at + 1) * 100, 100));
    let even = (0..31).map(|at| (2 * at * 100, 100));
    let pieces: Vec<_> = odd.chain(even).collect();
    arrives(&mut wire, flow, &peer, &data, &pieces);
}

#[test]
fn any_order_with_overlaps_and_repetitions_gives_the_stream() {
    let mut number = 11u32;
    // Numerical Recipes: any numbers do, as long as they are the same each time.
    let mut up_to = |most: u32| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(number) * (u64::from(most) + 1)) >> 32) as usize
    };
    for iss in [1_000, u32::MAX - 2_000, 0x7fff_ff00] {
        for _ in 0..20 {
            let mut wire = Wire::new();
            let (flow, peer) =
                wire.passive_with(Peer { seq: iss, ..Peer::new(super::wire::PEER_PORT) });
            let data = octets(8_000);
            let mut pieces = Vec::new();
            for _ in 0..60 {
                let offset = up_to(7_999);
                let len = 1 + up_to(999);
                pieces.push((offset, len.min(data.len() - offset)));
            }
            // Whatever is still missing then.
            pieces.extend((0..8).map(|at| (at * 1_000, 1_000)));
            arrives(&mut wire, flow, &peer, &data, &pieces);
        }
    }
}

#[test]
fn a_flood_of_holes_is_bounded_and_the_stream_recovers() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    for at in 0..30_000u32 {
        wire.inject(&peer.segment().seq(peer.seq + 1 + 2 * at).payload(b"x"));
        wire.sent.clear();
    }
    assert!(wire.try_read(flow).is_none());
    wire.inject(&peer.segment().payload([b'x'; 1_000]));
    peer.seq += 1_000;
    assert_eq!(wire.read(flow), [b'x'; 1_000]);
    assert_eq!(wire.take()[0].ack, Some(peer.seq));
}

#[test]
fn peeking_takes_nothing() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    wire.inject(&peer.segment().payload(b"data"));
    let mut buffer = [0; 2];
    for _ in 0..3 {
        assert_eq!(wire.peek(flow, &mut buffer).unwrap(), 2);
        assert_eq!(&buffer, b"da");
    }
    assert_eq!(wire.read(flow), b"data");
}
