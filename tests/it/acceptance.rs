//! What a user must never meet: DESIGN section 8, item by item. All were seen in peers.

use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::{Instant, interval, sleep, timeout};
use glassnet::{CongestionControl, DropReason, HostOptions, Sim, TcpState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

// ---- 1. A close while a queue is full loses EOF for ever ---------------------------------------

#[test]
fn item_01_a_close_while_the_send_queue_is_full_does_not_lose_the_end() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            sleep(secs(20)).await;
            let mut received = 0;
            let mut buffer = [0; 100];
            loop {
                match stream.read(&mut buffer).await? {
                    0 => break,
                    len => received += len,
                }
                sleep(ms(3)).await;
            }
            assert!(received > 3_000, "{received}");
            stream.write_u32(received as u32).await?;
            Ok(())
        },
        |stream| async move {
            let (mut read, write) = stream.into_split();
            let mut written = 0;
            loop {
                match write.try_write(&[7; 1_000]) {
                    Ok(len) => written += len,
                    Err(_) if timeout(secs(5), write.writable()).await.is_err() => break,
                    Err(_) => {}
                }
            }
            // Not one byte more fits anywhere.
            drop(write);
            assert_eq!(read.read_u32().await?, written as u32);
            Ok(())
        },
    );
    let small = HostOptions::default().recv_buffer(2_000).send_buffer(2_000);
    sim.host_options("server", small.clone()).host_options("client", small);
    sim.run()
}

#[test]
fn item_01_a_close_while_the_links_queue_is_full_does_not_lose_the_end() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?.len(), 60_000);
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(&pattern(60_000)).await?;
            Ok(())
        },
    );
    sim.link("client", "server").rate(1_000_000).queue(2);
    let all = HostOptions::default().congestion_control(CongestionControl::None);
    sim.host_options("client", all);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert!(wire.sent().iter().any(|sent| sent.is_dropped(DropReason::QueueFull)));
    Ok(())
}

// ---- 2. connect times out because one-way latency is 9 ms or more ------------------------------

fn connect_at(latency: u64) -> glassnet::Result {
    let mut sim = Sim::new(latency);
    sim.link("client", "server").delay(ms(latency));
    echo_host(&mut sim, "server");
    sim.client("client", async move {
        let stream = TcpStream::connect("server:7").await?;
        // ARP takes a round trip at most, then come SYN and SYN-ACK.
        assert!(now() >= ms(2 * latency) && now() <= ms(4 * latency), "{:?}", now());
        assert_eq!(exchange(stream, b"far away".to_vec()).await?, b"far away");
        Ok(())
    });
    sim.run().map_err(|error| format!("at {latency} ms: {error}").into())
}

#[test]
fn item_02_connect_works_whatever_the_latency() -> glassnet::Result {
    [0, 1, 8, 9, 10, 50, 300, 499, 501, 1_000, 1_499].into_iter().try_for_each(connect_at)
}

#[test]
fn item_02_connect_works_when_a_round_trip_takes_longer_than_arp_waits() -> glassnet::Result {
    [1_500, 2_000, 10_000, 28_000].into_iter().try_for_each(connect_at)
}

// ---- 3. A slow reader that drains in small pieces deadlocks the window -------------------------

#[test]
fn item_03_a_reader_that_drains_octet_by_octet_does_not_deadlock_the_window() -> glassnet::Result {
    for (recv_buffer, len) in [(1, 50), (2, 100), (100, 3_000), (1_460, 8_000), (5_000, 20_000)] {
        let mut sim = pair(
            len as u64,
            move |mut stream| async move {
                let mut received = Vec::new();
                while let Ok(octet) = stream.read_u8().await {
                    received.push(octet);
                    if received.len().is_multiple_of(64) {
                        sleep(ms(1)).await;
                    }
                }
                assert!(received == pattern(len), "{} of {len}", received.len());
                Ok(())
            },
            move |mut stream| async move {
                stream.write_all(&pattern(len)).await?;
                Ok(())
            },
        );
        sim.host_options("server", HostOptions::default().recv_buffer(recv_buffer));
        sim.run().map_err(|error| format!("buffer of {recv_buffer}: {error}"))?;
    }
    Ok(())
}

