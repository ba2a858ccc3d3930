//! The counters of a host by the kernel's names, and of its interfaces: each is moved by a test, and
//! none else.

use std::io::ErrorKind;
use std::net::SocketAddr;

use glassnet::net::tcp::{SockRef, TcpKeepalive};
use glassnet::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, ping};
use glassnet::time::sleep;
use glassnet::{Nstat, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{by_engine, ms, secs};

/// Compares all counters that are not 0.
#[track_caller]
fn is_exactly(nstat: &Nstat, expected: &[(&str, u64)]) {
    let counted: Vec<_> = nstat.iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, expected);
}

fn server_and_client<S, C>(server: S, client: C) -> Sim
where
    S: Future<Output = glassnet::Result> + 'static,
    C: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(1);
    sim.client("server", server);
    sim.client("client", client);
    sim
}

#[test]
fn a_connection_is_counted_at_both_ends() -> glassnet::Result {
    let mut sim = server_and_client(
        async {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            let (mut stream, _) = listener.accept().await?;
            stream.read_exact(&mut [0; 5]).await?;
            assert_eq!(glassnet::nstat()?["TcpCurrEstab"], 1);
            stream.write_all(b"hello").await?;
            stream.read_u8().await.unwrap_err();
            Ok(())
        },
        async {
            let mut stream = TcpStream::connect("server:80").await?;
            stream.write_all(b"hello").await?;
            stream.read_exact(&mut [0; 5]).await?;
            drop(stream);
            sleep(secs(1)).await;
            Ok(())
        },
    );
    sim.run()?;
    // SYN, ACK, hello, FIN with the ACK of hello, ACK of the FIN; ours acknowledges each hello at once.
    // The ACK of the FIN rides on the other FIN.
    let (sent, received) = by_engine((5, 4), (6, 4));
    is_exactly(
        &sim.nstat("client"),
        &[
            ("IpInReceives", received),
            ("IpInDelivers", received),
            ("IpOutRequests", sent),
            ("TcpActiveOpens", 1),
            ("TcpInSegs", received),
            ("TcpOutSegs", sent),
        ],
    );
    is_exactly(
        &sim.nstat("server"),
        &[
            ("IpInReceives", sent),
            ("IpInDelivers", sent),
            ("IpOutRequests", received),
            ("TcpPassiveOpens", 1),
            ("TcpInSegs", sent),
            ("TcpOutSegs", received),
        ],
    );
    Ok(())
}

