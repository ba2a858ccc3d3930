//! Signals that a world sends to the programs of its hosts.
#![allow(unsafe_code, reason = "handlers of C are set")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use glassnet::{Check, Door, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);

/// Says hello after a second, and when it is asked to stop, ends once everybody has been served.
async fn serves_until_told(kind: SignalKind) -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let mut stop = signal(kind)?;
    let mut served = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (mut stream, _) = accepted?;
                served.spawn(async move {
                    tokio::time::sleep(SECOND).await;
                    stream.write_all(b"hello").await
                });
            }
            _ = stop.recv() => break,
        }
    }
    drop(listener);
    while let Some(ended) = served.join_next().await {
        ended??;
    }
    Ok(())
}

fn is_served(sim: &mut Sim) {
    sim.client("client", async {
        let mut hello = String::new();
        TcpStream::connect("server:80").await?.read_to_string(&mut hello).await?;
        assert_eq!(hello, "hello");
        let error = TcpStream::connect("server:80").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn a_server_that_is_told_to_stop_serves_its_clients_to_the_end() -> glassnet::Result {
    Check::new().tokio().seeds(2).run(|sim| {
        sim.host("server", || serves_until_told(SignalKind::terminate()));
        is_served(sim);
        sim.at(Duration::from_millis(500)).signal("server", libc::SIGTERM);
        sim.run()?;
        assert!(sim.plan().contains("at 500ms signal server SIGTERM"), "{}", sim.plan());
        assert!(sim.now().since_start() >= SECOND);
        Ok(())
    })
}

#[test]
fn a_second_world_and_a_host_that_was_bounced_hear_signals_as_well() -> glassnet::Result {
    Check::new().tokio().seed(1).run(|sim| {
        sim.host("server", || serves_until_told(SignalKind::interrupt()));
        is_served(sim);
        sim.at(Duration::from_millis(1)).bounce("server");
        sim.at(Duration::from_millis(500)).signal("server", libc::SIGINT);
        sim.run()?;
        let mut second = Sim::tokio(2);
        second.host("server", || serves_until_told(SignalKind::interrupt()));
        is_served(&mut second);
        second.at(Duration::from_millis(500)).signal("server", libc::SIGINT);
        second.run()
    })
}

#[test]
fn ctrl_c_is_sigint() -> glassnet::Result {
    Check::new().tokio().seed(1).run(|sim| {
        sim.client("client", async {
            let began = tokio::time::Instant::now();
            tokio::signal::ctrl_c().await?;
            assert_eq!(began.elapsed(), 3 * SECOND);
            Ok(())
        });
        sim.at(3 * SECOND).signal("client", libc::SIGINT);
        sim.run()
    })
}

/// What the peer of a server sees that does nothing about a signal.
fn ends_with(door: Door, number: i32) -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.door(door);
    match door {
        Door::Tokio => sim.host("server", || async {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            let (_stream, _) = listener.accept().await?;
            std::future::pending().await
        }),
        _ => sim.host("server", || async {
            let listener = glassnet::net::TcpListener::bind("0.0.0.0:80").await?;
            let (_stream, _) = listener.accept().await?;
            std::future::pending().await
        }),
    };
    let seen = Rc::new(Cell::new(false));
    let sees = seen.clone();
    sim.door(Door::Tokio).client("client", async move {
        let mut stream = TcpStream::connect("server:80").await?;
        let began = tokio::time::Instant::now();
        // As a kernel closes them: with a FIN, and nobody listens any more.
        assert_eq!(stream.read(&mut [0]).await?, 0);
        assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
        let error = TcpStream::connect("server:80").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        sees.set(true);
        Ok(())
    });
    sim.at(Duration::from_millis(500)).signal("server", number);
    sim.run()?;
    assert!(seen.get());
    Ok(())
}

#[test]
fn a_program_that_does_nothing_about_a_signal_ends_and_its_sockets_are_closed() -> glassnet::Result
{
    // A process of its own, where nobody has said what is done about them.
    Check::new().seed(7).process(true).run(|sim| {
        for number in [libc::SIGTERM, libc::SIGKILL, libc::SIGINT, libc::SIGUSR1] {
            ends_with(Door::Tokio, number)?;
            ends_with(Door::Glassnet, number)?;
        }
        sim.client("client", async { Ok(()) });
        sim.run()
    })
}

#[test]
fn a_client_that_a_signal_ends_has_ended_and_what_is_ignored_ends_nobody() -> glassnet::Result {
    for door in [Door::Tokio, Door::Glassnet] {
        let mut sim = Sim::new(7);
        sim.door(door).client("client", std::future::pending());
        sim.at(SECOND).signal("client", libc::SIGCHLD);
        sim.at(2 * SECOND).signal("client", libc::SIGKILL);
        sim.run()?;
        assert_eq!(sim.now().since_start(), 2 * SECOND);
    }
    Ok(())
}

#[test]
#[should_panic(expected = "SIGSTOP would stop a program")]
fn a_signal_that_stops_is_refused() {
    let mut sim = Sim::tokio(7);
    sim.client("client", async { Ok(()) });
    sim.signal("client", libc::SIGSTOP);
}

static HANDLED: AtomicI32 = AtomicI32::new(0);

extern "C" fn handle(signal: i32) {
    HANDLED.fetch_add(signal, Ordering::Relaxed);
}

fn disposition(number: i32) -> usize {
    // SAFETY: all zeros is a value, and there is room for one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(number, std::ptr::null(), &mut action), 0);
        action.sa_sigaction
    }
}

#[test]
fn handlers_are_noted_and_not_installed_and_a_program_may_send_itself_signals() -> glassnet::Result
{
    let before = disposition(libc::SIGUSR2);
    let mut sim = Sim::tokio(7);
    sim.client("client", async {
        let handler = handle as *const () as usize;
        // SAFETY: the handler does nothing but count.
        unsafe {
            assert_eq!(libc::signal(libc::SIGUSR2, handler), libc::SIG_DFL);
            assert_eq!(disposition(libc::SIGUSR2), handler);
            assert_eq!(libc::signal(libc::SIGKILL, handler), libc::SIG_ERR);
            assert_eq!(libc::raise(libc::SIGUSR2), 0);
            assert_eq!(libc::kill(libc::getpid(), libc::SIGUSR2), 0);
            assert_eq!(libc::kill(1, libc::SIGUSR2), -1);
            assert_eq!(libc::kill(0, 0), 0);
            let mut mask: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&mut mask, libc::SIGTERM);
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &mask, std::ptr::null_mut()), 0);
            let mut now: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_UNBLOCK, std::ptr::null(), &mut now);
            assert_eq!(libc::sigismember(&now, libc::SIGTERM), 1);
            assert_eq!(libc::pthread_sigmask(libc::SIG_UNBLOCK, &mask, std::ptr::null_mut()), 0);
        }
        tokio::time::sleep(2 * SECOND).await;
        Ok(())
    });
    sim.at(SECOND).signal("client", libc::SIGUSR2);
    sim.run()?;
    assert_eq!(HANDLED.load(Ordering::Relaxed), 3 * libc::SIGUSR2);
    assert_eq!(disposition(libc::SIGUSR2), before);
    Ok(())
}

#[test]
fn a_program_that_kills_itself_ends() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.client("client", async {
        // SAFETY: it is answered by the world.
        unsafe { libc::raise(libc::SIGKILL) };
        std::future::pending().await
    });
    sim.run()
}
