//! The same seed gives the same bytes: twice, on every machine, in debug and in release, in which
//! CI runs these, too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(all(feature = "cli", unix))]
mod captures;
#[path = "../common/mod.rs"]
mod common;
mod streams;
