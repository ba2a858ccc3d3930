//! What the report of a failed run says: who failed, where it was spawned, and what it waited for.

use std::future::Future;
use std::process::Output;

use crate::again_though_ignored;
use crate::common::*;
use glassnet::Sim;
use glassnet::net::socket::{Domain, Socket, Type};
use glassnet::net::{TcpListener, TcpStream, UdpSocket};
use glassnet::time::sleep;

/// The place of the line of this file that follows the comment `// <mark>:`.
fn place_of(mark: &str) -> String {
    let marked = format!("// {mark}:");
    let line = include_str!("report.rs").lines().position(|line| line.trim() == marked);
    format!("{}:{}:", file!(), line.unwrap() + 2)
}

/// Runs one of the ignored tests of this file in a process of its own.
fn run_ignored(test: &str) -> Output {
    again_though_ignored(module_path!(), test).output().unwrap()
}

fn stderr_of_failing(test: &str) -> String {
    let output = run_ignored(test);
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_contains(report: &str, expected: &str) {
    assert!(report.contains(expected), "{expected:?} is not in\n{report}");
}

#[test]
#[ignore = "run by the tests below"]
fn a_spawned_task_that_panics() {
    let mut sim = Sim::new(7);
    sim.host("server", || async {
        sleep(ms(3)).await;
        // the spawn:
        glassnet::spawn(async { panic!("wrong") });
        for_ever().await
    });
    // the client:
    sim.client("client", std::future::pending());
    let _ = sim.run();
}

#[test]
fn a_panic_names_the_host_and_where_its_task_was_spawned() {
    let stderr = stderr_of_failing("a_spawned_task_that_panics");
    let place = place_of("the spawn");
    assert_contains(&stderr, &format!("host `server`: task spawned at {place}"));
    assert_contains(&stderr, " panicked (seed 7, at 0.003000000s)");
    assert_contains(&stderr, &format!("client: main spawned at {}", place_of("the client")));
}

#[test]
#[ignore = "run by the tests below"]
fn a_main_task_that_panics_as_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on its way out");
        }
    }
    let mut sim = Sim::new(7);
    // the bomb:
    sim.client("client", async {
        let _bomb = Bomb;
        Ok(())
    });
    let _ = sim.run();
}

#[test]
fn a_panic_while_a_task_is_dropped_names_it_too() {
    let stderr = stderr_of_failing("a_main_task_that_panics_as_it_is_dropped");
    assert_contains(&stderr, "host `client`: main spawned at ");
    assert_contains(&stderr, " panicked (seed 7");
}

#[test]
#[ignore = "run by the tests below"]
fn an_observer_that_panics() {
    let mut sim = with_echo_server();
    sim.client("client", async {
        TcpStream::connect("server:7").await?;
        Ok(())
    });
    sim.observe(|_| panic!("wrong"));
    let _ = sim.run();
}

