//! Half-open connections without an engine, and cookies: nothing of them may look otherwise than
//! what an engine does from the SYN on.

use std::net::Ipv4Addr;

use super::wire::*;
use crate::host::ListenerId;
use crate::host::options::HostOptions;
use crate::tcp::TcpState;

const MSS_AND_MORE: [&[u8]; 6] = [
    &[],
    &[2, 4, 5, 180],
    &[2, 4, 2, 24, 1, 3, 3, 7],
    &[2, 4, 5, 180, 4, 2, 1, 1],
    &[2, 4, 5, 180, 4, 2, 3, 3, 10, 1, 1, 1],
    &[3, 3, 0, 1],
];

/// A host that keeps half-open connections without an engine.
fn without_engines(options: HostOptions) -> Wire {
    let mut wire = Wire::with(options);
    wire.host.tcp.set_half_open_engines(0);
    wire
}

/// A host whose listeners keep no half-open connection: `port` has taken the only place there is.
fn crowded(options: HostOptions, port: u16) -> (Wire, ListenerId) {
    let mut wire = Wire::with(options.syn_backlog(1));
    let listener = wire.listen(8);
    wire.inject(&Peer::new(port).syn());
    wire.expect("SYN ACK");
    (wire, listener)
}

/// When a segment left, its header, its numbers counted from the host's first, and its payload.
type Relative = (u64, String, u32, Option<u32>, Vec<u8>);

/// What leaves, with the host's numbers counted from its first.
fn relative(sent: &[Sent], iss: u32) -> Vec<Relative> {
    let of = |sent: &Sent| {
        let seq = sent.seq.wrapping_sub(iss);
        let rest = format!(
            "{} {} {:?} {:?} {:?}",
            sent.flags, sent.window, sent.mss, sent.window_scale, sent.sack_permitted
        );
        (sent.at, rest, seq, sent.ack, sent.payload.clone())
    };
    sent.iter().map(of).collect()
}

/// A handshake that waits for `wait` before its ACK, then data both ways, lost and sent again.
fn conversation(mut wire: Wire, options: &[u8], wait: u64) -> Vec<Relative> {
    let listener = wire.listen(8);
    let mut peer = Peer::new(PEER_PORT);
    wire.inject(&peer.syn().options(options));
    let mut sent = vec![wire.expect("SYN ACK")];
    let iss = sent[0].seq;
    peer.seq += 1;
    peer.ack = iss.wrapping_add(1);
    wire.advance(wait);
    wire.inject(&peer.segment());
    let flow = wire.accept(listener).unwrap();
    assert_eq!(wire.states(), [TcpState::Established]);
    let written = wire.try_write(flow, &octets(10_000)).unwrap().unwrap() as u32;
    wire.advance(500 * MILLISECOND);
    wire.inject(&peer.segment().payload(b"from the peer"));
    peer.seq += 13;
    assert_eq!(wire.read(flow), b"from the peer");
    // Nothing is acknowledged for a while.
    wire.advance(10 * SECOND);
    peer.ack = peer.ack.wrapping_add(written);
    wire.inject(&peer.segment());
    wire.close(flow);
    wire.advance(SECOND);
    wire.inject(&peer.segment().ack(peer.ack.wrapping_add(1)).fin());
    wire.advance(SECOND);
    sent.extend(wire.take());
    relative(&sent, iss)
}

#[test]
fn a_connection_is_the_same_whether_or_not_it_had_an_engine_from_its_syn_on() {
    let sizes = [(65_535, 98_304), (1 << 20, 1 << 20), (2_000, 3_000)];
    for (recv_buffer, send_buffer) in sizes {
        let options = HostOptions::default().recv_buffer(recv_buffer).send_buffer(send_buffer);
        for offered in MSS_AND_MORE {
            for wait in [0, 20 * MILLISECOND, 2 * SECOND, 20 * SECOND, 62 * SECOND] {
                let with = conversation(Wire::with(options.clone()), offered, wait);
                let without = conversation(without_engines(options.clone()), offered, wait);
                assert_eq!(with, without, "{offered:?} {wait} {recv_buffer}");
            }
        }
    }
}

