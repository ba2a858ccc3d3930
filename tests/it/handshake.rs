//! How connections begin: SYNs and their retries, refusals, backlogs, ports.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::{Instant, sleep, timeout};
use glassnet::{DropReason, Fate, HostOptions, Sim, TcpState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Whole seconds after the first.
fn seconds_after_first(times: &[Duration]) -> Vec<u64> {
    times.iter().map(|time| (*time - times[0] + ms(500)).as_secs()).collect()
}

#[test]
fn a_handshake_is_three_segments_and_the_client_is_connected_after_one_round_trip()
-> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.link("server", "client").delay(ms(20));
    echo_host(&mut sim, "server");
    sim.client("client", async {
        // So that ARP is out of the way.
        drop(TcpStream::connect("server:7").await?);
        sleep(secs(1)).await;
        let began = Instant::now();
        let stream = TcpStream::connect("server:7").await?;
        assert_eq!(began.elapsed(), ms(40));
        sleep(secs(1)).await;
        drop(stream);
        Ok(())
    });
    sim.run()?;
    let of_second: Vec<String> = wire
        .sent()
        .iter()
        .filter(|sent| (secs(1)..secs(2)).contains(&sent.time))
        .filter_map(|sent| sent.segment().map(|it| format!("{} {}", sent.from, it.flags())))
        .collect();
    assert_eq!(of_second, ["client SYN", "server SYN ACK", "client ACK"]);
    assert_eq!(
        wire.states("client")[..2],
        [TcpState::SynSent, TcpState::Established],
        "of the first connection"
    );
    Ok(())
}

#[test]
fn a_lost_syn_is_retransmitted_after_one_second() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        TcpStream::connect("server:7").await?;
        assert!(now() >= secs(1) && now() < ms(1_010), "connected at {:?}", now());
        Ok(())
    });
    sim.one_way("client", "server").loss(1.0);
    sim.run_for(ms(500))?;
    sim.one_way("client", "server").loss(0.0);
    sim.run()?;
    let syns = wire.times("client", |segment| segment.syn);
    assert_eq!(seconds_after_first(&syns), [0, 1]);
    Ok(())
}

#[test]
fn a_lost_syn_ack_is_retransmitted_after_one_second() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        TcpStream::connect("server:7").await?;
        assert!(now() < ms(1_010), "connected at {:?}", now());
        Ok(())
    });
    sim.one_way("server", "client").loss(1.0);
    sim.run_for(ms(500))?;
    sim.one_way("server", "client").loss(0.0);
    sim.run()?;
    assert!(wire.times("server", |segment| segment.syn).len() >= 2);
    Ok(())
}

#[test]
fn the_last_ack_of_the_handshake_may_be_lost() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            stream.write_all(b"first").await?;
            Ok(())
        },
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"first");
            Ok(())
        },
    );
    // ARP takes 2 ms, SYN and SYN-ACK the next two.
    sim.run_for(Duration::from_micros(3_500))?;
    sim.one_way("client", "server").loss(1.0);
    sim.run_for(ms(100))?;
    sim.one_way("client", "server").loss(0.0);
    sim.run()?;
    assert!(sim.now().since_start() < secs(5), "{}", sim.now());
    Ok(())
}

#[test]
fn an_unanswered_connect_sends_seven_syns_and_times_out_after_127_seconds() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let refused = TcpStream::connect("server:7").await;
        assert_eq!(refused.as_ref().err().map(std::io::Error::kind), Some(ErrorKind::TimedOut));
        assert_eq!(errno(refused), Some(ETIMEDOUT));
        assert_eq!(now(), secs(127));
        Ok(())
    });
    sim.partition("client", "server");
    sim.run()?;
    let syns = wire.times("client", |segment| segment.syn);
    assert_eq!(seconds_after_first(&syns), [0, 1, 3, 7, 15, 31, 63]);
    assert!(
        wire.sent()
            .iter()
            .filter(|it| it.segment().is_some())
            .all(|it| it.is_dropped(DropReason::Partition))
    );
    assert_eq!(wire.segments("client").len(), 7, "SYNs and nothing else");
    Ok(())
}

