//! Frames that nobody should send: the host neither panics, nor spins, nor grows.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::wire::{
    Arp, HOST, HOST_MAC, HOST_V6, MILLISECOND, PEER, PEER_MAC, PEER_PORT, PORT, Peer, SECOND, Tcp,
    Wire,
};
use crate::host::FlowId;
use crate::host::ListenerId;
use crate::host::options::HostOptions;
use crate::rng::{Seed, Stream};
use crate::wire::checksum::transport_checksum;
use crate::wire::ethernet::{ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

fn frame(ethertype: [u8; 2], packet: &[u8]) -> Vec<u8> {
    [&HOST_MAC[..], &PEER_MAC, &ethertype, packet].concat()
}

/// What may be open on a host, whatever arrives.
const MOST: usize = 64;

fn small() -> Wire {
    let mut wire = Wire::with(
        HostOptions::default()
            .recv_buffer(4_096)
            .send_buffer(4_096)
            .syn_backlog(16)
            .max_connections(MOST),
    );
    wire.answers_arp = true;
    wire
}

/// A host with a listener, one connection in use, and what its peer knows.
fn busy() -> (Wire, ListenerId, FlowId, Peer) {
    let mut wire = small();
    let listener = wire.listen(8);
    let mut peer = Peer { mss: Some(536), ..Peer::new(PEER_PORT) };
    wire.handshake(&mut peer);
    let flow = wire.accept(listener).unwrap();
    wire.write(flow, &[7; 3_000]);
    (wire, listener, flow, peer)
}

/// The listener must let an honest client in, after what it may have taken for clients expired.
fn still_serves(mut wire: Wire, listener: ListenerId) {
    while let Some(flow) = wire.accept(listener) {
        wire.close(flow);
    }
    wire.advance(200 * SECOND);
    wire.sent.clear();
    while let Some(flow) = wire.accept(listener) {
        wire.close(flow);
    }
    wire.advance(2_000 * SECOND);
    wire.sent.clear();
    let mut honest = Peer { address: Ipv4Addr::new(10, 0, 0, 2), ..Peer::new(50_505) };
    honest.seq = 77;
    wire.handshake(&mut honest);
    let flow = wire.accept(listener).expect("an honest client gets in");
    wire.is_alive(flow, &mut honest);
}

#[test]
fn random_bytes_do_no_harm() {
    let mut stream = Seed(1).stream("random bytes");
    let (mut wire, listener, ..) = busy();
    for _ in 0..20_000 {
        let len = stream.up_to(120) as usize;
        let mut bytes: Vec<u8> = (0..len).map(|_| stream.next_u64() as u8).collect();
        // Mostly for the host, so that what follows the header is looked at.
        if len >= ETHERNET_HEADER && stream.chance(0.9) {
            bytes[..6].copy_from_slice(&HOST_MAC);
            let ethertypes = [ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP];
            let ethertype = ethertypes[stream.up_to(2) as usize];
            bytes[12..14].copy_from_slice(&ethertype);
        }
        let is_trusted = stream.chance(0.5);
        wire.inject_frame(&bytes, is_trusted);
    }
    assert!(wire.host.sizes().connections <= MOST);
    still_serves(wire, listener);
}

#[test]
fn truncated_frames_do_no_harm() {
    let (mut wire, listener, flow, mut peer) = busy();
    wire.sent.clear();
    let segment = peer.segment().ack(peer.ack).payload(b"not all of it").packet();
    let syn = Peer { mss: Some(1_460), window_scale: Some(7), ..Peer::new(99) }.syn().packet();
    let arp = Arp::request(PEER, PEER_MAC, HOST).packet();
    for (ethertype, packet) in
        [(ETHERTYPE_IPV4, segment), (ETHERTYPE_IPV4, syn), (ETHERTYPE_ARP, arp)]
    {
        let whole = frame(ethertype, &packet);
        for len in 0..whole.len() {
            for is_trusted in [false, true] {
                wire.inject_frame(&whole[..len], is_trusted);
            }
        }
    }
    assert_eq!(wire.host.sizes().connections, 1);
    assert!(wire.try_read(flow).is_none());
    wire.is_alive(flow, &mut peer);
    still_serves(wire, listener);
}

// A length field that says more, or less, than there is.
#[test]
fn wrong_lengths_do_no_harm() {
    let (mut wire, listener, _, peer) = busy();
    let whole = frame(ETHERTYPE_IPV4, &peer.segment().payload(b"0123456789").packet());
    // Version and header length, total length, fragment, protocol, TCP header length.
    for (at, octets) in [(14, 1), (16, 2), (20, 2), (23, 1), (46, 1)] {
        for value in 0..=u8::MAX {
            for octet in 0..octets {
                let mut bytes = whole.clone();
                bytes[at + octet] = value;
                wire.inject_frame(&bytes, true);
                wire.inject_frame(&bytes, false);
            }
        }
    }
    assert!(wire.host.sizes().connections <= MOST);
    still_serves(wire, listener);
}

// RFC 1122 4.2.2.5: a TCP must be able to take any option, and an illegal length without crashing.
#[test]
fn odd_options_do_no_harm() {
    let mut stream = Seed(3).stream("options");
    let (mut wire, listener, _, peer) = busy();
    for round in 0..5_000 {
        let options: Vec<u8> = (0..4 * stream.up_to(10))
            .map(|_| match stream.up_to(3) {
                0 => stream.up_to(8) as u8,
                1 => stream.up_to(40) as u8,
                _ => stream.next_u64() as u8,
            })
            .collect();
        let segment = if round % 2 == 0 { peer.segment() } else { Peer::new(1_025).syn() };
        wire.inject(&segment.options(&options));
        wire.inject(&Peer::new(1_025).segment().rst().seq(peer.seq));
    }
    assert!(wire.host.sizes().connections <= MOST);
    still_serves(wire, listener);
}

/// A segment that fits the connection more or less.
fn plausible(stream: &mut Stream, peer: &Peer) -> Tcp {
    let mut near = |number: u32| match stream.up_to(5) {
        0..=2 => number,
        3 => number.wrapping_add(stream.up_to(6_000) as u32).wrapping_sub(3_000),
        4 => number.wrapping_add(stream.up_to(4) as u32).wrapping_sub(2),
        _ => stream.next_u64() as u32,
    };
    let (seq, ack) = (near(peer.seq), near(peer.ack));
    let mut segment = peer.segment().seq(seq).ack(ack);
    if stream.chance(0.05) {
        segment = segment.without_ack();
    }
    segment.syn = stream.chance(0.05);
    segment.fin = stream.chance(0.05);
    segment.rst = stream.chance(0.02);
    segment.psh = stream.chance(0.3);
    segment.window = match stream.up_to(3) {
        0 => 0,
        1 => stream.up_to(20) as u16,
        _ => stream.next_u64() as u16,
    };
    let len = if stream.chance(0.5) { 0 } else { stream.up_to(1_400) };
    segment.payload(&vec![b'x'; len as usize])
}

/// Connections in every state meet segments that fit more or less, and the application does
/// whatever comes to its mind.
fn converse(seed: u64, rounds: u32, listener_closes: bool) {
    let mut stream = Seed(seed).stream("mutations");
    let mut wire = small();
    let listener = wire.listen(4);
    let mut flows: Vec<FlowId> = Vec::new();
    let mut peers: Vec<Peer> = (0..6).map(|at| Peer::new(2_000 + at)).collect();
    for _ in 0..rounds {
        let which = stream.up_to(peers.len() as u64 - 1) as usize;
        match stream.up_to(19) {
            0 => {
                let iss = stream.next_u64() as u32;
                let mut peer = Peer { seq: iss, ..peers[which].clone() };
                peer.window_scale = stream.chance(0.5).then(|| stream.up_to(20) as u8);
                peer.mss = stream.chance(0.7).then(|| stream.up_to(3_000) as u16);
                wire.inject(&peer.syn());
                peer.seq = peer.seq.wrapping_add(1);
                peers[which] = peer;
            }
            1 => {
                if let Ok((flow, local)) = wire.connect_to(None, (PEER, 443).into()) {
                    flows.push(flow);
                    wire.settle();
                    let peer = Peer { host_port: local.port(), ..Peer::new(443) };
                    wire.inject(&peer.syn());
                    peers[which] = Peer { seq: peer.seq + 1, ..peer };
                }
            }
            2 => flows.extend(wire.accept(listener)),
            3 => {
                let duration = stream.up_to(3 * SECOND);
                wire.advance(duration);
            }
            4 if !flows.is_empty() => {
                let at = stream.up_to(flows.len() as u64 - 1) as usize;
                match stream.up_to(4) {
                    0 => drop(wire.host.shut_down(wire.now, flows[at], std::net::Shutdown::Write)),
                    1 => wire.close(flows.swap_remove(at)),
                    2 => drop(wire.read_up_to(flows[at], 1_000)),
                    _ => drop(wire.try_write(flows[at], &[b'y'; 2_500])),
                }
            }
            _ => {
                let segment = plausible(&mut stream, &peers[which]);
                let mut bytes = frame(ETHERTYPE_IPV4, &segment.packet());
                // Sometimes with a flipped bit, which only the checksums notice, if they are asked.
                if stream.chance(0.2) {
                    let at = stream.up_to(bytes.len() as u64 - 1) as usize;
                    bytes[at] ^= 1 << stream.up_to(7);
                }
                let is_trusted = stream.chance(0.5);
                wire.inject_frame(&bytes, is_trusted);
            }
        }
        // The peers believe what the host tells them.
        for sent in wire.take() {
            let to = |peer: &&mut Peer| {
                (peer.port, peer.host_port) == (sent.destination.port(), sent.source.port())
            };
            if let Some(peer) = peers.iter_mut().find(to) {
                peer.ack = if stream.chance(0.8) { sent.end() } else { peer.ack };
                peer.seq = sent.ack.unwrap_or(peer.seq);
            }
        }
        wire.arps.clear();
        assert!(
            wire.host.sizes().connections <= MOST,
            "{} connections",
            wire.host.sizes().connections
        );
    }
    // Everything is let go of: in the end, nothing is left.
    for flow in flows {
        wire.close(flow);
    }
    if listener_closes {
        wire.close_listener(listener);
    }
    for _ in 0..10 {
        wire.advance(300 * SECOND);
        while !listener_closes && let Some(flow) = wire.accept(listener) {
            wire.close(flow);
        }
    }
    wire.settle();
    assert_eq!(wire.host.sizes().connections, 0, "{:?}", wire.host.netstat(wire.now));
    let inner = wire.host.tcp.inner_sizes();
    assert_eq!((inner.tuples, inner.orphans), (0, 0));
    assert_eq!(wire.deadline, None, "and nothing to do");
}

#[test]
fn mutated_conversations_do_no_harm() {
    for seed in 0..20 {
        converse(seed, 1_000, true);
    }
}

#[test]
fn mutated_conversations_leave_nothing_behind() {
    for seed in 20..40 {
        converse(seed, 1_000, false);
    }
}

/// A listener and a connection meet segments with flipped bits.
fn flipped_bits() -> (Wire, ListenerId) {
    let mut stream = Seed(5).stream("bits");
    let (mut wire, listener, _, peer) = busy();
    let whole = frame(ETHERTYPE_IPV4, &peer.segment().payload(b"0123456789").packet());
    let syn = frame(ETHERTYPE_IPV4, &Peer::new(PEER_PORT + 1).syn().packet());
    let arp = frame(ETHERTYPE_ARP, &Arp::request(PEER, PEER_MAC, HOST).packet());
    for round in 0..20_000 {
        let mut bytes = [&whole, &syn, &arp][round % 3].clone();
        for _ in 0..=stream.up_to(3) {
            let at =
                ETHERNET_HEADER as u64 + stream.up_to((bytes.len() - 1 - ETHERNET_HEADER) as u64);
            bytes[at as usize] ^= 1 << stream.up_to(7);
        }
        wire.inject_frame(&bytes, round % 2 == 0);
        if round % 100 == 0 {
            wire.advance(100 * MILLISECOND);
            wire.sent.clear();
            wire.arps.clear();
        }
    }
    (wire, listener)
}

#[test]
fn flipped_bits_do_no_harm() {
    let (wire, listener) = flipped_bits();
    assert!(wire.host.sizes().connections <= MOST);
    still_serves(wire, listener);
}

#[test]
fn flipped_bits_leave_nothing_behind() {
    let (mut wire, listener) = flipped_bits();
    for _ in 0..10 {
        wire.advance(300 * SECOND);
        while let Some(flow) = wire.accept(listener) {
            wire.close(flow);
        }
    }
    assert!(wire.host.sizes().connections <= 1, "all but the application's own");
}

// CVE-1999-0016, "land": a SYN from the host's own address and port.
#[test]
fn a_syn_from_the_host_itself_ends_in_silence() {
    let mut wire = small();
    let listener = wire.listen(4);
    let mut syn = Peer::new(PEER_PORT).syn();
    syn.from = (HOST, PORT);
    wire.inject(&syn);
    wire.advance(300 * SECOND);
    assert_eq!(wire.host.sizes().connections, 0);
    still_serves(wire, listener);
}

// RFC 5961 7, CVE-2016-5696 apart: two hosts must not challenge each other for ever.
#[test]
fn two_records_of_time_wait_do_not_answer_each_other() {
    let mut wire = small();
    let (flow, mut peer) = wire.passive();
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment().fin());
    let ack = wire.expect("ACK");
    // What the host said, said to the host.
    let mirrored = peer.segment().seq(ack.ack.unwrap()).ack(ack.seq);
    wire.inject(&mirrored);
    wire.expect_silence();
}

