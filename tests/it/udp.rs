//! UDP: every row of the contract about it, and what arrives of what is sent.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll, Waker};

use crate::common::{
    self, EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED, EINVAL, ENETUNREACH, Log, Wire, alone, errno,
    ms, now, pattern, secs,
};
use glassnet::Sim;
use glassnet::net::UdpSocket;
use glassnet::time::{sleep, timeout};
use tokio::io::{Interest, ReadBuf};

const EACCES: i32 = 13;
const DIRECTED: &str = "10.0.255.255:9";
const EDESTADDRREQ: i32 = 89;
const EMSGSIZE: i32 = 90;
const EOPNOTSUPP: i32 = 95;
const ENOPROTOOPT: i32 = 92;
const EAFNOSUPPORT: i32 = 97;
const ENOTCONN: i32 = 107;

/// Two sockets of one host, the second connected to the first.
async fn local_pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let receiver = UdpSocket::bind("127.0.0.1:0").await?;
    let sender = UdpSocket::bind("127.0.0.1:0").await?;
    sender.connect(receiver.local_addr()?).await?;
    Ok((receiver, sender))
}

/// A host that sends back what it gets, to whom it got it from.
fn echo(sim: &mut Sim, name: &str, addr: &'static str) {
    sim.host(name, move || async move {
        let socket = UdpSocket::bind(addr).await?;
        let mut buffer = vec![0; 65_535];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..len], from).await?;
        }
    });
}

/// Polls a future once.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn recv(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 65_535];
    let len = socket.recv(&mut buffer).await?;
    buffer.truncate(len);
    Ok(buffer)
}

/// Whether nothing comes within a second.
async fn hears_nothing(socket: &UdpSocket) -> bool {
    timeout(secs(1), socket.readable()).await.is_err()
}

// ---- What arrives ---------------------------------------------------------------------------------

#[test]
fn a_datagram_crosses_the_link_and_its_echo_comes_back() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(ms(20));
    echo(&mut sim, "server", "0.0.0.0:7");
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        assert_eq!(socket.send_to(b"hello", "server:7").await?, 5);
        let mut buffer = [0; 64];
        let (len, from) = socket.recv_from(&mut buffer).await?;
        assert_eq!((&buffer[..len], from), (&b"hello"[..], "10.0.0.1:7".parse()?));
        // The datagram and its echo take 20 ms each; ARP does not meet the delay of the pair.
        assert_eq!(now(), ms(42));
        Ok(())
    });
    sim.run()
}

// The contract: "UDP recv(4) of 10 bytes; zero-length datagram".
#[test]
fn what_does_not_fit_is_lost_and_an_empty_datagram_is_one() -> glassnet::Result {
    alone(async {
        let (receiver, sender) = local_pair().await?;
        sender.send(b"0123456789").await?;
        sender.send(b"").await?;
        sender.send(b"next").await?;
        let mut buffer = [0; 4];
        assert_eq!(receiver.recv(&mut buffer).await?, 4);
        assert_eq!(&buffer, b"0123");
        assert_eq!(receiver.recv(&mut buffer).await?, 0);
        assert_eq!(receiver.recv(&mut buffer).await?, 4);
        assert_eq!(&buffer, b"next");
        Ok(())
    })
}

#[test]
fn peeking_leaves_the_datagram_where_it_is() -> glassnet::Result {
    alone(async {
        let (receiver, sender) = local_pair().await?;
        sender.send(b"one").await?;
        sender.send(b"two").await?;
        let mut buffer = [0; 8];
        let from = sender.local_addr()?;
        assert_eq!(receiver.peek_sender().await?, from);
        assert_eq!(receiver.peek(&mut buffer[..2]).await?, 2);
        assert_eq!(receiver.peek_from(&mut buffer).await?, (3, from));
        assert_eq!(receiver.try_peek_sender()?, from);
        assert_eq!(recv(&receiver).await?, b"one");
        assert_eq!(recv(&receiver).await?, b"two");
        Ok(())
    })
}

