//! Which port of a switch an address was last seen at (IEEE 802.1D 7.8).

use std::collections::{BTreeMap, VecDeque};

use crate::wire::ethernet::{Mac, is_group};

pub(super) type Port = u64;

/// Addresses that are known of one port; one more takes the place of the oldest.
pub(super) const MAX_PER_PORT: usize = 64;

/// What a switch has learned.
#[derive(Default)]
pub(super) struct Addresses {
    ports: BTreeMap<Mac, Port>,
    /// The same by port, in the order in which they came there.
    of_port: BTreeMap<Port, VecDeque<Mac>>,
}

impl Addresses {
    /// The port at which `address` was last seen.
    pub(super) fn port_of(&self, address: &Mac) -> Option<Port> {
        self.ports.get(address).copied()
    }

    /// Whether anybody at `port` has sent anything.
    pub(super) fn knows_any_at(&self, port: Port) -> bool {
        self.of_port.contains_key(&port)
    }

    /// A frame from `source` came in at `port`.
    pub(super) fn learn(&mut self, source: Mac, port: Port) {
        if is_group(source) || self.ports.get(&source) == Some(&port) {
            return;
        }
        if let Some(before) = self.ports.insert(source, port)
            && let Some(addresses) = self.of_port.get_mut(&before)
        {
            addresses.retain(|address| *address != source);
        }
        let addresses = self.of_port.entry(port).or_default();
        addresses.push_back(source);
        if addresses.len() > MAX_PER_PORT
            && let Some(oldest) = addresses.pop_front()
        {
            self.ports.remove(&oldest);
        }
    }

    /// Nobody is at `port` any more.
    pub(super) fn forget(&mut self, port: Port) {
        for address in self.of_port.remove(&port).unwrap_or_default() {
            self.ports.remove(&address);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.ports.len(), self.of_port.values().map(VecDeque::len).sum::<usize>());
        self.ports.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> Mac {
        [2, 0, 0, 0, 0, last]
    }

    #[test]
    fn an_address_that_moves_is_at_its_new_port_also_when_that_has_many() {
        let mut addresses = Addresses::default();
        addresses.learn(mac(255), 1);
        (0..MAX_PER_PORT as u8).for_each(|last| addresses.learn(mac(last), 2));
        addresses.learn(mac(255), 2);
        assert_eq!(addresses.port_of(&mac(255)), Some(2));
        // The oldest made room, and is looked for everywhere.
        assert_eq!(addresses.port_of(&mac(0)), None);
        assert_eq!(addresses.len(), MAX_PER_PORT);
        addresses.forget(1);
        assert_eq!(addresses.port_of(&mac(255)), Some(2));
        addresses.forget(2);
        assert_eq!(addresses.len(), 0);
    }

    #[test]
    fn an_address_that_goes_to_and_fro_takes_one_place() {
        let mut addresses = Addresses::default();
        for turn in 0..1_000 {
            addresses.learn(mac(1), turn % 2);
        }
        assert_eq!((addresses.len(), addresses.port_of(&mac(1))), (1, Some(1)));
    }

    #[test]
    fn groups_send_nothing() {
        let mut addresses = Addresses::default();
        addresses.learn([1, 0, 0, 0, 0, 1], 1);
        assert!(!addresses.knows_any_at(1));
    }
}
