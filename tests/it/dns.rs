//! Names that are asked for over the network: how long that takes, what gets lost, who may answer.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use crate::common::*;
use glassnet::net::addr::{Domain, Type};
use glassnet::net::names::{
    AddrInfoError, AddrInfoHints, getaddrinfo, gethostbyaddr, gethostbyname,
};
use glassnet::net::{TcpStream, UdpSocket, lookup_host};
use glassnet::time::{sleep, timeout};
use glassnet::{DnsRecord, DropReason, Event, Fate, IpVersion, Sim};

const NONAME: i32 = -2;
const AGAIN: i32 = -3;
const NODATA: i32 = -5;
const PORT: u16 = 53;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn gai<T>(result: io::Result<T>) -> Option<i32> {
    AddrInfoError::of(&result.err()?).map(AddrInfoError::code)
}

async fn look_up(text: &str) -> io::Result<Vec<String>> {
    Ok(lookup_host(text).await?.map(|address| address.to_string()).collect())
}

/// A datagram or a segment that was sent to or from port 53.
#[derive(Clone, Debug, PartialEq)]
struct Message {
    time: Duration,
    from: String,
    to: String,
    fate: Fate,
    protocol: u8,
    /// The port that is not 53.
    port: u16,
    /// What follows the UDP header.
    payload: Vec<u8>,
    is_ipv6: bool,
}

impl Message {
    fn id(&self) -> u16 {
        u16::from_be_bytes([self.payload[0], self.payload[1]])
    }

    /// The type that is asked for.
    fn asks_for(&self) -> u8 {
        self.payload[self.payload.len() - 3]
    }

    fn is_query(&self) -> bool {
        self.protocol == 17 && self.payload[2] & 0x80 == 0
    }
}

/// Everything of DNS that passes the network.
#[derive(Clone)]
struct Messages(Log<Message>);

impl Messages {
    fn watch(sim: &mut Sim) -> Messages {
        let messages = Messages(Log::new());
        let ours = messages.clone();
        sim.observe(move |event| {
            if let Event::Sent { time, from, to, frame, fate, .. } = *event
                && let Some((is_ipv6, protocol, payload)) = split(frame)
            {
                let port = |at| u16::from_be_bytes([payload[at], payload[at + 1]]);
                let (source, destination) = (port(0), port(2));
                if source == PORT || destination == PORT {
                    ours.0.note(Message {
                        time: time.since_start(),
                        from: from.to_owned(),
                        to: to.unwrap_or_default().to_owned(),
                        fate,
                        protocol,
                        port: if source == PORT { destination } else { source },
                        payload: payload[8..].to_owned(),
                        is_ipv6,
                    });
                }
            }
        });
        messages
    }

    fn all(&self) -> Vec<Message> {
        self.0.all()
    }

    fn queries(&self) -> Vec<Message> {
        self.all().into_iter().filter(Message::is_query).collect()
    }
}

/// The family, the protocol and the payload of the IP packet of a frame, if TCP or UDP is in it.
fn split(frame: &[u8]) -> Option<(bool, u8, &[u8])> {
    let packet = &frame[14..];
    let (is_ipv6, protocol, payload) = match frame[12..14] {
        [0x08, 0x00] => (false, packet[9], &packet[20..]),
        [0x86, 0xdd] => (true, packet[6], &packet[40..]),
        _ => return None,
    };
    matches!(protocol, 6 | 17).then_some((is_ipv6, protocol, payload))
}

/// A world with a DNS server at 10.0.0.1, a server at 10.0.0.2, and a client.
fn world<F>(client: F) -> Sim
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(1);
    sim.dns("dns");
    echo_host(&mut sim, "server");
    sim.client("client", client);
    sim
}

