//! The resolver of one host: its `/etc/hosts` first, then the world's DNS servers (the
//! `hosts: files dns` of nsswitch.conf(5)).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use super::family::Turns;
use super::service::NameService;
use super::table::Found;
use crate::net::dns;

impl NameService {
    /// Looks a name up, in `/etc/hosts` or by asking.
    pub(crate) async fn look_up(self: Arc<Self>, name: &str, turns: Turns) -> io::Result<Found> {
        match self.known(name, turns) {
            Some(known) => known,
            None => self.ask(name, turns).await,
        }
    }

    /// Asks the DNS servers about a name.
    pub(crate) async fn ask(self: Arc<Self>, name: &str, turns: Turns) -> io::Result<Found> {
        let mut found = Found::default();
        for families in turns {
            found = dns::look_up(&self, name, families).await?;
            if !found.addresses.is_empty() {
                break;
            }
        }
        self.sorted(found, name)
    }

    /// Looks an address up, in `/etc/hosts` or by asking. `None` when nobody has a name for it.
    pub(super) async fn look_up_address(
        self: Arc<Self>,
        address: IpAddr,
    ) -> io::Result<Option<Found>> {
        if let Some(found) = self.known_by_address(address) {
            return Ok(Some(found));
        }
        if self.names().nameservers().is_empty() {
            return Ok(None);
        }
        dns::look_up_address(&self, address).await
    }
}
