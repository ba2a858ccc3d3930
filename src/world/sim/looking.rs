//! Looking in: what the hosts show of themselves while the world stands still.

use super::Sim;
use super::machine::Machine;
use crate::host::{Interfaces, Netstat, Nstat};
use crate::world::plan::KnownHosts;

impl Sim {
    /// The sockets of a host at this moment, as `ss -an` shows them: TCP with listeners and what is
    /// in TIME-WAIT, UDP, ICMP, raw, and `AF_UNIX`. A host that is down, or
    /// has not run yet, has none. In a task [`glassnet::netstat`](crate::netstat()) gives those of its
    /// own host.
    ///
    /// A connection that a listener for `::` has accepted from an IPv4 address is shown with IPv4
    /// addresses, where `ss` writes `[::ffff:10.0.0.1]`.
    ///
    /// ```
    /// use glassnet::{Sim, TcpState, net::{TcpListener, TcpStream}, time::sleep};
    /// use std::time::Duration;
    ///
    /// let mut sim = Sim::new(1);
    /// sim.host("server", || async {
    ///     let listener = TcpListener::bind("0.0.0.0:80").await?;
    ///     loop {
    ///         drop(listener.accept().await?);
    ///     }
    /// });
    /// sim.client("client", async {
    ///     drop(TcpStream::connect("server:80").await?);
    ///     sleep(Duration::from_secs(120)).await;
    ///     Ok(())
    /// });
    /// sim.run()?;
    /// assert!(sim.netstat("server").iter().all(|socket| socket.state != TcpState::CloseWait));
    /// assert_eq!(sim.netstat("server").to_string(), "\
    /// Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port
    /// tcp   LISTEN 0      1024         0.0.0.0:80        0.0.0.0:*");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When no host has the name.
    #[must_use]
    #[track_caller]
    pub fn netstat(&self, host: &str) -> Netstat {
        let running = self.machine_called(host).running();
        running.map_or_else(Netstat::default, |running| running.host.netstat())
    }

    /// What a host has counted since it was started, by the kernel's names; all is 0 at a host that is
    /// down, or has not run yet. In a task [`glassnet::nstat`](crate::nstat()) gives the counters of
    /// its own host.
    ///
    /// [`Sim::counters`] counts discards only, but all of them, for all of the world's time: also
    /// those that Linux counts elsewhere or not at all. Where both count the same, one is made of the
    /// other.
    ///
    /// # Panics
    /// When no host has the name.
    #[must_use]
    #[track_caller]
    pub fn nstat(&self, host: &str) -> Nstat {
        let running = self.machine_called(host).running();
        running.map_or_else(Nstat::of_nothing, |running| running.host.nstat())
    }

    /// The interfaces of a host, `lo` and `eth0`, and what passed them since the host was started, as
    /// `ip -s link` shows it. A host that is down, or has not run yet, has none. In a task
    /// [`glassnet::interfaces`](crate::interfaces()) gives those of its own host.
    ///
    /// # Panics
    /// When no host has the name.
    #[must_use]
    #[track_caller]
    pub fn interfaces(&self, host: &str) -> Interfaces {
        let running = self.machine_called(host).running();
        running.map_or_else(Interfaces::default, |running| running.host.interfaces())
    }

    /// A name that nobody has is an error here and now: a test that looks at nothing must not pass.
    #[track_caller]
    fn machine_called(&self, host: &str) -> &Machine {
        let plan = &self.world.plan;
        let Some(number) = plan.host_called(host) else {
            panic!("{}", plan.no_host_called(host));
        };
        self.world.machines.get(number)
    }
}