#[test]
fn item_03_nor_does_it_over_a_link_that_loses_window_updates() -> glassnet::Result {
    for seed in 0..20 {
        let mut sim = pair(
            seed,
            |mut stream| async move {
                let mut received = Vec::new();
                let mut buffer = [0; 50];
                loop {
                    sleep(ms(5)).await;
                    match stream.read(&mut buffer).await? {
                        0 => break,
                        len => received.extend_from_slice(&buffer[..len]),
                    }
                }
                assert!(received == pattern(6_000));
                Ok(())
            },
            |mut stream| async move {
                stream.write_all(&pattern(6_000)).await?;
                Ok(())
            },
        );
        sim.host_options("server", HostOptions::default().recv_buffer(500));
        sim.link("client", "server").loss(0.1);
        sim.run().map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(())
}

// ---- 4. A task spawned inside a host ends up on another host -----------------------------------

#[test]
fn item_04_a_spawned_task_stays_on_its_host() -> glassnet::Result {
    let mut sim = Sim::new(1);
    for number in 1..=5u8 {
        sim.client(&format!("host{number}"), async move {
            let own = std::net::IpAddr::from([10, 0, 0, number]);
            glassnet::spawn(async move {
                for _ in 0..10 {
                    sleep(ms(1)).await;
                    let listener = TcpListener::bind((own, 0)).await?;
                    let address = listener.local_addr()?;
                    let inner = glassnet::spawn(async move { TcpStream::connect(address).await });
                    let (_, peer) = listener.accept().await?;
                    assert_eq!(peer.ip(), own);
                    assert_eq!(inner.await??.local_addr()?.ip(), own);
                }
                std::io::Result::Ok(())
            })
            .await??;
            Ok(())
        });
    }
    sim.run()
}

// ---- 5. `write_all` then close delivers nothing ------------------------------------------------

#[test]
fn item_05_write_all_and_then_close_delivers_everything() -> glassnet::Result {
    for len in [0, 1, 24, 536, 1_460, 1_461, 65_535, 65_536, 200_000] {
        let mut sim = pair(
            len as u64,
            move |mut stream| async move {
                assert!(read_all(&mut stream).await? == pattern(len));
                Ok(())
            },
            move |mut stream| async move {
                stream.write_all(&pattern(len)).await?;
                drop(stream);
                Ok(())
            },
        );
        sim.run().map_err(|error| format!("{len} octets: {error}"))?;
    }
    Ok(())
}

// ---- 6. `shutdown` does nothing ----------------------------------------------------------------

#[test]
fn item_06_shutdown_ends_the_stream_for_the_peer_and_for_nobody_else() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"all I have");
            assert!(now() < ms(100), "at once, not when the connection ends");
            sleep(secs(1)).await;
            stream.write_all(b"but I have more").await?;
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(b"all I have").await?;
            stream.shutdown().await?;
            assert_eq!(read_all(&mut stream).await?, b"but I have more");
            Ok(())
        },
    );
    sim.run()
}

// ---- 7. A crashed peer looks like a clean EOF --------------------------------------------------

#[test]
fn item_07_a_crashed_peer_is_silence_and_then_a_timeout() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        assert!(timeout(secs(600), stream.read(&mut [0; 8])).await.is_err(), "silence");
        stream.write_all(b"hello?").await?;
        assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ETIMEDOUT));
        Ok(())
    });
    sim.run_for(secs(1))?;
    let before = wire.sent().len();
    sim.crash("server");
    sim.run()?;
    assert!(wire.sent()[before..].iter().all(|sent| sent.from == "client"));
    Ok(())
}

#[test]
fn item_07_a_peer_that_restarted_answers_with_a_reset() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        sleep(secs(10)).await;
        stream.write_all(b"hello?").await?;
        assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ECONNRESET));
        Ok(())
    });
    sim.run_for(secs(1))?;
    sim.crash("server");
    sim.run_for(secs(1))?;
    sim.bounce("server");
    sim.run()
}

// ---- 8. connect across a partition is refused at once ------------------------------------------

#[test]
fn item_08_connect_across_a_partition_tries_again_and_then_times_out() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(ETIMEDOUT));
        assert_eq!(now(), secs(127));
        Ok(())
    });
    sim.partition("client", "server");
    sim.run()?;
    assert_eq!(wire.times("client", |segment| segment.syn).len(), 7);
    Ok(())
}

#[test]
fn item_08_connect_across_a_partition_succeeds_when_it_heals_in_time() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        assert_eq!(exchange(stream, b"at last".to_vec()).await?, b"at last");
        assert!(now() > secs(31) && now() < secs(64), "{:?}", now());
        Ok(())
    });
    sim.partition("client", "server");
    sim.run_for(secs(30))?;
    sim.heal("client", "server");
    sim.run()
}

// ---- 9. Bytes written during a partition vanish after it heals ---------------------------------

