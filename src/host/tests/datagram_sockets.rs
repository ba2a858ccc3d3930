//! Calls on datagram sockets that tokio's type cannot make, and whom a datagram is meant for.

use std::net::{Shutdown, SocketAddr};
use std::task::{Poll, Waker};

use super::datagrams::{ipv4, udp};
use super::wire::{HOST, Wire};
use crate::error::Errno;
use crate::host::udp::{DatagramId, DatagramKind, DatagramOptions, SendControl};

const UDP: u8 = 17;

impl Wire {
    fn unbound(&mut self, is_v6: bool) -> DatagramId {
        self.host.udp_calls(self.now).create(DatagramKind::Udp, is_v6).unwrap()
    }

    /// One that has `SO_REUSEADDR`.
    fn sharing(&mut self, local: &str) -> DatagramId {
        let local: SocketAddr = local.parse().unwrap();
        let id = self.unbound(local.is_ipv6());
        self.set_option(id, |options| options.reuse_address = true);
        self.host.udp_calls(self.now).bind(id, local).unwrap();
        id
    }

    fn set_option(&mut self, id: DatagramId, change: impl FnOnce(&mut DatagramOptions)) {
        self.host
            .udp_calls(self.now)
            .change_options(id, |options| {
                change(options);
                Ok(())
            })
            .unwrap();
    }

    fn bind_datagram(&mut self, id: DatagramId, local: &str) -> Result<SocketAddr, Errno> {
        self.host.udp_calls(self.now).bind(id, local.parse().unwrap())
    }

    fn connect_datagram(&mut self, id: DatagramId, peer: &str) -> Result<(), Errno> {
        self.host.udp_calls(self.now).connect(id, Some(peer.parse().unwrap()))
    }

    fn local(&self, id: DatagramId) -> String {
        self.host.udp().local(id).unwrap().to_string()
    }

    fn peer_sends(&mut self, octets: &[u8]) {
        self.inject_v4(&ipv4(HOST, UDP, 0, &udp(HOST.into(), 7, octets)));
    }

    fn heard(&mut self, id: DatagramId) -> bool {
        self.try_recv(id).is_some()
    }
}

// Linux's `compute_score`: observed on 6.18.
#[test]
fn the_most_specific_socket_gets_it_and_of_equals_the_last() {
    let mut wire = Wire::new();
    let dual = wire.sharing("[::]:7");
    let first = wire.sharing("0.0.0.0:7");
    let last = wire.sharing("0.0.0.0:7");
    let late_dual = wire.sharing("[::]:7");
    let gets = |wire: &mut Wire, id| {
        wire.peer_sends(b"x");
        let heard: Vec<bool> =
            [dual, first, last, late_dual, id].iter().map(|id| wire.heard(*id)).collect();
        assert_eq!(heard.iter().filter(|heard| **heard).count(), 1);
        heard[4] || (id == last && heard[2])
    };
    assert!(gets(&mut wire, last));
    let specific = wire.sharing("10.0.0.1:7");
    assert!(gets(&mut wire, specific));
    let connected = wire.sharing("0.0.0.0:7");
    wire.connect_datagram(connected, "10.0.0.2:40000").unwrap();
    assert!(gets(&mut wire, connected));
    wire.connect_datagram(connected, "10.0.0.2:40001").unwrap();
    assert!(gets(&mut wire, specific), "it is connected to somebody else");
}

// `socket(7)`: SO_REUSEADDR; both must have it, and at any time.
#[test]
fn a_port_is_shared_by_those_who_want_to_share_it() {
    let mut wire = Wire::new();
    let first = wire.sharing("0.0.0.0:7");
    let second = wire.unbound(false);
    assert_eq!(wire.bind_datagram(second, "0.0.0.0:7"), Err(Errno::AddrInUse));
    wire.set_option(second, |options| options.reuse_address = true);
    wire.set_option(first, |options| options.reuse_address = false);
    assert_eq!(wire.bind_datagram(second, "0.0.0.0:7"), Err(Errno::AddrInUse));
    wire.set_option(first, |options| options.reuse_address = true);
    assert!(wire.bind_datagram(second, "0.0.0.0:7").is_ok());
    assert_eq!(wire.bind_datagram(second, "0.0.0.0:8"), Err(Errno::Invalid), "it is bound");
}

