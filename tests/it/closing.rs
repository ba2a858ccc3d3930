//! How connections end: FIN and RST, half-close, TIME-WAIT, peers that fall silent.

use std::io::ErrorKind;
use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::{Instant, sleep, timeout};
use glassnet::{HostOptions, Sim, TcpEngine, TcpState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn a_drop_sends_a_fin_and_no_reset() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"");
            Ok(())
        },
        |stream| async move {
            drop(stream);
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert_eq!((wire.fins("client"), wire.fins("server")), (1, 1));
    assert_eq!((wire.resets("client"), wire.resets("server")), (0, 0));
    use TcpState::*;
    assert_eq!(wire.states("client"), [SynSent, Established, FinWait1, FinWait2, TimeWait]);
    assert_eq!(wire.states("server"), [SynReceived, Established, CloseWait, LastAck, Closed]);
    Ok(())
}

#[test]
fn shutdown_sends_a_fin_after_what_was_written_and_reading_goes_on() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"question");
            // Long after: FIN-WAIT-2 has no end while the application holds the socket.
            sleep(secs(300)).await;
            stream.write_all(b"answer").await?;
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(b"question").await?;
            stream.shutdown().await?;
            assert_eq!(errno(stream.write(b"more").await), Some(EPIPE));
            assert_eq!(errno(stream.try_write(b"more")), Some(EPIPE));
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"answer");
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert_eq!(wire.resets("client") + wire.resets("server"), 0);
    Ok(())
}

#[test]
fn the_side_that_accepted_may_close_first_just_as_well() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"still here");
            Ok(())
        },
        |mut stream| async move {
            assert_eq!(stream.read(&mut [0; 8]).await?, 0);
            assert_eq!(stream.read(&mut [0; 8]).await?, 0, "the end stays the end");
            stream.write_all(b"still here").await?;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    use TcpState::*;
    assert_eq!(wire.states("server"), [SynReceived, Established, FinWait1, FinWait2, TimeWait]);
    assert_eq!(wire.states("client"), [SynSent, Established, CloseWait, LastAck, Closed]);
    Ok(())
}

#[test]
fn a_shutdown_of_a_connection_that_both_sides_closed_is_no_error() -> glassnet::Result {
    // std says ENOTCONN; tokio's `shutdown` turns it into success (tokio issue 4665), and code
    // that ends with `stream.shutdown().await?` relies on it.
    pair(
        1,
        |mut stream| async move {
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"");
            sleep(secs(1)).await;
            stream.shutdown().await?;
            Ok(())
        },
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"");
            stream.shutdown().await?;
            sleep(secs(1)).await;
            stream.shutdown().await?;
            Ok(())
        },
    )
    .run()
}

#[test]
fn a_shutdown_after_a_reset_is_no_error() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            stream.read_exact(&mut [0; 1]).await?;
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(b"two").await?;
            sleep(secs(1)).await;
            assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ECONNRESET));
            stream.shutdown().await?;
            Ok(())
        },
    )
    .run()
}

#[test]
fn both_sides_may_close_at_the_same_instant() -> glassnet::Result {
    let end = |mut stream: TcpStream| async move {
        sleep(secs(1).saturating_sub(now())).await;
        stream.shutdown().await?;
        assert_eq!(read_all(&mut stream).await?, b"");
        Ok(())
    };
    let mut sim = pair(1, end, end);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    use TcpState::*;
    for host in ["server", "client"] {
        assert_eq!(wire.states(host)[2..], [FinWait1, Closing, TimeWait], "{host}");
        assert_eq!(wire.fins(host), 1, "{host}");
        assert_eq!(wire.resets(host), 0, "{host}");
    }
    Ok(())
}

#[test]
fn both_sides_may_drop_at_the_same_instant_with_data_on_the_way() -> glassnet::Result {
    // Each FIN comes with data that nobody is left to read: RFC 2525 2.17.
    let end = |mut stream: TcpStream| async move {
        sleep(secs(1).saturating_sub(now())).await;
        stream.write_all(b"last words").await?;
        Ok(())
    };
    let mut sim = pair(1, end, end);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert!(wire.resets("server") > 0 && wire.resets("client") > 0);
    assert!(sim.now().since_start() < secs(3));
    Ok(())
}

