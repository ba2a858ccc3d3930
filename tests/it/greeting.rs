//! The greeting, end to end, on a simulated network.

use std::time::Duration;

use glassnet::Sim;
use glassnet::greeting::{self, GREETING};

#[test]
fn a_client_is_greeted_on_a_clean_link() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
    sim.client("client", async {
        assert_eq!(greeting::greet("server:12345").await?, GREETING);
        Ok(())
    });
    sim.run()?;
    assert_eq!(sim.retransmissions(), 0);
    Ok(())
}

#[test]
fn a_greeting_survives_ten_percent_loss() -> glassnet::Result {
    for seed in 0..200 {
        let mut sim = Sim::new(seed);
        sim.link("client", "server").delay(Duration::from_millis(20)).loss(0.10);
        sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
        sim.client("client", async {
            assert_eq!(greeting::greet("server:12345").await?, GREETING);
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

#[test]
fn a_hundred_clients_at_once_are_greeted_over_a_backlog_of_five() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
    for number in 0..100 {
        sim.client(&format!("client{number}"), async {
            assert_eq!(greeting::greet("server:12345").await?, GREETING);
            Ok(())
        });
    }
    sim.run()
}

#[test]
fn a_client_is_greeted_over_ipv6() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.host("server", || async { Ok(greeting::serve("[fd00::1]:12345").await?) });
    sim.client("client", async {
        assert_eq!(greeting::greet("[fd00::1]:12345").await?, GREETING);
        Ok(())
    });
    sim.run()
}
