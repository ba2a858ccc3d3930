//! The Internet checksum (RFC 1071).

use std::net::IpAddr;

/// The one's complement sum of `parts`, each of which but the last has an even length.
fn sum(parts: &[&[u8]]) -> u32 {
    let mut sum = 0u64;
    for part in parts {
        let (words, rest) = part.as_chunks::<2>();
        sum += words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum::<u64>();
        if let [last] = rest {
            sum += u64::from(*last) << 8;
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u32
}

/// The checksum of `data`, whose checksum field is zero; 0 when it holds a good one.
pub(super) fn checksum(data: &[u8]) -> u16 {
    !(sum(&[data]) as u16)
}

/// The checksum of what an IP packet carries, pseudo header included (RFC 9293 3.1, RFC 8200 8.1);
/// 0 when `payload` holds a good one.
pub(super) fn transport_checksum(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    payload: &[u8],
) -> u16 {
    let tail = (payload.len() as u32).to_be_bytes();
    let protocol = [0, protocol];
    let of_addresses = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            sum(&[&source.octets(), &destination.octets()])
        }
        (source, destination) => sum(&[&as_v6(source), &as_v6(destination)]),
    };
    let of_addresses = of_addresses.to_be_bytes();
    !(sum(&[&of_addresses, &protocol, &tail, payload]) as u16)
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
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
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