#[test]
fn a_name_is_asked_for_over_the_network() -> glassnet::Result {
    let mut sim = world(async {
        assert_eq!(look_up("server:7").await?, ["10.0.0.2:7"]);
        // ARP, and the question: a round trip of 2 ms each.
        assert_eq!(now(), ms(4));
        TcpStream::connect("server:7").await?;
        Ok(())
    });
    let messages = Messages::watch(&mut sim);
    sim.run()?;
    let all = messages.all();
    let ways: Vec<_> = all.iter().map(|one| (one.from.as_str(), one.to.as_str())).collect();
    let there_and_back = [("client", "dns"), ("dns", "client")];
    // Nothing is remembered.
    assert_eq!(ways, there_and_back.repeat(2));
    assert_ne!((all[0].id(), all[0].port), (all[2].id(), all[2].port));
    assert_eq!((all[0].id(), all[0].port), (all[1].id(), all[1].port));
    Ok(())
}

#[test]
fn a_slow_path_to_the_server_delays_the_answer() -> glassnet::Result {
    let mut sim = world(async {
        TcpStream::connect("server:7").await?;
        assert!(now() >= ms(600), "{:?}", now());
        Ok(())
    });
    sim.link("client", "dns").delay(ms(300));
    sim.run()
}

#[test]
fn a_lost_query_is_asked_again_after_five_seconds() -> glassnet::Result {
    let mut sim = world(async {
        assert_eq!(look_up("server:7").await?, ["10.0.0.2:7"]);
        assert!((ms(5_000)..ms(5_100)).contains(&now()), "{:?}", now());
        Ok(())
    });
    let messages = Messages::watch(&mut sim);
    sim.one_way("client", "dns").loss(1.0);
    sim.run_for(secs(1))?;
    sim.one_way("client", "dns").loss(0.0);
    sim.run()?;
    let queries = messages.queries();
    assert_eq!(queries.len(), 2);
    assert_eq!(queries[0].fate, Fate::Dropped(DropReason::Loss));
    // The first one waited for ARP.
    assert_eq!((queries[0].time, queries[1].time), (ms(2), secs(5)));
    // The same question, from the same port: an answer to either will do.
    assert_eq!((queries[0].port, &queries[0].payload), (queries[1].port, &queries[1].payload));
    Ok(())
}

#[test]
fn an_answer_that_comes_after_the_second_question_is_taken() -> glassnet::Result {
    let mut sim = world(async {
        assert_eq!(look_up("server:7").await?, ["10.0.0.2:7"]);
        assert!((secs(6)..secs(7)).contains(&now()), "{:?}", now());
        // The second answer comes when nobody waits for it.
        sleep(secs(10)).await;
        assert_eq!(look_up("server:7").await?, ["10.0.0.2:7"]);
        Ok(())
    });
    sim.link("client", "dns").delay(secs(3));
    sim.run()
}

#[test]
fn nobody_who_answers_is_a_temporary_failure() -> glassnet::Result {
    let mut sim = world(async {
        look_up("server:7").await?;
        let began = now();
        let error = look_up("server:7").await.unwrap_err();
        assert_eq!(AddrInfoError::of(&error).unwrap().code(), AGAIN);
        let text = error.to_string();
        assert!(text.contains("Temporary failure") && text.contains("\"server\""), "{text}");
        assert_eq!(now() - began, secs(10));
        Ok(())
    });
    let messages = Messages::watch(&mut sim);
    sim.run_for(ms(4))?;
    sim.partition("client", "dns");
    sim.run()?;
    assert_eq!(messages.queries().len(), 3);
    Ok(())
}

#[test]
fn a_server_that_is_down_is_a_temporary_failure_and_one_that_is_back_answers() -> glassnet::Result {
    let outcomes = Log::new();
    let ours = outcomes.clone();
    let mut sim = world(async move {
        loop {
            let failed = gai(look_up("server:7").await);
            ours.note((failed, now()));
            if failed.is_none() {
                return Ok(());
            }
        }
    });
    sim.crash("dns");
    sim.run_for(secs(20))?;
    sim.bounce("dns");
    sim.run()?;
    let outcomes = outcomes.all();
    let (failures, success) = outcomes.split_at(outcomes.len() - 1);
    assert!(!failures.is_empty());
    assert!(failures.iter().all(|(code, _)| *code == Some(AGAIN)), "{failures:?}");
    assert!(failures[0].1 <= secs(10) && success[0].1 >= secs(20), "{outcomes:?}");
    Ok(())
}