#[test]
fn a_drop_with_unread_data_sends_a_reset() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            stream.read_exact(&mut [0; 2]).await?;
            drop(stream);
            sleep(secs(1)).await;
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(b"three").await?;
            let error = stream.read(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert_eq!(error.raw_os_error(), Some(ECONNRESET));
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert_eq!((wire.resets("server"), wire.fins("server")), (1, 0));
    assert_eq!(wire.states("server").last(), Some(&TcpState::Closed));
    assert_eq!(wire.states("client").last(), Some(&TcpState::Closed));
    Ok(())
}

#[test]
fn data_that_comes_after_the_drop_is_answered_with_a_reset() -> glassnet::Result {
    let mut sim = pair(
        1,
        |stream| async move {
            drop(stream);
            sleep(secs(2)).await;
            Ok(())
        },
        |mut stream| async move {
            sleep(secs(1)).await;
            assert_eq!(stream.write(b"too late").await?, 8, "the first is taken");
            sleep(ms(100)).await;
            let error = stream.write(b"again").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            assert_eq!(error.raw_os_error(), Some(EPIPE));
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert_eq!(wire.resets("server"), 1);
    Ok(())
}

#[test]
fn the_end_of_the_stream_stays_the_end_when_a_write_was_answered_with_a_reset() -> glassnet::Result
{
    pair(
        1,
        |stream| async move {
            drop(stream);
            sleep(secs(2)).await;
            Ok(())
        },
        |mut stream| async move {
            let mut buffer = [0; 8];
            assert_eq!(stream.read(&mut buffer).await?, 0);
            stream.write_all(b"too late").await?;
            sleep(ms(100)).await;
            // Linux's SOCK_DONE: not EPIPE, which is for writing.
            assert_eq!(stream.read(&mut buffer).await?, 0);
            assert_eq!(errno(stream.write(b"again").await), Some(EPIPE));
            assert_eq!(stream.read(&mut buffer).await?, 0);
            Ok(())
        },
    )
    .run()
}

/// The server resets the connection at one second; `client` finds out.
fn after_a_reset<C, F>(client: C) -> Sim
where
    C: FnOnce(TcpStream) -> F + 'static,
    F: Future<Output = glassnet::Result> + 'static,
{
    pair(
        1,
        |mut stream| async move {
            stream.write_all(b"before").await?;
            sleep(secs(1)).await;
            drop(stream);
            sleep(secs(1)).await;
            Ok(())
        },
        move |mut stream: TcpStream| async move {
            stream.write_all(b"nobody reads this").await?;
            client(stream).await
        },
    )
}

#[test]
fn a_reset_fails_one_read_and_then_the_stream_is_at_its_end_and_broken() -> glassnet::Result {
    after_a_reset(|mut stream| async move {
        let mut buffer = [0; 64];
        assert_eq!(stream.read(&mut buffer).await?, 6);
        assert_eq!(errno(stream.read(&mut buffer).await), Some(ECONNRESET));
        assert_eq!(stream.read(&mut buffer).await?, 0);
        assert_eq!(stream.peek(&mut buffer).await?, 0);
        assert_eq!(errno(stream.write(b"more").await), Some(EPIPE));
        assert_eq!(errno(stream.write(b"more").await), Some(EPIPE));
        assert_eq!(stream.read(&mut buffer).await?, 0);
        Ok(())
    })
    .run()
}

#[test]
fn a_reset_fails_one_write_and_then_reads_give_the_end() -> glassnet::Result {
    after_a_reset(|mut stream| async move {
        let mut buffer = [0; 64];
        assert_eq!(stream.read(&mut buffer).await?, 6);
        sleep(secs(2)).await;
        assert_eq!(errno(stream.write(b"more").await), Some(ECONNRESET));
        assert_eq!(stream.read(&mut buffer).await?, 0);
        assert_eq!(errno(stream.write(b"more").await), Some(EPIPE));
        Ok(())
    })
    .run()
}

#[test]
fn what_came_before_a_reset_can_still_be_read_after_it() -> glassnet::Result {
    after_a_reset(|mut stream| async move {
        sleep(secs(2)).await;
        let mut buffer = [0; 4];
        assert_eq!(stream.read(&mut buffer).await?, 4);
        assert_eq!(stream.read(&mut buffer).await?, 2);
        assert_eq!(errno(stream.read(&mut buffer).await), Some(ECONNRESET));
        assert_eq!(stream.read(&mut buffer).await?, 0);
        Ok(())
    })
    .run()
}

#[test]
fn take_error_gives_the_reset_once() -> glassnet::Result {
    after_a_reset(|mut stream| async move {
        stream.read_exact(&mut [0; 6]).await?;
        assert!(stream.take_error()?.is_none());
        sleep(secs(2)).await;
        assert_eq!(stream.take_error()?.and_then(|error| error.raw_os_error()), Some(ECONNRESET));
        assert!(stream.take_error()?.is_none());
        assert_eq!(stream.read(&mut [0; 8]).await?, 0);
        Ok(())
    })
    .run()
}

#[test]
fn a_reset_wakes_a_reader_and_a_writer_that_wait() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            stream.read_exact(&mut [0; 1]).await?;
            sleep(secs(5)).await;
            drop(stream);
            sleep(secs(1)).await;
            Ok(())
        },
        |stream| async move {
            let (mut read, mut write) = stream.into_split();
            let writing = glassnet::spawn(async move { write.write_all(&pattern(1 << 20)).await });
            let read = read.read(&mut [0; 8]).await;
            let written = writing.await?;
            let errors = [errno(read.map(drop)), errno(written)];
            assert!(errors.contains(&Some(ECONNRESET)), "{errors:?}");
            assert!(now() > secs(5) && now() < secs(6), "{:?}", now());
            Ok(())
        },
    )
    .run()
}

