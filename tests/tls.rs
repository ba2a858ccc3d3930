//! TLS over glassnet's sockets: its secrets are in the captures, its certificates are judged by
//! the world's clock.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use glassnet::net::{TcpListener, TcpStream};
use glassnet::rustls::WorldTime;
use glassnet::time::sleep;
use glassnet::{Sim, TlsSecrets};
use pcap_file::pcapng::{Block, PcapNgReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, Error, RootCertStore, ServerConfig, SupportedProtocolVersion,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Valid in the year 2000.
const CERTIFICATE_AND_KEY: &[u8] = include_bytes!("tls/server.pem");

const YEAR: Duration = Duration::from_secs(366 * 86_400);

fn server_config(secrets: Option<TlsSecrets>) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE_AND_KEY).unwrap();
    let key = PrivateKeyDer::from_pem_slice(CERTIFICATE_AND_KEY).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(WorldTime))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    if let Some(secrets) = secrets {
        config.key_log = Arc::new(secrets);
    }
    Arc::new(config)
}

fn client_config(
    version: &'static SupportedProtocolVersion,
    secrets: Option<TlsSecrets>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE_AND_KEY).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(WorldTime))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    if let Some(secrets) = secrets {
        config.key_log = Arc::new(secrets);
    }
    Arc::new(config)
}

/// Greets over TLS, and closes.
fn greeting_host(sim: &mut Sim, config: Arc<ServerConfig>) {
    sim.host("server", move || {
        let acceptor = TlsAcceptor::from(config.clone());
        async move {
            let listener = TcpListener::bind("0.0.0.0:443").await?;
            loop {
                let (stream, _) = listener.accept().await?;
                // A client that does not like the certificate is no error of the host.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                stream.write_all(b"Thank you for connecting").await?;
                stream.shutdown().await?;
            }
        }
    });
}

async fn be_greeted(config: Arc<ClientConfig>) -> std::io::Result<()> {
    let stream = TcpStream::connect("server:443").await?;
    let name = ServerName::try_from("server").unwrap();
    let mut stream = TlsConnector::from(config).connect(name, stream).await?;
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).await?;
    assert_eq!(greeting, "Thank you for connecting");
    stream.shutdown().await
}

/// What a capture holds in order: the records' first bytes of frames with TLS, and secrets.
#[derive(Debug, PartialEq)]
enum Held {
    /// Type of the first record, and of its first message.
    Tls(u8, u8),
    Secrets(String),
}

fn held(path: &Path) -> Vec<Held> {
    let file = std::fs::read(path).unwrap();
    let blocks = PcapNgReader::new(&file[..]).unwrap().into_iter().map(|block| block.unwrap());
    let held = |block| match block {
        Block::EnhancedPacket(packet) => {
            // Ethernet, IPv4 and TCP headers without options.
            let payload = packet.data.get(54..)?;
            Some(Held::Tls(*payload.first()?, *payload.get(5)?))
        }
        Block::Unknown(block) if block.type_ == 0x0a => {
            let length = u32::from_le_bytes(block.value[4..8].try_into().unwrap()) as usize;
            let text = block.value[8..8 + length].to_vec();
            Some(Held::Secrets(String::from_utf8(text).unwrap()))
        }
        _ => None,
    };
    let held = blocks.filter_map(held);
    // The SYN's options look like a payload.
    held.filter(|held| !matches!(held, Held::Tls(kind, _) if !(20..=23).contains(kind))).collect()
}

fn labels(secrets: &str) -> Vec<&str> {
    secrets.lines().map(|line| line.split(' ').next().unwrap()).collect()
}

const CLIENT_HELLO: Held = Held::Tls(22, 1);
const SERVER_HELLO: Held = Held::Tls(22, 2);

/// The same connection as a client's, a server's and a link's capture hold it.
fn captured(
    version: &'static SupportedProtocolVersion,
    server_logs: bool,
    client_logs: bool,
) -> [Vec<Held>; 3] {
    let logs = format!("{version:?}-{server_logs}-{client_logs}");
    let paths = ["client", "server", "link"].map(|name| scratch(&format!("tls-{logs}-{name}")));
    let mut sim = Sim::new(1);
    let secrets = server_logs.then(|| sim.tls_secrets());
    greeting_host(&mut sim, server_config(secrets));
    let secrets = client_logs.then(|| sim.tls_secrets());
    sim.client("client", async move { Ok(be_greeted(client_config(version, secrets)).await?) });
    sim.capture("client", &paths[0]).unwrap();
    sim.capture("server", &paths[1]).unwrap();
    sim.capture_link("client", "server", &paths[2]).unwrap();
    sim.run().unwrap();
    paths.map(|path| held(&path))
}

