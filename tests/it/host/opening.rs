//! How a connection begins (rows 1-3, 14, 16-18).

use std::io::ErrorKind;
use std::net::SocketAddr;

use glassnet::{HostOptions, TcpState};

use super::wire::{
    HOST, MILLISECOND, PEER, PEER_ISS, PEER_PORT, PORT, Peer, SECOND, Wire, octets, peer_address,
    times,
};

// ---- Passive ---------------------------------------------------------------------------------

// RFC 9293 3.5, figure 6 (row 1).
#[test]
fn a_syn_is_answered_and_the_connection_accepted_after_the_third_segment() {
    let mut wire = Wire::new();
    let listener = wire.listen(1);
    let mut peer = Peer::new(PEER_PORT);
    let syn_ack = wire.half_handshake(&mut peer);
    assert_eq!(syn_ack.source, SocketAddr::from((HOST, PORT)));
    assert_eq!(syn_ack.destination, peer_address(PEER_PORT));
    assert_eq!((syn_ack.ack, syn_ack.window), (Some(PEER_ISS + 1), 65_535));
    assert!(wire.accept(listener).is_none(), "not before the handshake is over");
    assert_eq!(wire.states(), [TcpState::SynReceived]);

    wire.inject(&peer.segment());
    wire.expect_silence();
    let flow = wire.accept(listener).unwrap();
    assert_eq!(wire.state(flow), TcpState::Established);
    assert!(wire.accept(listener).is_none(), "once is enough");
    wire.is_alive(flow, &mut peer);
}

#[test]
fn accept_tells_both_addresses() {
    let mut wire = Wire::new();
    let listener = wire.listen(1);
    wire.handshake(&mut Peer::new(PEER_PORT));
    let accepted = wire.accept(listener).unwrap();
    let accepted = wire.socket(accepted);
    assert_eq!(accepted.local_addr().unwrap(), SocketAddr::from((HOST, PORT)).into());
    assert_eq!(accepted.peer_addr().unwrap(), peer_address(PEER_PORT).into());
}

// RFC 9293 3.4: sequence numbers are modulo 2^32.
#[test]
fn sequence_numbers_wrap_within_a_connection() {
    for iss in [u32::MAX, u32::MAX - 3, 0x7fff_fffe, 0] {
        let mut wire = Wire::new();
        let (flow, mut peer) = wire.passive_with(Peer { seq: iss, ..Peer::new(PEER_PORT) });
        wire.is_alive(flow, &mut peer);
        wire.inject(&peer.segment().fin());
        // It may wait for a FIN of ours to ride on.
        wire.advance(50 * MILLISECOND);
        assert_eq!(wire.expect("ACK").ack, Some(peer.seq.wrapping_add(1)));
        assert_eq!(wire.read(flow), b"");
    }
}

// RFC 9293 3.10.7.4: data may come with the ACK that ends the handshake.
#[test]
fn data_and_fin_with_the_third_segment_are_taken() {
    let mut wire = Wire::new();
    let listener = wire.listen(1);
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    wire.inject(&peer.segment().payload(b"hello").fin());
    let flow = wire.accept(listener).unwrap();
    assert_eq!(wire.read(flow), b"hello");
    assert_eq!(wire.read(flow), b"");
    wire.advance(SECOND);
    assert_eq!(wire.take().pop().unwrap().ack, Some(peer.seq.wrapping_add(6)));
    assert_eq!(wire.state(flow), TcpState::CloseWait);
}

// RFC 6298 section 2 and 5.5 (row 17); `tcp_synack_retries`.
#[test]
fn a_syn_ack_is_repeated_and_the_half_open_connection_forgotten_after_63_seconds() {
    let mut wire = Wire::new();
    let listener = wire.listen(0);
    let began = wire.now();
    let mut peer = Peer::new(PEER_PORT);
    let syn_ack = wire.half_handshake(&mut peer);
    wire.advance(62 * SECOND);
    let repeated = wire.take();
    assert!(repeated.iter().all(|sent| sent.flags == "SYN ACK" && sent.seq == syn_ack.seq));
    assert_eq!(times(&repeated, began), [1_000, 3_000, 7_000, 15_000, 31_000]);
    assert_eq!(wire.states(), [TcpState::SynReceived]);
    wire.advance(2 * SECOND);
    wire.expect_silence();
    assert_eq!(wire.states(), []);
    assert_eq!(wire.sizes().connections, 0);
    // What comes too late meets nobody, and the listener has its place back.
    wire.inject(&peer.segment());
    wire.expect("RST");
    wire.handshake(&mut Peer::new(PEER_PORT + 1));
    assert!(wire.accept(listener).is_some());
}