#[test]
fn a_panic_of_an_observer_is_blamed_on_no_task() {
    let stderr = stderr_of_failing("an_observer_that_panics");
    assert_contains(&stderr, "something outside of all tasks panicked (seed 1");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the tests below"]
fn a_task_of_a_live_host_that_panics() {
    let cable = scratch("panicking.cable");
    let mut live = glassnet::Live::cable(&cable).unwrap();
    let _ = live.hostname("lone").run(async {
        // the live spawn:
        glassnet::spawn(async { panic!("wrong") }).await?;
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_panic_of_a_live_host_names_the_host_and_where_its_task_was_spawned() {
    let stderr = stderr_of_failing("a_task_of_a_live_host_that_panics");
    let place = place_of("the live spawn");
    assert_contains(&stderr, &format!("host `lone`: task spawned at {place}"));
    assert_contains(&stderr, "lone: main spawned at ");
    assert_contains(&stderr, &format!(" for the end of the task spawned at {place}"));
}

#[test]
fn a_waiting_task_says_where_it_was_spawned_and_since_when_it_waits() {
    let mut sim = Sim::new(1);
    // the listener:
    sim.client("server", async {
        sleep(ms(1_500)).await;
        TcpListener::bind("0.0.0.0:7").await?.accept().await?;
        Ok(())
    });
    // the parent:
    sim.client("parent", async {
        // the child:
        let child = glassnet::spawn(async {
            sleep(ms(20)).await;
            std::future::pending::<()>().await;
        });
        child.await?;
        Ok(())
    });
    let report = failure(sim.run()).to_string();
    let lines = |host: &str| -> Vec<String> {
        let of_host = report.lines().filter(|line| line.starts_with(&format!("  {host}: ")));
        of_host.map(str::to_owned).collect()
    };
    let server = lines("server").remove(0);
    let place = place_of("the listener");
    assert_contains(&server, &format!("server: main spawned at {place}"));
    assert_contains(&server, " waits since 1.500000000s for accept on 0.0.0.0:7");
    let child = place_of("the child");
    let [main, spawned] = &lines("parent")[..] else { panic!("{report}") };
    assert_contains(main, &format!("parent: main spawned at {}", place_of("the parent")));
    assert_contains(
        main,
        &format!(" waits since 0.000000000s for the end of the task spawned at {child}"),
    );
    assert_contains(spawned, &format!("parent: task spawned at {child}"));
    assert_contains(
        spawned,
        " waits since 0.020000000s for something that is neither a socket nor a timer",
    );
}

#[test]
fn a_task_that_waits_for_a_tokio_runtime_gets_a_hint() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut sim = Sim::new(1);
    sim.client("client", async {
        tokio::time::sleep(ms(1)).await;
        Ok(())
    });
    assert_contains(&failure(sim.run()).to_string(), "an entered tokio runtime");
    let mut sim = Sim::new(1);
    sim.client("client", async {
        TcpListener::bind("0.0.0.0:7").await?.accept().await?;
        Ok(())
    });
    let report = failure(sim.run()).to_string();
    assert!(!report.contains("hint: "), "{report}");
    // That a host waits for a channel is no reason for another's failure.
    let mut sim = Sim::new(1);
    sim.host("server", || async { for_ever().await });
    sim.client("client", async { Err("out of paper".into()) });
    let report = failure(sim.run()).to_string();
    assert!(!report.contains("hint: "), "{report}");
}

fn last_frames(report: &str) -> Vec<&str> {
    let frames = report.lines().skip_while(|line| *line != "last frames:").skip(1);
    frames.take_while(|line| line.starts_with("  ")).collect()
}

#[test]
fn frames_of_a_report_say_whom_arp_asks_and_count_sequence_numbers_from_the_syn() {
    let mut sim = with_echo_server();
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"hello").await?;
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut [0; 5]).await?;
        sleep(secs(1)).await;
        Err("enough".into())
    });
    let report = failure(sim.run()).to_string();
    let frames = last_frames(&report);
    let of = |mark: &str| *frames.iter().find(|frame| frame.contains(mark)).expect(&report);
    assert!(of("ARP who").ends_with("client -> server: ARP who has 10.0.0.1 tell 10.0.0.2"));
    assert!(of("ARP reply").ends_with("ARP reply 10.0.0.1 is at 02:00:00:00:00:01"), "{report}");
    assert_contains(of(" SYN seq="), " > 10.0.0.1:7 SYN seq=0 win=65535 (ISN ");
    assert_contains(of(" SYN ACK "), " SYN ACK seq=0 ack=1 ");
    assert_contains(of("len=5"), " seq=1 ack=1 len=5 ");
    assert_contains(&report, " ack=6 ");
    assert_contains(&report, " PSH ACK seq=1 ack=6 len=5 ");
}

#[test]
fn sequence_numbers_count_from_a_syn_that_was_long_ago() {
    let mut sim = with_echo_server();
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        for _ in 0..100 {
            tokio::io::AsyncWriteExt::write_all(&mut stream, &[0; 100]).await?;
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut [0; 100]).await?;
        }
        sleep(secs(1)).await;
        Err("enough".into())
    });
    let report = failure(sim.run()).to_string();
    assert!(last_frames(&report).iter().all(|frame| !frame.contains("SYN")), "{report}");
    assert_contains(&report, " seq=9901 ack=9901 len=100 ");
    assert_contains(&report, " seq=9901 ack=10001 len=100 ");
}

#[test]
fn a_frame_that_was_sent_before_is_called_a_retransmission() {
    let mut sim = with_echo_server();
    sim.client("client", async {
        TcpStream::connect("server:7").await?;
        Ok(())
    });
    sim.partition("client", "server");
    let report = failure(sim.run()).to_string();
    let marked = report.matches("[retransmission]").count();
    let syns = report.matches(" SYN seq=0 ").count();
    assert!(syns > 2, "{report}");
    assert_eq!(marked, syns - 1, "{report}");
}

