//! Names and addresses without a DNS server: the forms of hosts and ports, `getaddrinfo` and its
//! errors, services, reverse lookups, and which addresses a plain name stands for.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use crate::common::*;
use glassnet::net::addr::{Domain, HostAddress, Port, Protocol, Type, socket_address};
use glassnet::net::names::{
    AddrInfo, AddrInfoError, AddrInfoHints, NameInfoFlags, getaddrinfo, gethostbyaddr,
    gethostbyname, gethostname, getnameinfo, getservbyname, getservbyport,
};
use glassnet::net::{TcpListener, TcpStream, lookup_host};
use glassnet::{IpVersion, Sim};

const BADFLAGS: i32 = -1;
const NONAME: i32 = -2;
const AGAIN: i32 = -3;
const NODATA: i32 = -5;
const FAMILY: i32 = -6;
const SOCKTYPE: i32 = -7;
const SERVICE: i32 = -8;
const ADDRFAMILY: i32 = -9;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The number of getaddrinfo(3)'s error.
fn gai<T>(result: io::Result<T>) -> Option<i32> {
    AddrInfoError::of(&result.err()?).map(AddrInfoError::code)
}

fn stream() -> AddrInfoHints {
    AddrInfoHints::default().socktype(Type::STREAM)
}

fn stream_of(family: Domain) -> AddrInfoHints {
    stream().family(family)
}

fn addresses(infos: &[AddrInfo]) -> Vec<String> {
    infos.iter().map(|info| info.address.to_string()).collect()
}

async fn found(host: &str, hints: AddrInfoHints) -> io::Result<Vec<String>> {
    getaddrinfo(Some(host), Some("80"), &hints).await.map(|infos| addresses(&infos))
}

async fn looked_up(text: &str) -> io::Result<Vec<String>> {
    Ok(lookup_host(text).await?.map(|address| address.to_string()).collect())
}

/// Runs `main` on a host called `client` beside one called `server`.
fn beside_a_server<F>(ip_version: IpVersion, main: F) -> glassnet::Result
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(1);
    sim.ip_version(ip_version);
    sim.host("server", || async { Ok(()) });
    sim.client("client", main);
    sim.run()
}

#[test]
fn a_host_knows_its_name() -> glassnet::Result {
    alone(async {
        assert_eq!(gethostname()?, "alone");
        Ok(())
    })
}

#[test]
fn a_host_comes_in_every_form() -> glassnet::Result {
    beside_a_server(IpVersion::V4, async {
        let forms: [(HostAddress, &str); 10] = [
            ("server".into(), "10.0.0.1:80"),
            ("10.0.0.1".into(), "10.0.0.1:80"),
            ("10.1".into(), "10.0.0.1:80"),
            ("0xa.1".into(), "10.0.0.1:80"),
            ("167772161".into(), "10.0.0.1:80"),
            (0x0a00_0001.into(), "10.0.0.1:80"),
            (ip("10.0.0.1").into(), "10.0.0.1:80"),
            ("<broadcast>".into(), "255.255.255.255:80"),
            ("".into(), "0.0.0.0:80"),
            ("::ffff:10.0.0.1".into(), "10.0.0.1:80"),
        ];
        for (host, address) in forms {
            let made = socket_address(Domain::IPV4, Protocol::TCP, host, 80).await?;
            assert_eq!(made, at(address));
        }
        Ok(())
    })
}

#[test]
fn ipv6_has_its_own_forms() -> glassnet::Result {
    beside_a_server(IpVersion::V4, async {
        for (host, address) in [
            ("server", "[fd00::1]:80"),
            ("fd00::1", "[fd00::1]:80"),
            ("fe80::1%eth0", "[fe80::1%2]:80"),
            ("fe80::1%2", "[fe80::1%2]:80"),
            ("fe80::1%lo", "[fe80::1%1]:80"),
            ("", "[::]:80"),
        ] {
            let made = socket_address(Domain::IPV6, Protocol::TCP, host, 80).await?;
            assert_eq!(made, at(address));
        }
        Ok(())
    })
}

