//! The arguments of calls.

use std::net::{IpAddr, SocketAddr};

use super::config::Settings;
use super::error::Stop;
use super::script::Expr;
use super::symbols::{self, constant};

/// The largest buffer of a call, in bytes.
const MAX_BUFFER: i64 = 16 << 20;

/// The arguments of a call.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(pub(super) &'a [Expr]);

type Argument<T> = Result<T, Stop>;

impl<'a> Arguments<'a> {
    /// There must be so many.
    pub(super) fn expect_count(self, counts: &[usize]) -> Argument<()> {
        match counts.contains(&self.0.len()) {
            true => Ok(()),
            false => {
                let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
                let (expected, got) = (counts.join(" or "), self.0.len());
                Stop::failed(format!("expected {expected} args but got {got}"))
            }
        }
    }

    pub(super) fn get(self, at: usize) -> Argument<&'a Expr> {
        self.0.get(at).ok_or_else(|| Stop::Failed(format!("missing argument {at}")))
    }

    pub(super) fn integer(self, at: usize) -> Argument<i64> {
        integer(self.get(at)?)
    }

    /// The integer of `[integer]`.
    pub(super) fn bracketed(self, at: usize) -> Argument<i64> {
        match self.get(at)? {
            Expr::List(list) if list.len() == 1 => integer(&list[0]),
            _ => Stop::failed("Expected [<integer>]"),
        }
    }

    /// What a call sends: zeros for `...`.
    pub(super) fn data(self, at: usize, count: i64) -> Argument<Vec<u8>> {
        let count = buffer_len(count)?;
        match self.get(at)? {
            Expr::Ellipsis => Ok(vec![0; count]),
            Expr::Text(text) => {
                let mut bytes = unescaped(text)?;
                if bytes.len() < count {
                    let why = format!("{count} bytes of a string of {} bytes", bytes.len());
                    return Stop::failed(why);
                }
                bytes.truncate(count);
                Ok(bytes)
            }
            other if integer(other).is_ok_and(|pointer| pointer == 0) => no_null(),
            _ => Stop::failed("a buffer is ... or a string"),
        }
    }

    /// A buffer to receive into.
    pub(super) fn buffer(self, at: usize, count: i64) -> Argument<Vec<u8>> {
        match self.get(at)? {
            Expr::Ellipsis => Ok(vec![0; buffer_len(count)?]),
            other if integer(other).is_ok_and(|pointer| pointer == 0) => no_null(),
            _ => Stop::failed("a buffer to receive into is ..."),
        }
    }

    /// An address; `left_open` for `...`.
    pub(super) fn address(self, at: usize, left_open: SocketAddr) -> Argument<SocketAddr> {
        match self.get(at)? {
            Expr::Ellipsis => Ok(left_open),
            Expr::Struct(fields) => sockaddr(fields),
            _ => Stop::failed("an address is ... or {sa_family=…, sin_port=…, sin_addr=…}"),
        }
    }
}

fn no_null<T>() -> Argument<T> {
    Stop::skipped("a program in Rust cannot pass a buffer that is NULL")
}

pub(super) fn buffer_len(count: i64) -> Argument<usize> {
    match (0..=MAX_BUFFER).contains(&count) {
        true => Ok(count as usize),
        false => Stop::failed(format!("a buffer of {count} bytes: at most 16 MiB")),
    }
}

pub(super) fn integer(expression: &Expr) -> Argument<i64> {
    match expression {
        Expr::Integer(value) => Ok(*value),
        Expr::Word(name) => {
            if name.starts_with("SOF_TIMESTAMPING") {
                return Stop::skipped("SO_TIMESTAMPING is not simulated");
            }
            constant(name).ok_or_else(|| Stop::Failed(format!("unknown symbol: '{name}'")))
        }
        Expr::Or(left, right) => Ok(integer(left)? | integer(right)?),
        Expr::List(list) if list.len() == 1 => integer(&list[0]),
        _ => Stop::failed("expected an integer"),
    }
}

/// The bytes that a call moves for `msg_iov`.
pub(super) fn iov_len(fields: &[(String, Expr)]) -> Argument<i64> {
    let Some(Expr::List(list)) = field(fields, "msg_iov") else {
        return Stop::failed("a msghdr has msg_iov(…)=[{..., LENGTH}, …]");
    };
    vector_len(list)
}

/// The bytes of `[{..., LENGTH}, …]`.
pub(super) fn vector_len(list: &[Expr]) -> Argument<i64> {
    let mut total = 0_i64;
    for element in list {
        let Expr::Tuple(parts) = element else { return Stop::failed("an iovec is {..., LENGTH}") };
        let [Expr::Ellipsis, len] = parts.as_slice() else {
            return Stop::failed("an iovec is {..., LENGTH}");
        };
        total = total.saturating_add(integer(len)?);
    }
    Ok(total)
}

pub(super) fn field<'a>(fields: &'a [(String, Expr)], name: &str) -> Option<&'a Expr> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn sockaddr(fields: &[(String, Expr)]) -> Argument<SocketAddr> {
    let port = match field(fields, "sin_port") {
        Some(Expr::Function(name, port)) if name == "htons" => integer(port)?,
        _ => return Stop::failed("an address has sin_port=htons(PORT)"),
    };
    let Ok(port) = u16::try_from(port) else {
        return Stop::failed(format!("{port} is no port"));
    };
    let address = match field(fields, "sin_addr") {
        Some(Expr::Function(name, text)) if name == "inet_addr" || name == "inet6_addr" => text,
        _ => return Stop::failed("an address has sin_addr=inet_addr(\"…\")"),
    };
    let Expr::Text(text) = &**address else { return Stop::failed("inet_addr wants a string") };
    let address: Option<IpAddr> = text.parse().ok();
    let family = field(fields, "sa_family").map(integer).transpose()?;
    match address {
        Some(address) if family == Some(family_of(address)) => Ok(SocketAddr::new(address, port)),
        _ => Stop::failed(format!("{text} is no address of that family")),
    }
}

fn family_of(address: IpAddr) -> i64 {
    if address.is_ipv4() { symbols::AF_INET } else { symbols::AF_INET6 }
}

/// A string of C: `\n`, `\r`, `\t`, `\f`, `\\`, `\"` and `\xHH`.
pub(super) fn unescaped(text: &str) -> Argument<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let [kind, tail @ ..] = rest else { return Stop::failed("a string ends in \\") };
        rest = tail;
        bytes.push(match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'f' => 0x0c,
            b'\\' | b'"' => *kind,
            b'x' => {
                let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                rest = rest.get(2..).unwrap_or_default();
                match byte {
                    Some(byte) => byte,
                    None => return Stop::failed("\\x wants two hexadecimal digits"),
                }
            }
            _ => return Stop::failed(format!("\\{} is no escape", char::from(*kind))),
        });
    }
    Ok(bytes)
}

/// What the tail of `socket` asks for, where it is left open.
pub(super) fn family(settings: &Settings) -> i64 {
    if settings.has_v6_sockets() { symbols::AF_INET6 } else { symbols::AF_INET }
}