#[test]
fn an_address_of_the_other_family_is_refused() {
    let mut wire = Wire::new();
    let (v4, v6) = (wire.unbound(false), wire.unbound(true));
    assert_eq!(wire.bind_datagram(v4, "[::]:0"), Err(Errno::AddressFamilyNotSupported));
    assert_eq!(wire.bind_datagram(v6, "0.0.0.0:0"), Err(Errno::Invalid));
    assert_eq!(wire.connect_datagram(v4, "[::1]:9"), Err(Errno::AddressFamilyNotSupported));
    wire.connect_datagram(v6, "127.0.0.1:9").unwrap();
    assert_eq!(wire.local(v6).split_once("]:").unwrap().0, "[::ffff:127.0.0.1");
}

// `ipv6(7)`: IPV6_V6ONLY.
#[test]
fn a_socket_for_ipv6_alone_neither_hears_nor_reaches_ipv4() {
    let mut wire = Wire::new();
    let socket = wire.unbound(true);
    wire.set_option(socket, |options| options.only_v6 = true);
    assert_eq!(wire.connect_datagram(socket, "[::ffff:10.0.0.2]:9"), Err(Errno::NetUnreachable));
    let socket = wire.unbound(true);
    wire.set_option(socket, |options| options.only_v6 = true);
    wire.bind_datagram(socket, "[::]:7").unwrap();
    let v4 = wire.udp_socket("0.0.0.0:7");
    wire.peer_sends(b"x");
    assert_eq!((wire.heard(socket), wire.heard(v4)), (false, true));
    let change = wire.host.udp_calls(wire.now).change_options(socket, |options| {
        options.only_v6 = false;
        Ok(())
    });
    assert_eq!(change, Err(Errno::Invalid), "it is bound");
}

// `connect(2)` with AF_UNSPEC; observed on Linux 6.18.
#[test]
fn disconnecting_gives_back_what_nobody_asked_for() {
    let mut wire = Wire::new();
    let socket = wire.unbound(false);
    wire.connect_datagram(socket, "10.0.0.2:9").unwrap();
    let port = wire.host.udp().local(socket).unwrap().port();
    assert!((32_768..=60_999).contains(&port));
    assert_eq!(wire.bind_datagram(socket, "0.0.0.0:7"), Err(Errno::Invalid));
    wire.host.udp_calls(wire.now).connect(socket, None).unwrap();
    assert_eq!(wire.local(socket), "0.0.0.0:0");
    assert_eq!(wire.host.udp().peer(socket), Err(Errno::NotConnected));
    assert!(wire.bind_datagram(socket, &format!("0.0.0.0:{port}")).is_ok());
    wire.connect_datagram(socket, "10.0.0.2:9").unwrap();
    assert_eq!(wire.local(socket), format!("10.0.0.1:{port}"));
    wire.host.udp_calls(wire.now).connect(socket, None).unwrap();
    assert_eq!(wire.local(socket), format!("0.0.0.0:{port}"));
    wire.send_datagram(socket, b"x", "127.0.0.1:9");

    let specific = wire.udp_socket("127.0.0.1:0");
    wire.connect_datagram(specific, "127.0.0.1:9").unwrap();
    wire.host.udp_calls(wire.now).connect(specific, None).unwrap();
    assert_eq!(wire.local(specific), "127.0.0.1:0");
    wire.send_datagram(specific, b"x", "127.0.0.1:9");
    assert!(wire.local(specific).starts_with("127.0.0.1:"));
}

