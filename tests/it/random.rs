//! `glassnet::rng()`: the random numbers of applications.

use std::panic::catch_unwind;

use crate::common::*;
use glassnet::{Sim, rng, spawn};
use rand_core::Rng;

/// What the host `name` draws in a world with this seed, beside other hosts that draw `others`.
fn drawn(seed: u64, name: &str, others: &[&str]) -> Vec<u64> {
    let log = Log::new();
    let mut sim = Sim::new(seed);
    for name in others {
        sim.client(name, async {
            rng().next_u64();
            Ok(())
        });
    }
    let kept = log.clone();
    sim.client(name, async move {
        for _ in 0..3 {
            kept.note(rng().next_u64());
        }
        Ok(())
    });
    sim.run().unwrap();
    log.all()
}

#[test]
fn a_host_draws_the_same_numbers_for_the_same_seed_whoever_else_draws() {
    let alone = drawn(7, "client", &[]);
    assert_eq!(drawn(7, "client", &["a", "b"]), alone);
    assert_ne!(drawn(8, "client", &[]), alone);
    assert_ne!(drawn(7, "other", &[]), alone);
    assert_eq!(drawn(7, "client", &[]), PUBLISHED);
}

// Changing these numbers changes what every published seed means.
const PUBLISHED: [u64; 3] =
    [16_428_936_515_721_334_168, 8_766_787_484_857_777_196, 12_423_939_599_938_959_250];

#[test]
fn the_tasks_of_a_host_share_its_stream() -> glassnet::Result {
    let expected = drawn(1, "client", &[]);
    let mut sim = Sim::new(1);
    sim.client("client", async move {
        let mut ours = rng();
        assert_eq!(ours.next_u64(), expected[0]);
        assert_eq!(spawn(async { rng().next_u64() }).await?, expected[1]);
        assert_eq!(ours.next_u64(), expected[2]);
        Ok(())
    });
    sim.run()
}

#[test]
fn a_host_that_was_started_anew_draws_other_numbers() -> glassnet::Result {
    let log = Log::new();
    let mut sim = Sim::new(1);
    let kept = log.clone();
    sim.host("host", move || {
        let kept = kept.clone();
        async move {
            kept.note(rng().next_u64());
            for_ever().await
        }
    });
    sim.run_for(secs(1))?;
    sim.bounce("host");
    sim.run_for(secs(1))?;
    let drawn: Vec<u64> = log.all();
    assert_eq!(drawn.len(), 2);
    assert_ne!(drawn[0], drawn[1]);
    Ok(())
}

#[test]
fn drawing_moves_nothing_on_the_network() {
    let frames = |draws: u32| {
        let mut sim = with_echo_server();
        sim.link("client", "server").loss(0.2);
        let wire = Wire::watch(&mut sim);
        sim.client("client", async move {
            for _ in 0..draws {
                rng().next_u64();
            }
            let stream = glassnet::net::TcpStream::connect("server:7").await?;
            exchange(stream, pattern(20_000)).await.map(drop)?;
            Ok(())
        });
        sim.run().unwrap();
        wire.sent().iter().map(|sent| (sent.time, sent.frame.clone())).collect::<Vec<_>>()
    };
    assert_eq!(frames(0), frames(100));
}

#[test]
fn it_is_a_generator_as_others_know_them() -> glassnet::Result {
    fn takes_any(mut generator: impl Rng) -> u64 {
        let mut bytes = [0; 16];
        generator.fill_bytes(&mut bytes);
        assert_ne!(bytes, [0; 16]);
        generator.next_u64()
    }
    alone(async {
        assert_ne!(takes_any(rng()), takes_any(rng()));
        let drawn: Vec<u64> = (0..1_000).map(|_| rng().up_to(3)).collect();
        assert!((0..=3).all(|number| drawn.contains(&number)), "{drawn:?}");
        assert_eq!(drawn.iter().max(), Some(&3));
        assert!(rng().chance(1.0) && !rng().chance(0.0));
        let mut bytes = [0; 32];
        rng().fill_bytes(&mut bytes);
        assert_ne!(bytes, [0; 32]);
        Ok(())
    })
}

#[test]
fn the_seed_of_a_world_can_be_asked_for() {
    assert_eq!(Sim::new(7).seed(), 7);
}

#[test]
fn outside_a_task_it_panics_and_says_why() {
    let panic = catch_unwind(|| rng().next_u64()).unwrap_err();
    assert!(panic.downcast_ref::<&str>().unwrap().contains("in a task of a host"));
}
