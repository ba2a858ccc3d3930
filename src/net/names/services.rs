//! Well-known services: getservbyname(3) and getservbyport(3).

use std::io;

const TCP: &[&str] = &["tcp"];
const UDP: &[&str] = &["udp"];
const BOTH: &[&str] = &["tcp", "udp"];

/// Port, protocols, name, aliases.
type Service = (u16, &'static [&'static str], &'static str, &'static [&'static str]);

/// The port of a service; `protocol` is `"tcp"` or `"udp"`, and `None` is either.
///
/// ```
/// use glassnet::net::names::{getservbyname, getservbyport};
///
/// assert_eq!(getservbyname("http", None)?, 80);
/// assert_eq!(getservbyport(53, Some("udp"))?, "domain");
/// assert!(getservbyname("http", Some("udp")).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// [`NotFound`](io::ErrorKind::NotFound), "service/proto not found".
pub fn getservbyname(name: &str, protocol: Option<&str>) -> io::Result<u16> {
    let is_called =
        |(_, _, service, aliases): &&Service| *service == name || aliases.contains(&name);
    let found = services(protocol).find(is_called);
    let unknown = || io::Error::new(io::ErrorKind::NotFound, "service/proto not found");
    found.map(|(port, ..)| *port).ok_or_else(unknown)
}

/// The service that a port is for; `protocol` is `"tcp"` or `"udp"`, and `None` is either.
///
/// # Errors
/// [`NotFound`](io::ErrorKind::NotFound), "port/proto not found".
pub fn getservbyport(port: u16, protocol: Option<&str>) -> io::Result<&'static str> {
    let found = services(protocol).find(|(of_service, ..)| *of_service == port);
    let unknown = || io::Error::new(io::ErrorKind::NotFound, "port/proto not found");
    found.map(|(_, _, name, _)| *name).ok_or_else(unknown)
}

fn services(protocol: Option<&str>) -> impl Iterator<Item = &'static Service> {
    let is_of = move |(_, protocols, ..): &&Service| {
        protocol.is_none_or(|protocol| protocols.contains(&protocol))
    };
    SERVICES.iter().filter(is_of)
}

