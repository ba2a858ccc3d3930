//! What a world knows of names.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::IpVersion;
use super::family::turns_of;

/// Servers that a host asks, as in resolv.conf(5).
const MAX_NAMESERVERS: usize = 3;

/// A record that the world's DNS servers answer with, beside those of the hosts and of
/// [`Sim::hosts_entry`](crate::Sim::hosts_entry).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DnsRecord {
    /// A or AAAA: an address of the name.
    Address(IpAddr),
    /// CNAME: the name is another one's alias.
    Cname(String),
    /// PTR: the name, one below `in-addr.arpa` or `ip6.arpa`, stands for an address of this host.
    Ptr(String),
}

/// The names of a world: of its hosts, of the lines added to `/etc/hosts`, and of records that
/// only DNS has. All hosts share it; which part of it a host looks at is its resolver's affair.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<Table>>);

// Keys are names in lower case: names that differ in case alone are one (RFC 4343).
#[derive(Default)]
struct Table {
    hosts: BTreeMap<String, Host>,
    hosts_by_address: BTreeMap<IpAddr, String>,
    lines: Vec<Line>,
    lines_by_name: BTreeMap<String, Vec<usize>>,
    /// The first line of an address, which is the one that a reverse lookup finds.
    lines_by_address: BTreeMap<IpAddr, usize>,
    records: BTreeMap<String, Vec<DnsRecord>>,
    /// Who answers DNS.
    nameservers: Vec<Nameserver>,
    ip_version: IpVersion,
}

enum Nameserver {
    /// A host of this world, by its name.
    Host(String),
    Address(IpAddr),
}

struct Host {
    name: String,
    /// Those of IPv4 first.
    addresses: Vec<IpAddr>,
}

/// A line of `/etc/hosts`: an address, its name, and aliases.
struct Line {
    address: IpAddr,
    names: Vec<String>,
}

