//! Names in the world: what a test says of `/etc/hosts`.

use std::net::IpAddr;

use super::sim::Sim;
use crate::net::names::IpVersion;

impl Sim {
    /// Which addresses a host's plain name stands for, as in `connect("server:80")`: those of
    /// IPv4, which is the default, those of IPv6, or both. A call that asks for a family gets that
    /// family.
    pub fn ip_version(&mut self, ip_version: IpVersion) -> &mut Sim {
        self.world.names.set_ip_version(ip_version);
        self
    }

    /// Adds a line to the `/etc/hosts` of every host: a name, which may be followed by aliases
    /// after spaces, and an address. A name may have several lines.
    ///
    /// ```
    /// use glassnet::{Sim, net::lookup_host};
    ///
    /// let mut sim = Sim::new(1);
    /// sim.hosts_entry("db.example.com db", [10, 0, 0, 9]);
    /// sim.client("client", async {
    ///     let found: Vec<_> = lookup_host("db:5432").await?.collect();
    ///     assert_eq!(found, ["10.0.0.9:5432".parse()?]);
    ///     Ok(())
    /// });
    /// sim.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hosts_entry(&mut self, names: &str, address: impl Into<IpAddr>) -> &mut Sim {
        if let Err(wrong) = self.world.names.insert_line(names, address.into()) {
            self.world.setup_failed(wrong);
        }
        self
    }
}
