//! The options of TCP sockets: each does what it says, for its own socket.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::Duration;

use crate::common::*;
use glassnet::net::tcp::{SockRef, TcpKeepalive};
use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::{sleep, timeout};
use glassnet::{HostOptions, Sim, TcpEngine, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A client whose socket was prepared by `prepare`, connected to `server:7`.
async fn connect_with(
    prepare: impl FnOnce(&TcpSocket) -> std::io::Result<()>,
) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    prepare(&socket)?;
    socket.connect("10.0.0.1:7".parse().unwrap()).await
}

/// A host whose listener at port 7 was prepared by `prepare`; it accepts, and reads to the end.
fn server_with(sim: &mut Sim, prepare: fn(&TcpSocket) -> std::io::Result<()>) {
    sim.host("server", move || async move {
        let socket = TcpSocket::new_v4()?;
        prepare(&socket)?;
        socket.bind("0.0.0.0:7".parse()?)?;
        let listener = socket.listen(8)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            spawn(async move {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
}

// ---- Keep-alive ---------------------------------------------------------------------------

fn keepalive(time: u64, interval: u64, retries: u32) -> TcpKeepalive {
    TcpKeepalive::new().with_time(secs(time)).with_interval(secs(interval)).with_retries(retries)
}

/// When a host sent empty segments with the number before what the peer expects.
fn probes(wire: &Wire, host: &str) -> Vec<Duration> {
    let segments = wire.segments(host);
    let mut next = None;
    let mut probes = Vec::new();
    for (time, segment) in segments {
        if next == Some(segment.seq.wrapping_add(1)) && segment.len == 0 && !segment.rst {
            probes.push(time);
        } else {
            let control = u32::from(segment.syn) + u32::from(segment.fin);
            next = Some(segment.seq.wrapping_add(segment.len).wrapping_add(control));
        }
    }
    probes
}

#[test]
fn without_keep_alive_an_idle_connection_is_silent() -> glassnet::Result {
    let mut sim = with_echo_server();
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        assert!(!SockRef::from(&stream).keepalive()?);
        sleep(secs(100_000)).await;
        Ok(())
    });
    sim.run_for(secs(99_999))?;
    assert_eq!(wire.segments("client").len(), 2);
    Ok(())
}

// RFC 9293 3.8.4: by default not before two hours.
#[test]
fn an_idle_connection_is_asked_after_two_hours_and_stays_up() -> glassnet::Result {
    let mut sim = with_echo_server();
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let mut stream = connect_with(|socket| socket.set_keepalive(true)).await?;
        sleep(secs(20_000)).await;
        stream.write_all(b"still here").await?;
        stream.read_exact(&mut [0; 10]).await?;
        Ok(())
    });
    sim.run_for(secs(19_999))?;
    // The SYN-ACK comes at 4 ms; each answer restarts the two hours.
    let times = probes(&wire, "client");
    assert_eq!(times, [ms(7_200_004), ms(14_400_006)]);
    assert_eq!(wire.segments("server").len(), 3);
    sim.run()
}

#[test]
fn a_connection_that_is_used_is_not_asked() -> glassnet::Result {
    let mut sim = with_echo_server();
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        SockRef::from(&stream).set_tcp_keepalive(&keepalive(10, 1, 3))?;
        for _ in 0..20 {
            sleep(secs(9)).await;
            stream.write_all(b"x").await?;
            stream.read_exact(&mut [0; 1]).await?;
        }
        Ok(())
    });
    sim.run()?;
    assert_eq!(probes(&wire, "client"), []);
    Ok(())
}

#[test]
fn both_ends_may_ask_each_other_and_one_answer_serves_both() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        SockRef::from(&listener).set_tcp_keepalive(&keepalive(15, 1, 3))?;
        let (mut stream, _) = listener.accept().await?;
        assert!(SockRef::from(&stream).keepalive()?);
        let _ = stream.read(&mut [0; 1]).await;
        Ok(())
    });
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        SockRef::from(&stream).set_tcp_keepalive(&keepalive(10, 1, 3))?;
        sleep(secs(100)).await;
        Ok(())
    });
    sim.run()?;
    assert_eq!(probes(&wire, "client").len(), 9);
    assert_eq!(probes(&wire, "server"), []);
    Ok(())
}

