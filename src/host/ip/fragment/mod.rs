//! IP fragmentation and reassembly (RFC 791 3.2, RFC 8200 4.5), without a socket or a clock.
//!
//! Out: [`split_ipv4`] and [`split_ipv6`] turn a packet that is larger than an MTU into
//! [`Piece`]s, each a header to be written in front of a slice of the packet:
//!
//! ```text
//! for piece in split_ipv4(&packet, mtu).ok_or(Errno::MessageSize)? {
//!     let mut frame = pool.take(ETHERNET_HEADER + piece.len());
//!     piece.write(frame.packet_mut());
//! }
//! ```
//!
//! In: whoever receives a packet asks [`Fragment::parse`] whether it is one, and gives it to the
//! host's [`Reassembler`] if so; the packet that comes back whole has one header and no trace of
//! the fragments, so it is received as if it had come in one piece:
//!
//! ```text
//! if let Some(fragment) = Fragment::parse(packet) {
//!     let Some(whole) = self.reassembler.add(now, &fragment, intact) else { return };
//!     return self.receive(now, &whole.packet, whole.intact);
//! }
//! ```
//!
//! What is not whole in time is given up by [`Reassembler::expire`], which has to be called at
//! [`Reassembler::deadline`].

mod cut;
mod reassembly;
mod received;
#[cfg(test)]
mod tests;

pub(crate) use cut::{Piece, split_ipv4, split_ipv6};
pub(crate) use reassembly::{Reassembler, Whole};
pub(crate) use received::Fragment;

use crate::wire::checksum::checksum;

/// Sets the total length and the checksum of an IPv4 header.
fn write_ipv4_length(header: &mut [u8], payload: usize) {
    let len = (header.len() + payload) as u16;
    header[2..4].copy_from_slice(&len.to_be_bytes());
    header[10..12].fill(0);
    let checksum = checksum(header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}