/// A name, what else it is called, and its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) canonical: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Names {
    /// Gives a host one more address.
    pub(crate) fn insert(&self, name: &str, address: IpAddr) {
        let mut table = self.table();
        let host = || Host { name: name.to_owned(), addresses: Vec::new() };
        let addresses = &mut table.hosts.entry(key(name)).or_insert_with(host).addresses;
        addresses.push(address);
        addresses.sort_by_key(IpAddr::is_ipv6);
        table.hosts_by_address.insert(address, key(name));
    }

    /// From now on a host has these addresses, and no others.
    pub(crate) fn set_addresses(&self, name: &str, addresses: &[IpAddr]) {
        {
            let mut table = self.table();
            let before = table.hosts.remove(&key(name)).map(|host| host.addresses);
            for address in before.into_iter().flatten() {
                table.hosts_by_address.remove(&address);
            }
        }
        addresses.iter().for_each(|address| self.insert(name, *address));
    }

    /// The host that is called so, but for the case of letters.
    pub(crate) fn host_called(&self, name: &str) -> Option<String> {
        self.table().hosts.get(&key(name)).map(|host| host.name.clone())
    }

    /// Adds a line to every host's `/etc/hosts`: a name, and aliases after spaces.
    pub(crate) fn insert_line(&self, names: &str, address: IpAddr) -> Result<(), String> {
        let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        if names.is_empty() {
            return Err(format!("an entry for {address} without a name"));
        }
        if let Some(wrong) = names.iter().find(|name| !is_name(name) || key(name) == LOCALHOST) {
            return Err(format!("{wrong:?} cannot be a name of {address}"));
        }
        let mut table = self.table();
        let index = table.lines.len();
        table.lines_by_address.entry(address).or_insert(index);
        for name in &names {
            let lines = table.lines_by_name.entry(key(name)).or_default();
            if !lines.contains(&index) {
                lines.push(index);
            }
        }
        table.lines.push(Line { address, names });
        Ok(())
    }

    pub(crate) fn insert_record(&self, name: &str, record: DnsRecord) -> Result<(), String> {
        let target = match &record {
            DnsRecord::Address(_) => None,
            DnsRecord::Cname(target) | DnsRecord::Ptr(target) => Some(target.as_str()),
        };
        if let Some(wrong) = [Some(name), target].into_iter().flatten().find(|name| !is_name(name))
        {
            return Err(format!("{wrong:?} cannot be a name in DNS"));
        }
        self.table().records.entry(key(name)).or_default().push(record);
        Ok(())
    }

    /// From now on the hosts ask this one, too.
    pub(crate) fn insert_nameserver(&self, host: &str) -> Result<(), String> {
        if self.takes_nameserver(Nameserver::Host(key(host))) {
            return Ok(());
        }
        Err(format!("{host:?} is one DNS server too many: hosts ask three at most"))
    }

    /// From now on somebody outside is asked, too.
    pub(crate) fn insert_nameserver_at(&self, address: IpAddr) -> Result<(), String> {
        if self.takes_nameserver(Nameserver::Address(address)) {
            return Ok(());
        }
        Err(format!("{address} is one DNS server too many: hosts ask three at most"))
    }

    /// From now on these are asked, and nobody else. Those beyond the third are not.
    pub(crate) fn replace_nameservers(&self, addresses: &[Ipv4Addr]) {
        let addresses = addresses.iter().take(MAX_NAMESERVERS);
        self.table().nameservers =
            addresses.map(|address| Nameserver::Address(IpAddr::V4(*address))).collect();
    }

    fn takes_nameserver(&self, nameserver: Nameserver) -> bool {
        let nameservers = &mut self.table().nameservers;
        let has_room = nameservers.len() < MAX_NAMESERVERS;
        if has_room {
            nameservers.push(nameserver);
        }
        has_room
    }

    pub(crate) fn set_ip_version(&self, ip_version: IpVersion) {
        self.table().ip_version = ip_version;
    }

    pub(crate) fn ip_version(&self) -> IpVersion {
        self.table().ip_version
    }

    /// The addresses of those who answer DNS, in the order in which they are asked.
    pub(crate) fn nameservers(&self) -> Vec<IpAddr> {
        let table = self.table();
        let address_of = |nameserver: &Nameserver| match nameserver {
            Nameserver::Host(name) => table.preferred(&table.hosts.get(name)?.addresses),
            Nameserver::Address(address) => Some(*address),
        };
        table.nameservers.iter().filter_map(address_of).collect()
    }

    /// The address of a name, when it is a host's that has one alone of the family that a plain
    /// name stands for: what most lookups are, without an allocation.
    pub(crate) fn only_address(&self, own: &str, name: &str) -> Option<IpAddr> {
        let table = self.table();
        let host = table.hosts.get(name)?;
        let is_known = table.nameservers.is_empty() || name.eq_ignore_ascii_case(own);
        if !is_known || table.lines_by_name.contains_key(name) {
            return None;
        }
        let families = *turns_of(table.ip_version).first()?;
        let is_meant = |address: &&IpAddr| families.iter().any(|family| family.has(address));
        let mut meant = host.addresses.iter().filter(is_meant);
        let first = meant.next()?;
        meant.next().is_none().then_some(*first)
    }

    /// What a host that is called `own` knows of a name without asking anybody. While the world
    /// has no DNS server, the other hosts are in its `/etc/hosts`.
    pub(crate) fn known(&self, own: &str, name: &str) -> Option<Found> {
        let name = key(name);
        if name == LOCALHOST {
            return Some(Found::localhost(LOOPBACK.to_vec()));
        }
        let table = self.table();
        table.find(&name, table.nameservers.is_empty() || name == key(own))
    }

    /// What a host that is called `own` finds of an address in its `/etc/hosts`.
    pub(crate) fn known_by_address(&self, own: &str, address: IpAddr) -> Option<Found> {
        if LOOPBACK.contains(&address) {
            return Some(Found::localhost(vec![address]));
        }
        let table = self.table();
        let own = key(own);
        let of_hosts = |name: &String| table.nameservers.is_empty() || *name == own;
        table.find_by_address(address, of_hosts)
    }

    /// What the world's DNS servers know of a name's addresses.
    pub(crate) fn served(&self, name: &str) -> Option<Found> {
        self.table().find(&key(name), true)
    }

    /// What the world's DNS servers know of an address's name.
    pub(crate) fn served_by_address(&self, address: IpAddr) -> Option<Found> {
        self.table().find_by_address(address, |_| true)
    }

    /// The records that only DNS has.
    pub(crate) fn records(&self, name: &str) -> Option<Vec<DnsRecord>> {
        self.table().records.get(&key(name)).cloned()
    }

    /// The address of a name, for those outside the hosts.
    pub(crate) fn address_of(&self, name: &str) -> Option<IpAddr> {
        let found = self.known(name, name)?;
        self.table().preferred(&found.addresses)
    }

    /// Every address of a host, and the host's name, in order.
    pub(crate) fn all(&self) -> Vec<(IpAddr, String)> {
        let table = self.table();
        let name_of = |host: &String| table.hosts.get(host).map(|host| host.name.clone());
        let all = table.hosts_by_address.iter();
        all.filter_map(|(address, host)| Some((*address, name_of(host)?))).collect()
    }

    /// `/etc/hosts` of a host that is called `own`: `localhost`, itself, the lines that were added,
    /// and, while the world has no DNS server, the other hosts.
    #[cfg(feature = "tokio")]
    pub(super) fn hosts_file(&self, own: &str) -> String {
        let mut text = "127.0.0.1\tlocalhost\n::1\tlocalhost\n".to_owned();
        let own = key(own);
        let all = self.all();
        let table = self.table();
        let with_others = table.nameservers.is_empty();
        for (address, name) in all.iter().filter(|(_, name)| with_others || key(name) == own) {
            text += &format!("{address}\t{name}\n");
        }
        for line in &table.lines {
            text += &format!("{}\t{}\n", line.address, line.names.join(" "));
        }
        text
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, name: &str, with_hosts: bool) -> Option<Found> {
        let mut found: Option<Found> = None;
        if let Some(host) = self.hosts.get(name).filter(|_| with_hosts) {
            found = Some(Found {
                canonical: host.name.clone(),
                aliases: Vec::new(),
                addresses: host.addresses.clone(),
            });
        }
        let indices = self.lines_by_name.get(name).into_iter().flatten();
        for line in indices.filter_map(|index| self.lines.get(*index)) {
            let found = found.get_or_insert_with(Found::default);
            for name in &line.names {
                if found.canonical.is_empty() {
                    found.canonical.clone_from(name);
                } else if found.canonical != *name && !found.aliases.contains(name) {
                    found.aliases.push(name.clone());
                }
            }
            if !found.addresses.contains(&line.address) {
                found.addresses.push(line.address);
            }
        }
        found
    }

    fn find_by_address(
        &self,
        address: IpAddr,
        is_known: impl Fn(&String) -> bool,
    ) -> Option<Found> {
        let addresses = vec![address];
        let host = self.hosts_by_address.get(&address).filter(|host| is_known(host));
        if let Some(host) = host.and_then(|host| self.hosts.get(host)) {
            return Some(Found { canonical: host.name.clone(), aliases: Vec::new(), addresses });
        }
        let line = self.lines.get(*self.lines_by_address.get(&address)?)?;
        let (canonical, aliases) = line.names.split_first()?;
        Some(Found { canonical: canonical.clone(), aliases: aliases.to_vec(), addresses })
    }

    /// One of some addresses: where it can be, of the family that the world's names give.
    fn preferred(&self, addresses: &[IpAddr]) -> Option<IpAddr> {
        let prefers_v6 = self.ip_version == IpVersion::V6;
        let preferred = addresses.iter().find(|address| address.is_ipv6() == prefers_v6);
        preferred.or(addresses.first()).copied()
    }
}