/// A client whose connection is idle while `fault` happens to the server; when it noticed, and
/// how.
fn silent_peer(fault: fn(&mut Sim) -> glassnet::Result) -> (Duration, Option<i32>, Wire) {
    let mut sim = with_echo_server();
    let wire = Wire::watch(&mut sim);
    let noticed = Log::new();
    let log = noticed.clone();
    sim.client("client", async move {
        let mut stream = TcpStream::connect("server:7").await?;
        SockRef::from(&stream).set_tcp_keepalive(&keepalive(60, 10, 5))?;
        let result = stream.read(&mut [0; 8]).await;
        log.note((now(), errno(result)));
        assert_eq!(stream.read(&mut [0; 8]).await?, 0);
        assert_eq!(errno(stream.write(b"x").await), Some(EPIPE));
        Ok(())
    });
    sim.run_for(secs(1)).unwrap();
    fault(&mut sim).unwrap();
    sim.run().unwrap();
    let (time, error) = noticed.all()[0];
    (time, error, wire)
}

#[test]
fn a_partitioned_peer_is_noticed_after_the_time_and_all_retries() {
    let (time, error, wire) = silent_peer(|sim| {
        sim.partition("client", "server");
        Ok(())
    });
    // Since the SYN-ACK, at 4 ms: 60 s, and five times 10 s.
    assert_eq!((time, error), (ms(110_004), Some(ETIMEDOUT)));
    assert_eq!(probes(&wire, "client"), [60, 70, 80, 90, 100].map(|at| secs(at) + ms(4)));
    // Linux tells the peer, should only the way back be broken.
    assert_eq!(wire.times("client", |segment| segment.rst), [ms(110_004)]);
}

#[test]
fn a_crashed_peer_is_noticed_just_so() {
    let (time, error, _) = silent_peer(|sim| {
        sim.crash("server");
        Ok(())
    });
    assert_eq!((time, error), (ms(110_004), Some(ETIMEDOUT)));
}

#[test]
fn a_peer_that_was_restarted_answers_with_a_reset() {
    let (time, error, wire) = silent_peer(|sim| {
        sim.bounce("server");
        Ok(())
    });
    // The restarted server must first ask for the client's address.
    assert_eq!((time, error), (ms(60_008), Some(ECONNRESET)));
    assert_eq!(probes(&wire, "client"), [ms(60_004)]);
}

#[test]
fn a_peer_that_comes_back_in_time_is_none_the_worse() -> glassnet::Result {
    let mut sim = with_echo_server();
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        SockRef::from(&stream).set_tcp_keepalive(&keepalive(60, 10, 5))?;
        sleep(secs(1_000)).await;
        stream.write_all(b"still here").await?;
        stream.read_exact(&mut [0; 10]).await?;
        Ok(())
    });
    run_with_outage(&mut sim, secs(30), secs(65))
}

#[test]
fn lost_questions_and_answers_do_not_end_a_connection() -> glassnet::Result {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        sim.time_limit(secs(40_000));
        sim.link("client", "server").loss(0.3);
        echo_host(&mut sim, "server");
        sim.client("client", async {
            let mut stream = TcpStream::connect("server:7").await?;
            SockRef::from(&stream).set_tcp_keepalive(&keepalive(60, 5, 30))?;
            sleep(secs(36_000)).await;
            stream.write_all(b"still here").await?;
            stream.read_exact(&mut [0; 10]).await?;
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

#[test]
fn a_question_each_second_is_answered_each_second() -> glassnet::Result {
    let mut sim = with_echo_server();
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        SockRef::from(&stream).set_tcp_keepalive(&keepalive(1, 1, 1))?;
        sleep(secs(100)).await;
        assert!(stream.peer_addr().is_ok());
        Ok(())
    });
    sim.run()?;
    assert!(probes(&wire, "client").len() >= 99);
    Ok(())
}

#[test]
fn keep_alive_goes_on_when_the_sending_side_is_shut_down() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (_stream, _) = listener.accept().await?;
        for_ever().await
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        SockRef::from(&stream).set_tcp_keepalive(&keepalive(60, 10, 5))?;
        stream.shutdown().await?;
        let result = timeout(secs(3_600), stream.read(&mut [0; 8])).await?;
        assert_eq!(errno(result), Some(ETIMEDOUT));
        assert!(now() < secs(700), "{:?}", now());
        Ok(())
    });
    run_cut_off_after(&mut sim, secs(500))
}

#[test]
fn keep_alive_can_be_switched_off_again() -> glassnet::Result {
    let mut sim = with_echo_server();
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        let options = SockRef::from(&stream);
        options.set_tcp_keepalive(&keepalive(10, 1, 3))?;
        sleep(secs(15)).await;
        options.set_keepalive(false)?;
        sleep(secs(100)).await;
        options.set_keepalive(true)?;
        assert_eq!(options.tcp_keepalive_time()?, secs(10));
        sleep(secs(9)).await;
        Ok(())
    });
    sim.run()?;
    assert_eq!(probes(&wire, "client").len(), 1);
    Ok(())
}

