//! Running until something is so, and event by event.

use std::cell::Cell;
use std::rc::Rc;

use glassnet::net::TcpStream;
use glassnet::time::sleep;
use glassnet::{Event, Failure, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{Log, Wire, echo_host, ms, secs};

fn ticking(count: u32) -> (Sim, Rc<Cell<u32>>) {
    let mut sim = Sim::new(1);
    let ticks = Rc::new(Cell::new(0));
    let counted = ticks.clone();
    sim.client("client", async move {
        for _ in 0..count {
            sleep(secs(1)).await;
            counted.set(counted.get() + 1);
        }
        Ok(())
    });
    (sim, ticks)
}

#[test]
fn run_until_stops_where_it_has_become_so() -> glassnet::Result {
    let (mut sim, ticks) = ticking(5);
    assert!(sim.run_until(|| true)?);
    assert_eq!((sim.now().since_start(), sim.events()), (secs(0), 0));
    assert!(sim.run_until(|| ticks.get() == 3)?);
    assert_eq!((sim.now().since_start(), ticks.get()), (secs(3), 3));
    assert!(sim.run_until(|| ticks.get() >= 3)?);
    assert_eq!(sim.now().since_start(), secs(3));
    sim.run()?;
    assert_eq!(ticks.get(), 5);
    Ok(())
}

#[test]
fn run_until_is_asked_after_each_frame() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_u8(1).await?;
        stream.read_u8().await?;
        Ok(())
    });
    let arrived = Rc::new(Cell::new(0));
    let counted = arrived.clone();
    sim.observe(move |event| {
        if let Event::Arrived { .. } = event {
            counted.set(counted.get() + 1);
        }
    });
    for frame in 1..=5 {
        assert!(sim.run_until(|| arrived.get() >= frame)?);
        assert_eq!(arrived.get(), frame);
    }
    sim.run()
}

#[test]
fn run_until_returns_false_when_all_clients_have_ended() -> glassnet::Result {
    let (mut sim, ticks) = ticking(2);
    assert!(!sim.run_until(|| ticks.get() == 3)?);
    assert_eq!(ticks.get(), 2);
    Ok(())
}

#[test]
fn run_until_in_a_world_of_hosts_goes_on_until_nothing_can_happen() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("host", || async {
        sleep(secs(7)).await;
        Ok(())
    });
    assert!(!sim.run_until(|| false)?);
    assert_eq!(sim.now().since_start(), secs(7));
    Ok(())
}

#[test]
fn run_until_has_the_limits_of_a_run() {
    let (mut sim, _ticks) = ticking(1_000);
    sim.time_limit(secs(10));
    let error = sim.run_until(|| false).unwrap_err();
    let error = error.run_error().unwrap();
    assert!(matches!(error.failure(), Failure::ConditionLimit { .. }), "{error}");
    assert_eq!(error.time().since_start(), secs(10));
    let text = error.to_string();
    assert!(text.contains("not ended: ") && text.contains("(seed 1, at 10"), "{text}");

    let (mut sim, _ticks) = ticking(1_000);
    sim.event_limit(10);
    let error = sim.run_until(|| false).unwrap_err();
    assert!(matches!(error.run_error().unwrap().failure(), Failure::EventLimit { .. }));

    let mut sim = Sim::new(1);
    sim.client("client", std::future::pending());
    let error = sim.run_until(|| false).unwrap_err();
    assert!(matches!(error.run_error().unwrap().failure(), Failure::Deadlock));

    let mut sim = Sim::new(1);
    sim.client("client", async { Err("on purpose".into()) });
    let error = sim.run_until(|| false).unwrap_err();
    assert!(matches!(error.run_error().unwrap().failure(), Failure::Client { .. }));
}

#[test]
fn a_step_is_one_event_and_moves_the_clock_to_it() -> glassnet::Result {
    let (mut sim, ticks) = ticking(2);
    assert!(sim.step()?);
    assert_eq!((sim.now().since_start(), ticks.get(), sim.events()), (secs(1), 1, 1));
    sim.at(ms(1_500)).partition("client", "server");
    echo_host(&mut sim, "server");
    assert!(sim.step()?);
    assert_eq!((sim.now().since_start(), ticks.get(), sim.events()), (ms(1_500), 1, 2));
    assert!(sim.step()?);
    assert_eq!((sim.now().since_start(), ticks.get(), sim.events()), (secs(2), 2, 3));
    assert!(!sim.step()?);
    assert_eq!(sim.now().since_start(), secs(2));
    Ok(())
}

#[test]
fn a_step_that_fails_is_an_error_and_the_world_does_not_run_on() {
    let mut sim = Sim::new(1);
    sim.client("client", async {
        sleep(secs(1)).await;
        Err("on purpose".into())
    });
    let error = sim.step().unwrap_err().to_string();
    assert!(error.contains("client `client` failed: on purpose (seed 1, at 1"), "{error}");
    let error = sim.step().unwrap_err();
    assert!(matches!(error.run_error().unwrap().failure(), Failure::FailedBefore { .. }));
}

#[test]
fn steps_do_what_a_run_does() -> glassnet::Result {
    let world = || {
        let mut sim = Sim::new(9);
        sim.link("client", "server").loss(0.05).duplicate(0.05).reorder(0.05).rate(10_000_000);
        echo_host(&mut sim, "server");
        let ended = Log::new();
        let noted = ended.clone();
        sim.client("client", async move {
            let stream = TcpStream::connect("server:7").await?;
            crate::common::exchange(stream, vec![7; 100_000]).await?;
            noted.note(());
            Ok(())
        });
        let wire = Wire::watch(&mut sim);
        (sim, wire, ended)
    };
    let (mut whole, wire, _) = world();
    whole.run()?;
    let (mut stepped, wire_of_steps, ended) = world();
    while ended.len() == 0 {
        assert!(stepped.step()?);
    }
    stepped.run()?;
    let (mut asked, wire_of_asked, _) = world();
    assert!(!asked.run_until(|| false)?);
    assert!(wire.sent().len() > 200);
    assert!(wire.sent() == wire_of_steps.sent() && wire.sent() == wire_of_asked.sent());
    assert_eq!((whole.now(), whole.events()), (asked.now(), asked.events()));
    Ok(())
}
