//! Which connection a segment is for.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustc_hash::FxHashMap;

use super::flow::FlowId;
use super::segment::FourTuple;

/// The two ends of a connection, as they stand in the packets that its host receives. This is
/// made and compared for every segment, so it is words of the processor's, and no addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TupleKey {
    V4 { addresses: u64, ports: u32 },
    V6 { remote: [u64; 2], local: [u64; 2], ports: u32 },
}

impl TupleKey {
    /// `addresses` and `ports` are source and destination as a received packet has them.
    #[inline]
    pub(super) fn v4(addresses: [u8; 8], ports: [u8; 4]) -> TupleKey {
        TupleKey::V4 { addresses: u64::from_ne_bytes(addresses), ports: u32::from_ne_bytes(ports) }
    }

    #[inline]
    pub(super) fn v6(remote: Ipv6Addr, local: Ipv6Addr, ports: [u8; 4]) -> TupleKey {
        let words = |address: Ipv6Addr| {
            let bits = address.to_bits();
            [(bits >> 64) as u64, bits as u64]
        };
        TupleKey::V6 {
            remote: words(remote),
            local: words(local),
            ports: u32::from_ne_bytes(ports),
        }
    }

    /// What it stands for.
    pub(crate) fn tuple(self) -> FourTuple {
        let (remote_addr, local_addr, ports): (IpAddr, IpAddr, u32) = match self {
            TupleKey::V4 { addresses, ports } => {
                let [a, b, c, d, e, f, g, h] = addresses.to_ne_bytes();
                (Ipv4Addr::new(a, b, c, d).into(), Ipv4Addr::new(e, f, g, h).into(), ports)
            }
            TupleKey::V6 { remote, local, ports } => {
                let address = |[high, low]: [u64; 2]| {
                    Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))
                };
                (address(remote).into(), address(local).into(), ports)
            }
        };
        let [a, b, c, d] = ports.to_ne_bytes();
        FourTuple {
            local_addr,
            remote_addr,
            local_port: u16::from_be_bytes([c, d]),
            remote_port: u16::from_be_bytes([a, b]),
        }
    }
}

impl From<&FourTuple> for TupleKey {
    fn from(tuple: &FourTuple) -> TupleKey {
        let [a, b] = tuple.remote_port.to_be_bytes();
        let [c, d] = tuple.local_port.to_be_bytes();
        let ports = [a, b, c, d];
        match (tuple.remote_addr, tuple.local_addr) {
            (IpAddr::V4(remote), IpAddr::V4(local)) => {
                let addresses = u64::from(remote.to_bits()) << 32 | u64::from(local.to_bits());
                TupleKey::v4(addresses.to_be_bytes(), ports)
            }
            (remote, local) => {
                let v6 = |address| match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                TupleKey::v6(v6(remote), v6(local), ports)
            }
        }
    }
}

impl Hash for TupleKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ports = match *self {
            TupleKey::V4 { addresses, ports } => {
                state.write_u64(addresses);
                ports
            }
            TupleKey::V6 { remote, local, ports } => {
                [remote, local].as_flattened().iter().for_each(|word| state.write_u64(*word));
                ports
            }
        };
        state.write_u32(ports);
    }
}

/// The connections of a host, by their two ends.
#[derive(Default)]
pub(crate) struct Demux(FxHashMap<TupleKey, FlowId>);

impl Demux {
    pub(super) fn get(&self, tuple: &FourTuple) -> Option<FlowId> {
        self.find(&tuple.into())
    }

    #[inline]
    pub(super) fn find(&self, key: &TupleKey) -> Option<FlowId> {
        self.0.get(key).copied()
    }

    pub(super) fn insert(&mut self, tuple: &FourTuple, id: FlowId) {
        self.0.insert(tuple.into(), id);
    }

    pub(super) fn remove(&mut self, tuple: &FourTuple) {
        self.0.remove(&tuple.into());
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_its_tuple_and_no_other() {
        let ends = [
            ["10.0.0.1:80", "10.0.0.2:49152"],
            ["10.0.0.2:80", "10.0.0.1:49152"],
            ["10.0.0.1:49152", "10.0.0.2:80"],
            ["[fd00::1]:80", "[fd00::2]:49152"],
            ["[fd00::2]:80", "[fd00::1]:49152"],
            ["[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.2]:49152"],
        ];
        let tuples = ends
            .map(|[local, remote]| FourTuple::new(local.parse().unwrap(), remote.parse().unwrap()));
        let mut demux = Demux::default();
        for (index, tuple) in (0..).zip(&tuples) {
            assert_eq!(TupleKey::from(tuple).tuple(), *tuple);
            demux.insert(tuple, FlowId { index, generation: 0 });
        }
        for (index, tuple) in (0..).zip(&tuples) {
            assert_eq!(demux.get(tuple), Some(FlowId { index, generation: 0 }));
            demux.remove(tuple);
            assert_eq!(demux.get(tuple), None);
        }
        assert_eq!(demux.len(), 0);
    }
}
