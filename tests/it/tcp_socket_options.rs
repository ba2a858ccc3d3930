//! Options of TCP sockets as `tcp(7)` has them, with glassnet's own TCP under `HostOptions::linux()`:
//! what they change on the wire and for who writes.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::time::Duration;

use glassnet::net::socket::{Domain, Socket, Type};
use glassnet::net::tcp::SockRef;
use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::{sleep, timeout};
use glassnet::{HostOptions, Sim, TcpEngine, TcpSegment};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{EINVAL, Log, Wire, alone, errno, for_ever, ms, now, pattern, read_all, secs};

/// A server that reads all there is, and a client with a stream whose socket `set` has seen first.
fn reading_server<F>(
    set: impl FnOnce(&TcpSocket) -> io::Result<()> + 'static,
    client: impl FnOnce(TcpStream) -> F + 'static,
) -> Sim
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            glassnet::spawn(async move { read_all(&mut stream).await.map(drop) });
        }
    });
    sim.client("client", async move {
        let socket = TcpSocket::new_v4()?;
        set(&socket)?;
        client(socket.connect("10.0.0.1:7".parse()?).await?).await
    });
    sim.link("client", "server").delay(ms(10));
    sim
}

fn data_of(wire: &Wire, from: &str) -> Vec<(Duration, u32)> {
    let segments = wire.segments(from).into_iter().filter(|(_, segment)| segment.len > 0);
    segments.map(|(time, segment)| (time, segment.len)).collect()
}

/// The MSS that a SYN says.
fn mss_of(frame: &[u8]) -> u16 {
    assert_eq!(frame[54..56], [2, 4]);
    u16::from_be_bytes([frame[56], frame[57]])
}

fn syns(wire: &Wire, from: &str) -> Vec<Vec<u8>> {
    let is_syn = |frame: &[u8]| TcpSegment::parse(frame).is_some_and(|segment| segment.syn);
    let sent = wire.sent().into_iter().filter(|sent| sent.from == from && is_syn(&sent.frame));
    sent.map(|sent| sent.frame).collect()
}

// ---- TCP_CORK and TCP_NODELAY ---------------------------------------------------------------

