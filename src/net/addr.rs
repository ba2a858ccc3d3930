//! Addresses of sockets, in all the forms that calls take.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::attachment;

/// What can be turned into socket addresses: everything that tokio's trait of that name takes.
///
/// A text is an address with a port, `10.0.0.1:80`, or a name with a port, `server:80`, where the
/// name is one of the world's hosts or `localhost`. The trait is sealed.
///
/// # Errors
/// A text that is neither, or a port outside 0 to 65535: [`io::ErrorKind::InvalidInput`]. A name
/// that no host has: an uncategorised error that says so, as from `getaddrinfo(3)`.
pub trait ToSocketAddrs: sealed::ToSocketAddrs {}

pub(crate) mod sealed {
    use std::io;
    use std::net::SocketAddr;

    pub trait ToSocketAddrs {
        fn addresses(&self) -> io::Result<Vec<SocketAddr>>;
    }
}

/// The addresses that `host` stands for.
///
/// # Errors
/// As [`ToSocketAddrs`] says.
pub async fn lookup_host<T: ToSocketAddrs>(
    host: T,
) -> io::Result<impl Iterator<Item = SocketAddr>> {
    host.addresses().map(Vec::into_iter)
}

/// The addresses that `address` stands for, at least one.
pub(crate) fn resolve(address: &impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    let addresses = address.addresses()?;
    if addresses.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "could not resolve to any address",
        ));
    }
    Ok(addresses)
}

macro_rules! to_one_address {
    ($($type:ty: $self:ident => $address:expr;)*) => {$(
        impl ToSocketAddrs for $type {}
        impl sealed::ToSocketAddrs for $type {
            fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
                let $self = self;
                Ok(vec![$address])
            }
        }
    )*};
}

to_one_address! {
    SocketAddr: address => *address;
    SocketAddrV4: address => SocketAddr::V4(*address);
    SocketAddrV6: address => SocketAddr::V6(*address);
    (IpAddr, u16): address => SocketAddr::from(*address);
    (Ipv4Addr, u16): address => SocketAddr::from(*address);
    (Ipv6Addr, u16): address => SocketAddr::from(*address);
}

impl ToSocketAddrs for &[SocketAddr] {}
impl sealed::ToSocketAddrs for &[SocketAddr] {
    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(self.to_vec())
    }
}

impl ToSocketAddrs for str {}
impl sealed::ToSocketAddrs for str {
    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = self.parse() {
            return Ok(vec![address]);
        }
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let (host, port) =
            self.rsplit_once(':').ok_or_else(|| invalid("invalid socket address"))?;
        let port = port.parse().map_err(|_| invalid("invalid port value"))?;
        (host, port).addresses()
    }
}

impl ToSocketAddrs for String {}
impl sealed::ToSocketAddrs for String {
    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.as_str().addresses()
    }
}

impl ToSocketAddrs for (&str, u16) {}
impl sealed::ToSocketAddrs for (&str, u16) {
    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = *self;
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let address = attachment()?.names.resolve(host);
        let unknown = || {
            io::Error::other(format!(
                "failed to lookup address information: no host is called {host:?}"
            ))
        };
        Ok(vec![SocketAddr::new(address.ok_or_else(unknown)?, port)])
    }
}

impl ToSocketAddrs for (String, u16) {}
impl sealed::ToSocketAddrs for (String, u16) {
    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        (self.0.as_str(), self.1).addresses()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}
impl<T: sealed::ToSocketAddrs + ?Sized> sealed::ToSocketAddrs for &T {
    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        (**self).addresses()
    }
}
