//! What a task waits for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::origin::Origin;
use crate::clock::Instant;

/// What a task said it waits for when it was last polled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wait {
    Sleep { until: Instant },
    Lookup { name: String },
    Accept { on: SocketAddr },
    Connect { to: SocketAddr },
    Read { local: SocketAddr, peer: SocketAddr },
    Write { local: SocketAddr, peer: SocketAddr },
    Receive { local: SocketAddr, peer: Option<SocketAddr> },
    Send { local: SocketAddr },
    Echo { from: SocketAddr },
    UnixAccept { on: Arc<str> },
    UnixConnect { to: Arc<str> },
    UnixRead { on: Arc<str> },
    UnixWrite { on: Arc<str> },
    Join { task: Origin },
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Sleep { until } if !until.is_within_time() => {
                formatter.write_str("the end of time")
            }
            Wait::Sleep { until } => write!(formatter, "the time {until}"),
            Wait::Lookup { name } => write!(formatter, "the address of {name:?}"),
            Wait::Accept { on } => write!(formatter, "accept on {on}"),
            Wait::Connect { to } => write!(formatter, "connect to {to}"),
            Wait::Read { local, peer } => write!(formatter, "read on {local} from {peer}"),
            Wait::Write { local, peer } => write!(formatter, "write on {local} to {peer}"),
            Wait::Receive { local, peer: None } => write!(formatter, "a datagram on {local}"),
            Wait::Receive { local, peer: Some(peer) } => {
                write!(formatter, "a datagram on {local} from {peer}")
            }
            Wait::Send { local } => write!(formatter, "room to send a datagram on {local}"),
            Wait::Echo { from } => write!(formatter, "an echo from {}", from.ip()),
            Wait::UnixAccept { on } => write!(formatter, "accept on unix socket {on}"),
            Wait::UnixConnect { to } => write!(formatter, "connect to unix socket {to}"),
            Wait::UnixRead { on } => write!(formatter, "read on unix socket {on}"),
            Wait::UnixWrite { on } => write!(formatter, "write on unix socket {on}"),
            Wait::Join { task } => write!(formatter, "the end of the {task}"),
        }
    }
}
