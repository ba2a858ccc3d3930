//! How many ICMP errors a host sends.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Linux's `icmp_ratelimit`: one error a second to each host, after a first few.
const ERROR_INTERVAL: u64 = 1_000_000_000;
const ERROR_BURST: u64 = 6;
/// Hosts whose errors are counted; the one that had none for longest gives way.
const MAX_COUNTED: usize = 1_024;

/// How many errors each host may still be sent.
#[derive(Default)]
pub(in crate::host::ip) struct IcmpLimiter(BTreeMap<IpAddr, u64>);

impl IcmpLimiter {
    /// Whether one more may be sent now; it is counted. Each host's entry is the time up to which
    /// its errors are paid for: a bucket of [`ERROR_BURST`] that fills by one a second.
    pub(super) fn allows(&mut self, now: u64, to: IpAddr) -> bool {
        if self.0.len() >= MAX_COUNTED
            && !self.0.contains_key(&to)
            && let Some(longest) = self.0.iter().min_by_key(|(_, paid)| **paid).map(|(to, _)| *to)
        {
            self.0.remove(&longest);
        }
        let paid = self.0.entry(to).or_default();
        let next = now.max(*paid) + ERROR_INTERVAL;
        if next > now + ERROR_BURST * ERROR_INTERVAL {
            return false;
        }
        *paid = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_errors_at_once_and_then_one_a_second() {
        let (mut limiter, to) = (IcmpLimiter::default(), IpAddr::from([10, 0, 0, 2]));
        let sent =
            |limiter: &mut IcmpLimiter, now| (0..100).filter(|_| limiter.allows(now, to)).count();
        assert_eq!(sent(&mut limiter, 0), 6);
        assert_eq!(sent(&mut limiter, ERROR_INTERVAL), 1);
        assert_eq!(sent(&mut limiter, 10 * ERROR_INTERVAL), 6);
        for host in 0..5_000u32 {
            limiter.allows(0, IpAddr::from(host.to_be_bytes()));
        }
        assert!(limiter.0.len() <= MAX_COUNTED);
    }
}