#[test]
fn a_name_that_there_is_not_is_an_error_at_once() -> glassnet::Result {
    let mut sim = world(async {
        for name in ["nowhere", "server.example.com"] {
            assert_eq!(gai(look_up(&format!("{name}:7")).await), Some(NONAME), "{name}");
        }
        assert!(now() < ms(10));
        let hints = AddrInfoHints::default().family(Domain::IPV4);
        assert_eq!(gai(getaddrinfo(Some("six"), None, &hints).await), Some(NODATA));
        // What cannot be a name is not asked for.
        assert_eq!(gai(look_up("no where:7").await), Some(NONAME));
        Ok(())
    });
    sim.dns_record("six", DnsRecord::Address(ip("fd00::9")));
    let messages = Messages::watch(&mut sim);
    sim.run()?;
    assert_eq!(messages.queries().len(), 3);
    Ok(())
}

#[test]
fn a_host_asks_neither_for_itself_nor_for_what_stands_in_its_hosts_file() -> glassnet::Result {
    let mut sim = world(async {
        assert_eq!(look_up("client:7").await?, ["10.0.0.3:7"]);
        assert_eq!(look_up("localhost:7").await?, ["127.0.0.1:7"]);
        assert_eq!(look_up("db:7").await?, ["10.0.0.9:7"]);
        assert_eq!(look_up("127.1:7").await?, ["127.0.0.1:7"]);
        assert_eq!(gethostbyaddr(ip("10.0.0.9")).await?.name, "db.example.com");
        Ok(())
    });
    sim.hosts_entry("db.example.com db", [10, 0, 0, 9]);
    let messages = Messages::watch(&mut sim);
    sim.run()?;
    assert!(messages.all().is_empty());
    Ok(())
}

#[test]
fn aliases_are_followed() -> glassnet::Result {
    let mut sim = world(async {
        assert_eq!(look_up("www.example.com:7").await?, ["10.0.0.2:7"]);
        let hints = AddrInfoHints::default().canon_name(true);
        let infos = getaddrinfo(Some("www.example.com"), None, &hints).await?;
        assert_eq!(infos[0].canonical_name.as_deref(), Some("server"));
        let found = gethostbyname("www.example.com").await?;
        assert_eq!(found.name, "server");
        assert_eq!(found.aliases, ["www.example.com", "web.example.com"]);
        assert_eq!(gai(look_up("gone:7").await), Some(NONAME));
        Ok(())
    });
    sim.dns_record("www.example.com", DnsRecord::Cname("web.example.com".to_owned()));
    sim.dns_record("web.example.com", DnsRecord::Cname("server".to_owned()));
    sim.dns_record("gone", DnsRecord::Cname("nowhere".to_owned()));
    sim.run()
}

#[test]
fn addresses_lead_back_to_names() -> glassnet::Result {
    let mut sim = world(async {
        for address in ["10.0.0.2", "fd00::2"] {
            let found = gethostbyaddr(ip(address)).await?;
            assert_eq!((found.name.as_str(), found.addresses), ("server", vec![ip(address)]));
        }
        assert_eq!(gethostbyaddr(ip("192.0.2.1")).await?.name, "elsewhere.example.com");
        assert_eq!(gai(gethostbyaddr(ip("192.0.2.2")).await), Some(NONAME));
        Ok(())
    });
    let elsewhere = DnsRecord::Ptr("elsewhere.example.com".to_owned());
    sim.dns_record("1.2.0.192.in-addr.arpa", elsewhere);
    let messages = Messages::watch(&mut sim);
    sim.run()?;
    const PTR: u8 = 12;
    assert!(messages.queries().iter().all(|query| query.asks_for() == PTR));
    assert_eq!(messages.queries().len(), 4);
    Ok(())
}

