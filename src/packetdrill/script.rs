//! A script that was understood.

use super::config::Settings;
use crate::peer::TcpOption;

/// A script that was understood: to be run by [`Drill`](super::Drill).
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// How errors call it.
    pub(super) name: String,
    pub(super) settings: Settings,
    /// What is run before the clock starts.
    pub(super) init: Option<Command>,
    pub(super) events: Vec<Event>,
    pub(super) cleanup: Option<Command>,
}

/// A command of the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) line: u32,
    pub(super) text: String,
}

/// Something that happens at a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) line: u32,
    pub(super) time: Time,
    pub(super) action: Action,
}

/// When, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// `*`
    Any,
    /// `1.5`, `1.5~1.6`: after the start.
    Absolute { from: u64, to: Option<u64> },
    /// `+.1`, `+.1~+.2`: after the event before.
    Relative { from: u64, to: Option<u64> },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Packet(Packet),
    Call(Syscall),
    Command(String),
    Code(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `<`: to the host.
    In,
    /// `>`: from the host.
    Out,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Packet {
    pub(super) way: Way,
    pub(super) ip: IpInfo,
    /// Source and destination port, where the script gives them.
    pub(super) ports: Option<(u16, u16)>,
    pub(super) body: Body,
}

/// What is asked of the IP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IpInfo {
    pub(super) tos: Tos,
    pub(super) ttl: Option<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tos {
    #[default]
    Unchecked,
    /// The two bits of ECN.
    Ecn(u8),
    /// ECT(0) or ECT(1).
    AnyEct,
    /// The whole byte.
    Whole(u8),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Tcp(Tcp),
    Udp { len: u16 },
    Icmp(Icmp),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tcp {
    pub(super) flags: Flags,
    pub(super) seq: u32,
    pub(super) len: u16,
    pub(super) ack: u32,
    pub(super) window: Option<u16>,
    pub(super) urgent: u16,
    /// `None` for `<...>`.
    pub(super) options: Option<Vec<TcpOption>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) fin: bool,
    pub(super) syn: bool,
    pub(super) rst: bool,
    pub(super) psh: bool,
    pub(super) ack: bool,
    pub(super) urg: bool,
    pub(super) ece: bool,
    pub(super) cwr: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Icmp {
    pub(super) kind: String,
    pub(super) code: Option<String>,
    pub(super) mtu: Option<u32>,
    pub(super) id: u16,
    pub(super) echoed: Echoed,
}

/// What an ICMP error says of the packet that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echoed {
    Tcp { seq: u32, len: u16 },
    Udp { len: u16 },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Syscall {
    /// When it returns, if it blocks: in nanoseconds, counted as the time of its event.
    pub(super) end: Option<u64>,
    pub(super) name: String,
    pub(super) arguments: Vec<Expr>,
    pub(super) result: Expr,
    /// The name of the error.
    pub(super) errno: Option<String>,
}

/// An argument, or the result, of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Ellipsis,
    Integer(i64),
    /// A constant of the system.
    Word(String),
    Text(String),
    Or(Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    /// `{name=value, …}`
    Struct(Vec<(String, Expr)>),
    /// `{value, …}`
    Tuple(Vec<Expr>),
    /// `name(value)`: `htons(80)`
    Function(String, Box<Expr>),
}
