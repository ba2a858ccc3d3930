//! What SYNs agree on with glassnet's own TCP, whoever keeps the half-open connection: an engine, a
//! request of a few numbers, or a cookie.

use std::time::Duration;

use glassnet::peer::{Event, IpPacket, Peer, Segment, TcpOption, Wire};
use glassnet::{HostOptions, TcpEngine};

const HOST: [u8; 4] = [10, 0, 0, 1];
const PEER: [u8; 4] = [10, 0, 0, 2];

fn options() -> HostOptions {
    HostOptions::default().tcp_engine(TcpEngine::Glassnet)
}

fn wire(options: HostOptions) -> Wire {
    let builder = Wire::builder(7).address(HOST, 16).peer_address(PEER);
    builder.start(Duration::from_secs(1)).host_options(options).build().unwrap()
}

fn peer(port: u16) -> Peer {
    let mut peer = Peer::new((PEER, port).into(), (HOST, 80).into());
    peer.options.extend([
        TcpOption::SackPermitted,
        TcpOption::Timestamps { value: 70_000, echo: 0 },
        TcpOption::Nop,
        TcpOption::WindowScale(7),
    ]);
    peer
}

/// Segments of the host with the packets that carry them.
fn sent(wire: &mut Wire) -> Vec<(IpPacket, Segment)> {
    let frames = wire.take_events().into_iter().filter_map(|event| match event {
        Event::Sent(frame) => Some(((*frame.packet()?).clone(), (*frame.segment()?).clone())),
        _ => None,
    });
    frames.collect()
}

/// What a SYN-ACK says, but for its timestamp.
fn said(syn_ack: &Segment) -> (Option<u16>, bool, Option<u8>, u16, usize) {
    let options = (syn_ack.mss(), syn_ack.is_sack_permitted(), syn_ack.window_scale());
    (options.0, options.1, options.2, syn_ack.window, syn_ack.options.len())
}

// RFC 7323, RFC 2018; Linux's `cookie_init_timestamp`.
#[test]
fn of_a_crowd_of_connections_each_has_timestamps_sack_and_window_scale() {
    // All have room, or from the second on they get cookies.
    for backlog in [1_024, 1] {
        let mut wire = wire(options().recv_buffer(1 << 20).syn_backlog(backlog));
        let listener = wire.listen((HOST, 80).into(), 128).unwrap();
        let mut peers: Vec<Peer> = (0..40).map(|number| peer(40_000 + number)).collect();
        let mut answers = Vec::new();
        for peer in &mut peers {
            wire.inject(&peer.syn());
            let syn_ack = wire.expect_segment("SYN ACK");
            peer.received(&syn_ack);
            assert_eq!(syn_ack.timestamps().unwrap().1, 70_000);
            answers.push((*syn_ack).clone());
        }
        assert!(answers.iter().all(|answer| said(answer) == said(&answers[0])), "{backlog}");
        assert_eq!((answers[0].window_scale(), answers[0].options.len()), (Some(5), 20));
        wire.advance(Duration::from_millis(300)).unwrap();
        for (peer, answer) in peers.iter_mut().zip(&answers) {
            let (value, _) = answer.timestamps().unwrap();
            let stamp = TcpOption::Timestamps { value: 70_300, echo: value };
            // 100 << 7 bytes.
            peer.window = 100;
            wire.inject(&peer.segment().option(stamp.clone()));
            let socket = wire.accept(&listener).unwrap();
            // A byte behind a gap is told of, and the echo is the last.
            let mut gap = peer.segment().seq(peer.seq + 100).option(stamp);
            gap.payload = vec![1];
            wire.inject(&gap);
            let ack = wire.next_segment().unwrap();
            assert_eq!(ack.sack(), [(peer.seq + 100, peer.seq + 101)]);
            assert_eq!(ack.timestamps().unwrap().1, 70_300);
            assert_eq!(ack.window, (1 << 20 >> 5) as u16);
            assert_eq!(wire.write(&socket, &[7; 60_000]).unwrap(), 60_000);
            let data = wire.take_segments();
            let len: usize = data.iter().map(|segment| segment.payload.len()).sum();
            assert!((11_000..=12_800).contains(&len), "{len}: the scale of the peer counts");
            let reset = peer.segment().rst();
            wire.inject(&reset);
            sent(&mut wire);
        }
    }
}