// RFC 9293 3.10.7.4, SYN-RECEIVED (row 18).
#[test]
fn an_ack_of_something_else_in_syn_received_is_answered_with_a_reset() {
    let mut wire = Wire::new();
    let listener = wire.listen(1);
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    for wrong in [peer.ack.wrapping_sub(1), peer.ack.wrapping_add(1)] {
        wire.inject(&peer.segment().ack(wrong));
        assert_eq!(wire.expect("RST").seq, wrong);
        assert!(wire.accept(listener).is_none());
    }
    wire.inject(&peer.segment());
    assert!(wire.accept(listener).is_some());
}

#[test]
fn a_half_open_connection_that_met_nonsense_still_gives_its_place_back() {
    let mut wire = Wire::with(HostOptions::default().syn_backlog(1));
    let listener = wire.listen(1);
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    wire.inject(&peer.segment().ack(peer.ack + 77));
    wire.advance(100 * SECOND);
    wire.take();
    assert_eq!(wire.sizes().connections, 0);
    wire.handshake(&mut Peer::new(PEER_PORT + 1));
    assert!(wire.accept(listener).is_some());
}

// RFC 9293 3.10.7.4, SYN-RECEIVED, second (row 18).
#[test]
fn a_reset_in_syn_received_leaves_the_listener_as_it_was() {
    let mut wire = Wire::new();
    let listener = wire.listen(0);
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    wire.inject(&peer.segment().without_ack().rst());
    wire.expect_silence();
    assert_eq!((wire.states(), wire.sizes().connections), (vec![], 0));
    assert!(wire.accept(listener).is_none());
    wire.advance(100 * SECOND);
    wire.expect_silence();

    let mut peer = Peer::new(PEER_PORT);
    wire.handshake(&mut peer);
    let flow = wire.accept(listener).unwrap();
    wire.is_alive(flow, &mut peer);
}

// ---- Active ----------------------------------------------------------------------------------

// RFC 9293 3.5, figure 6 (row 2).
#[test]
fn a_syn_ack_is_acknowledged_and_connect_ends() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.connect();
    assert!(wire.connected(flow).is_none());
    assert_eq!(wire.state(flow), TcpState::SynSent);
    wire.inject(&peer.syn().ack(peer.ack));
    peer.seq += 1;
    let ack = wire.expect("ACK");
    assert_eq!((ack.seq, ack.ack), (peer.ack, Some(peer.seq)));
    wire.connected(flow).unwrap().unwrap();
    wire.is_alive(flow, &mut peer);
}

// RFC 9293 3.10.7.3 (row 14).
#[test]
fn a_reset_that_acknowledges_the_syn_refuses_the_connection() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.connect();
    wire.inject(&peer.segment().rst().seq(0));
    wire.expect_silence();
    assert_eq!(wire.connected(flow).unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(wire.states(), []);
    wire.close(flow);
    assert_eq!(wire.sizes().connections, 0);
    wire.advance(200 * SECOND);
    wire.expect_silence();
}

// RFC 9293 3.10.7.3, first and second.
#[test]
fn a_reset_in_syn_sent_that_does_not_acknowledge_the_syn_is_ignored() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.connect();
    wire.inject(&peer.segment().rst().without_ack());
    wire.inject(&peer.segment().rst().ack(peer.ack.wrapping_add(1)));
    wire.inject(&peer.segment().rst().ack(peer.ack.wrapping_sub(1)));
    wire.expect_silence();
    assert!(wire.connected(flow).is_none());
    assert_eq!(wire.state(flow), TcpState::SynSent);
}

