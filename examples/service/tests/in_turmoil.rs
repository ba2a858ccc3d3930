//! The service in a world of turmoil, with its sockets imported from turmoil.

use std::time::Duration;

use service::{serve, visit};
use tokio::time::sleep;

#[test]
fn a_visit_gets_through_once_the_link_is_released() -> turmoil::Result {
    let mut sim = turmoil::Builder::new().rng_seed(7).build();
    sim.host("server", || async { Ok(serve("0.0.0.0:7000").await?) });
    sim.client("client", async {
        visit("server:7000", "anna").await?;
        turmoil::hold("client", "server");
        tokio::spawn(async {
            sleep(Duration::from_secs(2)).await;
            turmoil::release("client", "server");
        });
        assert!(visit("server:7000", "anna").await? >= 2);
        Ok(())
    });
    sim.run()
}
