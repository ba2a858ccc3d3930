//! What one host knows of names without asking.

use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::family::{Turns, select, turns_of};
use super::table::{Found, is_name};
use super::{AddrInfoErrorKind, Names, order};
use crate::rng::Stream;

/// What resolves names on one host.
pub(crate) struct NameService {
    own: String,
    names: Names,
    /// Where the numbers of DNS queries come from.
    ids: Mutex<Stream>,
}

impl NameService {
    pub(crate) fn new(own: &str, names: Names, ids: Stream) -> NameService {
        NameService { own: own.to_owned(), names, ids: Mutex::new(ids) }
    }

    pub(super) fn hostname(&self) -> &str {
        &self.own
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// A number for a query that nobody can guess.
    pub(crate) fn next_id(&self) -> u16 {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).next_u64() as u16
    }

    /// The name of an address, of those that are known without asking.
    pub(super) fn known_by_address(&self, address: IpAddr) -> Option<Found> {
        self.names.known_by_address(&self.own, address)
    }

    /// The families that a plain name is looked up in.
    pub(crate) fn turns(&self) -> Turns {
        turns_of(self.names.ip_version())
    }

    /// The address of a host, when nothing else can be meant by its name.
    pub(crate) fn only_address(&self, name: &str) -> Option<IpAddr> {
        self.names.only_address(&self.own, name)
    }

    /// What is known of a name without asking; `None` when the DNS servers are to be asked.
    pub(crate) fn known(&self, name: &str, turns: Turns) -> Option<io::Result<Found>> {
        if let Some(mut found) = self.names.known(&self.own, name) {
            found.addresses = select(&found.addresses, turns);
            return Some(self.sorted(found, name));
        }
        if !is_name(name) {
            return Some(Err(AddrInfoErrorKind::NoName.about(format!("{name:?}"))));
        }
        if self.names.nameservers().is_empty() {
            let about = format!("no host is called {name:?}, and there is no DNS server to ask");
            return Some(Err(AddrInfoErrorKind::Again.about(about)));
        }
        None
    }

    /// Puts addresses into the order in which they are to be tried.
    pub(super) fn sort(&self, addresses: &mut [IpAddr]) {
        if addresses.len() > 1 {
            let own = self.names.known(&self.own, &self.own).unwrap_or_default();
            order::sort(addresses, &own.addresses);
        }
    }

    pub(super) fn sorted(&self, mut found: Found, name: &str) -> io::Result<Found> {
        if found.addresses.is_empty() {
            return Err(AddrInfoErrorKind::NoData.about(format!("{name:?}")));
        }
        self.sort(&mut found.addresses);
        Ok(found)
    }
}
