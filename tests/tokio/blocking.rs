//! Blocking sockets with timeouts, in threads.

use std::io;
use std::time::{Duration, Instant};

use glassnet::Sim;
use libc::{c_int, msghdr};

use crate::calls::{Socket, done, errno, in_a_thread};

fn set_timeout(socket: &Socket, option: c_int, milliseconds: i64) -> io::Result<()> {
    let limit = libc::timeval { tv_sec: 0, tv_usec: milliseconds * 1_000 };
    let at = (&raw const limit).cast();
    done(unsafe { libc::setsockopt(socket.0, libc::SOL_SOCKET, option, at, 16) }).map(drop)
}

#[test]
fn every_receiving_call_gives_up_when_its_timeout_has_passed() -> glassnet::Result {
    in_a_thread(|| {
        let udp = Socket::new(libc::AF_INET, libc::SOCK_DGRAM)?;
        udp.bind("127.0.0.1:7")?;
        let tcp = Socket::new(libc::AF_INET, libc::SOCK_STREAM)?;
        tcp.bind("127.0.0.1:7")?;
        done(unsafe { libc::listen(tcp.0, 1) })?;
        for socket in [&udp, &tcp] {
            set_timeout(socket, libc::SO_RCVTIMEO, 10)?;
        }
        let mut bytes = [0_u8; 8];
        let at = bytes.as_mut_ptr().cast();
        let mut part = libc::iovec { iov_base: at, iov_len: 8 };
        let mut message: msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        let mut many = libc::mmsghdr { msg_hdr: message, msg_len: 0 };
        let none = std::ptr::null_mut;
        let calls: [&mut dyn FnMut() -> i64; 7] = [
            &mut || unsafe { libc::read(udp.0, at, 8) as i64 },
            &mut || unsafe { libc::readv(udp.0, &part, 1) as i64 },
            &mut || unsafe { libc::recv(udp.0, at, 8, 0) as i64 },
            &mut || unsafe { libc::recvfrom(udp.0, at, 8, 0, std::ptr::null_mut(), none()) as i64 },
            &mut || unsafe { libc::recvmsg(udp.0, &mut message, 0) as i64 },
            &mut || unsafe { libc::recvmmsg(udp.0, &mut many, 1, 0, std::ptr::null_mut()).into() },
            &mut || unsafe { libc::accept(tcp.0, std::ptr::null_mut(), none()).into() },
        ];
        for call in calls {
            let began = Instant::now();
            assert_eq!(errno(done(call())), libc::EAGAIN);
            assert_eq!(began.elapsed(), Duration::from_millis(10));
        }
        Ok(())
    })
}

#[test]
fn sending_and_connecting_give_up_when_their_timeout_has_passed() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", || async {
        let _listener = tokio::net::TcpListener::bind("0.0.0.0:80").await?;
        std::future::pending().await
    });
    sim.client("client", async {
        let calls = || {
            let silent = Socket::new(libc::AF_INET, libc::SOCK_STREAM)?;
            set_timeout(&silent, libc::SO_SNDTIMEO, 50)?;
            let began = Instant::now();
            // Nobody answers ARP.
            assert_eq!(errno(silent.connect("10.0.0.99:80")), libc::EINPROGRESS);
            assert_eq!(began.elapsed(), Duration::from_millis(50));
            let socket = Socket::new(libc::AF_INET, libc::SOCK_STREAM)?;
            socket.connect("10.0.0.1:80")?;
            set_timeout(&socket, libc::SO_SNDTIMEO, 50)?;
            let sent = socket.send(&vec![7; 50_000_000], 0)?;
            assert!(sent < 50_000_000);
            // There may be room for a few more.
            let mut began = Instant::now();
            while socket.send(b"more", 0).is_ok() {
                began = Instant::now();
            }
            assert_eq!(errno(socket.send(b"more", 0)), libc::EAGAIN);
            assert_eq!(began.elapsed(), Duration::from_millis(100));
            Ok::<_, io::Error>(())
        };
        Ok(tokio::task::spawn_blocking(calls).await.unwrap()?)
    });
    sim.run()
}

#[test]
fn a_receive_that_waits_for_all_takes_a_stream_piece_by_piece() -> glassnet::Result {
    in_a_thread(|| {
        let mut pair = [0; 2];
        done(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) })?;
        let (first, second) = (Socket(pair[0]), Socket(pair[1]));
        let sender = std::thread::spawn(move || {
            for piece in ["one", "two", "three"] {
                std::thread::sleep(Duration::from_millis(5));
                first.send(piece.as_bytes(), 0).unwrap();
            }
        });
        let mut bytes = [0; 8];
        assert_eq!(second.recv(&mut bytes, libc::MSG_WAITALL)?, 8);
        assert_eq!(&bytes, b"onetwoth");
        // The end comes before all has.
        assert_eq!(second.recv(&mut bytes, libc::MSG_WAITALL)?, 3);
        sender.join().unwrap();
        Ok(())
    })
}
