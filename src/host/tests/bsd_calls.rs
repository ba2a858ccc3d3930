//! What the calls of `socket(2)` and its family get when they do not wait, as the first table of
//! the sockets' contract has it.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use super::wire::*;
use crate::host::ListenerId;
use crate::tcp::TcpState;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Count>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many wakers the host has to wake.
fn woken(wire: &mut Wire) -> usize {
    let mut woken = Vec::new();
    wire.host.take_woken(&mut woken);
    woken.len()
}

fn accept_error(wire: &mut Wire, listener: ListenerId) -> Option<i32> {
    match wire.host.poll_accept(listener, None) {
        Poll::Ready(accepted) => accepted.unwrap_err().raw_os_error(),
        Poll::Pending => None,
    }
}

fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

#[test]
fn an_accept_that_does_not_wait_leaves_no_waker_behind() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    assert!(wire.host.poll_accept(listener, None).is_pending());
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    assert!(wire.host.poll_accept(listener, Some(&waker)).is_pending());
    drop(waker);
    let mut peer = Peer::new(PEER_PORT);
    wire.half_handshake(&mut peer);
    // The test's own loop drops wakers; so does the listener, once they were woken.
    wire.inject(&peer.segment());
    assert_eq!(Arc::strong_count(&count), 1);
    assert!(wire.accept(listener).is_some());
}

// shut listener: wakes with EINVAL.
#[test]
fn a_listener_that_is_shut_down_wakes_who_accepts_and_resets_what_nobody_accepted() {
    let mut wire = Wire::new();
    let listener = wire.listen(8);
    assert!(wire.host.poll_accept(listener, Some(Waker::noop())).is_pending());
    let bound = wire.host.stop_listening(wire.now, listener).unwrap();
    assert_eq!(woken(&mut wire), 1);
    assert_eq!(accept_error(&mut wire, listener), Some(22));
    assert!(wire.host.stop_listening(wire.now, listener).is_none());

    // It is still bound: nobody else may have its address, and it may listen again.
    let taken = wire.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)), false);
    assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let options = wire.host.new_tcp_options();
    let again = wire.host.listen(bound.1, bound.0, 8, options).unwrap();
    wire.handshake(&mut Peer::new(PEER_PORT));
    wire.host.stop_listening(wire.now, again);
    wire.expect("RST ACK");
    wire.inject(&Peer::new(PEER_PORT + 1).syn());
    wire.expect("RST ACK");
}

// SO_ERROR gives ECONNREFUSED once, then 0; the next connect gives ECONNABORTED.
#[test]
fn a_refused_attempt_that_nobody_waits_for_is_told_by_so_error_once() {
    let mut wire = Wire::new();
    let (flow, peer) = wire.connect();
    assert!(wire.host.take_error(flow).is_none());
    assert!(wire.connected(flow).is_none());
    assert!(!wire.host.has_peer(flow));
    wire.inject(&peer.segment().rst());
    assert_eq!(wire.host.take_error(flow).and_then(|error| error.raw_os_error()), Some(111));
    assert!(wire.host.take_error(flow).is_none());
    assert_eq!(errno(wire.connected(flow).unwrap()), Some(103));
    assert!(!wire.host.has_peer(flow));
}

#[test]
fn an_attempt_that_succeeds_has_a_peer_and_no_error() {
    let mut wire = Wire::new();
    let (flow, _) = wire.active();
    assert!(wire.host.has_peer(flow));
    assert!(wire.host.take_error(flow).is_none());
    wire.connected(flow).unwrap().unwrap();
}

