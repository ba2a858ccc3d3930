//! A TCP of our own (RFC 9293), with Linux's mechanisms and constants.
//!
//! Integers only, in nanoseconds: the same on every processor. From below: `ring` (bytes), `options`
//! (those of a segment), `rtt`; `flight` (what was sent), `rack`, and `congestion` with `cubic` and
//! `hystart`; `send` and `receive`, the two halves of a connection; `engine`, which holds them and
//! has the states between.

mod congestion;
mod cubic;
mod ecn;
mod engine;
mod flight;
mod half_open;
mod hystart;
mod options;
mod rack;
mod receive;
mod ring;
mod rtt;
mod send;
mod shared;
#[cfg(test)]
mod tests;

pub(super) use engine::GlassnetEngine;
pub(super) use shared::Shared;
