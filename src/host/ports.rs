//! Local TCP ports: who holds which, and the next ephemeral one.

use rustc_hash::FxHashMap;

use super::address::BindAddress;
use crate::error::Errno;
use crate::rng::Stream;

/// The ephemeral range of RFC 6335 section 6.
const FIRST_EPHEMERAL: u16 = 49_152;
const EPHEMERAL: u16 = u16::MAX - FIRST_EPHEMERAL + 1;

/// One bound socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BindingId(u64);

#[derive(Debug)]
struct Binding {
    id: BindingId,
    address: BindAddress,
    reuse_address: bool,
    listening: bool,
}

#[derive(Debug, Default)]
struct Port {
    bindings: Vec<Binding>,
    /// Connections with this local port, TIME-WAIT included.
    connections: u32,
    /// Those of them whose socket had no `SO_REUSEADDR`.
    exclusive: u32,
}

/// The local ports of a host.
pub(crate) struct Ports {
    used: FxHashMap<u16, Port>,
    next_binding: u64,
    next_ephemeral: u16,
}

impl Ports {
    /// Where ephemeral ports begin is drawn from the host's stream (RFC 6056); from there they
    /// go up, so that a port is used again as late as possible.
    pub(crate) fn new(stream: &mut Stream) -> Ports {
        Ports {
            used: FxHashMap::default(),
            next_binding: 0,
            next_ephemeral: stream.up_to(u64::from(EPHEMERAL) - 1) as u16,
        }
    }

    /// Binds a socket to `port`, or to an ephemeral one when it is 0.
    pub(crate) fn bind(
        &mut self,
        address: BindAddress,
        port: u16,
        reuse_address: bool,
    ) -> Result<(BindingId, u16), Errno> {
        let port = match port {
            0 => self
                .ephemeral(|ports, port| !ports.used.contains_key(&port))
                .ok_or(Errno::AddrInUse)?,
            port => port,
        };
        if let Some(used) = self.used.get(&port) {
            let taken = used.bindings.iter().any(|other| {
                other.address.overlaps(address)
                    && (other.listening || !other.reuse_address || !reuse_address)
            });
            if taken || used.exclusive > 0 || (used.connections > 0 && !reuse_address) {
                return Err(Errno::AddrInUse);
            }
        }
        let id = BindingId(self.next_binding);
        self.next_binding += 1;
        let binding = Binding { id, address, reuse_address, listening: false };
        self.used.entry(port).or_default().bindings.push(binding);
        Ok((id, port))
    }

    /// The bound socket starts to listen: nobody else may on that address and port.
    /// Returns what the socket is bound to.
    pub(crate) fn listen(&mut self, port: u16, id: BindingId) -> Result<BindAddress, Errno> {
        let Some(used) = self.used.get_mut(&port) else { return Err(Errno::Invalid) };
        let Some(at) = used.bindings.iter().position(|binding| binding.id == id) else {
            return Err(Errno::Invalid);
        };
        let address = used.bindings[at].address;
        let taken =
            |other: &Binding| other.id != id && other.listening && other.address.overlaps(address);
        if used.bindings.iter().any(taken) {
            return Err(Errno::AddrInUse);
        }
        used.bindings[at].listening = true;
        Ok(address)
    }

    pub(crate) fn forget_everything(&mut self) {
        self.used.clear();
    }

    pub(crate) fn unbind(&mut self, port: u16, id: BindingId) {
        if let Some(used) = self.used.get_mut(&port) {
            used.bindings.retain(|binding| binding.id != id);
            self.forget_unused(port);
        }
    }

    /// Whether the sockets bound to a port have `SO_REUSEADDR`.
    pub(crate) fn reuses_address(&self, port: u16) -> bool {
        let used = self.used.get(&port);
        used.is_some_and(|used| used.bindings.iter().all(|binding| binding.reuse_address))
    }

    pub(crate) fn connection_begins(&mut self, port: u16, reuse_address: bool) {
        let used = self.used.entry(port).or_default();
        used.connections += 1;
        used.exclusive += u32::from(!reuse_address);
    }

