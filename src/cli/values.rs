//! Values as `tc(8)` writes them: times, percentages, rates; and what others write as they do.
//!
//! Stricter than tc in one thing: a number without a unit means microseconds there, which nobody
//! guesses, so here everything but 0 needs its unit.

use std::net::IpAddr;
use std::time::Duration;

use glassnet::{CongestionControl, FrameMatch};

use super::output::Color;

/// Longer than anything a TCP connection waits for, and what tc can say at most, about.
const LONGEST_SECONDS: u128 = 3600;
/// 1000 tbit.
const FASTEST: u128 = 1_000_000_000_000_000;
/// 4 GiB: a capture of them fills a disk soon enough.
const MAX_BYTES: u64 = 4 << 30;
/// Hosts on the demo's LAN, which has 65,024 addresses, the server's among them.
pub(crate) const MAX_CLIENTS: u32 = 65_000;

/// A time: `20ms`, `1.5s`, `500us`, `5ns`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let malformed = || "a time is a number and a unit, such as 20ms, 1.5s, 500us or 5ns".to_owned();
    if is_negative(text) {
        return Err("a time is 0 or more".to_owned());
    }
    let too_long = || format!("a time is at most {LONGEST_SECONDS}s");
    let (number, unit) = Decimal::split(text).ok_or_else(malformed)?;
    let nanos_per_unit: u128 = match unit.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" => 1_000_000_000,
        "ms" | "msec" | "msecs" => 1_000_000,
        "us" | "usec" | "usecs" => 1_000,
        "ns" | "nsec" | "nsecs" => 1,
        "" if number.is_zero() => 1,
        "" => return Err(format!("a time needs its unit: {text}ms or {text}us, for example")),
        _ => return Err("the units of time are s, ms, us and ns".to_owned()),
    };
    let scaled = number.times(nanos_per_unit).ok_or_else(too_long)?;
    if scaled.whole > LONGEST_SECONDS * 1_000_000_000 {
        return Err(too_long());
    }
    if !scaled.exact {
        return Err("a time is a whole number of nanoseconds".to_owned());
    }
    u64::try_from(scaled.whole).map(Duration::from_nanos).map_err(|_| too_long())
}

/// A percentage as a probability: `10%`, `0.5%`.
pub(crate) fn percentage(text: &str) -> Result<f64, String> {
    let out_of_range = || "a percentage is 0% to 100%".to_owned();
    if is_negative(text) {
        return Err(out_of_range());
    }
    let malformed = || "a percentage is a number and its sign, such as 10% or 0.5%".to_owned();
    let (number, unit) = Decimal::split(text).ok_or_else(malformed)?;
    match unit {
        "%" => {}
        "" if number.is_zero() => {}
        "" => return Err(format!("a percentage needs its sign: {text}%")),
        _ => return Err(malformed()),
    }
    let percent: f64 = number.text.parse().map_err(|_| malformed())?;
    if percent > 100.0 {
        return Err(out_of_range());
    }
    Ok(percent / 100.0)
}

/// A rate in bits per second: `100mbit`, `1gbit`; with `bps` in bytes, so `1mbps` is 8 Mbit/s.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    let malformed = || {
        "a rate is a number and a unit, such as 100mbit or 512kbit (1mbps is a megabyte a second)"
            .to_owned()
    };
    let too_slow = || "a rate is at least 1bit; for a link that carries nothing use --loss 100%";
    if is_negative(text) {
        return Err(too_slow().to_owned());
    }
    let (number, unit) = Decimal::split(text).ok_or_else(malformed)?;
    let unit = unit.to_ascii_lowercase();
    let (prefix, bits) = match (unit.strip_suffix("bit"), unit.strip_suffix("bps")) {
        (Some(prefix), _) => (prefix, 1),
        (None, Some(prefix)) => (prefix, 8),
        (None, None) if unit.is_empty() => {
            return Err(format!("a rate needs its unit: {text}mbit or {text}kbit, for example"));
        }
        (None, None) => return Err(malformed()),
    };
    let factor: u128 = match prefix {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1 << 40,
        _ => return Err(malformed()),
    };
    let too_fast = || "a rate is at most 1000tbit; without --rate a link is infinitely fast";
    match number.times(factor * bits) {
        Some(scaled) if scaled.whole == 0 => Err(too_slow().to_owned()),
        Some(scaled) if scaled.whole <= FASTEST => {
            u64::try_from(scaled.whole).map_err(|_| too_fast().to_owned())
        }
        _ => Err(too_fast().to_owned()),
    }
}

