//! How a run ends, what it says when it fails, and what is wrong before it begins.

use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::sleep;
use glassnet::{Failure, HostOptions, Impairments, Sim};
use tokio::io::AsyncReadExt;

#[test]
fn a_run_ends_when_all_clients_have_though_hosts_run_for_ever() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("host", || async { for_ever().await });
    sim.client("quick", async { Ok(()) });
    sim.client("slow", async {
        sleep(secs(10)).await;
        Ok(())
    });
    sim.run()?;
    assert_eq!(sim.now().since_start(), secs(10));
    Ok(())
}

#[test]
fn a_run_without_clients_after_one_for_a_time_ends_at_once() -> glassnet::Result {
    let mut sim = with_echo_server();
    sim.run_for(secs(1))?;
    sim.run()?;
    assert_eq!(sim.now().since_start(), secs(1));
    Ok(())
}

#[test]
fn hosts_can_be_added_between_runs() -> glassnet::Result {
    let mut sim = with_echo_server();
    for round in 0..3 {
        sim.client(&format!("client{round}"), async {
            let stream = TcpStream::connect("server:7").await?;
            assert_eq!(exchange(stream, b"data".to_vec()).await?, b"data");
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

#[test]
fn the_first_error_of_a_client_is_that_of_the_run() {
    let mut sim = Sim::new(77);
    sim.client("late", async {
        sleep(secs(2)).await;
        Err(io::Error::from(io::ErrorKind::NotFound).into())
    });
    sim.client("early", async {
        sleep(secs(1)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionRefused).into())
    });
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Client { name, .. } if name == "early"));
    assert_eq!((error.seed(), error.time().since_start()), (77, secs(1)));
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
    let report = error.to_string();
    assert!(report.contains("early") && report.contains("connection refused"), "{report}");
}

#[test]
fn an_error_of_a_socket_keeps_its_kind_and_number_through_the_run() {
    let mut sim = with_echo_server();
    sim.client("client", async {
        TcpStream::connect("server:8").await?;
        Ok(())
    });
    let error = failure(sim.run());
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(source.raw_os_error(), Some(ECONNREFUSED));
}

#[test]
fn an_error_of_a_host_fails_the_run() {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        sleep(secs(1)).await;
        Err("out of paper".into())
    });
    sim.client("client", async {
        sleep(secs(2)).await;
        Ok(())
    });
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Host { name, .. } if name == "server"));
    assert_eq!(error.time().since_start(), secs(1));
    assert!(error.to_string().contains("out of paper"));
}

#[test]
fn a_host_that_fails_at_once_fails_the_run() {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        TcpListener::bind("192.0.2.1:7").await?;
        Ok(())
    });
    sim.client("client", async { Ok(()) });
    assert!(matches!(failure(sim.run()).failure(), Failure::Host { name, .. } if name == "server"));
}

#[test]
fn a_run_after_one_that_failed_fails_and_says_what_the_first_said() {
    let mut sim = Sim::new(1);
    sim.client("client", async { Err("the first".into()) });
    failure(sim.run());
    for again in [sim.run(), sim.run_for(secs(1))] {
        let error = failure(again);
        assert!(matches!(error.failure(), Failure::FailedBefore { .. }), "{error}");
        assert!(error.to_string().contains("client `client` failed: the first"), "{error}");
    }
}

#[test]
fn an_error_of_a_client_fails_a_run_for_a_time_too() {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        sleep(secs(1)).await;
        Err("half way".into())
    });
    assert!(failure(sim.run_for(secs(5))).to_string().contains("half way"));
}

#[test]
fn a_run_for_a_time_moves_the_clock_exactly_that_far() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("host", || async { for_ever().await });
    sim.run_for(Duration::from_nanos(1))?;
    assert_eq!(sim.now().since_start(), Duration::from_nanos(1));
    sim.run_for(Duration::ZERO)?;
    assert_eq!(sim.now().since_start(), Duration::from_nanos(1));
    sim.run_for(secs(3_600))?;
    assert_eq!(sim.now().since_start(), secs(3_600) + Duration::from_nanos(1));
    Ok(())
}

