//! Fragments put together again (RFC 791 3.2, RFC 8200 4.5), without a socket or a clock.
//!
//! Whoever receives a fragment gives it to the host's [`Reassembler`]; the packet that comes back
//! whole has one header and no trace of the fragments, so it is received as if it had come in one
//! piece:
//!
//! ```text
//! if let Some(fragment) = Fragment::parse(packet) {
//!     let Some(whole) = self.reassembler.add(now, &fragment, checksum) else { return };
//!     return self.receive(now, &whole.packet, whole.checksum);
//! }
//! ```
//!
//! What is not whole in time is given up by [`Reassembler::expire`], which has to be called at
//! [`Reassembler::deadline`].

mod reassembly;
#[cfg(test)]
mod tests;

pub(super) use reassembly::{Reassembler, Whole};