// Linux's `inet_shutdown` gives the attempt up.
#[test]
fn an_attempt_that_is_shut_down_is_given_up() {
    for how in [Shutdown::Read, Shutdown::Write, Shutdown::Both] {
        let mut wire = Wire::new();
        let (flow, peer) = wire.connect();
        assert!(wire.host.poll_connected(flow, Some(Waker::noop())).is_pending());
        wire.host.shut_down(wire.now, flow, how).unwrap();
        assert_eq!(woken(&mut wire), 1);
        assert_eq!(errno(wire.connected(flow).unwrap()), Some(104));
        assert_eq!(errno(wire.host.shut_down(wire.now, flow, how)), Some(107));
        wire.close(flow);
        assert_eq!(wire.states(), []);
        wire.inject(&peer.syn().ack(peer.ack));
        wire.expect("RST");
    }
}

#[test]
fn a_shut_receiving_side_wakes_a_reader_and_still_reads_what_comes() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    assert!(wire.try_read(flow).is_none());
    wire.host.shut_down(wire.now, flow, Shutdown::Read).unwrap();
    assert_eq!(woken(&mut wire), 1);
    wire.host.shut_down(wire.now, flow, Shutdown::Read).unwrap();
    assert_eq!(wire.read(flow), b"");
    wire.expect_silence();
    wire.inject(&peer.segment().payload(b"late"));
    peer.seq += 4;
    assert_eq!(wire.read(flow), b"late");
    assert_eq!(wire.read(flow), b"");
    wire.write(flow, b"the other side is open");
    wire.take();
    // As on Linux an error goes before the end.
    wire.inject(&peer.segment().rst());
    assert_eq!(wire.read_error(flow), io::ErrorKind::ConnectionReset);
    assert_eq!(wire.read(flow), b"");
}

#[test]
fn shutting_both_sides_down_sends_one_fin() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    wire.host.shut_down(wire.now, flow, Shutdown::Both).unwrap();
    let fin = wire.expect("FIN ACK");
    wire.host.shut_down(wire.now, flow, Shutdown::Both).unwrap();
    wire.expect_silence();
    assert_eq!(wire.read(flow), b"");
    peer.ack = fin.end();
    wire.inject(&peer.segment().fin());
    // Both sides have closed.
    for how in [Shutdown::Read, Shutdown::Write, Shutdown::Both] {
        assert_eq!(errno(wire.host.shut_down(wire.now, flow, how)), Some(107));
    }
    assert!(!wire.host.has_peer(flow));
}

#[test]
fn readiness_tells_the_end_and_errors() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive();
    let ready = wire.host.readiness(flow);
    assert!(ready.writable && !ready.readable && !ready.read_closed && !ready.write_closed);
    wire.inject(&peer.segment().payload(b"x").fin());
    peer.seq += 2;
    wire.take();
    let ready = wire.host.readiness(flow);
    assert!(ready.readable && ready.read_closed && !ready.write_closed && !ready.error);
    wire.inject(&peer.segment().rst());
    let ready = wire.host.readiness(flow);
    assert!(ready.readable && ready.writable && ready.write_closed && ready.error);
    assert_eq!(wire.state(flow), TcpState::Closed);
}

#[test]
fn a_socket_is_writable_while_there_is_room_and_after_a_write_that_found_none_when_a_third_is() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.passive_with(Peer { window: 0, ..Peer::new(PEER_PORT) });
    let size = wire.options(flow).send_buffer() as usize;
    wire.write(flow, &octets(size - 1));
    assert!(wire.host.readiness(flow).writable);
    wire.write(flow, b"x");
    assert!(!wire.host.readiness(flow).writable);
    assert!(wire.try_write(flow, b"x").is_none());
    peer.window = 65_535;
    wire.inject(&peer.segment());
    let mut acknowledged = 0;
    while !wire.host.readiness(flow).writable {
        let sent = wire.take();
        acknowledged += sent.iter().map(|sent| sent.payload.len()).sum::<usize>();
        peer.ack = sent.last().expect("it goes on").end();
        wire.inject(&peer.segment());
        assert!(acknowledged < size / 2, "{acknowledged}");
    }
    assert!(acknowledged >= size / 3, "{acknowledged}");
}
