//! A host against a scripted peer: what it does on the wire, subject by subject.
//!
//! Rows are those of the second table of the sockets' contract; RFC sections stand above the
//! tests that follow them. `known_deviations` holds what the engine does differently today.

mod backlog;
mod bsd_calls;
mod challenges;
mod closing;
mod counters;
mod datagram_sockets;
mod datagrams;
mod extension_headers;
mod flags;
mod group_queries;
mod group_queries_older;
mod icmp_errors;
mod icmp_messages;
mod ip_options;
mod keep_alive;
mod known_deviations;
mod linger;
mod link_broadcasts;
mod neighbors;
mod neighbors_v6;
mod opening;
mod pair;
mod path_mtu;
mod peer;
mod querier;
mod reassembly;
mod repairs;
mod repairs_of_fins;
mod repairs_of_windows;
mod resets;
mod retransmission;
mod robustness;
mod segments;
mod syn_flood;
mod time_wait;
mod unix;
mod windows;
mod wire;