// Observed on Linux 6.18: what is not connected is shut down, and told that it is not connected.
#[test]
fn a_socket_that_is_shut_down_sends_nothing_and_goes_on_hearing() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    assert_eq!(
        wire.host.udp_calls(wire.now).shut_down(socket, Shutdown::Both),
        Err(Errno::NotConnected)
    );
    let to = Some("127.0.0.1:9".parse().unwrap());
    let sent =
        wire.host.udp_calls(wire.now).poll_send(socket, b"x", to, &SendControl::default(), None);
    assert_eq!(sent, Poll::Ready(Err(Errno::Pipe)));
    wire.peer_sends(b"hi");
    assert_eq!(wire.try_recv(socket), Some(Ok(b"hi".to_vec())));
    assert_eq!(wire.try_recv(socket), Some(Ok(Vec::new())), "and then the end");
    let connected = wire.unbound(false);
    wire.connect_datagram(connected, "10.0.0.2:9").unwrap();
    assert_eq!(wire.host.udp_calls(wire.now).shut_down(connected, Shutdown::Read), Ok(()));
    let sent = wire.host.udp_calls(wire.now).poll_send(
        connected,
        b"x",
        None,
        &SendControl::default(),
        None,
    );
    assert_eq!(sent, Poll::Ready(Ok(1)));
}

// Linux's `__udp_enqueue_schedule_skb`: one datagram always has room.
#[test]
fn a_queue_holds_one_datagram_of_any_size_and_others_while_there_is_room() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    let heard = |wire: &mut Wire| std::iter::from_fn(|| wire.try_recv(socket)).count();
    wire.set_option(socket, |options| options.recv_buffer = 1);
    wire.peer_sends(&[0; 1_000]);
    wire.peer_sends(&[0; 1_000]);
    assert_eq!(heard(&mut wire), 1);
    wire.set_option(socket, |options| options.recv_buffer = 2_304);
    for _ in 0..10 {
        wire.peer_sends(b"x");
    }
    assert_eq!(heard(&mut wire), 3, "768 each");
    assert_eq!(wire.host.udp().iter().map(|socket| socket.waiting()).sum::<usize>(), 0);
}

#[test]
fn sockets_are_bounded_and_so_is_what_a_closed_one_leaves() {
    let mut wire = Wire::new();
    let sockets: Vec<DatagramId> = (0..65_536).map(|_| wire.unbound(false)).collect();
    let another = wire.host.udp_calls(wire.now).create(DatagramKind::Udp, false);
    assert_eq!(another.unwrap_err(), Errno::TooManyOpenFiles);
    for socket in &sockets[..28_232] {
        wire.connect_datagram(*socket, "10.0.0.2:9").unwrap();
    }
    // The ports run out: `ip(7)`.
    assert_eq!(wire.connect_datagram(sockets[30_000], "10.0.0.2:9"), Err(Errno::TryAgain));
    for socket in sockets {
        wire.host.udp_calls(wire.now).close(socket);
    }
    assert_eq!(wire.host.udp().iter().count(), 0);
    let socket = wire.unbound(false);
    assert_eq!(wire.connect_datagram(socket, "10.0.0.2:9"), Ok(()));
}

#[test]
fn a_socket_of_a_crashed_host_is_gone() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    let mut woken = Vec::new();
    let mut buffer = [0; 8];
    assert!({
        let (udp, woken) = wire.host.udp_mut();
        udp.poll_recv(woken, socket, &mut buffer, false, Some(Waker::noop())).is_pending()
    });
    wire.host.crash();
    wire.host.take_woken(&mut woken);
    assert_eq!(woken.len(), 1);
    assert_eq!(wire.try_recv(socket), Some(Err(Errno::ConnReset)));
    let sent =
        wire.host.udp_calls(wire.now).poll_send(socket, b"x", None, &SendControl::default(), None);
    assert_eq!(sent, Poll::Ready(Err(Errno::Pipe)));
    wire.host.udp_calls(wire.now).close(socket);
    wire.udp_socket("0.0.0.0:7");
}