#[test]
fn frames_of_ipv6_say_whom_neighbour_discovery_asks() {
    let mut sim = with_echo_server();
    sim.client("client", async {
        TcpStream::connect("[fd00::1]:7").await?;
        Err("enough".into())
    });
    let report = failure(sim.run()).to_string();
    assert_contains(&report, "client -> server: NDP who has fd00::1 tell ");
    assert_contains(&report, "server -> client: NDP reply fd00::1 is at 02:00:00:00:00:01");
}

/// What a client's failure says, beside the server of [`with_echo_server`].
fn report_of<F>(client: F) -> String
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = with_echo_server();
    sim.client("client", client);
    failure(sim.run()).to_string()
}

#[test]
fn an_error_of_a_socket_says_which_call_and_address_failed_when_and_where() {
    let refused = report_of(async { Ok(TcpStream::connect("server:8").await.map(drop)?) });
    let expected = "\nfailed call: connect to 10.0.0.1:8: Connection refused (os error 111), \
                    at 0.004000000s in main spawned at tests";
    assert_contains(&refused, expected);
    let bound = report_of(async { Ok(TcpListener::bind("192.0.2.1:7").await.map(drop)?) });
    assert_contains(&bound, "bind to 192.0.2.1:7: Cannot assign requested address (os error 99)");
    let sent = report_of(async {
        let socket = UdpSocket::bind("0.0.0.0:53").await?;
        socket.connect("server:9").await?;
        socket.send(b"anybody there?").await?;
        socket.recv(&mut [0; 10]).await?;
        Ok(())
    });
    assert_contains(&sent, "receive on 10.0.0.2:53 from 10.0.0.1:9: Connection refused");
    let unknown = report_of(async { Ok(TcpStream::connect("nobody:80").await.map(drop)?) });
    assert_contains(&unknown, "failed call: lookup of nobody: ");
    let local = report_of(async {
        glassnet::net::UnixStream::connect("/run/nobody").await?;
        Ok(())
    });
    assert_contains(&local, "failed call: connect to unix socket /run/nobody: ");
    let bsd = report_of(async {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.connect(&"10.0.0.1:8".parse::<std::net::SocketAddr>()?.into()).await?;
        Ok(())
    });
    assert_contains(&bsd, "failed call: connect to 10.0.0.1:8: Connection refused");
}

#[test]
fn a_reset_names_both_ends_of_the_connection() {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let (stream, _) = TcpListener::bind("0.0.0.0:7").await?.accept().await?;
        stream.set_zero_linger()?;
        drop(stream);
        for_ever().await
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        tokio::io::AsyncReadExt::read_u8(&mut stream).await?;
        Ok(())
    });
    let report = failure(sim.run()).to_string();
    assert_contains(&report, "failed call: read on 10.0.0.2:");
    assert_contains(&report, " from 10.0.0.1:7: Connection reset by peer (os error 104), at ");
}

#[test]
fn the_failed_call_is_found_behind_another_error_and_in_another_task() {
    let wrapped = report_of(async {
        let connected = TcpStream::connect("server:8").await;
        Err(connected.map_err(|error| format!("cannot start: {error}")).unwrap_err().into())
    });
    assert_contains(&wrapped, "failed: cannot start: Connection refused");
    assert_contains(&wrapped, "\nfailed call: connect to 10.0.0.1:8: ");
    let elsewhere = report_of(async {
        // the connecting task:
        glassnet::spawn(async { TcpStream::connect("server:8").await.map(drop) }).await??;
        Ok(())
    });
    let place = place_of("the connecting task");
    assert_contains(&elsewhere, &format!(" in task spawned at {place}"));
}

#[test]
fn a_call_whose_failure_was_borne_is_not_blamed_for_another_error() {
    let report = report_of(async {
        assert!(TcpStream::connect("server:8").await.is_err());
        Err("out of paper".into())
    });
    assert!(!report.contains("failed call"), "{report}");
}

#[test]
#[ignore = "run by the tests below"]
fn a_task_that_unwraps_a_failure() {
    let mut sim = with_echo_server();
    sim.client("client", async {
        TcpStream::connect("server:8").await.unwrap();
        Ok(())
    });
    let _ = sim.run();
}

#[test]
fn a_panic_of_an_unwrap_says_which_call_failed() {
    let stderr = stderr_of_failing("a_task_that_unwraps_a_failure");
    assert_contains(&stderr, "\nfailed call: connect to 10.0.0.1:8: Connection refused");
}