// RFC 9293 3.10.7.3, first: SEG.ACK =< ISS or SEG.ACK > SND.NXT.
#[test]
fn an_ack_in_syn_sent_of_something_else_is_answered_with_a_reset() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.connect();
    let wrong = peer.ack.wrapping_add(77);
    wire.inject(&peer.segment().ack(wrong));
    assert_eq!(wire.expect("RST").seq, wrong);
    wire.inject(&peer.syn().ack(wrong));
    assert_eq!(wire.expect("RST").seq, wrong);
    // The old connection's end is out of the way: the SYN is repeated and answered.
    wire.advance(SECOND);
    wire.expect("SYN");
    wire.inject(&peer.syn().ack(peer.ack));
    wire.expect("ACK");
    peer.seq += 1;
    wire.connected(flow).unwrap().unwrap();
    wire.is_alive(flow, &mut peer);
}

#[test]
fn a_connect_that_met_nonsense_still_ends() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.connect();
    wire.inject(&peer.segment().ack(peer.ack + 77));
    wire.advance(200 * SECOND);
    assert!(wire.connected(flow).is_some(), "it waits for ever");
}

// RFC 6298 (5.5), `tcp_syn_retries` (row 16).
#[test]
fn a_syn_is_repeated_six_times_and_connect_times_out_after_127_seconds() {
    let mut wire = Wire::new();
    let began = wire.now();
    let (flow, peer) = wire.connect();
    wire.advance(126 * SECOND);
    let repeated = wire.take();
    assert!(
        repeated.iter().all(|sent| sent.flags == "SYN" && sent.seq == peer.ack.wrapping_sub(1))
    );
    assert_eq!(times(&repeated, began), [1_000, 3_000, 7_000, 15_000, 31_000, 63_000]);
    assert!(wire.connected(flow).is_none());
    wire.advance(SECOND);
    wire.expect_silence();
    assert_eq!(wire.connected(flow).unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    // A SYN-ACK that comes too late is for nobody.
    wire.inject(&peer.syn().ack(peer.ack));
    wire.expect("RST");
    wire.close(flow);
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn as_many_syns_are_sent_as_the_options_say() {
    for (retries, seconds, sends) in [(0, 1, 0), (1, 3, 1), (3, 15, 3)] {
        let mut wire = Wire::with(HostOptions::default().syn_retries(retries));
        let (flow, _) = wire.connect();
        wire.advance(seconds * SECOND - 1);
        assert!(wire.connected(flow).is_none(), "{retries} retries");
        wire.advance(1);
        assert_eq!(wire.connected(flow).unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(wire.take().len(), sends);
    }
}

// RFC 9293 3.10.4: nothing was agreed.
#[test]
fn a_close_in_syn_sent_says_nothing() {
    let mut wire = Wire::new();
    let (flow, _) = wire.connect();
    wire.close(flow);
    wire.advance(200 * SECOND);
    wire.expect_silence();
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn what_is_written_waits_for_the_handshake() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.connect();
    assert!(wire.try_write(flow, b"too early").is_none());
    wire.inject(&peer.syn().ack(peer.ack));
    peer.seq += 1;
    wire.expect("ACK");
    wire.write(flow, b"in time");
    let sent = wire.expect("ACK");
    assert_eq!((sent.payload.as_slice(), sent.ack), (&b"in time"[..], Some(peer.seq)));
}

#[test]
fn connections_have_ports_and_sequence_numbers_of_their_own() {
    let mut wire = Wire::new();
    let (_, first) = wire.connect();
    let (_, second) = wire.connect();
    assert_ne!(first.host_port, second.host_port);
    assert_ne!(first.ack, second.ack);
    assert!((32_768..=60_999).contains(&first.host_port));
}

// ---- Both at once ----------------------------------------------------------------------------

// RFC 9293 3.5, figure 7 (row 3).
#[test]
fn two_syns_that_cross_make_one_connection() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.connect();
    wire.inject(&peer.syn());
    peer.seq += 1;
    let syn_ack = wire.expect("SYN ACK");
    assert_eq!((syn_ack.end(), syn_ack.ack), (peer.ack, Some(peer.seq)));
    assert_eq!(wire.state(flow), TcpState::SynReceived);
    assert!(wire.connected(flow).is_none());
    wire.inject(&peer.segment());
    wire.connected(flow).unwrap().unwrap();
    wire.is_alive(flow, &mut peer);
}

#[test]
fn a_connection_of_two_crossed_syns_outlives_the_time_for_connecting() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.connect();
    wire.inject(&peer.syn());
    peer.seq += 1;
    wire.inject(&peer.segment());
    wire.connected(flow).unwrap().unwrap();
    wire.advance(1_000 * SECOND);
    wire.is_alive(flow, &mut peer);
}

#[test]
fn a_reset_after_two_syns_crossed_ends_the_attempt() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.connect();
    wire.inject(&peer.syn());
    peer.seq += 1;
    wire.expect("SYN ACK");
    wire.inject(&peer.segment().rst());
    wire.expect_silence();
    assert!(wire.connected(flow).unwrap().is_err());
    wire.close(flow);
    assert_eq!(wire.sizes().connections, 0);
}