#[test]
fn a_host_of_another_family_is_an_error() -> glassnet::Result {
    alone(async {
        let of = |domain, host: &'static str| socket_address(domain, Protocol::TCP, host, 80);
        assert_eq!(gai(of(Domain::IPV4, "::1").await), Some(ADDRFAMILY));
        assert_eq!(gai(of(Domain::IPV6, "127.0.0.1").await), Some(ADDRFAMILY));
        assert_eq!(gai(of(Domain::IPV4, "nowhere").await), Some(AGAIN));
        assert_eq!(gai(of(Domain::IPV6, "fe80::1%eth9").await), Some(NONAME));
        const EAFNOSUPPORT: i32 = 97;
        assert_eq!(errno(of(Domain::IPV6, "<broadcast>").await), Some(EAFNOSUPPORT));
        assert_eq!(errno(of(Domain::UNIX, "127.0.0.1").await), Some(EAFNOSUPPORT));
        Ok(())
    })
}

#[test]
fn a_port_comes_in_every_form() -> glassnet::Result {
    alone(async {
        let of = |protocol, port: Port| socket_address(Domain::IPV4, protocol, "127.0.0.1", port);
        for port in [80.into(), "80".into(), "http".into(), "www".into()] {
            assert_eq!(of(Protocol::TCP, port).await?.port(), 80);
        }
        assert_eq!(of(Protocol::UDP, "domain".into()).await?.port(), 53);
        for (port, kind) in [
            ("65536", ErrorKind::InvalidInput),
            ("nosuch", ErrorKind::NotFound),
            ("tftp", ErrorKind::NotFound),
        ] {
            assert_eq!(of(Protocol::TCP, port.into()).await.unwrap_err().kind(), kind, "{port}");
        }
        Ok(())
    })
}

#[test]
fn services_have_ports_and_ports_have_services() {
    assert_eq!(getservbyname("http", None).unwrap(), 80);
    assert_eq!(getservbyname("domain", Some("udp")).unwrap(), 53);
    assert_eq!(getservbyport(80, None).unwrap(), "http");
    for unknown in [getservbyname("nosuch", None), getservbyname("http", Some("udp"))] {
        assert_eq!(unknown.unwrap_err().to_string(), "service/proto not found");
    }
}

#[test]
fn getaddrinfo_gives_one_result_for_each_type_of_socket() -> glassnet::Result {
    beside_a_server(IpVersion::V4, async {
        let all = getaddrinfo(Some("server"), Some("80"), &AddrInfoHints::default()).await?;
        let kinds: Vec<_> = all.iter().map(|info| (info.socktype, info.protocol.into())).collect();
        assert_eq!(kinds, [(Type::STREAM, 6), (Type::DGRAM, 17), (Type::RAW, 0)]);
        assert!(all.iter().all(|info| info.address == at("10.0.0.1:80")));
        assert!(all.iter().all(|info| info.family == Domain::IPV4));
        // A service by name has those types alone that it is for.
        let http = getaddrinfo(Some("server"), Some("http"), &stream()).await?;
        assert_eq!(addresses(&http), ["10.0.0.1:80"]);
        let any = |service| async move {
            let all = getaddrinfo(Some("10.1"), Some(service), &AddrInfoHints::default()).await?;
            io::Result::Ok(all.iter().map(|info| info.socktype).collect::<Vec<_>>())
        };
        assert_eq!(any("http").await?, [Type::STREAM]);
        assert_eq!(any("tftp").await?, [Type::DGRAM]);
        assert_eq!(any("domain").await?, [Type::STREAM, Type::DGRAM]);
        Ok(())
    })
}

#[test]
fn getaddrinfo_reads_addresses_as_inet_aton_does() -> glassnet::Result {
    alone(async {
        for text in ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.1"] {
            assert_eq!(found(text, stream()).await?, ["127.0.0.1:80"], "{text}");
            assert_eq!(looked_up(&format!("{text}:80")).await?, ["127.0.0.1:80"], "{text}");
        }
        assert_eq!(found("fe80::1%eth0", stream()).await?, ["[fe80::1%2]:80"]);
        for text in ["1.2.3.4.5", "256.1", "fe80::1%eth9", "fd00::1%eth0"] {
            let code = gai(found(text, stream()).await);
            // What could be a name is looked up.
            let expected = if text.contains('%') { NONAME } else { AGAIN };
            assert_eq!(code, Some(expected), "{text}");
        }
        Ok(())
    })
}