#[test]
fn item_09_what_is_written_during_a_partition_arrives_after_it() -> glassnet::Result {
    for minutes in [0, 1, 5] {
        let mut sim = Sim::new(minutes);
        echo_host(&mut sim, "server");
        sim.client("client", async {
            let mut stream = TcpStream::connect("server:7").await?;
            sleep(secs(2)).await;
            stream.write_all(&pattern(30_000)).await?;
            stream.shutdown().await?;
            assert!(read_all(&mut stream).await? == pattern(30_000));
            Ok(())
        });
        run_with_outage(&mut sim, secs(1), secs(60 * minutes + 10))?;
    }
    Ok(())
}

#[test]
fn item_09_a_partition_in_the_middle_of_a_transfer_loses_nothing() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert!(read_all(&mut stream).await? == pattern(300_000));
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(&pattern(300_000)).await?;
            Ok(())
        },
    );
    sim.link("client", "server").rate(1_000_000);
    for _ in 0..4 {
        sim.run_for(ms(300))?;
        sim.partition("client", "server");
        sim.run_for(ms(700))?;
        sim.heal("client", "server");
    }
    sim.run()
}

// ---- 10. Two clocks that drift -----------------------------------------------------------------

#[test]
fn item_10_every_host_reads_the_same_clock() -> glassnet::Result {
    let ticks = [Log::new(), Log::new()];
    let mut sim = Sim::new(1);
    sim.time_limit(secs(20_000));
    for (name, log) in ["one", "two"].into_iter().zip(&ticks) {
        let log = log.clone();
        sim.client(name, async move {
            let mut every = interval(Duration::from_nanos(333_333_333));
            for _ in 0..30_000 {
                every.tick().await;
                log.note(Instant::now());
            }
            Ok(())
        });
    }
    sim.run()?;
    let [one, two] = ticks.map(|log| log.all());
    assert!(one == two);
    let end = Duration::from_nanos(333_333_333 * 29_999);
    assert_eq!((one[29_999].since_start(), sim.now().since_start()), (end, end));
    Ok(())
}

#[test]
fn item_10_the_stacks_timers_and_the_tasks_timers_are_of_one_clock() -> glassnet::Result {
    // After ten days, a connection attempt still lasts 127 seconds, and a message one millisecond.
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        sleep(secs(864_000)).await;
        let mut stream = TcpStream::connect("server:7").await?;
        let sent = Instant::now();
        stream.write_u8(1).await?;
        stream.read_u8().await?;
        assert_eq!(sent.elapsed(), ms(2));
        sleep(secs(10)).await;
        let tried = Instant::now();
        let gone = TcpStream::connect("server:7").await;
        assert_eq!((errno(gone), tried.elapsed()), (Some(ETIMEDOUT), secs(127)));
        Ok(())
    });
    run_cut_off_after(&mut sim, secs(864_005))
}

// ---- 11. A backlog overflow that panics --------------------------------------------------------

#[test]
fn item_11_a_backlog_overflow_neither_panics_nor_refuses() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("server", async {
        let socket = TcpSocket::new_v4()?;
        socket.bind("0.0.0.0:7".parse()?)?;
        let listener = socket.listen(3)?;
        sleep(ms(1_500)).await;
        for _ in 0..60 {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(b"welcome").await?;
        }
        Ok(())
    });
    for number in 0..60 {
        sim.client(&format!("client{number}"), async move {
            sleep(ms(2) * number).await;
            let mut stream = TcpStream::connect("server:7").await?;
            assert_eq!(read_all(&mut stream).await?, b"welcome");
            Ok(())
        });
    }
    sim.run()?;
    assert_eq!(wire.resets("server"), 0);
    Ok(())
}

#[test]
fn item_11_nor_does_a_backlog_that_nobody_ever_empties() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let _listener = listen(7, 2)?;
        for_ever().await
    });
    for number in 0..10 {
        sim.client(&format!("client{number}"), async move {
            sleep(ms(10) * number).await;
            let connected = TcpStream::connect("server:7").await;
            assert_eq!(errno(connected), (number > 2).then_some(ETIMEDOUT), "client {number}");
            Ok(())
        });
    }
    sim.run()
}

// ---- 12. An option accepted and ignored --------------------------------------------------------

/// One transfer of `len` bytes from the client to the server, both with `options`.
fn transfer(len: usize, options: &HostOptions) -> Wire {
    let mut sim = pair(
        1,
        move |mut stream| async move {
            assert!(read_all(&mut stream).await? == pattern(len));
            Ok(())
        },
        move |mut stream| async move {
            stream.write_all(&pattern(len)).await?;
            sleep(secs(1)).await;
            Ok(())
        },
    );
    sim.host_options("server", options.clone()).host_options("client", options.clone());
    let wire = Wire::watch(&mut sim);
    sim.run().expect("a transfer over a clean link");
    wire
}

