//! Faults: partitions of one direction and of groups, from tasks, at a time, until a guard is
//! dropped.

use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream, UdpSocket};
use glassnet::time::{sleep, timeout};
use glassnet::{DropReason, Event, Fault, LinkChange, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{Log, Wire, by_engine, echo_host, ms, now, panic_of, secs, with_echo_server};

/// A host that notes when each datagram came, and what it says.
fn listener(sim: &mut Sim, name: &'static str) -> Log<(Duration, Vec<u8>)> {
    let log = Log::new();
    let noted = log.clone();
    sim.host(name, move || {
        let log = noted.clone();
        async move {
            let socket = UdpSocket::bind("0.0.0.0:9").await?;
            let mut buffer = [0; 64];
            loop {
                let (len, _) = socket.recv_from(&mut buffer).await?;
                log.note((now(), buffer[..len].to_vec()));
            }
        }
    });
    log
}

fn texts(log: &Log<(Duration, Vec<u8>)>) -> Vec<String> {
    log.all().into_iter().map(|(_, text)| String::from_utf8(text).unwrap()).collect()
}

#[test]
fn through_a_one_way_partition_data_arrives_and_its_acknowledgments_die() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let received = Log::new();
    let noted = received.clone();
    sim.host("server", move || {
        let noted = noted.clone();
        async move {
            let (mut stream, _) = TcpListener::bind("0.0.0.0:7").await?.accept().await?;
            noted.note((now(), stream.read_u8().await?));
            stream.read_u8().await?;
            Ok(())
        }
    });
    let faults = sim.faults();
    sim.client("client", async move {
        let mut stream = TcpStream::connect("server:7").await?;
        faults.partition_one_way("server", "client");
        stream.write_u8(7).await?;
        sleep(secs(5)).await;
        faults.heal_one_way("server", "client");
        stream.write_u8(8).await?;
        Ok(())
    });
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let received = received.all();
    assert!(received.len() == 1 && received[0].1 == 7 && received[0].0 < ms(10), "{received:?}");
    let dropped: Vec<_> =
        wire.sent().into_iter().filter(|it| it.is_dropped(DropReason::Partition)).collect();
    assert!(dropped.len() >= 2, "the acknowledgment of each transmission");
    for sent in dropped {
        assert!(sent.from == "server" && sent.segment().is_some_and(|it| it.len == 0));
    }
    assert!(sim.retransmissions() >= 2);
    Ok(())
}

#[test]
fn a_partition_of_groups_cuts_between_them_and_not_within() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let names = ["a", "b", "c", "d"];
    let log = Log::new();
    for from in names {
        let log = log.clone();
        sim.host(from, move || {
            let log = log.clone();
            async move {
                let _listening = TcpListener::bind("0.0.0.0:7").await?;
                for to in names.into_iter().filter(|to| *to != from) {
                    let connected = timeout(secs(1), TcpStream::connect((to, 7))).await;
                    log.note((from, to, connected.is_ok()));
                }
                std::future::pending().await
            }
        });
    }
    sim.partition(vec!["a", "b"], ["c", "d"]);
    sim.run_for(secs(10))?;
    let log = log.all();
    assert_eq!(log.len(), 12);
    for (from, to, connected) in log {
        let is_left = |name: &str| name < "c";
        assert_eq!(connected, is_left(from) == is_left(to), "{from} {to}");
    }
    Ok(())
}

#[test]
fn a_partition_from_a_task_after_three_seconds_is_felt_from_then_on() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let heard = listener(&mut sim, "server");
    let faults = sim.faults();
    sim.client("monkey", async move {
        sleep(secs(3)).await;
        faults.partition("client", "server");
        sleep(secs(2)).await;
        faults.heal("client", "server");
        Ok(())
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for number in 0..70u32 {
            sleep(ms(100)).await;
            socket.send_to(number.to_string().as_bytes(), "server:9").await?;
        }
        Ok(())
    });
    sim.run()?;
    let during = |it: &(Duration, Vec<u8>)| it.0 > secs(3) + ms(1) && it.0 < secs(5);
    assert_eq!(heard.all().iter().filter(|it| during(it)).count(), 0);
    assert_eq!(sim.dropped(DropReason::Partition), 20);
    assert_eq!(heard.len(), 50);
    Ok(())
}

