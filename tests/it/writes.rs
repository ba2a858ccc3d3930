//! Each write leaves in the call, as a segment of its own, unless Nagle's algorithm or a window
//! holds it back; so does the FIN of a close.

use std::future::Future;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::time::Duration;

use crate::common::*;
use glassnet::net::socket::{Domain, Socket, Type};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{Instant, sleep, timeout};
use glassnet::{CongestionControl, DropReason, HostOptions, Sim, TcpState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HEAD: [u8; 38] = [b'h'; 38];
const BODY: [u8; 5] = [b'b'; 5];
const ACK_DELAY: Duration = ms(40);

/// When the first segment is acknowledged at the other end of a link of 1 ms: after 40 ms, or at once.
fn first_ack() -> Duration {
    by_engine(ms(2) + ACK_DELAY, ms(2))
}

/// Bytes of a full segment: ours has timestamps.
fn full() -> u32 {
    by_engine(1_460, 1_448)
}

/// What a host sent that takes sequence space after the handshake: how long after the first of
/// them, how many bytes, and whether with a FIN.
type Segments = Vec<(Duration, u32, bool)>;

fn segments(wire: &Wire, from: &str) -> Segments {
    let sent = wire.segments(from).into_iter().filter(|(_, it)| !it.syn && (it.len > 0 || it.fin));
    let sent: Vec<_> = sent.collect();
    let began = sent.first().map_or(Duration::ZERO, |(time, _)| *time);
    sent.into_iter().map(|(time, segment)| (time - began, segment.len, segment.fin)).collect()
}

/// What a client sends whose server reads to the end and delays its ACKs by 40 ms.
fn sent_by<C, F>(nodelay: bool, client: C) -> Segments
where
    C: FnOnce(TcpStream) -> F + 'static,
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = pair(
        1,
        |mut stream| async move {
            read_all(&mut stream).await?;
            Ok(())
        },
        move |stream| async move {
            stream.set_nodelay(nodelay)?;
            client(stream).await
        },
    );
    let delayed = HostOptions::default().ack_delay(ACK_DELAY);
    sim.host_options("server", delayed);
    // The windows of a connection that is new are not the subject.
    let congestion_control = CongestionControl::None;
    sim.host_options("client", HostOptions::default().congestion_control(congestion_control));
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    segments(&wire, "client")
}

fn at_once(segments: &[(u32, bool)]) -> Segments {
    segments.iter().map(|(len, fin)| (Duration::ZERO, *len, *fin)).collect()
}

// ---- Writes ------------------------------------------------------------------------------------

#[test]
fn with_nodelay_each_write_is_a_segment() {
    let sent = sent_by(true, |mut stream| async move {
        for len in [38, 5, 1, 1, 700] {
            stream.write_all(&vec![7; len]).await?;
        }
        sleep(secs(1)).await;
        Ok(())
    });
    assert_eq!(sent[..5], at_once(&[38, 5, 1, 1, 700].map(|len| (len, false))));
}

#[test]
fn without_nodelay_the_second_write_waits_for_the_delayed_ack_of_the_first() {
    let sent = sent_by(false, |mut stream| async move {
        stream.write_all(&HEAD).await?;
        stream.write_all(&BODY).await?;
        sleep(secs(1)).await;
        Ok(())
    });
    assert_eq!(sent[..2], [(Duration::ZERO, 38, false), (first_ack(), 5, false)]);
}

#[test]
fn what_nagle_holds_back_leaves_together() {
    let sent = sent_by(false, |mut stream| async move {
        stream.write_all(&HEAD).await?;
        stream.write_all(&BODY).await?;
        stream.write_all(&BODY).await?;
        sleep(secs(1)).await;
        Ok(())
    });
    assert_eq!(sent[..2], [(Duration::ZERO, 38, false), (first_ack(), 10, false)]);
}

