//! Calls on local sockets that tokio's types cannot make: those of the BSD interface.

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use super::super::{Unix, UnixId, UnixKind, UnixName};
use crate::error::Errno;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Woken>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that waits, and how often it was woken.
fn task() -> (Waker, Arc<Woken>) {
    let woken = Arc::<Woken>::default();
    (woken.clone().into(), woken)
}

fn wake(sockets: &mut Unix) {
    let mut woken = Vec::new();
    sockets.take_woken(&mut woken);
    woken.into_iter().for_each(Waker::wake);
}

fn name(path: &str) -> UnixName {
    UnixName::Path(std::ffi::OsStr::new(path).into())
}

/// A stream socket that listens at `/run/a`.
fn listener(sockets: &mut Unix, backlog: u32) -> UnixId {
    let listener = sockets.create(UnixKind::Stream).unwrap();
    sockets.bind(listener, Some(&name("/run/a"))).unwrap();
    sockets.listen(listener, backlog).unwrap();
    listener
}

fn connect(sockets: &mut Unix) -> Poll<Result<(), Errno>> {
    let socket = sockets.create(UnixKind::Stream).unwrap();
    sockets.poll_connect(socket, &name("/run/a"), None)
}

fn recv(sockets: &mut Unix, id: UnixId, peek: bool) -> Poll<Result<Vec<u8>, Errno>> {
    let mut octets = Vec::new();
    let polled = sockets.poll_recv(id, 8, peek, None, |piece| octets.extend_from_slice(piece));
    polled.map_ok(|_| octets)
}

#[test]
fn a_datagram_socket_neither_listens_nor_accepts() {
    let mut sockets = Unix::default();
    let socket = sockets.create(UnixKind::Datagram).unwrap();
    sockets.bind(socket, None).unwrap();
    assert_eq!(sockets.listen(socket, 1), Err(Errno::OperationNotSupported));
    assert_eq!(sockets.poll_accept(socket, None), Poll::Ready(Err(Errno::OperationNotSupported)));
}

#[test]
fn a_stream_that_is_not_connected_neither_sends_nor_receives() {
    let mut sockets = Unix::default();
    let socket = sockets.create(UnixKind::Stream).unwrap();
    let to = name("/run/a");
    let send = |sockets: &mut Unix, id, to| sockets.poll_send(id, b"x", to, None);
    assert_eq!(send(&mut sockets, socket, None), Poll::Ready(Err(Errno::NotConnected)));
    assert_eq!(
        send(&mut sockets, socket, Some(&to)),
        Poll::Ready(Err(Errno::OperationNotSupported))
    );
    assert_eq!(recv(&mut sockets, socket, false), Poll::Ready(Err(Errno::Invalid)));
    assert_eq!(sockets.poll_accept(socket, None), Poll::Ready(Err(Errno::Invalid)));
    assert_eq!(sockets.shut_down(socket, Shutdown::Both), Ok(()));
    let listener = listener(&mut sockets, 1);
    assert_eq!(send(&mut sockets, listener, None), Poll::Ready(Err(Errno::NotConnected)));
    assert_eq!(recv(&mut sockets, listener, false), Poll::Ready(Err(Errno::Invalid)));
}

#[test]
fn a_stream_connects_once_and_sends_to_its_peer_only() {
    let mut sockets = Unix::default();
    let listener = listener(&mut sockets, 8);
    let (to, socket) = (name("/run/a"), sockets.create(UnixKind::Stream).unwrap());
    assert_eq!(sockets.poll_connect(socket, &to, None), Poll::Ready(Ok(())));
    assert_eq!(sockets.poll_connect(socket, &to, None), Poll::Ready(Err(Errno::IsConnected)));
    assert_eq!(sockets.poll_connect(listener, &to, None), Poll::Ready(Err(Errno::Invalid)));
    let sent = sockets.poll_send(socket, b"x", Some(&to), None);
    assert_eq!(sent, Poll::Ready(Err(Errno::IsConnected)));
    assert_eq!(sockets.listen(socket, 1), Err(Errno::Invalid));
}

#[test]
fn a_connect_that_waits_is_woken_by_accept_by_a_longer_queue_and_by_the_end() {
    let mut sockets = Unix::default();
    let listener = listener(&mut sockets, 0);
    assert_eq!(connect(&mut sockets), Poll::Ready(Ok(())));
    assert_eq!(connect(&mut sockets), Poll::Ready(Err(Errno::TryAgain)));
    let socket = sockets.create(UnixKind::Stream).unwrap();
    let (waker, woken) = task();
    let attempt = |sockets: &mut Unix| {
        wake(sockets);
        sockets.poll_connect(socket, &name("/run/a"), Some(&waker))
    };
    let times = || woken.0.load(Ordering::Relaxed);
    assert_eq!(attempt(&mut sockets), Poll::Pending);
    assert!(sockets.poll_accept(listener, None).is_ready());
    assert_eq!(connect(&mut sockets), Poll::Ready(Ok(())));
    assert_eq!(attempt(&mut sockets), Poll::Pending);
    assert_eq!(times(), 1);
    sockets.listen(listener, 1).unwrap();
    assert_eq!(connect(&mut sockets), Poll::Ready(Ok(())));
    assert_eq!(attempt(&mut sockets), Poll::Pending);
    assert_eq!(times(), 2);
    sockets.close(listener);
    assert_eq!(attempt(&mut sockets), Poll::Ready(Err(Errno::ConnRefused)));
    assert_eq!(times(), 3);
}

