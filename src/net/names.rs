//! Names of hosts.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The names that every host of a world can resolve: the hosts themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<Mutex<BTreeMap<String, IpAddr>>>);

impl Names {
    pub(crate) fn insert(&self, name: &str, address: IpAddr) {
        self.table().insert(name.to_owned(), address);
    }

    /// The address of `name`; `localhost` is every host's own.
    pub(crate) fn resolve(&self, name: &str) -> Option<IpAddr> {
        if name == "localhost" {
            return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        self.table().get(name).copied()
    }

    pub(crate) fn all(&self) -> Vec<(IpAddr, String)> {
        let mut all: Vec<_> =
            self.table().iter().map(|(name, address)| (*address, name.clone())).collect();
        all.sort();
        all
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<String, IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