// `socket(7)`: SO_RCVBUF, 212,992 bytes; each datagram counts with what the kernel needs for it.
#[test]
fn a_full_queue_loses_what_comes_and_keeps_what_came() -> glassnet::Result {
    alone(async {
        let (receiver, sender) = local_pair().await?;
        for number in 0..1_000u32 {
            sender.send(&number.to_be_bytes()).await?;
        }
        sleep(ms(1)).await;
        let mut heard = Vec::new();
        let mut buffer = [0; 4];
        while receiver.try_recv(&mut buffer).is_ok() {
            heard.push(u32::from_be_bytes(buffer));
        }
        // 212,992 / 768.
        assert_eq!(heard, (0..277).collect::<Vec<_>>());
        sender.send(b"room").await?;
        assert_eq!(recv(&receiver).await?, b"room");
        Ok(())
    })
}

#[test]
fn sending_without_a_pause_waits_for_the_host_to_take_its_turn() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("server", async {
        sleep(ms(20)).await;
        Ok(())
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        // What is sent to a neighbour that is not known waits for longer.
        socket.send_to(&[0; 1_000], "10.0.0.1:9").await?;
        sleep(ms(10)).await;
        let mut sent = 0;
        while socket.try_send_to(&[0; 1_000], "10.0.0.1:9".parse()?).is_ok() {
            sent += 1;
        }
        // 212,992 / 1,576, and the one that found room.
        assert_eq!(sent, 136);
        assert!(poll_once(std::pin::pin!(socket.writable())).is_pending());
        assert_eq!(now(), ms(10));
        socket.writable().await?;
        assert_eq!(now(), ms(10));
        socket.send_to(&[0; 1_000], "10.0.0.1:9").await?;
        Ok(())
    });
    sim.run()
}

// ---- Sizes and fragments --------------------------------------------------------------------------