#[test]
fn keep_alive_takes_what_linux_takes() -> glassnet::Result {
    alone(async {
        let socket = TcpSocket::new_v4()?;
        let options = SockRef::from(&socket);
        assert_eq!(options.tcp_keepalive_time()?, secs(7_200));
        assert_eq!(options.tcp_keepalive_interval()?, secs(75));
        assert_eq!(options.tcp_keepalive_retries()?, 9);
        for wrong in [keepalive(0, 1, 1), keepalive(32_768, 1, 1), keepalive(1, 0, 1)] {
            assert_eq!(errno(options.set_tcp_keepalive(&wrong)), Some(EINVAL));
        }
        for wrong in [0, 128] {
            let wrong = TcpKeepalive::new().with_time(secs(5)).with_retries(wrong);
            assert_eq!(errno(options.set_tcp_keepalive(&wrong)), Some(EINVAL));
        }
        // What fails changes nothing.
        assert_eq!(options.tcp_keepalive_time()?, secs(7_200));
        assert!(!options.keepalive()?);
        options.set_tcp_keepalive(&TcpKeepalive::new().with_interval(ms(1_999)))?;
        assert_eq!(options.tcp_keepalive_interval()?, secs(1));
        assert!(options.keepalive()? && socket.keepalive()?);
        Ok(())
    })
}

// ---- User timeout -------------------------------------------------------------------------

#[test]
fn what_is_not_acknowledged_in_the_users_time_fails_the_connection() -> glassnet::Result {
    for timeout in [500, 5_000, 100_000] {
        let mut sim = with_echo_server();
        sim.client("client", async move {
            let mut stream = TcpStream::connect("server:7").await?;
            SockRef::from(&stream).set_tcp_user_timeout(Some(ms(timeout)))?;
            sleep(secs(2)).await;
            stream.write_all(b"into the void").await?;
            assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ETIMEDOUT));
            assert_eq!(now(), ms(2_004 + timeout));
            assert_eq!(errno(stream.write(b"x").await), Some(EPIPE));
            Ok(())
        });
        run_cut_off_after(&mut sim, secs(1))?;
    }
    Ok(())
}

// Linux's `retransmits_timed_out`: it counts instead of `tcp_retries2`.
#[test]
fn a_long_user_timeout_outlasts_the_hosts_retries() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host_options("client", HostOptions::default().retries(2));
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        SockRef::from(&stream).set_tcp_user_timeout(Some(secs(3_600)))?;
        sleep(secs(2)).await;
        stream.write_all(b"x").await?;
        stream.read_exact(&mut [0; 1]).await?;
        assert!(now() > secs(600));
        Ok(())
    });
    run_with_outage(&mut sim, secs(1), secs(600))
}

#[test]
fn a_connect_takes_no_longer_than_the_users_time() -> glassnet::Result {
    let mut sim = with_echo_server();
    sim.client("client", async {
        // The server's address must be known, or ARP would fail first.
        TcpStream::connect("server:7").await?;
        sleep(secs(1)).await;
        let connecting =
            connect_with(|socket| SockRef::from(socket).set_tcp_user_timeout(Some(ms(2_500))));
        let error = connecting.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(now(), ms(1_004 + 2_500));
        Ok(())
    });
    run_cut_off_after(&mut sim, ms(500))
}

#[test]
fn acknowledgments_restart_the_users_time_and_an_idle_connection_has_none() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(ms(400));
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream =
            connect_with(|socket| SockRef::from(socket).set_tcp_user_timeout(Some(ms(1_500))))
                .await?;
        sleep(secs(10)).await;
        for _ in 0..5 {
            stream.write_all(b"x").await?;
            stream.read_exact(&mut [0; 1]).await?;
        }
        sleep(secs(100)).await;
        assert!(stream.peer_addr().is_ok());
        Ok(())
    });
    sim.run()
}

// `tcp(7)`: also what waits because the peer's window is closed.
#[test]
fn a_window_that_stays_closed_for_the_users_time_fails_the_connection() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host_options("server", HostOptions::default().recv_buffer(1_000));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (_stream, _) = listener.accept().await?;
        for_ever().await
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        SockRef::from(&stream).set_tcp_user_timeout(Some(secs(30)))?;
        stream.write_all(&[1; 5_000]).await?;
        assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ETIMEDOUT));
        let time = now();
        assert!((secs(29)..secs(35)).contains(&time), "{time:?}");
        Ok(())
    });
    sim.run()
}