#[test]
fn syn_acks_are_repeated_as_an_engine_would_and_forgotten_after_63_seconds() {
    for retries in [0, 2, 5] {
        let options = HostOptions::default().synack_retries(retries);
        let times = |mut wire: Wire| {
            wire.listen(0);
            wire.inject(&Peer::new(PEER_PORT).syn());
            assert_eq!(wire.states(), [TcpState::SynReceived]);
            assert_eq!(wire.host.sizes().connections, 1);
            let last = (2u64 << retries) - 1;
            wire.advance(last * SECOND - 1);
            assert_eq!(wire.states(), [TcpState::SynReceived]);
            wire.advance(1);
            assert_eq!((wire.states(), wire.host.sizes().connections), (vec![], 0));
            assert_eq!(wire.host.retransmissions(), retries as u64);
            times(&wire.take(), SECOND)
        };
        let sent = times(without_engines(options.clone()));
        assert_eq!(sent, times(Wire::with(options)));
        assert_eq!(sent, [0, 1_000, 3_000, 7_000, 15_000, 31_000][..=retries as usize]);
    }
}

#[test]
fn a_repeated_syn_is_answered_at_once_and_not_more_than_twice_a_second() {
    let mut wire = without_engines(HostOptions::default());
    wire.listen(0);
    let mut peer = Peer::new(PEER_PORT);
    let syn = peer.syn();
    let first = wire.half_handshake(&mut peer);
    for _ in 0..10 {
        wire.inject(&syn);
    }
    let again = wire.expect("SYN ACK");
    assert_eq!((again.seq, again.ack), (first.seq, first.ack));
    wire.expect_silence();
    wire.advance(500 * MILLISECOND);
    wire.inject(&syn);
    wire.expect("SYN ACK");
    // The timer goes on as before.
    wire.advance(500 * MILLISECOND);
    wire.expect("SYN ACK");
}

// RFC 5961 sections 3.2 and 4.2.
#[test]
fn only_the_exact_reset_ends_a_half_open_connection_and_a_guess_is_asked_about() {
    let mut wire = without_engines(HostOptions::default());
    let listener = wire.listen(0);
    let mut peer = Peer::new(PEER_PORT);
    let syn_ack = wire.half_handshake(&mut peer);
    for seq in [peer.seq - 1, peer.seq + 65_535] {
        wire.inject(&peer.segment().seq(seq).rst());
    }
    wire.expect_silence();
    wire.inject(&peer.segment().seq(peer.seq + 1).rst());
    let ack = wire.expect("ACK");
    assert_eq!((ack.seq, ack.ack), (syn_ack.seq.wrapping_add(1), Some(peer.seq)));
    wire.inject(&peer.syn().seq(peer.seq + 5));
    wire.expect_silence();
    wire.advance(600 * MILLISECOND);
    wire.inject(&peer.syn().seq(peer.seq + 5));
    wire.expect("ACK");
    assert_eq!(wire.states(), [TcpState::SynReceived]);
    wire.inject(&peer.segment().without_ack().rst());
    assert_eq!((wire.states(), wire.host.sizes().connections), (vec![], 0));
    wire.advance(100 * SECOND);
    wire.expect_silence();
    // The listener has its place back.
    wire.handshake(&mut Peer::new(PEER_PORT));
    assert!(wire.accept(listener).is_some());
}

#[test]
fn an_ack_of_something_else_is_answered_with_a_reset_and_the_right_one_still_counts() {
    let mut wire = without_engines(HostOptions::default());
    let listener = wire.listen(1);
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    for wrong in [peer.ack.wrapping_sub(1), peer.ack.wrapping_add(1)] {
        wire.inject(&peer.segment().ack(wrong));
        assert_eq!(wire.expect("RST").seq, wrong);
    }
    // Beyond the window it is acknowledged; without ACK it is nothing.
    wire.inject(&peer.segment().seq(peer.seq + 70_000).payload(b"x"));
    assert_eq!(wire.expect("ACK").ack, Some(peer.seq));
    wire.inject(&peer.segment().without_ack().payload(b"x"));
    wire.expect_silence();
    wire.inject(&peer.segment().payload(b"hello").fin());
    let flow = wire.accept(listener).unwrap();
    assert_eq!(wire.read(flow), b"hello");
    assert_eq!(wire.read(flow), b"");
}

#[test]
fn a_full_accept_queue_leaves_it_half_open_until_there_is_room() {
    let mut wire = without_engines(HostOptions::default());
    let listener = wire.listen(0);
    let (mut first, mut second) = (Peer::new(1_025), Peer::new(1_026));
    wire.half_handshake(&mut first);
    wire.half_handshake(&mut second);
    wire.inject(&first.segment());
    wire.inject(&second.segment());
    wire.expect_silence();
    assert_eq!(wire.host.counters().listen_overflows, 1);
    assert!(wire.states().contains(&TcpState::SynReceived));
    wire.accept(listener).unwrap();
    assert!(wire.accept(listener).is_none());
    wire.advance(SECOND);
    wire.expect("SYN ACK");
    wire.inject(&second.segment().payload(b"hello"));
    let flow = wire.accept(listener).expect("the data completes the handshake");
    assert_eq!(wire.read(flow), b"hello");
}