#[test]
fn an_unanswered_syn_ack_is_sent_six_times_and_then_forgotten() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.host("client", || async {
        let _ = timeout(ms(100), TcpStream::connect("server:7")).await;
        for_ever().await
    });
    sim.one_way("server", "client").loss(1.0);
    sim.run_for(secs(200))?;
    let times = wire.times("server", |segment| segment.syn);
    assert_eq!(seconds_after_first(&times), [0, 1, 3, 7, 15, 31]);
    let end = wire.changes().into_iter().rfind(|it| it.host == "server").unwrap();
    assert_eq!((end.from, end.to), (TcpState::SynReceived, TcpState::Closed));
    assert_eq!((end.time - times[0] + ms(500)).as_secs(), 63);
    Ok(())
}

#[test]
fn a_closed_port_refuses_after_one_round_trip() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let refused = TcpStream::connect("server:8").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(refused.raw_os_error(), Some(ECONNREFUSED));
        assert_eq!(now(), ms(4), "ARP and the SYN take one round trip each");
        Ok(())
    });
    sim.run()?;
    let (_, syn) = wire.segments("client")[0];
    let (_, rst) = wire.segments("server")[0];
    assert!(rst.rst);
    // RFC 9293 3.10.7.1.
    assert_eq!((rst.seq, rst.ack), (0, Some(syn.seq.wrapping_add(1))));
    Ok(())
}

#[test]
fn port_zero_refuses_at_once() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        assert_eq!(errno(TcpStream::connect("server:0").await), Some(ECONNREFUSED));
        assert_eq!(errno(TcpStream::connect("127.0.0.1:0").await), Some(ECONNREFUSED));
        Ok(())
    });
    sim.run()?;
    assert!(wire.segments("client").is_empty());
    Ok(())
}

#[test]
fn an_address_without_a_host_is_unreachable_after_three_arp_requests_and_three_seconds()
-> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let error = TcpStream::connect("10.0.9.9:7").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostUnreachable);
        assert_eq!(error.raw_os_error(), Some(EHOSTUNREACH));
        assert_eq!(now(), secs(3));
        Ok(())
    });
    sim.run()?;
    let times: Vec<Duration> = wire.sent().iter().map(|sent| sent.time).collect();
    assert_eq!(times, [secs(0), secs(1), secs(2)]);
    assert!(wire.sent().iter().all(|sent| sent.is_dropped(DropReason::NoSuchHost)));
    Ok(())
}

#[test]
fn a_crashed_host_is_unreachable_after_three_seconds() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        sleep(secs(1)).await;
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(EHOSTUNREACH));
        assert_eq!(now(), secs(4));
        Ok(())
    });
    sim.run_for(ms(500))?;
    sim.crash("server");
    sim.run()
}

#[test]
fn an_unreachable_host_can_be_reached_when_it_comes_back() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        sleep(secs(1)).await;
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(EHOSTUNREACH));
        sleep(secs(6)).await;
        let stream = TcpStream::connect("server:7").await?;
        assert_eq!(exchange(stream, b"back".to_vec()).await?, b"back");
        Ok(())
    });
    sim.run_for(ms(500))?;
    sim.crash("server");
    sim.run_for(secs(7))?;
    sim.bounce("server");
    sim.run()
}

