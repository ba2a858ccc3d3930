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

/// With whom a socket shares its address and port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reuse {
    /// `SO_REUSEADDR`: with others that have it, as long as none of them listens.
    pub(crate) address: bool,
    /// `SO_REUSEPORT`: with others that have it, even if they listen.
    pub(crate) port: bool,
}

impl Reuse {
    fn tolerates(self, other: Reuse, other_listens: bool) -> bool {
        (self.address && other.address && !other_listens) || (self.port && other.port)
    }

    fn index(self) -> usize {
        usize::from(self.address) + 2 * usize::from(self.port)
    }

    /// Each of them, at its index.
    fn all() -> [Reuse; 4] {
        [(false, false), (true, false), (false, true), (true, true)]
            .map(|(address, port)| Reuse { address, port })
    }
}

#[derive(Debug)]
struct Binding {
    id: BindingId,
    address: BindAddress,
    reuse: Reuse,
    listening: bool,
}

#[derive(Debug, Default)]
struct Port {
    bindings: Vec<Binding>,
    /// Connections with this local port, TIME-WAIT included, by [`Reuse::index`].
    connections: [u32; 4],
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
        reuse: Reuse,
    ) -> Result<(BindingId, u16), Errno> {
        let port = match port {
            0 => self
                .ephemeral(|ports, port| !ports.used.contains_key(&port))
                .ok_or(Errno::AddrInUse)?,
            port => port,
        };
        if let Some(used) = self.used.get(&port) {
            let taken = used.bindings.iter().any(|other| {
                other.address.overlaps(address) && !reuse.tolerates(other.reuse, other.listening)
            });
            let connected = Reuse::all()
                .into_iter()
                .any(|other| used.connections[other.index()] > 0 && !reuse.tolerates(other, false));
            if taken || connected {
                return Err(Errno::AddrInUse);
            }
        }
        let id = BindingId(self.next_binding);
        self.next_binding += 1;
        let binding = Binding { id, address, reuse, listening: false };
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
        let Binding { address, reuse, .. } = used.bindings[at];
        let taken = |other: &Binding| {
            other.id != id
                && other.listening
                && other.address.overlaps(address)
                && !reuse.tolerates(other.reuse, true)
        };
        if used.bindings.iter().any(taken) {
            return Err(Errno::AddrInUse);
        }
        used.bindings[at].listening = true;
        Ok(address)
    }

    /// A listener is again no more than a bound socket.
    pub(crate) fn stop_listening(&mut self, port: u16, id: BindingId) {
        if let Some(binding) = self.binding(port, id) {
            binding.listening = false;
        }
    }

    pub(crate) fn set_reuse(&mut self, port: u16, id: BindingId, reuse: Reuse) {
        if let Some(binding) = self.binding(port, id) {
            binding.reuse = reuse;
        }
    }

    fn binding(&mut self, port: u16, id: BindingId) -> Option<&mut Binding> {
        self.used.get_mut(&port)?.bindings.iter_mut().find(|binding| binding.id == id)
    }

    /// Ports in use.
    pub(super) fn entries(&self) -> usize {
        self.used.len()
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

    pub(crate) fn connection_begins(&mut self, port: u16, reuse: Reuse) {
        self.used.entry(port).or_default().connections[reuse.index()] += 1;
    }

    pub(crate) fn connection_ends(&mut self, port: u16, reuse: Reuse) {
        if let Some(used) = self.used.get_mut(&port) {
            let count = &mut used.connections[reuse.index()];
            *count = count.saturating_sub(1);
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
        let unused = |used: &Port| used.bindings.is_empty() && used.connections == [0; 4];
        if self.used.get(&port).is_some_and(unused) {
            self.used.remove(&port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    const NONE: Reuse = Reuse { address: false, port: false };
    const ADDRESS: Reuse = Reuse { address: true, port: false };
    const PORT: Reuse = Reuse { address: false, port: true };

    fn ports() -> Ports {
        Ports::new(&mut Seed(7).stream("ports"))
    }

    #[test]
    fn ephemeral_ports_stay_in_the_range_and_skip_what_is_in_use() {
        let mut ports = ports();
        let drawn: Vec<u16> = (0..EPHEMERAL)
            .map(|_| ports.bind(BindAddress::AnyV4, 0, NONE).map(|(_, port)| port).unwrap())
            .collect();
        assert_eq!(drawn.iter().min(), Some(&49_152));
        assert_eq!(drawn.iter().max(), Some(&65_535));
        assert_eq!(ports.bind(BindAddress::AnyV4, 0, NONE).unwrap_err(), Errno::AddrInUse);
    }

    #[test]
    fn a_wildcard_and_a_specific_address_collide() {
        let mut ports = ports();
        let address = BindAddress::One("10.0.0.1".parse().unwrap());
        let (id, _) = ports.bind(BindAddress::AnyV4, 80, ADDRESS).unwrap();
        ports.listen(80, id).unwrap();
        assert_eq!(ports.bind(address, 80, ADDRESS).unwrap_err(), Errno::AddrInUse);
        ports.unbind(80, id);
        assert!(ports.bind(address, 80, ADDRESS).is_ok());
    }

    // `ipv6(7)`: IPV6_V6ONLY.
    #[test]
    fn the_wildcard_of_ipv6_is_that_of_ipv4_too_unless_it_is_for_ipv6_alone() {
        let mut ports = ports();
        let (dual, _) = ports.bind(BindAddress::Any, 80, NONE).unwrap();
        for other in [BindAddress::AnyV4, BindAddress::AnyV6] {
            assert_eq!(ports.bind(other, 80, NONE).unwrap_err(), Errno::AddrInUse);
        }
        ports.unbind(80, dual);
        assert!(ports.bind(BindAddress::AnyV6, 80, NONE).is_ok());
        assert!(ports.bind(BindAddress::AnyV4, 80, NONE).is_ok());
    }

    #[test]
    fn a_port_with_connections_is_bound_again_only_by_a_reusing_socket() {
        let mut ports = ports();
        ports.connection_begins(80, ADDRESS);
        assert_eq!(ports.bind(BindAddress::AnyV4, 80, NONE).unwrap_err(), Errno::AddrInUse);
        assert!(ports.bind(BindAddress::AnyV4, 80, ADDRESS).is_ok());
        ports.connection_begins(81, NONE);
        assert_eq!(ports.bind(BindAddress::AnyV4, 81, ADDRESS).unwrap_err(), Errno::AddrInUse);
        ports.connection_ends(81, NONE);
        assert!(ports.bind(BindAddress::AnyV4, 81, NONE).is_ok());
    }

    #[test]
    fn sockets_that_reuse_ports_listen_beside_each_other_and_nobody_else_does() {
        let mut ports = ports();
        for _ in 0..3 {
            let (id, _) = ports.bind(BindAddress::AnyV4, 80, PORT).unwrap();
            ports.listen(80, id).unwrap();
        }
        ports.connection_begins(80, PORT);
        assert_eq!(ports.bind(BindAddress::AnyV4, 80, NONE).unwrap_err(), Errno::AddrInUse);
        assert_eq!(ports.bind(BindAddress::AnyV4, 80, ADDRESS).unwrap_err(), Errno::AddrInUse);
        assert!(ports.bind(BindAddress::One("10.0.0.1".parse().unwrap()), 80, PORT).is_ok());
    }

    #[test]
    fn a_listener_that_no_longer_listens_shares_its_port_again() {
        let mut ports = ports();
        let (id, _) = ports.bind(BindAddress::AnyV4, 80, ADDRESS).unwrap();
        ports.listen(80, id).unwrap();
        assert_eq!(ports.bind(BindAddress::AnyV4, 80, ADDRESS).unwrap_err(), Errno::AddrInUse);
        ports.stop_listening(80, id);
        assert!(ports.bind(BindAddress::AnyV4, 80, ADDRESS).is_ok());
        ports.set_reuse(80, id, NONE);
        assert_eq!(ports.bind(BindAddress::AnyV4, 80, ADDRESS).unwrap_err(), Errno::AddrInUse);
    }
}