#[test]
fn a_fault_of_a_task_comes_after_what_was_sent_before_it_and_before_what_is_sent_after_it()
-> glassnet::Result {
    let mut sim = Sim::new(1);
    let heard = listener(&mut sim, "server");
    let faults = sim.faults();
    sim.client("client", async move {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        // So that the neighbour is known.
        socket.send_to(b"first", "server:9").await?;
        sleep(secs(1)).await;
        socket.connect("server:9").await?;
        // Nothing here waits.
        assert_eq!(socket.try_send(b"before").unwrap(), 6);
        faults.partition("client", "server");
        assert_eq!(socket.try_send(b"during").unwrap(), 6);
        faults.heal("client", "server");
        assert_eq!(socket.try_send(b"after").unwrap(), 5);
        sleep(secs(1)).await;
        Ok(())
    });
    sim.run()?;
    assert_eq!(texts(&heard), ["first", "before", "after"]);
    assert_eq!(sim.dropped(DropReason::Partition), 1);
    Ok(())
}

#[test]
fn what_a_task_writes_to_a_stream_before_a_fault_has_left_before_it() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    let faults = sim.faults();
    sim.client("client", async move {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.set_nodelay(true)?;
        stream.write_all(b"before").await?;
        faults.partition_one_way("client", "server");
        stream.write_all(b"during").await?;
        let mut echo = [0; 6];
        stream.read_exact(&mut echo).await?;
        assert_eq!((&echo, now() < ms(20)), (b"before", true));
        faults.heal_one_way("client", "server");
        stream.read_exact(&mut echo).await?;
        let timeout = by_engine(secs(1), ms(200));
        assert_eq!((&echo, now() > timeout), (b"during", true));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_fault_of_a_task_is_done_before_another_task_has_its_turn() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let heard = listener(&mut sim, "server");
    let faults = sim.faults();
    // Both wake in the same instant, the monkey first.
    sim.client("monkey", async move {
        sleep(secs(1)).await;
        faults.crash("victim");
        Ok(())
    });
    sim.host("victim", || async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.send_to(b"alive", "server:9").await?;
        sleep(secs(1)).await;
        socket.send_to(b"late", "server:9").await?;
        panic!("it has crashed");
    });
    sim.client("client", async {
        sleep(secs(2)).await;
        Ok(())
    });
    sim.run()?;
    assert_eq!(texts(&heard), ["alive"]);
    Ok(())
}

#[test]
fn a_task_that_crashes_its_own_host_runs_to_where_it_waits_and_nothing_of_it_leaves()
-> glassnet::Result {
    let mut sim = Sim::new(1);
    let heard = listener(&mut sim, "server");
    let log = Log::new();
    let (noted, faults) = (log.clone(), sim.faults());
    sim.client("client", async move {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.send_to(b"first", "server:9").await?;
        sleep(secs(1)).await;
        socket.connect("server:9").await?;
        socket.try_send(b"before")?;
        faults.crash("client");
        socket.try_send(b"after")?;
        noted.note("goes on");
        sleep(ms(1)).await;
        noted.note("wakes");
        Ok(())
    });
    sim.run()?;
    sim.run_for(secs(1))?;
    assert_eq!(texts(&heard), ["first", "before"]);
    assert_eq!(log.all(), ["goes on"]);
    Ok(())
}

#[test]
fn a_host_that_bounces_itself_without_end_is_a_run_that_spins() {
    let mut sim = Sim::new(1);
    sim.event_limit(5_000);
    let faults = sim.faults();
    sim.host("restless", move || {
        let faults = faults.clone();
        async move {
            faults.bounce("restless");
            std::future::pending().await
        }
    });
    let error = sim.run_for(secs(1)).unwrap_err().to_string();
    assert!(error.contains("limit") || error.contains("without the clock moving"), "{error}");
}

#[test]
fn an_observer_may_enter_a_fault_which_is_done_before_the_next_frame() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let heard = listener(&mut sim, "server");
    let faults = sim.faults();
    sim.observe(move |event| {
        // A UDP datagram that says "cut".
        if let Event::Sent { frame, .. } = event
            && frame.ends_with(b"cut")
        {
            faults.partition("client", "server");
        }
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.send_to(b"first", "server:9").await?;
        sleep(secs(1)).await;
        socket.connect("server:9").await?;
        for text in ["one", "cut", "two"] {
            socket.try_send(text.as_bytes())?;
        }
        sleep(secs(1)).await;
        Ok(())
    });
    sim.run()?;
    assert_eq!(texts(&heard), ["first", "one", "cut"]);
    Ok(())
}

