//! Path MTUs: paths narrower than the interface that they leave by (RFC 1191, RFC 8201).

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::wire::ip::IPV6_MIN_MTU;

/// Below this nobody is believed: Linux's `min_pmtu`.
const MIN_PATH_MTU_V4: usize = 552;
/// What routers said of paths.
#[derive(Default)]
pub(super) struct PathMtus(BTreeMap<IpAddr, (usize, u64)>);

impl PathMtus {
    /// After this a larger packet is tried again: Linux's `mtu_expires`, RFC 1191 6.3.
    const EXPIRES: u64 = 600_000_000_000;
    /// Paths that are remembered; the first to be forgotten gives way.
    const MAX_PATHS: usize = 1_024;

    pub(super) fn get(&self, now: u64, to: IpAddr) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&to).filter(|(_, expires)| *expires > now).map(|(mtu, _)| *mtu)
    }

    /// Takes note of what is said of a path that is known to carry packets of `known` bytes;
    /// returns what it carries if that is less.
    pub(super) fn lower(
        &mut self,
        now: u64,
        to: IpAddr,
        mtu: usize,
        known: usize,
    ) -> Option<usize> {
        let mtu = mtu.max(if to.is_ipv4() { MIN_PATH_MTU_V4 } else { IPV6_MIN_MTU });
        if mtu >= known {
            return None;
        }
        self.insert(now, to, mtu);
        Some(mtu)
    }

    fn insert(&mut self, now: u64, to: IpAddr, mtu: usize) {
        if self.0.len() >= Self::MAX_PATHS
            && let Some(oldest) =
                self.0.iter().min_by_key(|(_, (_, expires))| *expires).map(|(to, _)| *to)
        {
            self.0.remove(&oldest);
        }
        self.0.insert(to, (mtu, now.saturating_add(Self::EXPIRES)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_mtus_are_forgotten_after_ten_minutes_and_bounded() {
        let mut mtus = PathMtus::default();
        let to = |host: u32| IpAddr::from(host.to_be_bytes());
        for host in 0..2_000 {
            mtus.insert(u64::from(host), to(host), 1_000);
        }
        assert_eq!(mtus.0.len(), PathMtus::MAX_PATHS);
        assert_eq!(mtus.get(0, to(0)), None);
        assert_eq!(mtus.get(0, to(1_999)), Some(1_000));
        assert_eq!(mtus.get(PathMtus::EXPIRES + 1_999, to(1_999)), None);
    }
}
