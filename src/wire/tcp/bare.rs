//! Segments without payload, and without options but timestamps.

use super::segment::RST;
use super::{ACK, FIN, FourTuple, Seq, TCP_HEADER, Timestamps};
use crate::wire::checksum::transport_checksum;
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER, IpFields, IpHeader, protocol};

/// The fields of a segment without payload that a host sends beside the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BareAck {
    pub(crate) seq: Seq,
    pub(crate) ack: Seq,
    pub(crate) window: u16,
}

/// Length of an IP packet from `tuple`'s local end with a segment that has neither options nor
/// payload.
pub(crate) fn bare_ack_len(tuple: &FourTuple) -> usize {
    let ip_header = if tuple.local_addr.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
    ip_header + TCP_HEADER
}

/// Writes a pure ACK from `tuple`'s local end into a buffer of [`bare_ack_len`] bytes.
pub(crate) fn write_bare_ack(packet: &mut [u8], tuple: &FourTuple, fields: BareAck) {
    write_bare(packet, tuple, fields.seq, Some(fields.ack), fields.window, 0);
}

/// Length of an IP packet from `tuple`'s local end with an ACK that may have timestamps.
pub(crate) fn ack_len(tuple: &FourTuple, timestamps: Option<Timestamps>) -> usize {
    bare_ack_len(tuple) + timestamps.map_or(0, |_| Timestamps::LEN)
}

/// Writes an ACK that may have timestamps into a buffer of [`ack_len`] bytes.
pub(crate) fn write_ack(
    packet: &mut [u8],
    tuple: &FourTuple,
    fields: BareAck,
    timestamps: Option<Timestamps>,
) {
    let options = timestamps.map(Timestamps::to_bytes);
    let options = options.as_ref().map_or(&[][..], |options| &options[..]);
    let BareAck { seq, ack, window } = fields;
    write(packet, tuple, seq, Some(ack), window, 0, options);
}

/// The same with FIN.
pub(crate) fn write_bare_fin(packet: &mut [u8], tuple: &FourTuple, fields: BareAck) {
    write_bare(packet, tuple, fields.seq, Some(fields.ack), fields.window, FIN);
}

/// The numbers of a RST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reset {
    pub(crate) seq: Seq,
    /// Without one the ACK flag is not set.
    pub(crate) ack: Option<Seq>,
}

/// Writes a RST from `tuple`'s local end into a buffer of [`bare_ack_len`] bytes.
pub(crate) fn write_reset(packet: &mut [u8], tuple: &FourTuple, reset: Reset) {
    write_bare(packet, tuple, reset.seq, reset.ack, 0, RST);
}

fn write_bare(
    packet: &mut [u8],
    tuple: &FourTuple,
    seq: Seq,
    ack: Option<Seq>,
    window: u16,
    flags: u8,
) {
    write(packet, tuple, seq, ack, window, flags, &[]);
}

fn write(
    packet: &mut [u8],
    tuple: &FourTuple,
    seq: Seq,
    ack: Option<Seq>,
    window: u16,
    flags: u8,
    options: &[u8],
) {
    let (source, destination, protocol) = (tuple.local_addr, tuple.remote_addr, protocol::TCP);
    let IpFields { hop_limit, traffic_class } = IpFields::default();
    let ip = IpHeader { source, destination, protocol, hop_limit, traffic_class };
    ip.write(packet, true);
    let tcp = &mut packet[ip.len()..];
    tcp[0..2].copy_from_slice(&tuple.local_port.to_be_bytes());
    tcp[2..4].copy_from_slice(&tuple.remote_port.to_be_bytes());
    tcp[4..8].copy_from_slice(&seq.0.to_be_bytes());
    tcp[8..12].copy_from_slice(&ack.map_or(0, |ack| ack.0).to_be_bytes());
    let flags = flags | if ack.is_some() { ACK } else { 0 };
    let words = (TCP_HEADER + options.len()) as u8 / 4;
    tcp[12..14].copy_from_slice(&[words << 4, flags]);
    tcp[14..16].copy_from_slice(&window.to_be_bytes());
    tcp[16..20].fill(0);
    tcp[TCP_HEADER..].copy_from_slice(options);
    let checksum = transport_checksum(source, destination, protocol, tcp);
    tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
}
