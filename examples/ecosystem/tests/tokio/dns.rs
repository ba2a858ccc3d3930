//! hickory-resolver asks the DNS server of the world.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use glassnet::Sim;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use crate::capture::Capture;

/// `Sim::dns` is the first host of each world here.
const DNS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

fn resolver() -> glassnet::Result<TokioResolver> {
    let servers = vec![NameServerConfig::udp_and_tcp(DNS)];
    let config = ResolverConfig::from_name_servers(servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().timeout = Duration::from_secs(2);
    builder.options_mut().attempts = 2;
    Ok(builder.build()?)
}

fn world() -> Sim {
    let mut sim = Sim::tokio(7);
    sim.dns("dns");
    sim.host("server", || async { std::future::pending().await });
    sim
}

#[test]
fn hickory_asks_the_server_of_the_world() -> glassnet::Result {
    let mut sim = world();
    let capture = Capture::of(&mut sim, "client", "dns")?;
    sim.client("client", async {
        let resolver = resolver()?;
        let found: Vec<IpAddr> = resolver.lookup_ip("server.").await?.iter().collect();
        assert!(found.contains(&"10.0.0.2".parse()?), "{found:?}");
        let began = Instant::now();
        resolver.lookup_ip("server.").await?;
        assert_eq!(began.elapsed(), Duration::ZERO, "it was remembered");
        let error = resolver.lookup_ip("nowhere.").await.expect_err("nobody is called so");
        assert!(error.is_nx_domain(), "{error:?}");
        Ok(())
    });
    sim.run()?;
    capture.shows_some("dns.flags.response == 1 && dns.a == 10.0.0.2");
    capture.shows_some("dns.flags.rcode == 3 && dns.qry.name == \"nowhere\"");
    capture.is_clean();
    Ok(())
}

#[test]
fn hickorys_timeouts_fire_at_their_time() -> glassnet::Result {
    let mut sim = world();
    sim.at(Duration::ZERO).partition("client", "dns");
    sim.client("client", async {
        let resolver = resolver()?;
        let began = Instant::now();
        let error = resolver.lookup_ip("server.").await.expect_err("nothing gets through");
        println!("{error:?}");
        assert_eq!(began.elapsed(), Duration::from_secs(6), "{error:?}");
        Ok(())
    });
    sim.run()
}
