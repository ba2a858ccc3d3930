//! What a host's TCP goes by: each of `HostOptions`' settings of glassnet's own TCP, seen on the
//! wire, and what smoltcp's refuses.

use std::time::Duration;

use glassnet::net::tcp::SockRef;
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::sleep;
use glassnet::{HostOptions, HyStart, Sim, TcpEngine, TcpSegment};
use tokio::io::AsyncWriteExt;

use crate::common::{Log, Wire, for_ever, ms, now, pair, pattern, read_all, secs};

/// The kinds of the options of a segment, without what only fills up.
fn option_kinds(frame: &[u8]) -> Vec<u8> {
    let tcp = &frame[34..];
    let header = usize::from(tcp[12] >> 4) * 4;
    let (mut options, mut kinds) = (&tcp[20..header], Vec::new());
    while let [kind, rest @ ..] = options {
        if *kind <= 1 {
            options = rest;
        } else {
            kinds.push(*kind);
            options = &options[usize::from(rest[0])..];
        }
    }
    kinds
}

fn secs_of(times: &[Duration]) -> Vec<u64> {
    times.iter().map(Duration::as_secs).collect()
}

/// When a client whose server is silent sends SYNs, and when its `connect` fails.
fn syns_into_silence(options: HostOptions) -> (Vec<Duration>, Duration) {
    let mut sim = Sim::new(1);
    sim.default_options(options);
    sim.host("server", || async { for_ever().await });
    let (wire, failed) = (Wire::watch(&mut sim), Log::new());
    let noted = failed.clone();
    sim.client("client", async move {
        let error = TcpStream::connect("server:7").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        noted.note(now());
        Ok(())
    });
    sim.drop_frames("client:syn:1-100".parse().unwrap());
    sim.run().unwrap();
    let times = wire.times("client", |segment| segment.syn);
    (times, failed.all()[0])
}

#[test]
fn a_syn_is_sent_again_after_doubling_times_and_given_up_at_127_seconds() {
    let (times, failed) = syns_into_silence(HostOptions::linux());
    assert_eq!(secs_of(&times), [0, 1, 3, 7, 15, 31, 63]);
    assert_eq!(failed.as_secs(), 127);
}

#[test]
fn with_four_linear_timeouts_a_syn_is_sent_again_each_second_at_first() {
    let (times, failed) = syns_into_silence(HostOptions::linux().syn_linear_timeouts(4));
    assert_eq!(secs_of(&times), [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]);
    assert_eq!(failed.as_secs(), 131);
}

#[test]
fn the_first_timeout_and_the_longest_are_the_hosts() {
    let options = HostOptions::linux().rto_initial(secs(3)).rto_max(secs(10)).syn_retries(4);
    let (times, failed) = syns_into_silence(options);
    assert_eq!(secs_of(&times), [0, 3, 9, 19, 29]);
    assert_eq!(failed.as_secs(), 39);
}

/// What a SYN and its answer offer, when both hosts have these options.
fn offers(options: HostOptions) -> Vec<Vec<u8>> {
    let mut sim = pair(1, |_| async { Ok(()) }, |_| async { Ok(()) });
    sim.host_options("server", options.clone()).host_options("client", options);
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let is_syn = |frame: &[u8]| TcpSegment::parse(frame).is_some_and(|segment| segment.syn);
    let syns = wire.sent().into_iter().filter(|sent| is_syn(&sent.frame));
    syns.map(|sent| option_kinds(&sent.frame)).collect()
}

#[test]
fn a_syn_offers_what_the_host_has_and_a_syn_ack_agrees_to_no_more() {
    let linux = HostOptions::linux;
    assert_eq!(offers(linux()), [[2, 4, 8, 3], [2, 4, 8, 3]]);
    assert_eq!(offers(linux().sack(false)), [[2, 8, 3], [2, 8, 3]]);
    assert_eq!(offers(linux().timestamps(false)), [[2, 4, 3], [2, 4, 3]]);
    assert_eq!(offers(linux().window_scaling(false)), [[2, 4, 8], [2, 4, 8]]);
    let none = linux().sack(false).timestamps(false).window_scaling(false);
    assert_eq!(offers(none.clone()), [[2], [2]]);
    // One that offers all, and one that takes nothing.
    let mut sim = pair(1, |_| async { Ok(()) }, |_| async { Ok(()) });
    sim.host_options("server", none).host_options("client", linux());
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let answer = wire.sent().into_iter().find(|sent| {
        TcpSegment::parse(&sent.frame).is_some_and(|segment| segment.syn && segment.ack.is_some())
    });
    assert_eq!(option_kinds(&answer.unwrap().frame), [2]);
}