#[test]
fn the_users_timeout_decides_when_keep_alive_gives_up() -> glassnet::Result {
    let mut sim = with_echo_server();
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        let options = SockRef::from(&stream);
        options.set_tcp_keepalive(&keepalive(60, 10, 50))?;
        options.set_tcp_user_timeout(Some(secs(75)))?;
        assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ETIMEDOUT));
        // At the first question due after 75 seconds of silence.
        assert_eq!(now(), ms(80_004));
        Ok(())
    });
    run_cut_off_after(&mut sim, secs(1))
}

#[test]
fn a_user_timeout_of_nothing_is_none() -> glassnet::Result {
    alone(async {
        let socket = TcpSocket::new_v4()?;
        let options = SockRef::from(&socket);
        assert_eq!(options.tcp_user_timeout()?, None);
        options.set_tcp_user_timeout(Some(ms(7)))?;
        assert_eq!(options.tcp_user_timeout()?, Some(ms(7)));
        options.set_tcp_user_timeout(None)?;
        assert_eq!(options.tcp_user_timeout()?, None);
        assert_eq!(errno(options.set_tcp_user_timeout(Some(secs(3_000_000)))), Some(EINVAL));
        Ok(())
    })
}

// ---- Linger -------------------------------------------------------------------------------

#[test]
fn a_drop_with_zero_linger_resets() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            let mut buffer = [0; 8];
            stream.read_exact(&mut buffer[..4]).await?;
            assert_eq!(errno(stream.read(&mut buffer).await), Some(ECONNRESET));
            assert_eq!(stream.read(&mut buffer).await?, 0);
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(b"last").await?;
            stream.set_zero_linger()?;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    // Ours acknowledges what it gets at once, and that is for nobody.
    assert_eq!((wire.resets("client"), wire.fins("client")), (by_engine(1, 2), 0));
    Ok(())
}

#[test]
fn a_connection_accepted_by_a_listener_with_zero_linger_resets_when_it_is_dropped()
-> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host("server", || async {
        let socket = TcpSocket::new_v4()?;
        socket.set_zero_linger()?;
        socket.bind("0.0.0.0:7".parse()?)?;
        let listener = socket.listen(8)?;
        drop(listener.accept().await?);
        Ok(())
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ECONNRESET));
        Ok(())
    });
    sim.run()?;
    assert_eq!((wire.resets("server"), wire.fins("server")), (1, 0));
    Ok(())
}

#[test]
#[allow(deprecated)]
fn a_drop_with_time_to_linger_closes_as_ever() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, pattern(100_000));
            Ok(())
        },
        |mut stream| async move {
            stream.set_linger(Some(secs(1)))?;
            stream.write_all(&pattern(100_000)).await?;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert_eq!((wire.resets("client"), wire.fins("client")), (0, 1));
    Ok(())
}

// ---- TTL and TOS --------------------------------------------------------------------------

/// TTL and TOS of each TCP packet that a host sent.
fn marks(wire: &Wire, host: &str) -> Vec<(u8, u8)> {
    let ours = wire.sent().into_iter().filter(|sent| sent.from == host && sent.segment().is_some());
    ours.map(|sent| (sent.frame[14 + 8], sent.frame[14 + 1])).collect()
}

#[test]
fn every_packet_of_a_socket_carries_its_ttl_and_tos() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host("server", || async {
        let socket = TcpSocket::new_v4()?;
        socket.set_tos_v4(0x28)?;
        socket.bind("0.0.0.0:7".parse()?)?;
        let listener = socket.listen(8)?;
        listener.set_ttl(99)?;
        assert_eq!(listener.ttl()?, 99);
        let (mut stream, _) = listener.accept().await?;
        assert_eq!(stream.ttl()?, 99);
        assert_eq!(SockRef::from(&stream).tos_v4()?, 0x28);
        stream.read_exact(&mut [0; 5_000]).await?;
        stream.write_all(&[2; 5_000]).await?;
        assert_eq!(stream.read(&mut [0; 8]).await?, 0);
        Ok(())
    });
    sim.client("client", async {
        let mut stream = connect_with(|socket| {
            socket.set_tos_v4(0xb9)?;
            SockRef::from(socket).set_ttl_v4(3)
        })
        .await?;
        assert_eq!((stream.ttl()?, SockRef::from(&stream).tos_v4()?), (3, 0xb8));
        stream.write_all(&[1; 5_000]).await?;
        stream.read_exact(&mut [0; 5_000]).await?;
        Ok(())
    });
    sim.run()?;
    let (client, server) = (marks(&wire, "client"), marks(&wire, "server"));
    assert!(client.len() > 8 && server.len() > 8);
    assert!(client.iter().all(|marks| *marks == (3, 0xb8)), "{client:?}");
    assert!(server.iter().all(|marks| *marks == (99, 0x28)), "{server:?}");
    Ok(())
}