#[test]
fn a_peer_without_options_gets_none_from_a_cookie() {
    let mut wire = wire(options().syn_backlog(1));
    let listener = wire.listen((HOST, 80).into(), 128).unwrap();
    for number in 0..3 {
        let mut peer = Peer::new((PEER, 41_000 + number).into(), (HOST, 80).into());
        wire.inject(&peer.syn());
        let syn_ack = wire.expect_segment("SYN ACK");
        assert_eq!((syn_ack.options.len(), syn_ack.timestamps()), (4, None));
        peer.received(&syn_ack);
        // Only the last two are cookies: the first still waits.
        if number > 0 {
            wire.inject(&peer.segment());
            assert!(wire.accept(&listener).is_ok());
        }
    }
}

// RFC 3168 6.1.1.
#[test]
fn who_asks_for_ecn_gets_it_and_a_syn_does_not_ask_unless_told_to() {
    for backlog in [1_024, 1] {
        let mut wire = wire(options().syn_backlog(backlog));
        let _listener = wire.listen((HOST, 80).into(), 128).unwrap();
        for number in 0..40 {
            let asks = number % 2 == 0;
            let mut peer = peer(40_000 + number);
            let syn = peer.syn();
            wire.inject(&if asks { syn.ece().cwr() } else { syn });
            let syn_ack = wire.next_segment().unwrap();
            assert_eq!((syn_ack.ece, syn_ack.cwr), (asks, false), "{number}, {backlog}");
        }
    }
    for asks in [false, true] {
        let mut wire = wire(if asks { options().ecn(true) } else { options() });
        let _socket = wire.connect((PEER, 40_000).into()).unwrap();
        wire.advance(Duration::from_millis(1_500)).unwrap();
        let syns = wire.take_segments();
        let flags: Vec<_> = syns.iter().map(|syn| (syn.ece, syn.cwr)).collect();
        // What asks may be what a firewall drops.
        assert_eq!(flags, [(asks, asks), (false, false)]);
    }
}

// RFC 3168 6.1.2, 6.1.3.
#[test]
fn a_mark_is_echoed_until_the_peer_says_that_it_has_reduced() {
    let mut wire = wire(options());
    let listener = wire.listen((HOST, 80).into(), 8).unwrap();
    let mut peer = peer(40_000);
    peer.options.truncate(1);
    wire.inject(&peer.syn().ece().cwr());
    let syn_ack = wire.next_segment().unwrap();
    peer.received(&syn_ack);
    wire.inject(&peer.segment());
    let socket = wire.accept(&listener).unwrap();
    let marked = |segment: &Segment, mark: u8| segment.packet().traffic_class(mark);
    for (mark, is_reduced, echoes) in
        [(2, false, false), (3, false, true), (2, false, true), (2, true, false), (3, true, true)]
    {
        let data = peer.data(b"data".to_vec());
        let data = if is_reduced { data.cwr() } else { data };
        wire.inject(&marked(&data, mark));
        let (packet, ack) = sent(&mut wire).pop().unwrap();
        assert_eq!((ack.ece, packet.traffic_class), (echoes, 0), "{mark}, {is_reduced}");
    }
    // Its own data may be marked, but not what it sends again.
    wire.write(&socket, &[7; 30_000]).unwrap();
    let first = sent(&mut wire);
    assert_eq!(first.len(), 10);
    assert!(first.iter().all(|(packet, data)| packet.traffic_class == 2 && data.ece && !data.cwr));
    // Two that tell of a mark, within a round trip: one reduction, of which the peer hears once.
    peer.received(&first[0].1);
    wire.inject(&peer.segment().ece());
    peer.received(&first[3].1);
    wire.inject(&peer.segment().ece());
    peer.received(&first[9].1);
    wire.inject(&peer.segment());
    let next = sent(&mut wire);
    assert_eq!(next.iter().filter(|(_, data)| data.cwr).count(), 1);
    assert!(next[0].1.cwr && next.len() < 10, "{} of 10", next.len());
    wire.advance(Duration::from_millis(250)).unwrap();
    let again = sent(&mut wire);
    assert!(
        again.iter().all(|(packet, data)| packet.traffic_class == 0 && !data.payload.is_empty())
    );
    assert!(!again.is_empty());
}
