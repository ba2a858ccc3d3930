//! What a host has open, as `ss` shows it: from outside, from inside, and as a text.

use glassnet::net::socket::{Domain, Protocol, Socket, Type};
use glassnet::net::tcp::{SockRef, TcpKeepalive};
use glassnet::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, UnixListener, UnixStream};
use glassnet::time::sleep;
use glassnet::{
    HostOptions, Netstat, Sim, SocketEnd, SocketProtocol, SocketStatus, TcpState, TimerKind,
};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{ms, secs};

/// Connects from a port of one's choice, so that a table can be compared as a text.
async fn connect_from(port: u16, to: &str) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([0, 0, 0, 0], port)))?;
    socket.connect(to.parse().unwrap()).await
}

fn one(table: &Netstat, state: TcpState) -> SocketStatus {
    let mut found = table.iter().filter(|socket| socket.state == state);
    let first = found.next().unwrap_or_else(|| panic!("no socket is in {state}:\n{table}"));
    assert_eq!(found.next(), None, "several sockets are in {state}:\n{table}");
    first.clone()
}

#[test]
fn a_server_that_forgets_to_close_is_seen_in_close_wait() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let mut forgotten = Vec::new();
        loop {
            forgotten.push(listener.accept().await?.0);
        }
    });
    sim.client("client", async {
        for _ in 0..5 {
            drop(TcpStream::connect("server:80").await?);
        }
        sleep(secs(120)).await;
        Ok(())
    });
    sim.run()?;
    let server = sim.netstat("server");
    let leaked = server.iter().filter(|socket| socket.state == TcpState::CloseWait);
    assert_eq!(leaked.count(), 5, "{server}");
    assert_eq!(server.len(), 6, "{server}");
    // The client's FIN-WAIT-2 are over: nobody holds them, and Linux waits for a minute.
    assert!(sim.netstat("client").is_empty(), "{}", sim.netstat("client"));
    Ok(())
}

#[test]
fn a_table_is_printed_as_ss_prints_it() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:8080").await?;
        let _both = TcpListener::bind("[::]:8081").await?;
        let _udp = UdpSocket::bind("0.0.0.0:53").await?;
        let _unix = UnixListener::bind("/run/app.sock")?;
        let (_one, _) = listener.accept().await?;
        drop(listener.accept().await?);
        sleep(secs(1000)).await;
        Ok(())
    });
    sim.client("client", async {
        let mut kept = connect_from(47684, "10.0.0.1:8080").await?;
        kept.write_all(&[1; 100]).await?;
        let mut closed = connect_from(47688, "10.0.0.1:8080").await?;
        let _queued = connect_from(47690, "10.0.0.1:8080").await?;
        closed.read_u8().await.unwrap_err();
        drop(closed);
        let udp = UdpSocket::bind("0.0.0.0:36774").await?;
        udp.connect("10.0.0.1:53").await?;
        udp.send(b"hi").await?;
        sleep(ms(500)).await;
        Ok(())
    });
    sim.run_for(ms(100))?;
    assert_eq!(
        sim.netstat("server").to_string(),
        "\
Netid State     Recv-Q Send-Q Local Address:Port Peer Address:Port
u_str LISTEN    0      4096   /run/app.sock 1               * 0
udp   UNCONN    2      0            0.0.0.0:53        0.0.0.0:*
tcp   LISTEN    1      1024         0.0.0.0:8080      0.0.0.0:*
tcp   ESTAB     100    0           10.0.0.1:8080     10.0.0.2:47684
tcp   TIME-WAIT 0      0           10.0.0.1:8080     10.0.0.2:47688
tcp   ESTAB     0      0           10.0.0.1:8080     10.0.0.2:47690
tcp   LISTEN    0      1024               *:8081            *:*"
    );
    assert_eq!(
        sim.netstat("client").to_string(),
        "\
Netid State Recv-Q Send-Q Local Address:Port  Peer Address:Port
udp   ESTAB 0      0           10.0.0.2:36774     10.0.0.1:53
tcp   ESTAB 0      0           10.0.0.2:47684     10.0.0.1:8080
tcp   ESTAB 0      0           10.0.0.2:47690     10.0.0.1:8080"
    );
    Ok(())
}

#[test]
fn the_end_of_time_wait_is_told_and_printed() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            listener.accept().await?.0.read_u8().await.unwrap_err();
        }
    });
    sim.client("client", async {
        drop(connect_from(47684, "10.0.0.1:80").await?);
        sleep(secs(100)).await;
        Ok(())
    });
    sim.run_for(secs(20))?;
    let early = one(&sim.netstat("client"), TcpState::TimeWait).timer.unwrap();
    assert_eq!((early.kind, early.retransmits), (TimerKind::TimeWait, 0));
    sim.run_for(secs(20))?;
    let late = one(&sim.netstat("client"), TcpState::TimeWait);
    assert_eq!(early.remaining - late.timer.unwrap().remaining, secs(20));
    assert_eq!(
        format!("{:#}", sim.netstat("client")),
        "\
Netid State     Recv-Q Send-Q Local Address:Port  Peer Address:Port
tcp   TIME-WAIT 0      0           10.0.0.2:47684     10.0.0.1:80   timer:(timewait,20sec,0)"
    );
    assert_eq!(
        late.to_string(),
        "tcp   TIME-WAIT  0      0      10.0.0.2:47684        10.0.0.1:80"
    );
    assert!(format!("{late:#}").ends_with(" 10.0.0.1:80 timer:(timewait,20sec,0)"), "{late:#}");
    sim.run_for(secs(21))?;
    assert!(sim.netstat("client").is_empty());
    Ok(())
}

