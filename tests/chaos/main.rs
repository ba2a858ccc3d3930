//! Transfers over links that lose, duplicate, reorder, delay and queue: no byte wrong, no stream
//! cut short, and nobody hangs, ever.
//!
//! `echo` is half duplex: five kinds of link, 20 kB there and back. `duplex` draws everything from
//! the seed: the link, both hosts, both applications.
//!
//! `cargo test` runs a few seeds of each, `scripts/chaos.sh FROM TO` any number. `CHAOS_FROM` and
//! `CHAOS_SEEDS` choose a portion; `CHAOS_SEED=n cargo test --test chaos NAME -- --nocapture` runs
//! one world of a test, prints what is on its wire and, if it fails, what is left when everything
//! that is not needed for the failure is taken away. `CHAOS_ENGINES=glassnet,smoltcp` chooses what
//! speaks TCP on the client and on the server. `GLASSNET_PCAP_DIR` keeps captures of it.

#![allow(clippy::disallowed_methods, clippy::expect_used)]

mod duplex;
mod echo;
mod portion;