#[test]
fn ttl_and_tos_of_one_connection_change_at_once_and_for_no_other() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    server_with(&mut sim, |_| Ok(()));
    sim.client("client", async {
        let mut first = TcpStream::connect("server:7").await?;
        let mut second = TcpStream::connect("server:7").await?;
        first.set_ttl(200)?;
        SockRef::from(&first).set_tos_v4(4)?;
        sleep(secs(1)).await;
        first.write_all(b"x").await?;
        sleep(secs(1)).await;
        second.write_all(b"x").await?;
        sleep(secs(1)).await;
        assert_eq!(errno(first.set_ttl(0)), Some(EINVAL));
        assert_eq!(errno(first.set_ttl(256)), Some(EINVAL));
        assert_eq!(first.ttl()?, 200);
        Ok(())
    });
    sim.run_for(ms(2_900))?;
    let marks = marks(&wire, "client");
    assert_eq!(marks[..4], [(64, 0); 4], "two handshakes");
    assert_eq!(marks[4..], [(200, 4), (64, 0)]);
    sim.run()
}

#[test]
fn a_reset_and_a_keep_alive_carry_the_marks_too() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    server_with(&mut sim, |_| Ok(()));
    sim.client("client", async {
        let stream = connect_with(|socket| {
            socket.set_zero_linger()?;
            let options = SockRef::from(socket);
            options.set_tcp_keepalive(&keepalive(5, 1, 1))?;
            options.set_tos_v4(8)?;
            options.set_ttl_v4(9)
        })
        .await?;
        sleep(secs(6)).await;
        drop(stream);
        Ok(())
    });
    sim.run()?;
    assert_eq!(marks(&wire, "client"), [(9, 8); 4]);
    assert_eq!((probes(&wire, "client").len(), wire.resets("client")), (1, 1));
    Ok(())
}

#[test]
fn options_of_ipv6_are_none_of_an_ipv4_socket() -> glassnet::Result {
    alone(async {
        let v4 = TcpSocket::new_v4()?;
        let options = SockRef::from(&v4);
        assert_eq!(errno(options.set_tclass_v6(8)), Some(92));
        assert_eq!(errno(options.set_unicast_hops_v6(8)), Some(92));
        assert_eq!(options.tclass_v6().unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(options.unicast_hops_v6().unwrap_err().kind(), ErrorKind::Unsupported);
        let v6 = TcpSocket::new_v6()?;
        let options = SockRef::from(&v6);
        options.set_tclass_v6(0xff)?;
        options.set_unicast_hops_v6(7)?;
        assert_eq!((options.tclass_v6()?, options.unicast_hops_v6()?), (0xfc, 7));
        assert_eq!(errno(options.set_tclass_v6(256)), Some(EINVAL));
        assert_eq!(errno(options.set_unicast_hops_v6(256)), Some(EINVAL));
        Ok(())
    })
}

// ---- Buffers ------------------------------------------------------------------------------

#[test]
fn a_receive_buffer_is_twice_what_was_set_and_the_window_of_its_socket() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    server_with(&mut sim, |socket| socket.set_recv_buffer_size(3_000));
    sim.client("client", async {
        let stream = connect_with(|socket| socket.set_recv_buffer_size(1_234)).await?;
        assert_eq!(SockRef::from(&stream).recv_buffer_size()?, 2_468);
        assert_eq!(SockRef::from(&stream).send_buffer_size()?, 98_304);
        Ok(())
    });
    sim.run()?;
    assert_eq!(wire.segments("client")[0].1.window, 2_468);
    assert_eq!(wire.segments("server")[0].1.window, 6_000);
    Ok(())
}

#[test]
fn a_large_receive_buffer_is_used_by_window_scaling() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::default().rmem_max(1 << 19).wmem_max(1 << 20));
    sim.link("client", "server").delay(ms(50));
    sim.host("server", || async {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(1 << 19)?;
        socket.bind("0.0.0.0:7".parse()?)?;
        let (_stream, _) = socket.listen(1)?.accept().await?;
        for_ever().await
    });
    sim.client("client", async {
        let mut stream = connect_with(|socket| socket.set_send_buffer_size(1 << 20)).await?;
        // Nobody reads, so what is taken is what both buffers hold.
        let mut written = 0;
        while let Ok(len) = timeout(secs(60), stream.write(&[0; 10_000])).await {
            written += len?;
        }
        let most = (1 << 20) + (1 << 21);
        // What scaling the window rounds away; ours, as Linux, rounds up.
        let range = most - 64..=by_engine(most, most + (1 << 17));
        assert!(range.contains(&written), "{written} of {most}");
        stream.set_zero_linger()?;
        Ok(())
    });
    sim.run()
}