/// A number of bytes, as iperf3 writes it: `1000`, `64K`, `1M`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let malformed = || "a number of bytes is written as 1000, 64K or 1M, and is 0 to 4G".to_owned();
    let (number, unit) = Decimal::split(text).ok_or_else(malformed)?;
    let factor: u128 = match unit.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return Err(malformed()),
    };
    let scaled = number.times(factor).filter(|scaled| scaled.exact).ok_or_else(malformed)?;
    let bytes = u64::try_from(scaled.whole).ok();
    bytes.filter(|bytes| *bytes <= MAX_BYTES).ok_or_else(malformed)
}

/// How many frames may wait.
pub(crate) fn queue(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(queue @ 1..=1_000_000) => Ok(queue),
        _ => Err("a queue has room for 1 to 1000000 frames".to_owned()),
    }
}

/// When to colour.
pub(crate) fn color(text: &str) -> Result<Color, String> {
    match text {
        "auto" => Ok(Color::Auto),
        "always" => Ok(Color::Always),
        "never" => Ok(Color::Never),
        _ => Err("there are colours auto, always or never".to_owned()),
    }
}

/// A congestion control by its name.
pub(crate) fn congestion(text: &str) -> Result<CongestionControl, String> {
    match text.to_ascii_lowercase().as_str() {
        "reno" => Ok(CongestionControl::Reno),
        "cubic" => Ok(CongestionControl::Cubic),
        "none" => Ok(CongestionControl::None),
        _ => Err("a congestion control is reno, cubic or none".to_owned()),
    }
}

/// Frames that a host sends: `client:syn:1`.
pub(crate) fn frames(text: &str) -> Result<FrameMatch, String> {
    text.parse().map_err(|error: glassnet::ParseFrameMatchError| error.to_string())
}

/// The number of a port that can be listened on by number.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a port is a number from 1 to 65535".to_owned()),
        Ok(port) => Ok(port),
    }
}

/// An address with the length of its network's prefix: `10.0.0.2/24`, `fd00::2/64`.
pub(crate) fn cidr(text: &str) -> Result<(IpAddr, u8), String> {
    let Some((address, len)) = text.split_once('/') else {
        return Err(format!("an address needs the length of its network's prefix: {text}/24"));
    };
    let malformed = || "an address is written as 10.0.0.2/24 or fd00::2/64".to_owned();
    let address: IpAddr = address.parse().map_err(|_| malformed())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    match len.parse() {
        Ok(len) if len <= most => Ok((address, len)),
        _ => Err(format!("the prefix of {address} has 0 to {most} bits")),
    }
}

/// Another host's address in the network of `address`; `None` where there is no other.
pub(crate) fn neighbour(address: IpAddr, len: u8) -> Option<IpAddr> {
    // The first that is not the network's own, which is the custom, or else the one after it.
    let (bits, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let of_host = u32::from(width - len.min(width));
    let mask = u128::MAX.checked_shl(of_host).unwrap_or(0);
    let others = match of_host {
        0 => return None,
        1 => [0, 1],
        _ => [1, 2],
    };
    let network = bits & mask;
    let other = others.into_iter().map(|host| network | host).find(|other| *other != bits)?;
    Some(match address {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::from_bits(u32::try_from(other).ok()?)),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::from_bits(other)),
    })
}