#[test]
fn every_capture_holds_the_secrets_before_what_they_decrypt() {
    for client_logs in [false, true] {
        for held in captured(&TLS13, true, client_logs) {
            let [first, Held::Secrets(secrets), second, ..] = &held[..] else { panic!("{held:?}") };
            assert_eq!([first, second], [&CLIENT_HELLO, &SERVER_HELLO]);
            let mut labels = labels(secrets);
            labels.sort_unstable();
            assert_eq!(
                labels,
                [
                    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                    "CLIENT_TRAFFIC_SECRET_0",
                    "EXPORTER_SECRET",
                    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                    "SERVER_TRAFFIC_SECRET_0",
                ]
            );
            let blocks = held.iter().filter(|held| matches!(held, Held::Secrets(_)));
            assert_eq!(blocks.count(), 1, "what both sides log is there once");
        }
    }
}

#[test]
fn the_client_of_tls_1_3_knows_its_secrets_only_when_the_server_hello_has_passed() {
    let [client, ..] = captured(&TLS13, false, true);
    let [first, second, Held::Secrets(_), ..] = &client[..] else { panic!("{client:?}") };
    assert_eq!([first, second], [&CLIENT_HELLO, &SERVER_HELLO]);
}

#[test]
fn the_client_of_tls_1_2_knows_the_secret_before_it_encrypts_and_the_server_after() {
    // A flight of the handshake each, and the secret before or after the client's second, which
    // ends with what it encrypts first.
    for (server_logs, client_logs, before) in [(false, true, 2), (true, false, 3)] {
        for held in captured(&TLS12, server_logs, client_logs) {
            let flights = [CLIENT_HELLO, SERVER_HELLO, Held::Tls(22, 16)];
            assert_eq!(held[..before], flights[..before]);
            let Held::Secrets(secrets) = &held[before] else { panic!("{held:?}") };
            assert_eq!(labels(secrets), ["CLIENT_RANDOM"]);
        }
    }
}

#[test]
fn a_world_without_tls_is_captured_as_ever() {
    let capture = |asked: bool| {
        let path = scratch(&format!("tls-none-{asked}"));
        let mut sim = Sim::new(1);
        let secrets = asked.then(|| sim.tls_secrets());
        echo_host(&mut sim, "server");
        sim.client("client", async {
            let stream = TcpStream::connect("server:7").await?;
            assert!(exchange(stream, pattern(5_000)).await? == pattern(5_000));
            Ok(())
        });
        sim.capture("client", &path).unwrap();
        sim.run().unwrap();
        drop(secrets);
        std::fs::read(path).unwrap()
    };
    assert!(capture(false) == capture(true));
}

/// Time and length of every frame, and all their bytes.
fn frames() -> (Vec<(Duration, usize)>, Vec<u8>) {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(ms(10)).rate(1_000_000);
    let wire = Wire::watch(&mut sim);
    greeting_host(&mut sim, server_config(None));
    sim.client("client", async { Ok(be_greeted(client_config(&TLS13, None)).await?) });
    sim.run().unwrap();
    let sent = wire.sent();
    let shape = sent.iter().map(|sent| (sent.time, sent.frame.len())).collect();
    (shape, sent.into_iter().flat_map(|sent| sent.frame).collect())
}

#[test]
fn two_runs_with_ed25519_differ_in_their_octets_and_not_in_times_and_lengths() {
    let ((shape, octets), (same_shape, other_octets)) = (frames(), frames());
    assert_eq!(shape, same_shape);
    assert!(octets != other_octets, "rustls draws from the operating system");
}

#[test]
fn a_certificate_is_valid_as_long_as_it_is_in_the_world() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.time_limit(YEAR * 2);
    greeting_host(&mut sim, server_config(None));
    sim.client("client", async {
        sleep(YEAR - secs(1)).await;
        be_greeted(client_config(&TLS13, None)).await?;
        sleep(secs(2)).await;
        // Another configuration: a session that is resumed shows no certificate.
        let error = be_greeted(client_config(&TLS13, None)).await.unwrap_err();
        let error = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
        assert!(
            matches!(
                error,
                Some(Error::InvalidCertificate(CertificateError::ExpiredContext { .. }))
            ),
            "{error:?}"
        );
        Ok(())
    });
    sim.run()
}

#[test]
fn the_world_begins_with_the_year_2000_and_there_is_no_time_outside_it() -> glassnet::Result {
    assert_eq!(WorldTime.current_time(), None);
    alone(async {
        let seconds = || WorldTime.current_time().unwrap().as_secs();
        assert_eq!(seconds(), 946_684_800);
        sleep(secs(86_400)).await;
        assert_eq!(seconds(), 946_684_800 + 86_400);
        Ok(())
    })
}
