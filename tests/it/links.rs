//! What links do to frames, and what TCP makes of it.

use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{sleep, timeout};
use glassnet::{CongestionControl, DropReason, Fate, HostOptions, Impairments, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The client sends `len` bytes to the server, which reads them all.
fn transfer(seed: u64, len: usize) -> Sim {
    pair(
        seed,
        move |mut stream| async move {
            let received = read_all(&mut stream).await?;
            assert!(received == pattern(len), "{} of {len} octets, or wrong ones", received.len());
            Ok(())
        },
        move |mut stream| async move {
            stream.write_all(&pattern(len)).await?;
            Ok(())
        },
    )
}

/// The TCP segments between the two hosts, from `from`.
fn segments_from(wire: &Wire, from: &str) -> Vec<Sent> {
    wire.sent().into_iter().filter(|it| it.from == from && it.segment().is_some()).collect()
}

#[test]
fn every_frame_takes_the_links_delay_each_way() -> glassnet::Result {
    let mut sim = transfer(1, 50_000);
    sim.one_way("client", "server").delay(Duration::from_nanos(12_345_678));
    sim.one_way("server", "client").delay(ms(3));
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    // ARP goes no further than the switch.
    for sent in wire.sent().into_iter().filter(|sent| sent.segment().is_some()) {
        let delay = if sent.from == "client" { Duration::from_nanos(12_345_678) } else { ms(3) };
        assert_eq!(sent.arrival(), Some(sent.time + delay));
    }
    Ok(())
}

#[test]
fn a_link_that_nobody_named_takes_one_millisecond_and_loses_nothing() -> glassnet::Result {
    let mut sim = transfer(1, 50_000);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert!(wire.sent().iter().all(|sent| sent.arrival() == Some(sent.time + ms(1))));
    Ok(())
}

#[test]
fn jitter_varies_the_delay_by_at_most_itself_either_way() -> glassnet::Result {
    let mut sim = transfer(1, 300_000);
    sim.link("client", "server").delay(ms(20)).jitter(ms(5));
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let delays: Vec<Duration> = segments_from(&wire, "client")
        .iter()
        .filter_map(|sent| Some(sent.arrival()? - sent.time))
        .collect();
    assert!(delays.iter().all(|delay| (ms(15)..=ms(25)).contains(delay)));
    assert!(delays.iter().any(|delay| *delay < ms(16)) && delays.iter().any(|it| *it > ms(24)));
    Ok(())
}

#[test]
fn jitter_larger_than_the_delay_never_sends_a_frame_into_the_past() -> glassnet::Result {
    let mut sim = transfer(1, 100_000);
    sim.link("client", "server").delay(ms(1)).jitter(ms(30));
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert!(wire.sent().iter().all(|sent| sent.arrival().is_none_or(|at| at >= sent.time)));
    Ok(())
}

#[test]
fn loss_loses_as_many_frames_as_it_says() -> glassnet::Result {
    let (mut lost, mut all) = (0, 0);
    for seed in 0..10 {
        let mut sim = transfer(seed, 60_000);
        sim.link("client", "server").loss(0.1);
        let wire = Wire::watch(&mut sim);
        sim.run()?;
        let sent = segments_from(&wire, "client");
        all += sent.len();
        lost += sent.iter().filter(|sent| sent.is_dropped(DropReason::Loss)).count();
    }
    let share = lost as f64 / all as f64;
    assert!((0.07..0.14).contains(&share), "{lost} of {all}");
    Ok(())
}

#[test]
fn a_probability_of_one_always_happens_and_one_of_zero_never() -> glassnet::Result {
    let mut sim = transfer(1, 20_000);
    sim.link("client", "server").duplicate(1.0).loss(0.0).reorder(0.0);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let segments = [segments_from(&wire, "client"), segments_from(&wire, "server")].concat();
    let duplicated = |sent: &Sent| matches!(sent.fate, Fate::Arrives { duplicate_at: Some(_), .. });
    assert!(segments.iter().all(duplicated));
    // The copies of the last frames may come after the end of the run.
    assert!(wire.duplicates() + 4 >= segments.len());
    Ok(())
}

#[test]
fn reordered_frames_arrive_in_another_order_and_are_put_right() -> glassnet::Result {
    let mut sim = transfer(1, 200_000);
    sim.one_way("client", "server").delay(ms(5)).reorder(0.2);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let arrivals: Vec<Duration> =
        segments_from(&wire, "client").iter().filter_map(Sent::arrival).collect();
    assert!(arrivals.windows(2).filter(|two| two[1] < two[0]).count() > 5);
    assert!(
        arrivals
            .iter()
            .zip(segments_from(&wire, "client"))
            .all(|(at, sent)| { (ms(5)..=ms(15)).contains(&(*at - sent.time)) })
    );
    Ok(())
}

#[test]
fn a_frame_takes_its_length_over_the_rate() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?.len(), 1_000);
            Ok(())
        },
        |mut stream| async move {
            // So that nothing else is on the line.
            sleep(secs(1)).await;
            stream.write_all(&[1; 1_000]).await?;
            Ok(())
        },
    );
    sim.link("client", "server").rate(1_000_000).delay(ms(7));
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let has_data = |sent: &Sent| sent.segment().is_some_and(|segment| segment.len == 1_000);
    let data = segments_from(&wire, "client").into_iter().find(has_data).unwrap();
    let len = by_engine(1_054, 1_066);
    assert_eq!(data.frame.len(), len, "Ethernet, IP and TCP headers, ours with timestamps");
    // A bit takes a microsecond.
    assert_eq!(data.arrival(), Some(data.time + Duration::from_micros(8 * len as u64) + ms(7)));
    Ok(())
}