/// Those of IANA's registry that people meet, by port, under the names that `/etc/services` has
/// for them.
#[rustfmt::skip]
static SERVICES: &[Service] = &[
    (1, TCP, "tcpmux", &[]),
    (7, BOTH, "echo", &[]),
    (9, BOTH, "discard", &["sink", "null"]),
    (11, TCP, "systat", &["users"]),
    (13, BOTH, "daytime", &[]),
    (15, TCP, "netstat", &[]),
    (17, TCP, "qotd", &["quote"]),
    (19, BOTH, "chargen", &["ttytst", "source"]),
    (20, TCP, "ftp-data", &[]),
    (21, TCP, "ftp", &[]),
    (22, TCP, "ssh", &[]),
    (23, TCP, "telnet", &[]),
    (25, TCP, "smtp", &["mail"]),
    (37, BOTH, "time", &["timserver"]),
    (43, TCP, "whois", &["nicname"]),
    (49, BOTH, "tacacs", &[]),
    (53, BOTH, "domain", &[]),
    (67, UDP, "bootps", &[]),
    (68, UDP, "bootpc", &[]),
    (69, UDP, "tftp", &[]),
    (70, TCP, "gopher", &[]),
    (79, TCP, "finger", &[]),
    (80, TCP, "http", &["www"]),
    (88, BOTH, "kerberos", &["kerberos5", "krb5"]),
    (102, TCP, "iso-tsap", &["tsap"]),
    (104, TCP, "acr-nema", &["dicom"]),
    (110, TCP, "pop3", &["pop-3"]),
    (111, BOTH, "sunrpc", &["portmapper"]),
    (113, TCP, "auth", &["authentication", "ident"]),
    (119, TCP, "nntp", &["readnews"]),
    (123, UDP, "ntp", &[]),
    (135, TCP, "epmap", &["loc-srv"]),
    (137, UDP, "netbios-ns", &[]),
    (138, UDP, "netbios-dgm", &[]),
    (139, TCP, "netbios-ssn", &[]),
    (143, TCP, "imap2", &["imap"]),
    (161, BOTH, "snmp", &[]),
    (162, BOTH, "snmp-trap", &["snmptrap"]),
    (177, UDP, "xdmcp", &[]),
    (179, TCP, "bgp", &[]),
    (319, UDP, "ptp-event", &[]),
    (320, UDP, "ptp-general", &[]),
    (389, BOTH, "ldap", &[]),
    (427, BOTH, "svrloc", &[]),
    (443, BOTH, "https", &[]),
    (444, TCP, "snpp", &[]),
    (445, TCP, "microsoft-ds", &[]),
    (464, BOTH, "kpasswd", &[]),
    (465, TCP, "submissions", &["smtps"]),
    (500, UDP, "isakmp", &[]),
    (512, TCP, "exec", &[]),
    (512, UDP, "biff", &["comsat"]),
    (513, TCP, "login", &[]),
    (513, UDP, "who", &["whod"]),
    (514, TCP, "shell", &["cmd"]),
    (514, UDP, "syslog", &[]),
    (515, TCP, "printer", &["spooler"]),
    (517, UDP, "talk", &[]),
    (518, UDP, "ntalk", &[]),
    (520, UDP, "route", &["router"]),
    (540, TCP, "uucp", &["uucpd"]),
    (546, UDP, "dhcpv6-client", &[]),
    (547, UDP, "dhcpv6-server", &[]),
    (548, TCP, "afpovertcp", &[]),
    (554, BOTH, "rtsp", &[]),
    (563, TCP, "nntps", &["snntp"]),
    (587, TCP, "submission", &[]),
    (623, UDP, "asf-rmcp", &[]),
    (631, TCP, "ipp", &[]),
    (636, BOTH, "ldaps", &[]),
    (646, BOTH, "ldp", &[]),
    (749, TCP, "kerberos-adm", &[]),
    (853, BOTH, "domain-s", &[]),
    (873, TCP, "rsync", &[]),
    (989, TCP, "ftps-data", &[]),
    (990, TCP, "ftps", &[]),
    (992, TCP, "telnets", &[]),
    (993, TCP, "imaps", &[]),
    (995, TCP, "pop3s", &[]),
    (1080, TCP, "socks", &[]),
    (1099, TCP, "rmiregistry", &[]),
    (1194, BOTH, "openvpn", &[]),
    (1433, TCP, "ms-sql-s", &[]),
    (1434, UDP, "ms-sql-m", &[]),
    (1701, UDP, "l2f", &["l2tp"]),
    (1812, BOTH, "radius", &[]),
    (1813, BOTH, "radius-acct", &["radacct"]),
    (1883, TCP, "mqtt", &[]),
    (2049, BOTH, "nfs", &[]),
    (2401, TCP, "cvspserver", &[]),
    (2628, TCP, "dict", &[]),
    (2947, TCP, "gpsd", &[]),
    (3130, UDP, "icpv2", &["icp"]),
    (3205, BOTH, "isns", &[]),
    (3260, TCP, "iscsi-target", &[]),
    (3306, TCP, "mysql", &[]),
    (3389, TCP, "ms-wbt-server", &[]),
    (3478, BOTH, "stun", &[]),
    (3493, BOTH, "nut", &[]),
    (3632, TCP, "distcc", &[]),
    (3690, TCP, "svn", &["subversion"]),
    (4190, TCP, "sieve", &[]),
    (4369, TCP, "epmd", &[]),
    (4460, TCP, "ntske", &[]),
    (4500, UDP, "ipsec-nat-t", &[]),
    (4789, UDP, "vxlan", &[]),
    (4899, TCP, "radmin-port", &[]),
    (5060, BOTH, "sip", &[]),
    (5061, BOTH, "sip-tls", &[]),
    (5222, TCP, "xmpp-client", &["jabber-client"]),
    (5269, TCP, "xmpp-server", &["jabber-server"]),
    (5349, BOTH, "stuns", &[]),
    (5353, UDP, "mdns", &[]),
    (5432, TCP, "postgresql", &["postgres"]),
    (5671, TCP, "amqps", &[]),
    (5672, TCP, "amqp", &[]),
    (5683, BOTH, "coap", &[]),
    (5684, BOTH, "coaps", &[]),
    (5900, TCP, "rfb", &[]),
    (6000, TCP, "x11", &["x11-0"]),
    (6001, TCP, "x11-1", &[]),
    (6379, TCP, "redis", &[]),
    (6514, TCP, "syslog-tls", &[]),
    (6667, TCP, "ircd", &[]),
    (6696, UDP, "babel", &[]),
    (6697, TCP, "ircs-u", &[]),
    (8080, TCP, "http-alt", &["webcache"]),
    (8140, TCP, "puppet", &[]),
    (8883, TCP, "secure-mqtt", &[]),
    (9418, TCP, "git", &[]),
    (10000, TCP, "webmin", &[]),
    (10050, TCP, "zabbix-agent", &[]),
    (10051, TCP, "zabbix-trapper", &[]),
    (10809, TCP, "nbd", &[]),
    (11371, TCP, "hkp", &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_ports_lead_to_each_other() {
        assert_eq!(getservbyname("http", None).unwrap(), 80);
        assert_eq!(getservbyname("www", Some("tcp")).unwrap(), 80);
        assert_eq!(getservbyport(80, None).unwrap(), "http");
        assert_eq!(getservbyport(514, None).unwrap(), "shell");
        assert_eq!(getservbyport(514, Some("udp")).unwrap(), "syslog");
        for (port, protocols, name, _) in SERVICES {
            for protocol in *protocols {
                assert_eq!(getservbyname(name, Some(protocol)).unwrap(), *port, "{name}");
                assert_eq!(getservbyport(*port, Some(protocol)).unwrap(), *name, "{port}");
            }
        }
    }

    #[test]
    fn the_unknown_and_the_wrong_protocol_are_not_found() {
        for (name, protocol) in
            [("nosuch", None), ("http", Some("udp")), ("http", Some("sctp")), ("HTTP", None)]
        {
            let error = getservbyname(name, protocol).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert_eq!(error.to_string(), "service/proto not found");
        }
        assert_eq!(getservbyport(5, None).unwrap_err().to_string(), "port/proto not found");
        assert!(getservbyport(69, Some("tcp")).is_err());
    }

    #[test]
    fn the_table_is_sorted_by_port() {
        assert!(SERVICES.is_sorted_by_key(|(port, ..)| *port));
    }
}
