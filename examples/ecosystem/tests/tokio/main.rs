//! Libraries that use tokio themselves, each in its own documented way, in a world. A file is about
//! one library.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what runs here stands for other people's programs"
)]

mod capture;
mod dns;
mod grpc;
mod http;
mod http2;
mod postgres;
mod redis;
mod reproducible;
mod websocket;

/// Installs the cryptography that TLS uses in this process, as rustls' documentation shows it. The
/// first test that comes here does so.
fn install_cryptography() {
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
}