#[test]
fn a_run_for_a_time_includes_what_happens_at_its_end_and_nothing_later() -> glassnet::Result {
    let ticks = Log::new();
    let note = ticks.clone();
    let mut sim = Sim::new(1);
    sim.host("host", move || {
        let note = note.clone();
        async move {
            loop {
                sleep(secs(1)).await;
                note.note(now());
            }
        }
    });
    sim.run_for(secs(3))?;
    assert_eq!(ticks.all(), [secs(1), secs(2), secs(3)]);
    sim.run_for(ms(999))?;
    assert_eq!(ticks.len(), 3);
    sim.run_for(ms(1))?;
    assert_eq!(ticks.len(), 4);
    Ok(())
}

#[test]
fn waiting_for_ever_is_no_error_of_a_run_for_a_time() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", std::future::pending());
    sim.run_for(secs(10))?;
    assert_eq!(sim.now().since_start(), secs(10));
    Ok(())
}

#[test]
fn a_deadlock_names_each_task_and_what_it_waits_for() {
    let mut sim = Sim::new(1);
    sim.client("server", async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (_stream, _) = listener.accept().await?;
        listener.accept().await?;
        Ok(())
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.read_u8().await?;
        Ok(())
    });
    sim.client("odd", std::future::pending());
    sim.client("parent", async {
        glassnet::spawn(std::future::pending::<()>()).await?;
        Ok(())
    });
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Deadlock));
    let report = error.to_string();
    for expected in [
        "deadlock",
        "for accept on 0.0.0.0:7",
        "for read on 10.0.0.2:",
        "from 10.0.0.1:7",
        "odd: main spawned at tests",
        "for the end of the task spawned at tests",
        "parent: task spawned at tests",
    ] {
        assert!(report.contains(expected), "{expected:?} is not in\n{report}");
    }
}

#[test]
fn a_limit_of_events_ends_a_run_that_would_go_on() {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        loop {
            sleep(secs(1)).await;
        }
    });
    let error = failure(sim.event_limit(1_000).run());
    assert!(matches!(error.failure(), Failure::EventLimit { limit: 1_000, .. }));
    assert_eq!(sim.events(), 1_000);
    assert!(error.to_string().contains("1000"));
}

#[test]
fn a_task_that_spins_fails_the_run_and_does_not_hang_it() {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        loop {
            glassnet::task::yield_now().await;
        }
    });
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Spinning { .. }), "{error}");
    assert!(error.to_string().contains("spins"));
}

#[test]
fn two_tasks_that_wake_each_other_fail_the_run_and_do_not_hang_it() {
    let mut sim = Sim::new(1);
    for name in ["one", "two"] {
        sim.client(name, async {
            loop {
                glassnet::spawn(async {}).await?;
            }
        });
    }
    assert!(matches!(failure(sim.run()).failure(), Failure::Spinning { .. }));
}

fn panic_text(result: std::thread::Result<glassnet::Result>) -> String {
    let payload = result.expect_err("the run must panic");
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("a panic with a text")
}

#[test]
fn a_panic_of_a_client_is_a_panic_of_the_run() {
    let mut sim = with_echo_server();
    sim.client("client", async {
        let _stream = TcpStream::connect("server:7").await?;
        panic!("the client is wrong");
    });
    let result = catch_unwind(AssertUnwindSafe(|| sim.run()));
    assert_eq!(panic_text(result), "the client is wrong");
}

#[test]
fn a_panic_of_a_spawned_task_or_a_host_is_a_panic_of_the_run() {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        let task = glassnet::spawn(async { panic!("the task is wrong") });
        task.await?;
        Ok(())
    });
    assert_eq!(panic_text(catch_unwind(AssertUnwindSafe(|| sim.run()))), "the task is wrong");
    let mut sim = Sim::new(1);
    sim.host("host", || async { panic!("the host is wrong") });
    let result = catch_unwind(AssertUnwindSafe(|| sim.run_for(secs(1))));
    assert_eq!(panic_text(result), "the host is wrong");
}

#[test]
fn another_world_runs_after_one_has_panicked() -> glassnet::Result {
    let mut wrong = Sim::new(1);
    wrong.client("client", async { panic!("wrong") });
    assert!(catch_unwind(AssertUnwindSafe(|| wrong.run())).is_err());
    let mut right = with_echo_server();
    right.client("client", async {
        exchange(TcpStream::connect("server:7").await?, b"data".to_vec()).await?;
        Ok(())
    });
    right.run()
}

/// Sets up two good hosts, does `wrong`, and returns what the run says.
fn setup_error(wrong: impl FnOnce(&mut Sim)) -> String {
    let mut sim = with_echo_server();
    sim.client("client", async { Ok(()) });
    wrong(&mut sim);
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Setup { .. }), "{error}");
    error.to_string()
}

