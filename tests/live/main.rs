//! The live world: it runs in threads on the wall clock, which nothing that computes should share
//! with it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "threads and clocks are what is tested"
)]

mod cable;
mod dhcp;
#[path = "../common/directory.rs"]
mod directory;
mod tasks;
mod writes;