#[test]
fn what_was_written_is_delivered_after_the_drop_to_a_slow_reader() -> glassnet::Result {
    for len in [1, 1_460, 50_000, 120_000] {
        let mut sim = pair(
            len as u64,
            move |mut stream| async move {
                let mut received = Vec::new();
                let mut buffer = [0; 4_000];
                loop {
                    sleep(ms(100)).await;
                    let len = stream.read(&mut buffer).await?;
                    if len == 0 {
                        break;
                    }
                    received.extend_from_slice(&buffer[..len]);
                }
                assert!(received == pattern(len), "{} of {len}", received.len());
                Ok(())
            },
            move |mut stream| async move {
                stream.write_all(&pattern(len)).await?;
                drop(stream);
                Ok(())
            },
        );
        let wire = Wire::watch(&mut sim);
        sim.run()?;
        assert_eq!(wire.resets("client") + wire.resets("server"), 0);
    }
    Ok(())
}

#[test]
fn a_run_goes_on_until_what_its_clients_wrote_is_delivered() -> glassnet::Result {
    let received = Log::new();
    let note = received.clone();
    let mut sim = Sim::new(1);
    // A host, not a client: nobody waits for it.
    sim.host("server", move || {
        let note = note.clone();
        async move {
            let listener = TcpListener::bind("0.0.0.0:7").await?;
            let (mut stream, _) = listener.accept().await?;
            let mut buffer = [0; 1_000];
            loop {
                sleep(ms(50)).await;
                let len = stream.read(&mut buffer).await?;
                note.note(len);
                if len == 0 {
                    return Ok(());
                }
            }
        }
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_all(&pattern(100_000)).await?;
        Ok(())
    });
    sim.run()?;
    // The receive buffer takes what the application has not read; no more than that may be out.
    assert!(received.all().iter().sum::<usize>() >= 100_000 - 65_535, "{:?}", received.all().len());
    let mut sim_after = sim;
    sim_after.run_for(secs(60))?;
    assert_eq!(received.all().iter().sum::<usize>(), 100_000);
    assert_eq!(received.all().last(), Some(&0));
    Ok(())
}