#[test]
fn a_name_given_twice_is_an_error_of_the_run() {
    let error = setup_error(|sim| echo_host(sim, "client"));
    assert!(error.contains("\"client\""), "{error}");
}

#[test]
fn a_name_that_cannot_be_resolved_is_an_error_of_the_run() {
    let long = "x".repeat(64);
    for name in ["", "two words", "a:7", "localhost", "höst", long.as_str(), "a/b"] {
        let error = setup_error(|sim| echo_host(sim, name));
        assert!(error.contains(&format!("{name:?}")), "{name:?}: {error}");
    }
}

#[test]
fn a_name_that_reads_as_an_address_is_an_error_of_the_run() {
    // It could never be resolved: an address goes before a name.
    let error = setup_error(|sim| echo_host(sim, "10.0.0.77"));
    assert!(error.contains("10.0.0.77"), "{error}");
}

#[test]
fn an_impossible_impairment_is_an_error_of_the_run() {
    type Wrong = fn(&mut Sim);
    let all: [(&str, Wrong); 8] = [
        ("loss", |sim| {
            sim.link("client", "server").loss(2.0);
        }),
        ("loss", |sim| {
            sim.link("client", "server").loss(-0.1);
        }),
        ("loss", |sim| {
            sim.link("client", "server").loss(f64::NAN);
        }),
        ("duplicate", |sim| {
            sim.link("client", "server").duplicate(1.01);
        }),
        ("reorder", |sim| {
            sim.one_way("client", "server").reorder(-1.0);
        }),
        ("rate", |sim| {
            sim.link("client", "server").rate(0);
        }),
        ("queue", |sim| {
            sim.link("client", "server").queue(0);
        }),
        ("loss", |sim| {
            let wrong = Impairments::default().loss(7.0);
            sim.link("client", "server").impairments(wrong);
        }),
    ];
    for (what, wrong) in all {
        let error = setup_error(wrong);
        for expected in [what, "client", "server"] {
            assert!(error.contains(expected), "{expected} is not in {error}");
        }
    }
}

#[test]
fn an_unknown_host_is_an_error_of_the_run() {
    type Wrong = fn(&mut Sim);
    let all: [(&str, Wrong); 5] = [
        ("link", |sim| {
            sim.link("client", "nobody").loss(0.1);
        }),
        ("one_way", |sim| {
            sim.one_way("nobody", "client").loss(0.1);
        }),
        ("host_options", |sim| {
            sim.host_options("nobody", HostOptions::default());
        }),
        ("capture", |sim| sim.capture("nobody", scratch("unknown.pcapng")).unwrap()),
        ("capture_link", |sim| {
            sim.capture_link("client", "nobody", scratch("unknown-link.pcapng")).unwrap();
        }),
    ];
    for (what, wrong) in all {
        let error = setup_error(wrong);
        assert!(error.contains("\"nobody\""), "{what}: {error}");
    }
}

#[test]
fn a_link_from_a_host_to_itself_is_an_error_of_the_run() {
    // Loopback never reaches a link: the impairments would be accepted and ignored.
    let error = setup_error(|sim| {
        sim.link("client", "client").loss(0.5);
    });
    assert!(error.contains("client"), "{error}");
}

#[test]
fn hosts_may_be_named_before_they_exist() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(ms(30));
    sim.host_options("client", HostOptions::default());
    sim.capture("client", scratch("named-before.pcapng"))?;
    echo_host(&mut sim, "server");
    sim.client("client", async {
        TcpStream::connect("server:7").await?;
        assert!(now() >= ms(60) && now() <= ms(120), "{:?}", now());
        Ok(())
    });
    sim.run()
}

#[test]
fn impossible_options_are_an_error_of_the_run() {
    let default = HostOptions::default;
    let all = [
        ("mtu", default().mtu(67)),
        ("mtu", default().mtu(65_536)),
        ("recv_buffer", default().recv_buffer(0)),
        ("recv_buffer", default().recv_buffer((1 << 30) + 1)),
        ("send_buffer", default().send_buffer(0)),
        ("syn_backlog", default().syn_backlog(0)),
    ];
    for (what, options) in all {
        let error = setup_error(|sim| {
            sim.host_options("client", options);
        });
        assert!(error.contains(what) && error.contains("\"client\""), "{what}: {error}");
    }
}