#[test]
fn an_address_outside_the_network_is_unreachable_at_once() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        for address in ["192.0.2.1:80", "255.255.255.255:80", "224.0.0.1:80"] {
            let error = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NetworkUnreachable, "{address}");
            assert_eq!(error.raw_os_error(), Some(ENETUNREACH), "{address}");
        }
        assert_eq!(now(), secs(0));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_timeout_around_connect_ends_it_and_leaves_no_trace_on_either_side() -> glassnet::Result {
    for microseconds in (0..6_000).step_by(250) {
        let mut sim = Sim::new(1);
        let accepted = Log::new();
        let note = accepted.clone();
        sim.client("server", async move {
            let listener = TcpListener::bind("0.0.0.0:7").await?;
            while let Ok(Ok((mut stream, _))) = timeout(secs(2), listener.accept()).await {
                // What was abandoned after it was established is closed, not lost.
                note.note(read_all(&mut stream).await.map_err(|error| error.kind()));
            }
            Ok(())
        });
        sim.client("client", async move {
            let attempt = TcpStream::connect("server:7");
            let first = timeout(Duration::from_micros(microseconds), attempt).await;
            let took = first.is_ok();
            drop(first);
            sleep(ms(50)).await;
            let mut second = TcpStream::connect("server:7").await?;
            second.write_all(b"second").await?;
            drop(second);
            assert_eq!(took, microseconds > 4_000, "after {microseconds} us");
            Ok(())
        });
        sim.run()?;
        let accepted = accepted.all();
        assert_eq!(accepted.last(), Some(&Ok(b"second".to_vec())), "{accepted:?}");
    }
    Ok(())
}

#[test]
fn a_timeout_around_connect_is_an_error_of_the_kind_timed_out() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        let attempt = timeout(ms(300), TcpStream::connect("10.0.9.9:7")).await;
        let error: std::io::Error = attempt.unwrap_err().into();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(now(), ms(300));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_host_reaches_itself_by_loopback_by_name_and_by_its_address_and_no_frame_is_sent()
-> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("alone", async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        for (to, ours) in [
            ("127.0.0.1:7", [127, 0, 0, 1]),
            ("localhost:7", [127, 0, 0, 1]),
            ("alone:7", [10, 0, 0, 1]),
            ("10.0.0.1:7", [10, 0, 0, 1]),
        ] {
            let mut there = TcpStream::connect(to).await?;
            let (mut here, peer) = listener.accept().await?;
            assert_eq!(there.local_addr()?.ip(), IpAddr::from(ours), "to {to}");
            assert_eq!(there.peer_addr()?, SocketAddr::from((ours, 7)), "to {to}");
            assert_eq!(peer, there.local_addr()?);
            there.write_all(b"question").await?;
            let mut buffer = [0; 8];
            here.read_exact(&mut buffer).await?;
            assert_eq!(&buffer, b"question");
            drop(here);
            assert_eq!(there.read(&mut buffer).await?, 0);
        }
        Ok(())
    });
    sim.run()?;
    assert_eq!(wire.sent(), []);
    Ok(())
}

#[test]
fn a_connection_to_the_unspecified_address_is_one_to_loopback() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("alone", async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let stream = TcpStream::connect("0.0.0.0:7").await?;
        assert_eq!(stream.peer_addr()?, "127.0.0.1:7".parse()?);
        assert_eq!(listener.accept().await?.1, stream.local_addr()?);
        Ok(())
    });
    sim.run()
}

#[test]
fn every_address_of_the_loopback_network_is_the_host_itself() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("alone", async {
        let _wildcard = TcpListener::bind("0.0.0.0:7").await?;
        let connected = timeout(secs(1), TcpStream::connect("127.0.0.2:7")).await;
        connected.expect("a listener on 0.0.0.0 answers at 127.0.0.2")?;
        TcpListener::bind("127.0.0.3:8").await?;
        Ok(())
    });
    sim.run()
}

#[test]
fn loopback_carries_more_than_the_buffers_hold() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "alone");
    sim.client("other", async {
        let _own = TcpListener::bind("0.0.0.0:7").await?;
        Ok(())
    });
    sim.client("client", async {
        let listener = TcpListener::bind("127.0.0.1:7").await?;
        let echo = glassnet::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let (mut read, mut write) = stream.into_split();
            tokio::io::copy(&mut read, &mut write).await
        });
        let data = pattern(300_000);
        let stream = TcpStream::connect("127.0.0.1:7").await?;
        assert!(exchange(stream, data.clone()).await? == data);
        assert_eq!(echo.await??, 300_000);
        Ok(())
    });
    sim.run()
}

