//! A host against a scripted peer, where a test needs the inside of one: its engine without a
//! repair, its tables, frames whose checksums are trusted. What the public scripted peer can show is
//! in `tests/it/host`.
//!
//! Rows are those of the second table of the sockets' contract; RFC sections stand above the
//! tests that follow them.

mod bsd_calls;
mod crash;
mod datagram_sockets;
mod datagrams;
mod extension_headers;
mod flags;
mod group_queries;
mod group_queries_older;
mod half_open;
mod icmp_messages;
mod ip_options;
mod link_broadcasts;
mod memory;
mod neighbor_table;
mod neighbors_v6;
mod orphans;
mod pair;
mod path_mtu;
mod peer;
mod querier;
mod repairs;
mod repairs_of_fins;
mod repairs_of_windows;
mod robustness;
mod stretched_acks;
mod syn_flood;
mod unix;
mod wire;