#[test]
fn faults_at_a_time_happen_then_and_change_links_as_well() -> glassnet::Result {
    let mut sim = Sim::new(1);
    // The hosts come later.
    sim.at(secs(2)).link("client", "server").delay(ms(300));
    sim.at(secs(4)).partition("client", "server");
    sim.at(secs(6)).heal("client", "server");
    sim.at(secs(6)).one_way("client", "server").restore();
    let heard = listener(&mut sim, "server");
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for second in 1..=4u64 {
            sleep(secs(2 * second - 1).saturating_sub(now())).await;
            socket.send_to(second.to_string().as_bytes(), "server:9").await?;
        }
        sleep(secs(1)).await;
        Ok(())
    });
    sim.link("client", "server").delay(ms(20));
    sim.run()?;
    let arrivals: Vec<Duration> = heard.all().into_iter().map(|(time, _)| time).collect();
    assert_eq!(arrivals[1..], [secs(3) + ms(300), secs(7) + ms(20)]);
    assert_eq!(sim.dropped(DropReason::Partition), 1);
    // What is said of links stands beside what a fault has changed.
    let plan = sim.plan();
    assert!(plan.contains("link client > server delay 20ms\n"), "{plan}");
    assert!(plan.contains("at 2s link client server delay 300ms\n"), "{plan}");
    Ok(())
}

#[test]
fn a_link_that_a_fault_has_changed_stays_so_when_the_world_grows() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let heard = listener(&mut sim, "server");
    sim.host("client", || async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        loop {
            sleep(secs(2)).await;
            socket.send_to(b"hello", "server:9").await?;
        }
    });
    sim.run_for(secs(1))?;
    sim.faults().link("client", "server").delay(ms(250));
    echo_host(&mut sim, "another");
    sim.run_for(secs(4))?;
    sim.one_way("client", "server").jitter(ms(0));
    sim.run_for(secs(2))?;
    let arrivals: Vec<Duration> = heard.all().into_iter().map(|(time, _)| time).collect();
    assert_eq!(arrivals[1..], [secs(4) + ms(250), secs(6) + ms(250)]);
    Ok(())
}

#[test]
fn a_guard_ends_its_partition_and_no_other() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let heard = listener(&mut sim, "server");
    let faults = sim.faults();
    sim.client("client", async move {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.send_to(b"first", "server:9").await?;
        sleep(secs(1)).await;
        socket.connect("server:9").await?;
        let say = |text: &str| socket.try_send(text.as_bytes()).map(drop);
        let outer = faults.guarded().partition("client", "server");
        let inner = faults.guarded().partition_one_way("client", "server");
        say("both")?;
        drop(outer);
        say("inner")?;
        faults.heal("client", "server");
        say("heal ends no guard")?;
        faults.partition("client", "server");
        drop(inner);
        say("that of the call")?;
        faults.heal("client", "server");
        say("none")?;
        sleep(secs(1)).await;
        Ok(())
    });
    sim.run()?;
    assert_eq!(texts(&heard), ["first", "none"]);
    Ok(())
}

#[test]
fn a_guard_is_dropped_with_the_task_that_holds_it_also_in_a_crash() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let heard = listener(&mut sim, "server");
    let faults = sim.faults();
    // More than there are rounds in which a host's tasks end.
    sim.host("holder", move || {
        let faults = faults.clone();
        async move {
            for _ in 0..200 {
                let faults = faults.clone();
                glassnet::spawn(async move {
                    let _cut = faults.guarded().partition("client", "server");
                    std::future::pending::<()>().await;
                });
            }
            std::future::pending().await
        }
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for _ in 0..4 {
            sleep(secs(1)).await;
            socket.send_to(b"hello", "server:9").await?;
        }
        sleep(ms(100)).await;
        Ok(())
    });
    sim.run_for(secs(2) + ms(500))?;
    assert_eq!(heard.len(), 0);
    sim.crash("holder");
    sim.run()?;
    assert_eq!(heard.len(), 2);
    Ok(())
}

#[test]
fn guards_and_handles_may_outlive_their_world() {
    let (faults, guard, at) = {
        let mut sim = with_echo_server();
        sim.client("client", async { Ok(()) });
        sim.run().unwrap();
        let faults = sim.faults();
        let guard = faults.guarded().hold("client", "server");
        let at = sim.at(secs(9));
        (faults, guard, at)
    };
    faults.partition("client", "server");
    at.crash("server");
    drop(guard);
}