#[test]
fn options_of_a_running_host_are_an_error_of_the_next_run() -> glassnet::Result {
    let mut sim = with_echo_server();
    sim.run_for(secs(1))?;
    sim.host_options("server", HostOptions::default());
    assert!(failure(sim.run_for(secs(1))).to_string().contains("\"server\""));
    Ok(())
}

#[test]
fn a_client_that_crashes_counts_as_ended() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("client", std::future::pending());
    sim.run_for(secs(1))?;
    sim.crash("client");
    sim.run()
}

#[test]
fn a_host_crashed_before_the_first_run_is_down_until_it_is_bounced() -> glassnet::Result {
    let mut sim = with_echo_server();
    sim.crash("server");
    sim.client("client", async {
        assert_eq!(errno(TcpStream::connect("server:7").await), Some(EHOSTUNREACH));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_crash_and_a_bounce_twice_are_no_more_than_once() -> glassnet::Result {
    let starts = Log::new();
    let note = starts.clone();
    let mut sim = Sim::new(1);
    sim.host("host", move || {
        note.note(now());
        async { for_ever().await }
    });
    sim.run_for(secs(1))?;
    sim.crash("host");
    sim.crash("host");
    sim.run_for(secs(1))?;
    sim.bounce("host");
    sim.run_for(secs(1))?;
    assert_eq!(starts.all(), [secs(0), secs(2)]);
    Ok(())
}

#[test]
fn a_failed_run_reports_seed_time_netstat_frames_capture_and_replay() {
    let path = scratch("report.pcapng");
    let mut sim = Sim::new(4_711);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let _stream = TcpStream::connect("server:7").await?;
        sleep(ms(250)).await;
        Err("enough".into())
    });
    sim.capture("client", &path).unwrap();
    sim.capture_link("client", "server", scratch("report-link.pcapng")).unwrap();
    let error = failure(sim.run());
    for report in [error.to_string(), format!("{error:?}")] {
        for expected in [
            "failed: enough",
            "seed 4711",
            "0.254000000s",
            "for accept on 0.0.0.0:7",
            "LISTEN",
            "ESTAB ",
            "last frames",
            "client -> server: ARP who has 10.0.0.1 tell 10.0.0.2",
            "SYN ACK",
            path.to_str().unwrap(),
            "report-link.pcapng",
            "--test it run::a_failed_run_reports_seed_time_netstat_frames_capture_and_replay -- --exact",
        ] {
            assert!(report.contains(expected), "{expected:?} is not in\n{report}");
        }
    }
}

#[test]
fn a_report_stays_short_however_large_the_world() {
    let mut sim = with_echo_server();
    for number in 0..200 {
        sim.client(&format!("client{number}"), async {
            let mut stream = TcpStream::connect("server:7").await?;
            stream.read_u8().await?;
            Ok(())
        });
    }
    let report = failure(sim.run()).to_string();
    assert!(report.lines().count() < 120, "{} lines", report.lines().count());
    assert!(report.contains("more"), "it says that there is more");
}

#[test]
fn a_full_disk_is_an_error_of_the_run() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let mut sim = with_echo_server();
    sim.client("client", async {
        exchange(TcpStream::connect("server:7").await?, b"data".to_vec()).await?;
        Ok(())
    });
    sim.capture("client", full).expect("it is found out when it is written");
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Capture { .. }), "{error}");
    assert!(error.to_string().contains("/dev/full"), "{error}");
}

#[test]
fn a_full_disk_is_an_error_of_a_long_run_before_its_end() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let mut sim = with_echo_server();
    sim.client("client", async {
        for _ in 0..1_000 {
            exchange(TcpStream::connect("server:7").await?, pattern(10_000)).await?;
        }
        Ok(())
    });
    sim.capture("client", full).unwrap();
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Capture { .. }), "{error}");
    assert!(error.time().since_start() < secs(1), "{}", error.time());
}

#[test]
fn a_full_disk_is_told_beside_the_error_of_a_client_that_fails_at_that_moment() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let mut sim = with_echo_server();
    let (sent, all_is_sent) = tokio::sync::oneshot::channel();
    sim.client("client", async {
        let socket = glassnet::net::UdpSocket::bind("0.0.0.0:0").await?;
        socket.send_to(b"who is there", "server:9").await?;
        sleep(secs(1)).await;
        // More than waits to be written, in one instant.
        for _ in 0..100 {
            socket.send_to(&[7; 1_000], "server:9").await?;
        }
        let _ = sent.send(());
        sleep(secs(1)).await;
        Ok(())
    });
    sim.client("other", async {
        all_is_sent.await?;
        Err("too bad".into())
    });
    sim.capture("client", full).unwrap();
    let error = failure(sim.run());
    assert!(matches!(error.failure(), Failure::Client { .. }), "{error}");
    assert!(error.to_string().contains("also: cannot write the capture /dev/full"), "{error}");
}