/// A host and a port, as in `server:12345`, `192.0.2.1:80` or `[fd00::1]:80`, or a host alone.
pub(crate) fn host(text: &str) -> Result<(String, Option<u16>), String> {
    let (name, rest) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let wrong = || "an IPv6 address and a port are written as [fd00::1]:80".to_owned();
            let (address, rest) = bracketed.split_once(']').ok_or_else(wrong)?;
            let is_v6 = address.parse::<std::net::Ipv6Addr>().is_ok();
            let is_scoped = address
                .split_once('%')
                .is_some_and(|(address, _)| address.parse::<std::net::Ipv6Addr>().is_ok());
            let number = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':').ok_or_else(wrong)?),
            };
            if !is_v6 && !is_scoped {
                return Err(wrong());
            }
            (address, number)
        }
        // More colons than one are those of an IPv6 address.
        None => match text.split_once(':') {
            Some((name, number)) if !number.contains(':') => (name, Some(number)),
            _ => (text, None),
        },
    };
    if name.is_empty() {
        return Err("give the name or the address of a host".to_owned());
    }
    Ok((name.to_owned(), rest.map(port).transpose()?))
}

/// An address of one host, without a prefix.
pub(crate) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "an address is written as 10.0.0.1 or fd00::1".to_owned())
}

/// The name of a network device, as the kernel allows it (`dev_valid_name`, and `%` is a pattern).
pub(crate) fn device(text: &str) -> Result<String, String> {
    let is_fine = |byte: u8| byte.is_ascii_graphic() && !b"/%:".contains(&byte);
    if !(1..=15).contains(&text.len()) || !text.bytes().all(is_fine) || [".", ".."].contains(&text)
    {
        return Err(
            "that cannot be the name of a device: give 1 to 15 visible characters without \
                    '/', ':' and '%', such as tap0"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// An Ethernet address: `02:00:00:00:00:01`.
pub(crate) fn mac(text: &str) -> Result<[u8; 6], String> {
    let malformed = || "an Ethernet address is written as 02:00:00:00:00:01".to_owned();
    let mut mac = [0; 6];
    let mut octets = text.split([':', '-']);
    for octet in &mut mac {
        let written = octets.next().filter(|written| written.len() == 2).ok_or_else(malformed)?;
        *octet = u8::from_str_radix(written, 16).map_err(|_| malformed())?;
    }
    if octets.next().is_some() {
        return Err(malformed());
    }
    if mac[0] & 1 != 0 {
        return Err("the first byte of one host's Ethernet address is even".to_owned());
    }
    Ok(mac)
}

/// The least MTU with which there is IPv6: RFC 8200 section 5.
pub(crate) const IPV6_MIN_MTU: usize = 1_280;

/// Largest IP packet in bytes.
pub(crate) fn mtu(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(mtu @ 68..=65_535) => Ok(mtu),
        _ => Err("an MTU is 68 to 65535".to_owned()),
    }
}

/// How many connections.
pub(crate) fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(connections @ 1..=1_048_576) => Ok(connections),
        _ => Err("the number of connections is 1 to 1048576".to_owned()),
    }
}

/// How many clients a server greets.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a count is 1 or more".to_owned()),
        Ok(count) => Ok(count),
    }
}

/// How many connections wait to be accepted.
pub(crate) fn backlog(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(backlog @ 0..=4_096) => Ok(backlog),
        _ => Err("a backlog is 0 to 4096".to_owned()),
    }
}

/// How many clients.
pub(crate) fn clients(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(clients @ 1..=MAX_CLIENTS) => Ok(clients),
        _ => Err(format!("the number of clients is 1 to {MAX_CLIENTS}")),
    }
}

/// What all randomness comes from.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// And not an option that has taken the place of a forgotten value.
fn is_negative(text: &str) -> bool {
    let number = text.strip_prefix('-');
    number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
}

/// A decimal number, kept exactly.
struct Decimal<'t> {
    text: &'t str,
    digits: u128,
    decimals: u32,
}