#[test]
fn both_families_are_asked_for_at_once() -> glassnet::Result {
    let mut sim = world(async {
        assert_eq!(look_up("server:7").await?, ["[fd00::2]:7", "10.0.0.2:7"]);
        assert_eq!(look_up("four:7").await?, ["10.0.0.4:7"]);
        Ok(())
    });
    sim.ip_version(IpVersion::Dual);
    sim.dns_record("four", DnsRecord::Address(ip("10.0.0.4")));
    let messages = Messages::watch(&mut sim);
    sim.run()?;
    let queries = messages.queries();
    let asked: Vec<u8> = queries.iter().map(Message::asks_for).collect();
    assert_eq!(asked, [1, 28, 1, 28]);
    assert_eq!((queries[0].time, queries[0].port), (queries[1].time, queries[1].port));
    assert_ne!(queries[0].id(), queries[1].id());
    Ok(())
}

#[test]
fn one_family_will_do_when_the_other_is_not_answered() -> glassnet::Result {
    // Of two queries each way some are lost, with some seed only one.
    let mut halves = 0;
    for seed in 0..40 {
        let mut sim = Sim::new(seed);
        sim.ip_version(IpVersion::Dual);
        sim.dns("dns");
        sim.host("server", || async { Ok(()) });
        let found = Log::new();
        let ours = found.clone();
        sim.client("client", async move {
            ours.note(look_up("server:7").await.map_or_else(|_| 0, |found| found.len()));
            Ok(())
        });
        sim.link("client", "dns").loss(0.5);
        let messages = Messages::watch(&mut sim);
        sim.run()?;
        let answered = |kind| {
            let all = messages.all();
            let arrived = |one: &&Message| matches!(one.fate, Fate::Arrives { .. });
            let mut replies = all.iter().filter(|one| !one.is_query()).filter(arrived);
            replies.any(|reply| {
                let asked = messages.queries();
                asked.iter().any(|query| query.id() == reply.id() && query.asks_for() == kind)
            })
        };
        let expected = usize::from(answered(1)) + usize::from(answered(28));
        assert_eq!(found.all(), [expected], "seed {seed}");
        halves += usize::from(expected == 1);
    }
    assert!(halves > 0);
    Ok(())
}

#[test]
fn a_world_of_ipv6_asks_over_ipv6() -> glassnet::Result {
    let mut sim = world(async {
        assert_eq!(look_up("server:7").await?, ["[fd00::2]:7"]);
        assert_eq!(look_up("four:7").await?, ["10.0.0.4:7"]);
        Ok(())
    });
    sim.ip_version(IpVersion::V6);
    sim.dns_record("four", DnsRecord::Address(ip("10.0.0.4")));
    let messages = Messages::watch(&mut sim);
    sim.run()?;
    let asked: Vec<_> =
        messages.queries().iter().map(|one| (one.is_ipv6, one.asks_for())).collect();
    // A name without an address of the world's family stands for the others.
    assert_eq!(asked, [(true, 28), (true, 28), (true, 1)]);
    Ok(())
}

#[test]
fn an_answer_too_long_for_a_datagram_is_fetched_over_tcp() -> glassnet::Result {
    let mut sim = world(async {
        let found = look_up("many:7").await?;
        assert_eq!(found.len(), 50);
        assert_eq!((found[0].as_str(), found[49].as_str()), ("10.0.1.1:7", "10.0.1.50:7"));
        Ok(())
    });
    for last in 1..=50 {
        sim.dns_record("many", DnsRecord::Address([10, 0, 1, last].into()));
    }
    let messages = Messages::watch(&mut sim);
    sim.run()?;
    let protocols: Vec<u8> = messages.all().iter().map(|one| one.protocol).collect();
    assert_eq!(protocols[..4], [17, 17, 6, 6]);
    Ok(())
}

#[test]
fn the_second_server_is_asked_when_the_first_is_silent() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.dns("dns1").dns("dns2");
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        assert_eq!(look_up("server:7").await?, ["10.0.0.3:7"]);
        assert!((secs(5)..ms(5_100)).contains(&now()), "{:?}", now());
        Ok(())
    });
    sim.partition("client", "dns1");
    let messages = Messages::watch(&mut sim);
    sim.run()?;
    let asked: Vec<String> = messages.queries().into_iter().map(|query| query.to).collect();
    assert_eq!(asked, ["dns1", "dns2"]);
    Ok(())
}

