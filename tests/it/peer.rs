//! The scripted peer itself: frames in and out by hand, time, calls, set-up. What hosts do on the
//! wire is in `wire`.

use std::cell::RefCell;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use glassnet::net::socket::{Domain, Protocol, Socket, Type};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::peer::{
    Checksum, Datagram, Event, Frame, IcmpMessage, IpPacket, Peer, Segment, TcpOption, ToFrame,
    Wire,
};
use glassnet::time::Instant;
use glassnet::{ArpPacket, DropReason, HostOptions, TcpState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common;

const SECOND: Duration = Duration::from_secs(1);

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A moment so long after the beginning.
fn instant(since_start: Duration) -> Instant {
    Wire::new(7).now() + since_start
}

fn peer_to(host: &str) -> Peer {
    let address = if host.starts_with('[') { "[fd00::2]:40000" } else { "10.0.0.2:40000" };
    Peer::new(at(address), at(host))
}

// ---- Frames ----------------------------------------------------------------------------------

#[test]
fn a_handshake_and_a_greeting_pass_over_both_versions_of_ip() {
    for host in ["10.0.0.1:80", "[fd00::1]:80"] {
        let mut wire = Wire::new(7);
        let listener = wire.listen(at(host), 5).unwrap();
        let mut peer = peer_to(host);
        let syn_ack = wire.handshake(&mut peer);
        assert_eq!((syn_ack.source, syn_ack.destination), (at(host), peer.address));
        assert_eq!((syn_ack.source_mac, syn_ack.destination_mac), (wire.mac(), wire.peer_mac()));
        let connection = wire.accept(&listener).unwrap();
        assert_eq!(connection.peer_addr().unwrap(), peer.address.into());
        assert_eq!(wire.write(&connection, b"Thank you for connecting").unwrap(), 24);
        let greeting = wire.expect_segment("PSH ACK");
        assert_eq!(greeting.payload, b"Thank you for connecting");
        assert_eq!(greeting.checksum, Checksum::Right);
        peer.received(&greeting);
        wire.inject(&peer.data(b"bye"));
        wire.inject(&peer.fin());
        assert_eq!(wire.read(&connection).unwrap(), b"bye");
        assert_eq!(wire.read(&connection).unwrap(), b"");
        assert_eq!(wire.state(&connection), Some(TcpState::CloseWait));
        wire.close(connection);
        assert!(wire.take_segments().last().unwrap().fin);
    }
}

#[test]
fn every_field_of_a_segment_reads_back_from_its_frame() {
    for ends in [["10.0.0.2:1", "10.0.0.1:2"], ["[fd00::2]:1", "[fd00::1]:2"]] {
        let segment = Segment::new(at(ends[0]), at(ends[1]))
            .seq(u32::MAX)
            .ack(7)
            .syn()
            .fin()
            .rst()
            .psh()
            .urg()
            .ece()
            .cwr()
            .window(1_000)
            .urgent_pointer(9)
            .option(TcpOption::MaxSegmentSize(536))
            .option(TcpOption::SackPermitted)
            .option(TcpOption::Timestamps { value: 100, echo: 200 })
            .option(TcpOption::Nop)
            .option(TcpOption::WindowScale(7))
            .payload(b"odd")
            .hop_limit(3)
            .traffic_class(0xb9);
        let frame = segment.to_frame([2; 6], [4; 6]);
        assert_eq!(Segment::parse(&frame).as_ref(), Some(&segment));
        assert_eq!(segment.flags(), "SYN FIN RST PSH ACK URG ECE CWR");
        assert_eq!((segment.mss(), segment.window_scale()), (Some(536), Some(7)));
        assert_eq!((segment.timestamps(), segment.is_sack_permitted()), (Some((100, 200)), true));
        assert_eq!(segment.end(), 4, "three bytes, SYN and FIN after 2^32 - 1");
        // The view that observers use reads the same.
        let view = glassnet::TcpSegment::parse(&frame).unwrap();
        assert_eq!((view.source, view.seq, view.ack), (segment.source, u32::MAX, Some(7)));
        for len in 0..frame.len() {
            assert_eq!(Segment::parse(&frame[..len]), None, "of {len} bytes");
        }
    }
}

#[test]
fn selective_acknowledgments_are_written_and_read() {
    let blocks = vec![(10, 20), (30, 40), (u32::MAX, 5)];
    let segment = Segment::new(at("10.0.0.2:1"), at("10.0.0.1:2"))
        .ack(1)
        .option(TcpOption::Sack(blocks.clone()));
    let read = Segment::parse(&segment.to_frame([2; 6], [4; 6])).unwrap();
    assert_eq!(read.sack(), blocks);
    assert!(read.to_string().ends_with("sack=10-20 sack=30-40 sack=4294967295-5"), "{read}");
}

#[test]
fn options_that_make_no_sense_are_sent_as_they_are_and_too_many_are_cut() {
    let segment = Segment::new(at("10.0.0.2:1"), at("10.0.0.1:2"));
    let odd = segment.clone().options([2, 40, 0]);
    assert_eq!(Segment::parse(&odd.to_frame([2; 6], [4; 6])).unwrap().options, [2, 40, 0, 0]);
    let long = segment.options(vec![1; 100]).payload(b"data");
    let read = Segment::parse(&long.to_frame([2; 6], [4; 6])).unwrap();
    assert_eq!((read.options.len(), &read.payload[..]), (40, &b"data"[..]));
}

#[test]
fn a_wrong_checksum_is_counted_and_answered_by_nothing() {
    let mut wire = Wire::new(7);
    let _listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    let syn = peer_to("10.0.0.1:80").syn();
    wire.inject(&syn.clone().checksum(Checksum::Wrong));
    wire.inject(&syn.packet().header_checksum(Checksum::Wrong));
    wire.expect_nothing_for(SECOND);
    assert_eq!((wire.counters().tcp_errors, wire.counters().ip_header_errors), (1, 1));
    wire.inject(&syn);
    wire.expect_segment("SYN ACK");
}

#[test]
fn a_datagram_passes_in_and_out_and_may_lack_a_checksum() {
    for (host, peer) in [("10.0.0.1:53", "10.0.0.2:5353"), ("[fd00::1]:53", "[fd00::2]:5353")] {
        let mut wire = Wire::new(7);
        let socket = wire.bind_udp(at(host)).unwrap();
        let datagram = Datagram::new(at(peer), at(host), b"question").hop_limit(3);
        assert_eq!(Datagram::parse(&datagram.to_frame([2; 6], [4; 6])), Some(datagram.clone()));
        wire.inject(&datagram);
        wire.inject(&datagram.clone().checksum(Checksum::Wrong));
        wire.inject(&datagram.checksum(Checksum::Zero));
        let mut buffer = [0; 100];
        let (len, from) = wire.call(socket.recv_from(&mut buffer)).unwrap();
        assert_eq!((&buffer[..len], from), (&b"question"[..], at(peer).into()));
        // RFC 8200 8.1: IPv6 has none without.
        let second = wire.call(socket.recv_from(&mut buffer));
        assert_eq!(second.is_ok(), host.starts_with("10."), "{second:?}");
        wire.call(socket.send_to(b"answer", &at(peer).into())).unwrap();
        let answer = wire.next_datagram().unwrap();
        assert_eq!((answer.source, answer.destination), (at(host), at(peer)));
        assert_eq!(answer.payload, b"answer");
    }
}

#[test]
fn an_echo_request_is_answered_and_its_reply_read() {
    for (host, peer, reply) in [("10.0.0.1", "10.0.0.2", 0), ("fd00::1", "fd00::2", 129)] {
        let mut wire = Wire::new(7);
        let request = IcmpMessage::echo_request(ip(peer), ip(host), 5, 9).payload(b"ping");
        wire.inject(&request);
        let echo = wire.next_icmp().unwrap();
        assert_eq!((echo.kind, echo.code, echo.rest), (reply, 0, [0, 5, 0, 9]));
        assert_eq!((&echo.payload[..], echo.checksum), (&b"ping"[..], Checksum::Right));
        wire.inject(&request.checksum(Checksum::Wrong));
        wire.expect_nothing();
    }
}

#[test]
fn a_router_tells_that_a_segment_was_too_big() {
    for host in ["10.0.0.1:80", "[fd00::1]:80"] {
        let mut wire = Wire::new(7);
        let listener = wire.listen(at(host), 5).unwrap();
        let mut peer = peer_to(host);
        wire.handshake(&mut peer);
        let connection = wire.accept(&listener).unwrap();
        wire.write(&connection, &[0; 1_400]).unwrap();
        let frame = wire.next_frame().unwrap();
        let packet = frame.packet().unwrap();
        wire.inject(&IcmpMessage::too_big(peer.address.ip(), &packet, 1_280));
        wire.advance(3 * SECOND).unwrap();
        let again = wire.next_frame().unwrap();
        assert_eq!(again.packet().unwrap().to_bytes().len(), 1_280, "{again}");
    }
}

#[test]
fn an_error_about_a_connection_attempt_ends_it() {
    let mut wire = Wire::new(7);
    let socket = wire.connect(at("10.0.0.2:80")).unwrap();
    let syn = wire.next_frame().unwrap().packet().unwrap();
    wire.inject(&IcmpMessage::port_unreachable(ip("10.0.0.2"), &syn));
    let error = wire.call(socket.connect(&at("10.0.0.2:80").into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_segment_arrives_in_fragments() {
    let mut wire = Wire::new(7);
    let _listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    let whole = peer_to("10.0.0.1:80").syn().packet().id(77).dont_fragment(false);
    let (first, rest) = whole.payload.split_at(16);
    let fragment = |at: u16, more: bool, bytes: &[u8]| {
        whole.clone().payload(bytes).fragment_offset(at).more_fragments(more)
    };
    let fragments = [fragment(2, false, rest), fragment(0, true, first)];
    assert_eq!(fragments.each_ref().map(IpPacket::is_fragment), [true, true]);
    assert!(fragments[0].to_string().ends_with("fragment=16"), "{}", fragments[0]);
    wire.inject_burst(&fragments);
    wire.expect_segment("SYN ACK");
}

#[test]
fn raw_bytes_go_in_whatever_they_are() {
    let mut wire = Wire::new(7);
    let bytes: Vec<u8> = (0..2_000u32).map(|at| (at * 7) as u8).collect();
    for len in [0, 1, 13, 14, 60, 1_514, 2_000] {
        wire.inject(&bytes[..len]);
    }
    let mut huge = peer_to("10.0.0.1:80").syn().to_frame(wire.peer_mac(), wire.mac());
    huge.resize(1 << 20, 0);
    wire.inject(&huge);
    assert!(wire.next_segment().unwrap().rst, "nobody listens; what follows the packet is padding");
    let too_long = peer_to("10.0.0.1:80").segment().payload(vec![0; 100_000]);
    wire.inject(&too_long);
    wire.inject_packet(&[]);
    wire.inject_packet(&[0x60]);
    assert!(wire.counters().unknown_ethertype > 0);
    wire.expect_nothing_for(SECOND);
}

#[test]
fn frames_of_ones_own_kind_can_be_injected() {
    /// A frame of somebody's own stack.
    struct Mine(Vec<u8>);
    impl ToFrame for Mine {
        fn to_frame(&self, from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
            [&to[..], &from[..], &[0x08, 0x06], &self.0[..]].concat()
        }
    }
    let mut wire = Wire::new(7);
    let [host, peer] = [[10, 0, 0, 1], [10, 0, 0, 2]];
    let request = ArpPacket::request(wire.peer_mac(), peer.into(), host.into());
    wire.inject(&Mine(request.to_bytes().to_vec()));
    let reply = wire.next_arp().unwrap();
    assert_eq!(
        reply.packet,
        ArpPacket::reply(wire.mac(), host.into(), wire.peer_mac(), peer.into())
    );
}

// ---- What happens ----------------------------------------------------------------------------

#[test]
fn events_come_in_order_each_with_its_time() {
    let mut wire = Wire::new(7);
    let _listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    wire.inject(&peer_to("10.0.0.1:80").syn());
    let mut seen = Vec::new();
    while let Some(event) = wire.next_event().unwrap() {
        let what = match &event {
            Event::Sent(frame) => frame.segment().unwrap().flags(),
            Event::State { from, to, .. } => format!("{from} -> {to}"),
            Event::Timer { .. } => "timer".to_owned(),
            other => panic!("{other}"),
        };
        seen.push((event.time().since_start().as_secs(), what));
    }
    let lines: Vec<String> = seen.iter().map(|(time, what)| format!("{time} {what}")).collect();
    let expected = [
        "0 LISTEN -> SYN-RECEIVED",
        "0 SYN ACK",
        "1 SYN ACK",
        "3 SYN ACK",
        "7 SYN ACK",
        "15 SYN ACK",
        "31 SYN ACK",
        // Is the neighbour still there? The peer answers that, which is no event.
        "36 timer",
        "63 SYN-RECEIVED -> CLOSED",
    ];
    assert_eq!(lines, expected);
    assert_eq!((wire.deadline(), wire.now().since_start().as_secs()), (None, 63));
}

#[test]
fn a_timer_of_which_nothing_comes_is_an_event_of_its_own() {
    let mut wire = Wire::new(7);
    let _call = wire.start(glassnet::time::sleep(SECOND));
    let timer = wire.next_event().unwrap().unwrap();
    assert_eq!(timer, Event::Timer { time: instant(SECOND) });
    assert_eq!(wire.next_event().unwrap(), None);
}

#[test]
fn a_packet_that_never_leaves_is_an_event_with_its_reason() {
    let mut wire = Wire::builder(7).answer_neighbors(false).build().unwrap();
    let socket = wire.bind_udp(at("10.0.0.1:53")).unwrap();
    wire.call(socket.send_to(b"lost", &at("10.0.0.2:53").into())).unwrap();
    let question = wire.next_arp().unwrap();
    assert_eq!((question.is_reply, question.target), (false, [10, 0, 0, 2].into()));
    wire.advance(10 * SECOND).unwrap();
    let events = wire.take_events();
    let dropped: Vec<&Event> =
        events.iter().filter(|event| matches!(event, Event::Dropped { .. })).collect();
    let [Event::Dropped { frame, reason }] = dropped[..] else { panic!("{events:?}") };
    assert_eq!(*reason, DropReason::NeighborUnreachable);
    assert_eq!(Datagram::parse(&frame.bytes).unwrap().payload, b"lost");
    assert_eq!(wire.counters().neighbor_unreachable, 1);
}

#[test]
fn each_kind_of_frame_is_taken_by_itself_and_the_others_stay() {
    let mut wire = Wire::builder(7).answer_neighbors(false).build().unwrap();
    let _listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    let from_peer =
        ArpPacket::reply(wire.peer_mac(), [10, 0, 0, 2].into(), wire.mac(), [10, 0, 0, 1].into());
    wire.inject(&ArpPacket::request(wire.peer_mac(), [10, 0, 0, 2].into(), [10, 0, 0, 1].into()));
    wire.inject(&from_peer);
    wire.inject(&IcmpMessage::echo_request(ip("10.0.0.2"), ip("10.0.0.1"), 1, 1));
    wire.inject(&peer_to("10.0.0.1:80").syn());
    let udp = wire.bind_udp(at("10.0.0.1:53")).unwrap();
    wire.call(udp.send_to(b"x", &at("10.0.0.2:53").into())).unwrap();
    assert!(wire.next_datagram().is_some());
    assert!(wire.next_segment().unwrap().syn);
    assert!(wire.next_icmp().is_some());
    assert!(wire.next_arp().unwrap().is_reply);
    assert_eq!(wire.next_frame(), None);
}

#[test]
#[should_panic(expected = "not: 0.000000000s 10.0.0.1:80 > 10.0.0.2:40000 SYN ACK seq=")]
fn an_expectation_that_fails_prints_the_segment_that_was_sent() {
    let mut wire = Wire::new(7);
    let _listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    wire.inject(&peer_to("10.0.0.1:80").syn());
    wire.expect_segment("RST");
}

#[test]
#[should_panic(expected = "should have sent nothing, not: 1.000000000s 10.0.0.1:80 > ")]
fn a_frame_where_nothing_was_expected_is_printed() {
    let mut wire = Wire::new(7);
    let _listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    wire.inject(&peer_to("10.0.0.1:80").syn());
    wire.expect_segment("SYN ACK");
    wire.expect_nothing_for(SECOND / 2);
    wire.expect_nothing_for(SECOND);
}

#[test]
fn what_nobody_takes_is_forgotten_beyond_its_limit() {
    let mut wire = Wire::new(7);
    for sequence in 0..70_000u32 {
        let echo = IcmpMessage::echo_request(ip("10.0.0.2"), ip("10.0.0.1"), 1, sequence as u16);
        wire.inject(&echo);
        if sequence % 1_000 == 0 {
            wire.advance(SECOND).unwrap();
        }
    }
    let events = wire.take_events();
    assert_eq!(events.len(), 65_536);
    assert!(events[0].time() > instant(SECOND));
}

// ---- Time ------------------------------------------------------------------------------------

#[test]
fn time_stands_still_until_it_is_told_to_pass() {
    let mut wire = Wire::builder(7).start(5 * SECOND).build().unwrap();
    assert_eq!(wire.now().since_start(), 5 * SECOND);
    let _listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    wire.inject(&peer_to("10.0.0.1:80").syn());
    wire.expect_segment("SYN ACK");
    assert_eq!(wire.now().since_start(), 5 * SECOND);
    assert_eq!(wire.deadline(), Some(instant(6 * SECOND)));
    wire.advance(SECOND - Duration::from_nanos(1)).unwrap();
    wire.expect_nothing();
    wire.advance(Duration::from_nanos(1)).unwrap();
    assert_eq!(wire.expect_segment("SYN ACK").time.since_start(), 6 * SECOND);
    // What is over is over.
    wire.advance_to(instant(SECOND)).unwrap();
    assert_eq!(wire.now().since_start(), 6 * SECOND);
}

#[test]
fn a_host_is_idle_when_its_last_timer_has_fired() {
    let mut wire = Wire::new(7);
    let _listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    wire.run_until_idle().unwrap();
    assert_eq!(wire.now(), instant(Duration::ZERO), "nothing was to be waited for");
    wire.inject(&peer_to("10.0.0.1:80").syn());
    wire.run_until_idle().unwrap();
    assert_eq!(wire.now().since_start(), 63 * SECOND);
    assert_eq!((wire.take_segments().len(), wire.table_sizes().connections), (6, 0));
}

#[test]
fn a_host_that_is_not_idle_after_an_hour_is_an_error() {
    let mut wire = Wire::new(7);
    let listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    let mut peer = peer_to("10.0.0.1:80");
    wire.handshake(&mut peer);
    let connection = wire.accept(&listener).unwrap();
    connection.set_keepalive(true).unwrap();
    let late = wire.run_until_idle().unwrap_err();
    assert_eq!(late.time().since_start(), 3_600 * SECOND);
    let text = "at 3600.000000000s the host is not idle: a timer fires at 7200.000000000s";
    assert_eq!(late.to_string(), text);
}

#[test]
fn what_spins_is_an_error_and_no_endless_loop() {
    let mut wire = Wire::new(7);
    let spinning = wire.start(async {
        loop {
            glassnet::task::yield_now().await;
        }
    });
    let error = wire.advance(SECOND).unwrap_err();
    assert!(error.to_string().contains("always has more to do"), "{error}");
    assert!(wire.next_event().is_err());
    assert_eq!(wire.now().since_start(), Duration::ZERO);
    let spinning: glassnet::peer::Call<()> = spinning;
    spinning.cancel();
    wire.advance(SECOND).unwrap();
}

#[test]
fn the_end_of_time_is_not_passed() {
    let mut wire = Wire::new(7);
    wire.advance(Duration::MAX).unwrap();
    let end = wire.now();
    assert!(end.since_start() > Duration::from_secs(292 * 365 * 86_400));
    wire.advance(SECOND).unwrap();
    assert_eq!(wire.now(), end);
}

#[test]
fn the_same_calls_give_the_same_frames_and_another_seed_others() {
    let frames = |seed: u64| -> Vec<Frame> {
        let mut wire = Wire::new(seed);
        wire.connect(at("10.0.0.2:80")).unwrap();
        wire.advance(10 * SECOND).unwrap();
        std::iter::from_fn(|| wire.next_frame()).collect()
    };
    assert_eq!(frames(7), frames(7));
    assert_ne!(frames(7), frames(8));
}

#[test]
fn a_host_draws_what_the_host_of_its_name_draws_in_a_world_of_its_seed() {
    let mut wire = Wire::builder(7).hostname("client").build().unwrap();
    wire.connect(at("10.0.0.2:80")).unwrap();
    let syn = wire.expect_segment("SYN");
    let drawn = wire.enter(|| glassnet::rng().next_u64());

    let seen = Rc::new(RefCell::new(None));
    let first = seen.clone();
    let mut sim = glassnet::Sim::new(7);
    sim.client("client", async move {
        assert_eq!(glassnet::rng().next_u64(), drawn);
        let refused = TcpStream::connect("10.0.0.2:80").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
    sim.client("server", async { Ok(()) });
    sim.observe(move |event| {
        if let glassnet::Event::Sent { frame, .. } = event
            && let Some(segment) = Segment::parse(frame)
        {
            first.borrow_mut().get_or_insert(segment);
        }
    });
    sim.run().unwrap();
    assert_eq!(*seen.borrow(), Some(syn.packet));
}

// ---- Calls -----------------------------------------------------------------------------------

#[test]
fn a_connection_attempt_goes_on_after_the_call_and_ends_with_the_handshake() {
    let mut wire = Wire::new(7);
    let socket = wire.connect(at("10.0.0.2:80")).unwrap();
    let syn = wire.expect_segment("SYN");
    let mut peer = Peer::new(syn.destination, syn.source);
    peer.received(&syn);
    wire.inject(&peer.syn());
    assert_eq!(wire.expect_segment("ACK").ack, Some(peer.seq));
    wire.call(socket.connect(&at("10.0.0.2:80").into())).unwrap();
    assert_eq!(wire.state(&socket), Some(TcpState::Established));
}

#[test]
fn a_call_that_would_wait_says_so() {
    let mut wire = Wire::new(7);
    let listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    assert_eq!(wire.accept(&listener).unwrap_err().kind(), ErrorKind::WouldBlock);
    listener.set_nonblocking(false).unwrap();
    assert_eq!(wire.accept(&listener).unwrap_err().kind(), ErrorKind::WouldBlock);
    wire.handshake(&mut peer_to("10.0.0.1:80"));
    let connection = wire.accept(&listener).unwrap();
    assert_eq!(wire.read(&connection).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_blocking_call_ends_when_what_it_waits_for_happens() {
    let mut wire = Wire::new(7);
    let listener = Rc::new(wire.listen(at("10.0.0.1:80"), 5).unwrap());
    listener.set_nonblocking(false).unwrap();
    let mut accepting = wire.start({
        let listener = listener.clone();
        async move { listener.accept().await }
    });
    wire.advance(SECOND).unwrap();
    assert!(accepting.ended_at().is_none() && accepting.take().is_none());
    let mut peer = peer_to("10.0.0.1:80");
    wire.handshake(&mut peer);
    wire.advance(SECOND).unwrap();
    assert_eq!(accepting.ended_at(), Some(instant(SECOND)));
    let (connection, from) = accepting.take().unwrap().unwrap();
    assert_eq!(from, peer.address.into());
    assert!(accepting.take().is_none(), "once");

    let mut reading = wire.start(async move {
        let mut buffer = [0; 10];
        connection.recv(&mut buffer).await.map(|len| buffer[..len].to_vec())
    });
    wire.advance(SECOND).unwrap();
    wire.inject(&peer.data(b"hello"));
    assert_eq!(reading.take().unwrap().unwrap(), b"hello");
}

#[test]
fn a_call_that_is_cancelled_lets_go_of_what_it_holds() {
    let mut wire = Wire::new(7);
    let held = Rc::new(());
    let call = wire.start({
        let held = held.clone();
        async move {
            glassnet::time::sleep(3_600 * SECOND).await;
            drop(held);
        }
    });
    assert_eq!(Rc::strong_count(&held), 2);
    call.cancel();
    wire.run_until_idle().unwrap();
    assert_eq!((Rc::strong_count(&held), wire.now().since_start()), (1, Duration::ZERO));
}

#[test]
fn calls_that_wait_are_dropped_with_the_wire() {
    let held = Rc::new(());
    let mut wire = Wire::new(7);
    let inner = held.clone();
    let _call = wire.start(async move {
        glassnet::time::sleep(SECOND).await;
        drop(inner);
    });
    drop(wire);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn an_application_runs_on_the_host_as_in_a_world() {
    let mut wire = Wire::new(7);
    let mut serving = wire.start(async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"hello").await?;
        let mut question = String::new();
        stream.read_to_string(&mut question).await?;
        Ok::<String, std::io::Error>(question)
    });
    let mut peer = peer_to("10.0.0.1:80");
    wire.handshake(&mut peer);
    let hello = wire.expect_segment("ACK");
    assert_eq!(hello.payload, b"hello");
    peer.received(&hello);
    wire.inject(&peer.data(b"who are you?"));
    wire.inject(&peer.fin());
    assert_eq!(serving.take().unwrap().unwrap(), "who are you?");
}

#[test]
fn calls_within_calls_have_their_host_and_names_resolve() {
    let mut wire = Wire::builder(7).hostname("box").build().unwrap();
    let mut connecting = wire.start(async {
        glassnet::spawn(async { TcpStream::connect("box:80").await.map(drop) }).await.unwrap()
    });
    let refused = connecting.take().unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    wire.enter(|| assert_eq!(glassnet::net::names::gethostname().unwrap(), "box"));
}

#[test]
fn a_socket_outlives_its_wire_and_fails_outside_of_one() {
    let mut wire = Wire::new(7);
    let socket = wire.enter(|| Socket::new(Domain::IPV4, Type::STREAM, None)).unwrap();
    drop(wire);
    drop(socket);
    assert!(Socket::new(Domain::IPV4, Type::STREAM, None).is_err());
}

#[test]
fn two_writes_in_two_calls_are_two_segments() {
    let mut wire = Wire::new(7);
    let listener = wire.listen(at("10.0.0.1:80"), 5).unwrap();
    let mut peer = peer_to("10.0.0.1:80");
    wire.handshake(&mut peer);
    let connection = wire.accept(&listener).unwrap();
    connection.set_tcp_nodelay(true).unwrap();
    wire.write(&connection, b"one").unwrap();
    wire.write(&connection, b"two").unwrap();
    let payloads: Vec<Vec<u8>> =
        wire.take_segments().into_iter().map(|segment| segment.packet.payload).collect();
    assert_eq!(payloads, [b"one", b"two"]);
}

#[test]
fn raw_and_ping_sockets_work_on_the_wire() {
    let mut wire = Wire::new(7);
    let ping =
        wire.enter(|| Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))).unwrap();
    ping.set_nonblocking(true).unwrap();
    wire.call(ping.send_to(&[8, 0, 0, 0, 0, 0, 0, 1], &at("10.0.0.2:0").into())).unwrap();
    let request = wire.next_icmp().unwrap();
    assert_eq!((request.kind, request.destination), (8, ip("10.0.0.2")));
    let reply = IcmpMessage::new(request.destination, request.source, 0, 0).rest(request.rest);
    wire.inject(&reply);
    let mut buffer = [0; 100];
    assert_eq!(wire.call(ping.recv(&mut buffer)).unwrap(), 8);
}

#[test]
fn sockets_have_states_and_connections_outlive_them() {
    let mut wire = Wire::new(7);
    let listener = wire.listen(at("[::]:80"), 5).unwrap();
    assert_eq!(wire.state(&listener), Some(TcpState::Listen));
    let attempt = wire.connect(at("[fd00::2]:80")).unwrap();
    assert_eq!(wire.state(&attempt), Some(TcpState::SynSent));
    wire.expect_segment("SYN");
    drop(attempt);
    let new = wire.enter(|| Socket::new(Domain::IPV4, Type::STREAM, None)).unwrap();
    assert_eq!(wire.state(&new), Some(TcpState::Closed));
    let datagrams = wire.bind_udp(at("[::]:80")).unwrap();
    assert_eq!(wire.state(&datagrams), None);
    let mut peer = peer_to("10.0.0.1:80");
    wire.handshake(&mut peer);
    let connection = wire.accept(&listener).unwrap();
    assert_eq!(wire.state(&connection), Some(TcpState::Established));
    wire.close(connection);
    let state = |wire: &Wire| {
        let netstat = wire.netstat();
        let mut connections = netstat.iter().filter(|socket| socket.remote.is_some());
        connections.find(|socket| socket.local.port() == Some(80)).map(|socket| socket.state)
    };
    assert_eq!(state(&wire), Some(TcpState::FinWait1));
    peer.received(&wire.expect_segment("FIN ACK"));
    wire.inject(&peer.fin());
    assert_eq!(state(&wire), Some(TcpState::TimeWait));
    wire.run_until_idle().unwrap();
    wire.advance(61 * SECOND).unwrap();
    assert_eq!(state(&wire), None);
}

// ---- Set-up ----------------------------------------------------------------------------------

#[test]
fn addresses_and_a_gateway_are_of_ones_choice() {
    // As packetdrill has them by default.
    let mut wire = Wire::builder(7)
        .address(ip("192.168.0.1"), 16)
        .address(ip("fd3d:fa7b:d17d::1"), 48)
        .peer_address(ip("192.168.0.2"))
        .gateway(ip("192.168.0.254"))
        .gateway(ip("fd3d:fa7b:d17d::254"))
        .mac([2, 9, 9, 9, 9, 9])
        .peer_mac([2, 8, 8, 8, 8, 8])
        .host_options(HostOptions::default().mtu(1_400))
        .build()
        .unwrap();
    assert_eq!(wire.addresses(), [(ip("192.168.0.1"), 16), (ip("fd3d:fa7b:d17d::1"), 48)]);
    for (remote, local) in
        [("192.0.2.1:80", "192.168.0.1"), ("[2001:db8::1]:80", "fd3d:fa7b:d17d::1")]
    {
        wire.connect(at(remote)).unwrap();
        let syn = wire.expect_segment("SYN");
        assert_eq!((syn.source.ip(), syn.destination), (ip(local), at(remote)));
        assert_eq!(syn.source_mac, [2, 9, 9, 9, 9, 9]);
        assert_eq!(syn.destination_mac, [2, 8, 8, 8, 8, 8], "the gateway is the peer");
        let headers = if remote.starts_with('[') { 60 } else { 40 };
        assert_eq!(syn.mss(), Some(1_400 - headers));
    }
}

#[test]
fn on_a_point_to_point_link_nobody_asks_for_an_ethernet_address() {
    let mut wire = Wire::builder(7)
        .address(ip("192.168.0.1"), 32)
        .answer_neighbors(false)
        .point_to_point(true)
        .build()
        .unwrap();
    wire.connect(at("192.0.2.1:80")).unwrap();
    let syn = wire.next_frame().unwrap().segment().unwrap();
    assert_eq!((syn.destination, syn.destination_mac), (at("192.0.2.1:80"), wire.peer_mac()));
}

#[test]
fn without_a_gateway_there_is_no_route() {
    let mut wire = Wire::new(7);
    let error = wire.connect(at("192.0.2.1:80")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
}

#[test]
fn the_peer_stops_answering_for_its_addresses_and_begins_again() {
    let mut wire = Wire::new(7);
    wire.answer_neighbors(false);
    for (remote, asks) in [("10.0.0.2:80", "ARP who has 10.0.0.2"), ("[fd00::2]:80", "NDP who has")]
    {
        wire.connect(at(remote)).unwrap();
        let question = wire.next_frame().unwrap().to_string();
        assert!(question.contains(asks), "{question}");
    }
    wire.answer_neighbors(true);
    wire.advance(SECOND).unwrap();
    let to: Vec<SocketAddr> =
        wire.take_segments().into_iter().map(|segment| segment.destination).collect();
    assert!(to.contains(&at("10.0.0.2:80")) && to.contains(&at("[fd00::2]:80")), "{to:?}");
}

#[test]
fn what_no_host_can_be_is_refused() {
    let builder = || Wire::builder(7);
    let options = HostOptions::default().mtu(1);
    for (wrong, what) in [
        (builder().host_options(options), "mtu"),
        (builder().address(ip("10.0.0.1"), 33), "at most 32 bits"),
        (builder().address(ip("10.0.0.0"), 16), "the network itself"),
        (builder().address(ip("224.0.0.1"), 16), "one host"),
        (builder().address(ip("::1"), 128), "one host"),
        (builder().mac([3, 0, 0, 0, 0, 1]), "group"),
        (builder().peer_mac([0xff; 6]), "group"),
        (builder().gateway(ip("192.0.2.1")), "no neighbour"),
        (builder().gateway(ip("10.0.0.1")), "no neighbour"),
        (builder().hostname("10.0.0.1"), "address"),
        (builder().hostname("localhost"), "localhost"),
        (builder().start(Duration::MAX), "292 years"),
    ] {
        let error = wrong.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(what), "{error}");
    }
    assert!(builder().gateway(ip("fe80::9")).build().is_ok());
}

// ---- Captures --------------------------------------------------------------------------------

/// Bytes that are looked at later, and fail when they are told to.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<(Vec<u8>, bool)>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let (kept, fails) = &mut *self.0.lock().unwrap();
        if *fails {
            return Err(ErrorKind::StorageFull.into());
        }
        kept.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn captured(kept: &Kept) -> Vec<(Duration, Vec<u8>)> {
    use pcap_file::pcapng::{Block, PcapNgReader};
    let bytes = kept.0.lock().unwrap().0.clone();
    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    let mut packets = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block.unwrap().0 {
            packets.push((packet.timestamp, packet.data.to_vec()));
        }
    }
    packets
}

#[test]
fn a_capture_has_what_was_injected_sent_and_answered() {
    let kept = Kept::default();
    let mut wire = Wire::new(7);
    wire.capture_to("kept", kept.clone()).unwrap();
    wire.connect(at("10.0.0.2:80")).unwrap();
    let syn = wire.expect_segment("SYN");
    wire.advance(SECOND / 2).unwrap();
    let rst = Segment::new(syn.destination, syn.source).ack(syn.end()).rst();
    wire.inject(&rst);
    wire.flush_captures().unwrap();
    let packets = captured(&kept);
    let frames: Vec<&[u8]> = packets.iter().map(|(_, frame)| &frame[..]).collect();
    assert_eq!(frames.len(), 4, "question, answer, SYN, RST");
    assert!(!ArpPacket::parse(frames[0]).unwrap().is_reply);
    assert!(ArpPacket::parse(frames[1]).unwrap().is_reply);
    assert_eq!(Segment::parse(frames[2]).unwrap(), syn.packet);
    assert_eq!(Segment::parse(frames[3]).unwrap(), rst);
    assert_eq!(packets[3].0 - packets[2].0, SECOND / 2);
    let text = String::from_utf8_lossy(&kept.0.lock().unwrap().0).into_owned();
    assert!(text.contains("seed=7 vantage=host.eth0"));
    assert!(text.contains("SYN-SENT -> CLOSED"), "states are rows");
}

#[test]
fn a_capture_that_cannot_be_written_is_told_once() {
    let kept = Kept::default();
    let mut wire = Wire::new(7);
    wire.capture_to("kept", kept.clone()).unwrap();
    kept.0.lock().unwrap().1 = true;
    wire.connect(at("10.0.0.2:80")).unwrap();
    let error = wire.flush_captures().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert!(error.to_string().contains("the capture kept"), "{error}");
    wire.flush_captures().unwrap();
}

#[test]
fn a_capture_goes_into_a_file_and_into_no_foreign_one() {
    let directory = common::directory::Directory::new("peer-capture");
    let path = directory.join("wire.pcap");
    let mut wire = Wire::new(7);
    wire.capture(&path).unwrap();
    wire.connect(at("10.0.0.2:80")).unwrap();
    wire.flush_captures().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 24 + 3 * 16, "a head and three frames");
    let foreign = directory.join("notes.txt");
    std::fs::write(&foreign, "mine").unwrap();
    assert_eq!(wire.capture(&foreign).unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[test]
fn a_log_or_an_observer_is_told_the_time_of_the_wire() {
    let mut wire = Wire::builder(7).start(SECOND).build().unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let inner = seen.clone();
    let _call = wire.start(async move {
        glassnet::time::sleep(SECOND).await;
        inner.borrow_mut().push(Instant::try_now());
    });
    wire.advance(5 * SECOND).unwrap();
    assert_eq!(*seen.borrow(), [Some(instant(2 * SECOND))]);
    assert_eq!(wire.enter(Instant::now).since_start(), 6 * SECOND);
    assert_eq!(Instant::try_now(), None);
}
