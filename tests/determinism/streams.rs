//! The same seed gives the same bytes; a stream of random numbers is moved by nobody else.

use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::sleep;
use glassnet::{Impairments, Sim};
use tokio::io::AsyncWriteExt;

fn rough() -> Impairments {
    Impairments::default().delay(ms(10)).jitter(ms(2)).loss(0.05).duplicate(0.05).reorder(0.1)
}

/// A server and three clients over rough links.
fn world(seed: u64) -> Sim {
    let mut sim = Sim::new(seed);
    echo_host(&mut sim, "server");
    for name in ["one", "two", "three"] {
        sim.link(name, "server").impairments(rough());
        sim.client(name, async {
            for _ in 0..3 {
                let stream = TcpStream::connect("server:7").await?;
                assert!(exchange(stream, pattern(8_000)).await? == pattern(8_000));
            }
            Ok(())
        });
    }
    sim
}

/// The bytes of both kinds of capture.
fn captures_of(seed: u64, name: &str) -> [Vec<u8>; 2] {
    let paths = [scratch(&format!("{name}-host.pcapng")), scratch(&format!("{name}-link.pcapng"))];
    let mut sim = world(seed);
    sim.capture("server", &paths[0]).unwrap();
    sim.capture_link("one", "server", &paths[1]).unwrap();
    sim.run().unwrap();
    paths.map(|path| std::fs::read(path).unwrap())
}

#[test]
fn the_same_seed_gives_byte_identical_captures() {
    let (first, second) = (captures_of(7, "same-a"), captures_of(7, "same-b"));
    assert!(first == second);
    assert!(first.iter().all(|file| file.len() > 10_000));
}

#[test]
fn another_seed_gives_other_captures() {
    let (first, second) = (captures_of(7, "other-a"), captures_of(8, "other-b"));
    assert!(first[0] != second[0] && first[1] != second[1]);
}

#[test]
fn the_same_seed_gives_the_same_frames_and_state_changes_whether_or_not_it_is_captured() {
    let run = |capture: bool| {
        let mut sim = world(3);
        if capture {
            sim.capture("server", scratch("watched.pcapng")).unwrap();
        }
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        (wire.sent(), wire.changes(), sim.now(), sim.events())
    };
    assert!(run(false) == run(true));
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let report = || {
        let mut sim = world(5);
        // Their files have names of their own.
        sim.last_frames(0);
        sim.client("wrong", async {
            sleep(ms(300)).await;
            Err("stop".into())
        });
        failure(sim.run()).to_string()
    };
    assert_eq!(report(), report());
}

#[test]
fn a_run_in_pieces_is_the_same_as_a_run_at_once() {
    let at_once = {
        let mut sim = world(9);
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        wire.sent()
    };
    let in_pieces = {
        let mut sim = world(9);
        let wire = Wire::watch(&mut sim);
        for _ in 0..20 {
            sim.run_for(Duration::from_nanos(7_777_777)).unwrap();
        }
        sim.run().unwrap();
        wire.sent()
    };
    assert!(at_once == in_pieces);
}

#[test]
fn two_worlds_at_once_on_one_thread_do_not_disturb_each_other() {
    let alone = |seed| {
        let mut sim = world(seed);
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        wire.sent()
    };
    let (mut one, mut two) = (world(1), world(2));
    let (wire_one, wire_two) = (Wire::watch(&mut one), Wire::watch(&mut two));
    for _ in 0..10 {
        one.run_for(ms(20)).unwrap();
        two.run_for(ms(33)).unwrap();
    }
    one.run().unwrap();
    two.run().unwrap();
    assert!(wire_one.sent() == alone(1));
    assert!(wire_two.sent() == alone(2));
}

#[test]
fn an_idle_host_more_moves_nobodys_draws() {
    let frames = |idle: bool| {
        let mut sim = world(4);
        if idle {
            sim.host("idle", || async { for_ever().await });
        }
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        wire.sent()
    };
    assert!(frames(false) == frames(true));
}