#[test]
fn a_server_that_never_reads_does_not_keep_the_run_from_ending() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let _stream = listener.accept().await?;
        for_ever().await
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        // More than the server's buffer takes: the rest stays here.
        stream.write_all(&pattern(100_000)).await?;
        Ok(())
    });
    // Linux gives an orphan up when its peer has shown no room for `tcp_orphan_retries`.
    sim.event_limit(100_000).run()?;
    assert!(sim.now().since_start() < secs(3_600), "{}", sim.now());
    Ok(())
}

#[test]
fn what_was_written_is_delivered_after_the_drop_over_a_lossy_link() -> glassnet::Result {
    for seed in 0..30 {
        let mut sim = pair(
            seed,
            |mut stream| async move {
                assert!(read_all(&mut stream).await? == pattern(40_000));
                Ok(())
            },
            |mut stream| async move {
                stream.write_all(&pattern(40_000)).await?;
                Ok(())
            },
        );
        sim.link("client", "server").delay(ms(10)).loss(0.15);
        sim.run().map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(())
}

#[test]
fn a_lost_fin_is_sent_again() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"");
            assert!(now() > secs(2) && now() < secs(10), "{:?}", now());
            Ok(())
        },
        |mut stream| async move {
            sleep(secs(1)).await;
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"");
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    run_with_outage(&mut sim, ms(500), ms(1_500))?;
    assert!(wire.fins("client") >= 2);
    Ok(())
}

/// The server closes a connection from the client's port 40000 first, and stays in TIME-WAIT;
/// then the client does `then`.
fn server_in_time_wait<C, F>(seed: u64, time_wait: Duration, then: C) -> Sim
where
    C: FnOnce() -> F + 'static,
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(seed);
    let options = HostOptions::default().time_wait(time_wait);
    sim.host_options("server", options);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(b"welcome").await?;
        }
    });
    sim.client("client", async move {
        let mut stream = connect_from(40_000, [10, 0, 0, 1]).await?;
        assert_eq!(read_all(&mut stream).await?, b"welcome");
        drop(stream);
        sleep(secs(1)).await;
        then().await
    });
    sim
}

#[test]
fn a_new_syn_with_a_higher_number_or_timestamp_reopens_a_connection_in_time_wait_and_a_lower_one_does_not()
-> glassnet::Result {
    let (mut reopened, mut acknowledged) = (0, 0);
    for seed in 0..12 {
        let mut sim = server_in_time_wait(seed, secs(60), || async { Ok(()) });
        // Restarted, it comes from the same port with numbers that have nothing to do with the old.
        let connected = Log::new();
        let note = connected.clone();
        sim.host("restarted", move || {
            let note = note.clone();
            async move {
                let mut stream = connect_from(40_000, [10, 0, 0, 1]).await?;
                assert_eq!(read_all(&mut stream).await?, b"welcome");
                note.note(now());
                Ok(())
            }
        });
        let wire = Wire::watch(&mut sim);
        sim.run_for(secs(2))?;
        sim.bounce("restarted");
        sim.run_for(secs(100))?;
        let syns = wire.segments("restarted").into_iter().filter(|(_, segment)| segment.syn);
        let syns: Vec<_> = syns.collect();
        let frames: Vec<Vec<u8>> = wire
            .sent()
            .into_iter()
            .filter(|sent| sent.from == "restarted" && sent.segment().is_some_and(|it| it.syn))
            .map(|sent| sent.frame)
            .collect();
        let (old, new) = (syns[0].1.seq, syns[1].1.seq);
        let rcv_nxt = old.wrapping_add(2); // the SYN and the FIN
        let answers = wire.segments("server");
        let (at, answer) = answers.iter().find(|(time, _)| *time > syns[1].0).unwrap();
        assert_eq!(*at, syns[1].0 + ms(1));
        let connected = connected.all();
        assert_eq!(connected.len(), 2, "seed {seed}: {connected:?}");
        let number_of = |frame: &[u8]| match TcpEngine::default() {
            TcpEngine::Smoltcp => u32::from_be_bytes(*frame[38..].first_chunk().unwrap()),
            // The timestamp, behind the MSS and SACK permitted.
            TcpEngine::Glassnet => u32::from_be_bytes(*frame[62..].first_chunk().unwrap()),
        };
        if number_of(&frames[1]).wrapping_sub(number_of(&frames[0]) + 2).cast_signed() > 0 {
            reopened += 1;
            assert!(answer.syn && answer.ack == Some(new.wrapping_add(1)), "seed {seed}: {answer}");
            assert!(connected[1] < secs(3), "seed {seed}: {connected:?}");
        } else {
            acknowledged += 1;
            assert_eq!((answer.syn, answer.rst), (false, false), "seed {seed}: {answer}");
            assert_eq!(answer.ack, Some(rcv_nxt), "seed {seed}");
            // Its SYNs, at 0, 1, 3, 7, 15, 31 and 63 seconds, get in when TIME-WAIT is over.
            assert!(connected[1] > secs(60), "seed {seed}: {connected:?}");
        }
    }
    assert!(reopened > 0 && acknowledged > 0, "{reopened} and {acknowledged}");
    Ok(())
}