/// Bytes that a server sends in each of the first round trips of 100 ms, and the rest.
fn bytes_by_round(options: HostOptions, bytes: usize) -> Vec<u64> {
    let mut sim = pair(
        1,
        move |mut stream| async move {
            stream.write_all(&pattern(bytes)).await?;
            Ok(())
        },
        |mut stream| async move {
            read_all(&mut stream).await?;
            Ok(())
        },
    );
    sim.host_options("server", options).host_options("client", HostOptions::linux());
    sim.link("client", "server").delay(ms(50));
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let data = |(_, segment): &(Duration, TcpSegment)| segment.len > 0;
    let sent: Vec<_> = wire.segments("server").into_iter().filter(data).collect();
    let began = sent[0].0;
    let mut rounds = Vec::new();
    for (time, segment) in sent {
        let round = ((time - began).as_millis() / 99) as usize;
        rounds.resize(rounds.len().max(round + 1), 0);
        rounds[round] += u64::from(segment.len);
    }
    rounds
}

#[test]
fn the_first_flight_is_the_initial_window() {
    let mss = 1_448;
    let of = |segments| bytes_by_round(HostOptions::linux().initial_window(segments), 100_000)[0];
    assert_eq!([of(10), of(4), of(1)], [10 * mss, 4 * mss, mss]);
    // RFC 6928: 14,600 bytes, or two segments.
    assert_eq!(bytes_by_round(HostOptions::rfc(), 100_000)[0], 10 * mss);
    let bytes = HostOptions::linux().initial_window_bytes(4_400);
    assert_eq!(bytes_by_round(bytes, 100_000)[0], 3 * mss);
    let bytes = HostOptions::linux().initial_window_bytes(100);
    assert_eq!(bytes_by_round(bytes, 100_000)[0], 2 * mss);
}

#[test]
fn slow_start_ends_as_the_host_says() {
    // A path of 26 segments with a queue of fifteen times as many: how far it is filled, and how
    // many segments that costs.
    let filled = |hystart: HyStart| {
        let mut sim = pair(
            1,
            |mut stream| async move {
                stream.write_all(&pattern(3_000_000)).await?;
                Ok(())
            },
            |mut stream| async move {
                read_all(&mut stream).await?;
                Ok(())
            },
        );
        let options = HostOptions::linux().hystart(hystart);
        sim.host_options("server", options.clone()).host_options("client", options);
        sim.link("client", "server").delay(ms(15)).rate(10_000_000).queue(400);
        let (wire, mut most) = (Wire::watch(&mut sim), 0);
        sim.run().unwrap();
        let acks: Vec<_> = wire.segments("client");
        for (time, segment) in wire.segments("server").into_iter().filter(|it| it.1.len > 0) {
            let acked = acks.iter().rev().find(|(at, _)| *at + ms(15) <= time);
            let acked = acked.and_then(|(_, ack)| ack.ack).unwrap_or(segment.seq);
            most = most.max(segment.seq.wrapping_sub(acked) / 1_448);
        }
        (most, sim.retransmissions())
    };
    let [off, linux, plus_plus] = [HyStart::Off, HyStart::Linux, HyStart::PlusPlus].map(filled);
    assert!(linux.0 < 200 && linux.1 == 0, "{linux:?}");
    // It went on, a quarter as fast, for five rounds.
    assert!(plus_plus.0 > linux.0 && plus_plus.1 == 0, "{plus_plus:?} {linux:?}");
    assert!(off.0 > linux.0 && off != plus_plus, "{off:?} {plus_plus:?}");
}

/// A server that writes `bytes`, waits until `at`, and writes as much again to a client that reads;
/// both have these options.
fn two_flights(options: &HostOptions, bytes: usize, at: Duration) -> Sim {
    let mut sim = pair(
        1,
        move |mut stream| async move {
            stream.write_all(&pattern(bytes)).await?;
            sleep(at - now()).await;
            stream.write_all(&pattern(bytes)).await?;
            sleep(secs(30)).await;
            Ok(())
        },
        |mut stream| async move {
            read_all(&mut stream).await?;
            Ok(())
        },
    );
    sim.host_options("server", options.clone()).host_options("client", options.clone());
    sim.link("client", "server").delay(ms(10));
    sim
}

#[test]
fn after_idling_the_window_begins_again_unless_the_host_says_otherwise() {
    let flight = |options: HostOptions| {
        let mut sim = two_flights(&options, 300_000, secs(4));
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        let late = wire.segments("server").into_iter();
        let late = late.filter(|(time, _)| *time >= secs(4) && *time < secs(4) + ms(15));
        late.map(|(_, segment)| u64::from(segment.len)).sum::<u64>()
    };
    assert_eq!(flight(HostOptions::linux()), 10 * 1_448);
    let kept = flight(HostOptions::linux().slow_start_after_idle(false));
    assert!(kept > 40 * 1_448, "{kept}");
}