#[test]
fn a_full_segment_does_not_wait_for_an_ack() {
    let sent = sent_by(false, |mut stream| async move {
        stream.write_all(&HEAD).await?;
        stream.write_all(&vec![7; full() as usize - 1]).await?;
        sleep(ms(1)).await;
        stream.write_all(&[7; 1]).await?;
        sleep(secs(1)).await;
        Ok(())
    });
    assert_eq!(sent[..2], [(Duration::ZERO, 38, false), (ms(1), full(), false)]);
}

#[test]
fn switching_nagle_off_lets_go_what_it_held_back() {
    let sent = sent_by(false, |mut stream| async move {
        stream.write_all(&HEAD).await?;
        stream.write_all(&BODY).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&[7; 9]).await?;
        sleep(secs(1)).await;
        Ok(())
    });
    assert_eq!(sent[..3], at_once(&[(38, false), (5, false), (9, false)]));
}

#[test]
fn yielding_between_writes_changes_nothing() {
    for (nodelay, later) in [(true, Duration::ZERO), (false, first_ack())] {
        let sent = sent_by(nodelay, |mut stream| async move {
            stream.write_all(&HEAD).await?;
            glassnet::task::yield_now().await;
            stream.write_all(&BODY).await?;
            sleep(secs(1)).await;
            Ok(())
        });
        assert_eq!(sent[..2], [(Duration::ZERO, 38, false), (later, 5, false)]);
    }
}

#[test]
fn a_vectored_write_is_one_write() {
    for nodelay in [true, false] {
        let sent = sent_by(nodelay, |mut stream| async move {
            let buffers = [IoSlice::new(&HEAD), IoSlice::new(&[]), IoSlice::new(&BODY)];
            assert_eq!(stream.write_vectored(&buffers).await?, 43);
            sleep(secs(1)).await;
            assert_eq!(stream.try_write_vectored(&[IoSlice::new(&[1; 1_400]); 2])?, 2_800);
            Ok(())
        });
        assert_eq!((sent[0].1, sent[1].1, sent[2].1), (43, full(), 2_800 - full()));
    }
}

#[test]
fn a_long_write_is_full_segments_and_a_rest() {
    let sent = sent_by(true, |mut stream| async move {
        stream.write_all(&[7; 5_000]).await?;
        stream.write_all(&[7; 1]).await?;
        sleep(secs(1)).await;
        Ok(())
    });
    let lens: Vec<u32> = sent[..5].iter().map(|(_, len, _)| *len).collect();
    assert_eq!(lens, [full(), full(), full(), 5_000 - 3 * full(), 1]);
}

#[test]
fn try_write_and_both_kinds_of_halves_write_as_a_stream_does() {
    let sent = sent_by(true, |mut stream| async move {
        stream.try_write(&[1; 1])?;
        stream.try_write(&[1; 2])?;
        let (_, mut write) = stream.split();
        write.write_all(&[1; 3]).await?;
        write.try_write(&[1; 4])?;
        let (_read, mut write) = stream.into_split();
        write.write_all(&[1; 5]).await?;
        write.try_write(&[1; 6])?;
        drop(write);
        sleep(secs(1)).await;
        Ok(())
    });
    let lens: Vec<_> = (1..=6).map(|len| (len, false)).chain([(0, true)]).collect();
    assert_eq!(sent, at_once(&lens));
}

#[test]
fn a_bsd_socket_sends_each_of_its_messages_in_the_call() {
    for (nodelay, later) in [(true, Duration::ZERO), (false, first_ack())] {
        let mut sim = Sim::new(1);
        sim.client("server", async {
            let (mut stream, _) = TcpListener::bind("0.0.0.0:7").await?.accept().await?;
            assert_eq!(read_all(&mut stream).await?.len(), 43);
            Ok(())
        });
        sim.client("client", async move {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            let server: SocketAddr = "10.0.0.1:7".parse()?;
            socket.connect(&server.into()).await?;
            socket.set_tcp_nodelay(nodelay)?;
            assert_eq!(socket.send(&HEAD).await?, 38);
            assert_eq!(socket.send(&BODY).await?, 5);
            sleep(secs(1)).await;
            Ok(())
        });
        let delayed = HostOptions::default().ack_delay(ACK_DELAY);
        sim.host_options("server", delayed);
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        let sent = segments(&wire, "client");
        assert_eq!(sent[..2], [(Duration::ZERO, 38, false), (later, 5, false)]);
    }
}

