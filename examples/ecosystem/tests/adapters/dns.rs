//! hickory's `RuntimeProvider`.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use glassnet::net::{TcpStream, UdpSocket};
use glassnet::{Sim, time};
use hickory_resolver::Resolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{DnsTcpStream, DnsUdpSocket, RuntimeProvider, Spawn, Time};
use tokio::io::ReadBuf;

/// Sockets, timers and tasks of a world.
#[derive(Clone, Copy)]
struct World;

impl RuntimeProvider for World {
    type Handle = World;
    type Timer = World;
    type Udp = Datagrams;
    type Tcp = Stream;

    fn create_handle(&self) -> World {
        World
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        _: Option<SocketAddr>,
        limit: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Stream>>>> {
        Box::pin(async move {
            let limit = limit.unwrap_or(Duration::from_secs(5));
            let stream = time::timeout(limit, TcpStream::connect(server)).await??;
            Ok(Stream(AsyncIoTokioAsStd(stream)))
        })
    }

    fn bind_udp(
        &self,
        local: SocketAddr,
        _: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Datagrams>>>> {
        Box::pin(async move { UdpSocket::bind(local).await.map(Datagrams) })
    }
}

impl Spawn for World {
    fn spawn_bg(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        drop(glassnet::spawn(future));
    }
}

#[tonic::async_trait]
impl Time for World {
    async fn delay_for(duration: Duration) {
        time::sleep(duration).await;
    }

    async fn timeout<F: Future + Send + 'static>(
        duration: Duration,
        future: F,
    ) -> io::Result<F::Output> {
        Ok(time::timeout(duration, future).await?)
    }

    fn current_time() -> u64 {
        let since_1970 = time::SystemTime::now().duration_since(time::SystemTime::UNIX_EPOCH);
        since_1970.map_or(0, |time| time.as_secs())
    }
}

struct Datagrams(UdpSocket);

impl DnsUdpSocket for Datagrams {
    type Time = World;

    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buffer = ReadBuf::new(buffer);
        self.0.poll_recv_from(cx, &mut buffer).map_ok(|from| (buffer.filled().len(), from))
    }

    fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send_to(cx, bytes, target)
    }
}

struct Stream(AsyncIoTokioAsStd<TcpStream>);

impl DnsTcpStream for Stream {
    type Time = World;
}

impl futures_io::AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl futures_io::AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

fn resolver(server: NameServerConfig) -> glassnet::Result<Resolver<World>> {
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = Resolver::builder_with_config(config, World);
    builder.options_mut().timeout = Duration::from_secs(2);
    builder.options_mut().attempts = 2;
    Ok(builder.build()?)
}

/// `Sim::dns` is the first host of each world here.
const DNS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

fn world() -> Sim {
    let mut sim = Sim::new(7);
    sim.dns("dns");
    sim.host("server", std::future::pending);
    sim
}

#[test]
fn hickory_asks_the_server_of_the_world_over_udp_and_over_tcp() -> glassnet::Result {
    let mut sim = world();
    sim.client("client", async {
        for server in [NameServerConfig::udp(DNS), NameServerConfig::tcp(DNS)] {
            let resolver = resolver(server)?;
            let found: Vec<IpAddr> = resolver.lookup_ip("server.").await?.iter().collect();
            assert!(found.contains(&"10.0.0.2".parse()?), "{found:?}");
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn its_timeouts_fire_at_their_time() -> glassnet::Result {
    let mut sim = world();
    sim.at(Duration::ZERO).partition("client", "dns");
    sim.client("client", async {
        let resolver = resolver(NameServerConfig::udp(DNS))?;
        let began = time::Instant::now();
        resolver.lookup_ip("server.").await.expect_err("nothing gets through");
        assert_eq!(began.elapsed(), Duration::from_secs(6));
        Ok(())
    });
    sim.run()
}
