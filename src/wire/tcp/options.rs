//! The options of a segment.

use super::{TCP_HEADER, tcp_offset};

/// The shift of the window scale option (RFC 7323 2.2), at most 14; `None` without the option.
pub(crate) fn window_scale(packet: &[u8]) -> Option<u8> {
    let tcp = packet.get(tcp_offset(packet)..)?;
    let header_len = usize::from(tcp.get(12)? >> 4) * 4;
    let mut options = tcp.get(TCP_HEADER..header_len)?;
    loop {
        match *options {
            [] | [0, ..] => return None,
            [1, ..] => options = &options[1..],
            [3, 3, shift, ..] => return Some(shift.min(14)),
            [_, len, ..] => options = options.get(usize::from(len).max(2)..)?,
            [_] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tcp::{BareAck, FourTuple, Seq, bare_ack_len, write_bare_ack};

    #[test]
    fn the_window_scale_is_found_among_other_options_and_bad_options_end_the_search() {
        let ends = ["10.0.0.1:80", "10.0.0.2:49152"].map(|end| end.parse().unwrap());
        let tuple = FourTuple::new(ends[0], ends[1]);
        let mut plain = vec![0; bare_ack_len(&tuple)];
        write_bare_ack(&mut plain, &tuple, BareAck { seq: Seq(7), ack: Seq(9), window: 1000 });
        let with = |options: &[u8]| {
            let mut packet = [&plain, options].concat();
            packet[32] = (((20 + options.len()) / 4) << 4) as u8;
            window_scale(&packet)
        };
        assert_eq!(with(&[2, 4, 5, 180, 1, 3, 3, 7]), Some(7));
        assert_eq!(with(&[3, 3, 200, 0]), Some(14));
        assert_eq!(with(&[1, 1, 1, 0]), None);
        assert_eq!(with(&[2, 0, 2, 0]), None);
        assert_eq!(with(&[2, 40, 0, 0]), None);
        assert_eq!(with(&[]), None);
    }
}