// The contract: "UDP send … 65,508 bytes / 65,507".
#[test]
fn the_largest_datagram_is_sent_and_one_octet_more_is_not() -> glassnet::Result {
    for (server, most) in [("10.0.0.1", 65_507), ("[fd00::1]", 65_527)] {
        let mut sim = Sim::new(1);
        let wire = Wire::watch(&mut sim);
        let addr = if most == 65_507 { "0.0.0.0:7" } else { "[::]:7" };
        echo(&mut sim, "server", addr);
        sim.client("client", async move {
            let any = if most == 65_507 { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(format!("{server}:7")).await?;
            assert_eq!(errno(socket.send(&vec![0; most + 1]).await), Some(EMSGSIZE));
            assert_eq!(errno(socket.send(&vec![0; 70_000]).await), Some(EMSGSIZE));
            assert_eq!(socket.send(&pattern(most)).await?, most);
            assert!(recv(&socket).await? == pattern(most));
            Ok(())
        });
        sim.run()?;
        let fragments = wire.sent().into_iter().filter(|sent| sent.frame.len() > 100);
        let lens: Vec<usize> = fragments.map(|sent| sent.frame.len() - 14).collect();
        // 65,507 and a header of 8 bytes in pieces of 1,480; 65,535 in pieces of 1,448. Twice.
        assert_eq!(lens.len(), if most == 65_507 { 90 } else { 92 });
        assert!(lens.iter().all(|len| *len <= 1_500));
    }
    Ok(())
}

#[test]
fn the_largest_datagram_reaches_the_own_host_in_one_piece() -> glassnet::Result {
    alone(async {
        let (receiver, sender) = local_pair().await?;
        assert_eq!(errno(sender.send(&vec![0; 65_508]).await), Some(EMSGSIZE));
        sender.send(&pattern(65_507)).await?;
        assert!(recv(&receiver).await? == pattern(65_507));
        Ok(())
    })
}

#[test]
fn fragments_that_come_late_twice_or_in_disorder_fit_together() -> glassnet::Result {
    for (seed, server, any) in
        [(1, "10.0.0.1:7", "0.0.0.0:0"), (2, "[fd00::1]:7", "[::]:0"), (3, "10.0.0.1:7", "[::]:0")]
    {
        let mut sim = Sim::new(seed);
        sim.link("client", "server").delay(ms(5)).jitter(ms(4)).reorder(0.3).duplicate(0.2);
        echo(&mut sim, "server", "[::]:7");
        sim.client("client", async move {
            let socket = UdpSocket::bind(any).await?;
            let server: SocketAddr = server.parse()?;
            let server = match (server, any) {
                (SocketAddr::V4(v4), "[::]:0") => {
                    SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
                }
                (server, _) => server,
            };
            socket.connect(server).await?;
            for len in [1, 1_472, 1_473, 3_000, 20_000, 65_507] {
                socket.send(&pattern(len)).await?;
                assert!(recv(&socket).await? == pattern(len), "{len} octets");
                // A packet whose fragments all come twice arrives twice.
                sleep(secs(1)).await;
                while socket.try_recv(&mut [0]).is_ok() {}
            }
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

#[test]
fn a_datagram_that_lost_a_fragment_does_not_arrive_and_the_others_do() -> glassnet::Result {
    let heard = Log::new();
    let mut sim = Sim::new(5);
    sim.link("client", "server").delay(ms(1)).loss(0.05);
    let ours = heard.clone();
    sim.client("server", async move {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        while let Ok(datagram) = timeout(secs(20), recv(&socket)).await {
            let datagram = datagram?;
            assert!(datagram[2..] == pattern(8_000), "every octet is there");
            ours.note(u16::from_be_bytes([datagram[0], datagram[1]]));
        }
        Ok(())
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for number in 0..200u16 {
            let datagram = [&number.to_be_bytes()[..], &pattern(8_000)].concat();
            socket.send_to(&datagram, "server:7").await?;
            sleep(ms(20)).await;
        }
        Ok(())
    });
    sim.run()?;
    // 6 fragments each: 0.95^6 of 200 is 147.
    let heard = heard.all();
    assert!((125..170).contains(&heard.len()), "{} of 200", heard.len());
    assert!(heard.is_sorted());
    Ok(())
}

// ---- Connected and not ----------------------------------------------------------------------------

// The contract: "UDP send unconnected / port 0", "getpeername unconnected".
#[test]
fn without_a_peer_there_is_nobody_to_send_to() -> glassnet::Result {
    alone(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        assert_eq!(errno(socket.send(b"x").await), Some(EDESTADDRREQ));
        assert_eq!(errno(socket.send_to(b"x", "127.0.0.1:0").await), Some(EINVAL));
        assert_eq!(errno(socket.peer_addr()), Some(ENOTCONN));
        assert_eq!(errno(socket.send_to(b"x", "192.0.2.1:9").await), Some(ENETUNREACH));
        assert_eq!(errno(socket.connect("192.0.2.1:9").await), Some(ENETUNREACH));
        assert_eq!(errno(socket.send_to(b"x", "[::1]:9").await), Some(EAFNOSUPPORT));
        Ok(())
    })
}

// The contract: "connected UDP: filters other senders; sendto elsewhere allowed".
#[test]
fn a_connected_socket_hears_its_peer_alone_and_sends_to_anybody() -> glassnet::Result {
    alone(async {
        let (peer, socket) = local_pair().await?;
        let stranger = UdpSocket::bind("127.0.0.1:0").await?;
        stranger.send_to(b"stranger", socket.local_addr()?).await?;
        peer.send_to(b"peer", socket.local_addr()?).await?;
        assert_eq!(recv(&socket).await?, b"peer");
        assert!(hears_nothing(&socket).await);
        // What the stranger sent met a port that is closed for it.
        assert_eq!(stranger.take_error()?.map(|error| error.kind()), None);
        socket.send_to(b"to the stranger", stranger.local_addr()?).await?;
        assert_eq!(recv(&stranger).await?, b"to the stranger");
        socket.send(b"to the peer").await?;
        assert_eq!(recv(&peer).await?, b"to the peer");
        Ok(())
    })
}

// Observed on Linux 6.18.
#[test]
fn connecting_chooses_an_address_and_keeps_what_waits() -> glassnet::Result {
    alone(async {
        let socket = UdpSocket::bind("0.0.0.0:5000").await?;
        let other = UdpSocket::bind("127.0.0.1:0").await?;
        other.send_to(b"early", "127.0.0.1:5000").await?;
        sleep(ms(1)).await;
        socket.connect("10.0.0.9:9").await?;
        assert_eq!(socket.local_addr()?, "10.0.0.1:5000".parse()?);
        assert_eq!(socket.peer_addr()?, "10.0.0.9:9".parse()?);
        assert_eq!(recv(&socket).await?, b"early");
        // The address stays when it is connected again.
        socket.connect("127.0.0.1:9").await?;
        assert_eq!(socket.local_addr()?, "10.0.0.1:5000".parse()?);
        // 0.0.0.0 is this host.
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect("0.0.0.0:9").await?;
        assert_eq!(socket.peer_addr()?, "127.0.0.1:9".parse()?);
        let socket = UdpSocket::bind("[::]:0").await?;
        socket.connect("[::]:9").await?;
        assert_eq!(socket.peer_addr()?, "[::1]:9".parse()?);
        // A loopback address is not heard on the link.
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        assert_eq!(errno(socket.send_to(b"x", "10.0.0.9:9").await), Some(EINVAL));
        assert_eq!(errno(socket.connect("10.0.0.9:9").await), Some(EINVAL));
        Ok(())
    })
}

// The contract: "ICMP unreachable: next call ECONNREFUSED once. Unconnected: no error".
#[test]
fn a_closed_port_refuses_once_and_only_who_is_connected() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect("server:9").await?;
        socket.send(b"x").await?;
        assert_eq!(errno(socket.recv(&mut [0]).await), Some(ECONNREFUSED));
        assert!(hears_nothing(&socket).await);
        socket.send(b"x").await?;
        sleep(ms(10)).await;
        assert_eq!(errno(socket.send(b"x").await), Some(ECONNREFUSED));
        socket.send(b"x").await?;
        sleep(ms(10)).await;
        let error = socket.take_error()?.expect("an error");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(socket.take_error()?.is_none());

        let unconnected = UdpSocket::bind("0.0.0.0:0").await?;
        unconnected.send_to(b"x", "server:9").await?;
        assert!(hears_nothing(&unconnected).await);
        unconnected.send_to(b"x", "server:9").await?;
        Ok(())
    });
    sim.run()?;
    let refusals = wire.sent().into_iter().filter(|sent| sent.frame.get(34..36) == Some(&[3, 3]));
    assert_eq!(refusals.count(), 5);
    Ok(())
}

#[test]
fn a_closed_port_refuses_on_the_own_host_and_over_ipv6() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        for (any, to) in [
            ("0.0.0.0:0", "127.0.0.1:9"),
            ("0.0.0.0:0", "10.0.0.2:9"),
            ("[::]:0", "[::1]:9"),
            ("[::]:0", "[fd00::1]:9"),
            ("[::]:0", "[::ffff:10.0.0.1]:9"),
        ] {
            let socket = UdpSocket::bind(any).await?;
            socket.connect(to).await?;
            socket.send(b"x").await?;
            assert_eq!(errno(socket.recv(&mut [0]).await), Some(ECONNREFUSED), "{to}");
        }
        Ok(())
    });
    sim.run()
}