#[test]
fn a_busy_pair_more_moves_nobody_elses_draws() {
    let frames = |busy: bool| {
        let mut sim = world(4);
        if busy {
            sim.link("four", "five").impairments(rough());
            sim.client("four", async {
                let listener = TcpListener::bind("0.0.0.0:7").await?;
                let (mut stream, _) = listener.accept().await?;
                assert!(read_all(&mut stream).await? == pattern(10_000));
                Ok(())
            });
            sim.client("five", async {
                sleep(ms(50)).await;
                let mut stream = TcpStream::connect("four:7").await?;
                stream.write_all(&pattern(10_000)).await?;
                Ok(())
            });
        }
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        let mut frames = wire.sent();
        frames.retain(|sent| sent.from != "four" && sent.from != "five");
        frames
    };
    let (without, with) = (frames(false), frames(true));
    // The other pair may keep the run going after the rest has ended.
    assert!(with.len() >= without.len() && without[..] == with[..without.len()]);
}

#[test]
fn naming_another_link_does_not_move_a_links_draws() {
    let frames = |more: bool| {
        let mut sim = Sim::new(6);
        if more {
            sim.link("idle", "server").loss(0.5);
            sim.link("idle", "client").loss(0.5);
        }
        sim.link("client", "server").impairments(rough());
        echo_host(&mut sim, "server");
        sim.client("client", async {
            let stream = TcpStream::connect("server:7").await?;
            assert!(exchange(stream, pattern(30_000)).await? == pattern(30_000));
            Ok(())
        });
        sim.host("idle", || async { for_ever().await });
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        wire.sent()
    };
    assert!(frames(false) == frames(true));
}

#[test]
fn the_two_directions_of_a_link_draw_apart() {
    // What the server loses does not depend on whether the other direction loses at all.
    let lost = |backwards: f64| {
        let mut sim = Sim::new(6);
        sim.one_way("client", "server").loss(0.3);
        sim.one_way("server", "client").loss(backwards);
        sim.host("server", || async { for_ever().await });
        sim.client("client", async {
            for _ in 0..50 {
                // Refused, or the SYN is lost: one frame at a time.
                let attempt = TcpStream::connect("server:7");
                let _ = glassnet::time::timeout(ms(100), attempt).await;
            }
            Ok(())
        });
        let wire = Wire::watch(&mut sim);
        sim.run().unwrap();
        let sent = wire.sent().into_iter();
        let fates = sent.filter(|it| it.from == "client" && it.segment().is_some());
        fates.map(|sent| sent.arrival().is_some()).collect::<Vec<bool>>()
    };
    let (clean, lossy) = (lost(0.0), lost(0.5));
    assert_eq!(clean.len(), 50);
    assert_eq!(clean, lossy);
    assert!(clean.contains(&true) && clean.contains(&false));
}

#[test]
fn a_restarted_host_has_other_sequence_numbers_than_before() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        for _ in 0..2 {
            TcpStream::connect("server:7").await?;
            sleep(secs(10)).await;
        }
        Ok(())
    });
    sim.run_for(secs(5))?;
    sim.bounce("server");
    sim.run()?;
    let numbers: Vec<u32> = wire
        .segments("server")
        .iter()
        .filter(|(_, segment)| segment.syn)
        .map(|(_, segment)| segment.seq)
        .collect();
    assert_eq!(numbers.len(), 2);
    assert_ne!(numbers[0], numbers[1]);
    Ok(())
}

#[test]
fn hosts_have_sequence_numbers_and_ports_of_their_own() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_host(&mut sim, "server");
    for name in ["one", "two", "three"] {
        sim.client(name, async {
            TcpStream::connect("server:7").await?;
            Ok(())
        });
    }
    sim.run()?;
    let mut seen = std::collections::BTreeSet::new();
    for name in ["one", "two", "three"] {
        let (_, syn) = wire.segments(name)[0];
        assert!(seen.insert(syn.seq) && seen.insert(u32::from(syn.source.port())));
    }
    Ok(())
}
