//! The client against a scripted server, in virtual time.

mod input;
mod states;

use std::net::Ipv4Addr;

use super::client::{DhcpClient, DhcpInput, DhcpOutput};
use super::event::DhcpEvent;
use super::packet::DhcpSend;
use crate::rng::Seed;
use crate::wire::ethernet::{BROADCAST, Mac};

const OURS: Mac = [0x0a, 0, 0, 0, 0, 1];
const SERVERS: Mac = [0x0a, 0, 0, 0, 0, 2];
const OTHERS: Mac = [0x0a, 0, 0, 0, 0, 3];
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 37);
const EVERYBODY: Ipv4Addr = Ipv4Addr::BROADCAST;

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const ACK: u8 = 5;
const NAK: u8 = 6;
const RELEASE: u8 = 7;

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

fn client() -> DhcpClient {
    DhcpClient::new(0, OURS, "server", 1500, Seed(1).stream("dhcp"))
}

/// What a client said.
#[derive(Debug)]
struct Said {
    kind: u8,
    xid: [u8; 4],
    from: Ipv4Addr,
    to: Ipv4Addr,
    mac: Mac,
    /// `ciaddr`.
    own: Ipv4Addr,
    secs: u16,
    message: Vec<u8>,
}

impl Said {
    fn option(&self, code: u8) -> Option<&[u8]> {
        let mut rest = &self.message[240..];
        while let [found, len, after @ ..] = rest
            && *found != 255
        {
            let (data, after) = after.split_at(usize::from(*len));
            if *found == code {
                return Some(data);
            }
            rest = after;
        }
        None
    }
}

fn said(turn: &DhcpOutput) -> Said {
    let [DhcpSend::Message { bytes, source, destination, to }] = &turn.sent[..] else {
        panic!("{turn:?}")
    };
    heard(bytes, *source, *destination, *to)
}

fn heard(bytes: &[u8], from: Ipv4Addr, to: Ipv4Addr, mac: Mac) -> Said {
    assert_eq!(bytes[..3], [1, 1, 6]);
    assert_eq!(bytes[28..34], OURS);
    assert_eq!(bytes[236..240], [99, 130, 83, 99]);
    assert!(bytes.len() >= 300);
    let said = Said {
        kind: bytes[242],
        xid: bytes[4..8].try_into().unwrap(),
        from,
        to,
        mac,
        own: Ipv4Addr::from(*bytes[12..].first_chunk::<4>().unwrap()),
        secs: u16::from_be_bytes([bytes[8], bytes[9]]),
        message: bytes.to_vec(),
    };
    assert_eq!(said.option(61).unwrap(), [1, 0x0a, 0, 0, 0, 0, 1]);
    said
}

/// A server's message: what a test does not say is as it should be.
struct Answer {
    kind: u8,
    to: Mac,
    address: Ipv4Addr,
    options: Vec<(u8, Vec<u8>)>,
}

fn answer(kind: u8) -> Answer {
    let options = vec![
        (54, SERVER.octets().to_vec()),
        (1, vec![255, 255, 255, 0]),
        (3, SERVER.octets().to_vec()),
        (6, vec![10, 0, 0, 1, 10, 0, 0, 2]),
        (15, b"example.net".to_vec()),
        (51, 3600u32.to_be_bytes().to_vec()),
    ];
    let options = if kind == NAK { options[..1].to_vec() } else { options };
    Answer { kind, to: OURS, address: ADDRESS, options }
}

impl Answer {
    fn with(mut self, code: u8, data: &[u8]) -> Answer {
        self.options.retain(|(present, _)| *present != code);
        self.options.push((code, data.to_vec()));
        self
    }

    fn without(mut self, code: u8) -> Answer {
        self.options.retain(|(present, _)| *present != code);
        self
    }

    fn lasting(self, seconds: u32) -> Answer {
        self.with(51, &seconds.to_be_bytes())
    }

    fn of(mut self, address: impl Into<Ipv4Addr>) -> Answer {
        self.address = address.into();
        self
    }

    fn octets(&self, xid: [u8; 4]) -> Vec<u8> {
        let mut bytes = vec![0; 240];
        bytes[..3].copy_from_slice(&[2, 1, 6]);
        bytes[4..8].copy_from_slice(&xid);
        bytes[16..20].copy_from_slice(&self.address.octets());
        bytes[28..34].copy_from_slice(&self.to);
        bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
        bytes.extend([53, 1, self.kind]);
        for (code, data) in &self.options {
            bytes.extend([*code, data.len() as u8]);
            bytes.extend(data);
        }
        bytes.push(255);
        bytes
    }
}

fn tell(client: &mut DhcpClient, now: u64, xid: [u8; 4], answer: &Answer) -> DhcpOutput {
    client.turn(now, Some(DhcpInput::Message(&answer.octets(xid), SERVERS)))
}

/// Runs a client to its next deadline, and gives that time.
fn next(client: &mut DhcpClient) -> (u64, DhcpOutput) {
    let at = client.deadline().unwrap();
    (at, client.turn(at, None))
}

/// A client that asked for what it was offered, and the transaction's number.
fn requesting(client: &mut DhcpClient, offer: &Answer) -> [u8; 4] {
    let (at, turn) = next(client);
    let discover = said(&turn);
    assert_eq!(discover.kind, DISCOVER);
    let request = said(&tell(client, at, discover.xid, offer));
    assert_eq!((request.kind, request.xid), (REQUEST, discover.xid));
    request.xid
}

/// A client with an address, and when it got it.
fn bound(answer: impl Fn(u8) -> Answer) -> (DhcpClient, u64) {
    let mut client = client();
    let xid = requesting(&mut client, &answer(OFFER));
    tell(&mut client, 0, xid, &answer(ACK));
    loop {
        let (at, turn) = next(&mut client);
        if let Some(event) = turn.event {
            assert!(matches!(event, DhcpEvent::Bound(_)), "{event:?}");
            return (client, at);
        }
    }
}