/// A number times a unit.
struct Scaled {
    whole: u128,
    /// Nothing was rounded away.
    exact: bool,
}

impl<'t> Decimal<'t> {
    /// Takes the number off the front of a text; `None` when there is none.
    fn split(text: &'t str) -> Option<(Decimal<'t>, &'t str)> {
        let is_other = |character: char| !character.is_ascii_digit() && character != '.';
        let end = text.find(is_other).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        // More digits than these mean nothing in any unit, and must not overflow.
        if whole.len() + fraction.len() > 38 {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let decimals = u32::try_from(fraction.len()).ok()?;
        Some((Decimal { text: number, digits, decimals }, unit))
    }

    fn is_zero(&self) -> bool {
        self.digits == 0
    }

    /// `None` when the product is astronomical.
    fn times(&self, factor: u128) -> Option<Scaled> {
        let product = self.digits.checked_mul(factor)?;
        let divisor = 10_u128.checked_pow(self.decimals)?;
        Some(Scaled { whole: product / divisor, exact: product.is_multiple_of(divisor) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_tc_writes_them() {
        let nanos = |text: &str| time(text).map(|time| time.as_nanos());
        assert_eq!(nanos("20ms"), Ok(20_000_000));
        assert_eq!(nanos("1s"), Ok(1_000_000_000));
        assert_eq!(nanos("2secs"), Ok(2_000_000_000));
        assert_eq!(nanos("500us"), Ok(500_000));
        assert_eq!(nanos("7usecs"), Ok(7_000));
        assert_eq!(nanos("5ns"), Ok(5));
        assert_eq!(nanos("1.5ms"), Ok(1_500_000));
        assert_eq!(nanos(".5ms"), Ok(500_000));
        assert_eq!(nanos("0.0000001s"), Ok(100));
        assert_eq!(nanos("20MS"), Ok(20_000_000));
        assert_eq!(nanos("0"), Ok(0));
        assert_eq!(nanos("0ms"), Ok(0));
        assert_eq!(nanos("3600s"), Ok(3_600_000_000_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let wrong = [
            "",
            "ms",
            ".",
            ".ms",
            "20",
            "20m",
            "20 ms",
            "-1ms",
            "1e3ms",
            "1.2.3ms",
            "ten",
            "3600.1s",
            "0.5ns",
            "+1ms",
            "１ms",
            "99999999999999999999999999999999999999999s",
        ];
        for text in wrong {
            assert!(time(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn percentages_become_probabilities() {
        assert_eq!(percentage("10%"), Ok(0.1));
        assert_eq!(percentage("0.5%"), Ok(0.005));
        assert_eq!(percentage("0"), Ok(0.0));
        assert_eq!(percentage("100%"), Ok(1.0));
        for text in ["", "%", "10", "0.1", "101%", "100.1%", "-1%", "nan%", "inf%", "1e1%", "5%%"] {
            assert!(percentage(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn rates_count_bits_or_bytes_as_in_tc() {
        assert_eq!(rate("9600bit"), Ok(9_600));
        assert_eq!(rate("512kbit"), Ok(512_000));
        assert_eq!(rate("100mbit"), Ok(100_000_000));
        assert_eq!(rate("1gbit"), Ok(1_000_000_000));
        assert_eq!(rate("1mbps"), Ok(8_000_000));
        assert_eq!(rate("1.5kbps"), Ok(12_000));
        assert_eq!(rate("1mibit"), Ok(1 << 20));
        assert_eq!(rate("1MBit"), Ok(1_000_000));
        for text in ["", "0", "0bit", "0.5bit", "100", "100m", "1xbit", "-1bit", "1001tbit", "bit"]
        {
            assert!(rate(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn bytes_are_counted_as_iperf3_counts_them() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("1000"), Ok(1_000));
        assert_eq!(bytes("64K"), Ok(65_536));
        assert_eq!(bytes("1.5m"), Ok(1_572_864));
        assert_eq!(bytes("4g"), Ok(4 << 30));
        for text in ["", "K", "-1", "0.3", "1kb", "5G", "99999999999999999999999999999999999999"] {
            assert!(bytes(text).is_err(), "{text:?}");
        }
        assert!(queue("0").is_err() && queue("1").is_ok() && queue("many").is_err());
        assert!(congestion("CUBIC").is_ok() && congestion("bbr").is_err());
    }

    #[test]
    fn a_host_may_have_its_port_with_it() {
        let of = |text| host(text).unwrap();
        assert_eq!(of("server"), ("server".to_owned(), None));
        assert_eq!(of("server:80"), ("server".to_owned(), Some(80)));
        assert_eq!(of("192.0.2.1:80"), ("192.0.2.1".to_owned(), Some(80)));
        assert_eq!(of("fd00::1"), ("fd00::1".to_owned(), None));
        assert_eq!(of("[fd00::1]"), ("fd00::1".to_owned(), None));
        assert_eq!(of("[fd00::1]:65535"), ("fd00::1".to_owned(), Some(65_535)));
        assert_eq!(of("[fe80::1%eth0]:7"), ("fe80::1%eth0".to_owned(), Some(7)));
        for wrong in
            ["", ":80", "server:", "server:0", "[fd00::1", "[fd00::1]80", "[server]:80", "[]:80"]
        {
            assert!(host(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_neighbour_is_of_the_same_network_and_somebody_else() {
        let of = |address: &str, len| {
            neighbour(address.parse().unwrap(), len).map(|other| other.to_string())
        };
        assert_eq!(of("192.0.2.2", 24).as_deref(), Some("192.0.2.1"));
        assert_eq!(of("192.0.2.1", 24).as_deref(), Some("192.0.2.2"));
        assert_eq!(of("10.1.2.3", 8).as_deref(), Some("10.0.0.1"));
        assert_eq!(of("192.0.2.6", 31).as_deref(), Some("192.0.2.7"));
        assert_eq!(of("192.0.2.2", 32), None);
        assert_eq!(of("1.2.3.4", 0).as_deref(), Some("0.0.0.1"));
        assert_eq!(of("fd00:db8::2", 64).as_deref(), Some("fd00:db8::1"));
        assert_eq!(of("fd00::1", 0).as_deref(), Some("::1"));
    }

    #[test]
    fn addresses_have_a_prefix_and_macs_six_octets() {
        assert_eq!(cidr("10.0.0.2/24"), Ok(([10, 0, 0, 2].into(), 24)));
        assert!(cidr("fd00::2/64").is_ok());
        for wrong in ["10.0.0.2", "10.0.0.2/33", "10.0.0/24", "fd00::2/129", "server/24"] {
            assert!(cidr(wrong).is_err(), "{wrong}");
        }
        assert_eq!(mac("02:00:00:0a:0B:0c"), Ok([2, 0, 0, 10, 11, 12]));
        for wrong in
            ["", "02:00:00:00:00", "02:00:00:00:00:00:00", "01:00:00:00:00:00", "2:0:0:0:0:0"]
        {
            assert!(mac(wrong).is_err(), "{wrong}");
        }
        assert!(mtu("67").is_err() && mtu("1500").is_ok() && mtu("65536").is_err());
        assert!(connections("0").is_err() && backlog("0").is_ok() && backlog("4097").is_err());
    }

    #[test]
    fn ports_and_counts_have_bounds() {
        assert_eq!(port("1"), Ok(1));
        assert_eq!(port("65535"), Ok(65535));
        assert!(port("0").is_err() && port("65536").is_err() && port("-1").is_err());
        assert_eq!(clients("65000"), Ok(65_000));
        assert!(clients("0").is_err() && clients("65001").is_err() && clients("many").is_err());
        assert!(seed("18446744073709551616").is_err() && seed("-1").is_err());
    }
}