/// An IPv6 packet from the peer to the host.
fn v6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next_header, 64]);
    packet.extend("fd00::2".parse::<Ipv6Addr>().unwrap().octets());
    packet.extend(HOST_V6.octets());
    packet.extend(payload);
    packet
}

// RFC 8200 section 4.
#[test]
fn odd_extension_headers_do_no_harm() {
    let mut stream = Seed(4).stream("extension headers");
    let (mut wire, listener, ..) = busy();
    for _ in 0..20_000 {
        let mut payload: Vec<u8> =
            (0..stream.up_to(100)).map(|_| stream.next_u64() as u8).collect();
        let kinds = [0, 6, 17, 43, 44, 58, 60, 255];
        if let [next, eighths, ..] = &mut payload[..] {
            *next = kinds[stream.up_to(7) as usize];
            *eighths = stream.up_to(12) as u8;
        }
        let packet = v6(kinds[stream.up_to(7) as usize], &payload);
        wire.inject_frame(&frame(ETHERTYPE_IPV6, &packet), stream.chance(0.5));
    }
    assert!(wire.host.sizes().connections <= MOST);
    still_serves(wire, listener);
}

// RFC 8200 4.1: what the engine never sees is taken off in front of it.
#[test]
fn a_segment_behind_extension_headers_is_received() {
    let mut wire = Wire::new();
    wire.listen_at(([0u16; 8], PORT).into(), 8);
    let mut segment =
        vec![0x9c, 0x40, 0, PORT as u8, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff];
    segment.extend([0, 0, 0, 0]);
    let peer = "fd00::2".parse().unwrap();
    let checksum = transport_checksum(peer, HOST_V6.into(), 6, &segment);
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    // Hop-by-hop options (a router alert), then destination options (padding).
    let mut payload = vec![60, 0, 5, 2, 0, 0, 1, 0, 6, 0, 1, 4, 0, 0, 0, 0];
    payload.extend(&segment);
    wire.inject_frame(&frame(ETHERTYPE_IPV6, &v6(0, &payload)), false);
    assert_eq!(wire.host.sizes().connections, 1);
    // An option that must be understood.
    payload[2] = 0xc5;
    segment[1] ^= 1;
    wire.inject_frame(&frame(ETHERTYPE_IPV6, &v6(0, &payload)), true);
    assert_eq!(wire.host.sizes().connections, 1);
}