// Linux's `tcp_req_err`.
#[test]
fn a_host_that_cannot_be_reached_is_forgotten_when_the_error_quotes_its_syn_ack() {
    let mut wire = without_engines(HostOptions::default());
    wire.listen(0);
    let mut peer = Peer::new(PEER_PORT);
    let syn_ack = wire.half_handshake(&mut peer);
    let tuple = crate::wire::tcp::FourTuple::new((HOST, PORT).into(), peer_address(PEER_PORT));
    let quoted = |seq: u32| Some(crate::wire::tcp::Seq(seq));
    assert!(wire.host.tcp.is_in_flight(&tuple, quoted(syn_ack.seq)));
    assert!(!wire.host.tcp.is_in_flight(&tuple, quoted(syn_ack.seq + 1)));
    let mut report = |seq, errno| {
        let (tcp, mut lower) = wire.host.tcp_in_call(wire.now);
        tcp.unreachable(&mut lower, &tuple, seq, errno);
        wire.states().len()
    };
    use crate::error::Errno;
    assert_eq!(report(quoted(syn_ack.seq + 1), Errno::HostUnreachable), 1);
    assert_eq!(report(quoted(syn_ack.seq), Errno::ConnRefused), 1);
    assert_eq!(report(quoted(syn_ack.seq), Errno::HostUnreachable), 0);
}

#[test]
fn what_is_half_open_ends_with_its_listener_without_a_word() {
    let mut wire = without_engines(HostOptions::default());
    let listener = wire.listen(8);
    let other = wire.listen_at((HOST, 443).into(), 8);
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    let mut elsewhere = Peer { host_port: 443, ..Peer::new(PEER_PORT) };
    wire.half_handshake(&mut elsewhere);
    wire.close_listener(listener);
    wire.expect_silence();
    assert_eq!(wire.host.sizes().connections, 1);
    wire.inject(&peer.segment());
    assert_eq!(wire.expect("RST").seq, peer.ack);
    wire.inject(&elsewhere.segment());
    assert!(wire.accept(other).is_some());
}

#[test]
fn peers_that_are_half_open_are_reset_when_nobody_will_answer_for_the_host_any_more() {
    let mut wire = without_engines(HostOptions::default());
    wire.listen(8);
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    wire.host.reset_connections(wire.now);
    let reset = wire.expect("RST ACK");
    assert_eq!((reset.seq, reset.ack), (peer.ack, Some(peer.seq)));
    assert_eq!(wire.host.sizes().connections, 0);
}

// ---- Cookies ---------------------------------------------------------------------------------

// RFC 4987 section 3.6.
#[test]
fn a_syn_beyond_the_backlog_is_answered_with_a_cookie_that_lets_its_client_in() {
    let (mut wire, listener) = crowded(HostOptions::default(), 1_025);
    let before = wire.host.tcp.inner_sizes();
    let mut peer = Peer::new(PEER_PORT);
    wire.inject(&peer.syn().options(&[2, 4, 5, 180, 4, 2, 3, 3, 7, 1, 1, 1]));
    let syn_ack = wire.expect("SYN ACK");
    assert_eq!(
        (syn_ack.mss, syn_ack.window_scale, syn_ack.sack_permitted),
        (Some(1_460), None, false)
    );
    assert_eq!(wire.host.sizes().connections, 1, "nothing is kept");
    assert_eq!(wire.host.tcp.inner_sizes().tuples, before.tuples);
    peer.seq += 1;
    peer.ack = syn_ack.end();
    wire.inject(&peer.segment().payload(b"hello"));
    let flow = wire.accept(listener).unwrap();
    assert_eq!(wire.read(flow), b"hello");
    peer.seq += 5;
    wire.is_alive(flow, &mut peer);
    // No segment is larger than what the SYN said.
    wire.write(flow, &octets(5_000));
    assert!(wire.take().iter().all(|sent| sent.payload.len() <= 1_460));
    let counters = wire.host.counters();
    assert_eq!((counters.syn_cookies_sent, counters.syn_cookies_received), (1, 1));
    assert_eq!(counters.syn_cookies_failed, 0);
}

