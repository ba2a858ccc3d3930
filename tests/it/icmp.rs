//! ICMP: echoes, and what is told of what cannot be delivered.

use std::io::ErrorKind;
use std::time::Duration;

use crate::common::{self, EINVAL, Log, Wire, alone, errno, ms, now, pattern, secs};
use glassnet::Sim;
use glassnet::net::socket::{Domain, Protocol, SockAddr, Socket, Type};
use glassnet::net::{Ping, UdpSocket, ping};
use glassnet::time::{sleep, timeout};
use std::net::SocketAddr;

const EACCES: i32 = 13;
const EMSGSIZE: i32 = 90;
const EDESTADDRREQ: i32 = 89;

/// A world with a silent server (10.0.0.1, fd00::1) behind a link, and a client.
fn world<F>(client: F) -> Sim
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(ms(20));
    sim.host("server", || async { Ok(()) });
    sim.client("client", client);
    sim
}

fn addr(text: &str) -> SockAddr {
    text.parse::<SocketAddr>().expect("an address").into()
}

// ---- Echoes ---------------------------------------------------------------------------------------

#[test]
fn an_echo_takes_the_way_there_and_back() -> glassnet::Result {
    let mut sim = world(async {
        // Neighbours ask and answer without the delay of the pair: 1 ms each.
        assert_eq!(ping("server").await?, ms(42));
        assert_eq!(ping("server").await?, ms(40));
        for server in ["10.0.0.1", "10.1", "fd00::1", "fe80::ff:fe00:1", "fe80::ff:fe00:1%eth0"] {
            let echo = Ping::new(server).payload(pattern(100)).send().await?;
            assert!(echo.time == ms(40) || echo.time == ms(42), "{server}: {echo:?}");
            assert_eq!((echo.bytes, echo.hop_limit, echo.sequence), (100, 64, 1));
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn the_own_host_answers_at_once() -> glassnet::Result {
    alone(async {
        for own in ["127.0.0.1", "localhost", "10.0.0.1", "::1", "fd00::1", "alone", ""] {
            assert_eq!(ping(own).await?, Duration::ZERO, "{own}");
        }
        Ok(())
    })
}

#[test]
fn echoes_are_as_large_as_datagrams_may_be() -> glassnet::Result {
    let mut sim = world(async {
        for (server, most) in [("10.0.0.1", 65_507), ("fd00::1", 65_527)] {
            let echo = Ping::new(server).payload(pattern(most)).send().await?;
            assert_eq!(echo.bytes, most);
            let mut larger = Ping::new(server).payload(pattern(most + 1));
            assert_eq!(errno(larger.send().await), Some(EMSGSIZE));
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn sequence_numbers_count_up_under_one_identifier() -> glassnet::Result {
    let mut sim = world(async {
        let mut ping = Ping::new("10.0.0.1");
        for sequence in 1..=3 {
            assert_eq!(ping.send().await?.sequence, sequence);
        }
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let requests: Vec<_> = wire
        .sent()
        .into_iter()
        .filter(|sent| sent.frame[12..14] == [8, 0] && sent.frame[34] == 8)
        .map(|sent| (sent.frame[38..40].to_vec(), sent.frame[41]))
        .collect();
    assert_eq!(requests.iter().map(|(_, sequence)| *sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(requests.iter().all(|(id, _)| *id == requests[0].0));
    Ok(())
}

#[test]
fn an_echo_that_comes_too_late_is_no_answer_to_the_next_request() -> glassnet::Result {
    let mut sim = world(async {
        ping("10.0.0.1").await?;
        let mut ping = Ping::new("10.0.0.1").timeout(ms(30));
        assert_eq!(ping.send().await.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        assert_eq!(now(), ms(72));
        let mut ping = ping.timeout(secs(1));
        let echo = ping.send().await?;
        assert_eq!((echo.sequence, echo.time), (2, ms(40)));
        Ok(())
    });
    sim.run()
}

#[test]
fn dropping_a_ping_that_waits_harms_no_other() -> glassnet::Result {
    let mut sim = world(async {
        let mut ping = Ping::new("10.0.0.1");
        assert!(timeout(ms(5), ping.send()).await.is_err());
        let tasks: Vec<_> = (0..20)
            .map(|size| {
                glassnet::spawn(
                    async move { Ping::new("10.0.0.1").payload(vec![7; size]).send().await },
                )
            })
            .collect();
        for (size, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await??.bytes, size);
        }
        assert_eq!(ping.send().await?.sequence, 2);
        Ok(())
    });
    sim.run()
}

#[test]
fn nobody_echoes_and_the_reason_is_told() -> glassnet::Result {
    let mut sim = world(async {
        let kind = async |host: &'static str| ping(host).await.map_err(|error| error.kind());
        // `arp(7)`: three questions, a second apart.
        let before = now();
        assert_eq!(kind("10.0.9.9").await, Err(ErrorKind::HostUnreachable));
        assert_eq!(now() - before, secs(3));
        assert_eq!(kind("fd00::9").await, Err(ErrorKind::HostUnreachable));
        assert_eq!(kind("192.0.2.1").await, Err(ErrorKind::NetworkUnreachable));
        assert_eq!(kind("2001:db8::1").await, Err(ErrorKind::NetworkUnreachable));
        assert!(ping("nobody").await.is_err());
        assert_eq!(errno(ping("<broadcast>").await), Some(EACCES));
        assert_eq!(errno(Ping::new("server").hop_limit(0).send().await), Some(EINVAL));
        let mut impatient = Ping::new("10.0.9.9").timeout(ms(100));
        assert_eq!(impatient.send().await.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_dead_host_is_silent_and_answers_again_when_it_is_back() -> glassnet::Result {
    let heard = Log::new();
    let ours = heard.clone();
    let mut sim = world(async move {
        ping("10.0.0.1").await?;
        let mut ping = Ping::new("10.0.0.1").timeout(ms(500));
        for _ in 0..6 {
            ours.note(ping.send().await.map(|echo| echo.time).map_err(|error| error.kind()));
            sleep(ms(500)).await;
        }
        Ok(())
    });
    sim.run_for(ms(700))?;
    sim.crash("server");
    sim.run_for(secs(2))?;
    sim.bounce("server");
    sim.run()?;
    let heard = heard.all();
    let (echo, late) = (Ok(ms(40)), Err(ErrorKind::TimedOut));
    // The host that is back asks for the neighbour it has forgotten.
    assert_eq!(heard, [echo, echo, late, late, Ok(ms(42)), echo]);
    Ok(())
}

// Linux answers what was asked of an IPv6 group, and nothing that was asked of many by IPv4.
#[test]
fn all_nodes_of_the_link_answer_an_echo_request_over_ipv6() -> glassnet::Result {
    let mut sim = world(async {
        let echo = Ping::new("ff02::1").send().await?;
        // The sender's own host is the first.
        assert_eq!(echo.time, Duration::ZERO);
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    sim.run_for(secs(1))?;
    let replies = wire.sent().into_iter().filter(|sent| {
        sent.from == "server" && sent.frame[12..14] == [0x86, 0xdd] && sent.frame[54] == 129
    });
    assert_eq!(replies.count(), 1);
    Ok(())
}

#[test]
fn echoes_survive_a_bad_link() -> glassnet::Result {
    let mut sim = Sim::new(11);
    sim.link("client", "server").delay(ms(5)).loss(0.2).duplicate(0.2).reorder(0.2);
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        let mut ping = Ping::new("server").timeout(secs(1)).payload(pattern(4_000));
        let mut echoes = 0;
        for _ in 0..100 {
            match ping.send().await {
                Ok(echo) => {
                    assert_eq!(echo.bytes, 4_000);
                    echoes += 1;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
            }
        }
        // Three fragments each way, all of which must arrive. That some did not is told 30 seconds
        // later, when nobody wants to know any more.
        assert!((20..60).contains(&echoes), "{echoes} of 100");
        Ok(())
    });
    sim.run()
}

#[test]
fn a_report_says_whose_echo_is_waited_for() {
    let mut sim = world(async {
        loop {
            let _ = Ping::new("10.0.0.1").timeout(secs(1_000)).send().await;
        }
    });
    sim.partition("client", "server");
    let _ = sim.event_limit(30);
    let report = common::failure(sim.run()).to_string();
    assert!(report.contains("an echo from 10.0.0.1"), "{report}");
    assert!(report.contains("echo request 10.0.0.2 > 10.0.0.1, 98 bytes"), "{report}");
}

// ---- Raw sockets ----------------------------------------------------------------------------------

fn request(payload: &[u8]) -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0, 0x12, 0x34, 0, 9];
    message.extend(payload);
    if message.len() % 2 == 1 {
        message.push(0);
    }
    let words = message.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

// `raw(7)`: the IP header comes with the message.
#[test]
fn a_raw_socket_hears_whole_packets_and_sends_messages() -> glassnet::Result {
    let mut sim = world(async {
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        assert_eq!(raw.local_addr()?, addr("0.0.0.0:1"));
        assert_eq!(errno(raw.send(b"x").await), Some(EDESTADDRREQ));
        let other = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        other.connect(&addr("10.0.0.7:0")).await?;
        raw.send_to(&request(b"glass!"), &addr("10.0.0.1:0")).await?;
        let mut buffer = [0; 128];
        let (len, from) = raw.recv_from(&mut buffer).await?;
        assert_eq!(from, addr("10.0.0.1:0"));
        assert_eq!((len, buffer[0], buffer[8], buffer[9]), (34, 0x45, 64, 1));
        assert_eq!(buffer[12..20], [10, 0, 0, 1, 10, 0, 0, 2]);
        assert_eq!(buffer[20..22], [0, 0], "an echo reply");
        assert_eq!(buffer[24..34], [&[0x12, 0x34, 0, 9][..], b"glass!"].concat());
        // Who is connected to somebody else hears nothing.
        other.set_nonblocking(true)?;
        assert!(other.recv(&mut buffer).await.is_err());
        let echo = ping("10.0.0.1").await?;
        assert_eq!(echo, ms(40));
        assert_eq!(raw.recv(&mut buffer).await?, 20 + 8 + 56);
        Ok(())
    });
    sim.run()
}

// RFC 3542 3 and 3.1: no header, and the checksum is the host's to fill in.
#[test]
fn a_raw_socket_of_ipv6_hears_messages_and_need_not_sum() -> glassnet::Result {
    let mut sim = world(async {
        let raw = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        assert_eq!(raw.local_addr()?, addr("[::]:58"));
        let message = [128, 0, 0, 0, 0, 7, 0, 9, 1, 2, 3];
        assert_eq!(errno(raw.send_to(&message, &addr("[fd00::1]:5")).await), Some(EINVAL));
        assert_eq!(errno(raw.send_to(&message[..3], &addr("[fd00::1]:0")).await), Some(EINVAL));
        raw.send_to(&message, &addr("[fd00::1]:0")).await?;
        let mut buffer = [0; 128];
        let (len, from) = raw.recv_from(&mut buffer).await?;
        assert_eq!((len, from), (11, addr("[fd00::1]:0")));
        assert_eq!(buffer[..2], [129, 0]);
        assert_eq!(buffer[4..11], [0, 7, 0, 9, 1, 2, 3]);
        Ok(())
    });
    sim.run()
}

// `raw(7)`: an error message is heard as a message, too.
#[test]
fn a_raw_socket_hears_that_a_port_is_closed() -> glassnet::Result {
    let mut sim = world(async {
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        let udp = UdpSocket::bind("0.0.0.0:5000").await?;
        udp.send_to(&pattern(3_000), "10.0.0.1:9").await?;
        let mut buffer = [0; 2_000];
        let len = raw.recv(&mut buffer).await?;
        // RFC 1812 4.3.2.3: as much of the packet as fits into 576 bytes.
        assert_eq!((len, &buffer[20..22]), (576, &[3, 3][..]));
        assert_eq!(buffer[48..52], [5_000_u16.to_be_bytes(), 9_u16.to_be_bytes()].concat());
        assert_eq!(buffer[1], 0xc0, "internetwork control");
        Ok(())
    });
    sim.run()
}

// `icmp(7)`: sockets for echoes alone, whose identifier is their port.
#[test]
fn a_datagram_socket_of_icmp_sends_requests_and_hears_its_own_replies() -> glassnet::Result {
    let mut sim = world(async {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))?;
        socket.bind(&addr("0.0.0.0:77"))?;
        let other = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))?;
        let server = addr("10.0.0.1:0");
        socket.send_to(&request(b"glass!"), &server).await?;
        other.send_to(&request(b"other!"), &server).await?;
        let mut buffer = [0; 64];
        let (len, from) = socket.recv_from(&mut buffer).await?;
        assert_eq!((len, from), (14, server.clone()));
        assert_eq!(buffer[..2], [0, 0]);
        assert_eq!(buffer[4..14], [&[0, 77, 0, 9][..], b"glass!"].concat());
        other.recv(&mut buffer).await?;
        assert_eq!(buffer[8..14], *b"other!");
        // Nothing but requests.
        assert_eq!(errno(socket.send_to(&[0; 8], &server).await), Some(EINVAL));
        assert_eq!(errno(socket.send_to(&[8, 0, 0], &server).await), Some(EINVAL));
        Ok(())
    });
    sim.run()
}
