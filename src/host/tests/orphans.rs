//! What a host remembers of connections that no application holds, and when it has done with them.

use std::net::SocketAddr;

use super::wire::{HOST, Peer, SECOND, Wire};
use crate::host::FlowId;
use crate::host::options::HostOptions;
use crate::wire::tcp::{FourTuple, Seq};

/// Where the host remembers that a connection stood which the peer closed first.
fn remembered(wire: &mut Wire, flow: FlowId, mut peer: Peer) -> Option<Seq> {
    wire.inject(&peer.segment().fin());
    peer.seq = peer.seq.wrapping_add(1);
    wire.take();
    wire.close(flow);
    peer.ack = wire.expect("FIN ACK").end();
    wire.inject(&peer.segment());
    assert!(wire.states().is_empty(), "it is over");
    let local = SocketAddr::from((HOST, peer.host_port));
    let remote = SocketAddr::from((peer.address, peer.port));
    wire.host.tcp.recent_snd_nxt(&FourTuple::new(local, remote))
}

// The peer is in TIME-WAIT then, where only a higher SYN opens a new connection.
#[test]
fn what_the_host_opened_is_remembered_and_what_it_accepted_is_not() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.active();
    assert!(remembered(&mut wire, flow, peer).is_some());
    let mut wire = Wire::new();
    let (flow, peer) = wire.passive();
    assert_eq!(remembered(&mut wire, flow, peer), None);
}

// Linux's `tcp_orphan_retries`: a run need not wait for it any longer.
#[test]
fn an_orphan_is_unfinished_until_it_is_given_up() {
    for data in [&b""[..], b"hello"] {
        let options = HostOptions::default().orphan_retries(2);
        let mut wire = Wire::with(options);
        let (flow, _) = wire.passive();
        assert!(!wire.host.has_unfinished_orphans(true), "it is held");
        if !data.is_empty() {
            wire.write(flow, data);
        }
        wire.close(flow);
        assert!(wire.host.has_unfinished_orphans(false));
        wire.advance(100 * SECOND);
        assert_eq!(wire.host.retransmissions(), 2);
        assert!(!wire.host.has_unfinished_orphans(true));
    }
}
