//! What [`rustls`](https://docs.rs/rustls) 0.23 is given here: a key log that goes into the
//! captures, and [`WorldTime`] to judge certificates by. Feature `rustls`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use glassnet::Sim;
//! use glassnet::rustls::WorldTime;
//! use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
//!
//! let mut sim = Sim::new(7);
//! let provider = Arc::new(ring::default_provider());
//! let mut config = ClientConfig::builder_with_details(provider, Arc::new(WorldTime))
//!     .with_safe_default_protocol_versions()?
//!     .with_root_certificates(RootCertStore::empty())
//!     .with_no_client_auth();
//! config.key_log = Arc::new(sim.tls_secrets());
//! # Ok::<(), tokio_rustls::rustls::Error>(())
//! ```
//!
//! A `ServerConfig` has the same field, and wants the same: [`TlsSecrets`] says why both.
//! `tls` in `examples/ecosystem` is the whole of it.

use ::rustls::KeyLog;
use ::rustls::pki_types::UnixTime;
use ::rustls::time_provider::TimeProvider;

use crate::capture::TlsSecrets;
use crate::task::context;

/// Adds each secret. One that cannot be [added](TlsSecrets::add) is a `tracing` warning.
impl KeyLog for TlsSecrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if let Err(error) = self.add(label, client_random, secret) {
            tracing::warn!(target: "glassnet::capture", label, %error, "TLS secret not kept");
        }
    }
}

/// The date in a world, for the validity of certificates and the age of tickets: the world begins
/// at 2000-01-01T00:00:00Z, as its captures say.
///
/// Without it rustls asks the machine, and a certificate that expires makes an old test fail.
/// Outside a task of a world there is no time, and rustls fails with
/// `Error::FailedToGetCurrentTime`.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorldTime;

impl TimeProvider for WorldTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(context::clock()?.since_1970()))
    }
}