#[test]
fn a_refused_attempt_fails_and_the_refusal_is_a_reset() -> glassnet::Result {
    let mut sim = server_and_client(async { Ok(()) }, async {
        let error = TcpStream::connect("server:80").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
    sim.run()?;
    let (client, server) = (sim.nstat("client"), sim.nstat("server"));
    assert_eq!((client["TcpActiveOpens"], client["TcpAttemptFails"]), (1, 1));
    assert_eq!((server["TcpOutRsts"], server["TcpOutSegs"]), (1, 1));
    assert_eq!((server["TcpPassiveOpens"], client["TcpOutRsts"]), (0, 0));
    Ok(())
}

#[test]
fn lost_segments_are_counted_when_they_are_sent_again() -> glassnet::Result {
    let mut sim = server_and_client(
        async {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            let (mut stream, _) = listener.accept().await?;
            stream.read_exact(&mut [0; 5]).await?;
            sleep(secs(5)).await;
            Ok(())
        },
        async {
            let mut stream = TcpStream::connect("server:80").await?;
            stream.write_all(b"hello").await?;
            sleep(secs(5)).await;
            Ok(())
        },
    );
    sim.drop_frames("client:syn:1".parse()?);
    sim.drop_frames("client:data:1".parse()?);
    sim.run_for(secs(5))?;
    let client = sim.nstat("client");
    assert_eq!((client["TcpRetransSegs"], client["TcpExtTCPSynRetrans"]), (2, 1));
    assert_eq!(client["TcpRetransSegs"], sim.retransmissions());
    // SYN, ACK, hello, once each.
    assert_eq!((client["TcpOutSegs"], client["IpOutRequests"]), (3, 5));
    assert_eq!((client["TcpActiveOpens"], sim.nstat("server")["TcpInSegs"]), (1, 3));
    Ok(())
}

#[test]
fn each_way_to_end_a_connection_badly_has_its_counter() -> glassnet::Result {
    let mut sim = server_and_client(
        async {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            // Unread data: the close resets.
            let (unread, _) = listener.accept().await?;
            sleep(ms(100)).await;
            drop(unread);
            // A linger time of 0.
            let (lingers, _) = listener.accept().await?;
            SockRef::from(&lingers).set_linger(Some(secs(0)))?;
            drop(lingers);
            // Data for a socket that is closed.
            let (closed, _) = listener.accept().await?;
            drop(closed);
            sleep(secs(5)).await;
            Ok(())
        },
        async {
            let mut first = TcpStream::connect("server:80").await?;
            first.write_all(b"unread").await?;
            sleep(ms(200)).await;
            let mut second = TcpStream::connect("server:80").await?;
            second.read_u8().await.unwrap_err();
            let mut third = TcpStream::connect("server:80").await?;
            third.read_u8().await.unwrap_err();
            third.write_all(b"late").await?;
            sleep(secs(5)).await;
            Ok(())
        },
    );
    sim.run()?;
    let (server, client) = (sim.nstat("server"), sim.nstat("client"));
    assert_eq!(server["TcpExtTCPAbortOnClose"], 1);
    assert_eq!(server["TcpExtTCPAbortOnData"], 2);
    assert_eq!(server["TcpOutRsts"], 3);
    // The server's two, and three at the client; that in FIN-WAIT-2 was no reset of an open one.
    assert_eq!((server["TcpEstabResets"], client["TcpEstabResets"]), (2, 3));
    Ok(())
}

#[test]
fn silence_of_the_peer_is_an_abort_on_timeout_after_counted_probes() -> glassnet::Result {
    let mut sim = server_and_client(
        async {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            let _held = listener.accept().await?;
            sleep(secs(100)).await;
            Ok(())
        },
        async {
            let mut stream = TcpStream::connect("server:80").await?;
            let keepalive = TcpKeepalive::new().with_time(secs(10)).with_interval(secs(1));
            SockRef::from(&stream).set_tcp_keepalive(&keepalive.with_retries(3))?;
            assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
            Ok(())
        },
    );
    sim.run_for(secs(1))?;
    sim.partition("client", "server");
    sim.run_for(secs(50))?;
    let client = sim.nstat("client");
    assert_eq!((client["TcpExtTCPKeepAlive"], client["TcpExtTCPAbortOnTimeout"]), (3, 1));
    assert_eq!((client["TcpOutRsts"], client["TcpEstabResets"]), (1, 1));
    Ok(())
}

#[test]
fn a_full_backlog_overflows_and_drops() -> glassnet::Result {
    let mut sim = server_and_client(
        async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from(([0, 0, 0, 0], 80)))?;
            let _listener = socket.listen(0)?;
            sleep(secs(10)).await;
            Ok(())
        },
        async {
            let _first = TcpStream::connect("server:80").await?;
            let second = TcpStream::connect("server:80");
            // SYNs at 0, 1 and 3 seconds.
            assert!(glassnet::time::timeout(secs(4), second).await.is_err());
            sleep(secs(1)).await;
            Ok(())
        },
    );
    sim.run()?;
    let server = sim.nstat("server");
    assert_eq!((server["TcpExtListenOverflows"], server["TcpExtListenDrops"]), (3, 3));
    assert_eq!(sim.counters("server").unwrap().listen_overflows, 3);
    Ok(())
}

#[test]
fn datagrams_are_counted_when_they_are_read_and_errors_for_each_cause() -> glassnet::Result {
    let mut sim = server_and_client(
        async {
            let socket = UdpSocket::bind("0.0.0.0:53").await?;
            sleep(secs(1)).await;
            assert_eq!(glassnet::nstat()?["UdpInDatagrams"], 0);
            socket.recv(&mut [0; 10]).await?;
            Ok(())
        },
        async {
            sleep(ms(10)).await;
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            for _ in 0..300 {
                socket.send_to(b"too many", "server:53").await?;
            }
            socket.send_to(b"nobody", "server:9").await?;
            sleep(secs(2)).await;
            Ok(())
        },
    );
    sim.run()?;
    let (server, client) = (sim.nstat("server"), sim.nstat("client"));
    assert_eq!(client["UdpOutDatagrams"], 301);
    assert_eq!(
        (server["IpInDelivers"], server["UdpInDatagrams"], server["UdpNoPorts"]),
        (301, 1, 1)
    );
    let full = server["UdpRcvbufErrors"];
    assert_eq!(full, sim.counters("server").unwrap().receive_buffer_full);
    // 212,992 bytes hold 277 of 768.
    assert_eq!(full, 300 - 277);
    assert_eq!(server["UdpInErrors"], full);
    assert_eq!((server["IcmpOutMsgs"], server["IcmpOutDestUnreachs"]), (1, 1));
    assert_eq!((client["IcmpInMsgs"], client["IcmpInDestUnreachs"]), (1, 1));
    Ok(())
}