#[test]
fn a_listener_that_is_shut_down_accepts_what_waits_and_then_nothing() {
    let mut sockets = Unix::default();
    let listener = listener(&mut sockets, 8);
    let (waker, woken) = task();
    assert_eq!(sockets.poll_accept(listener, Some(&waker)), Poll::Pending);
    assert_eq!(connect(&mut sockets), Poll::Ready(Ok(())));
    wake(&mut sockets);
    sockets.shut_down(listener, Shutdown::Read).unwrap();
    assert_eq!(connect(&mut sockets), Poll::Ready(Err(Errno::ConnRefused)));
    assert!(matches!(sockets.poll_accept(listener, Some(&waker)), Poll::Ready(Ok(_))));
    assert_eq!(sockets.poll_accept(listener, Some(&waker)), Poll::Ready(Err(Errno::Invalid)));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

#[test]
fn shutting_the_receiving_side_down_stops_the_sender_and_leaves_what_waits() {
    let mut sockets = Unix::default();
    let (one, other) = sockets.pair(UnixKind::Stream).unwrap();
    let full = vec![7; 300_000];
    assert_eq!(sockets.poll_send(other, &full, None, None), Poll::Ready(Ok(212_992)));
    let (waker, woken) = task();
    assert_eq!(sockets.poll_send(other, b"x", None, Some(&waker)), Poll::Pending);
    sockets.shut_down(one, Shutdown::Read).unwrap();
    wake(&mut sockets);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(sockets.poll_send(other, b"x", None, None), Poll::Ready(Err(Errno::Pipe)));
    assert_eq!(recv(&mut sockets, one, false), Poll::Ready(Ok(vec![7; 8])));
    assert_eq!(sockets.poll_send(one, b"y", None, None), Poll::Ready(Ok(1)));
    assert_eq!(recv(&mut sockets, other, false), Poll::Ready(Ok(vec![b'y'])));
}

#[test]
fn peeking_takes_nothing_out() {
    let mut sockets = Unix::default();
    for kind in [UnixKind::Stream, UnixKind::Datagram] {
        let (one, other) = sockets.pair(kind).unwrap();
        assert_eq!(recv(&mut sockets, other, true), Poll::Pending);
        assert_eq!(sockets.poll_send(one, b"octets", None, None), Poll::Ready(Ok(6)));
        for peek in [true, true, false] {
            let received = recv(&mut sockets, other, peek);
            assert_eq!(received, Poll::Ready(Ok(b"octets".to_vec())));
        }
        assert_eq!(recv(&mut sockets, other, true), Poll::Pending);
    }
}

#[test]
fn the_send_buffer_is_doubled_and_never_tiny() {
    let mut sockets = Unix::default();
    let (one, other) = sockets.pair(UnixKind::Stream).unwrap();
    for (asked, given) in [(1, 4608), (5000, 10_000), (usize::MAX, 425_984)] {
        sockets.set_send_buffer(one, asked);
        let sent = sockets.poll_send(one, &vec![7; 500_000], None, None);
        assert_eq!(sent, Poll::Ready(Ok(given)));
        let received = sockets.poll_recv(other, usize::MAX, false, None, |_| {});
        assert!(matches!(received, Poll::Ready(Ok(received)) if received.len == given));
    }
}

#[test]
fn ids_of_closed_sockets_stand_for_nothing() {
    let mut sockets = Unix::default();
    let (one, other) = sockets.pair(UnixKind::Stream).unwrap();
    sockets.close(one);
    let reused = sockets.create(UnixKind::Stream).unwrap();
    assert_ne!(reused, one);
    sockets.close(one);
    assert_eq!(sockets.shut_down(reused, Shutdown::Both), Ok(()));
    assert_eq!(sockets.shut_down(one, Shutdown::Both), Err(Errno::NotConnected));
    assert_eq!(sockets.poll_send(one, b"x", None, None), Poll::Ready(Err(Errno::Pipe)));
    assert_eq!(recv(&mut sockets, one, false), Poll::Ready(Err(Errno::ConnReset)));
    assert_eq!(recv(&mut sockets, other, false), Poll::Ready(Ok(vec![])));
    assert_eq!(sockets.bind(one, None), Err(Errno::Invalid));
    assert_eq!(sockets.take_error(one), None);
}

#[test]
fn a_crash_forgets_sockets_and_names_and_wakes_who_waits() {
    let mut sockets = Unix::default();
    let old = listener(&mut sockets, 0);
    let (waker, woken) = task();
    assert_eq!(sockets.poll_accept(old, Some(&waker)), Poll::Pending);
    sockets.crash();
    wake(&mut sockets);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(sockets.poll_accept(old, None), Poll::Ready(Err(Errno::Invalid)));
    let new = listener(&mut sockets, 0);
    sockets.close(old);
    assert_eq!(connect(&mut sockets), Poll::Ready(Ok(())));
    assert_eq!(sockets.poll_accept(old, None), Poll::Ready(Err(Errno::Invalid)));
    assert!(matches!(sockets.poll_accept(new, None), Poll::Ready(Ok(_))));
}

#[test]
fn a_peer_that_is_bound_later_has_its_name_for_the_other_too() {
    let mut sockets = Unix::default();
    for (kind, path) in [(UnixKind::Stream, "/run/1"), (UnixKind::Datagram, "/run/2")] {
        let (one, other) = sockets.pair(kind).unwrap();
        assert_eq!(sockets.peer_name(other), Ok(None));
        sockets.bind(one, Some(&name(path))).unwrap();
        sockets.close(one);
        assert_eq!(sockets.peer_name(other), Ok(Some(name(path))));
    }
}
