//! Datagrams between the tasks of one host.
#![allow(clippy::await_holding_refcell_ref, reason = "what is dropped at once is made in turn")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::path::Path;
use std::rc::Rc;

use crate::common::*;
use glassnet::net::UnixDatagram;
use glassnet::net::unix::remove_file;
use glassnet::time::{sleep, timeout};
use glassnet::{Sim, spawn};
use tokio::io::{Interest, ReadBuf};

const EMSGSIZE: i32 = 90;

/// What a socket may have on the way.
const SEND_BUFFER: usize = 212_992;

#[test]
fn datagrams_keep_their_boundaries_and_say_who_sent_them() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("alone", async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let named = UnixDatagram::bind("/run/s")?;
        named.send_to(b"0123456789", "/run/r").await?;
        named.send_to(b"", "/run/r").await?;
        UnixDatagram::unbound()?.send_to(b"nobody's", "/run/r").await?;
        let mut buf = [0; 16];
        let (len, from) = receiver.recv_from(&mut buf[..4]).await?;
        assert_eq!((&buf[..len], from.as_pathname()), (&b"0123"[..], Some(Path::new("/run/s"))));
        // What did not fit is lost.
        assert_eq!(receiver.recv_from(&mut buf).await?.0, 0);
        let (len, from) = receiver.recv_from(&mut buf).await?;
        assert!(&buf[..len] == b"nobody's" && from.is_unnamed());
        assert_eq!(receiver.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut read_buf = ReadBuf::new(&mut buf);
        named.send_to(b"polled", "/run/r").await?;
        poll_fn(|cx| receiver.poll_recv_from(cx, &mut read_buf)).await?;
        assert_eq!(read_buf.filled(), b"polled");
        assert_eq!(now(), secs(0));
        Ok(())
    });
    sim.client("other", async { Ok(()) });
    sim.run()?;
    assert_eq!(wire.sent(), []);
    Ok(())
}

#[test]
fn eleven_datagrams_of_others_wait_and_receiving_one_makes_room() -> glassnet::Result {
    alone(async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let connected = UnixDatagram::unbound()?;
        connected.connect("/run/r")?;
        let queued = (0..).take_while(|_| connected.try_send(b"x").is_ok()).count();
        assert_eq!(queued, 11);
        let stranger = UnixDatagram::unbound()?;
        let error = stranger.try_send_to(b"x", "/run/r").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(once(connected.writable()).await.is_none());
        // It could send to others.
        stranger.writable().await?;

        let connected = Rc::new(connected);
        let sender = connected.clone();
        let writable = spawn(async move { sender.writable().await });
        let sender = connected.clone();
        let sending = spawn(async move { sender.send(b"waited").await });
        let sending_to = spawn(async move { stranger.send_to(b"waited", "/run/r").await });
        sleep(ms(1)).await;
        assert!(!writable.is_finished() && !sending.is_finished() && !sending_to.is_finished());
        receiver.recv(&mut [0]).await?;
        receiver.recv(&mut [0]).await?;
        timeout(ms(1), writable).await???;
        assert_eq!(timeout(ms(1), sending).await???, 6);
        assert_eq!(timeout(ms(1), sending_to).await???, 6);
        Ok(())
    })
}