#[test]
fn a_client_that_comes_back_from_the_same_port_need_not_wait_for_the_end_of_time_wait()
-> glassnet::Result {
    // RFC 6528: initial sequence numbers of one pair of sockets grow with time, so that a new
    // connection's are higher than the old one's. That is what makes the reopening of use.
    let mut slow = Vec::new();
    for seed in 0..20 {
        let mut sim = server_in_time_wait(seed, secs(60), || async {
            connect_from(40_000, [10, 0, 0, 1]).await?;
            Ok(())
        });
        sim.run()?;
        if sim.now().since_start() > secs(10) {
            slow.push(seed);
        }
    }
    assert!(slow.is_empty(), "seeds {slow:?} of 20 had to wait a minute");
    Ok(())
}

/// When a socket without SO_REUSEADDR can be bound to the port again.
async fn port_is_free_after(port: u16, began: Instant) -> std::io::Result<Duration> {
    loop {
        let socket = TcpSocket::new_v4()?;
        match socket.bind(([0, 0, 0, 0], port).into()) {
            Ok(()) => return Ok(began.elapsed()),
            Err(error) => assert_eq!(error.raw_os_error(), Some(EADDRINUSE)),
        }
        assert!(began.elapsed() < secs(1_000), "the port is never free again");
        sleep(ms(10)).await;
    }
}

#[test]
fn time_wait_lasts_as_long_as_the_options_say() -> glassnet::Result {
    for seconds in [0, 1, 60, 240] {
        let options = HostOptions::default().time_wait(secs(seconds));
        let mut sim = Sim::new(1);
        sim.host_options("client", options);
        echo_host(&mut sim, "server");
        sim.client("client", async move {
            let mut stream = connect_from(40_000, [10, 0, 0, 1]).await?;
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"");
            // A socket that was bound keeps its port as long as it is open.
            drop(stream);
            let free = port_is_free_after(40_000, Instant::now()).await?;
            assert!(free >= secs(seconds) && free <= secs(seconds) + ms(20), "{free:?}");
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

#[test]
fn the_side_that_closes_last_is_free_at_once() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            drop(listener.accept().await?);
        }
    });
    sim.client("client", async {
        let mut stream = connect_from(40_000, [10, 0, 0, 1]).await?;
        assert_eq!(read_all(&mut stream).await?, b"");
        drop(stream);
        let free = port_is_free_after(40_000, Instant::now()).await?;
        assert!(free < ms(30), "{free:?}");
        Ok(())
    });
    sim.run()
}

