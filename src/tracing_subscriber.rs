//! What [`tracing-subscriber`](https://docs.rs/tracing-subscriber) 0.3 is given here: a timer, so
//! that logs have the time of the world. Feature `tracing-subscriber`.
//!
//! ```
//! use glassnet::Sim;
//! use glassnet::tracing_subscriber::WorldTime;
//!
//! tracing_subscriber::fmt().with_timer(WorldTime).init();
//! let mut sim = Sim::new(7);
//! sim.client("client", async {
//!     glassnet::time::sleep(std::time::Duration::from_millis(20)).await;
//!     // 0.020000000s  INFO host{name="client"}: my_test: awake
//!     tracing::info!("awake");
//!     Ok(())
//! });
//! sim.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every event of a host is in its span, `host{name="client"}`: those of its tasks, also while one
//! is dropped, and those of its TCP/IP stack, whose targets are `glassnet::tcp`, `glassnet::udp`,
//! `glassnet::network` (frames that a link drops) and `glassnet::net` (calls that fail).

use std::fmt;

use ::tracing_subscriber::fmt::format::Writer;
use ::tracing_subscriber::fmt::time::FormatTime;

use crate::time::Instant;

/// Writes the time of the world that runs on the thread of an event, as reports do:
/// `0.004000000s`; or `-` where no world runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorldTime;

impl FormatTime for WorldTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        match Instant::try_now() {
            Some(now) => write!(writer, "{now}"),
            None => writer.write_str("-"),
        }
    }
}
