//! Worlds as their users build them: one program for all that asks for nothing else.
//!
//! What needs a feature, a process of its own or the state of one stands beside it: `cli` (the
//! command), `live` (threads, wall clock), `process` (tests that end the process, or count on its
//! environment), `determinism` (in release, too), `chaos` (any number of seeds), `hyper`, `tls`,
//! `tracing` and `readme`. What they share is in `common`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod acceptance;
mod api;
mod cancellation;
mod capture_formats;
mod checksums;
mod closing;
#[path = "../common/mod.rs"]
mod common;
mod contract;
mod dns;
mod errors;
mod executor;
mod faces;
mod faults;
mod greeting;
mod growth;
mod handshake;
mod hold;
mod host;
mod icmp;
mod ipv6;
mod links;
mod linux_tcp;
mod memory;
mod messages;
mod multicast;
mod names;
mod netstat;
mod nstat;
mod parity;
mod peer;
mod ports;
mod random;
mod run;
mod select;
mod small_mtus;
mod socket_options;
mod sockets;
mod stepping;
mod task_rules;
mod tcp_host_options;
mod tcp_info;
mod tcp_options;
mod time_and_tasks;
mod udp;
mod unchecked;
mod unix;
mod unix_datagrams;
mod unix_streams;
mod unknown_neighbours;
mod waiters;
mod writes;
