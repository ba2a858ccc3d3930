//! What a world's DNS server knows: the hosts, the lines of `/etc/hosts`, and extra records.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::MAX_ALIASES;
use crate::net::names::{DnsRecord, Names};

/// What there is of a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Each with the name it belongs to: aliases first, then what they lead to.
    pub(super) records: Vec<(String, DnsRecord)>,
    /// Whether the last of the names exists.
    pub(super) exists: bool,
}

/// The records of a name of which `is_asked` is true, after the aliases that lead to them.
pub(super) fn find(names: &Names, name: &str, is_asked: impl Fn(&DnsRecord) -> bool) -> Answer {
    let mut answer = Answer::default();
    let mut name = name.to_owned();
    for _ in 0..=MAX_ALIASES {
        let Some(all) = records_of(names, &name) else {
            answer.exists = false;
            return answer;
        };
        answer.exists = true;
        let before = answer.records.len();
        let asked = all.iter().filter(|record| is_asked(record));
        answer.records.extend(asked.map(|record| (name.clone(), record.clone())));
        if answer.records.len() > before {
            break;
        }
        let Some(DnsRecord::Cname(target)) =
            all.iter().find(|record| matches!(record, DnsRecord::Cname(_)))
        else {
            break;
        };
        answer.records.push((name, DnsRecord::Cname(target.clone())));
        name = target.clone();
    }
    answer
}

/// All records of a name; `None` when there is no such name.
fn records_of(names: &Names, name: &str) -> Option<Vec<DnsRecord>> {
    let found = names.served(name);
    let extra = names.records(name);
    let reverse = address_of(name).and_then(|address| names.served_by_address(address));
    if found.is_none() && extra.is_none() && reverse.is_none() {
        return None;
    }
    let addresses = found.into_iter().flat_map(|found| found.addresses);
    let mut all: Vec<DnsRecord> = addresses.map(DnsRecord::Address).collect();
    all.extend(reverse.map(|found| DnsRecord::Ptr(found.canonical)));
    for record in extra.into_iter().flatten() {
        if !all.contains(&record) {
            all.push(record);
        }
    }
    Some(all)
}

/// The name under which an address is looked up (RFC 1035, section 3.5; RFC 3596, section 2.5).
pub(super) fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibble = |at: u32| format!("{:x}.", (address.to_bits() >> (4 * at)) & 0xf);
            (0..32).map(nibble).collect::<String>() + "ip6.arpa"
        }
    }
}

/// The address that is looked up under a name.
fn address_of(name: &str) -> Option<IpAddr> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    if let Some(octets) = name.strip_suffix(".in-addr.arpa") {
        let mut forward: Vec<&str> = octets.split('.').collect();
        forward.reverse();
        return forward.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let nibbles = name.strip_suffix(".ip6.arpa")?;
    let mut bits = 0;
    let mut count = 0;
    for nibble in nibbles.split('.') {
        let [digit] = nibble.as_bytes() else { return None };
        let value = char::from(*digit).to_digit(16)?;
        bits |= u128::from(value).checked_shl(4 * count)?;
        count += 1;
    }
    (count == 32).then(|| Ipv6Addr::from_bits(bits).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn world() -> Names {
        let names = Names::default();
        names.insert("server", ip("10.0.0.2"));
        names.insert("server", ip("fd00::2"));
        names.insert_record("www", DnsRecord::Cname("web".to_owned())).unwrap();
        names.insert_record("web", DnsRecord::Cname("server".to_owned())).unwrap();
        names.insert_record("gone", DnsRecord::Cname("nowhere".to_owned())).unwrap();
        names.insert_record("circle", DnsRecord::Cname("circle".to_owned())).unwrap();
        names
    }

    fn is_v4(record: &DnsRecord) -> bool {
        matches!(record, DnsRecord::Address(IpAddr::V4(_)))
    }

    fn is_ptr(record: &DnsRecord) -> bool {
        matches!(record, DnsRecord::Ptr(_))
    }

    #[test]
    fn an_alias_leads_to_what_was_asked_for() {
        let answer = find(&world(), "www", is_v4);
        let names: Vec<&str> = answer.records.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["www", "web", "server"]);
        assert!(answer.exists);
    }

    #[test]
    fn a_name_may_exist_without_what_was_asked_for() {
        let answer = find(&world(), "server", is_ptr);
        assert_eq!(answer, Answer { records: Vec::new(), exists: true });
        assert!(!find(&world(), "nowhere", is_v4).exists);
        let gone = find(&world(), "gone", is_v4);
        assert_eq!((gone.records.len(), gone.exists), (1, false));
    }

    #[test]
    fn a_circle_of_aliases_comes_to_an_end() {
        assert_eq!(find(&world(), "circle", is_v4).records.len(), MAX_ALIASES + 1);
    }

    #[test]
    fn an_address_leads_to_its_name() {
        let name = reverse_name(ip("10.0.0.2"));
        assert_eq!(name, "2.0.0.10.in-addr.arpa");
        for address in ["10.0.0.2", "fd00::2"] {
            let answer = find(&world(), &reverse_name(ip(address)), is_ptr);
            assert_eq!(answer.records[0].1, DnsRecord::Ptr("server".to_owned()), "{address}");
        }
    }

    #[test]
    fn reverse_names_are_read_back_and_others_are_none() {
        for address in ["10.0.0.2", "fd00::2", "2001:db8:1:2:3:4:5:678f"] {
            assert_eq!(address_of(&reverse_name(ip(address)).to_uppercase()), Some(ip(address)));
        }
        for name in ["in-addr.arpa", "2.0.0.in-addr.arpa", "x.ip6.arpa", "ip6.arpa", "server"] {
            assert_eq!(address_of(name), None, "{name}");
        }
        let long = "0.".repeat(33) + "ip6.arpa";
        assert_eq!(address_of(&long), None);
    }
}
