//! What tokio's calls take as an address.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{option, vec};

use super::Numeric;
use crate::net::attachment::attachment;
use crate::net::failing::NoteFailure;

/// What can be turned into socket addresses: everything that tokio's trait of that name takes.
///
/// A text is an address with a port, `10.0.0.1:80`, or a name with a port, `server:80`. The name is
/// resolved as [`names`](crate::net::names) says, which may take DNS queries; the port is a number.
/// The trait is sealed.
///
/// # Errors
/// A text that is neither, or a port outside 0 to 65535: [`io::ErrorKind::InvalidInput`]. A name
/// that cannot be resolved: an [`AddrInfoError`](crate::net::names::AddrInfoError).
pub trait ToSocketAddrs: sealed::ToSocketAddrs {}

pub(crate) mod sealed {
    use super::Resolving;

    pub trait ToSocketAddrs {
        /// Borrows nothing, so that a future that waits for it needs no more than tokio's does.
        fn addresses(&self) -> Resolving;
    }
}

/// The addresses that something stands for, or will stand for when they are found.
pub struct Resolving(State);

type Lookup = Pin<Box<dyn Future<Output = io::Result<Addresses>> + Send>>;

enum State {
    /// Known without asking anybody; taken when it is polled.
    Known(Option<io::Result<Addresses>>),
    Asked(Lookup),
}

impl Resolving {
    fn one(address: SocketAddr) -> Resolving {
        Resolving::known(Ok(Addresses::One(Some(address).into_iter())))
    }

    fn failed(error: io::Error) -> Resolving {
        Resolving::known(Err(error))
    }

    fn known(result: io::Result<Addresses>) -> Resolving {
        Resolving(State::Known(Some(result)))
    }
}

impl Future for Resolving {
    type Output = io::Result<Addresses>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Known(result) => Poll::Ready(result.take().unwrap_or_else(|| {
                Err(io::Error::other("a resolution was polled after it had ended"))
            })),
            State::Asked(lookup) => lookup.as_mut().poll(cx),
        }
    }
}

/// What was resolved: mostly one address, which costs no allocation.
#[derive(Clone, Debug)]
pub enum Addresses {
    One(option::IntoIter<SocketAddr>),
    Many(vec::IntoIter<SocketAddr>),
}

impl Addresses {
    /// What comes of the first address with which `attempt` succeeds, or the last error.
    pub(crate) fn try_each<T>(
        self,
        mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut last_error = None;
        for address in self {
            match attempt(address) {
                Ok(success) => return Ok(success),
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()))
    }
}

impl Iterator for Addresses {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        match self {
            Addresses::One(address) => address.next(),
            Addresses::Many(addresses) => addresses.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Addresses::One(address) => address.size_hint(),
            Addresses::Many(addresses) => addresses.size_hint(),
        }
    }
}

impl ExactSizeIterator for Addresses {}

/// The addresses that `host` stands for.
///
/// # Errors
/// As [`ToSocketAddrs`] says.
pub async fn lookup_host<T: ToSocketAddrs>(
    host: T,
) -> io::Result<impl Iterator<Item = SocketAddr>> {
    host.addresses().await
}

/// The addresses that `address` stands for, at least one.
pub(crate) fn resolve<A: ToSocketAddrs>(
    address: &A,
) -> impl Future<Output = io::Result<Addresses>> + Send + use<A> {
    let addresses = address.addresses();
    async {
        let addresses = addresses.await?;
        if addresses.len() == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "could not resolve to any address",
            ));
        }
        Ok(addresses)
    }
}

macro_rules! to_one_address {
    ($($type:ty: $self:ident => $address:expr;)*) => {$(
        impl ToSocketAddrs for $type {}
        impl sealed::ToSocketAddrs for $type {
            fn addresses(&self) -> Resolving {
                let $self = self;
                Resolving::one($address)
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
    fn addresses(&self) -> Resolving {
        let owned = self.to_vec();
        Resolving::known(Ok(Addresses::Many(owned.into_iter())))
    }
}

impl ToSocketAddrs for str {}
impl sealed::ToSocketAddrs for str {
    fn addresses(&self) -> Resolving {
        // Else it is a name's: this looks at one byte, and not at all of them four times.
        if self.starts_with(|first: char| first.is_ascii_digit() || first == '[')
            && let Ok(address) = self.parse()
        {
            return Resolving::one(address);
        }
        let invalid = |why| Resolving::failed(io::Error::new(io::ErrorKind::InvalidInput, why));
        let Some((host, port)) = self.rsplit_once(':') else {
            return invalid("invalid socket address");
        };
        match port.parse() {
            Ok(port) => (host, port).addresses(),
            Err(_) => invalid("invalid port value"),
        }
    }
}

impl ToSocketAddrs for String {}
impl sealed::ToSocketAddrs for String {
    fn addresses(&self) -> Resolving {
        self.as_str().addresses()
    }
}

impl ToSocketAddrs for (&str, u16) {}
impl sealed::ToSocketAddrs for (&str, u16) {
    fn addresses(&self) -> Resolving {
        let (host, port) = *self;
        if is_like_numeric(host)
            && let Ok(address) = host.parse::<IpAddr>()
        {
            return Resolving::one(SocketAddr::new(address, port));
        }
        look_up(host, port)
    }
}

impl ToSocketAddrs for (String, u16) {}
impl sealed::ToSocketAddrs for (String, u16) {
    fn addresses(&self) -> Resolving {
        (self.0.as_str(), self.1).addresses()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}
impl<T: sealed::ToSocketAddrs + ?Sized> sealed::ToSocketAddrs for &T {
    fn addresses(&self) -> Resolving {
        (**self).addresses()
    }
}

/// Whether a host's name may be an address in numbers, of which those of IPv4 begin with a digit and
/// those of IPv6 have a colon.
fn is_like_numeric(host: &str) -> bool {
    host.starts_with(|first: char| first.is_ascii_digit()) || host.bytes().any(|byte| byte == b':')
}

fn look_up(host: &str, port: u16) -> Resolving {
    // Short forms of addresses, as getaddrinfo(3) takes them.
    if is_like_numeric(host)
        && let Some(numeric) = Numeric::parse(host)
    {
        return Resolving::one(numeric.with_port(port));
    }
    let names = match attachment() {
        Ok(attachment) => attachment.names.clone(),
        Err(error) => return Resolving::failed(error),
    };
    if let Some(address) = names.only_address(host) {
        return Resolving::one((address, port).into());
    }
    let turns = names.turns();
    match names.known(host, turns) {
        Some(Ok(found)) => Resolving::known(Ok(at_port(&found.addresses, port))),
        Some(Err(error)) => {
            Resolving::known(Err(error).note_failure(|| format!("lookup of {host}")))
        }
        None => {
            let host = host.to_owned();
            Resolving(State::Asked(Box::pin(async move {
                let found = names.ask(&host, turns).await;
                let found = found.note_failure(|| format!("lookup of {host}"))?;
                Ok(at_port(&found.addresses, port))
            })))
        }
    }
}

fn at_port(addresses: &[IpAddr], port: u16) -> Addresses {
    match addresses {
        [address] => Addresses::One(Some((*address, port).into()).into_iter()),
        all => {
            let all: Vec<SocketAddr> = all.iter().map(|address| (*address, port).into()).collect();
            Addresses::Many(all.into_iter())
        }
    }
}
