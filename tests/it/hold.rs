//! Holding a link, releasing it, and delivering what it holds one by one.

use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream, UdpSocket};
use glassnet::time::sleep;
use glassnet::{DropReason, Event, Fate, FrameKind, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::directory::Directory;
use crate::common::{Log, Wire, echo_host, ms, now, pattern, secs};

/// `client` sends a number every 100 ms, from 100 ms on; the log has when which one came.
fn counting(count: u32) -> (Sim, Log<(Duration, u32)>) {
    let mut sim = Sim::new(1);
    let log = Log::new();
    let noted = log.clone();
    sim.host("server", move || {
        let log = noted.clone();
        async move {
            let socket = UdpSocket::bind("0.0.0.0:9").await?;
            loop {
                let mut number = [0; 4];
                socket.recv_from(&mut number).await?;
                log.note((now(), u32::from_be_bytes(number)));
            }
        }
    });
    sim.client("client", async move {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for number in 1..=count {
            sleep(ms(100)).await;
            socket.send_to(&number.to_be_bytes(), "server:9").await?;
        }
        sleep(secs(1)).await;
        Ok(())
    });
    (sim, log)
}

fn numbers(log: &Log<(Duration, u32)>) -> Vec<u32> {
    log.all().into_iter().map(|(_, number)| number).collect()
}

#[test]
fn what_is_held_is_released_at_once_in_order_and_nothing_is_lost() -> glassnet::Result {
    let (mut sim, log) = counting(40);
    // Neither delay nor loss is for what is held.
    sim.at(secs(1)).link("client", "server").delay(ms(80)).loss(0.9).duplicate(0.9).reorder(0.9);
    sim.at(secs(1)).hold("client", "server");
    sim.at(secs(3)).link("client", "server").loss(0.0).duplicate(0.0).reorder(0.0);
    sim.at(secs(3)).release("client", "server");
    sim.run()?;
    let arrived = log.all();
    assert_eq!(numbers(&log), (1..=40).collect::<Vec<u32>>());
    for (time, number) in arrived {
        let sent = ms(u64::from(number) * 100);
        // The first waits for its neighbour's address; the timer is older than the fault.
        if number > 1 && number < 10 {
            assert_eq!(time, sent + ms(1), "{number}");
        } else if (10..30).contains(&number) {
            assert_eq!(time, secs(3), "{number}");
        } else if number > 30 {
            assert_eq!(time, sent + ms(80), "{number}");
        }
    }
    Ok(())
}

#[test]
fn what_was_on_its_way_when_a_hold_began_arrives_before_what_it_held() -> glassnet::Result {
    let (mut sim, log) = counting(6);
    sim.link("client", "server").delay(ms(500));
    sim.at(ms(350)).hold("client", "server");
    sim.at(ms(450)).release("client", "server");
    sim.run()?;
    assert_eq!(numbers(&log), [1, 2, 3, 4, 5, 6]);
    let arrivals: Vec<Duration> = log.all().into_iter().map(|(time, _)| time).collect();
    assert_eq!((arrivals[2], arrivals[3]), (ms(800), ms(800)));
    Ok(())
}

#[test]
fn a_transfer_outlives_a_hold_in_either_direction() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        let echo = crate::common::exchange(stream, pattern(300_000)).await?;
        assert!(echo == pattern(300_000));
        assert!(now() > secs(3));
        Ok(())
    });
    sim.link("client", "server").rate(8_000_000);
    for (at, from, to) in [(100, "client", "server"), (1_700, "server", "client")] {
        sim.at(ms(at)).hold_one_way(from, to);
        sim.at(ms(at + 1_500)).release_one_way(from, to);
    }
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    assert!(wire.sent().iter().any(|sent| sent.fate == Fate::Held));
    assert_eq!(sim.dropped(DropReason::InFlightLimit), 0);
    Ok(())
}

#[test]
fn a_handshake_is_delivered_frame_by_frame() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let log = Log::new();
    let noted = log.clone();
    sim.host("server", move || {
        let log = noted.clone();
        async move {
            let (mut stream, _) = TcpListener::bind("0.0.0.0:7").await?.accept().await?;
            log.note("accepted");
            stream.write_all(b"hello").await?;
            stream.read_u8().await?;
            Ok(())
        }
    });
    let noted = log.clone();
    sim.client("client", async move {
        let mut stream = TcpStream::connect("server:7").await?;
        noted.note("connected");
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await?;
        noted.note("greeted");
        stream.write_u8(1).await?;
        Ok(())
    });
    sim.hold("client", "server");
    sim.run_for(ms(100))?;
    let (syns, none) = (sim.held("client", "server"), sim.held("server", "client"));
    assert_eq!((syns.len(), none.len()), (1, 0));
    let syn = &syns[0];
    assert!(syn.is(FrameKind::Syn) && syn.segment().is_some_and(|it| it.syn && it.ack.is_none()));
    assert_eq!(
        (syn.from(), syn.to(), syn.sent().since_start() < ms(10)),
        ("client", "server", true)
    );
    assert!(syn.to_string().contains("client -> server: 10.0.0.2:"), "{syn}");
    assert!(sim.deliver(syn));
    assert!(!sim.deliver(syn), "it is on its way");
    assert_eq!(sim.now().since_start(), ms(100));
    sim.run_for(ms(1))?;
    let synack = sim.held("server", "client").remove(0);
    assert!(synack.is(FrameKind::SynAck) && synack.sent().since_start() == ms(100));
    assert!(log.all().is_empty());
    sim.deliver(&synack);
    sim.run_for(ms(1))?;
    assert_eq!(log.all(), ["connected"]);
    let ack = sim.held("client", "server").remove(0);
    assert!(ack.is(FrameKind::Ack));
    sim.deliver(&ack);
    sim.run_for(ms(1))?;
    assert_eq!(log.all(), ["connected", "accepted"]);
    assert!(sim.held("server", "client").iter().any(|it| it.is(FrameKind::Data)));
    sim.release("client", "server");
    sim.run()?;
    assert_eq!(log.all(), ["connected", "accepted", "greeted"]);
    assert_eq!(sim.table_sizes().frames_held, 0);
    Ok(())
}

