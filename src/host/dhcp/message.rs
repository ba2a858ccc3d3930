//! DHCP messages: those that a client sends, and those that it is sent.
//!
//! By hand, because smoltcp's come with an engine that speaks Ethernet itself, and those of other
//! libraries with much that nobody needs here.

use std::iter;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::wire::ethernet::Mac;

/// RFC 2131 section 3.
const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];
/// The fixed part, the cookie included.
const HEADER: usize = 240;
/// A BOOTP message's length, below which relays and servers may drop one (RFC 1542 2.1).
const MIN_LEN: usize = 300;
/// BOOTREQUEST or BOOTREPLY; Ethernet, and how long its addresses are.
const REQUEST: [u8; 3] = [1, 1, 6];
const REPLY: [u8; 3] = [2, 1, 6];
/// Fields of the fixed part: RFC 2131 figure 1.
const XID: Range<usize> = 4..8;
const SECS: Range<usize> = 8..10;
const CIADDR: Range<usize> = 12..16;
const YIADDR: Range<usize> = 16..20;
const CHADDR: Range<usize> = 28..34;
const COOKIE: Range<usize> = 236..240;
/// `sname` and `file`, which may hold options.
const SNAME: Range<usize> = 44..108;
const FILE: Range<usize> = 108..236;

/// Values of the option "message type": RFC 2132 9.6.
mod message_type {
    pub(super) const DISCOVER: u8 = 1;
    pub(super) const OFFER: u8 = 2;
    pub(super) const REQUEST: u8 = 3;
    pub(super) const DECLINE: u8 = 4;
    pub(super) const ACK: u8 = 5;
    pub(super) const NAK: u8 = 6;
    pub(super) const RELEASE: u8 = 7;
}

/// Options: RFC 2132.
pub(super) mod option {
    pub(in crate::host::dhcp) const PAD: u8 = 0;
    pub(in crate::host::dhcp) const SUBNET_MASK: u8 = 1;
    pub(in crate::host::dhcp) const ROUTER: u8 = 3;
    pub(in crate::host::dhcp) const DOMAIN_NAME_SERVER: u8 = 6;
    pub(in crate::host::dhcp) const HOST_NAME: u8 = 12;
    pub(in crate::host::dhcp) const DOMAIN_NAME: u8 = 15;
    pub(in crate::host::dhcp) const INTERFACE_MTU: u8 = 26;
    pub(in crate::host::dhcp) const REQUESTED_ADDRESS: u8 = 50;
    pub(in crate::host::dhcp) const LEASE_TIME: u8 = 51;
    pub(in crate::host::dhcp) const OVERLOAD: u8 = 52;
    pub(in crate::host::dhcp) const MESSAGE_TYPE: u8 = 53;
    pub(in crate::host::dhcp) const SERVER_IDENTIFIER: u8 = 54;
    pub(in crate::host::dhcp) const PARAMETER_REQUEST: u8 = 55;
    pub(in crate::host::dhcp) const MESSAGE: u8 = 56;
    pub(in crate::host::dhcp) const MAX_MESSAGE_SIZE: u8 = 57;
    pub(in crate::host::dhcp) const RENEWAL_TIME: u8 = 58;
    pub(in crate::host::dhcp) const REBINDING_TIME: u8 = 59;
    pub(in crate::host::dhcp) const CLIENT_IDENTIFIER: u8 = 61;
    pub(in crate::host::dhcp) const END: u8 = 255;
}

/// The options that a server is asked for.
const PARAMETER_REQUEST: [u8; 9] = [
    option::SUBNET_MASK,
    option::ROUTER,
    option::DOMAIN_NAME_SERVER,
    option::DOMAIN_NAME,
    option::INTERFACE_MTU,
    option::LEASE_TIME,
    option::SERVER_IDENTIFIER,
    option::RENEWAL_TIME,
    option::REBINDING_TIME,
];

/// A message that a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientMessage {
    Discover,
    /// Takes an offer (SELECTING).
    Request {
        address: Ipv4Addr,
        server: Ipv4Addr,
    },
    /// Asks for more time (RENEWING, REBINDING).
    Renew {
        address: Ipv4Addr,
    },
    Decline {
        address: Ipv4Addr,
        server: Ipv4Addr,
    },
    Release {
        address: Ipv4Addr,
        server: Ipv4Addr,
    },
}

/// The client that sends it.
pub(super) struct Client<'s> {
    pub(super) mac: Mac,
    pub(super) hostname: &'s str,
    /// The largest message it takes, in bytes.
    pub(super) max_size: u16,
}

