//! How long a handshake may take.

use crate::time::When;

/// When an attempt is over that began now and sends a SYN, or SYN-ACK, again `retries` times: the
/// timeout doubles from one second to at most Linux's `TCP_RTO_MAX`, two minutes.
pub(super) fn end_of_handshake(now: u64, retries: u32) -> When {
    // 1, 2, 4, ... 64 seconds; then two minutes each time.
    const DOUBLINGS: u32 = 6;
    let doubled = (2u64 << retries.min(DOUBLINGS)) - 1;
    let constant = u64::from(retries.saturating_sub(DOUBLINGS)) * 120;
    When::at(now.saturating_add((doubled + constant).saturating_mul(1_000_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_to_connect_lasts_as_long_as_the_sum_of_its_timeouts() {
        for retries in 0..300 {
            let seconds: u64 =
                (0..=retries).map(|retry: u32| (1u64 << retry.min(7)).min(120)).sum();
            let end = When::at(7 + seconds * 1_000_000_000);
            assert_eq!(end_of_handshake(7, retries), end, "{retries}");
        }
        assert_eq!(
            end_of_handshake(0, u32::MAX),
            When::at((127 + (u64::from(u32::MAX) - 6) * 120).saturating_mul(1_000_000_000))
        );
    }
}
