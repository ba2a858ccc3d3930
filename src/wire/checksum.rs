//! The Internet checksum (RFC 1071), and what is known of those in a frame.

use std::net::IpAddr;

/// What is known of the checksums in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// They are left out: whoever shows the frame to somebody, or changes it, fills them in first
    /// (Linux's `CHECKSUM_PARTIAL`).
    Partial,
    /// The frame comes from where bytes may be changed (Linux's `CHECKSUM_NONE`).
    Unverified,
    /// They are right, because nothing can have changed the frame on its way (Linux's
    /// `CHECKSUM_UNNECESSARY`).
    #[default]
    Verified,
}

impl Checksum {
    /// Whether a receiver may take the bytes as they are.
    #[inline]
    pub(crate) fn is_trusted(self) -> bool {
        self != Checksum::Unverified
    }

    /// What is known of a packet that was made of two parts.
    pub(crate) fn and(self, other: Checksum) -> Checksum {
        if self.is_trusted() { other } else { self }
    }
}

/// The one's complement sum of `parts`, each of which but the last has an even length.
fn sum(parts: &[&[u8]]) -> u32 {
    // In the processor's order of bytes and two words at a time (RFC 1071 section 2).
    let mut sum = 0u64;
    for part in parts {
        let (pairs, rest) = part.as_chunks::<4>();
        sum += pairs.iter().map(|pair| u64::from(u32::from_ne_bytes(*pair))).sum::<u64>();
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        sum += u64::from(u32::from_ne_bytes(last));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u32::from((sum as u16).to_be())
}

/// The checksum of `data`, whose checksum field is zero; 0 when it holds a good one.
pub(crate) fn internet_checksum(data: &[u8]) -> u16 {
    !(sum(&[data]) as u16)
}

/// The checksum of what an IP packet carries, pseudo header included (RFC 9293 3.1, RFC 8200 8.1);
/// 0 when `payload` holds a good one.
pub(crate) fn transport_checksum(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    payload: &[u8],
) -> u16 {
    let pseudo_header = pseudo_header_sum(source, destination, protocol, payload.len());
    !(sum(&[&pseudo_header.to_be_bytes(), payload]) as u16)
}

/// The sum, not yet complemented, of the pseudo header in front of `len` bytes. Whoever hands a
/// packet to a network card that fills in checksums writes it into their place.
pub(crate) fn pseudo_header_sum(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    len: usize,
) -> u16 {
    let tail = [(len as u32).to_be_bytes(), [0, 0, 0, protocol]];
    let tail = tail.as_flattened();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            sum(&[&source.octets(), &destination.octets(), tail]) as u16
        }
        (source, destination) => sum(&[&as_v6(source), &as_v6(destination), tail]) as u16,
    }
}

/// The checksum after words of what it covers were replaced, each pair an old word and the new one
/// (RFC 1624).
pub(crate) fn updated<const N: usize>(checksum: u16, replaced: [(u16, u16); N]) -> u16 {
    let mut sum = u32::from(!checksum);
    for (old, new) in replaced {
        sum += u32::from(!old) + u32::from(new);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn as_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 1071 section 3.
    #[test]
    fn the_example_of_the_rfc_sums_up() {
        assert_eq!(internet_checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_odd_byte_counts_as_the_first_of_a_word() {
        assert_eq!(internet_checksum(&[1]), !0x0100);
        assert_eq!(internet_checksum(&[0, 1, 2]), !0x0201);
        assert_eq!(internet_checksum(&[0xff, 0xff, 0x00, 0x01, 0xff]), !0xff01);
    }

    #[test]
    fn an_update_gives_what_a_new_sum_would() {
        for (old, new) in [([1u8, 2, 3, 4], [9u8, 8, 7, 6]), ([0xff; 4], [0, 1, 0, 0])] {
            let word = |bytes: [u8; 4], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
            let replaced = [0, 2].map(|at| (word(old, at), word(new, at)));
            let (before, after) = ([&old[..], &[5, 6]].concat(), [&new[..], &[5, 6]].concat());
            assert_eq!(updated(internet_checksum(&before), replaced), internet_checksum(&after));
        }
    }

    #[test]
    fn what_holds_its_own_checksum_sums_to_nothing() {
        let (source, destination) = ("fe80::1".parse().unwrap(), "ff02::1:ff00:2".parse().unwrap());
        let mut payload = vec![135, 0, 0, 0, 0, 0, 0, 0, 7];
        let sum = transport_checksum(source, destination, 58, &payload);
        payload[2..4].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(transport_checksum(source, destination, 58, &payload), 0);
    }
}