#[test]
fn a_fault_of_a_task_that_names_nobody_is_a_panic_of_that_task_which_names_the_known() {
    let mut sim = with_echo_server();
    sim.isolate_panics(true);
    let faults = sim.faults();
    sim.client("client", async move {
        type Enter = fn(&glassnet::Faults);
        let all: [(Enter, &str); 9] = [
            (|it| it.partition("typo", "client"), "no host is called \"typo\""),
            (|it| it.hold(["client", "typo"], "server"), "no host is called \"typo\""),
            (|it| it.crash("typo"), "no host is called \"typo\""),
            (|it| drop(it.held("typo", "client")), "no host is called \"typo\""),
            (|it| it.at(secs(9)).crash("typo"), "no host is called \"typo\""),
            (|it| it.bounce("client"), "cannot be bounced"),
            (|it| it.partition(["client", "server"], "server"), "from itself"),
            (|it| it.heal([""; 0], "server"), "empty list"),
            (|it| drop(it.link("client", "server").loss(2.0).clone()), "no probability"),
        ];
        for (enter, about) in all {
            let faults = faults.clone();
            let panic = glassnet::spawn(async move { enter(&faults) }).await.unwrap_err();
            let payload = panic.into_panic();
            let text = payload.downcast_ref::<String>().unwrap();
            assert!(text.contains(about), "{text}");
            if about.contains("typo") {
                assert!(text.contains("\"server\", \"client\""), "{text}");
            }
        }
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_time_that_has_passed_is_refused_and_an_unknown_name_by_the_next_run() {
    let mut sim = with_echo_server();
    sim.client("client", async { Ok(()) });
    sim.run_for(secs(5)).unwrap();
    let text = panic_of(|| sim.at(secs(4)).crash("server"));
    assert!(text.contains("it is 5.000000000s already"), "{text}");
    sim.at(secs(9)).crash("typo");
    let error = sim.run().unwrap_err().to_string();
    assert!(error.contains("no host is called \"typo\""), "{error}");
}

#[test]
fn an_observer_and_the_report_are_told_of_every_fault() {
    let mut sim = with_echo_server();
    let (told, faults) = (Log::new(), sim.faults());
    let noted = told.clone();
    sim.observe(move |event| {
        if let Event::Fault { time, fault } = event {
            noted.note((time.since_start(), fault.to_string()));
        }
    });
    sim.at(secs(2)).bounce("server");
    sim.client("client", async move {
        sleep(secs(1)).await;
        let guard = faults.guarded().partition_one_way("client", "server");
        sleep(secs(2)).await;
        drop(guard);
        faults.link("client", "server").loss(0.5);
        sleep(secs(1)).await;
        Err("on purpose".into())
    });
    let report = sim.run().unwrap_err().to_string();
    let told: Vec<String> =
        told.all().iter().map(|(time, fault)| format!("{}s {fault}", time.as_secs())).collect();
    let expected = [
        "1s partition client > server",
        "2s bounce server",
        "3s heal client > server",
        "3s link client server loss 50%",
    ];
    assert_eq!(told, expected);
    let lines: Vec<&str> = report.lines().collect();
    let title = lines.iter().position(|line| *line == "faults:").unwrap();
    for (line, fault) in lines[title + 1..].iter().zip(expected) {
        let (_, fault) = fault.split_once(' ').unwrap();
        assert!(line.ends_with(fault), "{line}");
    }
}

#[test]
fn a_world_of_the_faults_that_a_plan_prints_does_the_same() -> glassnet::Result {
    let world = |faults: &[(Duration, Fault)]| {
        let mut sim = Sim::new(3);
        listener(&mut sim, "server");
        sim.client("client", async {
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            for number in 0..100u32 {
                sleep(ms(100)).await;
                socket.send_to(number.to_string().as_bytes(), "server:9").await?;
            }
            Ok(())
        });
        for (at, fault) in faults {
            sim.at(*at).fault(fault.clone());
        }
        let wire = Wire::watch(&mut sim);
        (sim, wire)
    };
    let (mut sim, wire) = world(&[]);
    sim.at(secs(1)).link("client", "server").loss(0.3);
    sim.at(secs(4)).link("client", "server").loss(0.0);
    sim.at(secs(4)).hold_one_way("client", "server");
    sim.at(secs(5)).release_one_way("client", "server");
    sim.run_for(secs(6) + ms(50))?;
    // One that the test enters by hand is in the plan, too.
    sim.partition("client", "server");
    sim.run_for(secs(1))?;
    sim.heal("client", "server");
    sim.run()?;
    let plan = sim.plan();
    let read = |line: &str| {
        let (at, fault) = line.strip_prefix("at ")?.split_once(' ')?;
        let at: f64 = at.strip_suffix('s').unwrap().parse().unwrap();
        Some((Duration::from_nanos((at * 1e9).round() as u64), fault.parse().unwrap()))
    };
    let faults: Vec<(Duration, Fault)> = plan.lines().filter_map(read).collect();
    assert_eq!(faults.len(), 6, "{plan}");
    assert!(matches!(&faults[0].1, Fault::Link { change: LinkChange::Loss(_), .. }));
    let (mut again, wire_again) = world(&faults);
    again.run()?;
    assert_eq!(again.plan(), plan);
    assert_eq!(wire_again.sent(), wire.sent());
    assert!(sim.dropped(DropReason::Loss) > 0 && sim.dropped(DropReason::Partition) == 10);
    Ok(())
}
