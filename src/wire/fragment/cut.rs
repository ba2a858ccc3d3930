//! Packets that are too large, cut.

use crate::wire::ip::{FRAGMENT_HEADER, IPV4_HEADER, IPV6_HEADER, protocol};
use crate::wire::ipv4::set_total_len;

/// One fragment to be sent: a header, and the part of the packet that follows it.
pub(crate) struct Piece<'a> {
    header: [u8; IPV6_HEADER + FRAGMENT_HEADER],
    header_len: usize,
    payload: &'a [u8],
}

impl Piece<'_> {
    pub(crate) fn len(&self) -> usize {
        self.header_len + self.payload.len()
    }

    /// Writes the fragment into a buffer of [`Piece::len`] bytes.
    pub(crate) fn write(&self, buffer: &mut [u8]) {
        let (header, payload) = buffer.split_at_mut(self.header_len);
        header.copy_from_slice(&self.header[..self.header_len]);
        payload.copy_from_slice(self.payload);
    }

    #[cfg(test)]
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len()];
        self.write(&mut bytes);
        bytes
    }
}

/// Splits an IPv4 packet with a header of 20 bytes into fragments of at most `mtu` bytes. They
/// have the packet's identification; a fragment may be split again. `None` when the packet is
/// malformed, has options, or not even 8 bytes of payload fit.
pub(crate) fn split_ipv4(packet: &[u8], mtu: usize) -> Option<impl Iterator<Item = Piece<'_>>> {
    let (header, payload) = packet.split_first_chunk::<IPV4_HEADER>()?;
    let most = mtu.checked_sub(IPV4_HEADER)? & !7;
    if header[0] != 0x45 || most == 0 || payload.is_empty() {
        return None;
    }
    let fields = u16::from_be_bytes([header[6], header[7]]);
    let (flags, first_offset) = (fields & 0xc000, usize::from(fields & 0x1fff) * 8);
    let more_follow = fields & 0x2000 != 0;
    let count = payload.len().div_ceil(most);
    Some(payload.chunks(most).enumerate().map(move |(index, payload)| {
        let more = more_follow || index + 1 < count;
        let offset = (first_offset + index * most) / 8;
        let mut piece = [0; IPV6_HEADER + FRAGMENT_HEADER];
        piece[..IPV4_HEADER].copy_from_slice(header);
        let fields = flags | if more { 0x2000 } else { 0 } | offset as u16;
        piece[6..8].copy_from_slice(&fields.to_be_bytes());
        set_total_len(&mut piece[..IPV4_HEADER], IPV4_HEADER + payload.len());
        Piece { header: piece, header_len: IPV4_HEADER, payload }
    }))
}

/// Splits an IPv6 packet without extension headers into fragments of at most `mtu` bytes, each
/// with a Fragment header. `None` when the packet is malformed, or not even 8 bytes of payload
/// fit.
pub(crate) fn split_ipv6(
    packet: &[u8],
    mtu: usize,
    id: u32,
) -> Option<impl Iterator<Item = Piece<'_>>> {
    let (header, payload) = packet.split_first_chunk::<IPV6_HEADER>()?;
    let most = mtu.checked_sub(IPV6_HEADER + FRAGMENT_HEADER)? & !7;
    if header[0] >> 4 != 6 || most == 0 || payload.is_empty() {
        return None;
    }
    let count = payload.len().div_ceil(most);
    Some(payload.chunks(most).enumerate().map(move |(index, payload)| {
        let more = index + 1 < count;
        let mut piece = [0; IPV6_HEADER + FRAGMENT_HEADER];
        piece[..IPV6_HEADER].copy_from_slice(header);
        let len = (FRAGMENT_HEADER + payload.len()) as u16;
        piece[4..6].copy_from_slice(&len.to_be_bytes());
        piece[6] = protocol::FRAGMENT;
        piece[40] = header[6];
        let fields = (index * most) as u16 | u16::from(more);
        piece[42..44].copy_from_slice(&fields.to_be_bytes());
        piece[44..48].copy_from_slice(&id.to_be_bytes());
        Piece { header: piece, header_len: IPV6_HEADER + FRAGMENT_HEADER, payload }
    }))
}