#[test]
fn a_transfer_takes_as_long_as_its_octets_at_the_links_rate() -> glassnet::Result {
    let mut sim = transfer(1, 500_000);
    sim.link("client", "server").rate(8_000_000);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let octets: usize = segments_from(&wire, "client").iter().map(|sent| sent.frame.len()).sum();
    let at_rate = Duration::from_micros(octets as u64);
    let took = sim.now().since_start();
    assert!(took >= at_rate && took <= at_rate.mul_f64(1.1), "{took:?}, {at_rate:?} at the rate");
    // One after the other: no two frames overlap on the line.
    let arrivals: Vec<(Duration, usize)> = segments_from(&wire, "client")
        .iter()
        .filter_map(|sent| Some((sent.arrival()?, sent.frame.len())))
        .collect();
    for two in arrivals.windows(2) {
        assert!(two[1].0 - two[0].0 >= Duration::from_micros(two[1].1 as u64));
    }
    Ok(())
}

#[test]
fn two_directions_of_a_link_do_not_share_its_rate() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.link("client", "server").rate(8_000_000);
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        assert!(exchange(stream, pattern(300_000)).await? == pattern(300_000));
        Ok(())
    });
    sim.run()?;
    // 0.31 s one way, and the echo at the same time.
    assert!(sim.now().since_start() < ms(450), "{}", sim.now());
    Ok(())
}

#[test]
fn a_full_queue_drops_and_tcp_makes_it_good() -> glassnet::Result {
    let mut sim = transfer(1, 200_000);
    sim.host_options("client", HostOptions::default().congestion_control(CongestionControl::None));
    sim.one_way("client", "server").rate(10_000_000).queue(5);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let sent = segments_from(&wire, "client");
    let dropped = sent.iter().filter(|sent| sent.is_dropped(DropReason::QueueFull)).count();
    assert!(dropped > 10, "{dropped}");
    assert!(segments_from(&wire, "server").iter().all(|sent| sent.arrival().is_some()));
    // Of the first burst, one is on the line, five wait, and the others are dropped.
    let data: Vec<_> =
        sent.iter().filter(|sent| sent.segment().is_some_and(|it| it.len > 0)).collect();
    let burst = data.iter().take_while(|sent| sent.time == data[0].time);
    let through = burst.filter(|sent| sent.arrival().is_some()).count();
    assert!((5..=6).contains(&through), "{through}: the ACK of the handshake may be before them");
    Ok(())
}

#[test]
fn a_packet_larger_than_the_links_mtu_vanishes() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            let mut buffer = [0; 2_000];
            assert_eq!(stream.read(&mut buffer).await?, 100, "what fits arrives");
            assert!(timeout(secs(100), stream.read(&mut buffer)).await.is_err());
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(&[1; 100]).await?;
            sleep(secs(1)).await;
            stream.write_all(&[2; 1_400]).await?;
            sleep(secs(50)).await;
            Ok(())
        },
    );
    sim.host_options("client", HostOptions::default().orphan_retries(3));
    sim.link("client", "server").mtu(500);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    for sent in wire.sent() {
        assert_eq!(sent.is_dropped(DropReason::TooBig), sent.frame.len() - 14 > 500);
    }
    assert!(wire.sent().iter().any(|sent| sent.is_dropped(DropReason::TooBig)));
    Ok(())
}

#[test]
fn a_packet_of_exactly_the_mtu_passes() -> glassnet::Result {
    let mut sim = transfer(1, 20_000);
    sim.link("client", "server").mtu(1_500);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert_eq!(wire.sent().iter().map(|sent| sent.frame.len() - 14).max(), Some(1_500));
    assert!(wire.sent().iter().all(|sent| sent.arrival().is_some()));
    Ok(())
}