// Observed on Linux 6.18: EHOSTUNREACH is not fatal, and only IP_RECVERR would tell.
#[test]
fn a_host_that_is_not_there_is_no_error() -> glassnet::Result {
    alone(async {
        for (any, to) in [("0.0.0.0:0", "10.0.0.9:9"), ("[::]:0", "[fd00::9]:9")] {
            let socket = UdpSocket::bind(any).await?;
            socket.connect(to).await?;
            socket.send(b"x").await?;
            assert!(timeout(secs(10), socket.readable()).await.is_err());
            socket.send(b"x").await?;
            assert!(socket.take_error()?.is_none());
        }
        Ok(())
    })
}

#[test]
fn errors_come_before_what_waits() -> glassnet::Result {
    alone(async {
        let (peer, socket) = local_pair().await?;
        peer.send_to(b"waits", socket.local_addr()?).await?;
        sleep(ms(1)).await;
        drop(peer);
        socket.send(b"x").await?;
        sleep(ms(1)).await;
        let ready = socket.ready(Interest::READABLE | Interest::ERROR).await?;
        assert!(ready.is_error() && ready.is_readable());
        assert_eq!(errno(socket.recv(&mut [0]).await), Some(ECONNREFUSED));
        assert_eq!(recv(&socket).await?, b"waits");
        Ok(())
    })
}

// ---- Ports ----------------------------------------------------------------------------------------