    pub(crate) fn connection_ends(&mut self, port: u16, reuse_address: bool) {
        if let Some(used) = self.used.get_mut(&port) {
            used.connections = used.connections.saturating_sub(1);
            used.exclusive = used.exclusive.saturating_sub(u32::from(!reuse_address));
            self.forget_unused(port);
        }
    }

    /// An ephemeral port that no socket is bound to and for which `is_free` holds.
    pub(crate) fn ephemeral_for(&mut self, is_free: impl Fn(u16) -> bool) -> Option<u16> {
        self.ephemeral(|ports, port| {
            ports.used.get(&port).is_none_or(|used| used.bindings.is_empty()) && is_free(port)
        })
    }

    fn ephemeral(&mut self, is_free: impl Fn(&Ports, u16) -> bool) -> Option<u16> {
        for _ in 0..EPHEMERAL {
            let port = FIRST_EPHEMERAL + self.next_ephemeral;
            self.next_ephemeral = (self.next_ephemeral + 1) % EPHEMERAL;
            if is_free(self, port) {
                return Some(port);
            }
        }
        None
    }

    fn forget_unused(&mut self, port: u16) {
        let unused = |used: &Port| used.bindings.is_empty() && used.connections == 0;
        if self.used.get(&port).is_some_and(unused) {
            self.used.remove(&port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn ports() -> Ports {
        Ports::new(&mut Seed(7).stream("ports"))
    }

    #[test]
    fn ephemeral_ports_stay_in_the_range_and_skip_what_is_in_use() {
        let mut ports = ports();
        let drawn: Vec<u16> = (0..EPHEMERAL)
            .map(|_| ports.bind(BindAddress::AnyV4, 0, false).map(|(_, port)| port).unwrap())
            .collect();
        assert_eq!(drawn.iter().min(), Some(&49_152));
        assert_eq!(drawn.iter().max(), Some(&65_535));
        assert_eq!(ports.bind(BindAddress::AnyV4, 0, false).unwrap_err(), Errno::AddrInUse);
    }

    #[test]
    fn a_wildcard_and_a_specific_address_collide() {
        let mut ports = ports();
        let address = BindAddress::One("10.0.0.1".parse().unwrap());
        let (id, _) = ports.bind(BindAddress::AnyV4, 80, true).unwrap();
        ports.listen(80, id).unwrap();
        assert_eq!(ports.bind(address, 80, true).unwrap_err(), Errno::AddrInUse);
        ports.unbind(80, id);
        assert!(ports.bind(address, 80, true).is_ok());
    }

    // `ipv6(7)`: IPV6_V6ONLY.
    #[test]
    fn the_wildcard_of_ipv6_is_that_of_ipv4_too_unless_it_is_for_ipv6_alone() {
        let mut ports = ports();
        let (dual, _) = ports.bind(BindAddress::Any, 80, false).unwrap();
        for other in [BindAddress::AnyV4, BindAddress::AnyV6] {
            assert_eq!(ports.bind(other, 80, false).unwrap_err(), Errno::AddrInUse);
        }
        ports.unbind(80, dual);
        assert!(ports.bind(BindAddress::AnyV6, 80, false).is_ok());
        assert!(ports.bind(BindAddress::AnyV4, 80, false).is_ok());
    }

    #[test]
    fn a_port_with_connections_is_bound_again_only_by_a_reusing_socket() {
        let mut ports = ports();
        ports.connection_begins(80, true);
        assert_eq!(ports.bind(BindAddress::AnyV4, 80, false).unwrap_err(), Errno::AddrInUse);
        assert!(ports.bind(BindAddress::AnyV4, 80, true).is_ok());
        ports.connection_begins(81, false);
        assert_eq!(ports.bind(BindAddress::AnyV4, 81, true).unwrap_err(), Errno::AddrInUse);
        ports.connection_ends(81, false);
        assert!(ports.bind(BindAddress::AnyV4, 81, false).is_ok());
    }
}
