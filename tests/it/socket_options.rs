//! The options of `net::socket::Socket`: each is read back, and does something.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::common::{
    EADDRINUSE, EADDRNOTAVAIL, ECONNRESET, EINVAL, Wire, alone, by_engine, errno, ms, now,
    run_cut_off_after, secs,
};
use glassnet::net::socket::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use glassnet::time::sleep;
use glassnet::{HostOptions, Sim, TcpEngine};

const ENODEV: i32 = 19;
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x99);

fn tcp() -> std::io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None)
}

fn udp() -> std::io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM, None)
}

fn addr(text: &str) -> SockAddr {
    text.parse::<SocketAddr>().expect("an address").into()
}

fn listening(on: &str) -> std::io::Result<Socket> {
    let domain = if on.starts_with('[') { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.bind(&addr(on))?;
    socket.listen(5)?;
    Ok(socket)
}

/// A server that accepts one connection on `on`, keeps it, and never says anything.
fn silent_server(sim: &mut Sim, on: &'static str) {
    sim.host("server", move || async move {
        let listener = listening(on)?;
        let _connection = listener.accept().await?;
        std::future::pending().await
    });
}

/// The IP packets that a host sent, ARP and neighbour discovery left out.
fn packets(wire: &Wire, from: &str) -> Vec<Vec<u8>> {
    let sent = wire.sent().into_iter().filter(|sent| sent.from == from);
    let is_ip = |packet: &Vec<u8>| match packet[0] >> 4 {
        4 => true,
        6 => !(packet[6] == 58 && (133..=137).contains(&packet[40])),
        _ => false,
    };
    sent.map(|sent| sent.frame[14..].to_vec()).filter(is_ip).collect()
}

#[test]
fn ttl_and_type_of_service_are_in_every_packet() -> glassnet::Result {
    for kind in [Type::STREAM, Type::DGRAM] {
        let mut sim = Sim::new(1);
        let wire = Wire::watch(&mut sim);
        silent_server(&mut sim, "0.0.0.0:80");
        sim.client("client", async move {
            let socket = Socket::new(Domain::IPV4, kind, None)?;
            assert_eq!((socket.ttl_v4()?, socket.tos_v4()?), (64, 0));
            socket.set_ttl_v4(7)?;
            socket.set_tos_v4(0xb8)?;
            assert_eq!((socket.ttl_v4()?, socket.tos_v4()?), (7, 0xb8));
            assert_eq!(errno(socket.set_ttl_v4(0)), Some(EINVAL));
            assert_eq!(errno(socket.set_ttl_v4(256)), Some(EINVAL));
            socket.connect(&addr("10.0.0.1:80")).await?;
            socket.send(b"hello").await?;
            sleep(ms(100)).await;
            Ok(())
        });
        sim.run()?;
        let sent = packets(&wire, "client");
        assert!(!sent.is_empty());
        assert!(sent.iter().all(|packet| (packet[8], packet[1]) == (7, 0xb8)), "{kind:?}");
    }
    Ok(())
}

#[test]
fn hop_limit_and_traffic_class_are_in_every_packet() -> glassnet::Result {
    for kind in [Type::STREAM, Type::DGRAM] {
        let mut sim = Sim::new(1);
        let wire = Wire::watch(&mut sim);
        silent_server(&mut sim, "[::]:80");
        sim.client("client", async move {
            let socket = Socket::new(Domain::IPV6, kind, None)?;
            socket.set_unicast_hops_v6(7)?;
            socket.set_tclass_v6(0xb8)?;
            assert_eq!((socket.unicast_hops_v6()?, socket.tclass_v6()?), (7, 0xb8));
            assert_eq!(errno(socket.set_tclass_v6(256)), Some(EINVAL));
            socket.connect(&addr("[fd00::1]:80")).await?;
            socket.send(b"hello").await?;
            sleep(ms(100)).await;
            Ok(())
        });
        sim.run()?;
        let sent = packets(&wire, "client");
        assert!(!sent.is_empty());
        let class = |packet: &[u8]| (packet[0] << 4) | (packet[1] >> 4);
        assert!(sent.iter().all(|packet| (packet[7], class(packet)) == (7, 0xb8)), "{kind:?}");
    }
    Ok(())
}

#[test]
fn a_receive_buffer_is_the_window_and_cannot_change_in_a_connection_of_smoltcps() -> glassnet::Result
{
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    silent_server(&mut sim, "0.0.0.0:80");
    sim.client("client", async {
        let socket = tcp()?;
        assert_eq!(socket.recv_buffer_size()?, 65_535);
        socket.set_recv_buffer_size(4_000)?;
        socket.set_send_buffer_size(5_000)?;
        assert_eq!((socket.recv_buffer_size()?, socket.send_buffer_size()?), (8_000, 10_000));
        socket.connect(&addr("10.0.0.1:80")).await?;
        let late = socket.set_recv_buffer_size(8_000).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Unsupported);
        assert_eq!(socket.send(&[0; 20_000]).await?, 10_000);
        Ok(())
    });
    sim.host_options("client", HostOptions::default().tcp_engine(TcpEngine::Smoltcp));
    sim.run()?;
    let syn = wire.segments("client").into_iter().find(|(_, segment)| segment.syn);
    assert_eq!(syn.map(|(_, segment)| segment.window), Some(8_000));
    Ok(())
}