#[test]
fn the_smaller_mtu_of_two_hosts_holds_for_both() -> glassnet::Result {
    let mut sim = transfer(1, 20_000);
    sim.host_options("server", HostOptions::default().mtu(576));
    sim.link("client", "server").mtu(576);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert_eq!(wire.sent().iter().map(|sent| sent.frame.len() - 14).max(), Some(576));
    Ok(())
}

#[test]
fn one_direction_alone_can_be_impaired() -> glassnet::Result {
    let mut sim = transfer(1, 100_000);
    sim.one_way("server", "client").loss(0.3);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert!(segments_from(&wire, "client").iter().all(|sent| sent.arrival().is_some()));
    assert!(segments_from(&wire, "server").iter().any(|it| it.is_dropped(DropReason::Loss)));
    Ok(())
}

#[test]
fn impairments_set_at_once_are_those_set_one_by_one() -> glassnet::Result {
    let frames = |at_once: bool| {
        let mut sim = transfer(5, 50_000);
        if at_once {
            sim.link("client", "server").impairments(
                Impairments::default()
                    .delay(ms(9))
                    .jitter(ms(2))
                    .loss(0.04)
                    .duplicate(0.03)
                    .reorder(0.02)
                    .rate(5_000_000)
                    .queue(20)
                    .in_flight(1 << 20)
                    .mtu(1_500),
            );
        } else {
            sim.link("client", "server")
                .delay(ms(9))
                .jitter(ms(2))
                .loss(0.04)
                .duplicate(0.03)
                .reorder(0.02)
                .rate(5_000_000)
                .queue(20)
                .in_flight(1 << 20)
                .mtu(1_500);
        }
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        wire.sent()
    };
    assert!(frames(true) == frames(false));
    Ok(())
}

#[test]
fn frames_on_their_way_are_not_affected_by_a_change_or_a_partition() -> glassnet::Result {
    let mut sim = transfer(1, 100);
    sim.link("client", "server").delay(ms(100));
    let wire = Wire::watch(&mut sim);
    while wire.times("client", |segment| segment.syn).is_empty() {
        sim.run_for(ms(1))?;
    }
    // The SYN is on its way.
    sim.partition("client", "server");
    sim.run_for(ms(100))?;
    // It has arrived, and its answer was lost.
    assert_eq!(wire.times("server", |segment| segment.syn).len(), 1);
    assert!(segments_from(&wire, "server")[0].is_dropped(DropReason::Partition));
    sim.heal("client", "server");
    sim.run()
}

#[test]
fn a_partition_drops_everything_between_two_hosts_and_nothing_else() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    for name in ["cut", "free"] {
        sim.client(name, async move {
            let mut stream = TcpStream::connect("server:7").await?;
            for _ in 0..30 {
                stream.write_u8(1).await?;
                stream.read_u8().await?;
                sleep(ms(100)).await;
            }
            assert_eq!(now() > secs(10), name == "cut", "{:?}", now());
            Ok(())
        });
    }
    let wire = Wire::watch(&mut sim);
    sim.run_for(secs(1))?;
    sim.partition("server", "cut");
    sim.run_for(secs(10))?;
    sim.heal("cut", "server");
    sim.run()?;
    for sent in wire.sent() {
        let cut = sent.from == "cut" || sent.to.as_deref() == Some("cut");
        let during = sent.time > secs(1) && sent.time <= secs(11);
        let expected = cut && during && sent.segment().is_some();
        assert_eq!(sent.is_dropped(DropReason::Partition), expected, "{:?}", sent.time);
    }
    Ok(())
}

#[test]
fn a_frame_to_a_crashed_host_is_dropped_because_it_is_down() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        sleep(secs(2)).await;
        stream.write_all(b"hello?").await?;
        sleep(secs(2)).await;
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run_for(secs(1))?;
    sim.crash("server");
    sim.run_for(secs(5))?;
    let late: Vec<_> = wire.sent().into_iter().filter(|sent| sent.time > secs(1)).collect();
    assert!(!late.is_empty() && late.iter().all(|sent| sent.is_dropped(DropReason::HostDown)));
    Ok(())
}

