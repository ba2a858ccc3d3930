//! Nothing grows without a limit: the tables of a world over hours of virtual time, and floods.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::common;
use glassnet::net::tcp::SockRef;
use glassnet::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use glassnet::time::{sleep, timeout};
use glassnet::{DropReason, Event, Fate, HostOptions, Sim, TableSizes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Runs for two hours. The tables of the second hour are no larger than those of the first, and
/// no heap ever has more entries than there are things to wait for.
fn two_hours(sim: &mut Sim) -> TableSizes {
    let mut peaks = [TableSizes::default(); 2];
    for part in 0..24 {
        sim.run_for(5 * MINUTE).unwrap();
        let now = sim.table_sizes();
        assert!(now.connection_deadlines <= now.connections, "{now:?}");
        assert!(now.host_deadlines <= 4, "{now:?}");
        let peak = &mut peaks[part / 12];
        for (peak, now) in [
            (&mut peak.frames_in_flight, now.frames_in_flight),
            (&mut peak.bytes_in_flight, now.bytes_in_flight),
            (&mut peak.timers, now.timers),
            (&mut peak.connections, now.connections),
            (&mut peak.connection_deadlines, now.connection_deadlines),
            (&mut peak.time_waits, now.time_waits),
            (&mut peak.recent_tuples, now.recent_tuples),
            (&mut peak.ports, now.ports),
            (&mut peak.datagram_sockets, now.datagram_sockets),
            (&mut peak.neighbors, now.neighbors),
            (&mut peak.packets_waiting, now.packets_waiting),
            (&mut peak.reassemblies, now.reassemblies),
        ] {
            *peak = now.max(*peak);
        }
    }
    let [first, second] = peaks;
    let grows = |first: usize, second: usize| second > first + first / 8 + 16;
    for (what, first, second) in [
        ("frames_in_flight", first.frames_in_flight, second.frames_in_flight),
        ("timers", first.timers, second.timers),
        ("connections", first.connections, second.connections),
        ("time_waits", first.time_waits, second.time_waits),
        ("recent_tuples", first.recent_tuples, second.recent_tuples),
        ("ports", first.ports, second.ports),
        ("datagram_sockets", first.datagram_sockets, second.datagram_sockets),
        ("neighbors", first.neighbors, second.neighbors),
        ("packets_waiting", first.packets_waiting, second.packets_waiting),
        ("reassemblies", first.reassemblies, second.reassemblies),
    ] {
        assert!(!grows(first, second), "{what}: {first} in the first hour, then {second}");
    }
    second
}

#[test]
fn connections_with_a_distant_keep_alive_leave_one_deadline_each() {
    let mut sim = Sim::new(1);
    common::echo_host(&mut sim, "server");
    sim.host("client", || async {
        let mut streams = Vec::new();
        for _ in 0..8 {
            let stream = TcpStream::connect("server:7").await?;
            SockRef::from(&stream).set_keepalive(true)?;
            streams.push(stream);
        }
        loop {
            for stream in &mut streams {
                stream.write_all(b"still there?").await?;
                stream.read_exact(&mut [0; 12]).await?;
            }
            sleep(Duration::from_secs(5)).await;
        }
    });
    let sizes = two_hours(&mut sim);
    assert_eq!(sizes.connections, 16);
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let mut sim = Sim::new(1);
    common::echo_host(&mut sim, "server");
    sim.host("client", || async {
        loop {
            let mut stream = TcpStream::connect("server:7").await?;
            stream.write_all(b"hello").await?;
            stream.read_exact(&mut [0; 5]).await?;
            // Either side closes first, in turn.
            stream.shutdown().await?;
            drop(stream);
            sleep(Duration::from_secs(2)).await;
        }
    });
    let sizes = two_hours(&mut sim);
    assert!(sizes.time_waits < 64 && sizes.connections <= 4, "{sizes:?}");
}

#[test]
fn one_tuple_used_again_and_again_leaves_few_time_wait_entries() {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            // It closes first: TIME-WAIT is here, where the next SYN ends it.
            drop(listener.accept().await?);
        }
    });
    sim.host("client", || async {
        loop {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 4_000)))?;
            let mut stream = socket.connect("10.0.0.1:7".parse()?).await?;
            stream.read_to_end(&mut Vec::new()).await?;
            drop(stream);
            sleep(Duration::from_millis(100)).await;
        }
    });
    // A shorter run than two hours: it is the number of connections that counts.
    for _ in 0..10 {
        sim.run_for(MINUTE).unwrap();
        let sizes = sim.table_sizes();
        assert!(sizes.time_waits <= 80, "{sizes:?}");
    }
}

#[test]
fn timeouts_that_are_dropped_leave_no_timer_behind() {
    let mut sim = Sim::new(1);
    sim.host("receiver", || async {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        loop {
            let (_, from) = timeout(HOUR, socket.recv_from(&mut [0; 8])).await??;
            socket.send_to(b"answer", from).await?;
        }
    });
    sim.host("sender", || async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        loop {
            socket.send_to(b"question", "receiver:7").await?;
            timeout(HOUR, socket.recv_from(&mut [0; 8])).await??;
            sleep(Duration::from_secs(1)).await;
        }
    });
    let sizes = two_hours(&mut sim);
    assert!(sizes.timers <= 3, "{sizes:?}");
}

