//! The `glassnet` command, as its user meets it: a process of its own.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "processes are what is tested")]

#[cfg(target_os = "linux")]
mod cable_room;
#[path = "../common/directory.rs"]
mod directory;
#[cfg(target_os = "linux")]
mod live;
mod packetdrill;
mod simulated;
#[cfg(target_os = "linux")]
mod surface;
#[cfg(target_os = "linux")]
mod terminal;