/// When the data of the second flight, one segment that is lost some times, leaves: since it did
/// first.
fn lost_segment_leaves(options: HostOptions, times: u64) -> Vec<u128> {
    let mut sim = two_flights(&options, 100, secs(1));
    sim.drop_frames(format!("server:data:2-{}", 1 + times).parse().unwrap());
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let left = wire.times("server", |segment| segment.len > 0);
    left[1..].iter().map(|time| (*time - left[1]).as_millis()).collect()
}

#[test]
fn the_retransmission_timeout_is_within_the_hosts_bounds() {
    let linux = || HostOptions::linux().tail_loss_probe(false);
    // Round trips of 20 ms.
    assert_eq!(lost_segment_leaves(linux(), 3), [0, 220, 660, 1_540]);
    assert_eq!(lost_segment_leaves(linux().rto_min(ms(50)), 2), [0, 70, 210]);
    assert_eq!(lost_segment_leaves(linux().rto_floor(secs(1)), 2), [0, 1_000, 3_000]);
    let short = linux().rto_initial(ms(300)).rto_max(ms(300));
    assert_eq!(lost_segment_leaves(short, 3), [0, 220, 520, 820]);
    let rfc = HostOptions::rfc().tail_loss_probe(false);
    assert_eq!(lost_segment_leaves(rfc, 1), [0, 1_000]);
}

#[test]
fn the_end_of_a_flight_is_probed_for_unless_the_host_says_otherwise() {
    // The last three of the second ten are lost: how long until one of them leaves again.
    let wait = |options: HostOptions| {
        let mut sim = two_flights(&options, 14_000, secs(1));
        sim.drop_frames("server:data:18-20".parse().unwrap());
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        let left = wire.times("server", |segment| segment.len > 0);
        (left[20] - left[19]).as_millis()
    };
    let probed = wait(HostOptions::linux());
    // A round trip until the others are acknowledged, two and a little more after that.
    assert!((60..120).contains(&probed), "{probed}");
    let waited = wait(HostOptions::linux().tail_loss_probe(false));
    assert!(waited >= 220, "{waited}");
}

/// How long after each of some lone segments its acknowledgment leaves, in milliseconds.
fn acks_after(options: HostOptions, segments: u32, apart: Duration) -> Vec<u128> {
    let mut sim = pair(
        1,
        |mut stream| async move {
            read_all(&mut stream).await?;
            Ok(())
        },
        move |mut stream| async move {
            for _ in 0..segments {
                stream.write_all(&pattern(1_448)).await?;
                sleep(apart).await;
            }
            Ok(())
        },
    );
    sim.host_options("server", options.clone()).host_options("client", options);
    let wire = Wire::watch(&mut sim);
    sim.run().unwrap();
    let is_data = |segment: &TcpSegment| segment.len > 0;
    let is_ack = |segment: &TcpSegment| !segment.syn && segment.len == 0;
    let (data, acks) = (wire.times("client", is_data), wire.times("server", is_ack));
    let delay = |sent: &Duration| {
        let arrived = *sent + ms(1);
        let ack = acks.iter().find(|ack| **ack >= arrived).unwrap();
        (*ack - arrived).as_millis()
    };
    data.iter().map(delay).collect()
}

#[test]
fn the_first_acknowledgments_leave_at_once_and_later_ones_within_the_hosts_bounds() {
    let of = |options: HostOptions| acks_after(options, 30, ms(100));
    let linux = of(HostOptions::linux());
    assert!(linux[..16].iter().all(|delay| *delay == 0), "{linux:?}");
    assert!(linux[16..].iter().all(|delay| (40..=100).contains(delay)), "{linux:?}");
    let few = of(HostOptions::linux().quick_acks(4));
    assert!(few[..4].iter().all(|delay| *delay == 0) && few[4] >= 40, "{few:?}");
    let none = of(HostOptions::linux().quick_acks(0).ack_delay_min(ms(7)).ack_delay(ms(7)));
    assert!(none.iter().all(|delay| *delay == 7), "{none:?}");
}

#[test]
fn keep_alive_asks_as_the_host_says_with_either_engine() {
    for engine in [TcpEngine::Glassnet, TcpEngine::Smoltcp] {
        let options = HostOptions::default()
            .tcp_engine(engine)
            .keepalive_time(secs(60))
            .keepalive_interval(secs(5))
            .keepalive_probes(3);
        let mut sim = pair(
            1,
            |stream| async move {
                let _held = stream;
                for_ever().await
            },
            |mut stream| async move {
                let socket = SockRef::from(&stream);
                socket.set_keepalive(true)?;
                let of = (socket.tcp_keepalive_time()?, socket.tcp_keepalive_interval()?);
                assert_eq!((of, socket.tcp_keepalive_retries()?), ((secs(60), secs(5)), 3));
                let error = read_all(&mut stream).await.unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                assert_eq!(now().as_secs(), 75);
                Ok(())
            },
        );
        sim.host_options("client", options);
        sim.run_for(ms(500)).unwrap();
        sim.partition("client", "server");
        sim.run_for(secs(100)).unwrap();
    }
}