#[test]
fn peers_of_each_other_may_fill_the_send_buffer() -> glassnet::Result {
    alone(async {
        let (one, other) = UnixDatagram::pair()?;
        let queued = (0..).take_while(|_| one.try_send(b"").is_ok()).count();
        assert_eq!(queued, 278);
        assert!(once(one.writable()).await.is_none());
        let one = Rc::new(one);
        let sender = one.clone();
        let sending = spawn(async move { sender.send(b"last").await });
        sleep(ms(1)).await;
        assert!(!sending.is_finished());
        // As on Linux it is woken when a quarter is left.
        for _ in 0..208 {
            other.recv(&mut [0]).await?;
        }
        sleep(ms(1)).await;
        assert!(!sending.is_finished());
        other.recv(&mut [0]).await?;
        assert_eq!(timeout(ms(1), sending).await???, 4);

        let (one, other) = UnixDatagram::pair()?;
        assert_eq!(errno(one.send(&[0; SEND_BUFFER - 31]).await), Some(EMSGSIZE));
        let most = pattern(SEND_BUFFER - 32);
        assert_eq!(one.send(&most).await?, most.len());
        assert_eq!(one.try_send(b"").unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut received = Vec::with_capacity(SEND_BUFFER);
        assert_eq!(other.recv_buf(&mut received).await?, most.len());
        assert!(received == most);
        one.try_send(b"")?;
        Ok(())
    })
}

#[test]
fn a_receiver_that_is_closed_refuses_and_wakes_who_waits_for_it() -> glassnet::Result {
    alone(async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let sender = UnixDatagram::unbound()?;
        sender.connect("/run/r")?;
        while sender.try_send(b"x").is_ok() {}
        let sender = Rc::new(sender);
        let waiting = sender.clone();
        let sending = spawn(async move { waiting.send(b"x").await });
        let sending_to =
            spawn(async move { UnixDatagram::unbound()?.send_to(b"x", "/run/r").await });
        sleep(ms(1)).await;
        drop(receiver);
        assert_eq!(errno(timeout(ms(1), sending).await??), Some(ECONNREFUSED));
        assert_eq!(errno(timeout(ms(1), sending_to).await??), Some(ECONNREFUSED));
        // Then there is no peer.
        let error = sender.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert_eq!(sender.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(errno(sender.send_to(b"x", "/run/r").await), Some(ECONNREFUSED));
        // What was in its queue is not on the way any more.
        remove_file("/run/r")?;
        let _receiver = UnixDatagram::bind("/run/r")?;
        sender.connect("/run/r")?;
        assert_eq!((0..).take_while(|_| sender.try_send(b"x").is_ok()).count(), 11);
        Ok(())
    })
}

#[test]
fn what_a_closed_receiver_never_received_is_not_on_the_way_any_more() -> glassnet::Result {
    alone(async {
        let _receiver = UnixDatagram::bind("/run/r")?;
        let (one, closed) = UnixDatagram::pair()?;
        while one.try_send(b"x").is_ok() {}
        assert!(once(one.writable()).await.is_none());
        drop(closed);
        one.writable().await?;
        assert_eq!(errno(one.send(b"x").await), Some(ECONNREFUSED));
        one.connect("/run/r")?;
        assert_eq!((0..).take_while(|_| one.try_send(b"x").is_ok()).count(), 11);
        Ok(())
    })
}

#[test]
fn what_a_closed_peer_has_sent_can_still_be_received() -> glassnet::Result {
    alone(async {
        let (closed, other) = UnixDatagram::pair()?;
        closed.send(b"last").await?;
        drop(closed);
        let mut buf = [0; 8];
        assert_eq!(other.recv(&mut buf).await?, 4);
        assert_eq!(errno(other.send(b"x").await), Some(ECONNREFUSED));
        // There is no end of datagrams.
        assert!(once(other.recv(&mut buf)).await.is_none());
        Ok(())
    })
}

#[test]
fn a_socket_with_a_peer_takes_datagrams_of_that_peer_only() -> glassnet::Result {
    alone(async {
        let one = UnixDatagram::bind("/run/1")?;
        let other = UnixDatagram::bind("/run/2")?;
        let third = UnixDatagram::bind("/run/3")?;
        one.connect("/run/2")?;
        let error = third.send_to(b"x", "/run/1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let error = third.connect("/run/1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        other.send_to(b"allowed", "/run/1").await?;
        // It may send elsewhere.
        one.send_to(b"elsewhere", "/run/3").await?;
        assert_eq!(third.recv(&mut [0; 16]).await?, 9);
        let error = one.connect("/run/2").and(third.send(b"x").await.map(drop)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        Ok(())
    })
}

#[test]
fn a_new_peer_is_woken_because_it_has_more_room_and_others_because_they_have_none()
-> glassnet::Result {
    alone(async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let sender = UnixDatagram::bind("/run/s")?;
        while sender.try_send_to(b"x", "/run/r").is_ok() {}
        let sending = spawn(async move { sender.send_to(b"x", "/run/r").await.map(|_| sender) });
        let stranger = UnixDatagram::unbound()?;
        let other = spawn(async move { stranger.send_to(b"x", "/run/r").await });
        sleep(ms(1)).await;
        receiver.connect("/run/s")?;
        timeout(ms(1), sending).await???;
        let error = timeout(ms(1), other).await??.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        Ok(())
    })
}

#[test]
fn another_peer_loses_what_was_not_received_and_the_former_peer_is_told() -> glassnet::Result {
    alone(async {
        let _third = UnixDatagram::bind("/run/3")?;
        let (one, former) = UnixDatagram::pair()?;
        former.send(b"lost").await?;
        one.send(b"kept").await?;
        one.connect("/run/3")?;
        assert!(once(one.recv(&mut [0; 8])).await.is_none());
        assert!(former.ready(Interest::ERROR).await?.is_error());
        assert_eq!(errno(former.recv(&mut [0; 8]).await), Some(ECONNRESET));
        assert_eq!(former.recv(&mut [0; 8]).await?, 4);
        let error = former.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);

        let (one, former) = UnixDatagram::pair()?;
        one.connect("/run/3")?;
        assert!(former.take_error()?.is_none());
        Ok(())
    })
}

#[test]
fn shutting_a_datagram_socket_down_is_felt_by_who_sends_to_it() -> glassnet::Result {
    alone(async {
        let (one, other) = UnixDatagram::pair()?;
        one.shutdown(Shutdown::Write)?;
        assert_eq!(errno(one.send(b"x").await), Some(EPIPE));
        other.send(b"x").await?;
        assert_eq!(one.recv(&mut [0; 8]).await?, 1);
        let reader = Rc::new(one);
        let waiting = reader.clone();
        let receiving = spawn(async move { waiting.recv(&mut [0; 8]).await });
        sleep(ms(1)).await;
        other.send(b"before").await?;
        other.send(b"before").await?;
        reader.shutdown(Shutdown::Read)?;
        assert_eq!(receiving.await??, 6);
        assert_eq!(reader.recv(&mut [0; 8]).await?, 6);
        assert_eq!(reader.recv(&mut [0; 8]).await?, 0);
        assert_eq!(reader.try_recv(&mut [0; 8])?, 0);
        assert_eq!(errno(other.send(b"x").await), Some(EPIPE));
        assert!(other.ready(Interest::READABLE | Interest::WRITABLE).await?.is_writable());

        let receiver = UnixDatagram::bind("/run/r")?;
        let sender = UnixDatagram::unbound()?;
        while sender.try_send_to(b"x", "/run/r").is_ok() {}
        let sending = spawn(async move { sender.send_to(b"x", "/run/r").await });
        sleep(ms(1)).await;
        receiver.shutdown(Shutdown::Both)?;
        assert_eq!(errno(timeout(ms(1), sending).await??), Some(EPIPE));
        Ok(())
    })
}

#[test]
fn a_socket_can_send_to_itself() -> glassnet::Result {
    alone(async {
        let socket = UnixDatagram::bind("/run/a")?;
        socket.connect("/run/a")?;
        assert_eq!((0..).take_while(|_| socket.try_send(b"me").is_ok()).count(), 278);
        let (len, from) = socket.recv_from(&mut [0; 8]).await?;
        assert_eq!((len, from.as_pathname()), (2, Some(Path::new("/run/a"))));
        Ok(())
    })
}

#[test]
fn datagrams_go_to_who_is_bound_now() -> glassnet::Result {
    alone(async {
        let first = UnixDatagram::bind("/run/r")?;
        let sender = UnixDatagram::unbound()?;
        sender.connect("/run/r")?;
        remove_file("/run/r")?;
        let second = UnixDatagram::bind("/run/r")?;
        sender.send(b"to the peer").await?;
        sender.send_to(b"to the path", "/run/r").await?;
        let mut buf = [0; 16];
        assert_eq!(first.recv(&mut buf).await?, 11);
        assert_eq!(&buf[..11], b"to the peer");
        assert_eq!(second.recv(&mut buf).await?, 11);
        assert_eq!(&buf[..11], b"to the path");
        Ok(())
    })
}

#[test]
fn futures_of_datagrams_that_are_dropped_lose_and_repeat_nothing() -> glassnet::Result {
    alone(async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let sending = spawn(async move {
            let sender = UnixDatagram::unbound()?;
            for at in 0..500u32 {
                let octets = at.to_be_bytes();
                stubbornly(|| sender.send_to(&octets, "/run/r")).await?;
            }
            sender.connect("/run/r")?;
            for at in 500..1000u32 {
                stubbornly(|| sender.writable()).await?;
                let octets = at.to_be_bytes();
                stubbornly(|| sender.send(&octets)).await?;
            }
            io::Result::Ok(())
        });
        for at in 0..1000u32 {
            if at % 100 == 0 {
                sleep(ms(20)).await;
            }
            let buf = RefCell::new([0; 4]);
            let len = match at % 3 {
                0 => stubbornly(async || receiver.recv(&mut buf.borrow_mut()[..]).await).await?,
                1 => {
                    stubbornly(|| receiver.readable()).await?;
                    receiver.try_recv(&mut buf.borrow_mut()[..])?
                }
                _ => {
                    let octets = RefCell::new(Vec::with_capacity(8));
                    let recv = async || receiver.recv_buf_from(&mut *octets.borrow_mut()).await;
                    let (len, _) = stubbornly(recv).await?;
                    buf.borrow_mut().copy_from_slice(&octets.borrow());
                    len
                }
            };
            assert_eq!((len, u32::from_be_bytes(*buf.borrow())), (4, at));
        }
        sending.await??;
        Ok(())
    })
}