#[test]
fn a_closed_window_stops_the_sender_and_an_opened_one_lets_it_go_on() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            sleep(secs(100)).await;
            assert!(read_all(&mut stream).await? == pattern(100_000));
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(&pattern(100_000)).await?;
            Ok(())
        },
    );
    let window = HostOptions::default().recv_buffer(20_000);
    sim.host_options("server", window);
    let wire = Wire::watch(&mut sim);
    sim.run_for(secs(99))?;
    assert!(wire.segments("server").iter().any(|(_, segment)| segment.window == 0));
    // Probes of one byte, further and further apart; nothing else.
    let probes = wire.segments("client").into_iter().filter(|(time, _)| *time > secs(1));
    let probes: Vec<_> = probes.collect();
    assert!(probes.iter().all(|(_, segment)| segment.len <= 1), "{probes:?}");
    let gaps: Vec<Duration> = probes.windows(2).map(|two| two[1].0 - two[0].0).collect();
    assert!(gaps.len() >= 3 && gaps.windows(2).all(|two| two[1] >= two[0]), "{gaps:?}");
    sim.run()?;
    assert!(sim.now().since_start() < secs(110), "it goes on at once: {}", sim.now());
    Ok(())
}

#[test]
fn a_lost_window_update_is_found_out_by_a_probe() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            sleep(secs(10)).await;
            assert!(read_all(&mut stream).await? == pattern(30_000));
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(&pattern(30_000)).await?;
            Ok(())
        },
    );
    sim.host_options("server", HostOptions::default().recv_buffer(5_000));
    sim.run_for(secs(9))?;
    sim.one_way("server", "client").loss(1.0);
    sim.run_for(secs(2))?;
    sim.one_way("server", "client").loss(0.0);
    sim.run()
}

#[test]
fn a_mebibyte_survives_five_percent_loss() -> glassnet::Result {
    let mut sim = transfer(1, 1 << 20);
    sim.link("client", "server").delay(ms(5)).loss(0.05);
    sim.run()?;
    assert!(sim.retransmissions() > 20, "{}", sim.retransmissions());
    Ok(())
}

#[test]
fn a_transfer_survives_every_impairment_at_once() -> glassnet::Result {
    for seed in 0..20 {
        let mut sim = transfer(seed, 50_000);
        sim.link("client", "server").impairments(
            Impairments::default()
                .delay(ms(15))
                .jitter(ms(10))
                .loss(0.05)
                .duplicate(0.1)
                .reorder(0.2)
                .rate(3_000_000)
                .queue(12)
                .mtu(1_500),
        );
        sim.run().map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(())
}

#[test]
fn a_mebibyte_goes_both_ways_at_once_over_a_bad_link() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.link("client", "server").delay(ms(2)).loss(0.02).duplicate(0.02).reorder(0.05);
    sim.client("client", async {
        let data = pattern(1 << 20);
        let stream = TcpStream::connect("server:7").await?;
        assert!(exchange(stream, data.clone()).await? == data);
        Ok(())
    });
    sim.run()
}

#[test]
fn a_hundred_connections_at_once_over_links_of_every_kind() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    for number in 0..100u32 {
        let name = format!("client{number}");
        // As different as they can be, and the same in every run.
        let share = |of: u32| f64::from(number * 37 % of) / f64::from(of);
        sim.link(&name, "server").impairments(
            Impairments::default()
                .delay(ms(u64::from(number % 50)))
                .jitter(ms(u64::from(number % 7)))
                .loss(0.10 * share(11))
                .duplicate(0.20 * share(13))
                .reorder(0.30 * share(17))
                .rate((number % 3 == 0).then_some(2_000_000))
                .queue(10 + number as usize % 20),
        );
        sim.client(&name, async move {
            let data = pattern(5_000 + 100 * number as usize);
            let stream = TcpStream::connect("server:7").await?;
            assert!(exchange(stream, data.clone()).await? == data, "client{number}");
            Ok(())
        });
    }
    sim.run()
}

#[test]
fn a_hundred_connections_of_one_client_share_a_link_without_mixing_their_octets() -> glassnet::Result
{
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.link("client", "server").delay(ms(5)).loss(0.03).reorder(0.1);
    sim.client("client", async {
        let tasks: Vec<_> = (0..100u8)
            .map(|number| {
                glassnet::spawn(async move {
                    let stream = TcpStream::connect("server:7").await?;
                    let back = exchange(stream, vec![number; 3_000]).await?;
                    assert!(back == vec![number; 3_000], "connection {number}");
                    std::io::Result::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn hosts_far_apart_do_not_wait_for_each_other() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("far", "server").delay(ms(900));
    echo_host(&mut sim, "server");
    for (name, latest) in [("near", ms(20)), ("far", secs(9))] {
        sim.client(name, async move {
            let stream = TcpStream::connect("server:7").await?;
            exchange(stream, b"data".to_vec()).await?;
            assert!(now() < latest, "{name} after {:?}", now());
            Ok(())
        });
    }
    sim.run()
}

#[test]
fn a_server_greets_a_client_that_says_nothing_over_a_slow_link() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").rate(10_000).delay(ms(200));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(&pattern(3_000)).await?;
        }
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        assert!(read_all(&mut stream).await? == pattern(3_000));
        Ok(())
    });
    sim.run()
}
