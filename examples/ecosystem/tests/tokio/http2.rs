//! HTTP/2: reqwest asks `axum::serve`, with prior knowledge and over TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use glassnet::Sim;
use reqwest::{Certificate, Client, Version};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use crate::capture::Capture;

/// Valid in the year 2000, in which every world begins.
const CERTIFICATE_AND_KEY: &[u8] = include_bytes!("../../../../tests/tls/server.pem");

fn application() -> Router {
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        "hello"
    };
    Router::new().route("/", get(async || "hello")).route("/slow", get(slow))
}

/// Asks for `/slow` three times at once. Returns when the answers were there, in milliseconds.
async fn ask_three_times(client: &Client, base: &str) -> Vec<u128> {
    let began = Instant::now();
    // The first request opens the connection that the others share.
    let first = client.get(format!("{base}/")).send().await.expect("it is served");
    assert_eq!(first.version(), Version::HTTP_2);
    let mut times = vec![began.elapsed().as_millis()];
    let mut requests = JoinSet::new();
    for _ in 0..3 {
        let request = client.get(format!("{base}/slow"));
        requests.spawn(async move { request.send().await?.text().await });
    }
    while let Some(answer) = requests.join_next().await {
        assert_eq!(answer.expect("it ends").expect("it is served"), "hello");
        times.push(began.elapsed().as_millis());
    }
    times
}

#[test]
fn reqwest_multiplexes_requests_with_prior_knowledge() -> glassnet::Result {
    crate::install_cryptography();
    let mut sim = Sim::tokio(7);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        // Otherwise an answer waits until the client has acknowledged the server's settings: Nagle.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        Ok(axum::serve(listener, application()).await?)
    });
    let capture = Capture::of(&mut sim, "client", "http2")?;
    sim.client("client", async {
        let client = Client::builder().http2_prior_knowledge().build()?;
        assert_eq!(ask_three_times(&client, "http://server").await, [6, 58, 58, 58]);
        Ok(())
    });
    sim.run()?;
    capture.shows("http2", "http2.headers.path", "/ /slow /slow /slow");
    capture.shows("http2.headers.status", "http2.headers.status", "200 200 200 200");
    capture.shows("tcp.flags.syn == 1 && tcp.flags.ack == 0", "tcp.dstport", "80");
    capture.is_clean();
    Ok(())
}

/// A listener for `axum::serve` whose connections are TLS.
struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = axum::serve::Listener::accept(&mut self.tcp).await;
            let _ = stream.set_nodelay(true);
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

fn server_config() -> glassnet::Result<ServerConfig> {
    crate::install_cryptography();
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE_AND_KEY)?;
    let key = PrivateKeyDer::from_pem_slice(CERTIFICATE_AND_KEY)?;
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A world with a server on port 443, whose TLS can be read in its captures.
fn world() -> glassnet::Result<Sim> {
    let mut sim = Sim::tokio(7);
    let mut config = server_config()?;
    config.key_log = Arc::new(sim.tls_secrets());
    let config = Arc::new(config);
    sim.host("server", move || {
        let tls = TlsAcceptor::from(config.clone());
        async move {
            let tcp = TcpListener::bind("0.0.0.0:443").await?;
            Ok(axum::serve(TlsListener { tcp, tls }, application()).await?)
        }
    });
    Ok(sim)
}

#[test]
fn reqwest_multiplexes_requests_over_tls() -> glassnet::Result {
    let mut sim = world()?;
    let capture = Capture::of(&mut sim, "client", "http2-tls")?;
    sim.client("client", async {
        let root = Certificate::from_pem(CERTIFICATE_AND_KEY)?;
        let client = Client::builder().tls_certs_only([root]).build()?;
        // TLS 1.3 takes one more round trip.
        assert_eq!(ask_three_times(&client, "https://server").await, [8, 60, 60, 60]);
        Ok(())
    });
    sim.run()?;
    capture.shows(
        "tls.handshake.type == 2",
        "tls.handshake.extensions.supported_version",
        "0x0304",
    );
    capture.shows("tls && http2", "http2.headers.path", "/ /slow /slow /slow");
    capture.is_clean();
    Ok(())
}

#[test]
fn alpn_chooses_http_1_1_where_the_client_wants_nothing_else() -> glassnet::Result {
    let mut sim = world()?;
    let capture = Capture::of(&mut sim, "client", "http1-tls")?;
    sim.client("client", async {
        let root = Certificate::from_pem(CERTIFICATE_AND_KEY)?;
        let client = Client::builder().tls_certs_only([root]).http1_only().build()?;
        let answer = client.get("https://server/").send().await?;
        assert_eq!(answer.version(), Version::HTTP_11);
        assert_eq!(answer.text().await?, "hello");
        Ok(())
    });
    sim.run()?;
    capture.shows("tls && http.request", "http.request.uri", "/");
    capture.is_clean();
    Ok(())
}

#[test]
fn a_certificate_that_is_not_known_is_refused() -> glassnet::Result {
    let mut sim = world()?;
    sim.client("client", async {
        let client = Client::builder().tls_certs_only([]).build()?;
        let error = client.get("https://server/").send().await.expect_err("nobody vouches for it");
        assert!(error.is_connect(), "{error:?}");
        Ok(())
    });
    sim.run()
}
