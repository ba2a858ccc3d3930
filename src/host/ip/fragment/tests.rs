use super::reassembly::{IPV4_TIMEOUT, IPV6_TIMEOUT, MAX_BYTES, MAX_PACKETS, Whole};
use super::*;
use crate::rng::{Seed, Stream};
use crate::wire::checksum::Checksum;
use crate::wire::fragment::{Fragment, split_ipv4, split_ipv6};
use crate::wire::ip::protocol::{DESTINATION_OPTIONS, FRAGMENT};
use crate::wire::ipv4::set_total_len;

fn ipv4_packet(id: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    set_total_len(&mut packet, 20 + payload.len());
    packet.extend_from_slice(payload);
    packet
}

fn ipv6_packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 40];
    packet[0] = 0x60;
    packet[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    packet[6..8].copy_from_slice(&[17, 64]);
    packet[8] = 0xfd;
    packet[23] = 1;
    packet[24] = 0xfd;
    packet[39] = 2;
    packet.extend_from_slice(payload);
    packet
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

fn pieces(packet: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    match packet[0] >> 4 {
        4 => split_ipv4(packet, mtu).unwrap().map(|piece| piece.to_vec()).collect(),
        _ => split_ipv6(packet, mtu, 77).unwrap().map(|piece| piece.to_vec()).collect(),
    }
}

fn add(reassembler: &mut Reassembler, now: u64, packet: &[u8]) -> Option<Vec<u8>> {
    let fragment = Fragment::parse(packet).expect("a fragment");
    reassembler.add(now, &fragment, Checksum::Verified).map(|whole| whole.packet)
}

fn shuffle<T>(items: &mut [T], stream: &mut Stream) {
    for at in (1..items.len()).rev() {
        items.swap(at, stream.up_to(at as u64) as usize);
    }
}

fn assert_empty(reassembler: &Reassembler) {
    assert_eq!(reassembler.bytes, 0);
    assert!(reassembler.by_key.is_empty() && reassembler.by_age.is_empty());
    assert_eq!(reassembler.deadline(), None);
}

#[test]
fn fragments_fit_the_mtu_and_all_but_the_last_carry_a_multiple_of_eight() {
    for (packet, header) in
        [(ipv4_packet(1, &pattern(3001)), 20), (ipv6_packet(&pattern(3001)), 48)]
    {
        for mtu in [68, 69, 576, 1280, 1499, 1500] {
            let pieces = pieces(&packet, mtu);
            assert!(pieces.iter().all(|piece| piece.len() <= mtu), "mtu {mtu}");
            let (_, all_but_last) = pieces.split_last().unwrap();
            assert!(all_but_last.iter().all(|piece| (piece.len() - header) % 8 == 0));
        }
    }
}

#[test]
fn an_ipv4_fragment_has_the_headers_fields_and_a_good_checksum() {
    let packet = ipv4_packet(0x1234, &pattern(3000));
    let pieces = pieces(&packet, 1500);
    assert_eq!(pieces.len(), 3);
    let told: Vec<_> = pieces
        .iter()
        .map(|piece| {
            let ip = smoltcp::wire::Ipv4Packet::new_checked(piece.as_slice()).unwrap();
            assert!(ip.verify_checksum());
            assert_eq!((ip.ident(), ip.hop_limit(), ip.dont_frag()), (0x1234, 64, false));
            (ip.frag_offset(), ip.more_frags(), ip.payload().len())
        })
        .collect();
    assert_eq!(told, [(0, true, 1480), (1480, true, 1480), (2960, false, 40)]);
}

#[test]
fn an_ipv6_fragment_has_a_fragment_header() {
    let packet = ipv6_packet(&pattern(3000));
    let pieces = pieces(&packet, 1500);
    let told: Vec<_> = pieces
        .iter()
        .map(|piece| {
            let fragment = Fragment::parse(piece).unwrap();
            assert_eq!(usize::from(u16::from_be_bytes([piece[4], piece[5]])), piece.len() - 40);
            assert_eq!((fragment.next_header, fragment.key.id), (17, 77));
            (fragment.offset, fragment.more, fragment.payload.len())
        })
        .collect();
    assert_eq!(told, [(0, true, 1448), (1448, true, 1448), (2896, false, 104)]);
}

#[test]
fn a_fragment_is_split_again_and_the_parts_still_fit_together() {
    let packet = ipv4_packet(9, &pattern(4000));
    let mut reassembler = Reassembler::default();
    let mut whole = None;
    for piece in pieces(&packet, 1500) {
        for smaller in pieces(&piece, 576) {
            whole = whole.or(add(&mut reassembler, 0, &smaller));
        }
    }
    assert_eq!(whole, Some(packet));
    assert_empty(&reassembler);
}

#[test]
fn what_is_split_comes_back_in_any_order_and_with_any_duplicates() {
    let mut stream = Seed(7).stream("fragments");
    for round in 0..400 {
        let len = 1 + stream.up_to(if round % 40 == 0 { 65_514 } else { 6000 }) as usize;
        let mtu = 88 + stream.up_to(1500) as usize;
        let payload = pattern(len);
        let packet = if round % 2 == 0 { ipv4_packet(3, &payload) } else { ipv6_packet(&payload) };
        let mut pieces = pieces(&packet, mtu);
        if pieces.len() == 1 {
            continue;
        }
        for _ in 0..stream.up_to(4) {
            let again = pieces[stream.up_to(pieces.len() as u64 - 1) as usize].clone();
            pieces.push(again);
        }
        shuffle(&mut pieces, &mut stream);
        let mut reassembler = Reassembler::default();
        let whole: Vec<_> =
            pieces.iter().filter_map(|piece| add(&mut reassembler, 0, piece)).collect();
        assert!(!whole.is_empty(), "round {round}");
        assert_eq!(whole[0], packet, "round {round}");
        assert_eq!(reassembler.counters().contradictory, 0, "round {round}");
        // A duplicate that comes after the packet was whole begins another, which goes away.
        reassembler.expire(IPV6_TIMEOUT);
        assert_empty(&reassembler);
    }
}

#[test]
fn any_overlap_ends_the_packet() {
    for is_ipv6 in [false, true] {
        let whole =
            if is_ipv6 { ipv6_packet(&pattern(3000)) } else { ipv4_packet(3, &pattern(3000)) };
        let first = &pieces(&whole, 1500)[0];
        // The same packet in fragments of another size.
        let overlapping = &pieces(&whole, 1020)[1];
        let mut reassembler = Reassembler::default();
        assert_eq!(add(&mut reassembler, 0, first), None);
        assert_eq!(add(&mut reassembler, 0, overlapping), None);
        assert_eq!(reassembler.counters().contradictory, 1, "ipv6 {is_ipv6}");
        assert_empty(&reassembler);
    }
}

#[test]
fn a_fragment_within_what_is_there_is_a_duplicate() {
    let packet = ipv4_packet(3, &pattern(3000));
    let mut reassembler = Reassembler::default();
    let big = pieces(&packet, 1500);
    add(&mut reassembler, 0, &big[0]);
    add(&mut reassembler, 0, &big[1]);
    // Within two neighbouring fragments.
    assert_eq!(add(&mut reassembler, 0, &pieces(&packet, 1020)[1]), None);
    assert_eq!(reassembler.counters().duplicates, 1);
    assert_eq!(add(&mut reassembler, 0, &big[2]), Some(packet));
}

#[test]
fn two_different_ends_contradict_each_other() {
    let (long, short) = (ipv4_packet(3, &pattern(4400)), ipv4_packet(3, &pattern(3000)));
    let mut reassembler = Reassembler::default();
    add(&mut reassembler, 0, pieces(&short, 1500).last().unwrap());
    add(&mut reassembler, 0, pieces(&long, 1500).last().unwrap());
    assert_eq!(reassembler.counters().contradictory, 1);
    assert_empty(&reassembler);
}

#[test]
fn packets_that_differ_in_one_part_of_the_key_do_not_mix() {
    let mut reassembler = Reassembler::default();
    let payload = pattern(2000);
    let packets: Vec<_> = (0..3).map(|id| ipv4_packet(id, &payload)).collect();
    let split: Vec<_> = packets.iter().map(|packet| pieces(packet, 1500)).collect();
    for pieces in &split {
        assert_eq!(add(&mut reassembler, 0, &pieces[1]), None);
    }
    for (pieces, packet) in split.iter().zip(packets) {
        assert_eq!(add(&mut reassembler, 0, &pieces[0]), Some(packet));
    }
    assert_empty(&reassembler);
}

#[test]
fn what_is_not_whole_in_time_is_given_up_and_its_first_fragment_told() {
    for (packet, timeout) in [
        (ipv4_packet(1, &pattern(3000)), IPV4_TIMEOUT),
        (ipv6_packet(&pattern(3000)), IPV6_TIMEOUT),
    ] {
        let pieces = pieces(&packet, 1500);
        let mut reassembler = Reassembler::default();
        add(&mut reassembler, 5, &pieces[0]);
        add(&mut reassembler, 9, &pieces[2]);
        assert_eq!(reassembler.deadline(), Some(5 + timeout));
        assert_eq!(reassembler.expire(4 + timeout), []);
        let expired = reassembler.expire(5 + timeout);
        assert_eq!(expired.len(), 1);
        let payload = expired[0].first.len() - if timeout == IPV4_TIMEOUT { 20 } else { 40 };
        assert_eq!(expired[0].first.last(), packet.get(packet.len() - 3000 + payload - 1));
        assert_eq!(reassembler.counters().timed_out, 1);
        assert_empty(&reassembler);
        // Without the first fragment there is nothing to tell.
        add(&mut reassembler, 0, &pieces[1]);
        assert_eq!(reassembler.expire(timeout), []);
    }
}

#[test]
fn a_flood_of_beginnings_is_bounded_and_the_newest_survive() {
    let mut reassembler = Reassembler::default();
    let payload = pattern(40_000);
    for id in 0..2000 {
        add(&mut reassembler, 0, &pieces(&ipv4_packet(id, &payload), 9000)[0]);
        assert!(reassembler.bytes <= MAX_BYTES);
    }
    assert!(reassembler.counters().evicted > 0);
    let newest = ipv4_packet(1999, &payload);
    let whole = pieces(&newest, 9000)[1..]
        .iter()
        .filter_map(|piece| add(&mut reassembler, 0, piece))
        .next();
    assert_eq!(whole, Some(newest));

    let mut reassembler = Reassembler::default();
    for id in 0..3000 {
        add(&mut reassembler, 0, &pieces(&ipv4_packet(id, &pattern(200)), 100)[0]);
    }
    assert_eq!(reassembler.by_key.len(), MAX_PACKETS);
    assert_eq!(reassembler.counters().evicted, 3000 - MAX_PACKETS as u64);
}

#[test]
fn an_atomic_ipv6_fragment_is_a_whole_packet() {
    let packet = ipv6_packet(&pattern(100));
    let pieces = pieces(&packet, 1500);
    assert_eq!(pieces.len(), 1);
    assert_eq!(add(&mut Reassembler::default(), 0, &pieces[0]), Some(packet));
}

#[test]
fn headers_before_the_fragment_header_stay() {
    let packet = ipv6_packet(&pattern(2000));
    let mut reassembler = Reassembler::default();
    let mut whole = None;
    for piece in pieces(&packet, 1500) {
        // Destination options with padding between the IPv6 header and the Fragment header.
        let mut with_options = piece[..40].to_vec();
        with_options[6] = DESTINATION_OPTIONS;
        let len = u16::from_be_bytes([piece[4], piece[5]]) + 8;
        with_options[4..6].copy_from_slice(&len.to_be_bytes());
        with_options.extend_from_slice(&[FRAGMENT, 0, 1, 4, 0, 0, 0, 0]);
        with_options.extend_from_slice(&piece[40..]);
        whole = whole.or(add(&mut reassembler, 0, &with_options));
    }
    let whole = whole.unwrap();
    assert_eq!(whole[6], DESTINATION_OPTIONS);
    assert_eq!(whole[40], 17);
    assert_eq!(whole[48..], packet[40..]);
    assert_eq!(usize::from(u16::from_be_bytes([whole[4], whole[5]])), whole.len() - 40);
}

#[test]
fn a_packet_is_trusted_only_if_every_fragment_is() {
    let packet = ipv4_packet(1, &pattern(2000));
    let pieces = pieces(&packet, 1500);
    let mut reassembler = Reassembler::default();
    let fragment = |at: usize| Fragment::parse(&pieces[at]).unwrap();
    assert_eq!(reassembler.add(0, &fragment(0), Checksum::Unverified), None);
    assert_eq!(
        reassembler.add(0, &fragment(1), Checksum::Verified),
        Some(Whole { packet, checksum: Checksum::Unverified })
    );
}

#[test]
fn a_packet_that_would_be_too_large_is_never_built() {
    let mut last = pieces(&ipv4_packet(1, &pattern(2000)), 1500).remove(1);
    last[6..8].copy_from_slice(&0x1fff_u16.to_be_bytes());
    let mut reassembler = Reassembler::default();
    assert_eq!(add(&mut reassembler, 0, &last), None);
    assert_empty(&reassembler);
}

#[test]
fn random_bytes_are_survived() {
    let mut stream = Seed(3).stream("fuzz");
    let mut reassembler = Reassembler::default();
    for round in 0..20_000 {
        let mut packet: Vec<u8> = (0..stream.up_to(120)).map(|_| stream.next_u64() as u8).collect();
        if packet.len() > 48 {
            packet[0] = if round % 2 == 0 { 0x45 } else { 0x60 };
            let len = (packet.len() - if round % 2 == 0 { 0 } else { 40 }) as u16;
            let at = if round % 2 == 0 { 2 } else { 4 };
            packet[at..at + 2].copy_from_slice(&len.to_be_bytes());
            // Few keys, so that they meet.
            packet[if round % 2 == 0 { 12..20 } else { 8..40 }].fill(1);
            packet[if round % 2 == 0 { 4..6 } else { 44..48 }.start] &= 1;
            if round % 4 == 1 {
                packet[6] = FRAGMENT;
            }
        }
        if let Some(fragment) = Fragment::parse(&packet) {
            reassembler.add(round, &fragment, Checksum::Unverified);
        }
    }
    assert!(reassembler.by_key.len() <= MAX_PACKETS && reassembler.bytes <= MAX_BYTES);
    reassembler.expire(u64::MAX);
    assert_empty(&reassembler);
}

#[test]
fn what_cannot_be_split_is_refused() {
    let packet = ipv4_packet(1, &pattern(100));
    assert!(split_ipv4(&packet, 27).is_none());
    assert!(split_ipv4(&packet[..10], 1500).is_none());
    assert!(split_ipv6(&ipv6_packet(&[1]), 55, 0).is_none());
    assert!(split_ipv6(&packet, 1500, 0).is_none());
}