#[test]
fn ipv6_has_counters_of_its_own() -> glassnet::Result {
    let mut sim = server_and_client(
        async {
            let socket = UdpSocket::bind("[::]:53").await?;
            socket.recv(&mut [0; 10]).await?;
            Ok(())
        },
        async {
            let socket = UdpSocket::bind("[::]:0").await?;
            socket.send_to(b"one", "[fd00::1]:53").await?;
            sleep(secs(1)).await;
            Ok(())
        },
    );
    sim.run()?;
    is_exactly(
        &sim.nstat("client"),
        &[
            ("Ip6InReceives", 1),
            ("Ip6InDelivers", 1),
            ("Ip6OutRequests", 2),
            ("Icmp6InMsgs", 1),
            ("Icmp6OutMsgs", 1),
            ("Icmp6InNeighborAdvertisements", 1),
            ("Icmp6OutNeighborSolicits", 1),
            ("Udp6OutDatagrams", 1),
        ],
    );
    is_exactly(
        &sim.nstat("server"),
        &[
            ("Ip6InReceives", 2),
            ("Ip6InDelivers", 2),
            ("Ip6OutRequests", 1),
            ("Icmp6InMsgs", 1),
            ("Icmp6OutMsgs", 1),
            ("Icmp6InNeighborSolicits", 1),
            ("Icmp6OutNeighborAdvertisements", 1),
            ("Udp6InDatagrams", 1),
        ],
    );
    Ok(())
}

#[test]
fn an_echo_in_fragments_is_counted_at_each_step() -> glassnet::Result {
    let mut sim = server_and_client(async { Ok(()) }, async {
        glassnet::net::Ping::new("server").payload([1; 2_000]).send().await?;
        Ok(())
    });
    sim.run()?;
    is_exactly(
        &sim.nstat("client"),
        &[
            ("IpInReceives", 2),
            ("IpInDelivers", 1),
            ("IpOutRequests", 1),
            ("IpReasmReqds", 2),
            ("IpReasmOKs", 1),
            ("IpFragOKs", 1),
            ("IpFragCreates", 2),
            ("IcmpInMsgs", 1),
            ("IcmpInEchoReps", 1),
            ("IcmpOutMsgs", 1),
            ("IcmpOutEchos", 1),
        ],
    );
    let server = sim.nstat("server");
    assert_eq!((server["IcmpInEchos"], server["IcmpOutEchoReps"]), (1, 1));
    Ok(())
}

#[test]
fn a_fragment_that_stays_alone_is_a_timeout_and_a_failure() -> glassnet::Result {
    let mut sim = server_and_client(
        async {
            sleep(secs(40)).await;
            Ok(())
        },
        async {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            socket.send_to(&[1; 2_000], "server:53").await?;
            sleep(secs(40)).await;
            Ok(())
        },
    );
    sim.drop_frames("client:udp:2".parse()?);
    sim.run()?;
    let (server, client) = (sim.nstat("server"), sim.nstat("client"));
    assert_eq!((server["IpReasmReqds"], server["IpReasmOKs"]), (1, 0));
    assert_eq!((server["IpReasmTimeout"], server["IpReasmFails"]), (1, 1));
    assert_eq!((server["IcmpOutTimeExcds"], client["IcmpInTimeExcds"]), (1, 1));
    assert_eq!((server["IpInReceives"], server["IpInDelivers"]), (1, 0));
    Ok(())
}

#[test]
fn an_echo_to_oneself_is_counted_going_and_coming() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        ping("127.0.0.1").await?;
        Ok(())
    });
    sim.run()?;
    let client = sim.nstat("client");
    assert_eq!((client["IpOutRequests"], client["IpInReceives"]), (2, 2));
    assert_eq!((client["IcmpInEchos"], client["IcmpInEchoReps"]), (1, 1));
    Ok(())
}