// The contract: "bind in use", "bind a foreign address", "getsockname".
#[test]
fn a_port_is_taken_once_and_given_back() -> glassnet::Result {
    alone(async {
        let socket = UdpSocket::bind("0.0.0.0:53").await?;
        assert_eq!(socket.local_addr()?, "0.0.0.0:53".parse()?);
        for addr in ["0.0.0.0:53", "127.0.0.1:53", "10.0.0.1:53", "[::]:53"] {
            assert_eq!(errno(UdpSocket::bind(addr).await), Some(EADDRINUSE), "{addr}");
        }
        drop(socket);
        let one = UdpSocket::bind("127.0.0.1:53").await?;
        let other = UdpSocket::bind("10.0.0.1:53").await?;
        let sender = UdpSocket::bind("0.0.0.0:0").await?;
        sender.send_to(b"one", "127.0.0.1:53").await?;
        sender.send_to(b"other", "10.0.0.1:53").await?;
        assert_eq!(recv(&one).await?, b"one");
        assert_eq!(recv(&other).await?, b"other");
        assert_eq!(errno(UdpSocket::bind("10.0.0.7:0").await), Some(EADDRNOTAVAIL));
        let ports =
            [sender.local_addr()?.port(), UdpSocket::bind("[::]:0").await?.local_addr()?.port()];
        assert!(ports.iter().all(|port| *port >= 32_768) && ports[0] != ports[1]);
        // TCP's ports are others.
        glassnet::net::TcpListener::bind("0.0.0.0:53").await?;
        Ok(())
    })
}

#[test]
fn of_several_addresses_the_first_that_can_be_bound_is() -> glassnet::Result {
    alone(async {
        let addresses: [SocketAddr; 3] =
            ["10.0.0.7:5".parse()?, "10.0.0.1:5".parse()?, "127.0.0.1:5".parse()?];
        let socket = UdpSocket::bind(&addresses[..]).await?;
        assert_eq!(socket.local_addr()?, addresses[1]);
        let connected = UdpSocket::bind("0.0.0.0:0").await?;
        connected.connect(&["192.0.2.1:9".parse()?, addresses[1]][..]).await?;
        assert_eq!(connected.peer_addr()?, addresses[1]);
        Ok(())
    })
}

// ---- Broadcast ------------------------------------------------------------------------------------

// The contract: "UDP broadcast without SO_BROADCAST".
#[test]
fn broadcasting_takes_permission() -> glassnet::Result {
    alone(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        assert!(!socket.broadcast()?);
        for to in ["255.255.255.255:9", DIRECTED] {
            assert_eq!(errno(socket.send_to(b"x", to).await), Some(EACCES));
            assert_eq!(errno(socket.connect(to).await), Some(EACCES));
        }
        socket.set_broadcast(true)?;
        socket.send_to(b"x", "255.255.255.255:9").await?;
        socket.connect(DIRECTED).await?;
        assert_eq!(socket.local_addr()?.ip(), Ipv4Addr::new(10, 0, 0, 1));
        Ok(())
    })
}

#[test]
fn a_broadcast_reaches_everybody_who_is_bound_to_the_port() -> glassnet::Result {
    let heard = Log::new();
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    let deaf = ["10.0.0.4:6000", "0.0.0.0:6001", "127.0.0.1:6000"];
    for (name, on) in ["0.0.0.0:6000", "[::]:6000", "10.0.255.255:6000"]
        .into_iter()
        .chain(deaf)
        .enumerate()
        .map(|(at, on)| (format!("host{at}"), on))
    {
        let ours = heard.clone();
        sim.client(&name.clone(), async move {
            let socket = UdpSocket::bind(on).await?;
            while let Ok(datagram) = timeout(secs(1), recv(&socket)).await {
                ours.note((name.clone(), String::from_utf8(datagram?)?));
            }
            Ok(())
        });
    }
    let ours = heard.clone();
    sim.client("sender", async move {
        let socket = UdpSocket::bind("0.0.0.0:6000").await?;
        socket.set_broadcast(true)?;
        for (what, to) in [("limited", "255.255.255.255:6000"), ("directed", "10.0.255.255:6000")] {
            socket.send_to(what.as_bytes(), to).await?;
            ours.note(("sender".into(), String::from_utf8(recv(&socket).await?)?));
        }
        Ok(())
    });
    sim.run()?;
    let mut heard = heard.all();
    heard.sort();
    let both = |name: &str| ["directed", "limited"].map(|what| (name.to_owned(), what.to_owned()));
    let mut expected = [both("host0"), both("host1"), both("sender")].concat();
    // Who is bound to the address of the broadcast hears that one alone.
    expected.push(("host2".into(), "directed".into()));
    expected.sort();
    assert_eq!(heard, expected);
    // RFC 1122 3.2.2.1: nobody answers that its port is closed.
    let icmp = |sent: &common::Sent| sent.frame[12..14] == [8, 0] && sent.frame[23] == 1;
    assert_eq!(wire.sent().iter().filter(|sent| icmp(sent)).count(), 0);
    let broadcast = wire.sent().into_iter().filter(|sent| sent.frame[..6] == [0xff; 6]);
    assert!(broadcast.count() >= 2);
    Ok(())
}