impl ClientMessage {
    /// The message: RFC 2131 table 5 says what is in it. The broadcast flag is not, because answers
    /// to an address that is only offered are heard.
    pub(super) fn write(self, client: &Client<'_>, xid: u32, secs: u16) -> Vec<u8> {
        let none = Ipv4Addr::UNSPECIFIED;
        let (kind, own, requested, server) = match self {
            ClientMessage::Discover => (message_type::DISCOVER, none, None, None),
            ClientMessage::Request { address, server } => {
                (message_type::REQUEST, none, Some(address), Some(server))
            }
            ClientMessage::Renew { address } => (message_type::REQUEST, address, None, None),
            ClientMessage::Decline { address, server } => {
                (message_type::DECLINE, none, Some(address), Some(server))
            }
            ClientMessage::Release { address, server } => {
                (message_type::RELEASE, address, None, Some(server))
            }
        };
        let asks = matches!(kind, message_type::DISCOVER | message_type::REQUEST);
        let mut message = vec![0; HEADER];
        message[..3].copy_from_slice(&REQUEST);
        message[XID].copy_from_slice(&xid.to_be_bytes());
        if asks {
            message[SECS].copy_from_slice(&secs.to_be_bytes());
        }
        message[CIADDR].copy_from_slice(&own.octets());
        message[CHADDR].copy_from_slice(&client.mac);
        message[COOKIE].copy_from_slice(&MAGIC_COOKIE);
        let mut put = |code: u8, data: &[u8]| {
            // A host's name has 63 bytes at most, and nothing else is as long.
            let data = &data[..data.len().min(255)];
            message.extend([code, data.len() as u8]);
            message.extend_from_slice(data);
        };
        put(option::MESSAGE_TYPE, &[kind]);
        let [a, b, c, d, e, f] = client.mac;
        put(option::CLIENT_IDENTIFIER, &[1, a, b, c, d, e, f]);
        for (code, address) in
            [(option::REQUESTED_ADDRESS, requested), (option::SERVER_IDENTIFIER, server)]
        {
            address.iter().for_each(|address| put(code, &address.octets()));
        }
        if asks {
            put(option::MAX_MESSAGE_SIZE, &client.max_size.to_be_bytes());
            put(option::HOST_NAME, client.hostname.as_bytes());
            put(option::PARAMETER_REQUEST, &PARAMETER_REQUEST);
        }
        message.push(option::END);
        message.resize(message.len().max(MIN_LEN), option::PAD);
        message
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyKind {
    Offer,
    Ack,
    Nak,
}

/// A message that a server sends. An option whose length is not that of its kind is as good as none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) kind: ReplyKind,
    pub(super) xid: u32,
    pub(super) client: Mac,
    pub(super) address: Ipv4Addr,
    pub(super) server: Option<Ipv4Addr>,
    pub(super) mask: Option<Ipv4Addr>,
    pub(super) routers: Vec<Ipv4Addr>,
    pub(super) nameservers: Vec<Ipv4Addr>,
    pub(super) domain: Option<String>,
    pub(super) mtu: Option<u16>,
    /// Seconds.
    pub(super) lease: Option<u32>,
    pub(super) renewal: Option<u32>,
    pub(super) rebinding: Option<u32>,
    /// Why it refuses.
    pub(super) text: Option<String>,
}

impl Reply {
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(bytes: &[u8]) -> Result<Reply, &'static str> {
        let Some((header, field)) = bytes.split_first_chunk::<HEADER>() else {
            return Err("it is cut off");
        };
        if header[COOKIE] != MAGIC_COOKIE {
            return Err("it is no DHCP message");
        }
        if header[..3] != REPLY {
            return Err("it is not a server's, or not for Ethernet");
        }
        let word = |at: usize| std::array::from_fn(|octet| header[at + octet]);
        let mut reply = Reply {
            kind: ReplyKind::Offer,
            xid: u32::from_be_bytes(word(XID.start)),
            client: std::array::from_fn(|octet| header[CHADDR.start + octet]),
            address: Ipv4Addr::from(word(YIADDR.start)),
            server: None,
            mask: None,
            routers: Vec::new(),
            nameservers: Vec::new(),
            domain: None,
            mtu: None,
            lease: None,
            renewal: None,
            rebinding: None,
            text: None,
        };
        let mut kind = None;
        let mut overload = 0;
        for (code, data) in options(field) {
            match (code, data) {
                (option::MESSAGE_TYPE, [number]) => kind = Some(*number),
                (option::OVERLOAD, [fields]) => overload = *fields,
                _ => reply.take(code, data),
            }
        }
        // RFC 2131 4.1: `file` comes first.
        for (bit, field) in [(1, FILE), (2, SNAME)] {
            if overload & bit != 0 {
                options(&header[field]).for_each(|(code, data)| reply.take(code, data));
            }
        }
        reply.kind = match kind {
            Some(message_type::OFFER) => ReplyKind::Offer,
            Some(message_type::ACK) => ReplyKind::Ack,
            Some(message_type::NAK) => ReplyKind::Nak,
            Some(_) => return Err("it is of a type that no server sends"),
            None => return Err("it has no message type"),
        };
        Ok(reply)
    }

    fn take(&mut self, code: u8, data: &[u8]) {
        let number = || data.try_into().ok().map(u32::from_be_bytes);
        let address = || number().map(Ipv4Addr::from_bits);
        match code {
            option::SUBNET_MASK => self.mask = address(),
            option::SERVER_IDENTIFIER => self.server = address(),
            option::ROUTER => self.routers = addresses(data),
            option::DOMAIN_NAME_SERVER => self.nameservers = addresses(data),
            option::DOMAIN_NAME => self.domain = text(data),
            option::INTERFACE_MTU => self.mtu = data.try_into().ok().map(u16::from_be_bytes),
            option::LEASE_TIME => self.lease = number(),
            option::RENEWAL_TIME => self.renewal = number(),
            option::REBINDING_TIME => self.rebinding = number(),
            option::MESSAGE => self.text = text(data),
            _ => {}
        }
    }
}

/// The options of a field, up to its end or to one that reaches beyond it.
fn options(field: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = field;
    iter::from_fn(move || {
        while let [option::PAD, after @ ..] = rest {
            rest = after;
        }
        let [code, len, after @ ..] = rest else { return None };
        if *code == option::END {
            return None;
        }
        let (data, after) = after.split_at_checked(usize::from(*len))?;
        rest = after;
        Some((*code, data))
    })
}

fn addresses(data: &[u8]) -> Vec<Ipv4Addr> {
    let (whole, rest) = data.as_chunks::<4>();
    if !rest.is_empty() {
        return Vec::new();
    }
    whole.iter().map(|bytes| Ipv4Addr::from(*bytes)).collect()
}

/// A text that can be shown; some servers end theirs with a zero.
fn text(data: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(data);
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.escape_debug().to_string())
}
