//! The service in a world of glassnet, unchanged.
#![cfg(not(feature = "turmoil"))]

use std::time::Duration;

use glassnet::Sim;
use service::{serve, visit};

#[glassnet::test(tokio, seeds = 20)]
fn a_visit_gets_through_a_partition(sim: &mut Sim) -> glassnet::Result {
    sim.host("server", || async { Ok(serve("0.0.0.0:7000").await?) });
    sim.link("client", "server").delay(Duration::from_millis(20)).loss(0.05);
    sim.at(Duration::from_secs(2)).partition("client", "server");
    sim.at(Duration::from_secs(4)).heal("client", "server");
    sim.client("client", async {
        visit("server:7000", "anna").await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        // More than two, where an answer was lost and the question was asked again.
        assert!(visit("server:7000", "anna").await? >= 2);
        Ok(())
    });
    // The seeds run at once, and each writes a file of its own.
    let capture = format!("visits-{}.pcapng", sim.seed());
    sim.capture("client", std::env::temp_dir().join(capture))?;
    sim.run()
}