#[test]
fn a_send_buffer_is_what_a_write_takes_at_once() -> glassnet::Result {
    let mut sim = Sim::new(1);
    server_with(&mut sim, |_| Ok(()));
    sim.client("client", async {
        let stream = connect_with(|socket| socket.set_send_buffer_size(3_000)).await?;
        assert_eq!(stream.try_write(&[0; 10_000])?, 6_000);
        Ok(())
    });
    sim.run()
}

#[test]
fn no_size_of_a_buffer_is_refused_and_what_is_too_much_or_too_little_is_bounded() -> glassnet::Result
{
    for engine in [TcpEngine::Glassnet, TcpEngine::Smoltcp] {
        let mut sim = Sim::new(1);
        server_with(&mut sim, |_| Ok(()));
        sim.client("client", async {
            let socket = TcpSocket::new_v4()?;
            for (asked, recv, send) in [
                (0, 2_304, 4_608),
                (1_500, 3_000, 4_608),
                (212_992, 425_984, 425_984),
                (u32::MAX, 425_984, 425_984),
            ] {
                socket.set_recv_buffer_size(asked)?;
                socket.set_send_buffer_size(asked)?;
                let sizes = (socket.recv_buffer_size()?, socket.send_buffer_size()?);
                assert_eq!(sizes, (recv, send));
            }
            Ok(())
        });
        sim.host_options("client", HostOptions::default().tcp_engine(engine));
        sim.run()?;
    }
    Ok(())
}

#[test]
fn buffers_of_a_connection_of_smoltcps_are_fixed() -> glassnet::Result {
    let mut sim = Sim::new(1);
    server_with(&mut sim, |_| Ok(()));
    sim.client("client", async {
        let stream = connect_with(|socket| socket.set_recv_buffer_size(5_000)).await?;
        let options = SockRef::from(&stream);
        for result in [options.set_recv_buffer_size(8), options.set_send_buffer_size(8)] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
        }
        options.set_recv_buffer_size(5_000)?;
        Ok(())
    });
    sim.host_options("client", HostOptions::default().tcp_engine(TcpEngine::Smoltcp));
    sim.run()
}

// ---- Nagle, acknowledgments, congestion ---------------------------------------------------

#[test]
fn nodelay_of_a_listener_holds_for_what_it_accepts() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host("server", || async {
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        socket.bind("0.0.0.0:7".parse()?)?;
        let (mut stream, _) = socket.listen(1)?.accept().await?;
        assert!(stream.nodelay()?);
        for _ in 0..5 {
            stream.write_all(b"x").await?;
            sleep(Duration::from_micros(10)).await;
        }
        for_ever().await
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        assert!(!stream.nodelay()?);
        stream.read_exact(&mut [0; 5]).await?;
        Ok(())
    });
    sim.run()?;
    assert_eq!(wire.times("server", |segment| segment.len == 1).len(), 5);
    Ok(())
}

/// How long after the data arrived the server, prepared by `prepare`, acknowledged it.
fn acknowledged_after(prepare: fn(&TcpStream) -> std::io::Result<()>) -> Duration {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host("server", move || async move {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (mut stream, _) = listener.accept().await?;
        prepare(&stream)?;
        // As a server that answers: before, ours acknowledges at once.
        stream.read_u8().await?;
        stream.write_u8(1).await?;
        for_ever().await
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_u8(1).await?;
        stream.read_u8().await?;
        sleep(secs(1)).await;
        stream.write_all(b"data").await?;
        sleep(secs(1)).await;
        Ok(())
    });
    sim.run_for(ms(1_500)).unwrap();
    let sent = wire.times("client", |segment| segment.len == 4);
    let acknowledged = wire.segments("server").last().unwrap().0;
    acknowledged - sent[0] - ms(1)
}

