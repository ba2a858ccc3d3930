//! Messages of DNS, as a resolver writes and reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

use crate::net::names::{Found, is_name};

/// The port of DNS, over UDP and TCP.
pub(super) const PORT: u16 = 53;
/// Bytes of a header, of the shortest question and of the shortest record.
const HEADER: usize = 12;
const MIN_QUESTION: usize = 5;
const MIN_RECORD: usize = 11;
/// Aliases that are followed.
pub(super) const MAX_ALIASES: usize = 8;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    A,
    Aaaa,
    Ptr,
}

impl Kind {
    fn wire(self) -> TYPE {
        match self {
            Kind::A => TYPE::A,
            Kind::Aaaa => TYPE::AAAA,
            Kind::Ptr => TYPE::PTR,
        }
    }
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// What there is, which may be nothing of that kind.
    Found(Found),
    /// NXDOMAIN.
    NoName,
    /// This server cannot say; another may.
    Refused,
    /// Asking again would not help.
    Failed,
    /// The answer is longer than a datagram: to be asked for over TCP.
    Truncated,
}

/// Reads a message, whatever it is.
pub(super) fn parse(message: &[u8]) -> Option<Packet<'_>> {
    let header: &[u8; HEADER] = message.first_chunk()?;
    // The parser makes room for as many as the header says.
    let count = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
    let records = count(6) + count(8) + count(10);
    if count(4) * MIN_QUESTION + records * MIN_RECORD > message.len() - HEADER {
        return None;
    }
    Packet::parse(message).ok()
}

