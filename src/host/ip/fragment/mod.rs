//! Fragments put together again (RFC 791 3.2, RFC 8200 4.5), without a socket or a clock.
//!
//! A host gives each fragment to its [`Reassembler`]. The packet that comes back whole has one header
//! and no trace of the fragments: it is received as if it had come in one piece
//! (`Delivery::Reassembled`).
//!
//! What is not whole in time is given up by [`Reassembler::expire`], which has to be called at
//! [`Reassembler::deadline`].

mod reassembly;
#[cfg(test)]
mod tests;

pub(in crate::host) use reassembly::ReassemblyCounters;
pub(super) use reassembly::{Reassembler, Whole};