#[test]
fn a_corked_socket_sends_full_segments_and_the_rest_when_the_cork_is_out() {
    let mut sim = reading_server(
        |_| Ok(()),
        |mut stream| async move {
            stream.set_tcp_cork(true)?;
            assert!(stream.tcp_cork()? && SockRef::from(&stream).tcp_cork()?);
            for _ in 0..20 {
                stream.write_all(&pattern(100)).await?;
            }
            sleep(ms(50)).await;
            stream.set_tcp_cork(false)?;
            sleep(secs(1)).await;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let data = data_of(&wire, "client");
    let [(first, 1_448), (second, 552)] = data[..] else { panic!("{data:?}") };
    assert_eq!((second - first).as_millis(), 50);
}

#[test]
fn what_is_corked_leaves_after_a_retransmission_timeout_and_with_a_fin() {
    let mut sim = reading_server(
        |socket| socket.set_tcp_cork(true),
        |mut stream| async move {
            stream.write_all(b"corked").await?;
            sleep(secs(1)).await;
            stream.write_all(b"closed").await?;
            stream.shutdown().await?;
            sleep(secs(1)).await;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let data = data_of(&wire, "client");
    let [(first, 6), (second, 6)] = data[..] else { panic!("{data:?}") };
    // 200 ms and a round trip of 20 after it was written.
    let waited = second - first;
    assert!((ms(770)..=ms(785)).contains(&waited), "{waited:?}");
    assert_eq!(wire.times("client", |segment| segment.fin), [second]);
}

#[test]
fn nodelay_does_not_undo_a_cork_but_lets_go_of_what_waits() {
    let mut sim = reading_server(
        |socket| {
            socket.set_nodelay(true)?;
            socket.set_tcp_cork(true)
        },
        |mut stream| async move {
            stream.write_all(b"one").await?;
            sleep(ms(20)).await;
            stream.set_nodelay(true)?;
            sleep(ms(20)).await;
            stream.write_all(b"two").await?;
            sleep(ms(20)).await;
            // With nodelay it does not wait for Nagle's algorithm either.
            stream.set_tcp_cork(false)?;
            sleep(secs(1)).await;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let data = data_of(&wire, "client");
    let [(first, 3), (second, 3)] = data[..] else { panic!("{data:?}") };
    assert_eq!((second - first).as_millis(), 40);
}

// ---- TCP_MAXSEG -----------------------------------------------------------------------------

#[test]
fn a_maximum_segment_size_is_what_the_syn_says_and_what_is_sent() {
    let mut sim = reading_server(
        |socket| socket.set_tcp_mss(1_000),
        |mut stream| async move {
            // Without timestamps, as Linux tells it.
            assert_eq!(stream.tcp_mss()?, 988);
            stream.set_tcp_mss(500)?;
            assert_eq!(stream.tcp_mss()?, 988);
            stream.write_all(&pattern(3_000)).await?;
            sleep(secs(1)).await;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    assert_eq!(mss_of(&syns(&wire, "client")[0]), 1_000);
    assert_eq!(mss_of(&syns(&wire, "server")[0]), 1_460);
    let lens: Vec<u32> = data_of(&wire, "client").into_iter().map(|(_, len)| len).collect();
    assert_eq!(lens, [988, 988, 988, 36]);
}

#[test]
fn a_maximum_segment_size_of_a_listener_is_that_of_what_it_accepts() {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.client("server", async {
        let socket = TcpSocket::new_v4()?;
        socket.set_tcp_mss(600)?;
        assert_eq!(socket.tcp_mss()?, 600);
        socket.bind("0.0.0.0:7".parse()?)?;
        let (mut stream, _) = socket.listen(1)?.accept().await?;
        stream.write_all(&pattern(1_200)).await?;
        Ok(())
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        assert_eq!(stream.tcp_mss()?, 588);
        read_all(&mut stream).await?;
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    assert_eq!(mss_of(&syns(&wire, "server")[0]), 600);
    assert_eq!(data_of(&wire, "server")[0].1, 588);
}

// ---- TCP_NOTSENT_LOWAT ----------------------------------------------------------------------

#[test]
fn a_writer_waits_while_more_than_the_mark_is_not_sent() {
    let mut sim = reading_server(
        |socket| {
            assert_eq!(socket.tcp_notsent_lowat()?, 0);
            socket.set_send_buffer_size(1 << 20)?;
            socket.set_tcp_notsent_lowat(16_384)
        },
        |stream| async move {
            assert_eq!(stream.tcp_notsent_lowat()?, 16_384);
            // 64 KiB are taken, of which the initial window leaves.
            assert_eq!(stream.try_write(&pattern(300_000))?, 65_536);
            assert_eq!(stream.try_write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
            stream.writable().await?;
            // Less than half of the mark waits; the window has grown to send so much.
            assert!(now() > ms(60) && now() < ms(150), "{:?}", now());
            // Without a mark the buffer has the room that it has.
            stream.set_tcp_notsent_lowat(0)?;
            let taken = stream.try_write(&pattern(600_000))?;
            assert!(taken > 300_000, "{taken}");
            Ok(())
        },
    );
    sim.run().unwrap();
}

// ---- SO_RCVBUF, SO_SNDBUF, TCP_WINDOW_CLAMP -------------------------------------------------

/// The largest window, in bytes, that a server advertises which does as `set` says and does not
/// read; its client writes for ever.
fn largest_window(set: impl Fn(&TcpSocket) -> io::Result<()> + 'static) -> u64 {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.client("server", async move {
        let socket = TcpSocket::new_v4()?;
        set(&socket)?;
        socket.bind("0.0.0.0:7".parse()?)?;
        let (mut stream, _) = socket.listen(1)?.accept().await?;
        let mut read = vec![0; 1 << 20];
        while stream.read(&mut read).await? > 0 {}
        Ok(())
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        let _ = timeout(secs(3), stream.write_all(&pattern(20_000_000))).await;
        Ok(())
    });
    sim.link("client", "server").delay(ms(5)).rate(100_000_000);
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let syn = &syns(&wire, "server")[0];
    assert_eq!(syn[70..73], [1, 3, 3], "nop, window scale");
    let windows = wire.segments("server").into_iter().filter(|(_, segment)| !segment.syn);
    windows.map(|(_, segment)| u64::from(segment.window) << syn[73]).max().unwrap()
}

#[test]
fn half_of_a_buffer_that_is_set_is_advertised_and_it_does_not_grow() {
    assert_eq!(largest_window(|socket| socket.set_recv_buffer_size(50_000)), 50_000);
    assert!(largest_window(|_| Ok(())) > 300_000);
}

#[test]
fn a_window_clamp_bounds_what_is_advertised() {
    let clamped = largest_window(|socket| {
        socket.set_tcp_window_clamp(20_000)?;
        assert_eq!(socket.tcp_window_clamp()?, 20_000);
        Ok(())
    });
    assert!((18_000..=20_000).contains(&clamped), "{clamped}");
}

#[test]
fn the_window_scale_is_for_the_buffer_that_was_set() {
    for (asked, scale) in [(30_000, 0), (65_535, 0), (65_536, 1), (212_992, 2)] {
        let mut sim =
            reading_server(move |socket| socket.set_recv_buffer_size(asked), |_| async { Ok(()) });
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        assert_eq!(syns(&wire, "client")[0][73], scale, "{asked}");
    }
}

#[test]
fn a_connection_takes_another_size_of_its_buffers() {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.client("server", async {
        let (stream, _) = TcpListener::bind("0.0.0.0:7").await?.accept().await?;
        stream.set_recv_buffer_size(150_000)?;
        assert_eq!(stream.recv_buffer_size()?, 300_000);
        sleep(secs(5)).await;
        // Half of the second buffer is told, rounded up to what the window scale can say, for which
        // an eighth of it is kept.
        let read = stream.try_read(&mut vec![0; 1 << 20])?;
        assert!((149_500..=168_750).contains(&read), "{read}");
        Ok(())
    });
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        stream.set_send_buffer_size(100_000)?;
        assert_eq!(stream.send_buffer_size()?, 200_000);
        let mut written = 0;
        while now() < secs(4) {
            match stream.try_write(&pattern(200_000)) {
                Ok(len) => written += len,
                Err(_) => sleep(ms(10)).await,
            }
        }
        assert!((349_500..=368_750).contains(&written), "{written}");
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(())
    });
    sim.run().unwrap();
}

// ---- TCP_QUICKACK ---------------------------------------------------------------------------

#[test]
fn quickack_is_what_the_connection_does_and_setting_it_acknowledges_at_once() {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.client("server", async {
        let (mut stream, _) = TcpListener::bind("0.0.0.0:7").await?.accept().await?;
        assert!(stream.quickack()?);
        stream.read_exact(&mut [0; 1]).await?;
        stream.write_all(b"y").await?;
        // Between request and response acknowledgments wait for the response.
        assert!(!stream.quickack()?);
        stream.read_exact(&mut [0; 1]).await?;
        stream.set_quickack(true)?;
        assert!(stream.quickack()? && SockRef::from(&stream).tcp_quickack()?);
        for_ever().await
    });
    let acknowledged = Log::new();
    let noted = acknowledged.clone();
    sim.client("client", async move {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_all(b"x").await?;
        stream.read_exact(&mut [0; 1]).await?;
        sleep(secs(1)).await;
        noted.note(now());
        stream.write_all(b"x").await?;
        sleep(secs(1)).await;
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run_for(secs(10)).unwrap();
    let asked = acknowledged.all()[0];
    let answer = wire.times("server", |_| true).into_iter().find(|time| *time > asked).unwrap();
    assert_eq!((answer - asked).as_millis(), 1);
}

// ---- TCP_CONGESTION, TCP_USER_TIMEOUT -------------------------------------------------------

#[test]
fn the_congestion_control_has_linuxs_name_on_every_type() {
    let mut sim = reading_server(
        |socket| {
            assert_eq!(socket.tcp_congestion()?, b"cubic");
            socket.set_tcp_congestion(b"reno")
        },
        |stream| async move {
            assert_eq!(stream.tcp_congestion()?, b"reno");
            stream.set_tcp_congestion(b"cubic")?;
            assert_eq!(SockRef::from(&stream).tcp_congestion()?, b"cubic");
            let unknown = stream.set_tcp_congestion(b"vegas").unwrap_err();
            assert_eq!(unknown.kind(), ErrorKind::NotFound);
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            assert_eq!(socket.tcp_congestion()?, b"cubic");
            Ok(())
        },
    );
    sim.run().unwrap();
}

#[test]
fn a_user_timeout_of_a_stream_ends_what_is_not_acknowledged() {
    let mut sim = reading_server(
        |socket| socket.set_tcp_user_timeout(Some(secs(5))),
        |mut stream| async move {
            assert_eq!(stream.tcp_user_timeout()?, Some(secs(5)));
            sleep(secs(1) - now()).await;
            stream.write_all(b"lost").await?;
            let error = stream.read(&mut [0; 1]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(now() >= secs(6) && now() < ms(6_500), "{:?}", now());
            Ok(())
        },
    );
    sim.run_for(ms(500)).unwrap();
    sim.partition("client", "server");
    sim.run().unwrap();
}

#[test]
fn a_user_timeout_does_not_count_the_time_in_which_nothing_was_written() {
    let mut sim = reading_server(
        |socket| socket.set_tcp_user_timeout(Some(secs(5))),
        |mut stream| async move {
            stream.write_all(b"first").await?;
            sleep(secs(60)).await;
            // It waits, with nothing in flight.
            stream.set_tcp_cork(true)?;
            stream.write_all(b"second").await?;
            sleep(secs(60)).await;
            stream.write_all(b"third").await?;
            sleep(secs(1)).await;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let lens: Vec<u32> = data_of(&wire, "client").into_iter().map(|(_, len)| len).collect();
    assert_eq!(lens, [5, 6, 5]);
}

// ---- What is refused ------------------------------------------------------------------------

#[test]
fn values_that_linux_refuses_are_refused() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.client("client", async {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        assert_eq!(socket.tcp_mss()?, 536);
        for mss in [1, 87, 32_768] {
            assert_eq!(errno(socket.set_tcp_mss(mss)), Some(EINVAL));
        }
        socket.set_tcp_window_clamp(5_000)?;
        socket.set_tcp_window_clamp(0)?;
        socket.set_tcp_window_clamp(1)?;
        assert_eq!(socket.tcp_window_clamp()?, 1_152);
        socket.listen(1)?;
        assert_eq!(errno(socket.set_tcp_window_clamp(0)), Some(EINVAL));
        let udp = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        // ENOPROTOOPT.
        assert_eq!(errno(udp.set_tcp_cork(true)), Some(92));
        assert_eq!(errno(udp.tcp_mss()), Some(92));
        Ok(())
    });
    sim.run()
}

#[test]
fn what_smoltcps_tcp_cannot_do_is_refused_when_it_is_set() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::default().tcp_engine(TcpEngine::Smoltcp));
    sim.client("client", async {
        let socket = TcpSocket::new_v4()?;
        for result in [
            socket.set_tcp_cork(true),
            socket.set_tcp_mss(1_000),
            socket.set_tcp_window_clamp(10_000),
        ] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
        }
        socket.set_tcp_cork(false)?;
        assert!(!socket.tcp_cork()?);
        Ok(())
    });
    sim.run()
}

#[test]
fn a_mark_for_what_is_not_sent_holds_with_smoltcps_tcp_too() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::default().tcp_engine(TcpEngine::Smoltcp));
    sim.host("server", || async {
        let (mut stream, _) = TcpListener::bind("0.0.0.0:7").await?.accept().await?;
        read_all(&mut stream).await?;
        Ok(())
    });
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        stream.set_tcp_notsent_lowat(1_000)?;
        assert_eq!(stream.try_write(&pattern(90_000))?, 65_536);
        assert_eq!(stream.try_write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
        stream.writable().await?;
        assert!(stream.try_write(b"x")? == 1);
        Ok(())
    });
    sim.run()
}

#[test]
fn options_are_of_sockets_without_a_connection_too() -> glassnet::Result {
    alone(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_tcp_user_timeout(Some(ms(1_500)))?;
        assert_eq!(SockRef::from(&socket).tcp_user_timeout()?, Some(ms(1_500)));
        socket.set_tcp_notsent_lowat(5)?;
        let listener = socket.listen(1)?;
        assert_eq!(SockRef::from(&listener).tcp_notsent_lowat()?, 5);
        Ok(())
    })
}