/// A query; `None` for what is no name.
pub(super) fn query(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(
        Name::new(name).ok()?,
        QTYPE::TYPE(kind.wire()),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    packet.build_bytes_vec().ok()
}

/// Reads a message as the reply to a query; `None` when it is none (RFC 5452, section 9.1).
pub(super) fn read_reply(message: &[u8], id: u16, name: &str, kind: Kind) -> Option<Reply> {
    let packet = parse(message)?;
    let asked = Name::new(name).ok()?;
    let [question] = &packet.questions[..] else { return None };
    let is_reply = packet.id() == id
        && packet.has_flags(PacketFlag::RESPONSE)
        && packet.opcode() == OPCODE::StandardQuery
        && question.qname == asked
        && question.qtype == QTYPE::TYPE(kind.wire())
        && question.qclass == QCLASS::CLASS(CLASS::IN);
    if !is_reply {
        return None;
    }
    Some(match packet.rcode() {
        _ if packet.has_flags(PacketFlag::TRUNCATION) => Reply::Truncated,
        RCODE::NoError => Reply::Found(read_answers(&packet, asked, kind)),
        RCODE::NameError => Reply::NoName,
        RCODE::ServerFailure | RCODE::NotImplemented | RCODE::Refused => Reply::Refused,
        _ => Reply::Failed,
    })
}

fn read_answers(packet: &Packet<'_>, asked: Name<'_>, kind: Kind) -> Found {
    let mut found = Found::default();
    let mut name = asked;
    for _ in 0..=MAX_ALIASES {
        let mut alias_of = None;
        let mut names = Vec::new();
        let ours = packet.answers.iter().filter(|answer| answer.class == CLASS::IN);
        for answer in ours.filter(|answer| answer.name == name) {
            match &answer.rdata {
                RData::A(a) if kind == Kind::A => {
                    found.addresses.push(IpAddr::V4(Ipv4Addr::from_bits(a.address)));
                }
                RData::AAAA(aaaa) if kind == Kind::Aaaa => {
                    found.addresses.push(IpAddr::V6(Ipv6Addr::from_bits(aaaa.address)));
                }
                RData::PTR(ptr) if kind == Kind::Ptr => names.push(ptr.0.to_string()),
                RData::CNAME(cname) => alias_of = Some(&cname.0),
                _ => {}
            }
        }
        // What a server says is no name is none: it may go into logs and file names.
        names.retain(|name| is_name(name));
        if !names.is_empty() {
            found.canonical = names.remove(0);
            found.aliases = names;
            return found;
        }
        let text = name.to_string();
        match alias_of {
            Some(target) if found.addresses.is_empty() && is_name(&target.to_string()) => {
                found.aliases.push(text);
                name = target.clone();
            }
            _ if kind == Kind::Ptr => break,
            _ => {
                found.canonical = text;
                return found;
            }
        }
    }
    Found::default()
}

#[cfg(test)]
mod tests {
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, CNAME, PTR};

    use super::*;

    fn reply(change: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
        let query = query(7, "www.example.com", Kind::A).unwrap();
        let mut packet = Packet::parse(&query).unwrap().into_reply();
        change(&mut packet);
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn record(name: &'static str, rdata: RData<'static>) -> ResourceRecord<'static> {
        ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, 60, rdata)
    }

    fn a(last: u8) -> RData<'static> {
        RData::A(A::from(Ipv4Addr::new(10, 0, 0, last)))
    }

    fn cname(target: &'static str) -> RData<'static> {
        RData::CNAME(CNAME(Name::new(target).unwrap()))
    }

    fn read(message: &[u8]) -> Option<Reply> {
        read_reply(message, 7, "www.example.com", Kind::A)
    }

    #[test]
    fn a_query_is_what_rfc_1035_says() {
        let bytes = query(0x1234, "a.bc", Kind::Aaaa).unwrap();
        let header = [0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
        assert_eq!(bytes, [&header[..], b"\x01a\x02bc\x00", &[0, 28, 0, 1]].concat());
    }

    #[test]
    fn aliases_are_followed_whatever_their_order() {
        let message = reply(|packet| {
            packet.answers.push(record("c.example.com", a(3)));
            packet.answers.push(record("B.example.com", cname("c.example.com")));
            packet.answers.push(record("www.example.com", cname("b.example.com")));
            packet.answers.push(record("other.example.com", a(9)));
            packet.answers.push(record("c.example.com", a(4)));
        });
        let Some(Reply::Found(found)) = read(&message) else { panic!("no reply") };
        assert_eq!(found.canonical, "c.example.com");
        assert_eq!(found.aliases, ["www.example.com", "b.example.com"]);
        let addresses: Vec<String> = found.addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(addresses, ["10.0.0.3", "10.0.0.4"]);
    }

    #[test]
    fn aliases_in_a_circle_come_to_an_end() {
        let message = reply(|packet| {
            packet.answers.push(record("www.example.com", cname("b.example.com")));
            packet.answers.push(record("b.example.com", cname("www.example.com")));
        });
        assert_eq!(read(&message), Some(Reply::Found(Found::default())));
    }

    #[test]
    fn the_names_of_an_address_are_those_that_can_be_names() {
        let mut packet = Packet::new_reply(7);
        let name = "2.0.0.10.in-addr.arpa";
        let query = query(7, name, Kind::Ptr).unwrap();
        packet.questions = Packet::parse(&query).unwrap().questions;
        for target in ["a;rm -rf", "server.example.com", "also"] {
            packet.answers.push(record(name, RData::PTR(PTR(Name::new(target).unwrap()))));
        }
        let message = packet.build_bytes_vec().unwrap();
        let Some(Reply::Found(found)) = read_reply(&message, 7, name, Kind::Ptr) else {
            panic!("no reply")
        };
        assert_eq!(
            (found.canonical.as_str(), &found.aliases[..]),
            ("server.example.com", &["also".to_owned()][..])
        );
    }

    #[test]
    fn what_is_no_reply_to_the_query_is_told_apart() {
        let good = reply(|packet| packet.answers.push(record("www.example.com", a(1))));
        assert!(matches!(read(&good), Some(Reply::Found(found)) if found.addresses.len() == 1));
        assert_eq!(read_reply(&good, 8, "www.example.com", Kind::A), None);
        assert_eq!(read_reply(&good, 7, "www.example.org", Kind::A), None);
        assert_eq!(read_reply(&good, 7, "www.example.com", Kind::Aaaa), None);
        assert!(read_reply(&good, 7, "WWW.Example.Com", Kind::A).is_some());
        assert_eq!(read(&query(7, "www.example.com", Kind::A).unwrap()), None);
        assert_eq!(read(&reply(|packet| packet.questions.clear())), None);
        for len in 0..good.len() {
            assert_eq!(read(&good[..len]), None, "cut to {len}");
        }
    }

    #[test]
    fn codes_say_what_to_do_next() {
        let coded = |code| read(&reply(|packet| *packet.rcode_mut() = code));
        assert_eq!(coded(RCODE::NameError), Some(Reply::NoName));
        assert_eq!(coded(RCODE::ServerFailure), Some(Reply::Refused));
        assert_eq!(coded(RCODE::FormatError), Some(Reply::Failed));
        let cut = reply(|packet| packet.set_flags(PacketFlag::TRUNCATION));
        assert_eq!(read(&cut), Some(Reply::Truncated));
    }

    #[test]
    fn more_records_than_a_message_can_hold_are_not_made_room_for() {
        let mut message = vec![0; HEADER];
        message[6..12].fill(0xff);
        assert!(parse(&message).is_none());
    }

    #[test]
    fn no_bytes_make_the_parser_panic() {
        let good = reply(|packet| {
            packet.answers.push(record("www.example.com", cname("b.example.com")));
            packet.answers.push(record("b.example.com", a(1)));
        });
        let mut stream = crate::rng::Seed(1).stream("hostile");
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..=stream.up_to(6) {
                let at = stream.up_to(bytes.len() as u64 - 1) as usize;
                bytes[at] = [0, 0xc0, 0xff, stream.next_u64() as u8][stream.up_to(3) as usize];
            }
            bytes.truncate(stream.up_to(bytes.len() as u64 + 20) as usize);
            let _ = read(&bytes);
        }
    }
}