#[test]
fn getaddrinfo_without_a_host_means_this_one() -> glassnet::Result {
    let of_this_host = |ip_version| {
        let seen = Log::new();
        let ours = seen.clone();
        beside_a_server(ip_version, async move {
            let passive = stream().passive(true);
            for hints in [stream(), passive] {
                ours.note(addresses(&getaddrinfo(None, Some("80"), &hints).await?).join(" "));
            }
            Ok(())
        })
        .map(|()| seen.all())
    };
    assert_eq!(of_this_host(IpVersion::V4)?, ["127.0.0.1:80", "0.0.0.0:80"]);
    assert_eq!(of_this_host(IpVersion::V6)?, ["[::1]:80", "[::]:80"]);
    assert_eq!(of_this_host(IpVersion::Dual)?, ["[::1]:80 127.0.0.1:80", "0.0.0.0:80 [::]:80"]);
    Ok(())
}

#[test]
fn getaddrinfo_has_glibc_s_errors() -> glassnet::Result {
    beside_a_server(IpVersion::V4, async {
        let default = AddrInfoHints::default;
        let of = |host: &'static str, service: &'static str, hints: AddrInfoHints| async move {
            gai(getaddrinfo(Some(host), Some(service), &hints).await)
        };
        assert_eq!(gai(getaddrinfo(None, None, &default()).await), Some(NONAME));
        assert_eq!(gai(getaddrinfo(Some("*"), Some("*"), &default()).await), Some(NONAME));
        let canonical = default().canon_name(true);
        assert_eq!(gai(getaddrinfo(None, Some("80"), &canonical).await), Some(BADFLAGS));
        let numeric_host = default().numeric_host(true);
        assert_eq!(of("server", "80", numeric_host).await, Some(NONAME));
        let numeric_serv = default().numeric_serv(true);
        assert_eq!(of("server", "http", numeric_serv).await, Some(NONAME));
        assert_eq!(of("", "80", default()).await, Some(NONAME));
        assert_eq!(of("<broadcast>", "80", default()).await, Some(NONAME));
        assert_eq!(of("nowhere", "80", default()).await, Some(AGAIN));
        assert_eq!(of("::1", "80", stream_of(Domain::IPV4)).await, Some(ADDRFAMILY));
        assert_eq!(of("127.0.0.1", "80", stream_of(Domain::IPV6)).await, Some(ADDRFAMILY));
        assert_eq!(of("127.0.0.1", "80", stream_of(Domain::UNIX)).await, Some(FAMILY));
        assert_eq!(of("127.0.0.1", "nosuch", default()).await, Some(SERVICE));
        assert_eq!(of("127.0.0.1", "tftp", stream()).await, Some(SERVICE));
        assert_eq!(of("127.0.0.1", "70000", stream()).await, Some(SERVICE));
        let with = |socktype: Option<Type>, protocol: Option<i32>| {
            default().socktype(socktype).protocol(protocol.map(Protocol::from))
        };
        assert_eq!(of("127.1", "80", with(Some(Type::STREAM), Some(17))).await, Some(SOCKTYPE));
        assert_eq!(of("127.1", "80", with(Some(Type::RAW), None)).await, Some(SERVICE));
        assert_eq!(of("127.1", "80", with(None, Some(1))).await, Some(SERVICE));
        let raw = with(Some(Type::RAW), Some(1));
        let infos = getaddrinfo(Some("127.1"), None, &raw).await?;
        assert_eq!((infos.len(), infos[0].protocol), (1, Protocol::ICMPV4));
        Ok(())
    })
}

#[test]
fn an_ipv4_address_can_stand_in_for_an_ipv6_one() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.hosts_entry("four", [10, 0, 0, 9]);
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        let mapped = stream_of(Domain::IPV6).v4_mapped(true);
        let all = mapped.all(true);
        assert_eq!(gai(found("four", stream_of(Domain::IPV6)).await), Some(NODATA));
        assert_eq!(found("four", mapped).await?, ["[::ffff:10.0.0.9]:80"]);
        assert_eq!(found("127.0.0.1", mapped).await?, ["[::ffff:127.0.0.1]:80"]);
        assert_eq!(found("server", mapped).await?, ["[fd00::1]:80"]);
        assert_eq!(found("server", all).await?, ["[fd00::1]:80", "[::ffff:10.0.0.1]:80"]);
        assert_eq!(found("::ffff:1.2.3.4", stream_of(Domain::IPV4)).await?, ["1.2.3.4:80"]);
        Ok(())
    });
    sim.run()
}