#[test]
fn frames_may_be_delivered_in_another_order_also_by_a_task() -> glassnet::Result {
    let (mut sim, log) = counting(3);
    sim.at(ms(50)).hold("client", "server");
    let faults = sim.faults();
    sim.client("director", async move {
        sleep(ms(500)).await;
        let mut held = faults.held("client", "server");
        assert_eq!(held.len(), 3);
        held.reverse();
        for frame in &held {
            assert!(faults.deliver(frame));
            sleep(ms(10)).await;
        }
        assert!(faults.held("client", "server").is_empty());
        Ok(())
    });
    sim.run()?;
    let expected = [(ms(500), 3), (ms(510), 2), (ms(520), 1)];
    assert_eq!(log.all(), expected);
    Ok(())
}

#[test]
fn a_guard_holds_until_it_is_dropped_whatever_is_released_meanwhile() -> glassnet::Result {
    let (mut sim, log) = counting(10);
    let faults = sim.faults();
    sim.client("holder", async move {
        sleep(ms(250)).await;
        let guard = faults.guarded().hold("client", "server");
        let other = faults.guarded().hold_one_way("client", "server");
        faults.hold("client", "server");
        sleep(ms(100)).await;
        faults.release("client", "server");
        drop(other);
        sleep(ms(100)).await;
        drop(guard);
        Ok(())
    });
    sim.run()?;
    let times: Vec<Duration> = log.all().into_iter().map(|(time, _)| time).collect();
    assert_eq!(times[1..5], [ms(201), ms(450), ms(450), ms(501)]);
    assert_eq!(numbers(&log), (1..=10).collect::<Vec<u32>>());
    Ok(())
}

#[test]
fn what_is_held_is_bounded_like_what_is_on_its_way() -> glassnet::Result {
    // Each of these datagrams counts for 46 bytes and 256.
    for (of_link, of_world) in [(Some(3 * 302), None), (None, Some(3 * 302))] {
        let (mut sim, log) = counting(20);
        if let Some(bytes) = of_link {
            sim.link("client", "server").in_flight(bytes);
        }
        if let Some(bytes) = of_world {
            sim.in_flight_limit(bytes);
        }
        sim.at(ms(450)).hold("client", "server");
        sim.at(ms(1_050)).release("client", "server");
        sim.run_for(secs(1))?;
        let sizes = sim.table_sizes();
        assert_eq!((sizes.frames_held, sizes.bytes_in_flight), (3, 3 * 302));
        assert_eq!(sim.dropped(DropReason::InFlightLimit), 3);
        sim.run()?;
        let sizes = sim.table_sizes();
        assert_eq!((sizes.frames_held, sizes.bytes_in_flight), (0, 0));
        let expected: Vec<u32> = (1..=7).chain(11..=20).collect();
        assert_eq!(numbers(&log), expected);
    }
    Ok(())
}

#[test]
fn a_frame_that_is_released_to_a_host_that_is_down_dies_there() -> glassnet::Result {
    let (mut sim, log) = counting(5);
    sim.at(ms(50)).hold("client", "server");
    sim.at(ms(550)).crash("server");
    sim.at(ms(600)).release("client", "server");
    let dead = Log::new();
    let noted = dead.clone();
    sim.observe(move |event| {
        if let Event::Dropped { time, reason, .. } = event {
            noted.note((time.since_start(), *reason));
        }
    });
    sim.run()?;
    assert_eq!((log.len(), dead.all()), (0, vec![(ms(600), DropReason::HostDown); 5]));
    Ok(())
}

#[test]
fn a_hold_that_is_never_released_is_a_client_that_waits_and_the_report_shows_what_is_held() {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        TcpStream::connect("server:7").await?;
        Ok(())
    });
    sim.hold("client", "server");
    let report = sim.run().unwrap_err().to_string();
    assert!(report.contains("SYN") && report.contains("[held]"), "{report}");
    assert!(report.contains("hold client server"), "{report}");
}

#[test]
fn captures_of_links_show_what_was_held_and_each_fault() -> glassnet::Result {
    let directory = Directory::new("hold");
    let path = directory.join("link.pcapng");
    let (mut sim, _log) = counting(3);
    sim.capture_link("client", "server", &path)?;
    sim.at(ms(150)).hold("client", "server");
    sim.run_for(ms(250))?;
    let held = sim.held("client", "server").remove(0);
    sim.deliver(&held);
    sim.release("client", "server");
    sim.run()?;
    let file = std::fs::read(&path)?;
    let count = |text: &str| file.windows(text.len()).filter(|it| *it == text.as_bytes()).count();
    assert_eq!(count("held by the link"), 1);
    assert_eq!(count("MESSAGE=hold client server"), 1);
    assert_eq!(count("MESSAGE=release client server"), 1);
    let delivered = format!("packet {} of link client > server is delivered", held.packet_id());
    assert_eq!(count(&delivered), 1);
    Ok(())
}