#[test]
fn a_listener_on_loopback_is_closed_to_other_hosts() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let _listener = TcpListener::bind("127.0.0.1:7").await?;
        for_ever().await
    });
    sim.client("client", async {
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(ECONNREFUSED));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_listener_on_the_hosts_address_is_closed_to_loopback() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("alone", async {
        let _listener = TcpListener::bind("10.0.0.1:7").await?;
        assert_eq!(errno(TcpStream::connect("127.0.0.1:7").await), Some(ECONNREFUSED));
        TcpStream::connect("10.0.0.1:7").await?;
        Ok(())
    });
    sim.run()
}

#[test]
fn both_ends_agree_on_the_addresses() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            assert_eq!(stream.local_addr()?, "10.0.0.1:7".parse()?);
            assert_eq!(stream.peer_addr()?.ip(), Ipv4Addr::new(10, 0, 0, 2));
            stream.write_all(stream.peer_addr()?.to_string().as_bytes()).await?;
            Ok(())
        },
        |mut stream| async move {
            assert_eq!(stream.peer_addr()?, "10.0.0.1:7".parse()?);
            let seen_by_server = String::from_utf8(read_all(&mut stream).await?)?;
            assert_eq!(stream.local_addr()?.to_string(), seen_by_server);
            Ok(())
        },
    )
    .run()
}

#[test]
fn ephemeral_ports_are_of_the_dynamic_range_and_differ() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut streams = Vec::new();
        let mut ports = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let stream = TcpStream::connect("server:7").await?;
            let port = stream.local_addr()?.port();
            assert!(port >= 32_768, "{port}");
            assert!(ports.insert(port), "{port} twice");
            streams.push(stream);
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn a_connection_skips_ports_that_are_bound_and_fails_when_none_is_left() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut sockets = Vec::new();
        for port in 32_768..=60_999 {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::UNSPECIFIED, port).into())?;
            sockets.push(socket);
        }
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(EADDRNOTAVAIL));
        let socket = TcpSocket::new_v4()?;
        assert_eq!(errno(socket.bind("0.0.0.0:0".parse()?)), Some(EADDRINUSE));
        drop(sockets.remove(1_000));
        let stream = TcpStream::connect("server:7").await?;
        assert_eq!(stream.local_addr()?.port(), 33_768);
        Ok(())
    });
    sim.run()
}

#[test]
fn one_local_port_serves_connections_to_different_peers() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "one");
    echo_host(&mut sim, "two");
    sim.client("client", async {
        let mut streams = Vec::new();
        for to in [[10, 0, 0, 1], [10, 0, 0, 2]] {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind("0.0.0.0:5000".parse()?)?;
            streams.push(socket.connect((to, 7).into()).await?);
        }
        for (stream, data) in streams.into_iter().zip([b"one", b"two"]) {
            assert_eq!(stream.local_addr()?, "10.0.0.3:5000".parse()?);
            assert_eq!(exchange(stream, data.to_vec()).await?, data);
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn a_second_connection_with_the_same_four_addresses_is_refused_to_the_caller() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let connect = async || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind("0.0.0.0:5000".parse().unwrap())?;
            socket.connect("10.0.0.1:7".parse().unwrap()).await
        };
        let first = connect().await?;
        assert_eq!(errno(connect().await), Some(EADDRNOTAVAIL));
        assert_eq!(exchange(first, b"alive".to_vec()).await?, b"alive");
        Ok(())
    });
    sim.run()
}

#[test]
fn a_socket_connects_to_itself_and_echoes() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("alone", async {
        let socket = TcpSocket::new_v4()?;
        socket.bind("127.0.0.1:5000".parse()?)?;
        let connected = timeout(secs(1), socket.connect("127.0.0.1:5000".parse()?)).await;
        let mut stream = connected.expect("a self connect is done at once")?;
        assert_eq!(stream.local_addr()?, stream.peer_addr()?);
        stream.write_all(b"mirror").await?;
        let mut buffer = [0; 6];
        stream.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"mirror");
        Ok(())
    });
    sim.run()
}