#[test]
fn a_dead_peer_is_noticed_by_keep_alive() -> glassnet::Result {
    let mut sim = Sim::new(1);
    silent_server(&mut sim, "0.0.0.0:80");
    sim.client("client", async {
        let socket = tcp()?;
        let params = TcpKeepalive::new().with_time(secs(10)).with_interval(secs(2)).with_retries(3);
        assert!(!socket.keepalive()?);
        socket.set_tcp_keepalive(&params)?;
        assert!(socket.keepalive()?);
        assert_eq!(socket.tcp_keepalive_time()?, secs(10));
        assert_eq!(socket.tcp_keepalive_interval()?, secs(2));
        assert_eq!(socket.tcp_keepalive_retries()?, 3);
        socket.connect(&addr("10.0.0.1:80")).await?;
        let error = socket.recv(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // The last segment heard was its answer to a probe at 50 s.
        assert!((secs(60)..secs(67)).contains(&now()), "{:?}", now());
        Ok(())
    });
    run_cut_off_after(&mut sim, secs(55))
}

#[test]
fn the_users_timeout_ends_a_connection_whose_data_is_not_acknowledged() -> glassnet::Result {
    let mut sim = Sim::new(1);
    silent_server(&mut sim, "0.0.0.0:80");
    sim.client("client", async {
        let socket = tcp()?;
        assert_eq!(socket.tcp_user_timeout()?, None);
        socket.set_tcp_user_timeout(Some(secs(5)))?;
        assert_eq!(socket.tcp_user_timeout()?, Some(secs(5)));
        socket.connect(&addr("10.0.0.1:80")).await?;
        sleep(secs(1)).await;
        socket.send(b"into the dark").await?;
        let error = socket.recv(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!((secs(6)..secs(8)).contains(&now()), "{:?}", now());
        Ok(())
    });
    run_cut_off_after(&mut sim, ms(500))
}

#[test]
fn closing_waits_as_long_as_it_may_linger() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(secs(1));
    silent_server(&mut sim, "0.0.0.0:80");
    sim.client("client", async {
        // There and back, and the server's acknowledgment, which waits.
        for (linger, waits) in
            [(None, secs(0)), (Some(secs(10)), ms(2_010)), (Some(secs(1)), secs(1))]
        {
            let socket = tcp()?;
            socket.set_linger(linger)?;
            assert_eq!(socket.linger()?, linger);
            let connected = socket.connect_timeout(&addr("10.0.0.1:80"), secs(60)).await;
            connected?;
            socket.send(b"bye").await?;
            let began = now();
            socket.close().await;
            assert_eq!(now() - began, waits, "{linger:?}");
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn a_linger_of_zero_resets() -> glassnet::Result {
    alone(async {
        let listener = listening("127.0.0.1:80")?;
        let socket = tcp()?;
        socket.set_linger(Some(Duration::ZERO))?;
        socket.connect(&addr("127.0.0.1:80")).await?;
        let (server, _) = listener.accept().await?;
        socket.close().await;
        assert_eq!(errno(server.recv(&mut [0; 1]).await), Some(ECONNRESET));
        Ok(())
    })
}

#[test]
fn congestion_control_goes_by_its_name() -> glassnet::Result {
    alone(async {
        let socket = tcp()?;
        assert_eq!(socket.tcp_congestion()?, b"reno");
        socket.set_tcp_congestion(b"cubic")?;
        assert_eq!(socket.tcp_congestion()?, b"cubic");
        let unknown = socket.set_tcp_congestion(b"vegas").unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
        Ok(())
    })
}

/// When the server acknowledges the first data, counted from its arrival.
fn acknowledges_after(change: fn(&Socket) -> std::io::Result<()>) -> glassnet::Result<Duration> {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host("server", move || async move {
        let listener = listening("0.0.0.0:80")?;
        change(&listener)?;
        let (connection, _) = listener.accept().await?;
        // As a server that answers: before, ours acknowledges at once.
        connection.recv(&mut [0; 1]).await?;
        connection.send(b"!").await?;
        std::future::pending().await
    });
    sim.client("client", async {
        let socket = tcp()?;
        socket.connect(&addr("10.0.0.1:80")).await?;
        socket.send(b"?").await?;
        socket.recv(&mut [0; 1]).await?;
        sleep(secs(1)).await;
        socket.send(b"hello").await?;
        sleep(secs(1)).await;
        Ok(())
    });
    sim.run()?;
    let sent = wire.times("client", |segment| segment.len == 5)[0];
    let acknowledged = wire.segments("server").into_iter().find(|(at, _)| *at > sent).unwrap().0;
    Ok(acknowledged - sent - ms(1))
}

#[test]
fn acknowledgments_wait_as_long_as_the_listener_says() -> glassnet::Result {
    assert_eq!(acknowledges_after(|_| Ok(()))?, ms(10));
    assert_eq!(acknowledges_after(|socket| socket.set_tcp_ack_delay(Some(ms(40))))?, ms(40));
    assert_eq!(acknowledges_after(|socket| socket.set_tcp_ack_delay(None))?, ms(0));
    // On Linux it holds until something is answered.
    let quick = by_engine(ms(0), ms(10));
    assert_eq!(acknowledges_after(|socket| socket.set_tcp_quickack(true))?, quick);
    Ok(())
}

#[test]
fn nodelay_sends_small_pieces_at_once() -> glassnet::Result {
    for (nodelay, pieces) in [(false, 2), (true, 3)] {
        let mut sim = Sim::new(1);
        let wire = Wire::watch(&mut sim);
        sim.link("client", "server").delay(ms(20));
        silent_server(&mut sim, "0.0.0.0:80");
        sim.client("client", async move {
            let socket = tcp()?;
            socket.set_tcp_nodelay(nodelay)?;
            assert_eq!(socket.tcp_nodelay()?, nodelay);
            socket.connect(&addr("10.0.0.1:80")).await?;
            for piece in [b"one", b"two", b"six"] {
                socket.send(piece).await?;
                sleep(ms(1)).await;
            }
            sleep(secs(1)).await;
            Ok(())
        });
        sim.run()?;
        assert_eq!(wire.times("client", |segment| segment.len > 0).len(), pieces);
    }
    Ok(())
}

// ---- multicast ----------------------------------------------------------------------------------

/// Receives on 7 from the groups that were joined, and says what came within a second.
async fn heard(socket: &Socket) -> Vec<String> {
    let mut heard = Vec::new();
    let mut buffer = [0; 64];
    socket.set_read_timeout(Some(secs(1))).expect("a timeout");
    while let Ok(len) = socket.recv(&mut buffer).await {
        heard.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
    }
    heard
}

#[test]
fn every_member_hears_a_group_and_nobody_else() -> glassnet::Result {
    let mut sim = Sim::new(1);
    for (name, joins) in [("member1", true), ("member2", true), ("stranger", false)] {
        sim.client(name, async move {
            let socket = udp()?;
            socket.bind(&addr("0.0.0.0:7"))?;
            if joins {
                socket.join_multicast_v4(&GROUP, &Ipv4Addr::UNSPECIFIED)?;
                let again = socket.join_multicast_v4(&GROUP, &Ipv4Addr::UNSPECIFIED);
                assert_eq!(errno(again), Some(EADDRINUSE));
            } else {
                let left = socket.leave_multicast_v4(&GROUP, &Ipv4Addr::UNSPECIFIED);
                assert_eq!(errno(left), Some(EADDRNOTAVAIL));
            }
            let expected: &[&str] = if joins { &["hello"] } else { &[] };
            assert_eq!(heard(&socket).await, expected);
            if joins {
                socket.leave_multicast_v4(&GROUP, &Ipv4Addr::UNSPECIFIED)?;
                assert!(heard(&socket).await.is_empty());
            }
            Ok(())
        });
    }
    sim.client("sender", async {
        let socket = udp()?;
        sleep(ms(10)).await;
        let to = SocketAddr::from((GROUP, 7)).into();
        socket.send_to(b"hello", &to).await?;
        sleep(ms(1500)).await;
        socket.send_to(b"is anybody there?", &to).await?;
        Ok(())
    });
    sim.run()
}

#[test]
fn a_sender_hears_its_own_group_unless_it_does_not_want_to() -> glassnet::Result {
    alone(async {
        let socket = udp()?;
        socket.bind(&addr("0.0.0.0:7"))?;
        socket.join_multicast_v4(&GROUP, &Ipv4Addr::new(10, 0, 0, 1))?;
        let elsewhere = socket.join_multicast_v4(&GROUP, &Ipv4Addr::new(10, 9, 9, 9));
        assert_eq!(errno(elsewhere), Some(ENODEV));
        let to = SocketAddr::from((GROUP, 7)).into();
        assert!(socket.multicast_loop_v4()?);
        socket.send_to(b"echo", &to).await?;
        assert_eq!(heard(&socket).await, ["echo"]);
        socket.set_multicast_loop_v4(false)?;
        socket.send_to(b"silence", &to).await?;
        assert!(heard(&socket).await.is_empty());
        Ok(())
    })
}

#[test]
fn groups_of_ipv6_are_joined_by_the_number_of_the_interface() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("member", async {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, None)?;
        socket.bind(&addr("[::]:7"))?;
        assert_eq!(errno(socket.join_multicast_v6(&GROUP_V6, 9)), Some(ENODEV));
        socket.join_multicast_v6(&GROUP_V6, 2)?;
        assert_eq!(heard(&socket).await, ["hello"]);
        Ok(())
    });
    sim.client("sender", async {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, None)?;
        assert_eq!(socket.multicast_hops_v6()?, 1);
        socket.set_multicast_hops_v6(5)?;
        sleep(ms(10)).await;
        let to = std::net::SocketAddrV6::new(GROUP_V6, 7, 0, 2);
        socket.send_to(b"hello", &to.into()).await?;
        Ok(())
    });
    sim.run()
}

#[test]
fn a_ttl_of_0_keeps_a_group_within_the_host() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("alone", async {
        let socket = udp()?;
        assert_eq!(socket.multicast_ttl_v4()?, 1);
        socket.set_multicast_ttl_v4(0)?;
        socket.bind(&addr("0.0.0.0:7"))?;
        let to = SocketAddr::from((GROUP, 7)).into();
        socket.send_to(b"hush", &to).await?;
        Ok(())
    });
    sim.run()?;
    assert!(packets(&wire, "alone").is_empty());
    Ok(())
}

// ---- raw ICMP -----------------------------------------------------------------------------------

// `raw(7)`: IPv4 packets come with their header.
#[test]
fn a_raw_socket_pings_by_hand() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        let request = [8, 0, 0xf7, 0xfd, 0, 1, 0, 1];
        socket.send_to(&request, &addr("10.0.0.1:0")).await?;
        let mut packet = [0; 100];
        let (len, from) = socket.recv_from(&mut packet).await?;
        assert_eq!(from, addr("10.0.0.1:0"));
        assert_eq!(packet[20..len], [0, 0, 0xff, 0xfd, 0, 1, 0, 1]);
        assert_eq!((packet[0], packet[9]), (0x45, 1));
        Ok(())
    });
    sim.run()
}

// RFC 3542 section 3.1: the checksum of ICMPv6 is the host's to fill in.
#[test]
fn a_raw_socket_of_ipv6_gets_messages_without_their_header() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.send_to(&[128, 0, 0, 0, 0, 1, 0, 1], &addr("[fd00::1]:0")).await?;
        let mut message = [0; 100];
        loop {
            let (len, from) = socket.recv_from(&mut message).await?;
            if message[0] == 129 {
                assert_eq!(from, addr("[fd00::1]:0"));
                assert_eq!(message[4..len], [0, 1, 0, 1]);
                return Ok(());
            }
        }
    });
    sim.run()
}

#[test]
fn listeners_that_reuse_ports_share_one() -> glassnet::Result {
    alone(async {
        let mut listeners = Vec::new();
        for _ in 0..2 {
            let socket = tcp()?;
            socket.set_reuse_port(true)?;
            assert!(socket.reuse_port()?);
            socket.bind(&addr("127.0.0.1:80"))?;
            socket.listen(5)?;
            listeners.push(socket);
        }
        assert_eq!(errno(tcp()?.bind(&addr("127.0.0.1:80"))), Some(EADDRINUSE));
        tcp()?.connect(&addr("127.0.0.1:80")).await?;
        Ok(())
    })
}
