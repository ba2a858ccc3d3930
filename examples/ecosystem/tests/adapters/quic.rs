//! quinn's `Runtime` and `AsyncUdpSocket`.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use glassnet::net::UdpSocket;
use glassnet::rustls::WorldTime;
use glassnet::{Sim, hyper::Timer};
use hyper::rt::Timer as _;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{
    AsyncTimer, AsyncUdpSocket, ClientConfig, Endpoint, EndpointConfig, Runtime, ServerConfig,
    UdpPoller,
};
use tokio::io::ReadBuf;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{self, RootCertStore};

const CERTIFICATE_AND_KEY: &[u8] = include_bytes!("../../../../tests/tls/server.pem");

/// Tasks and timers of a world. quinn counts in `std::time::Instant`, as hyper does: the timer that
/// glassnet has for hyper turns the world's time into it.
#[derive(Debug)]
struct World;

impl Runtime for World {
    fn new_timer(&self, deadline: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(Alarm(Timer.sleep_until(deadline)))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        drop(glassnet::spawn(future));
    }

    fn wrap_udp_socket(&self, _: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "that is a socket of the machine"))
    }

    fn now(&self) -> Instant {
        Timer.now()
    }
}

struct Alarm(Pin<Box<dyn hyper::rt::Sleep>>);

impl fmt::Debug for Alarm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Alarm")
    }
}

impl AsyncTimer for Alarm {
    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        Timer.reset(&mut self.0, deadline);
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

#[derive(Debug)]
struct Datagrams(UdpSocket);

/// Waits until datagrams can be sent.
#[derive(Debug)]
struct Writable(Arc<Datagrams>);

impl UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.0.poll_send_ready(cx)
    }
}

impl AsyncUdpSocket for Datagrams {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable(self))
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send_to(transmit.contents, transmit.destination).map(drop)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(&mut buffers[0]);
        let addr = ready!(self.0.poll_recv_from(cx, &mut buffer))?;
        let len = buffer.filled().len();
        meta[0] = RecvMeta { addr, len, stride: len, ecn: None, dst_ip: None };
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

async fn endpoint(address: &str, server: Option<ServerConfig>) -> io::Result<Endpoint> {
    let socket = Arc::new(Datagrams(UdpSocket::bind(address).await?));
    // Its key for resets, which quinn would draw from the machine otherwise.
    Endpoint::new_with_abstract_socket(EndpointConfig::default(), server, socket, Arc::new(World))
}

fn server_config() -> glassnet::Result<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let config = rustls::ServerConfig::builder_with_details(provider, Arc::new(WorldTime))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE_AND_KEY)?],
            PrivateKeyDer::from_pem_slice(CERTIFICATE_AND_KEY)?,
        )?;
    Ok(ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config)?)))
}

fn client_config() -> glassnet::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE_AND_KEY)?)?;
    let provider = Arc::new(ring::default_provider());
    let config = rustls::ClientConfig::builder_with_details(provider, Arc::new(WorldTime))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(ClientConfig::new(Arc::new(QuicClientConfig::try_from(config)?)))
}

/// Sends back what it is sent, on each stream.
async fn serve() -> glassnet::Result {
    let endpoint = endpoint("0.0.0.0:443", Some(server_config()?)).await?;
    while let Some(incoming) = endpoint.accept().await {
        let connection = incoming.await?;
        glassnet::spawn(async move {
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                let bytes = receive.read_to_end(1 << 20).await?;
                send.write_all(&bytes).await?;
                send.finish()?;
            }
            glassnet::Result::Ok(())
        });
    }
    Ok(())
}

async fn echo(len: usize) -> glassnet::Result {
    let endpoint = endpoint("0.0.0.0:0", None).await?;
    let server = glassnet::net::lookup_host("server:443").await?.next().ok_or("no server")?;
    let connection = endpoint.connect_with(client_config()?, server, "server")?.await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
    send.write_all(&bytes).await?;
    send.finish()?;
    assert!(receive.read_to_end(1 << 20).await? == bytes);
    connection.close(0u32.into(), b"done");
    endpoint.wait_idle().await;
    Ok(())
}

#[test]
fn a_stream_of_quic_is_echoed_under_loss() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.host("server", serve);
    sim.link("client", "server").delay(Duration::from_millis(10)).loss(0.02);
    sim.client("client", echo(500_000));
    sim.run()
}

#[test]
fn the_idle_timeout_of_quic_fires_in_the_time_of_the_world() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.host("server", serve);
    sim.at(Duration::from_secs(1)).partition("client", "server");
    sim.client("client", async {
        let endpoint = endpoint("0.0.0.0:0", None).await?;
        let server = glassnet::net::lookup_host("server:443").await?.next().ok_or("no server")?;
        let connection = endpoint.connect_with(client_config()?, server, "server")?.await?;
        // 30 s, by default, after the last datagram has come.
        connection.closed().await;
        let seconds = glassnet::time::Instant::now().since_start().as_secs();
        assert_eq!(seconds, 30);
        Ok(())
    });
    sim.run()
}
