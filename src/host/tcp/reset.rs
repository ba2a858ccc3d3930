//! RST for segments that are nobody's.

use super::lower::Lower;
use crate::host::ip::NextHop;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::ip::IpFields;
use crate::wire::tcp::{FourTuple, Reset, Segment, Seq, bare_ack_len, write_reset};

/// The numbers of the RST that answers a segment; `None` for a RST (RFC 9293 3.10.7.1).
fn reset_for(segment: &Segment) -> Option<Reset> {
    if segment.rst {
        return None;
    }
    Some(match segment.ack {
        Some(ack) => Reset { seq: ack, ack: None },
        None => Reset { seq: Seq(0), ack: Some(segment.end()) },
    })
}

/// Answers a segment with a RST, unless it is one. `next_hop` is the way back, where it is known.
#[cold]
pub(super) fn answer_with_reset(
    lower: &mut Lower<'_>,
    tuple: &FourTuple,
    segment: &Segment,
    next_hop: Option<NextHop>,
    ip_fields: IpFields,
) {
    let Some(reset) = reset_for(segment) else { return };
    let mut frame = lower.ctx.pool.take(ETHERNET_HEADER + bare_ack_len(tuple));
    write_reset(frame.packet_mut(), tuple, reset);
    ip_fields.write(frame.packet_mut());
    lower.ctx.mib.tcp.resets_sent += 1;
    lower.send(tuple.remote_addr, next_hop, frame);
}