#[test]
fn a_port_in_time_wait_is_bound_again_only_if_both_sockets_reuse_addresses() -> glassnet::Result {
    for (old, new) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut sim = Sim::new(1);
        echo_host(&mut sim, "server");
        sim.client("client", async move {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(old)?;
            socket.bind("0.0.0.0:40000".parse()?)?;
            let mut stream = socket.connect("10.0.0.1:7".parse()?).await?;
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"");
            drop(stream);
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(new)?;
            let again = errno(socket.bind("0.0.0.0:40000".parse()?));
            let expected = if old && new { None } else { Some(EADDRINUSE) };
            assert_eq!(again, expected, "old socket {old}, new socket {new}");
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

#[test]
fn a_server_can_listen_again_while_its_connections_are_in_time_wait() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("server", async {
        for _ in 0..3 {
            let listener = TcpListener::bind("0.0.0.0:7").await?;
            drop(listener.accept().await?);
        }
        Ok(())
    });
    sim.client("client", async {
        for _ in 0..3 {
            sleep(ms(100)).await;
            let mut stream = TcpStream::connect("server:7").await?;
            assert_eq!(read_all(&mut stream).await?, b"");
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn data_unread_when_time_wait_ends_can_still_be_read() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"");
            stream.write_all(&pattern(30_000)).await?;
            Ok(())
        },
        |mut stream| async move {
            stream.shutdown().await?;
            sleep(secs(500)).await;
            assert!(read_all(&mut stream).await? == pattern(30_000));
            assert_eq!(stream.read(&mut [0; 8]).await?, 0);
            assert_eq!(errno(stream.write(b"more").await), Some(EPIPE));
            Ok(())
        },
    )
    .run()
}

#[test]
fn time_wait_answers_a_repeated_fin() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"");
            sleep(secs(1)).await;
            Ok(())
        },
        |mut stream| async move {
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"");
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run_for(ms(500))?;
    // The client's ACK of the server's FIN is lost; the FIN comes again.
    sim.one_way("client", "server").loss(1.0);
    sim.run_for(ms(1_000))?;
    assert_eq!(wire.states("client").last(), Some(&TcpState::TimeWait));
    assert_eq!(wire.states("server").last(), Some(&TcpState::LastAck));
    sim.one_way("client", "server").loss(0.0);
    sim.run_for(secs(5))?;
    assert_eq!(wire.states("server").last(), Some(&TcpState::Closed));
    assert_eq!(wire.resets("client"), 0);
    assert!(wire.fins("server") >= 2);
    Ok(())
}

#[test]
fn an_orphan_waits_in_fin_wait_2_for_as_long_as_fin_timeout_says() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host_options("client", HostOptions::default().fin_timeout(secs(20)));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let _never_closed = listener.accept().await?;
        for_ever().await
    });
    sim.client("client", async {
        TcpStream::connect("server:7").await?;
        sleep(secs(100)).await;
        Ok(())
    });
    sim.run()?;
    let changes: Vec<_> = wire.changes().into_iter().filter(|it| it.host == "client").collect();
    let [.., waits, closed] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((waits.to, closed.to), (TcpState::FinWait2, TcpState::Closed));
    assert_eq!(closed.time - waits.time, secs(20));
    Ok(())
}

#[test]
fn a_writer_whose_peer_is_silent_times_out_and_then_the_stream_is_broken() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.host_options("client", HostOptions::default().retries(4));
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        sleep(secs(1)).await;
        stream.write_all(b"anybody there?").await?;
        let mut buffer = [0; 8];
        let error = stream.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.raw_os_error(), Some(ETIMEDOUT));
        assert_eq!(stream.read(&mut buffer).await?, 0);
        assert_eq!(errno(stream.write(b"again").await), Some(EPIPE));
        Ok(())
    });
    run_cut_off_after(&mut sim, ms(500))?;
    let data = wire.times("client", |segment| segment.len > 0);
    // Ours probes for the loss of a tail before the first timeout (RFC 8985 section 7).
    let probes = by_engine(0, 1);
    assert_eq!(data.len(), 5 + probes, "once, and four times again: {data:?}");
    let gaps: Vec<Duration> = data[probes..].windows(2).map(|two| two[1] - two[0]).collect();
    for two in gaps.windows(2) {
        let ratio = two[1].as_secs_f64() / two[0].as_secs_f64();
        assert!((1.9..2.1).contains(&ratio), "the timeout doubles: {gaps:?}");
    }
    assert!(wire.fins("client") == 0 && wire.resets("client") == 0);
    Ok(())
}

