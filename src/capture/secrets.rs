//! TLS secrets, and the block that gives them to Wireshark.
//!
//! Layout: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html#name-decryption-secrets-block>

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::lay_out_block;

const DECRYPTION_SECRETS_BLOCK: u32 = 0x0000_000a;

/// The secrets are lines of an NSS key log: the letters `TLSK`.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// Lines that one world keeps: 20,000 connections of TLS 1.3, about 20 MB.
const LINES: usize = 100_000;

/// The longest line; TLS's own have less than 260 bytes.
const LONGEST_LINE: usize = 1024;

/// Takes the secrets of TLS connections, and puts them into every capture of the world, so that
/// Wireshark and tshark show what is inside without being told anything. Made by
/// [`Sim::tls_secrets`](crate::Sim::tls_secrets); clones are the same.
///
/// With feature `rustls` it is a `rustls::KeyLog`: see [`guide`](crate::guide).
///
/// Let both sides of a connection add theirs: what both add is kept once. A capture holds a secret
/// before the first frame that it saw after the secret was [added](TlsSecrets::add), and a reader
/// decrypts only what comes after. In TLS 1.3 it is the server that knows before anything
/// encrypted is sent, in TLS 1.2 the client; the other side alone comes too late.
#[derive(Clone, Default)]
pub struct TlsSecrets(Arc<Book>);

#[derive(Default)]
struct Book {
    lines: Mutex<Lines>,
    /// How many lines there are, so that the common case, none new, needs no lock.
    count: AtomicUsize,
}

#[derive(Default)]
struct Lines {
    in_order: Vec<Arc<str>>,
    known: BTreeSet<Arc<str>>,
}

impl TlsSecrets {
    /// Adds a secret, as a line of an NSS key log would: the label says which one it is
    /// (`CLIENT_RANDOM` with the master secret for TLS 1.2; `CLIENT_TRAFFIC_SECRET_0` and others for
    /// TLS 1.3), and the random of the ClientHello says of which connection.
    ///
    /// Format: <https://datatracker.ietf.org/doc/html/draft-ietf-tls-keylogfile>
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when the label is anything else than letters,
    /// digits and `_`, when there is no random or no secret, or when the line would be longer than
    /// 1024 characters. [`QuotaExceeded`](io::ErrorKind::QuotaExceeded) when the world holds
    /// 100,000 lines already.
    pub fn add(&self, label: &str, client_random: &[u8], secret: &[u8]) -> io::Result<()> {
        let is_fine = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
        if label.is_empty() || !label.bytes().all(is_fine) {
            return Err(invalid("the label of a TLS secret has other signs than A-Z, 0-9 and _"));
        }
        if client_random.is_empty() || secret.is_empty() {
            return Err(invalid("a TLS secret needs a client random and a secret"));
        }
        let length = label.len() + 2 * (client_random.len() + secret.len()) + 2;
        if length > LONGEST_LINE {
            return Err(invalid("a TLS secret has more than 1024 characters"));
        }
        let line = format!("{label} {} {}", Hex(client_random), Hex(secret));
        let line: Arc<str> = line.into();
        let mut lines = self.lines();
        if lines.known.contains(&line) {
            return Ok(());
        }
        if lines.in_order.len() == LINES {
            let message = "the world holds 100,000 TLS secrets already";
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, message));
        }
        lines.known.insert(line.clone());
        lines.in_order.push(line);
        self.0.count.store(lines.in_order.len(), Ordering::Relaxed);
        Ok(())
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many there are, and none of them.
impl fmt::Debug for TlsSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.count.load(Ordering::Relaxed);
        formatter.debug_struct("TlsSecrets").field("count", &count).finish_non_exhaustive()
    }
}

/// What of the secrets one capture does not hold yet.
#[derive(Default)]
pub(super) struct Unwritten {
    secrets: TlsSecrets,
    written: usize,
}

impl Unwritten {
    pub(super) fn of(secrets: TlsSecrets) -> Unwritten {
        Unwritten { secrets, written: 0 }
    }

    fn is_empty(&self) -> bool {
        self.secrets.0.count.load(Ordering::Relaxed) == self.written
    }

    /// Appends a block with what is new, if anything is; then it counts as written.
    pub(super) fn lay_out_block(&mut self, blocks: &mut Vec<u8>) {
        if !self.is_empty() {
            lay_out_block(blocks, DECRYPTION_SECRETS_BLOCK, |body| self.lay_out(body));
        }
    }

    fn lay_out(&mut self, body: &mut Vec<u8>) {
        let start = body.len();
        body.extend_from_slice(&TLS_KEY_LOG.to_le_bytes());
        body.extend_from_slice(&[0; 4]);
        let lines = self.secrets.lines();
        for line in &lines.in_order[self.written..] {
            body.extend_from_slice(line.as_bytes());
            body.push(b'\n');
        }
        let length = (body.len() - start - 8) as u32;
        body[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
        self.written = lines.in_order.len();
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