#[test]
fn counters_are_printed_as_nstat_prints_them_and_asked_for_by_name() -> glassnet::Result {
    let mut sim = server_and_client(async { Ok(()) }, async {
        ping("server").await?;
        Ok(())
    });
    assert_eq!(sim.nstat("client")["IpInReceives"], 0);
    sim.run()?;
    let client = sim.nstat("client");
    let text = client.to_string();
    assert!(text.starts_with(
        "\
#kernel
IpInReceives                    1                  0.0
IpInHdrErrors                   0                  0.0
IpInAddrErrors                  0                  0.0
"
    ));
    assert!(!text.contains("TcpCurrEstab"), "{text}");
    assert_eq!(text.lines().count(), client.iter().count());
    assert!(!format!("{client:#}").contains(" 0   "));
    assert_eq!(client.get("TcpCurrEstab"), Some(0));
    assert_eq!(client.get("TcpExtTCPTimeouts"), None);
    is_exactly(&client.since(&client), &[]);
    let names: Vec<_> = client.iter().map(|(name, _)| name).collect();
    let place = |name: &str| names.iter().position(|other| *other == name).unwrap();
    let kernel =
        ["IpInReceives", "IcmpInMsgs", "TcpActiveOpens", "UdpInDatagrams", "Ip6InReceives"];
    assert!(kernel.map(place).is_sorted());
    sim.crash("client");
    is_exactly(&sim.nstat("client"), &[]);
    Ok(())
}

#[test]
#[should_panic(expected = "\"TcpRetransSeg\" is not counted")]
fn a_name_that_is_no_counter_is_not_0() {
    let mut sim = Sim::new(1);
    sim.client("client", async { Ok(()) });
    sim.run().unwrap();
    let _ = sim.nstat("client")["TcpRetransSeg"];
}

#[test]
fn what_passes_an_interface_is_counted_and_printed_as_ip_prints_it() -> glassnet::Result {
    let mut sim = server_and_client(
        async {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            let (mut stream, _) = listener.accept().await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
            Ok(())
        },
        async {
            TcpStream::connect("server:80").await?.write_all(&[1; 100]).await?;
            ping("127.0.0.1").await?;
            sleep(secs(1)).await;
            Ok(())
        },
    );
    let wire = crate::common::Wire::watch(&mut sim);
    sim.run()?;
    let sent = |from: &str| {
        let frames = wire.sent().into_iter().filter(|sent| sent.from == from);
        let lens: Vec<u64> = frames.map(|sent| sent.frame.len() as u64).collect();
        (lens.iter().sum::<u64>(), lens.len() as u64)
    };
    let (client, server) = (sim.interfaces("client"), sim.interfaces("server"));
    let eth0 = client.get("eth0").unwrap();
    assert_eq!((eth0.tx_bytes, eth0.tx_packets), sent("client"));
    assert_eq!((eth0.rx_bytes, eth0.rx_packets), sent("server"));
    assert_eq!((server[1].rx_bytes, server[1].rx_packets), sent("client"));
    assert_eq!((client[0].name, client[0].rx_packets, client[0].tx_packets), ("lo", 2, 2));
    assert_eq!((eth0.rx_dropped, eth0.rx_multicast, client.len()), (0, 0, 2));
    assert!(client.get("eth1").is_none());
    assert_eq!(
        client.to_string(),
        format!(
            "\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 1500 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    RX:  bytes packets errors dropped  missed   mcast
    {:>10}       2      0       0       0       0
    TX:  bytes packets errors dropped carrier collsns
    {:>10}       2      0       0       0       0
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default qlen 1000
    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff
    RX:  bytes packets errors dropped  missed   mcast
    {:>10} {:>7}      0       0       0       0
    TX:  bytes packets errors dropped carrier collsns
    {:>10} {:>7}      0       0       0       0",
            client[0].rx_bytes,
            client[0].tx_bytes,
            eth0.rx_bytes,
            eth0.rx_packets,
            eth0.tx_bytes,
            eth0.tx_packets
        )
    );
    Ok(())
}

#[test]
fn multicast_frames_are_counted_at_the_interface_and_without_a_listener_ignored() -> glassnet::Result
{
    let mut sim = server_and_client(
        async {
            let socket = UdpSocket::bind("0.0.0.0:5000").await?;
            socket.join_multicast_v4([239, 1, 1, 1].into(), [0, 0, 0, 0].into())?;
            sleep(secs(2)).await;
            Ok(())
        },
        async {
            sleep(secs(1)).await;
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            socket.send_to(b"heard", "239.1.1.1:5000").await?;
            socket.send_to(b"not heard", "239.1.1.1:5001").await?;
            sleep(secs(1)).await;
            Ok(())
        },
    );
    sim.run()?;
    let server = sim.nstat("server");
    assert_eq!((server["UdpIgnoredMulti"], server["UdpNoPorts"]), (1, 0));
    assert_eq!(sim.interfaces("server")[1].rx_multicast, 2);
    Ok(())
}