#[test]
fn a_reader_waits_for_a_silent_peer_for_ever() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.time_limit(secs(100_000));
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        let day = secs(86_400);
        assert!(timeout(day, stream.read(&mut [0; 8])).await.is_err(), "no EOF, no error");
        Ok(())
    });
    sim.run_for(secs(1))?;
    sim.crash("server");
    sim.run()
}

#[test]
fn a_restarted_peer_resets_the_connections_it_has_forgotten() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        sleep(secs(10)).await;
        stream.write_all(b"still there?").await?;
        assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ECONNRESET));
        // And it serves anew.
        let stream = TcpStream::connect("server:7").await?;
        assert_eq!(exchange(stream, b"new".to_vec()).await?, b"new");
        Ok(())
    });
    sim.run_for(secs(1))?;
    sim.bounce("server");
    sim.run_for(secs(1))?;
    assert_eq!(wire.segments("server").iter().filter(|(time, _)| *time >= secs(1)).count(), 0);
    sim.run()?;
    assert_eq!(wire.resets("server"), 1);
    Ok(())
}

#[test]
fn a_dropped_write_half_sends_a_fin_while_the_read_half_reads_on() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"question");
            stream.write_all(b"answer").await?;
            Ok(())
        },
        |stream| async move {
            let (mut read, mut write) = stream.into_split();
            write.write_all(b"question").await?;
            drop(write);
            let mut answer = String::new();
            read.read_to_string(&mut answer).await?;
            assert_eq!(answer, "answer");
            Ok(())
        },
    )
    .run()
}

#[test]
fn a_forgotten_write_half_sends_no_fin() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert!(timeout(secs(5), stream.read(&mut [0; 8])).await.is_err());
            stream.write_all(b"x").await?;
            Ok(())
        },
        |stream| async move {
            let (mut read, write) = stream.into_split();
            write.forget();
            read.read_exact(&mut [0; 1]).await?;
            Ok(())
        },
    );
    let wire = Wire::watch(&mut sim);
    sim.run_for(secs(5))?;
    assert_eq!(wire.fins("client"), 0);
    sim.run()
}

#[test]
fn a_dropped_read_half_closes_nothing() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"one way");
            Ok(())
        },
        |stream| async move {
            let (read, mut write) = stream.into_split();
            drop(read);
            sleep(secs(1)).await;
            write.write_all(b"one way").await?;
            Ok(())
        },
    )
    .run()
}

#[test]
fn halves_of_different_streams_cannot_be_reunited_and_those_of_one_can() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let (read, write) = TcpStream::connect("server:7").await?.into_split();
        let (other_read, other_write) = TcpStream::connect("server:7").await?.into_split();
        let glassnet::net::tcp::ReuniteError(read, other_write) =
            read.reunite(other_write).unwrap_err();
        let stream = read.reunite(write)?;
        assert_eq!(exchange(stream, b"one".to_vec()).await?, b"one");
        let stream = other_write.reunite(other_read)?;
        assert_eq!(exchange(stream, b"two".to_vec()).await?, b"two");
        Ok(())
    });
    sim.run()
}

#[test]
fn everything_is_over_some_time_after_the_last_close() -> glassnet::Result {
    // No connection lingers, no timer runs: a quiet world stays quiet.
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.link("client", "server").delay(ms(30)).loss(0.05).duplicate(0.05).reorder(0.1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        for _ in 0..10 {
            let stream = TcpStream::connect("server:7").await?;
            assert!(exchange(stream, pattern(10_000)).await? == pattern(10_000));
        }
        Ok(())
    });
    sim.run()?;
    sim.run_for(secs(600))?;
    let (frames, events) = (wire.sent().len(), sim.events());
    sim.run_for(secs(86_400))?;
    assert_eq!(wire.sent().len(), frames);
    assert!(sim.events() - events <= 2, "{} events of a quiet world", sim.events() - events);
    Ok(())
}