#[test]
fn a_foreign_file_is_never_overwritten() {
    let path = scratch("foreign.txt");
    std::fs::write(&path, "not a capture").unwrap();
    let mut sim = with_echo_server();
    let error = sim.capture("server", &path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("foreign.txt"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"not a capture");
}

#[test]
fn a_capture_of_glassnets_is_replaced() -> glassnet::Result {
    let path = scratch("replaced.pcapng");
    let mut lengths = Vec::new();
    for len in [50_000, 1] {
        let mut sim = with_echo_server();
        sim.client("client", async move {
            exchange(TcpStream::connect("server:7").await?, pattern(len)).await?;
            Ok(())
        });
        sim.capture("client", &path)?;
        sim.run()?;
        lengths.push(std::fs::metadata(&path)?.len());
    }
    assert!(lengths[0] > 100_000 && lengths[1] < 10_000, "{lengths:?}");
    Ok(())
}

#[test]
fn a_capture_is_written_to_its_end_when_the_run_fails() -> glassnet::Result {
    let path = scratch("failing.pcapng");
    let mut sim = with_echo_server();
    sim.client("client", async {
        exchange(TcpStream::connect("server:7").await?, b"needle in the hay".to_vec()).await?;
        Err("too bad".into())
    });
    sim.capture("client", &path)?;
    failure(sim.run());
    let file = std::fs::read(&path)?;
    assert!(file.windows(6).any(|window| window == b"needle"));
    Ok(())
}

#[test]
fn a_capture_goes_on_in_the_next_run() -> glassnet::Result {
    let path = scratch("two-runs.pcapng");
    let mut sim = with_echo_server();
    sim.capture("server", &path)?;
    for name in ["one", "two"] {
        sim.client(name, async move {
            let data = format!("from {name}").into_bytes();
            exchange(TcpStream::connect("server:7").await?, data).await?;
            Ok(())
        });
        sim.run()?;
    }
    drop(sim);
    let file = std::fs::read(&path)?;
    for expected in ["from one", "from two"] {
        assert!(file.windows(8).any(|window| window == expected.as_bytes()), "{expected}");
    }
    Ok(())
}

#[test]
fn retransmissions_are_counted() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            read_all(&mut stream).await?;
            Ok(())
        },
        |mut stream| async move {
            tokio::io::AsyncWriteExt::write_all(&mut stream, &pattern(100_000)).await?;
            Ok(())
        },
    );
    sim.link("client", "server").loss(0.05);
    let wire = Wire::watch(&mut sim);
    sim.run()?;
    let mut seen = std::collections::BTreeSet::new();
    let again = |(host, seq, len, syn, fin): (&str, u32, u32, bool, bool)| {
        (len > 0 || syn || fin) && !seen.insert((host.to_owned(), seq))
    };
    let sent: Vec<_> = ["client", "server"]
        .into_iter()
        .flat_map(|host| wire.segments(host).into_iter().map(move |(_, it)| (host, it)))
        .collect();
    let repeated = sent
        .iter()
        .map(|(host, it)| (*host, it.seq, it.len, it.syn, it.fin))
        .filter({
            let mut again = again;
            move |it| again(*it)
        })
        .count();
    assert!(sim.retransmissions() > 0);
    assert!(sim.retransmissions() >= repeated as u64, "{} of {repeated}", sim.retransmissions());
    Ok(())
}

#[test]
fn a_capture_of_a_link_asked_for_between_runs_has_the_states_of_its_ends() -> glassnet::Result {
    let path = scratch("late-link.pcapng");
    let mut sim = with_echo_server();
    sim.client("client", async {
        sleep(secs(2)).await;
        exchange(TcpStream::connect("server:7").await?, b"late".to_vec()).await?;
        Ok(())
    });
    sim.run_for(secs(1))?;
    sim.capture_link("client", "server", &path)?;
    sim.run()?;
    let file = std::fs::read(&path)?;
    for expected in ["SYN-SENT -> ESTABLISHED", "SYN-RECEIVED -> ESTABLISHED"] {
        let found = file.windows(expected.len()).any(|window| window == expected.as_bytes());
        assert!(found, "{expected}");
    }
    Ok(())
}