// ---- Options --------------------------------------------------------------------------------------

#[test]
fn options_are_on_the_wire() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        assert_eq!((socket.ttl()?, socket.tos_v4()?), (64, 0));
        socket.send_to(b"x", "10.0.0.1:9").await?;
        socket.set_ttl(9)?;
        socket.set_tos_v4(0xb8)?;
        socket.send_to(b"x", "10.0.0.1:9").await?;
        assert_eq!((socket.ttl()?, socket.tos_v4()?), (9, 0xb8));
        let socket = UdpSocket::bind("[::]:0").await?;
        socket.set_tclass_v6(0x28)?;
        assert_eq!(socket.tclass_v6()?, 0x28);
        socket.send_to(b"x", "[fd00::1]:9").await?;
        sleep(ms(10)).await;
        Ok(())
    });
    sim.run()?;
    let sent: Vec<_> = wire.sent().into_iter().filter(|sent| sent.from == "client").collect();
    let v4 = sent.iter().filter(|sent| sent.frame[12..14] == [8, 0]);
    let ttl_and_tos: Vec<_> = v4.map(|sent| (sent.frame[22], sent.frame[15])).collect();
    assert_eq!(ttl_and_tos, [(64, 0), (9, 0xb8)]);
    let v6 = sent.iter().find(|sent| sent.frame[12..14] == [0x86, 0xdd] && sent.frame[20] == 17);
    let frame = &v6.expect("a datagram over IPv6").frame;
    assert_eq!((frame[14], frame[15] & 0xf0, frame[21]), (0x62, 0x80, 64));
    Ok(())
}

// Observed on Linux 6.18.
#[test]
fn what_an_option_cannot_be_is_refused() -> glassnet::Result {
    alone(async {
        let v4 = UdpSocket::bind("0.0.0.0:0").await?;
        assert_eq!(errno(v4.set_ttl(0)), Some(EINVAL));
        assert_eq!(errno(v4.set_ttl(256)), Some(EINVAL));
        assert_eq!(v4.ttl()?, 64);
        v4.set_tos_v4(300)?;
        assert_eq!(v4.tos_v4()?, 44);
        assert_eq!(errno(v4.set_multicast_ttl_v4(256)), Some(EINVAL));
        v4.set_multicast_ttl_v4(0)?;
        assert_eq!((v4.multicast_ttl_v4()?, v4.multicast_loop_v4()?), (0, true));
        for result in [v4.set_tclass_v6(1), v4.set_multicast_loop_v6(true)] {
            assert_eq!(errno(result), Some(ENOPROTOOPT));
        }
        assert_eq!(errno(v4.multicast_loop_v6()), Some(EOPNOTSUPP));
        assert_eq!(errno(v4.tclass_v6()), Some(EOPNOTSUPP));
        let v6 = UdpSocket::bind("[::]:0").await?;
        assert_eq!(errno(v6.set_tclass_v6(256)), Some(EINVAL));
        v6.set_ttl(9)?;
        v6.set_multicast_loop_v4(false)?;
        v6.set_multicast_loop_v6(false)?;
        assert_eq!(
            (v6.ttl()?, v6.multicast_loop_v4()?, v6.multicast_loop_v6()?),
            (9, false, false)
        );
        assert_eq!(v6.device()?, None);
        v6.bind_device(None)?;
        assert_eq!(errno(v6.bind_device(Some(b"eth0"))), Some(EOPNOTSUPP));
        Ok(())
    })
}

// ---- IPv6 -----------------------------------------------------------------------------------------