#[test]
fn a_buffer_gets_the_hosts_least_when_memory_is_scarce() {
    let mut sim = Sim::new(1);
    // No more than a 4096th of what is left is granted.
    let options = HostOptions::default().tcp_mem(100_000).recv_buffer_min(9_000);
    sim.host_options("server", options.send_buffer_min(6_000));
    let sizes = Log::new();
    let noted = sizes.clone();
    sim.host("server", move || {
        let noted = noted.clone();
        async move {
            let listener = TcpListener::bind("0.0.0.0:7").await?;
            let (stream, _) = listener.accept().await?;
            let socket = SockRef::from(&stream);
            noted.note((socket.recv_buffer_size()?, socket.send_buffer_size()?));
            for_ever().await
        }
    });
    sim.client("client", async {
        TcpStream::connect("server:7").await?;
        sleep(secs(1)).await;
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(sizes.all(), [(9_000, 6_000)]);
}

fn refusal(options: HostOptions) -> String {
    let mut sim = Sim::new(1);
    sim.client("client", async { Ok(()) });
    sim.host_options("client", options);
    sim.run().unwrap_err().to_string()
}

#[test]
fn what_smoltcps_tcp_cannot_keep_is_an_error_that_names_it() {
    let smoltcp = || HostOptions::default().tcp_engine(TcpEngine::Smoltcp);
    for (name, options) in [
        ("sack", smoltcp().sack(true)),
        ("timestamps", smoltcp().timestamps(false)),
        ("window_scaling", smoltcp().window_scaling(false)),
        ("initial_window", smoltcp().initial_window(10)),
        ("initial_window_bytes", smoltcp().initial_window_bytes(14_600)),
        ("slow_start_after_idle", smoltcp().slow_start_after_idle(true)),
        ("rto_initial", smoltcp().rto_initial(secs(1))),
        ("rto_min", smoltcp().rto_min(ms(200))),
        ("rto_floor", smoltcp().rto_floor(secs(1))),
        ("rto_max", smoltcp().rto_max(secs(60))),
        ("hystart", smoltcp().hystart(HyStart::Linux)),
        ("tail_loss_probe", smoltcp().tail_loss_probe(true)),
        ("ack_delay_min", smoltcp().ack_delay_min(ms(40))),
        ("quick_acks", smoltcp().quick_acks(16)),
        ("syn_linear_timeouts", smoltcp().syn_linear_timeouts(4)),
        ("recv_buffer_max", smoltcp().recv_buffer_max(1 << 20)),
        ("send_buffer_max", smoltcp().send_buffer_max(1 << 20)),
        ("adv_win_scale", smoltcp().adv_win_scale(1)),
        ("linux()", HostOptions::linux().tcp_engine(TcpEngine::Smoltcp)),
        ("rfc()", HostOptions::rfc().tcp_engine(TcpEngine::Smoltcp)),
    ] {
        let error = refusal(options);
        assert!(error.contains(name) && error.contains("TcpEngine::Glassnet"), "{name}: {error}");
    }
}

#[test]
fn a_value_outside_of_its_range_is_an_error_that_names_it() {
    let linux = HostOptions::linux;
    for (text, options) in [
        ("initial_window of 0", linux().initial_window(0)),
        ("syn_linear_timeouts of 128", linux().syn_linear_timeouts(128)),
        ("rto_initial of 0ns", linux().rto_initial(Duration::ZERO)),
        ("rto_min of 2h", linux().rto_min(secs(7_200))),
        ("rto_max of 0ns", linux().rto_max(Duration::ZERO)),
        ("rto_max of 500ms is less", linux().rto_max(ms(500))),
        ("rto_floor", linux().rto_floor(secs(4_000))),
        ("keepalive_time of 0ns", linux().keepalive_time(Duration::ZERO)),
        ("keepalive_interval", linux().keepalive_interval(secs(32_768))),
        ("keepalive_probes of 128", linux().keepalive_probes(128)),
        ("recv_buffer_min of 0", linux().recv_buffer_min(0)),
        ("send_buffer_min of 0", linux().send_buffer_min(0)),
    ] {
        let error = refusal(options);
        assert!(error.contains(&text.replace("2h", "7200s")), "{text}: {error}");
    }
}