#[test]
fn a_socket_connected_to_itself_outlives_the_time_for_connecting() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("alone", async {
        let socket = TcpSocket::new_v4()?;
        socket.bind("127.0.0.1:5000".parse()?)?;
        let mut stream = socket.connect("127.0.0.1:5000".parse()?).await?;
        sleep(secs(300)).await;
        stream.write_all(b"mirror").await?;
        let mut buffer = [0; 6];
        stream.read_exact(&mut buffer).await?;
        Ok(())
    });
    sim.run()
}

fn simultaneous_open(wait: Duration) -> (Sim, Wire) {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    for (name, to) in [("left", [10, 0, 0, 2]), ("right", [10, 0, 0, 1])] {
        sim.client(name, async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind("0.0.0.0:7".parse()?)?;
            let mut stream = socket.connect((to, 7).into()).await?;
            sleep(wait).await;
            stream.write_all(name.as_bytes()).await?;
            stream.shutdown().await?;
            let other = if name == "left" { "right" } else { "left" };
            assert_eq!(read_all(&mut stream).await?, other.as_bytes());
            Ok(())
        });
    }
    (sim, wire)
}

#[test]
fn two_sockets_that_connect_to_each_other_at_once_have_one_connection() -> glassnet::Result {
    let (mut sim, wire) = simultaneous_open(secs(0));
    sim.run()?;
    assert!(wire.states("left").contains(&TcpState::SynReceived));
    assert!(wire.states("right").contains(&TcpState::SynReceived));
    assert!(sim.now().since_start() < secs(5), "{}", sim.now());
    Ok(())
}

#[test]
fn a_connection_opened_from_both_sides_outlives_the_time_for_connecting() -> glassnet::Result {
    simultaneous_open(secs(300)).0.run()
}

/// `clients` hosts connect to a listener with this backlog that accepts nothing until `at`.
fn crowd(backlog: u32, clients: usize, at: Duration) -> (Sim, Wire, Log<Duration>) {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    let connected = Log::new();
    sim.client("server", async move {
        let listener = listen(7, backlog)?;
        sleep(at).await;
        for _ in 0..clients {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(b"welcome").await?;
        }
        Ok(())
    });
    for number in 0..clients {
        let connected = connected.clone();
        sim.client(&format!("client{number}"), async move {
            // One after the other, so that it is clear who comes too late.
            sleep(ms(10) * number as u32).await;
            let mut stream = TcpStream::connect("server:7").await?;
            connected.note(now());
            assert_eq!(read_all(&mut stream).await?, b"welcome");
            Ok(())
        });
    }
    (sim, wire, connected)
}

#[test]
fn a_backlog_of_n_lets_n_plus_one_connections_complete() -> glassnet::Result {
    for (backlog, complete) in [(0, 1), (1, 2), (3, 4)] {
        let (mut sim, wire, connected) = crowd(backlog, 7, secs(2));
        sim.run_for(ms(1_900))?;
        assert_eq!(connected.len(), complete, "listen({backlog})");
        assert_eq!(wire.resets("server"), 0, "the others are not told");
        let answers = wire.times("server", |segment| segment.syn).len();
        assert_eq!(answers, complete, "nor answered");
        sim.run()?;
        assert_eq!(connected.len(), 7, "and get in when there is room");
        assert_eq!(wire.resets("server"), 0);
    }
    Ok(())
}

#[test]
fn an_accept_makes_room_for_the_next() -> glassnet::Result {
    let (mut sim, _, connected) = crowd(0, 3, ms(500));
    sim.run()?;
    let seconds: Vec<u64> = connected.all().iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [0, 1, 1], "the SYNs sent again after a second");
    Ok(())
}