#[test]
fn over_loopback_writes_are_segments_too() -> glassnet::Result {
    for (nodelay, second_after) in
        [(true, Duration::ZERO), (false, by_engine(ACK_DELAY, Duration::ZERO))]
    {
        let mut sim = Sim::new(1);
        let delayed = HostOptions::default().ack_delay(ACK_DELAY);
        sim.host_options("alone", delayed);
        sim.client("alone", async move {
            let listener = TcpListener::bind("127.0.0.1:7").await?;
            let mut stream = TcpStream::connect("127.0.0.1:7").await?;
            let (mut accepted, _) = listener.accept().await?;
            stream.set_nodelay(nodelay)?;
            let writes = glassnet::spawn(async move {
                stream.write_all(&HEAD).await?;
                stream.write_all(&BODY).await?;
                sleep(secs(1)).await;
                std::io::Result::Ok(())
            });
            let mut buffer = [0; 64];
            let mut received = 0;
            while received < 38 {
                received += accepted.read(&mut buffer).await?;
            }
            let began = Instant::now();
            while received < 43 {
                received += accepted.read(&mut buffer).await?;
            }
            assert_eq!(began.elapsed(), second_after);
            writes.await??;
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

#[test]
fn writes_of_two_connections_leave_in_the_order_of_the_calls() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let one = TcpStream::connect("server:7").await?;
        let two = TcpStream::connect("server:7").await?;
        for (at, stream) in [(1, &one), (2, &two), (3, &two), (4, &one), (5, &two)] {
            stream.set_nodelay(true)?;
            stream.try_write(&vec![7; at])?;
        }
        sleep(secs(1)).await;
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let lens: Vec<u32> = segments(&wire, "client").iter().map(|(_, len, _)| *len).collect();
    assert_eq!(lens[..5], [1, 2, 3, 4, 5]);
    Ok(())
}

// ---- Ends --------------------------------------------------------------------------------------

#[test]
fn a_fin_after_data_that_has_left_is_a_segment_of_its_own() {
    let expected = at_once(&[(38, false), (0, true)]);
    for nodelay in [true, false] {
        let dropped = sent_by(nodelay, |mut stream| async move {
            stream.write_all(&HEAD).await?;
            Ok(())
        });
        assert_eq!(dropped, expected);
        let shut_down = sent_by(nodelay, |mut stream| async move {
            stream.write_all(&HEAD).await?;
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"");
            Ok(())
        });
        assert_eq!(shut_down, expected);
    }
}

#[test]
fn a_fin_rides_on_what_nagle_held_back() {
    let sent = sent_by(false, |mut stream| async move {
        stream.write_all(&HEAD).await?;
        stream.write_all(&BODY).await?;
        Ok(())
    });
    assert_eq!(sent, at_once(&[(38, false), (5, true)]));
}

#[test]
fn a_fin_rides_on_the_last_of_what_a_window_held_back() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?.len(), 5_000);
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(&[7; 5_000]).await?;
            Ok(())
        },
    );
    sim.host_options("server", HostOptions::default().recv_buffer(2_000));
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let sent = segments(&wire, "client");
    assert!(matches!(sent[..], [.., (_, last, true)] if last > 0), "{sent:?}");
    assert_eq!(wire.fins("client"), 1);
    Ok(())
}