#[test]
fn the_first_result_tells_the_full_name() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.hosts_entry("db.example.com db", [10, 0, 0, 9]);
    sim.hosts_entry("db.example.com db2", [10, 0, 0, 8]);
    sim.client("client", async {
        let hints = stream().canon_name(true);
        let infos = getaddrinfo(Some("db.example.com"), None, &hints).await?;
        assert_eq!(addresses(&infos), ["10.0.0.9:0", "10.0.0.8:0"]);
        let names: Vec<_> = infos.iter().map(|info| info.canonical_name.as_deref()).collect();
        assert_eq!(names, [Some("db.example.com"), None]);
        let infos = getaddrinfo(Some("DB2"), None, &hints).await?;
        assert_eq!(infos[0].canonical_name.as_deref(), Some("db.example.com"));
        let infos = getaddrinfo(Some("127.1"), None, &hints).await?;
        assert_eq!(infos[0].canonical_name.as_deref(), Some("127.1"));
        let found = gethostbyname("db").await?;
        assert_eq!(found.name, "db.example.com");
        assert_eq!(found.aliases, ["db"]);
        assert_eq!(found.addresses, [ip("10.0.0.9")]);
        Ok(())
    });
    sim.run()
}

#[test]
fn a_plain_name_stands_for_what_the_world_says() -> glassnet::Result {
    let of_names = |ip_version| {
        let seen = Log::new();
        let ours = seen.clone();
        beside_a_server(ip_version, async move {
            for text in ["server:80", "localhost:80"] {
                ours.note(looked_up(text).await?.join(" "));
            }
            // Whoever asks for a family gets it.
            assert_eq!(found("server", stream_of(Domain::IPV4)).await?, ["10.0.0.1:80"]);
            assert_eq!(found("server", stream_of(Domain::IPV6)).await?, ["[fd00::1]:80"]);
            assert_eq!(found("localhost", stream_of(Domain::IPV6)).await?, ["[::1]:80"]);
            Ok(())
        })
        .map(|()| seen.all())
    };
    assert_eq!(of_names(IpVersion::V4)?, ["10.0.0.1:80", "127.0.0.1:80"]);
    assert_eq!(of_names(IpVersion::V6)?, ["[fd00::1]:80", "[::1]:80"]);
    assert_eq!(of_names(IpVersion::Dual)?, ["[fd00::1]:80 10.0.0.1:80", "[::1]:80 127.0.0.1:80"]);
    Ok(())
}

#[test]
fn connect_tries_both_families_of_a_name() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.ip_version(IpVersion::Dual);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            listener.accept().await?;
        }
    });
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        assert_eq!(stream.peer_addr()?, at("10.0.0.1:7"));
        Ok(())
    });
    sim.run()
}

#[test]
fn tests_learn_the_address_that_the_world_s_names_give() {
    let mut sim = Sim::new(1);
    sim.host("server", || async { Ok(()) });
    sim.hosts_entry("db", [10, 0, 0, 9]);
    assert_eq!(sim.lookup("server"), Some(ip("10.0.0.1")));
    assert_eq!(sim.lookup("db"), Some(ip("10.0.0.9")));
    assert_eq!(sim.lookup("nowhere"), None);
    sim.ip_version(IpVersion::V6);
    assert_eq!(sim.lookup("server"), Some(ip("fd00::1")));
    assert_eq!(sim.lookup("db"), Some(ip("10.0.0.9")));
    sim.run_for(secs(0)).unwrap();
}

#[test]
fn a_line_of_hosts_has_aliases_and_connects() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.hosts_entry("www.example.com www", [10, 0, 0, 1]);
    sim.client("client", async {
        for name in ["www.example.com", "www", "WWW.example.COM", "www.example.com."] {
            let stream = TcpStream::connect((name, 7)).await?;
            assert_eq!(stream.peer_addr()?, at("10.0.0.1:7"));
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn an_unknown_name_fails_as_without_a_network() -> glassnet::Result {
    alone(async {
        let error = lookup_host("nowhere:80").await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert_eq!(AddrInfoError::of(&error).unwrap().code(), AGAIN);
        let text = error.to_string();
        let start = "failed to lookup address information: Temporary failure in name resolution";
        assert!(text.starts_with(start) && text.contains("\"nowhere\""), "{text}");
        for text in ["no where:80", "a..b:80", ":80"] {
            assert_eq!(gai(lookup_host(text).await.map(drop)), Some(NONAME), "{text}");
        }
        Ok(())
    })
}

#[test]
fn addresses_lead_back_to_names() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.hosts_entry("db.example.com db", [192, 0, 2, 1]);
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        assert_eq!(gethostbyaddr(ip("10.0.0.1")).await?.name, "server");
        assert_eq!(gethostbyaddr(ip("fd00::1")).await?.name, "server");
        assert_eq!(gethostbyaddr(ip("::ffff:10.0.0.1")).await?.name, "server");
        assert_eq!(gethostbyaddr(ip("127.0.0.1")).await?.name, "localhost");
        let line = gethostbyaddr(ip("192.0.2.1")).await?;
        assert_eq!((line.name.as_str(), line.aliases), ("db.example.com", vec!["db".to_owned()]));
        assert_eq!(gai(gethostbyaddr(ip("10.9.9.9")).await), Some(NONAME));
        Ok(())
    });
    sim.run()
}

