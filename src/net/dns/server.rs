//! A DNS server: an ordinary program of a host, over UDP and TCP.

use std::cell::Cell;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use simple_dns::rdata::{A, AAAA, CNAME, OPT, PTR, RData};
use simple_dns::{
    CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::message::{PORT, parse};
use super::zone;
use crate::error::Result;
use crate::net::attachment::attachment;
use crate::net::names::{DnsRecord, Names};
use crate::net::{TcpListener, TcpStream, UdpSocket};
use crate::task::spawn;
use crate::time::timeout;

/// Seconds for which an answer may be remembered.
const TTL: u32 = 60;
/// A reply over UDP without EDNS (RFC 1035, section 4.2.1), and with it (RFC 6891): what passes
/// everywhere in one piece.
const DATAGRAM: usize = 512;
const MAX_WITH_EDNS: u16 = 1232;
/// A message over TCP.
const MAX_OVER_TCP: usize = u16::MAX as usize;
/// Connections that are served at a time, and how long one may keep silent (RFC 7766, section 6).
const MAX_STREAMS: usize = 100;
const IDLE: Duration = Duration::from_secs(10);

/// Serves the names of the world on port 53, for ever.
pub(crate) async fn serve() -> Result {
    let names = attachment()?.names.names().clone();
    let everywhere = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT);
    let socket = UdpSocket::bind(everywhere).await?;
    let listener = TcpListener::bind(everywhere).await?;
    spawn(serve_streams(listener, names.clone()));
    let mut query = [0; MAX_WITH_EDNS as usize];
    loop {
        let (len, from) = socket.recv_from(&mut query).await?;
        if let Some(reply) = answer(&names, &query[..len], None) {
            // Whether it arrives is the client's affair: it asks again.
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

async fn serve_streams(listener: TcpListener, names: Names) -> Result {
    let served = Rc::new(Cell::new(0));
    loop {
        let (stream, _) = listener.accept().await?;
        if served.get() < MAX_STREAMS {
            served.set(served.get() + 1);
            let (served, names) = (served.clone(), names.clone());
            spawn(async move {
                // A client that goes away ends its own connection only.
                let _ = serve_stream(stream, &names).await;
                served.set(served.get() - 1);
            });
        }
    }
}

async fn serve_stream(mut stream: TcpStream, names: &Names) -> Result {
    loop {
        let query = timeout(IDLE, async {
            let mut query = vec![0; stream.read_u16().await?.into()];
            stream.read_exact(&mut query).await?;
            std::io::Result::Ok(query)
        });
        let Some(reply) = answer(names, &query.await??, Some(MAX_OVER_TCP)) else { return Ok(()) };
        let len = reply.len() as u16;
        stream.write_all(&[&len.to_be_bytes()[..], &reply].concat()).await?;
    }
}

/// The reply to a message, of at most `most` bytes, or what fits a datagram; `None` for what
/// is not to be answered.
fn answer(names: &Names, message: &[u8], most: Option<usize>) -> Option<Vec<u8>> {
    let [first, second, flags, ..] = message else { return None };
    if flags & 0x80 != 0 {
        // A reply to a reply would go on for ever.
        return None;
    }
    let Some(query) = parse(message) else {
        let mut reply = Packet::new_reply(u16::from_be_bytes([*first, *second]));
        *reply.rcode_mut() = RCODE::FormatError;
        return reply.build_bytes_vec().ok();
    };
    let edns = query.opt().map(|opt| opt.udp_packet_size);
    let mut reply = Packet::new_reply(query.id());
    *reply.opcode_mut() = query.opcode();
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    // It knows all there is.
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::RECURSION_AVAILABLE);
    if edns.is_some() {
        let opt = OPT { opt_codes: Vec::new(), udp_packet_size: MAX_WITH_EDNS, version: 0 };
        *reply.opt_mut() = Some(opt);
    }
    let mut found = zone::Answer::default();
    *reply.rcode_mut() = match &query.questions[..] {
        _ if query.opcode() != OPCODE::StandardQuery => RCODE::NotImplemented,
        [question] => {
            reply.questions.push(question.clone());
            found = zone::find(names, &question.qname.to_string(), |record| {
                is_asked(question.qtype, record)
            });
            match question.qclass {
                QCLASS::CLASS(CLASS::IN) | QCLASS::ANY if found.exists => RCODE::NoError,
                QCLASS::CLASS(CLASS::IN) | QCLASS::ANY => RCODE::NameError,
                QCLASS::CLASS(_) => RCODE::Refused,
            }
        }
        _ => RCODE::FormatError,
    };
    if matches!(reply.rcode(), RCODE::NoError | RCODE::NameError) {
        reply.answers = found.records.iter().filter_map(record).collect();
    }
    let most = most
        .unwrap_or_else(|| usize::from(edns.unwrap_or_default().min(MAX_WITH_EDNS)).max(DATAGRAM));
    let bytes = reply.build_bytes_vec_compressed().ok()?;
    if bytes.len() <= most {
        return Some(bytes);
    }
    reply.answers.clear();
    reply.set_flags(PacketFlag::TRUNCATION);
    reply.build_bytes_vec_compressed().ok()
}

fn is_asked(asked: QTYPE, record: &DnsRecord) -> bool {
    let of_record = match record {
        DnsRecord::Address(IpAddr::V4(_)) => TYPE::A,
        DnsRecord::Address(IpAddr::V6(_)) => TYPE::AAAA,
        DnsRecord::Cname(_) => TYPE::CNAME,
        DnsRecord::Ptr(_) => TYPE::PTR,
    };
    asked == QTYPE::ANY || asked == QTYPE::TYPE(of_record)
}

fn record((name, record): &(String, DnsRecord)) -> Option<ResourceRecord<'_>> {
    let data = match record {
        DnsRecord::Address(IpAddr::V4(address)) => RData::A(A::from(*address)),
        DnsRecord::Address(IpAddr::V6(address)) => RData::AAAA(AAAA::from(*address)),
        DnsRecord::Cname(target) => RData::CNAME(CNAME(Name::new(target).ok()?)),
        DnsRecord::Ptr(target) => RData::PTR(PTR(Name::new(target).ok()?)),
    };
    Some(ResourceRecord::new(Name::new(name).ok()?, CLASS::IN, TTL, data))
}

#[cfg(test)]
mod tests {
    use simple_dns::Question;

    use super::super::message::{Kind, Reply, query, read_reply};
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn world(addresses: u8) -> Names {
        let names = Names::default();
        names.insert("server", ip("fd00::2"));
        for last in 1..=addresses {
            names.insert("server", [10, 0, 0, last].into());
        }
        names.insert_record("www", DnsRecord::Cname("server".to_owned())).unwrap();
        names
    }

    fn ask(names: &Names, name: &str, kind: Kind) -> Reply {
        let reply = answer(names, &query(7, name, kind).unwrap(), None).unwrap();
        read_reply(&reply, 7, name, kind).unwrap()
    }

    #[test]
    fn what_is_asked_is_answered() {
        let world = world(1);
        let Reply::Found(found) = ask(&world, "WWW", Kind::A) else { panic!("not found") };
        assert_eq!((found.canonical.as_str(), found.addresses), ("server", vec![ip("10.0.0.1")]));
        let Reply::Found(found) = ask(&world, "server.", Kind::Aaaa) else { panic!("not found") };
        assert_eq!(found.addresses, [ip("fd00::2")]);
        assert_eq!(ask(&world, "nowhere", Kind::A), Reply::NoName);
        let Reply::Found(found) = ask(&world, "server", Kind::Ptr) else { panic!("not found") };
        assert_eq!(found, Default::default());
    }

    #[test]
    fn an_answer_that_fits_no_datagram_is_truncated() {
        let world = world(100);
        assert_eq!(ask(&world, "server", Kind::A), Reply::Truncated);
        let long = answer(&world, &query(7, "server", Kind::A).unwrap(), Some(MAX_OVER_TCP));
        let Some(Reply::Found(found)) = read_reply(&long.unwrap(), 7, "server", Kind::A) else {
            panic!("not found")
        };
        assert_eq!(found.addresses.len(), 100);
    }

    #[test]
    fn edns_makes_room_for_more() {
        let world = world(60);
        let mut asked = Packet::new_query(7);
        let name = Name::new("server").unwrap();
        asked.questions.push(Question::new(name, TYPE::A.into(), CLASS::IN.into(), false));
        *asked.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: 4096, version: 0 });
        let reply = answer(&world, &asked.build_bytes_vec().unwrap(), None).unwrap();
        assert!((DATAGRAM + 1..=MAX_WITH_EDNS.into()).contains(&reply.len()));
        let reply = Packet::parse(&reply).unwrap();
        assert_eq!(reply.opt().unwrap().udp_packet_size, MAX_WITH_EDNS);
        assert_eq!(reply.answers.len(), 60);
    }

    #[test]
    fn what_is_no_query_gets_an_error_or_nothing() {
        let world = world(1);
        let code = |message: &[u8]| {
            let reply = answer(&world, message, None)?;
            Some(Packet::parse(&reply).unwrap().rcode())
        };
        let good = query(7, "server", Kind::A).unwrap();
        assert_eq!(code(&good), Some(RCODE::NoError));
        assert_eq!(code(&good[..2]), None);
        assert_eq!(code(&good[..14]), Some(RCODE::FormatError));
        let reply = answer(&world, &good, None).unwrap();
        assert_eq!(code(&reply), None);
        let mut status = good.clone();
        status[2] |= 2 << 3;
        assert_eq!(code(&status), Some(RCODE::NotImplemented));
        let mut chaos = good.clone();
        *chaos.last_mut().unwrap() = 3;
        assert_eq!(code(&chaos), Some(RCODE::Refused));
        assert_eq!(
            code(&Packet::new_query(7).build_bytes_vec().unwrap()),
            Some(RCODE::FormatError)
        );
    }
}