#[test]
fn a_close_with_unread_data_resets_after_what_was_written() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            stream.write_all(&BODY).await?;
            sleep(ms(500)).await;
            Ok(())
        },
        |mut stream| async move {
            sleep(ms(100)).await;
            stream.write_all(&HEAD).await?;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let sent = wire.segments("client");
    // Ours then answers the acknowledgment of what was written with another.
    let at = sent.iter().position(|(_, segment)| segment.len == 38).unwrap();
    let [(written, _), (reset, rst)] = sent[at..=at + 1] else { panic!("{sent:?}") };
    assert_eq!((written, rst.rst), (reset, true));
    Ok(())
}

#[test]
fn a_close_is_seen_when_it_is_called() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            read_all(&mut stream).await?;
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(&HEAD).await?;
            sleep(ms(100)).await;
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"");
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let left = wire.times("client", |segment| segment.fin);
    let change = wire.changes().into_iter().find(|it| it.to == TcpState::FinWait1).unwrap();
    assert_eq!((change.host.as_str(), &[change.time][..]), ("client", &left[..]));
    Ok(())
}

// ---- What can be seen now ----------------------------------------------------------------------

/// Head and body of an answer in two writes, as many servers have it.
fn answers(nodelay: bool) -> Vec<Duration> {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(Duration::from_micros(100));
    let delayed = HostOptions::default().ack_delay(ACK_DELAY);
    sim.host_options("client", delayed);
    sim.host("server", move || async move {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(nodelay)?;
            while stream.read(&mut [0; 64]).await? > 0 {
                stream.write_all(&HEAD).await?;
                stream.write_all(&BODY).await?;
            }
        }
    });
    let took = Log::new();
    let times = took.clone();
    sim.client("client", async move {
        let mut stream = TcpStream::connect("server:80").await?;
        for _ in 0..4 {
            let began = Instant::now();
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
            stream.read_exact(&mut [0; 43]).await?;
            times.note(began.elapsed());
        }
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let lens: Vec<u32> = segments(&wire, "server").iter().map(|(_, len, _)| *len).collect();
    assert_eq!(lens[..8], [38, 5, 38, 5, 38, 5, 38, 5]);
    took.all()
}

#[test]
fn nagle_against_delayed_acks_costs_40_ms_an_answer_and_nodelay_mends_it() {
    assert!(answers(false)[1..].iter().all(|took| (ms(40)..ms(44)).contains(took)));
    assert_eq!(answers(true), [Duration::from_micros(200); 4]);
}

#[test]
fn behind_a_black_hole_a_small_write_passes_and_a_large_one_does_not() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(ms(10)).mtu(1_480);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.read_exact(&mut [0; 8]).await?;
            stream.write_all(b"version!").await?;
            stream.write_all(&[1; 50_000]).await?;
        }
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:80").await?;
        stream.write_all(b"version?").await?;
        let mut version = [0; 8];
        timeout(secs(5), stream.read_exact(&mut version)).await??;
        assert_eq!(&version, b"version!");
        assert!(timeout(secs(60), stream.read(&mut [0; 9])).await.is_err());
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run_for(secs(100))?;
    assert!(wire.sent().iter().any(|sent| sent.is_dropped(DropReason::TooBig)));
    Ok(())
}

// ---- The send buffer ---------------------------------------------------------------------------

#[test]
fn with_the_default_options_a_flow_fills_the_window_in_each_round_trip() -> glassnet::Result {
    const LEN: usize = 20_000_000;
    let rate = Log::new();
    let result = rate.clone();
    let mut sim = pair(
        1,
        move |mut stream| async move {
            // Not slow start.
            stream.read_exact(&mut vec![0; 1_000_000]).await?;
            let began = Instant::now();
            stream.read_exact(&mut vec![0; LEN]).await?;
            result.note(LEN as f64 / began.elapsed().as_secs_f64());
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(&vec![7; 1_000_000 + LEN]).await?;
            Ok(())
        },
    );
    sim.link("client", "server").delay(ms(10)).rate(100_000_000);
    sim.run()?;
    // A window of 65,535 in each round trip of 20 ms.
    let share = rate.all()[0] / (65_535.0 / 0.020);
    assert!((0.94..=1.0).contains(&share), "{share}");
    Ok(())
}
