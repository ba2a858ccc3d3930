//! An iperf3 server over glassnet, which the stock `iperf3 -c` measures.
//!
//! `cargo run --bin iperf3 [CAPTURE]` runs it in a simulated world, with a small client of the
//! same protocol. With more arguments it serves on a real network until it is stopped:
//!
//! ```text
//! iperf3 tap NAME ADDRESS/LEN… [CAPTURE]      on a TAP device of the kernel
//! iperf3 cable PATH ADDRESS/LEN… [CAPTURE]    on a cable between processes
//! ```
//!
//! TCP in both directions and both at once, parallel streams, omitted seconds, limits of time or of
//! octets, and pacing (`-R --bidir -P -O -t -n -k -b -N -l`). One test at a time: who comes in
//! between is refused.
//!
//! The parts: `server` has the listener and one test after the other, `streams` moves the octets,
//! `control` is what the two ends tell each other, `client` is for the simulated run.

mod client;
mod control;
mod server;
mod streams;

use std::time::Duration;

use ecosystem::command_line;
use glassnet::{HostOptions, Sim, time};

fn main() -> glassnet::Result {
    let arguments = command_line::arguments()?;
    #[cfg(target_os = "linux")]
    if let [device, name, addresses @ ..] = &arguments[..] {
        return serve_for_real(device, name, addresses);
    }
    let mut sim = Sim::new(1);
    sim.link("client", "server").rate(100_000_000);
    // More than the link holds, so that the receiver's window is never what stops a sender.
    let options = HostOptions::default().recv_buffer(1 << 20);
    sim.host_options("client", options.clone());
    sim.host_options("server", options);
    sim.host("server", server::serve);
    sim.client("client", async {
        // The server listens a moment after it was started.
        time::sleep(Duration::from_millis(1)).await;
        client::measure("server", client::Way::ToServer).await?;
        client::measure("server", client::Way::FromServer).await
    });
    if let Some(capture) = arguments.first() {
        sim.capture("client", capture)?;
    }
    sim.run()
}

#[cfg(target_os = "linux")]
fn serve_for_real(device: &str, name: &str, addresses: &[String]) -> glassnet::Result {
    let mut live = command_line::live(device, name, addresses)?;
    live.host_options(HostOptions::default().recv_buffer(256 * 1024).send_buffer(256 * 1024));
    live.run(server::serve())?;
    println!("{:?}", live.device_counters());
    Ok(())
}
