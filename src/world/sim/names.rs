//! Names in the world: what a test says of `/etc/hosts` and of DNS.

use std::net::IpAddr;

use super::Sim;
use crate::net::names::{DnsRecord, IpVersion};
use crate::net::serve_dns;

impl Sim {
    /// Which addresses a host's plain name stands for, as in `connect("server:80")`: those of
    /// IPv4, which is the default, those of IPv6, or both. A call that asks for a family gets that
    /// family.
    ///
    /// With [`IpVersion::V6`], a host without IPv6, because its MTU is below 1280, is an error of the
    /// run: see [`HostOptions::mtu`](crate::HostOptions).
    pub fn ip_version(&mut self, ip_version: IpVersion) -> &mut Sim {
        self.world.set_ip_version(ip_version);
        self
    }

    /// Adds a line to the `/etc/hosts` of every host: a name, which may be followed by aliases
    /// after spaces, and an address. A name may have several lines. DNS servers answer with
    /// them, too.
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
        self.world.add_hosts_line(names, address.into());
        self
    }

    /// Adds a host that serves DNS, on port 53 of UDP and TCP: A, AAAA and PTR for all hosts and
    /// all lines of [`Sim::hosts_entry`], and the records of [`Sim::dns_record`].
    ///
    /// From now on the other hosts resolve locally only `localhost`, their own name and those
    /// lines. For all other names they ask this server, over the network,
    /// and wait for the answer as [`net::names`](crate::net::names) says. There may be three
    /// servers; the first is asked first.
    ///
    /// ```
    /// use glassnet::{Sim, net::lookup_host, time::Instant};
    ///
    /// let mut sim = Sim::new(1);
    /// sim.dns("dns");
    /// sim.host("server", || async { Ok(()) });
    /// sim.client("client", async {
    ///     let began = Instant::now();
    ///     let found: Vec<_> = lookup_host("server:80").await?.collect();
    ///     assert_eq!(found, ["10.0.0.2:80".parse()?]);
    ///     assert!(began.elapsed().as_millis() >= 2);
    ///     Ok(())
    /// });
    /// sim.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn dns(&mut self, name: &str) -> &mut Sim {
        match self.world.add_nameserver(name) {
            true => self.host(name, serve_dns),
            false => self,
        }
    }

    /// Adds a record that DNS servers of this world answer with.
    pub fn dns_record(&mut self, name: &str, record: DnsRecord) -> &mut Sim {
        self.world.add_dns_record(name, record);
        self
    }
}
