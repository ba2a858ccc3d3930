//! UDP (RFC 768).

/// Source and destination port, of which the rest of the datagram may be missing.
pub(crate) fn ports(datagram: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d, ..] = *datagram else { return None };
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}