impl Found {
    fn localhost(addresses: Vec<IpAddr>) -> Found {
        Found { canonical: LOCALHOST.to_owned(), aliases: Vec::new(), addresses }
    }
}

const LOCALHOST: &str = "localhost";
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Names are compared without regard to case, and to the dot that ends a full one.
fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether DNS can carry a name, and a resolver takes it for one (RFC 1035, section 2.3.4; the
/// characters are those that glibc's takes).
pub(crate) fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| matches!(label.len(), 1..=63) && label.bytes().all(is_fine);
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn world() -> Names {
        let names = Names::default();
        names.insert("one", ip("fd00::1"));
        names.insert("one", ip("10.0.0.1"));
        names.insert("Two", ip("10.0.0.2"));
        names.insert_line("db.example.com db", ip("10.0.0.2")).unwrap();
        names.insert_line("db.example.com", ip("10.0.0.1")).unwrap();
        names
    }

    #[test]
    fn a_host_has_its_ipv4_addresses_first() {
        let found = world().known("two", "one").unwrap();
        assert_eq!(found.addresses, [ip("10.0.0.1"), ip("fd00::1")]);
    }

    #[test]
    fn case_and_the_last_dot_make_no_difference() {
        let names = world();
        for name in ["two", "TWO", "Two."] {
            assert_eq!(names.known("one", name).unwrap().canonical, "Two", "{name}");
        }
        assert_eq!(names.known("one", "LocalHost.").unwrap().canonical, "localhost");
    }

    #[test]
    fn lines_of_one_name_are_taken_together() {
        let found = world().known("one", "db.example.com").unwrap();
        assert_eq!(found.canonical, "db.example.com");
        assert_eq!(found.aliases, ["db"]);
        assert_eq!(found.addresses, [ip("10.0.0.2"), ip("10.0.0.1")]);
        assert_eq!(world().known("one", "db").unwrap().addresses, [ip("10.0.0.2")]);
    }

    #[test]
    fn an_address_is_its_host_s_before_it_is_a_line_s() {
        let names = world();
        let name_of = |address| Some(names.known_by_address("one", ip(address))?.canonical);
        assert_eq!(name_of("10.0.0.2"), Some("Two".to_owned()));
        assert_eq!(name_of("::1"), Some("localhost".to_owned()));
        assert_eq!(name_of("10.0.0.3"), None);
    }

    #[test]
    fn beside_a_dns_server_a_host_knows_itself_and_the_lines() {
        let names = world();
        names.insert_nameserver("Two").unwrap();
        assert_eq!(names.nameservers(), [ip("10.0.0.2")]);
        assert!(names.known("one", "one").is_some());
        assert!(names.known("one", "db").is_some());
        assert!(names.known("one", "two").is_none());
        assert!(names.served("two").is_some());
        let of_line = names.known_by_address("one", ip("10.0.0.2")).unwrap();
        assert_eq!(of_line.canonical, "db.example.com");
        assert_eq!(names.served_by_address(ip("10.0.0.2")).unwrap().canonical, "Two");
    }

    #[test]
    fn a_name_has_labels_of_letters_digits_and_dashes() {
        let longest = ["a".repeat(63).as_str(); 3].join(".") + "." + &"a".repeat(61);
        for name in ["a", "a.b", "a.b.", "_sip._tcp.x", "3com", "X-1", longest.as_str()] {
            assert!(is_name(name), "{name}");
        }
        let long = longest + "a";
        for name in ["", ".", "..", "a..b", ".a", "a b", "a:b", "ä", &"a".repeat(64), &long] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        let names = Names::default();
        assert!(names.insert_line(" ", ip("10.0.0.1")).is_err());
        assert!(names.insert_line("a b..c", ip("10.0.0.1")).is_err());
        assert!(names.insert_line("localhost", ip("10.0.0.1")).is_err());
        assert!(names.insert_record("a", DnsRecord::Cname("b c".to_owned())).is_err());
        for name in ["a", "b", "c"] {
            names.insert_nameserver(name).unwrap();
        }
        assert!(names.insert_nameserver("d").is_err());
    }
}