#[test]
fn syns_at_the_same_instant_fill_a_backlog_without_losing_anybody() -> glassnet::Result {
    for backlog in [5, 10] {
        let mut sim = Sim::new(u64::from(backlog));
        sim.client("server", async move {
            let listener = listen(7, backlog)?;
            for _ in 0..30 {
                sleep(ms(20)).await;
                let (mut stream, _) = listener.accept().await?;
                stream.read_exact(&mut [0; 5]).await?;
                stream.write_all(b"welcome").await?;
            }
            Ok(())
        });
        for number in 0..30 {
            sim.client(&format!("client{number}"), async {
                let mut stream = TcpStream::connect("server:7").await?;
                stream.write_all(b"hello").await?;
                assert_eq!(read_all(&mut stream).await?, b"welcome");
                Ok(())
            });
        }
        sim.run()?;
    }
    Ok(())
}

#[test]
fn what_a_client_sends_before_it_is_accepted_waits_for_the_accept() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("server", async {
        let listener = listen(7, 0)?;
        sleep(secs(5)).await;
        let (mut stream, _) = listener.accept().await?;
        assert_eq!(read_all(&mut stream).await?, b"early");
        Ok(())
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_all(b"early").await?;
        Ok(())
    });
    sim.run()
}

#[test]
fn connections_that_nobody_accepted_are_reset_when_the_listener_is_dropped() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("server", async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        sleep(secs(1)).await;
        drop(listener);
        sleep(secs(1)).await;
        Ok(())
    });
    sim.client("client", async {
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(TcpStream::connect("server:7").await?);
        }
        for mut stream in streams {
            assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ECONNRESET));
            assert_eq!(now(), ms(1_001));
        }
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(ECONNREFUSED));
        Ok(())
    });
    sim.run()?;
    assert_eq!(wire.resets("server"), 4);
    Ok(())
}

#[test]
fn a_half_open_connection_meets_a_reset_when_the_listener_is_dropped() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("server", "client").delay(ms(100));
    sim.client("server", async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        // The SYN is there, the ACK of the SYN-ACK is not.
        sleep(ms(200)).await;
        drop(listener);
        sleep(secs(1)).await;
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ECONNRESET));
        Ok(())
    });
    sim.run()?;
    assert_eq!(wire.states("server")[0], TcpState::SynReceived);
    assert!(!wire.states("server").contains(&TcpState::Established));
    Ok(())
}

#[test]
fn a_connection_that_was_reset_before_it_was_accepted_is_accepted_and_then_says_so()
-> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("server", async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        sleep(secs(1)).await;
        let (mut stream, peer) = listener.accept().await?;
        assert_eq!(peer.ip(), Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(errno(stream.peer_addr()), Some(ENOTCONN));
        assert_eq!(stream.local_addr()?, "10.0.0.1:7".parse()?);
        let mut buffer = [0; 16];
        let len = stream.read(&mut buffer).await?;
        assert_eq!(&buffer[..len], b"before");
        assert_eq!(errno(stream.read(&mut buffer).await), Some(ECONNRESET));
        assert_eq!(stream.read(&mut buffer).await?, 0);
        Ok(())
    });
    sim.host("client", || async {
        if now() == secs(0) {
            let mut stream = TcpStream::connect("server:7").await?;
            stream.write_all(b"before").await?;
            for_ever().await;
        }
        Ok(())
    });
    // The acknowledgment of "before", which waits 10 ms or leaves at 5 ms, meets a machine that knows
    // nothing of it.
    sim.run_for(by_engine(ms(7), Duration::from_micros(5_500)))?;
    sim.bounce("client");
    sim.run()
}

