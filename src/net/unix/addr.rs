//! Addresses of Unix domain sockets.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::host::UnixName;

/// The size of `sun_path` on Linux.
const SUN_PATH: usize = 108;

/// The address of a Unix domain socket, with the methods of `tokio::net::unix::SocketAddr` and
/// the constructors of std's: a path, an abstract name, or none.
#[derive(Clone, PartialEq, Eq)]
pub struct SocketAddr(pub(super) Option<UnixName>);

impl SocketAddr {
    /// An address with a path; the empty path is no name.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when the path has 108 bytes or more, or a
    /// NUL byte among them.
    pub fn from_pathname<P>(path: P) -> io::Result<SocketAddr>
    where
        P: AsRef<Path>,
    {
        let path = path.as_ref().as_os_str();
        let bytes = path.as_encoded_bytes();
        if bytes.contains(&0) {
            return Err(invalid("paths must not contain interior null bytes"));
        }
        if bytes.len() >= SUN_PATH {
            return Err(invalid("path must be shorter than SUN_LEN"));
        }
        let is_unnamed = bytes.is_empty();
        Ok(SocketAddr((!is_unnamed).then(|| UnixName::Path(path.into()))))
    }

    /// An address with an abstract name, whatever bytes it has; the empty name is one.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when it has more than 107 bytes.
    pub fn from_abstract_name<N>(name: N) -> io::Result<SocketAddr>
    where
        N: AsRef<[u8]>,
    {
        let name = name.as_ref();
        if name.len() >= SUN_PATH {
            return Err(invalid("abstract socket name must be shorter than SUN_LEN"));
        }
        Ok(SocketAddr(Some(UnixName::Abstract(name.into()))))
    }

    /// What tokio takes a path for: an abstract name when it begins with a NUL byte.
    pub(crate) fn from_path_or_abstract(path: &Path) -> io::Result<SocketAddr> {
        match path.as_os_str().as_encoded_bytes().split_first() {
            Some((0, name)) => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(path),
        }
    }

    /// The address of a socket without a name.
    pub(crate) fn unnamed() -> SocketAddr {
        SocketAddr(None)
    }

    /// Whether it is the address of a socket without a name.
    pub fn is_unnamed(&self) -> bool {
        self.0.is_none()
    }

    /// The path, if it has one.
    pub fn as_pathname(&self) -> Option<&Path> {
        match &self.0 {
            Some(UnixName::Path(path)) => Some(Path::new(path)),
            _ => None,
        }
    }

    /// The abstract name, if it has one, without the NUL byte before it.
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        match &self.0 {
            Some(UnixName::Abstract(name)) => Some(name),
            _ => None,
        }
    }

    /// As reports show it.
    pub(super) fn text(&self) -> Arc<str> {
        self.0.as_ref().map_or_else(|| "(unnamed)".into(), |name| name.to_string().into())
    }
}

/// As std's.
impl fmt::Debug for SocketAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => formatter.write_str("(unnamed)"),
            Some(UnixName::Path(path)) => write!(formatter, "{path:?} (pathname)"),
            Some(UnixName::Abstract(name)) => {
                formatter.write_str("\"")?;
                write_bytes(name, formatter)?;
                formatter.write_str("\" (abstract)")
            }
        }
    }
}

/// Octets that are mostly text.
fn write_bytes(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match u8::try_from(character) {
                Ok(0) => formatter.write_str("\\0")?,
                Ok(ascii @ 1..=127) => write!(formatter, "{}", ascii.escape_ascii())?,
                _ => write!(formatter, "{}", character.escape_debug())?,
            }
        }
        write!(formatter, "{}", chunk.invalid().escape_ascii())?;
    }
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod std_address {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net;

    use super::SocketAddr;
    use crate::host::UnixName;

    impl From<net::SocketAddr> for SocketAddr {
        fn from(address: net::SocketAddr) -> SocketAddr {
            let path = address.as_pathname().map(|path| UnixName::Path(path.as_os_str().into()));
            let name = || address.as_abstract_name().map(|name| UnixName::Abstract(name.into()));
            SocketAddr(path.or_else(name))
        }
    }

    impl From<SocketAddr> for net::SocketAddr {
        fn from(address: SocketAddr) -> net::SocketAddr {
            let address = match &address.0 {
                Some(UnixName::Path(path)) => net::SocketAddr::from_pathname(&**path),
                Some(UnixName::Abstract(name)) => net::SocketAddr::from_abstract_name(name),
                None => net::SocketAddr::from_pathname(""),
            };
            address.unwrap_or_else(|_| unreachable!("an address is checked when it is made"))
        }
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
