//! Datagrams to a neighbour whose Ethernet address is not known yet, and frames that die at a
//! host: nothing vanishes without a trace.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::common;
use glassnet::net::UdpSocket;
use glassnet::net::socket::{Domain, Protocol, SockAddr, Socket, Type};
use glassnet::time::{sleep, timeout};
use glassnet::{DropReason, Event, Sim};

/// Reads datagrams until none has come for three seconds; nothing is lost to a reader that reads,
/// though its receive buffer holds fewer.
async fn count(port: u16) -> glassnet::Result<Vec<u32>> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))))?;
    let (mut numbers, mut buffer) = (Vec::new(), vec![0; 65_536]);
    while let Ok(received) = timeout(Duration::from_secs(3), socket.recv_from(&mut buffer)).await {
        received?;
        numbers.push(u32::from_be_bytes(buffer[..4].try_into()?));
    }
    Ok(numbers)
}

/// The rows of a capture that are no frames: they are text.
fn rows(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut datagram = vec![0; len];
    datagram[..4].copy_from_slice(&number.to_be_bytes());
    datagram
}

/// Sends `total` datagrams of `len` bytes at once to a host not heard of before; what arrives.
fn burst(total: u32, len: usize) -> Vec<u32> {
    let mut sim = Sim::new(1);
    let arrived = Rc::new(RefCell::new(Vec::new()));
    let numbers = arrived.clone();
    sim.client("receiver", async move {
        *numbers.borrow_mut() = count(47_808).await?;
        Ok(())
    });
    sim.client("sender", async move {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        sleep(Duration::from_millis(10)).await;
        for number in 0..total {
            socket.send_to(&numbered(number, len), "receiver:47808").await?;
        }
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(sim.dropped(DropReason::NeighborQueueFull), 0);
    assert_eq!(sim.table_sizes().packets_waiting, 0);
    arrived.take()
}

#[test]
fn a_burst_to_a_neighbour_not_yet_known_arrives_whole_and_in_order() {
    for (total, len) in [(3_000, 200), (3_000, 4), (600, 1_472)] {
        assert_eq!(burst(total, len), (0..total).collect::<Vec<u32>>(), "{total} of {len}");
    }
}

#[test]
fn a_burst_of_datagrams_in_fragments_arrives_whole_and_in_order() {
    for (total, len) in [(60, 20_000), (40, 60_000)] {
        assert_eq!(burst(total, len), (0..total).collect::<Vec<u32>>(), "{total} of {len}");
    }
}

#[test]
fn a_closed_socket_leaves_what_waits_for_the_neighbour() {
    let mut sim = Sim::new(1);
    sim.client("receiver", async {
        assert_eq!(count(7).await?, [0, 1, 2]);
        Ok(())
    });
    sim.client("sender", async {
        sleep(Duration::from_millis(10)).await;
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for number in 0..3 {
            socket.send_to(&numbered(number, 100), "receiver:7").await?;
        }
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn the_send_buffer_is_full_while_the_neighbour_is_not_known() {
    let mut sim = Sim::new(1);
    sim.client("receiver", async {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        for _ in 0..2 {
            socket.recv_from(&mut [0; 100]).await?;
        }
        Ok(())
    });
    sim.client("sender", async {
        sleep(Duration::from_millis(10)).await;
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        let to = "10.0.0.1:7".parse()?;
        let mut sent = 0;
        let error = loop {
            match socket.try_send_to(&[0; 200], to) {
                Ok(_) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        // 212,992 bytes, by 200 and what the kernel takes for each.
        assert_eq!(sent, 275);
        // Time passes, and nothing changes until the answer to the question has come.
        sleep(Duration::from_micros(1_900)).await;
        let error = socket.try_send_to(&[0; 200], to).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        socket.writable().await?;
        socket.try_send_to(&[0; 200], to)?;
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_small_send_buffer_makes_a_burst_wait_and_lose_nothing() {
    let mut sim = Sim::new(1);
    sim.client("receiver", async {
        assert_eq!(count(7).await?.len(), 500);
        Ok(())
    });
    sim.client("sender", async {
        sleep(Duration::from_millis(10)).await;
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_send_buffer_size(4_096)?;
        let to = SockAddr::from(SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 7)));
        for number in 0..500 {
            socket.send_to(&numbered(number, 300), &to).await?;
        }
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_burst_to_oneself_arrives_whole() {
    let mut sim = Sim::new(1);
    sim.client("host", async {
        let receiver = glassnet::spawn(async { count(7).await.map_err(|error| error.to_string()) });
        glassnet::task::yield_now().await;
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        for number in 0..3_000 {
            socket.send_to(&numbered(number, 200), "127.0.0.1:7").await?;
        }
        assert_eq!(receiver.await??.len(), 3_000);
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(sim.counters("host").unwrap().loopback_queue_full, 0);
}

/// What an observer is told of frames that died at a host.
type Deaths = Rc<RefCell<Vec<(String, DropReason, usize)>>>;

fn watch_deaths(sim: &mut Sim) -> Deaths {
    let deaths = Deaths::default();
    let noted = deaths.clone();
    sim.observe(move |event| {
        if let Event::Dropped { host, frame, reason, .. } = *event {
            noted.borrow_mut().push((host.to_owned(), reason, frame.len()));
        }
    });
    deaths
}

#[test]
fn datagrams_to_a_neighbour_that_never_answers_die_with_a_trace() {
    let path = common::scratch("datagrams_to_a_silent_neighbour.pcapng");
    let mut sim = Sim::new(1);
    let deaths = watch_deaths(&mut sim);
    sim.capture("sender", &path).unwrap();
    sim.client("sender", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        // Far more than the send buffer holds: the sender waits, and goes on when the neighbour
        // is given up.
        for _ in 0..400 {
            socket.send_to(&[0; 200], "10.0.0.99:7").await?;
        }
        sleep(Duration::from_secs(10)).await;
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(sim.dropped(DropReason::NeighborUnreachable), 400);
    assert_eq!(sim.counters("sender").unwrap().neighbor_unreachable, 400);
    let deaths = deaths.take();
    assert_eq!(deaths.len(), 400);
    let expected = ("sender".to_owned(), DropReason::NeighborUnreachable, 14 + 20 + 8 + 200);
    assert!(deaths.iter().all(|death| *death == expected));
    let rows = rows(&path);
    let told = rows.matches("dropped: neighbour does not answer").count();
    assert_eq!(told, 400);
}

#[test]
fn what_gives_way_in_the_queue_of_a_neighbour_is_told() {
    let mut sim = Sim::new(1);
    let deaths = watch_deaths(&mut sim);
    sim.client("receiver", async {
        sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    sim.client("sender", async {
        sleep(Duration::from_millis(10)).await;
        // Two sockets may send more than waits for one neighbour.
        let sockets = [UdpSocket::bind("0.0.0.0:0").await?, UdpSocket::bind("0.0.0.0:0").await?];
        for socket in &sockets {
            while socket.try_send_to(&[0; 200], "10.0.0.1:7".parse()?).is_ok() {}
        }
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(sim.dropped(DropReason::NeighborQueueFull), 275);
    assert_eq!(sim.counters("sender").unwrap().neighbor_queue_full, 275);
    assert_eq!(deaths.borrow().len(), 275);
}

#[test]
fn a_ping_waits_for_its_neighbour_in_the_send_buffer_too() {
    let mut sim = Sim::new(1);
    sim.client("asked", async {
        sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    sim.client("asking", async {
        sleep(Duration::from_millis(10)).await;
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))?;
        socket.set_send_buffer_size(4_096)?;
        let to = SockAddr::from(SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 0)));
        for _ in 0..50 {
            socket.send_to(&[8, 0, 0, 0, 0, 0, 0, 1, 42], &to).await?;
        }
        // The question and its answer took two milliseconds.
        assert_eq!(common::now(), Duration::from_millis(12));
        for _ in 0..50 {
            socket.recv_from(&mut [0; 100]).await?;
        }
        Ok(())
    });
    sim.run().unwrap();
}

/// A frame that is on its way when its host crashes.
fn crash_under_a_frame(sim: &mut Sim) {
    sim.host("server", || async {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        loop {
            socket.recv_from(&mut [0; 100]).await?;
        }
    });
    sim.link("client", "server").delay(Duration::from_millis(20));
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        loop {
            socket.send_to(&[0; 100], "server:7").await?;
            sleep(Duration::from_millis(8)).await;
        }
    });
    sim.run_for(Duration::from_millis(100)).unwrap();
    sim.crash("server");
}

#[test]
fn a_frame_that_reaches_a_crashed_host_dies_with_a_trace() {
    let (link, interface) =
        (common::scratch("crashed_link.pcapng"), common::scratch("crashed_interface.pcapng"));
    let mut sim = Sim::new(1);
    sim.capture_link("client", "server", &link).unwrap();
    sim.capture("server", &interface).unwrap();
    let deaths = watch_deaths(&mut sim);
    crash_under_a_frame(&mut sim);
    let on_their_way = sim.table_sizes().frames_in_flight;
    assert!(on_their_way >= 2);
    sim.run_for(Duration::from_millis(21)).unwrap();
    let died = deaths.take();
    let expected = ("server".to_owned(), DropReason::HostDown, 14 + 20 + 8 + 100);
    assert_eq!(died, vec![expected; on_their_way]);
    // Those sent after the crash die where they are sent.
    assert!(sim.dropped(DropReason::HostDown) > on_their_way as u64);
    assert_eq!(sim.table_sizes().frames_in_flight, 0);
    for path in [link, interface] {
        let rows = rows(&path);
        assert_eq!(rows.matches("lost: host server is down (packet ").count(), on_their_way);
    }
}

#[test]
fn the_report_shows_frames_that_died_at_a_crashed_host() {
    let mut sim = Sim::new(1);
    crash_under_a_frame(&mut sim);
    sim.event_limit(sim.events() + 3);
    let report = sim.run().unwrap_err().to_string();
    assert!(report.contains("frames dropped: host is down "), "{report}");
    assert!(report.contains("[dropped: host is down]"), "{report}");
}