// The contract of the calls: bind p, connect p works.
#[test]
fn a_socket_connects_to_itself() {
    let mut wire = Wire::new();
    let own = SocketAddr::from((HOST, 7_777));
    let (flow, local) = wire.connect_to(Some(own), own).unwrap();
    assert_eq!(local, own);
    wire.advance(5 * SECOND);
    wire.connected(flow).unwrap().unwrap();
    wire.write(flow, &octets(5_000));
    wire.advance(5 * SECOND);
    assert_eq!(wire.read(flow), octets(5_000));
    wire.expect_silence();
}

#[test]
fn a_connection_to_itself_outlives_the_time_for_connecting() {
    let mut wire = Wire::new();
    let own = SocketAddr::from((HOST, 7_777));
    let (flow, _) = wire.connect_to(Some(own), own).unwrap();
    wire.advance(200 * SECOND);
    wire.connected(flow).unwrap().unwrap();
    wire.write(flow, b"still here");
    wire.advance(SECOND);
    assert_eq!(wire.read(flow), b"still here");
}

#[test]
fn a_connection_within_the_host_never_reaches_the_wire() {
    let mut wire = Wire::new();
    let listener = wire.listen(1);
    for address in [HOST, "127.0.0.1".parse().unwrap()] {
        let remote = SocketAddr::from((address, PORT));
        let (client, _) = wire.connect_to(None, remote).unwrap();
        wire.settle();
        wire.connected(client).unwrap().unwrap();
        let server = wire.accept(listener).unwrap();
        wire.write(client, b"hello");
        assert_eq!(wire.read(server), b"hello");
        wire.close(client);
        wire.close(server);
    }
    wire.advance(200 * SECOND);
    wire.expect_silence();
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn a_closed_port_of_the_host_itself_refuses() {
    let mut wire = Wire::new();
    let (flow, _) = wire.connect_to(None, SocketAddr::from((HOST, PORT))).unwrap();
    wire.settle();
    assert_eq!(wire.connected(flow).unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    wire.expect_silence();
}

#[test]
fn connect_refuses_what_cannot_be_reached() {
    let mut wire = Wire::new();
    let kind = |wire: &mut Wire, remote: &str| {
        wire.connect_to(None, remote.parse().unwrap()).unwrap_err().kind()
    };
    assert_eq!(kind(&mut wire, "10.0.0.2:0"), ErrorKind::ConnectionRefused);
    assert_eq!(kind(&mut wire, "192.0.2.1:80"), ErrorKind::NetworkUnreachable);
    assert_eq!(kind(&mut wire, "255.255.255.255:80"), ErrorKind::NetworkUnreachable);
    assert_eq!(kind(&mut wire, "224.0.0.1:80"), ErrorKind::NetworkUnreachable);
    assert_eq!(wire.sizes().connections, 0);
}

#[test]
fn no_more_connections_are_made_than_the_options_say() {
    let mut wire = Wire::with(HostOptions::default().max_connections(2));
    wire.listen(8);
    wire.connect();
    wire.handshake(&mut Peer::new(PEER_PORT));
    wire.inject(&Peer::new(PEER_PORT + 1).syn());
    wire.expect_silence();
    let refused = wire.connect_to(None, SocketAddr::from((PEER, PORT))).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(24), "EMFILE");
}