#[test]
fn an_acknowledgment_waits_as_long_as_its_socket_says() {
    assert_eq!(acknowledged_after(|_| Ok(())), ms(10));
    assert_eq!(acknowledged_after(|it| SockRef::from(it).set_tcp_ack_delay(Some(ms(40)))), ms(40));
    assert_eq!(acknowledged_after(|it| SockRef::from(it).set_tcp_ack_delay(None)), ms(0));
    // On Linux it holds until something is answered.
    assert_eq!(acknowledged_after(|it| it.set_quickack(true)), by_engine(ms(0), ms(10)));
    assert_eq!(
        acknowledged_after(|it| {
            it.set_quickack(true)?;
            assert!(it.quickack()?);
            it.set_quickack(false)?;
            assert!(!it.quickack()?);
            Ok(())
        }),
        ms(10)
    );
}

/// How many segments the client had on its way after the first was sent, before one was
/// acknowledged.
fn first_flight(prepare: fn(&TcpSocket) -> std::io::Result<()>) -> usize {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(ms(50));
    let wire = Wire::watch(&mut sim);
    server_with(&mut sim, |_| Ok(()));
    sim.client("client", async move {
        let mut stream = connect_with(prepare).await?;
        stream.write_all(&[0; 60_000]).await?;
        Ok(())
    });
    sim.run().unwrap();
    let data = wire.times("client", |segment| segment.len > 0);
    data.iter().filter(|at| **at < data[0] + ms(100)).count()
}

#[test]
fn congestion_control_is_the_sockets_own() {
    let reno = first_flight(|_| Ok(()));
    assert_eq!(first_flight(|it| SockRef::from(it).set_tcp_congestion(b"cubic")), reno);
    let none = first_flight(|it| SockRef::from(it).set_tcp_congestion(b"none"));
    assert!(reno <= by_engine(2, 10) && none > 40, "{reno} and {none}");
}

#[test]
fn congestion_control_of_a_connection_can_change() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").loss(0.02);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        let options = SockRef::from(&stream);
        assert_eq!(options.tcp_congestion()?, b"reno");
        options.set_tcp_congestion(b"cubic")?;
        assert_eq!(options.tcp_congestion()?, b"cubic");
        assert_eq!(exchange(stream, pattern(300_000)).await?, pattern(300_000));
        Ok(())
    });
    sim.run()
}

// ---- Sharing addresses --------------------------------------------------------------------