#[test]
fn item_12_mtu_limits_every_packet() {
    for mtu in [68, 576, 1_500, 9_000, 65_535] {
        let wire = transfer(150_000.min(mtu * 40), &HostOptions::default().mtu(mtu));
        let largest = wire.sent().iter().map(|sent| sent.frame.len() - 14).max();
        assert!(largest <= Some(mtu), "{largest:?} with an MTU of {mtu}");
        assert!(largest.unwrap() * 10 >= mtu * 9 || mtu == 65_535, "{largest:?} of {mtu}");
    }
}

#[test]
fn item_12_recv_buffer_is_the_window_that_is_advertised() {
    for recv_buffer in [1, 1_000, 40_000, 65_535] {
        let wire = transfer(3_000, &HostOptions::default().recv_buffer(recv_buffer));
        let largest = wire.segments("server").iter().map(|(_, segment)| segment.window).max();
        assert_eq!(largest.map(usize::from), Some(recv_buffer));
    }
}

#[test]
fn item_12_a_recv_buffer_beyond_64_kib_is_used_by_window_scaling() {
    // Over a long fat link what is in flight shows the window.
    let in_flight = |recv_buffer| {
        let mut sim = pair(
            1,
            |mut stream| async move {
                assert_eq!(read_all(&mut stream).await?.len(), 2_000_000);
                Ok(())
            },
            |mut stream| async move {
                stream.write_all(&pattern(2_000_000)).await?;
                Ok(())
            },
        );
        let options = HostOptions::default().recv_buffer(recv_buffer).send_buffer(1 << 20);
        sim.host_options("server", options.clone()).host_options("client", options);
        sim.link("client", "server").delay(ms(100));
        sim.run().expect("a transfer over a clean link");
        sim.now().since_start()
    };
    let (narrow, wide) = (in_flight(65_535), in_flight(500_000));
    assert!(narrow > wide * 2, "{narrow:?} and {wide:?}");
}

#[test]
fn item_12_send_buffer_is_what_a_write_takes_at_once() -> glassnet::Result {
    for send_buffer in [1, 1_000, 65_535, 300_000] {
        let mut sim = Sim::new(1);
        echo_host(&mut sim, "server");
        sim.client("client", async move {
            let stream = TcpStream::connect("server:7").await?;
            assert_eq!(stream.try_write(&pattern(400_000))?, send_buffer);
            Ok(())
        });
        sim.host_options("client", HostOptions::default().send_buffer(send_buffer));
        sim.run()?;
    }
    Ok(())
}

#[test]
fn item_12_congestion_control_decides_how_a_transfer_begins_and_ends() {
    let first_burst = |congestion_control| {
        let wire = transfer(60_000, &HostOptions::default().congestion_control(congestion_control));
        let data = wire.times("client", |segment| segment.len > 0);
        data.iter().filter(|time| **time == data[0]).count()
    };
    let (reno, cubic, none) = (
        first_burst(CongestionControl::Reno),
        first_burst(CongestionControl::Cubic),
        first_burst(CongestionControl::None),
    );
    assert!(reno <= 10 && cubic <= 10 && none > 40, "{reno}, {cubic}, {none} segments at once");
}

#[test]
fn item_12_ack_delay_is_how_long_an_acknowledgment_waits() {
    // Ours waits 40 ms at first, as Linux does, if it may wait longer.
    for (ack_delay, waits) in [
        (None, ms(0)),
        (Some(ms(10)), ms(10)),
        (Some(ms(40)), ms(40)),
        (Some(ms(200)), by_engine(ms(200), ms(40))),
    ] {
        let mut sim = pair(
            1,
            |mut stream| async move {
                // As a server that answers: before, ours acknowledges at once.
                stream.read_u8().await?;
                stream.write_u8(1).await?;
                read_all(&mut stream).await?;
                Ok(())
            },
            |mut stream| async move {
                stream.write_u8(1).await?;
                stream.read_u8().await?;
                sleep(secs(1)).await;
                stream.write_all(&pattern(100)).await?;
                sleep(secs(1)).await;
                Ok(())
            },
        );
        sim.host_options("server", HostOptions::default().ack_delay(ack_delay));
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        let data = wire.times("client", |segment| segment.len == 100)[0];
        let ack = wire.segments("server").into_iter().find(|(time, _)| *time > data).unwrap().0;
        assert_eq!(ack - data, ms(1) + waits, "{ack_delay:?}");
    }
}