#[test]
fn two_tasks_that_accept_on_one_listener_share_the_connections() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("server", async {
        let listener = std::rc::Rc::new(TcpListener::bind("0.0.0.0:7").await?);
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let listener = listener.clone();
                glassnet::spawn(async move {
                    for _ in 0..5 {
                        let (mut stream, _) = listener.accept().await?;
                        stream.write_all(b"welcome").await?;
                    }
                    std::io::Result::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    sim.client("client", async {
        for _ in 0..10 {
            let mut stream = TcpStream::connect("server:7").await?;
            assert_eq!(read_all(&mut stream).await?, b"welcome");
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn a_listener_on_one_address_goes_before_one_on_all() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("alone", async {
        let _specific = TcpListener::bind("127.0.0.1:7").await?;
        let error = TcpListener::bind("0.0.0.0:7").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "as on Linux, with SO_REUSEADDR or not");
        let other = TcpListener::bind("10.0.0.1:7").await?;
        TcpStream::connect("10.0.0.1:7").await?;
        timeout(secs(1), other.accept()).await??;
        Ok(())
    });
    sim.run()
}

#[test]
fn a_syn_may_be_duplicated_without_making_two_connections() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let accepted = Log::new();
    let note = accepted.clone();
    sim.link("server", "client").duplicate(1.0);
    sim.client("server", async move {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        while let Ok(stream) = timeout(secs(3), listener.accept()).await {
            let (mut stream, peer) = stream?;
            note.note(peer);
            stream.write_all(b"once").await?;
        }
        Ok(())
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        assert_eq!(read_all(&mut stream).await?, b"once");
        Ok(())
    });
    sim.run()?;
    assert_eq!(accepted.len(), 1);
    Ok(())
}

#[test]
fn a_duplicate_of_an_old_syn_that_comes_after_the_close_harms_nobody() -> glassnet::Result {
    let mut sim = Sim::new(3);
    // Copies come up to four seconds later, when the connection is long over.
    sim.one_way("client", "server").jitter(secs(2)).duplicate(0.5);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            glassnet::spawn(async move {
                let _ = stream.write_all(b"welcome").await;
                let _ = read_all(&mut stream).await;
            });
        }
    });
    sim.client("client", async {
        for _ in 0..20 {
            // Whatever the application sees, the stacks must come to rest.
            if let Ok(mut stream) = TcpStream::connect("server:7").await {
                let _ = read_all(&mut stream).await;
            }
        }
        Ok(())
    });
    sim.event_limit(200_000).run_for(secs(3_600))
}

#[test]
fn arp_is_asked_once_for_many_connections() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        for _ in 0..10 {
            exchange(TcpStream::connect("server:7").await?, b"data".to_vec()).await?;
        }
        Ok(())
    });
    sim.run()?;
    let arp = wire.sent().into_iter().filter(|sent| sent.segment().is_none()).count();
    assert_eq!(arp, 2, "a question and an answer");
    Ok(())
}

#[test]
fn arp_is_neither_lost_nor_cut_off() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.link("client", "server").loss(1.0);
    sim.client("client", async {
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(ETIMEDOUT));
        Ok(())
    });
    sim.run()?;
    let arp: Vec<_> = wire.sent().into_iter().filter(|sent| sent.segment().is_none()).collect();
    assert!(arp.len() >= 2 && arp.iter().all(|sent| matches!(sent.fate, Fate::Arrives { .. })));
    Ok(())
}

#[test]
fn more_connections_than_allowed_are_emfile_to_the_caller_and_silence_to_the_peer()
-> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    let two = HostOptions::default().max_connections(2).syn_retries(1);
    sim.host_options("few", two);
    echo_host(&mut sim, "few");
    echo_host(&mut sim, "many");
    sim.client("client", async {
        let _one = TcpStream::connect("few:7").await?;
        let _two = TcpStream::connect("few:7").await?;
        let third = timeout(secs(2), TcpStream::connect("few:7")).await;
        assert!(third.is_err(), "its SYN is dropped");
        Ok(())
    });
    sim.host_options("caller", HostOptions::default().max_connections(2));
    sim.client("caller", async {
        let _one = TcpStream::connect("many:7").await?;
        let two = TcpStream::connect("many:7").await?;
        assert_eq!(errno(TcpStream::connect("many:7").await), Some(EMFILE));
        drop(two);
        sleep(secs(1)).await;
        TcpStream::connect("many:7").await?;
        Ok(())
    });
    sim.run()?;
    assert_eq!(wire.resets("few"), 0);
    Ok(())
}

