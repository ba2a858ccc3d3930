//! The two ends of a connection.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The two ends of a connection, as one of its hosts sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FourTuple {
    pub(crate) local_addr: IpAddr,
    pub(crate) remote_addr: IpAddr,
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
}

impl FourTuple {
    pub(crate) fn new(local: SocketAddr, remote: SocketAddr) -> FourTuple {
        FourTuple {
            local_addr: local.ip(),
            remote_addr: remote.ip(),
            local_port: local.port(),
            remote_port: remote.port(),
        }
    }

    /// As the other end sees them.
    pub(crate) fn reversed(&self) -> FourTuple {
        FourTuple {
            local_addr: self.remote_addr,
            remote_addr: self.local_addr,
            local_port: self.remote_port,
            remote_port: self.local_port,
        }
    }
}

/// The two ends of a connection, as they stand in the packets that its host receives. This is
/// made and compared for every segment, so it is machine words rather than addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TupleKey {
    V4 { addresses: u64, ports: u32 },
    V6 { remote: [u64; 2], local: [u64; 2], ports: u32 },
}

impl TupleKey {
    /// `addresses` and `ports` are source and destination as a received packet has them.
    #[inline]
    pub(crate) fn v4(addresses: [u8; 8], ports: [u8; 4]) -> TupleKey {
        TupleKey::V4 { addresses: u64::from_ne_bytes(addresses), ports: u32::from_ne_bytes(ports) }
    }

    #[inline]
    pub(crate) fn v6(remote: Ipv6Addr, local: Ipv6Addr, ports: [u8; 4]) -> TupleKey {
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
    #[inline]
    fn from(tuple: &FourTuple) -> TupleKey {
        let ports = u32::from(tuple.remote_port) << 16 | u32::from(tuple.local_port);
        match (&tuple.remote_addr, &tuple.local_addr) {
            (IpAddr::V4(remote), IpAddr::V4(local)) => {
                let addresses = u64::from(remote.to_bits()) << 32 | u64::from(local.to_bits());
                TupleKey::v4(addresses.to_be_bytes(), ports.to_be_bytes())
            }
            _ => v6_key(tuple, ports.to_be_bytes()),
        }
    }
}

#[inline(never)]
fn v6_key(tuple: &FourTuple, ports: [u8; 4]) -> TupleKey {
    let v6 = |address| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    TupleKey::v6(v6(tuple.remote_addr), v6(tuple.local_addr), ports)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_its_tuple() {
        for [local, remote] in [
            ["10.0.0.1:80", "10.0.0.2:49152"],
            ["10.0.0.2:49152", "10.0.0.1:80"],
            ["[fd00::1]:80", "[fd00::2]:49152"],
            ["[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.2]:49152"],
        ] {
            let tuple = FourTuple::new(local.parse().unwrap(), remote.parse().unwrap());
            assert_eq!(TupleKey::from(&tuple).tuple(), tuple);
            assert_eq!(tuple.reversed().reversed(), tuple);
            assert_ne!(TupleKey::from(&tuple.reversed()), TupleKey::from(&tuple));
        }
    }
}
