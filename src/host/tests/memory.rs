//! What the buffers of all connections take together: `tcp_mem`.

use super::wire::*;
use crate::host::FlowId;
use crate::host::options::HostOptions;

fn host(tcp_mem: u64) -> Wire {
    Wire::with(HostOptions::default().tcp_mem(tcp_mem).syn_backlog(64))
}

/// Peers connect until a SYN is dropped: the connections, and the window that each was given.
fn fill(wire: &mut Wire, port: u16) -> Vec<(FlowId, Peer, u16)> {
    let listener = wire.listen_at((HOST, port).into(), 8);
    let mut connected = Vec::new();
    for number in 0..10_000 {
        let mut peer = Peer { host_port: port, ..Peer::new(1_025 + number) };
        wire.inject(&peer.syn());
        let Some(syn_ack) = wire.sent.pop_front() else { break };
        peer.seq += 1;
        peer.ack = syn_ack.end();
        wire.inject(&peer.segment());
        connected.push((wire.accept(listener).unwrap(), peer, syn_ack.window));
    }
    connected
}

#[test]
fn windows_shrink_and_then_syns_are_dropped_and_no_connection_notices() {
    for engines in [16, 0] {
        let mut wire = host(4 << 20);
        wire.host.tcp.set_half_open_engines(engines);
        let mut connected = fill(&mut wire, 80);
        assert!(wire.host.tcp.memory() <= 4 << 20);
        assert_eq!(connected[0].2, 65_535);
        assert!(connected.is_sorted_by(|(.., one), (.., next)| one >= next));
        assert_eq!(connected.last().unwrap().2, 4_096);
        let counters = wire.host.counters();
        let shrunk = connected.iter().filter(|(.., window)| *window < 65_535).count();
        assert_eq!((counters.tcp_memory_drops, counters.tcp_memory_pressures), (1, shrunk as u64));
        // Whoever is there goes on: the first, and the last with its small buffers.
        for at in [0, connected.len() - 1] {
            let (flow, peer, window) = &mut connected[at];
            wire.is_alive(*flow, peer);
            for _ in 0..100 {
                let piece = octets(1_400.min(usize::from(*window)));
                wire.inject(&peer.segment().payload(&piece));
                peer.seq += piece.len() as u32;
                assert_eq!(wire.read(*flow), piece);
            }
        }
        // Nobody more can be connected to either, until one has gone.
        let error = wire.connect_to(None, peer_address(443)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(105), "ENOBUFS");
        for (flow, peer, _) in connected {
            wire.inject(&peer.segment().rst());
            wire.close(flow);
        }
        wire.take();
        assert_eq!(wire.host.tcp.memory(), 0);
        wire.connect();
    }
}

#[test]
fn a_half_open_connection_waits_for_memory() {
    let mut wire = host(200_000);
    wire.host.tcp.set_half_open_engines(0);
    let other = wire.listen_at((HOST, 443).into(), 8);
    let mut waiting = Peer { host_port: 443, ..Peer::new(PEER_PORT) };
    wire.half_handshake(&mut waiting);
    let connected = fill(&mut wire, 80);
    let before = wire.host.counters().tcp_memory_drops;
    wire.inject(&waiting.segment().payload(b"hello"));
    wire.expect_silence();
    assert_eq!(wire.host.counters().tcp_memory_drops, before + 1);
    for (flow, peer, _) in connected {
        wire.inject(&peer.segment().rst());
        wire.close(flow);
    }
    wire.advance(2 * SECOND);
    assert!(wire.take().iter().any(|sent| sent.flags == "SYN ACK"), "it is asked for again");
    wire.inject(&waiting.segment().payload(b"hello"));
    let flow = wire.accept(other).unwrap();
    assert_eq!(wire.read(flow), b"hello");
}

#[test]
fn a_crash_frees_all_memory() {
    let mut wire = host(1 << 20);
    fill(&mut wire, 80);
    assert!(wire.host.tcp.memory() > 1 << 19);
    wire.host.crash();
    assert_eq!(wire.host.tcp.memory(), 0);
}