#[test]
fn a_keep_alive_timer_counts_down_and_its_unanswered_probes_up() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let _held = listener.accept().await?;
        sleep(secs(1000)).await;
        Ok(())
    });
    sim.client("client", async {
        let stream = TcpStream::connect("server:80").await?;
        let keepalive = TcpKeepalive::new().with_time(secs(100)).with_interval(secs(10));
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        sleep(secs(160)).await;
        Ok(())
    });
    let timer = |sim: &Sim| one(&sim.netstat("client"), TcpState::Established).timer.unwrap();
    sim.run_for(secs(30))?;
    assert_eq!((timer(&sim).kind, timer(&sim).retransmits), (TimerKind::KeepAlive, 0));
    let before = timer(&sim).remaining;
    assert!(before > secs(70) && before < secs(71), "{before:?}");
    assert_eq!(timer(&sim).to_string(), "timer:(keepalive,1min10sec,0)");
    sim.partition("client", "server");
    sim.run_for(secs(80))?;
    assert_eq!(timer(&sim).retransmits, 1);
    assert_eq!(timer(&sim).remaining, before + secs(10) - secs(80));
    Ok(())
}

#[test]
fn every_kind_of_socket_is_there_with_its_queues_and_ends() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        let _raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        let _echo = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))?;
        let _echo6 = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::ICMPV6))?;
        let (mut left, right) = UnixStream::pair()?;
        left.write_all(b"unread").await?;
        let table = glassnet::netstat()?;
        let kinds: Vec<_> = table.iter().map(|socket| socket.protocol).collect();
        assert_eq!(kinds[..2], [SocketProtocol::UnixStream; 2]);
        assert_eq!(kinds[2], SocketProtocol::Raw);
        let (first, second) = (&table[0], &table[1]);
        assert_eq!((first.send_queue, second.recv_queue), (6, 6));
        assert_eq!(first.remote.as_ref(), Some(&second.local));
        assert_eq!(second.remote.as_ref(), Some(&first.local));
        assert_eq!(first.state, TcpState::Established);
        assert_eq!((first.local.addr(), table[2].local.port()), (None, Some(1)));
        assert!(matches!(first.local, SocketEnd::Unix { name: None, .. }));
        drop((left, right));
        assert!(glassnet::netstat()?.iter().all(|it| it.protocol != SocketProtocol::UnixStream));
        Ok(())
    });
    sim.run()
}

#[test]
fn an_address_of_a_link_is_printed_with_its_interface() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        let socket = UdpSocket::bind("[fe80::ff:fe00:1%2]:53").await?;
        let table = glassnet::netstat()?;
        assert_eq!(table[0].local, socket.local_addr()?);
        assert_eq!(table[0].local.to_string(), "[fe80::ff:fe00:1]%eth0:53");
        Ok(())
    });
    sim.run()
}

#[test]
fn a_listener_shows_what_waits_and_how_much_may() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let socket = TcpSocket::new_v4()?;
        socket.bind("0.0.0.0:80".parse().unwrap())?;
        let _listener = socket.listen(2)?;
        sleep(secs(1000)).await;
        Ok(())
    });
    sim.client("client", async {
        for port in 50_001..=50_003 {
            std::mem::forget(connect_from(port, "10.0.0.1:80").await?);
        }
        let fourth = TcpStream::connect("server:80");
        assert!(glassnet::time::timeout(secs(10), fourth).await.is_err(), "the backlog is full");
        Ok(())
    });
    sim.run_for(secs(5))?;
    let listener = one(&sim.netstat("server"), TcpState::Listen);
    assert_eq!((listener.recv_queue, listener.send_queue), (3, 2));
    assert_eq!((listener.remote, listener.timer), (None, None));
    assert_eq!(listener.local, SocketAddr::from(([0, 0, 0, 0], 80)));
    let waits = one(&sim.netstat("client"), TcpState::SynSent);
    assert_eq!(waits.remote.unwrap(), SocketAddr::from(([10, 0, 0, 1], 80)));
    Ok(())
}

#[test]
fn a_host_that_is_down_or_has_not_run_has_no_sockets() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let _listener = TcpListener::bind("0.0.0.0:80").await?;
        sleep(secs(1000)).await;
        Ok(())
    });
    assert!(sim.netstat("server").is_empty());
    sim.run_for(secs(1))?;
    assert_eq!(sim.netstat("server").len(), 1);
    sim.crash("server");
    assert!(sim.netstat("server").is_empty());
    let empty = sim.netstat("server").to_string();
    assert_eq!(empty, "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port");
    Ok(())
}

