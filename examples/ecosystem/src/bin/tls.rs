//! HTTP inside TLS 1.3: rustls over glassnet's sockets, hyper inside. The secrets of the
//! connection go into the capture, so that Wireshark shows the HTTP without being told anything.
//!
//! `cargo run --bin tls [CAPTURE]` prints what happened, and leaves a capture of the client's
//! interface.
//!
//! Two things are glassnet's here: [`WorldTime`], because rustls otherwise judges certificates by
//! the wall clock (this one is valid in the year 2000, when every world begins), and the key log.
//! What rustls draws at random comes from the operating system, so the octets of two runs differ;
//! with an Ed25519 certificate their times and lengths do not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use glassnet::hyper::{Io, Timer};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::rustls::WorldTime;
use glassnet::time::Instant;
use glassnet::{Sim, TlsSecrets, spawn};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const CERTIFICATE_AND_KEY: &[u8] = include_bytes!("../../../../tests/tls/server.pem");

fn main() -> glassnet::Result {
    let capture = std::env::args_os().nth(1).map(PathBuf::from);
    let capture = capture.unwrap_or_else(|| std::env::temp_dir().join("glassnet-tls.pcapng"));

    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(Duration::from_millis(20)).rate(10_000_000);
    let server = Arc::new(server_config(sim.tls_secrets())?);
    let client = Arc::new(client_config(sim.tls_secrets())?);
    sim.host("server", move || serve(server.clone()));
    sim.client("client", ask(client));
    sim.capture("client", &capture)?;
    sim.run()?;
    println!("{} s in all; {}", sim.now().since_start().as_secs_f64(), capture.display());
    Ok(())
}

fn server_config(secrets: TlsSecrets) -> glassnet::Result<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE_AND_KEY)?;
    let key = PrivateKeyDer::from_pem_slice(CERTIFICATE_AND_KEY)?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(WorldTime))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.key_log = Arc::new(secrets);
    Ok(config)
}

fn client_config(secrets: TlsSecrets) -> glassnet::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE_AND_KEY)?)?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(WorldTime))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.key_log = Arc::new(secrets);
    Ok(config)
}

async fn serve(config: Arc<ServerConfig>) -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:443").await?;
    let acceptor = TlsAcceptor::from(config);
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        spawn(async move {
            let stream = acceptor.accept(stream).await?;
            let answer = service_fn(async |_| {
                let body = Bytes::from("Thank you for connecting in confidence\n");
                Ok::<_, hyper::Error>(Response::new(Full::new(body)))
            });
            let mut http = server::conn::http1::Builder::new();
            http.timer(Timer).auto_date_header(false);
            http.serve_connection(Io::new(stream), answer).await?;
            glassnet::Result::Ok(())
        });
    }
}

async fn ask(config: Arc<ClientConfig>) -> glassnet::Result {
    let stream = TcpStream::connect("server:443").await?;
    let name = ServerName::try_from("server")?;
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    let (_, session) = stream.get_ref();
    let version = session.protocol_version().ok_or("no version was agreed on")?;
    println!("{} {version:?}", Instant::now());

    let (mut sender, connection) = client::conn::http1::handshake(Io::new(stream)).await?;
    let connection = spawn(connection.without_shutdown());
    let request = Request::get("/secret").header("host", "server").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    println!("{} {status}: {}", Instant::now(), String::from_utf8_lossy(&body).trim_end());
    drop(sender);
    // Both say close_notify, and the client hears the server's: a stream that is dropped before
    // it was read to its end resets the connection, here as on Linux.
    let mut stream = connection.await??.io.into_inner();
    stream.shutdown().await?;
    stream.read_to_end(&mut Vec::new()).await?;
    if status != 200 || body != "Thank you for connecting in confidence\n" {
        return Err("not what was asked for".into());
    }
    Ok(())
}