#[test]
fn listeners_that_reuse_a_port_share_its_connections() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseport(true)?;
            socket.bind("0.0.0.0:7".parse().unwrap())?;
            socket.listen(64)
        };
        for name in [b"a", b"b", b"c"] {
            let listener: TcpListener = listener()?;
            spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let _ = stream.write_all(name).await;
                }
            });
        }
        for_ever().await
    });
    sim.client("client", async {
        let mut greeted = Vec::new();
        for _ in 0..60 {
            greeted.extend(read_all(&mut TcpStream::connect("server:7").await?).await?);
        }
        for name in b"abc" {
            let count = greeted.iter().filter(|greeting| *greeting == name).count();
            assert!((10..=30).contains(&count), "{count} of {}", char::from(*name));
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn a_syn_that_is_sent_again_finds_the_same_listener() -> glassnet::Result {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        sim.link("client", "server").duplicate(0.5).loss(0.1);
        sim.host("server", || async {
            let mut listeners = Vec::new();
            for _ in 0..4 {
                let socket = TcpSocket::new_v4()?;
                socket.set_reuseport(true)?;
                socket.bind("0.0.0.0:7".parse()?)?;
                listeners.push(socket.listen(64)?);
            }
            for listener in listeners {
                spawn(async move {
                    while let Ok((mut stream, _)) = listener.accept().await {
                        let _ = stream.write_all(b"hello").await;
                    }
                });
            }
            for_ever().await
        });
        sim.client("client", async {
            for _ in 0..10 {
                let mut stream = TcpStream::connect("server:7").await?;
                assert_eq!(read_all(&mut stream).await?, b"hello");
            }
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

#[test]
fn reuse_can_be_set_after_binding() -> glassnet::Result {
    alone(async {
        let (first, second) = (TcpSocket::new_v4()?, TcpSocket::new_v4()?);
        first.bind("0.0.0.0:7".parse()?)?;
        second.set_reuseaddr(true)?;
        assert_eq!(errno(second.bind("0.0.0.0:7".parse()?)), Some(EADDRINUSE));
        first.set_reuseaddr(true)?;
        second.bind("0.0.0.0:7".parse()?)?;
        let listener = first.listen(1)?;
        let third = TcpSocket::new_v4()?;
        third.set_reuseaddr(true)?;
        assert_eq!(errno(third.bind("0.0.0.0:7".parse()?)), Some(EADDRINUSE));
        drop(listener);
        third.bind("0.0.0.0:7".parse()?)?;
        Ok(())
    })
}

#[test]
fn a_binding_to_an_interface_is_unsupported() -> glassnet::Result {
    alone(async {
        let socket = TcpSocket::new_v4()?;
        assert_eq!(socket.bind_device(Some(b"eth0")).unwrap_err().kind(), ErrorKind::Unsupported);
        socket.bind_device(None)?;
        assert_eq!(socket.device()?, None);
        Ok(())
    })
}

// ---- Shutdown -----------------------------------------------------------------------------

#[test]
fn a_receiving_side_that_is_shut_down_reads_the_end_and_what_comes_all_the_same() -> glassnet::Result
{
    let mut sim = pair(
        1,
        |mut stream| async move {
            sleep(secs(2)).await;
            stream.write_all(b"late").await?;
            assert_eq!(read_all(&mut stream).await?, b"answer");
            Ok(())
        },
        |stream| async move {
            let (mut read, mut write) = stream.into_split();
            let reader = spawn(async move {
                let len = read.read(&mut [0; 8]).await?;
                std::io::Result::Ok((len, now(), read))
            });
            sleep(secs(1)).await;
            SockRef::from(write.as_ref()).shutdown(Shutdown::Read)?;
            let (len, woken_at, mut read) = reader.await??;
            assert_eq!((len, woken_at), (0, now()));
            sleep(secs(2)).await;
            let mut buffer = [0; 8];
            assert_eq!(read.read(&mut buffer).await?, 4);
            assert_eq!(&buffer[..4], b"late");
            assert_eq!(read.read(&mut buffer).await?, 0);
            write.write_all(b"answer").await?;
            Ok(())
        },
    );
    sim.run()
}

#[test]
fn both_sides_can_be_shut_down_at_once_and_again() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"words");
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(b"words").await?;
            SockRef::from(&stream).shutdown(Shutdown::Both)?;
            SockRef::from(&stream).shutdown(Shutdown::Both)?;
            assert_eq!(stream.read(&mut [0; 8]).await?, 0);
            assert_eq!(errno(stream.write(b"x").await), Some(EPIPE));
            sleep(secs(1)).await;
            for how in [Shutdown::Read, Shutdown::Write, Shutdown::Both] {
                assert_eq!(errno(SockRef::from(&stream).shutdown(how)), Some(ENOTCONN));
            }
            Ok(())
        },
    );
    sim.run()
}

#[test]
fn what_is_not_connected_cannot_be_shut_down() -> glassnet::Result {
    alone(async {
        let socket = TcpSocket::new_v4()?;
        assert_eq!(errno(SockRef::from(&socket).shutdown(Shutdown::Both)), Some(ENOTCONN));
        assert_eq!(errno(SockRef::from(&socket).peer_addr()), Some(ENOTCONN));
        let listener = TcpListener::bind("127.0.0.1:7").await?;
        assert_eq!(errno(SockRef::from(&listener).peer_addr()), Some(ENOTCONN));
        assert_eq!(SockRef::from(&listener).local_addr()?, "127.0.0.1:7".parse()?);
        Ok(())
    })
}

// ---- IPv6 ---------------------------------------------------------------------------------

#[test]
fn every_ipv6_packet_of_a_socket_carries_its_hop_limit_and_traffic_class() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host("server", || async {
        let listener = TcpListener::bind("[::]:7").await?;
        let (mut stream, _) = listener.accept().await?;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        Ok(())
    });
    sim.client("client", async {
        let socket = TcpSocket::new_v6()?;
        socket.set_tclass_v6(0xb9)?;
        socket.set_tos_v4(0x10)?;
        let options = SockRef::from(&socket);
        options.set_unicast_hops_v6(3)?;
        options.set_tcp_keepalive(&keepalive(5, 1, 3))?;
        let mut stream = socket.connect("[fd00::1]:7".parse()?).await?;
        stream.write_all(&[1; 5_000]).await?;
        sleep(secs(12)).await;
        stream.set_zero_linger()?;
        Ok(())
    });
    sim.run()?;
    let of_tcp = |sent: &Sent| sent.frame[12..14] == [0x86, 0xdd] && sent.frame[14 + 6] == 6;
    let sent = wire.sent();
    let ours: Vec<_> = sent.iter().filter(|sent| sent.from == "client" && of_tcp(sent)).collect();
    assert!(ours.len() > 6, "{}", ours.len());
    for sent in ours {
        let class = (sent.frame[14] << 4) | (sent.frame[15] >> 4);
        assert_eq!((sent.frame[14 + 7], class), (3, 0xb8));
    }
    assert_eq!((probes(&wire, "client").len(), wire.resets("client")), (2, 1));
    Ok(())
}