#[test]
fn item_12_syn_retries_is_how_often_a_syn_is_sent_again() -> glassnet::Result {
    for (syn_retries, seconds) in [(0, 1), (1, 3), (3, 15), (6, 127), (8, 367)] {
        let mut sim = Sim::new(1);
        let wire = Wire::watch(&mut sim);
        echo_host(&mut sim, "server");
        sim.host_options("client", HostOptions::default().syn_retries(syn_retries));
        sim.client("client", async move {
            assert_eq!(errno(TcpStream::connect("server:7").await), Some(ETIMEDOUT));
            assert_eq!(now(), secs(seconds), "{syn_retries} retries");
            Ok(())
        });
        sim.partition("client", "server");
        sim.run()?;
        assert_eq!(wire.times("client", |segment| segment.syn).len(), syn_retries as usize + 1);
    }
    Ok(())
}

#[test]
fn item_12_synack_retries_is_how_often_a_syn_ack_is_sent_again() -> glassnet::Result {
    for (synack_retries, seconds) in [(0, 1), (2, 7), (5, 63)] {
        let mut sim = Sim::new(1);
        let wire = Wire::watch(&mut sim);
        echo_host(&mut sim, "server");
        sim.host_options("server", HostOptions::default().synack_retries(synack_retries));
        sim.one_way("server", "client").loss(1.0);
        sim.client("client", async {
            assert!(timeout(ms(500), TcpStream::connect("server:7")).await.is_err());
            Ok(())
        });
        sim.run_for(secs(200))?;
        let times = wire.times("server", |segment| segment.syn);
        assert_eq!(times.len(), synack_retries as usize + 1);
        let end = wire.changes().into_iter().rfind(|change| change.host == "server").unwrap();
        assert_eq!((end.from, end.to), (TcpState::SynReceived, TcpState::Closed));
        assert_eq!(end.time - times[0], secs(seconds));
    }
    Ok(())
}

#[test]
fn item_12_retries_and_orphan_retries_are_how_often_data_is_sent_again() -> glassnet::Result {
    for (retries, orphan_retries, keeps) in [(3, 8, true), (0, 8, true), (15, 2, false)] {
        let mut sim = Sim::new(1);
        let wire = Wire::watch(&mut sim);
        echo_host(&mut sim, "server");
        let options = HostOptions::default().retries(retries).orphan_retries(orphan_retries);
        sim.host_options("client", options);
        sim.client("client", async move {
            let mut stream = TcpStream::connect("server:7").await?;
            sleep(secs(2)).await;
            stream.write_all(b"data").await?;
            if keeps {
                assert_eq!(errno(stream.read(&mut [0; 8]).await), Some(ETIMEDOUT));
            }
            Ok(())
        });
        run_cut_off_after(&mut sim, secs(1))?;
        let times = wire.times("client", |segment| segment.len > 0 && !segment.syn);
        let expected = if keeps { retries } else { orphan_retries };
        // Ours probes for the loss of a tail before the first timeout (RFC 8985 section 7), of an orphan
        // with its FIN.
        let probes = by_engine(0, usize::from(keeps));
        assert_eq!(
            times.len(),
            expected as usize + 1 + probes,
            "{retries}, {orphan_retries}: {times:?}"
        );
    }
    Ok(())
}

#[test]
fn item_12_syn_backlog_is_how_many_connections_may_be_half_open() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    let options = HostOptions::default().syn_backlog(3).syn_cookies(false);
    sim.host_options("server", options);
    for number in 0..8 {
        let name = format!("client{number}");
        sim.one_way("server", &name).loss(1.0);
        sim.client(&name, async {
            let _ = timeout(ms(500), TcpStream::connect("server:7")).await;
            Ok(())
        });
    }
    sim.run()?;
    assert_eq!(wire.times("server", |segment| segment.syn).len(), 3);
    assert_eq!(wire.resets("server"), 0);
    Ok(())
}

#[test]
fn item_12_reset_on_overflow_refuses_where_a_syn_would_be_dropped() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host_options("server", HostOptions::default().reset_on_overflow(true));
    sim.host("server", || async {
        let _listener = listen(7, 0)?;
        for_ever().await
    });
    sim.client("client", async {
        let _only = TcpStream::connect("server:7").await?;
        sleep(ms(10)).await;
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(ECONNREFUSED));
        Ok(())
    });
    sim.run()
}