#[test]
fn getnameinfo_gives_names_or_numbers() -> glassnet::Result {
    beside_a_server(IpVersion::V4, async {
        let of = |address: &'static str, flags| async move {
            getnameinfo(at(address), flags).await.map(|(host, service)| format!("{host} {service}"))
        };
        let names = NameInfoFlags::default();
        let numbers = names.numeric_host(true).numeric_serv(true);
        let required = names.name_required(true);
        assert_eq!(of("10.0.0.1:80", names).await?, "server http");
        assert_eq!(of("10.0.0.1:80", numbers).await?, "10.0.0.1 80");
        assert_eq!(of("127.0.0.1:514", names).await?, "localhost shell");
        let datagram = names.datagram(true);
        assert_eq!(of("127.0.0.1:514", datagram).await?, "localhost syslog");
        assert_eq!(of("10.9.9.9:5", names).await?, "10.9.9.9 5");
        assert_eq!(of("[fe80::1%2]:80", numbers).await?, "fe80::1%eth0 80");
        assert_eq!(gai(of("10.9.9.9:5", required).await), Some(NONAME));
        Ok(())
    })
}

#[test]
fn gethostbyname_takes_the_forms_of_the_tutorials() -> glassnet::Result {
    beside_a_server(IpVersion::V6, async {
        for (host, address) in [
            ("server", "10.0.0.1"),
            ("10.1", "10.0.0.1"),
            ("", "0.0.0.0"),
            ("<broadcast>", "255.255.255.255"),
        ] {
            assert_eq!(gethostbyname(host).await?.addresses, [ip(address)], "{host}");
        }
        assert_eq!(gethostbyname(0x7f00_0001).await?.addresses, [ip("127.0.0.1")]);
        assert_eq!(gai(gethostbyname("::1").await), Some(ADDRFAMILY));
        assert_eq!(gai(gethostbyname("nowhere").await), Some(AGAIN));
        Ok(())
    })
}

#[test]
fn what_cannot_be_a_name_is_a_mistake_of_the_setup() {
    let mistake = |set_up: &dyn Fn(&mut Sim)| {
        let mut sim = Sim::new(1);
        set_up(&mut sim);
        sim.run().unwrap_err().to_string()
    };
    let twins = mistake(&|sim| {
        sim.client("one", async { Ok(()) }).client("ONE", async { Ok(()) });
    });
    assert!(twins.contains("\"one\" and \"ONE\""), "{twins}");
    let number = mistake(&|sim| {
        sim.client("0x7f.1", async { Ok(()) });
    });
    assert!(number.contains("it is an address"), "{number}");
    for names in ["", "local host:80", "localhost", "a..b"] {
        let line = mistake(&|sim| {
            sim.hosts_entry(names, [10, 0, 0, 9]);
        });
        assert!(line.contains("10.0.0.9"), "{line}");
    }
}

#[test]
fn names_need_a_host() {
    assert!(gethostname().unwrap_err().to_string().contains("not inside a glassnet host"));
}

#[test]
fn futures_of_lookups_can_go_to_another_thread() {
    fn is_send(_: impl Send) {}
    is_send(lookup_host("server:80"));
    is_send(TcpStream::connect(String::from("server:80")));
    is_send(getaddrinfo(Some("server"), None, &AddrInfoHints::default()));
    is_send(gethostbyname("server"));
    is_send(gethostbyaddr(ip("10.0.0.1")));
    is_send(getnameinfo(at("10.0.0.1:80"), NameInfoFlags::default()));
    is_send(socket_address(Domain::IPV4, Protocol::TCP, "server", 80));
}
