//! Addresses that follow from names, so that hosts on a cable find each other without asking.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::rng::Seed;

const PREFIX_LEN_V4: u8 = 8;
const PREFIX_LEN_V6: u8 = 64;

/// The addresses of the host called `name`, with the lengths of their networks' prefixes. Of a
/// thousand hosts two have the same IPv4 address in 3 cases of 100; the second is told so when
/// it starts.
pub(super) fn of_name(name: &str) -> [(IpAddr, u8); 2] {
    // Names are the same in upper and lower case.
    let name = name.to_ascii_lowercase();
    let mut drawn = Seed(0).stream(&format!("address of {name}"));
    // Neither .0 nor .255, which people take for something else.
    let [a, b, ..] = drawn.next_u64().to_be_bytes();
    let last = 1 + drawn.up_to(253) as u8;
    let v4 = Ipv4Addr::new(10, a, b, last);
    let interface = drawn.next_u64() | 1;
    let v6 = Ipv6Addr::from_bits((0xfd00 << 112) | u128::from(interface));
    [(v4.into(), PREFIX_LEN_V4), (v6.into(), PREFIX_LEN_V6)]
}

/// A locally administered Ethernet address that follows from a text.
pub(super) fn mac_of(text: &str) -> [u8; 6] {
    from_bits(Seed(0).stream(&format!("mac of {text}")).next_u64())
}

/// A locally administered Ethernet address of 40 random bits.
pub(super) fn from_bits(bits: u64) -> [u8; 6] {
    let [_, _, _, a, b, c, d, e] = bits.to_be_bytes();
    // Not 02, of which Wireshark takes a part for Microsoft's.
    [0x0a, a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_same_addresses_in_every_process() {
        let [(v4, 8), (v6, 64)] = of_name("server") else { panic!("other networks") };
        // Changing these lets hosts of two versions miss each other.
        assert_eq!(v4.to_string(), SERVER_V4);
        assert_eq!(v6.to_string(), SERVER_V6);
        assert_ne!(of_name("client"), of_name("server"));
        assert_eq!(of_name("Server"), of_name("server"));
        assert_eq!(mac_of("tap0")[0] & 3, 2);
    }

    const SERVER_V4: &str = "10.249.81.172";
    const SERVER_V6: &str = "fd00::8ebf:95fb:7664:c17f";
}
