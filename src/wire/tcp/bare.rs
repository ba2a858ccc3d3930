//! Segments without options and payload.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};

use super::TCP_HEADER;
use super::{FourTuple, Seq};
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER};

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
    write_bare(packet, tuple, fields.seq, Some(fields.ack), fields.window, TcpControl::None);
}

/// The same with FIN.
pub(crate) fn write_bare_fin(packet: &mut [u8], tuple: &FourTuple, fields: BareAck) {
    write_bare(packet, tuple, fields.seq, Some(fields.ack), fields.window, TcpControl::Fin);
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
    write_bare(packet, tuple, reset.seq, reset.ack, 0, TcpControl::Rst);
}

fn write_bare(
    packet: &mut [u8],
    tuple: &FourTuple,
    seq: Seq,
    ack: Option<Seq>,
    window: u16,
    control: TcpControl,
) {
    let tcp = TcpRepr {
        src_port: tuple.local_port,
        dst_port: tuple.remote_port,
        control,
        seq_number: TcpSeqNumber(seq.0.cast_signed()),
        ack_number: ack.map(|ack| TcpSeqNumber(ack.0.cast_signed())),
        window_len: window,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let (source, destination) = (tuple.local_addr.into(), tuple.remote_addr.into());
    let hop_limit = 64;
    let ip = IpRepr::new(source, destination, IpProtocol::Tcp, tcp.buffer_len(), hop_limit);
    let checksums = ChecksumCapabilities::default();
    ip.emit(&mut *packet, &checksums);
    let segment = &mut packet[ip.header_len()..];
    tcp.emit(&mut TcpPacket::new_unchecked(segment), &source, &destination, &checksums);
}