#[test]
fn neighbours_that_are_not_there_and_fragments_that_never_come_are_forgotten() {
    let mut sim = Sim::new(1);
    sim.link("receiver", "sender").loss(0.3);
    sim.host("receiver", || async {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        loop {
            socket.recv_from(&mut [0; 10_000]).await?;
        }
    });
    sim.host("sender", || async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for number in 0u32.. {
            socket.send_to(&[0; 5_000], "receiver:7").await?;
            let nobody = Ipv4Addr::from_bits(0x0a00_8001 + number % 300);
            socket.send_to(&[0; 5_000], (nobody, 7)).await?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    });
    let sizes = two_hours(&mut sim);
    assert!(sizes.neighbors <= 302 && sizes.packets_waiting <= 32, "{sizes:?}");
    assert!((1..=40).contains(&sizes.reassemblies), "{sizes:?}");
    assert!(sim.counters("receiver").unwrap().reassembly_failures > 1_000);
}

#[test]
fn a_flood_over_a_slow_path_is_bounded_for_an_hour() {
    let mut sim = Sim::new(1);
    // What is sent would arrive after the run.
    sim.link("receiver", "sender").delay(2 * HOUR);
    sim.host("receiver", || async {
        sleep(4 * HOUR).await;
        Ok(())
    });
    sim.host("sender", || async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        loop {
            for _ in 0..100 {
                socket.send_to(&[0; 1_400], "receiver:7").await?;
            }
            sleep(Duration::from_secs(6)).await;
        }
    });
    for _ in 0..12 {
        sim.run_for(5 * MINUTE).unwrap();
        // The default of a direction of a link.
        assert!(sim.table_sizes().bytes_in_flight <= 64 << 20);
    }
    assert!(sim.dropped(DropReason::InFlightLimit) > 20_000);
    assert!(sim.table_sizes().frames_in_flight > 39_000, "the limit is met, not undercut");
}

#[test]
fn a_flood_in_one_instant_is_bounded_also_without_a_link() {
    let mut sim = Sim::new(1);
    sim.in_flight_limit(1 << 20);
    let limit_met = common::Log::new();
    let log = limit_met.clone();
    sim.observe(move |event| {
        if let Event::Sent { fate: Fate::Dropped(reason), .. } = *event {
            log.note(reason);
        }
    });
    sim.host("receiver", || async {
        sleep(HOUR).await;
        Ok(())
    });
    sim.host("sender", || async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.send_to(&[0; 1], "receiver:7").await?;
        sleep(MINUTE).await;
        for _ in 0..5_000 {
            socket.send_to(&[0; 1_000], "receiver:7").await?;
        }
        Ok(())
    });
    // The flood is on its way.
    sim.run_for(MINUTE + Duration::from_micros(500)).unwrap();
    let sizes = sim.table_sizes();
    let charge = 14 + 20 + 8 + 1_000 + 256;
    assert_eq!(sizes.frames_in_flight, (1 << 20) / charge);
    assert_eq!(sizes.bytes_in_flight, sizes.frames_in_flight * charge);
    let dropped = 5_000 - sizes.frames_in_flight;
    assert_eq!(sim.dropped(DropReason::InFlightLimit), dropped as u64);
    assert_eq!(limit_met.all(), vec![DropReason::InFlightLimit; dropped]);
    // It has arrived.
    sim.run_for(MINUTE).unwrap();
    assert_eq!(sim.table_sizes().bytes_in_flight, 0);
}

#[test]
fn a_limit_of_a_link_is_its_own_and_is_given_back_on_arrival() {
    let mut sim = Sim::new(1);
    sim.link("receiver", "sender").in_flight(10 * (42 + 100 + 256)).duplicate(0.5);
    sim.host("receiver", || async {
        sleep(HOUR).await;
        Ok(())
    });
    sim.host("other", || async {
        sleep(HOUR).await;
        Ok(())
    });
    sim.host("sender", || async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for _ in 0..50 {
            for _ in 0..20 {
                socket.send_to(&[0; 100], "receiver:7").await?;
                socket.send_to(&[0; 100], "other:7").await?;
            }
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    });
    sim.run_for(MINUTE).unwrap();
    assert_eq!(sim.counters("other").unwrap().udp_no_ports, 50 * 20);
    let arrived = sim.counters("receiver").unwrap().udp_no_ports;
    let dropped = sim.dropped(DropReason::InFlightLimit);
    assert!((50 * 10..=50 * 11).contains(&arrived), "{arrived}");
    assert!((50 * 10..50 * 16).contains(&dropped), "{dropped}");
}

#[test]
fn absurd_numbers_cost_nothing_and_break_nothing() {
    let mut sim = Sim::new(1);
    let options = HostOptions::default()
        .syn_retries(u32::MAX)
        .synack_retries(u32::MAX)
        .retries(u32::MAX)
        .orphan_retries(u32::MAX)
        .fin_timeout(Duration::MAX)
        .time_wait(Duration::MAX)
        .ack_delay(Duration::MAX)
        .max_connections(usize::MAX);
    sim.host_options("client", options.clone()).host_options("server", options);
    common::echo_host(&mut sim, "server");
    sim.client("client", async {
        // Each computes how long it may last: 4 billion steps a piece would not end here.
        for _ in 0..1_000 {
            let mut stream = TcpStream::connect("server:7").await?;
            stream.write_all(b"x").await?;
            stream.read_exact(&mut [0; 1]).await?;
        }
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_link_with_a_delay_beyond_the_worlds_time_delivers_nothing() {
    let mut sim = Sim::new(1);
    common::echo_host(&mut sim, "server");
    let mut link = sim.link("client", "server");
    link.delay(Duration::MAX).jitter(Duration::MAX);
    link.reorder(1.0).duplicate(1.0).rate(1);
    sim.client("client", async {
        let error = TcpStream::connect("server:7").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        Ok(())
    });
    sim.run().unwrap();
}
