//! packetdrill's scripts, against a simulated host.
//!
//! [packetdrill](https://github.com/google/packetdrill) tests the TCP of a kernel with scripts: packets
//! that are injected, packets that are expected, and the calls that a program makes, each at its
//! time. Here the kernel is a host of a [`Wire`](crate::peer::Wire), and time is virtual: a script of
//! a minute takes a millisecond, and what comes early or late does so by no machine's fault.
//!
//! [`Script::parse`] understands a script, [`Drill`] runs it. The command is `glassnet packetdrill
//! FILE…`, or `glassnet drill`.
//!
//! ```text
#![doc = include_str!("syntax.txt")]
//! ```

mod arguments;
mod blocking;
mod calls;
mod clock;
mod code;
mod code_parser;
mod commands;
mod config;
mod describe;
mod drill;
mod epoll;
mod error;
mod files;
mod flow;
mod icmp;
mod info;
mod lexer;
mod parse_call;
mod parse_packet;
mod parser;
mod pending;
mod run;
mod script;
mod sockopt;
mod symbols;
mod sysctl;
mod transfer;
mod value;
mod verify;
mod wire;

pub use drill::{Drill, Outcome, Verdict};
pub use error::ScriptError;
pub use script::Script;

/// What of packetdrill's language is understood, as the command's help shows it.
pub const SYNTAX: &str = include_str!("syntax.txt");