#[test]
fn the_maximum_segment_size_of_a_cookie_is_that_of_the_syn_rounded_down() {
    for (said, kept) in [(9_000, 1_460), (1_459, 1_440), (1_300, 1_300), (600, 536)] {
        let (mut wire, listener) = crowded(HostOptions::default(), 1_025);
        let mut peer = Peer::new(PEER_PORT);
        let [high, low] = u16::to_be_bytes(said);
        wire.inject(&peer.syn().options(&[2, 4, high, low]));
        peer.ack = wire.expect("SYN ACK").end();
        peer.seq += 1;
        wire.inject(&peer.segment());
        let flow = wire.accept(listener).unwrap();
        wire.write(flow, &octets(3_000));
        assert_eq!(wire.take()[0].payload.len(), kept, "of {said}");
    }
}

#[test]
fn a_cookie_is_sent_once_and_is_good_for_one_to_two_minutes() {
    let (mut wire, listener) = crowded(HostOptions::default().synack_retries(0), 1_025);
    let mut peer = Peer::new(PEER_PORT);
    wire.inject(&peer.syn());
    peer.ack = wire.expect("SYN ACK").end();
    peer.seq += 1;
    wire.advance(60 * SECOND);
    wire.expect_silence();
    wire.inject(&peer.segment());
    assert!(wire.accept(listener).is_some());

    let (mut wire, listener) = crowded(HostOptions::default(), 1_025);
    let mut peer = Peer::new(PEER_PORT);
    wire.inject(&peer.syn());
    peer.ack = wire.expect("SYN ACK").end();
    peer.seq += 1;
    wire.advance(120 * SECOND);
    wire.take();
    wire.inject(&peer.segment());
    wire.expect("RST");
    assert!(wire.accept(listener).is_none());
}

#[test]
fn an_ack_that_acknowledges_no_cookie_is_answered_with_a_reset() {
    let (mut wire, listener) = crowded(HostOptions::default(), 1_025);
    let mut peer = Peer::new(PEER_PORT);
    // No cookie was sent, so that there is nothing to look for.
    wire.inject(&peer.segment());
    wire.expect("RST");
    assert_eq!(wire.host.counters().syn_cookies_failed, 0);
    wire.inject(&peer.syn());
    let syn_ack = wire.expect("SYN ACK");
    peer.seq += 1;
    peer.ack = syn_ack.end();
    let wrong = [
        peer.segment().ack(peer.ack.wrapping_add(100)),
        peer.segment().seq(peer.seq + 100),
        Peer { port: PEER_PORT + 1, ..peer.clone() }.segment(),
    ];
    for segment in &wrong {
        wire.inject(segment);
        wire.expect("RST");
    }
    assert_eq!(wire.host.counters().syn_cookies_failed, 3);
    wire.inject(&peer.segment().rst());
    wire.expect_silence();
    assert!(wire.accept(listener).is_none());
    assert_eq!(wire.host.sizes().connections, 1);
    wire.inject(&peer.segment());
    assert!(wire.accept(listener).is_some());
}

#[test]
fn cookies_do_not_pass_by_a_full_accept_queue() {
    let mut wire = Wire::with(HostOptions::default().syn_backlog(1));
    let listener = wire.listen(0);
    let (mut first, mut second) = (Peer::new(1_025), Peer::new(1_026));
    wire.half_handshake(&mut first);
    wire.half_handshake(&mut second);
    wire.inject(&first.segment());
    wire.inject(&second.segment());
    wire.inject(&Peer::new(1_027).syn());
    wire.expect_silence();
    assert_eq!(wire.host.counters().listen_overflows, 2);
    wire.accept(listener).unwrap();
    wire.inject(&second.segment().payload(b"hello"));
    let flow = wire.accept(listener).expect("its data lets it in");
    assert_eq!(wire.read(flow), b"hello");
}

#[test]
fn without_cookies_a_syn_beyond_the_backlog_is_dropped() {
    let options = HostOptions::default().syn_cookies(false);
    let (mut wire, _) = crowded(options, 1_025);
    wire.inject(&Peer::new(PEER_PORT).syn());
    wire.expect_silence();
    assert_eq!(wire.host.counters().listen_overflows, 1);
}

#[test]
fn cookies_are_the_same_whenever_the_seed_is() {
    let cookie = || {
        let (mut wire, _) = crowded(HostOptions::default(), 1_025);
        wire.inject(&Peer::new(PEER_PORT).syn());
        wire.expect("SYN ACK").seq
    };
    assert_eq!(cookie(), cookie());
}

#[test]
fn a_host_connects_from_no_port_that_is_half_open_with_the_same_peer() {
    let mut wire = without_engines(HostOptions::default());
    wire.listen(8);
    wire.inject(&Peer { address: Ipv4Addr::new(10, 0, 0, 2), ..Peer::new(PEER_PORT) }.syn());
    wire.take();
    let error = wire.connect_to(Some((HOST, PORT).into()), peer_address(PEER_PORT)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable);
}
