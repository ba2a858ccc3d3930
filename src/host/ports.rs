//! Local TCP ports: who holds which, and the next ephemeral one.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use rustc_hash::FxHashMap;

use super::address::BindAddress;
use super::port_set::PortSet;
use crate::error::Errno;
use crate::rng::Stream;

/// Ports that are tried one by one before a set of those in use is made.
const TRIES: u16 = 64;
/// Such sets that are kept.
const MAX_SETS: usize = 16;

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

/// Between which two ends, of which one has yet to get its port, a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) local: IpAddr,
    pub(crate) remote: SocketAddr,
}

/// The local ports of a host.
pub(crate) struct Ports {
    used: FxHashMap<u16, Port>,
    next_binding: u64,
    /// Those from which ephemeral ones are taken: `ip_local_port_range`.
    range: RangeInclusive<u16>,
    next_ephemeral: u16,
    /// The ephemeral ports that are used for anything.
    taken: PortSet,
    /// When all of them are: those that a connection to one destination cannot have either. What was
    /// given up since is not in it; what was taken since may not be in it yet.
    taken_for: Vec<(Destination, PortSet)>,
}

impl Ports {
    /// Where ephemeral ports begin is drawn from the host's stream (RFC 6056); from there they
    /// go up, so that a port is used again as late as possible.
    pub(crate) fn new(range: RangeInclusive<u16>, stream: &mut Stream) -> Ports {
        let last = range.end().saturating_sub(*range.start());
        Ports {
            used: FxHashMap::default(),
            next_binding: 0,
            next_ephemeral: *range.start() + stream.up_to(last.into()) as u16,
            taken: PortSet::new(range.clone()),
            taken_for: Vec::new(),
            range,
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
            0 => self.unused().ok_or(Errno::AddrInUse)?,
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
        self.port(port).bindings.push(binding);
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
        self.taken.clear();
        self.taken_for.clear();
    }

    /// What uses a port from now on.
    fn port(&mut self, port: u16) -> &mut Port {
        self.used.entry(port).or_insert_with(|| {
            self.taken.insert(port);
            Port::default()
        })
    }

    pub(crate) fn unbind(&mut self, port: u16, id: BindingId) {
        if let Some(used) = self.used.get_mut(&port) {
            used.bindings.retain(|binding| binding.id != id);
            self.was_given_up(port);
        }
    }

    pub(crate) fn connection_begins(&mut self, port: u16, reuse: Reuse) {
        self.port(port).connections[reuse.index()] += 1;
    }

    pub(crate) fn connection_ends(&mut self, port: u16, reuse: Reuse) {
        if let Some(used) = self.used.get_mut(&port) {
            let count = &mut used.connections[reuse.index()];
            *count = count.saturating_sub(1);
            self.was_given_up(port);
        }
    }

    /// An ephemeral port that nothing uses; when there is none, one that no socket is bound to and
    /// for which `is_free` holds, as it does for one that has connections to other destinations only.
    pub(crate) fn ephemeral_for(
        &mut self,
        destination: Destination,
        is_free: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        if let Some(port) = self.unused() {
            return Some(port);
        }
        let used = &self.used;
        let is_free =
            |port| used.get(&port).is_none_or(|port| port.bindings.is_empty()) && is_free(port);
        let mut port = self.next_ephemeral;
        for _ in 0..TRIES {
            if is_free(port) {
                self.next_ephemeral = self.after(port);
                return Some(port);
            }
            port = self.after(port);
        }
        let range = self.range.clone();
        let set = set_for(&mut self.taken_for, range, destination);
        while let Some(candidate) = set.next_missing(port) {
            if is_free(candidate) {
                self.next_ephemeral = self.after(candidate);
                return Some(candidate);
            }
            set.insert(candidate);
        }
        None
    }

    /// The next ephemeral port that nothing uses.
    fn unused(&mut self) -> Option<u16> {
        let port = self.taken.next_missing(self.next_ephemeral)?;
        self.next_ephemeral = self.after(port);
        Some(port)
    }

    /// The ephemeral port after another; the first after the last.
    fn after(&self, port: u16) -> u16 {
        if port >= *self.range.end() { *self.range.start() } else { port + 1 }
    }

    /// A port that was not free for a connection may be now, though it is still used.
    pub(crate) fn may_be_free(&mut self, port: u16) {
        for (_, set) in &mut self.taken_for {
            set.remove(port);
        }
    }

    /// Something that used a port does not any more.
    fn was_given_up(&mut self, port: u16) {
        self.may_be_free(port);
        let unused = |used: &Port| used.bindings.is_empty() && used.connections == [0; 4];
        if self.used.get(&port).is_some_and(unused) {
            self.used.remove(&port);
            self.taken.remove(port);
            // As long as there are such ports, nobody looks at these.
            if self.used.len() < self.range.len() / 2 {
                self.taken_for.clear();
            }
        }
    }
}

/// The set of a destination. Of too many the one that was not needed for longest gives way.
fn set_for(
    sets: &mut Vec<(Destination, PortSet)>,
    range: RangeInclusive<u16>,
    destination: Destination,
) -> &mut PortSet {
    let found = sets.iter().position(|(other, _)| *other == destination);
    let (destination, set) = match found {
        Some(at) => sets.remove(at),
        None => {
            sets.truncate(MAX_SETS - 1);
            (destination, PortSet::new(range))
        }
    };
    sets.insert(0, (destination, set));
    &mut sets[0].1
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeSet;

    use super::*;
    use crate::rng::Seed;

    const NONE: Reuse = Reuse { address: false, port: false };
    const ADDRESS: Reuse = Reuse { address: true, port: false };
    const PORT: Reuse = Reuse { address: false, port: true };

    fn ports() -> Ports {
        Ports::new(32_768..=60_999, &mut Seed(7).stream("ports"))
    }

    /// How many ports Linux's range has.
    const EPHEMERAL: u32 = 28_232;

    #[test]
    fn ephemeral_ports_stay_in_the_range_and_skip_what_is_in_use() {
        let mut ports = ports();
        let mut drawn: Vec<u16> = (0..EPHEMERAL)
            .map(|_| ports.bind(BindAddress::AnyV4, 0, NONE).map(|(_, port)| port).unwrap())
            .collect();
        drawn.sort_unstable();
        assert_eq!(drawn, (32_768..=60_999).collect::<Vec<u16>>());
        assert_eq!(ports.bind(BindAddress::AnyV4, 0, NONE).unwrap_err(), Errno::AddrInUse);
    }

    #[test]
    fn where_ephemeral_ports_begin_depends_on_the_stream_alone() {
        let first = |seed| {
            let mut ports = Ports::new(32_768..=60_999, &mut Seed(seed).stream("ports"));
            ports.bind(BindAddress::AnyV4, 0, NONE).unwrap().1
        };
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }

    fn destination(last: u8) -> Destination {
        let local = IpAddr::from([10, 0, 0, 1]);
        Destination { local, remote: ([10, 0, 1, last], 80).into() }
    }

    /// Connects until there is no port any more: how many times, and how many times it was asked
    /// whether a port is free.
    fn connect_to(
        ports: &mut Ports,
        destination: Destination,
        taken: &mut BTreeSet<(u16, SocketAddr)>,
        most: u32,
    ) -> (u32, u32) {
        let (mut connected, asked) = (0, Cell::new(0));
        while connected < most {
            let port = ports.ephemeral_for(destination, |port| {
                asked.set(asked.get() + 1);
                !taken.contains(&(port, destination.remote))
            });
            let Some(port) = port else { break };
            assert!(taken.insert((port, destination.remote)), "{port} is free");
            ports.connection_begins(port, NONE);
            connected += 1;
        }
        (connected, asked.get())
    }

    #[test]
    fn each_destination_has_all_ephemeral_ports_and_no_connect_looks_at_each() {
        let (mut ports, mut taken) = (ports(), BTreeSet::new());
        assert_eq!(
            connect_to(&mut ports, destination(0), &mut taken, u32::MAX),
            (EPHEMERAL, 64 + EPHEMERAL)
        );
        // It is known by now.
        assert_eq!(connect_to(&mut ports, destination(0), &mut taken, u32::MAX), (0, 64));
        for last in 1..4 {
            let (connected, asked) =
                connect_to(&mut ports, destination(last), &mut taken, u32::MAX);
            assert_eq!(connected, EPHEMERAL);
            assert!(asked < 3 * EPHEMERAL, "asked for {asked} ports");
        }
        // Alternately, with all but a few taken.
        for round in 0..1_000_u16 {
            let last = (round % 4) as u8;
            let port = 32_768 + (round * 27) % 28_232;
            taken.remove(&(port, destination(last).remote));
            ports.connection_ends(port, NONE);
            let (connected, asked) = connect_to(&mut ports, destination(last), &mut taken, 1);
            assert_eq!(connected, 1);
            assert!(asked <= 64 + 1 + 4, "asked for {asked} ports");
        }
    }

    #[test]
    fn a_port_that_a_socket_is_bound_to_is_none_for_a_connection() {
        let mut ports = Ports::new(40_000..=40_001, &mut Seed(7).stream("ports"));
        let (id, _) = ports.bind(BindAddress::AnyV4, 40_000, NONE).unwrap();
        ports.connection_begins(40_001, NONE);
        let mut taken = BTreeSet::from([(40_001, destination(0).remote)]);
        assert_eq!(connect_to(&mut ports, destination(0), &mut taken, 1).0, 0);
        assert_eq!(connect_to(&mut ports, destination(1), &mut taken, 2).0, 1);
        ports.unbind(40_000, id);
        assert_eq!(connect_to(&mut ports, destination(0), &mut taken, 2).0, 1);
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