#[test]
#[should_panic(expected = "no host is called \"sever\"")]
fn a_name_that_no_host_has_is_no_empty_table() {
    let mut sim = Sim::new(1);
    sim.client("server", async { Ok(()) });
    sim.run().unwrap();
    let _ = sim.netstat("sever");
}

#[test]
fn outside_of_a_host_there_is_no_table() {
    assert!(glassnet::netstat().is_err());
}

/// A client with 20 ms to a server and back, Linux's TCP on both, and Ethernet addresses known when
/// `main` begins.
fn with_linux<F>(main: impl FnOnce() -> F + 'static) -> Sim
where
    F: std::future::Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.link("client", "server").delay(ms(10));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        drop(listener.accept().await?);
        let _held = listener.accept().await?;
        sleep(secs(1000)).await;
        Ok(())
    });
    sim.client("client", async {
        drop(connect_from(47000, "10.0.0.1:80").await?);
        main().await
    });
    sim
}

#[test]
fn details_are_printed_as_ss_prints_them_with_tino() -> glassnet::Result {
    let mut sim = with_linux(|| async {
        let mut stream = connect_from(47684, "10.0.0.1:80").await?;
        stream.write_all(&[1; 1448]).await?;
        sleep(secs(1)).await;
        Ok(())
    });
    sim.drop_frames("client:data:1-9".parse()?);
    sim.run_for(ms(150))?;
    let table = sim.netstat("client").details().to_string();
    assert_eq!(
        table,
        "\
State     Recv-Q Send-Q Local Address:Port  Peer Address:Port
TIME-WAIT 0      0           10.0.0.2:47000     10.0.0.1:80   timer:(timewait,59sec,0)
ESTAB     0      1448        10.0.0.2:47684     10.0.0.1:80   timer:(on,112ms,0)
\t ts sack cubic wscale:7,7 rto:220 rtt:20/10 mss:1448 pmtu:1500 rcvmss:536 advmss:1448 cwnd:10 \
bytes_sent:1448 bytes_acked:1 segs_out:3 segs_in:1 data_segs_out:1 send 5792000bps lastsnd:108 \
lastrcv:108 lastack:108 pacing_rate 11584000bps delivered:1 app_limited busy:108ms unacked:1 \
rcv_space:14600 rcv_ssthresh:64088 minrtt:20 snd_wnd:64240 rcv_wnd:64256"
    );
    Ok(())
}

#[test]
fn timers_of_retransmission_and_of_a_closed_window_are_told() -> glassnet::Result {
    let mut sim = with_linux(|| async {
        let mut stream = connect_from(47684, "10.0.0.1:80").await?;
        let full = glassnet::time::timeout(ms(500), stream.write_all(&[1; 2_000_000])).await;
        assert!(full.is_err(), "the server does not read");
        sleep(secs(100)).await;
        Ok(())
    });
    sim.run_for(secs(3))?;
    let shown = one(&sim.netstat("client"), TcpState::Established);
    let timer = shown.timer.unwrap();
    assert_eq!(timer.kind, TimerKind::WindowProbe);
    let info = shown.tcp_info.unwrap();
    assert_eq!((info.snd_wnd, info.probes, timer.retransmits), (0, 0, 0));
    assert!(info.rwnd_limited > 2_000_000 && info.notsent_bytes > 1_448, "{info:?}");
    assert!(timer.to_string().starts_with("timer:(persist,"), "{timer}");
    sim.partition("client", "server");
    sim.run_for(secs(10))?;
    let shown = one(&sim.netstat("client"), TcpState::Established);
    let (timer, info) = (shown.timer.unwrap(), shown.tcp_info.unwrap());
    assert!(timer.retransmits > 0 && info.probes == timer.retransmits as u8, "{info:?}");
    // The server's window is closed, too.
    let server = one(&sim.netstat("server"), TcpState::Established).tcp_info.unwrap();
    // Less than the scale can tell.
    assert!(server.rcv_wnd < 128, "{server:?}");
    Ok(())
}

#[test]
fn a_retransmission_timer_says_when_it_fires_and_after_how_many_timeouts() -> glassnet::Result {
    let mut sim = with_linux(|| async {
        let mut stream = connect_from(47684, "10.0.0.1:80").await?;
        stream.write_all(&[1; 100]).await?;
        sleep(secs(10)).await;
        Ok(())
    });
    sim.drop_frames("client:data:1-9".parse()?);
    // Ethernet addresses and the first connection have taken a while.
    sim.run_for(ms(150))?;
    let timer = |sim: &Sim| one(&sim.netstat("client"), TcpState::Established).timer.unwrap();
    assert_eq!((timer(&sim).kind, timer(&sim).retransmits), (TimerKind::Retransmission, 0));
    sim.run_for(ms(1_000))?;
    let later = timer(&sim);
    assert_eq!((later.kind, later.retransmits), (TimerKind::Retransmission, 2));
    assert!(later.to_string().starts_with("timer:(on,"), "{later}");
    Ok(())
}