#[test]
fn answers_from_elsewhere_are_not_believed() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.dns("dns");
    sim.host("server", || async { Ok(()) });
    sim.client("client", async {
        assert_eq!(look_up("server:7").await?, ["10.0.0.2:7"]);
        assert!(now() >= ms(200));
        Ok(())
    });
    // It sees the question on the wire, and answers it first, but from its own address.
    let seen: Rc<Cell<Option<(u16, u16)>>> = Rc::default();
    let told = seen.clone();
    sim.client("attacker", async move {
        let socket = UdpSocket::bind("0.0.0.0:53").await?;
        let (id, port) = loop {
            match told.get() {
                Some(seen) => break seen,
                None => sleep(ms(1)).await,
            }
        };
        let mut reply = id.to_be_bytes().to_vec();
        reply.extend([0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
        reply.extend(b"\x06server\x00\x00\x01\x00\x01");
        reply.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x42");
        socket.send_to(&reply, SocketAddr::new(ip("10.0.0.3"), port)).await?;
        Ok(())
    });
    sim.link("client", "dns").delay(ms(100));
    sim.observe(move |event| {
        if let Event::Sent { from: "client", frame, .. } = *event
            && let Some((_, 17, payload)) = split(frame)
        {
            let number = |at| u16::from_be_bytes([payload[at], payload[at + 1]]);
            seen.set(Some((number(8), number(0))));
        }
    });
    sim.run()
}

#[test]
fn a_lookup_can_be_given_up_and_begun_anew() -> glassnet::Result {
    let mut sim = world(async {
        for _ in 0..20 {
            assert!(timeout(ms(1), look_up("server:7")).await.is_err());
        }
        assert_eq!(look_up("server:7").await?, ["10.0.0.2:7"]);
        Ok(())
    });
    sim.run()
}

#[test]
fn what_is_no_question_does_not_stop_the_server() -> glassnet::Result {
    let mut sim = world(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for len in 0..40 {
            socket.send_to(&pattern(len), "10.0.0.1:53").await?;
        }
        // A connection with less than it promises, and one with nothing.
        let mut stream = TcpStream::connect("10.0.0.1:53").await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, &[0, 99, 1]).await?;
        let _idle = TcpStream::connect("10.0.0.1:53").await?;
        assert_eq!(look_up("server:7").await?, ["10.0.0.2:7"]);
        Ok(())
    });
    sim.run()
}

#[test]
fn a_report_says_which_name_a_task_waits_for() {
    let mut sim = world(async {
        let _ = look_up("server:7").await;
        Ok(())
    });
    sim.client("other", async {
        sleep(secs(1)).await;
        Err("over".into())
    });
    sim.partition("client", "dns");
    let report = sim.run().unwrap_err().to_string();
    assert!(report.contains("the address of \"server\""), "{report}");
}

#[test]
fn the_same_seed_asks_with_the_same_bytes() -> glassnet::Result {
    let run = |seed| {
        let mut sim = Sim::new(seed);
        sim.dns("dns");
        sim.host("server", || async { Ok(()) });
        sim.client("client", async {
            for _ in 0..3 {
                look_up("server:7").await?;
            }
            Ok(())
        });
        let messages = Messages::watch(&mut sim);
        sim.run().map(|()| messages.all())
    };
    assert_eq!(run(7)?, run(7)?);
    let ids = |all: Vec<Message>| all.iter().map(Message::id).collect::<Vec<u16>>();
    assert_ne!(ids(run(7)?), ids(run(8)?));
    Ok(())
}

#[test]
fn a_fourth_server_is_a_mistake_of_the_setup() {
    let mut sim = Sim::new(1);
    sim.dns("a").dns("b").dns("c").dns("d");
    let error = sim.run().unwrap_err().to_string();
    assert!(error.contains("\"d\""), "{error}");
}

#[test]
fn a_type_of_socket_is_asked_for_with_the_family() -> glassnet::Result {
    world(async {
        let hints = AddrInfoHints::default().family(Domain::IPV6).socktype(Type::DGRAM);
        let infos = getaddrinfo(Some("server"), Some("domain"), &hints).await?;
        assert_eq!((infos.len(), infos[0].address), (1, "[fd00::2]:53".parse()?));
        Ok(())
    })
    .run()
}