#[test]
fn a_dual_stack_socket_speaks_both_and_shows_ipv4_within_ipv6() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let senders = Log::new();
    let ours = senders.clone();
    sim.host("server", move || {
        let ours = ours.clone();
        async move {
            let socket = UdpSocket::bind("[::]:7").await?;
            let mut buffer = [0; 64];
            loop {
                let (len, from) = socket.recv_from(&mut buffer).await?;
                ours.note(from.ip().to_string());
                socket.send_to(&buffer[..len], from).await?;
            }
        }
    });
    sim.client("client", async {
        for (any, to) in [
            ("0.0.0.0:0", "10.0.0.1:7"),
            ("[::]:0", "[fd00::1]:7"),
            ("[::]:0", "[::ffff:10.0.0.1]:7"),
            ("[::]:0", "10.0.0.1:7"),
            ("[::]:0", "[fe80::ff:fe00:1%2]:7"),
        ] {
            let socket = UdpSocket::bind(any).await?;
            socket.send_to(to.as_bytes(), to).await?;
            let mut buffer = [0; 64];
            let (len, from) = socket.recv_from(&mut buffer).await?;
            assert_eq!(&buffer[..len], to.as_bytes());
            let shown = match (any, to) {
                ("[::]:0", "10.0.0.1:7") => "[::ffff:10.0.0.1]:7",
                (_, to) => to,
            };
            assert_eq!(from, shown.parse()?);
        }
        let v6 = UdpSocket::bind("[fd00::2]:0").await?;
        assert_eq!(errno(v6.send_to(b"x", "[::ffff:10.0.0.1]:7").await), Some(ENETUNREACH));
        let v4 = UdpSocket::bind("[::ffff:10.0.0.2]:0").await?;
        assert_eq!(errno(v4.send_to(b"x", "[fd00::1]:7").await), Some(EAFNOSUPPORT));
        v4.send_to(b"x", "[::ffff:10.0.0.1]:7").await?;
        assert_eq!(recv(&v4).await?, b"x");
        Ok(())
    });
    sim.run()?;
    assert_eq!(
        senders.all(),
        [
            "::ffff:10.0.0.2",
            "fd00::2",
            "::ffff:10.0.0.2",
            "::ffff:10.0.0.2",
            "fe80::ff:fe00:2",
            "::ffff:10.0.0.2"
        ]
    );
    Ok(())
}

// ---- Waiting --------------------------------------------------------------------------------------

#[test]
fn dropping_a_receive_that_waits_loses_nothing() -> glassnet::Result {
    alone(async {
        let (receiver, sender) = local_pair().await?;
        for number in 0..20u8 {
            let mut buffer = [0; 4];
            {
                let mut waiting = std::pin::pin!(receiver.recv(&mut buffer));
                assert!(poll_once(waiting.as_mut()).is_pending());
                sender.send(&[number]).await?;
                sleep(ms(1)).await;
            }
            assert_eq!(receiver.recv(&mut buffer).await?, 1);
            assert_eq!(buffer[0], number);
        }
        Ok(())
    })
}

#[test]
fn dropping_a_send_that_waits_sends_nothing() -> glassnet::Result {
    alone(async {
        let (receiver, sender) = local_pair().await?;
        while sender.try_send(&[1; 2_000]).is_ok() {}
        {
            let mut waiting = std::pin::pin!(sender.send(b"never"));
            assert!(poll_once(waiting.as_mut()).is_pending());
        }
        sleep(ms(1)).await;
        let mut buffer = [0; 2_000];
        while let Ok(len) = receiver.try_recv(&mut buffer) {
            assert_eq!(len, 2_000);
        }
        Ok(())
    })
}

#[test]
fn every_task_that_waits_is_woken_and_one_gets_the_datagram() -> glassnet::Result {
    alone(async {
        let (receiver, sender) = local_pair().await?;
        let receiver = std::sync::Arc::new(receiver);
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let receiver = receiver.clone();
                glassnet::spawn(async move { recv(&receiver).await })
            })
            .collect();
        sleep(ms(1)).await;
        for number in 0..3u8 {
            sender.send(&[number]).await?;
        }
        let mut heard = Vec::new();
        for task in tasks {
            heard.extend(task.await??);
        }
        heard.sort();
        assert_eq!(heard, [0, 1, 2]);
        Ok(())
    })
}