#[test]
fn a_restarted_client_on_the_same_port_discovers_the_connection_its_peer_still_has()
-> glassnet::Result {
    // RFC 9293 3.5.1, figure 9: the SYN is answered with an ACK, that with a RST, and the SYN that
    // is sent again a second later opens the new connection.
    for seed in 0..8 {
        let mut sim = Sim::new(seed);
        let wire = Wire::watch(&mut sim);
        let connected = Log::new();
        let note = connected.clone();
        sim.host("server", || async {
            let listener = TcpListener::bind("0.0.0.0:7").await?;
            loop {
                let (mut stream, _) = listener.accept().await?;
                glassnet::spawn(async move {
                    let _ = stream.read(&mut [0; 8]).await;
                });
            }
        });
        sim.host("client", move || {
            let note = note.clone();
            async move {
                let _stream = connect_from(40_000, [10, 0, 0, 1]).await?;
                note.note(now());
                for_ever().await
            }
        });
        sim.run_for(secs(1))?;
        sim.bounce("client");
        sim.run_for(secs(9))?;
        let rst = wire.segments("client").into_iter().find(|(_, segment)| segment.rst);
        let (_, rst) = rst.expect("the client resets what it does not know");
        let challenge =
            wire.segments("server").into_iter().find(|(time, _)| *time > secs(1)).unwrap().1;
        assert_eq!(Some(rst.seq), challenge.ack, "SEG.SEQ = SEG.ACK (RFC 9293 3.10.7.3)");
        assert_eq!(connected.len(), 2, "{:?}", connected.all());
        assert!(connected.all()[1] < secs(3), "{:?}", connected.all());
    }
    Ok(())
}

#[test]
fn an_old_acknowledgment_does_not_disturb_a_half_open_connection() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    // One that were forgotten among the half-open ones would close the port for ever.
    let one = HostOptions::default().syn_backlog(1).time_wait(Duration::ZERO);
    sim.host_options("server", one);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            glassnet::spawn(async move {
                let _ = stream.write_all(b"data").await;
                sleep(ms(300)).await;
            });
        }
    });
    sim.client("client", async {
        let mut stream = connect_from(40_000, [10, 0, 0, 1]).await?;
        assert_eq!(read_all(&mut stream).await?, b"data");
        drop(stream);
        sleep(secs(3).saturating_sub(now())).await;
        let mut again = connect_from(40_000, [10, 0, 0, 1]).await?;
        again.read_exact(&mut [0; 4]).await?;
        drop(again);
        sleep(secs(1)).await;
        TcpStream::connect("server:7").await?;
        assert!(now() < secs(8), "{:?}", now());
        Ok(())
    });
    // ARP until 2 ms, the handshake until 5; the data leaves at 5 and is acknowledged at 16, or 6.
    sim.run_for(by_engine(ms(10), Duration::from_micros(5_500)))?;
    sim.one_way("client", "server").delay(by_engine(ms(3_240), ms(3_250)));
    sim.run_for(ms(10))?;
    // That acknowledgment is to arrive at 3256.
    sim.one_way("client", "server").delay(ms(1));
    sim.run_for(ms(2_900))?;
    sim.one_way("server", "client").delay(ms(500));
    sim.run_for(ms(2_000))?;
    sim.one_way("server", "client").delay(ms(1));
    let late = wire.sent().into_iter().find(|it| it.arrival() > Some(it.time + secs(3))).unwrap();
    let at = late.arrival().unwrap();
    let syn = wire.times("client", |segment| segment.syn)[1];
    assert!(at > syn + ms(1) && at < syn + ms(500), "{at:?} is not in SYN-RECEIVED, from {syn:?}");
    sim.run()
}

#[test]
fn an_abandoned_connect_of_a_bound_socket_frees_its_port() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        for milliseconds in [0, 1, 3, 50] {
            let attempt = connect_from(40_000, [10, 0, 0, 99]);
            assert!(timeout(ms(milliseconds), attempt).await.is_err());
        }
        let stream = connect_from(40_000, [10, 0, 0, 1]).await?;
        assert_eq!(exchange(stream, b"free".to_vec()).await?, b"free");
        Ok(())
    });
    sim.run()
}
