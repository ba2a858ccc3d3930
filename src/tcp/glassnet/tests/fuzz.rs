//! Arbitrary segments against every state: nothing panics (sums are checked in tests), nothing is
//! sent without end, and what is acknowledged and taken stays within what was sent and offered.

use super::pair::{CLIENT, MS, Pair, SERVER};
use crate::rng::{Seed, Stream};
use crate::wire::ip::{IPV4_HEADER, IpHeader, protocol};
use crate::wire::tcp::{FourTuple, Seq, TCP_HEADER};

/// A number near one of `around`, or any.
fn near(stream: &mut Stream, around: &[Seq]) -> Seq {
    let center = around[stream.up_to(around.len() as u64 - 1) as usize];
    match stream.up_to(9) {
        0 => Seq(stream.next_u64() as u32),
        1..=4 => center,
        5 | 6 => center.plus(stream.up_to(3) as u32),
        7 => Seq(center.0.wrapping_sub(stream.up_to(3_000) as u32)),
        _ => center.plus(stream.up_to(70_000) as u32),
    }
}

fn options(stream: &mut Stream, around: &[Seq], bytes: &mut Vec<u8>) {
    let begin = bytes.len();
    for _ in 0..stream.up_to(3) {
        match stream.up_to(5) {
            0 => bytes.push(1),
            1 => {
                bytes.extend([8, 10]);
                bytes.extend((stream.next_u64() as u32).to_be_bytes());
                bytes.extend((stream.next_u64() as u32).to_be_bytes());
            }
            2 | 3 => {
                let blocks = stream.up_to(3) as u8 + 1;
                bytes.extend([5, 2 + 8 * blocks]);
                for _ in 0..2 * blocks {
                    bytes.extend(near(stream, around).0.to_be_bytes());
                }
            }
            4 => bytes.extend([2, 4, 0, stream.up_to(255) as u8]),
            _ => bytes.extend([stream.up_to(255) as u8, stream.up_to(12) as u8]),
        }
    }
    bytes.truncate(begin + 40);
    while !bytes.len().is_multiple_of(4) {
        bytes.push(0);
    }
}

/// A packet from the other end of `tuple`.
fn packet(stream: &mut Stream, tuple: &FourTuple, [una, nxt, theirs]: [Seq; 3]) -> Vec<u8> {
    let mut tcp = Vec::new();
    tcp.extend(tuple.remote_port.to_be_bytes());
    tcp.extend(tuple.local_port.to_be_bytes());
    tcp.extend(near(stream, &[theirs]).0.to_be_bytes());
    tcp.extend(near(stream, &[una, nxt]).0.to_be_bytes());
    let flags = match stream.up_to(9) {
        0 => stream.up_to(255) as u8,
        1 => 0x11,
        2 => 0x02,
        3 => 0x12,
        _ => 0x10,
    };
    // A RST ends most of it too soon.
    let flags = if stream.up_to(20) > 0 { flags & !0x04 } else { flags };
    let window = match stream.up_to(5) {
        0 => 0,
        1 => stream.up_to(100) as u16,
        _ => stream.up_to(65_535) as u16,
    };
    tcp.extend([0, flags]);
    tcp.extend(window.to_be_bytes());
    tcp.extend([0; 4]);
    options(stream, &[una, nxt], &mut tcp);
    tcp[12] = (tcp.len() << 2) as u8;
    let payload = if stream.up_to(1) == 0 { 0 } else { stream.up_to(3_000) };
    tcp.extend(std::iter::repeat_n(0x5a, payload as usize));
    let mut packet = vec![0; IPV4_HEADER];
    packet.extend(tcp);
    let ip = IpHeader {
        source: tuple.remote_addr,
        destination: tuple.local_addr,
        protocol: protocol::TCP,
        hop_limit: 64,
        traffic_class: 0,
    };
    ip.write(&mut packet, true);
    assert!(packet.len() >= IPV4_HEADER + TCP_HEADER);
    packet
}

#[test]
fn arbitrary_segments_break_nothing_in_any_state() {
    for seed in 0..600 {
        let mut stream = Seed(seed).stream("fuzz");
        let mut pair = Pair::linux(5 * MS);
        if stream.up_to(1) == 0 {
            pair.options(CLIENT).nodelay = true;
        }
        pair.connect();
        pair.run_for(stream.up_to(30) * MS);
        for _ in 0..60 {
            let side = [CLIENT, SERVER][stream.up_to(1) as usize];
            match stream.up_to(11) {
                0 => pair.write(side, stream.up_to(40_000) as usize),
                1 if stream.up_to(6) == 0 => pair.close(side),
                2 => pair.reads(side, stream.up_to(1) == 0),
                3 | 4 => pair.run_for(stream.up_to(400) * MS),
                _ => {
                    let Some((tuple, numbers)) = pair.numbers(side) else { continue };
                    let packet = packet(&mut stream, &tuple, numbers);
                    let before = pair.wire.len();
                    pair.inject(side, &packet);
                    let sent = pair.wire.len() - before;
                    assert!(sent < 3_000, "seed {seed}: {sent} segments in answer to one");
                }
            }
            for side in [CLIENT, SERVER] {
                let Some((_, [una, nxt, _])) = pair.numbers(side) else { continue };
                assert!(!una.is_after(nxt), "seed {seed}");
            }
        }
        pair.run_for(2_000 * 1_000 * MS);
    }
}