#[test]
fn the_plain_calls_would_block_and_readiness_tells_when_not() -> glassnet::Result {
    alone(async {
        let (receiver, sender) = local_pair().await?;
        let would_block = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        assert!(receiver.try_recv(&mut [0]).is_err_and(would_block));
        assert!(receiver.try_recv_from(&mut [0]).is_err_and(would_block));
        assert!(receiver.try_peek(&mut [0]).is_err_and(would_block));
        assert!(receiver.try_peek_sender().is_err_and(would_block));
        assert!(receiver.try_recv_buf(&mut Vec::with_capacity(9)).is_err_and(would_block));
        let never = || -> io::Result<()> { panic!("nothing is ready") };
        assert!(receiver.try_io(Interest::READABLE, never).is_err_and(would_block));
        assert!(receiver.ready(Interest::WRITABLE).await?.is_writable());
        sender.send(b"hello").await?;
        let ready = receiver.ready(Interest::READABLE | Interest::WRITABLE).await?;
        assert!(ready.is_writable());
        receiver.readable().await?;
        let got = receiver.try_io(Interest::READABLE, || receiver.try_peek(&mut [0; 9]))?;
        assert_eq!(got, 5);
        let got = receiver.async_io(Interest::READABLE, || receiver.try_peek(&mut [0; 9])).await?;
        assert_eq!(got, 5);
        let mut buffer = Vec::with_capacity(3);
        assert_eq!(receiver.recv_buf_from(&mut buffer).await?, (3, sender.local_addr()?));
        assert_eq!(buffer, b"hel");
        let mut buffer = [0; 8];
        let mut buffer = ReadBuf::new(&mut buffer);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(receiver.poll_recv(&mut cx, &mut buffer).is_pending());
        sender.send(b"ab").await?;
        sleep(ms(1)).await;
        assert!(receiver.poll_peek(&mut cx, &mut buffer).is_ready());
        assert!(receiver.poll_recv_from(&mut cx, &mut buffer).is_ready());
        assert_eq!(buffer.filled(), b"abab");
        Ok(())
    })
}

#[test]
fn a_report_says_what_a_socket_waits_for() {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let _deaf = UdpSocket::bind("0.0.0.0:9").await?;
        std::future::pending().await
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:53").await?;
        socket.connect("10.0.0.1:9").await?;
        socket.send(b"x").await?;
        socket.recv(&mut [0]).await?;
        Ok(())
    });
    let report = common::failure(sim.run()).to_string();
    for line in [
        "for a datagram on 10.0.0.2:53 from 10.0.0.1:9",
        "udp   ESTAB      0      0      10.0.0.2:53           10.0.0.1:9",
        "udp   UNCONN     1      0      0.0.0.0:9             0.0.0.0:*",
        "UDP 10.0.0.2:53 > 10.0.0.1:9, 43 bytes",
    ] {
        assert!(report.contains(line), "{line}\n{report}");
    }
}

#[test]
fn sockets_of_a_crashed_host_fail_and_its_ports_are_free_when_it_is_back() -> glassnet::Result {
    let starts = Log::new();
    let ours = starts.clone();
    let mut sim = Sim::new(1);
    sim.host("server", move || {
        let ours = ours.clone();
        async move {
            let socket = UdpSocket::bind("0.0.0.0:7").await?;
            ours.note(());
            loop {
                let mut buffer = [0; 64];
                let (len, from) = socket.recv_from(&mut buffer).await?;
                socket.send_to(&buffer[..len], from).await?;
            }
        }
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect("server:7").await?;
        let mut answers = 0;
        for _ in 0..40 {
            socket.send(b"ping").await?;
            if let Ok(answer) = timeout(ms(100), recv(&socket)).await {
                answer?;
                answers += 1;
            }
            sleep(ms(50)).await;
        }
        assert!((30..40).contains(&answers), "{answers}");
        Ok(())
    });
    sim.run_for(ms(500))?;
    sim.crash("server");
    sim.run_for(ms(500))?;
    sim.bounce("server");
    sim.run()?;
    assert_eq!(starts.len(), 2);
    Ok(())
}

#[test]
fn a_world_with_datagrams_repeats_itself() -> glassnet::Result {
    let run = |seed| -> glassnet::Result<Vec<common::Sent>> {
        let mut sim = Sim::new(seed);
        sim.link("client", "server").delay(ms(5)).jitter(ms(3)).loss(0.1).duplicate(0.1);
        let wire = Wire::watch(&mut sim);
        echo(&mut sim, "server", "0.0.0.0:7");
        sim.client("client", async {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            for len in [10, 4_000, 30_000] {
                socket.send_to(&pattern(len), "server:7").await?;
                let _ = timeout(ms(50), recv(&socket)).await;
            }
            Ok(())
        });
        sim.run()?;
        Ok(wire.sent())
    };
    assert!(run(7)? == run(7)?);
    assert!(run(7)? != run(8)?);
    Ok(())
}
