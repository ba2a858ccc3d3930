//! SYN and SYN-ACK, with the options that only they carry.

use super::segment::{ECE, SYN};
use super::{ACK, FourTuple, Seq, TCP_HEADER, tcp_offset};
use crate::wire::checksum::transport_checksum;
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER, IpFields, IpHeader, protocol};

/// The largest shift of a window (RFC 7323 2.3).
const MAX_WINDOW_SCALE: u8 = 14;
/// MSS, SACK permitted, timestamps and window scale, filled up to whole words.
const MAX_OPTIONS: usize = 20;

/// The two values of the timestamps option (RFC 7323 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamps {
    pub(crate) value: u32,
    pub(crate) echo: u32,
}

impl Timestamps {
    /// Bytes that the option takes, with what aligns it.
    pub(crate) const LEN: usize = 12;

    /// NOP, NOP and the option (RFC 7323 appendix A).
    pub(crate) fn to_bytes(self) -> [u8; Timestamps::LEN] {
        let mut bytes = [1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[4..8].copy_from_slice(&self.value.to_be_bytes());
        bytes[8..].copy_from_slice(&self.echo.to_be_bytes());
        bytes
    }
}

/// The order of options in a SYN, by which its sender can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionOrder {
    /// MSS, SACK permitted, timestamps, NOP, window scale; aligned by NOPs.
    Linux,
    /// MSS, window scale, SACK permitted; aligned at the end.
    Smoltcp,
}

/// What a SYN, or a SYN-ACK, offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SynOptions {
    /// Maximum segment size (RFC 9293 3.7.1).
    pub(crate) mss: Option<u16>,
    /// The shift of the window scale (RFC 7323 2.2), at most 14.
    pub(crate) window_scale: Option<u8>,
    /// Selective acknowledgments (RFC 2018 section 2).
    pub(crate) sack_permitted: bool,
    pub(crate) timestamps: Option<Timestamps>,
}

impl SynOptions {
    /// Those of a segment; what follows a malformed one is not looked at.
    pub(crate) fn of_packet(packet: &[u8]) -> SynOptions {
        let mut found = SynOptions::default();
        let tcp = packet.get(tcp_offset(packet)..).unwrap_or_default();
        let header_len = tcp.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4);
        let mut options = tcp.get(TCP_HEADER..header_len).unwrap_or_default();
        loop {
            match *options {
                [] | [0, ..] => return found,
                [1, ..] => {
                    options = &options[1..];
                    continue;
                }
                [2, 4, high, low, ..] => found.mss = Some(u16::from_be_bytes([high, low])),
                [3, 3, shift, ..] => found.window_scale = Some(shift.min(MAX_WINDOW_SCALE)),
                [4, 2, ..] => found.sack_permitted = true,
                [8, 10, a, b, c, d, e, f, g, h, ..] => {
                    found.timestamps = Some(Timestamps {
                        value: u32::from_be_bytes([a, b, c, d]),
                        echo: u32::from_be_bytes([e, f, g, h]),
                    });
                }
                _ => {}
            }
            let len = options.get(1).map_or(0, |len| usize::from(*len));
            let rest = options.get(len..).filter(|_| len >= 2);
            let Some(rest) = rest else { return found };
            options = rest;
        }
    }

    /// As they are written, and how many bytes that takes.
    fn write(&self, order: OptionOrder) -> ([u8; MAX_OPTIONS], usize) {
        let (mut bytes, mut len) = ([0; MAX_OPTIONS], 0);
        let mut put = |option: &[u8]| {
            bytes[len..len + option.len()].copy_from_slice(option);
            len += option.len();
        };
        if let Some([high, low]) = self.mss.map(u16::to_be_bytes) {
            put(&[2, 4, high, low]);
        }
        match order {
            OptionOrder::Linux => {
                match (self.sack_permitted, self.timestamps.map(Timestamps::to_bytes)) {
                    (true, Some(timestamps)) => {
                        put(&[4, 2]);
                        put(&timestamps[2..]);
                    }
                    (true, None) => put(&[1, 1, 4, 2]),
                    (false, Some(timestamps)) => put(&timestamps),
                    (false, None) => {}
                }
                if let Some(shift) = self.window_scale {
                    put(&[1, 3, 3, shift]);
                }
            }
            OptionOrder::Smoltcp => {
                if let Some(shift) = self.window_scale {
                    put(&[3, 3, shift]);
                }
                if self.sack_permitted {
                    put(&[4, 2]);
                }
            }
        }
        (bytes, len.next_multiple_of(4))
    }
}

/// A SYN or, with an acknowledgment, a SYN-ACK.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syn {
    pub(crate) seq: Seq,
    pub(crate) ack: Option<Seq>,
    pub(crate) window: u16,
    pub(crate) options: SynOptions,
    pub(crate) order: OptionOrder,
    /// A SYN-ACK that agrees to ECN: it has ECE (RFC 3168 6.1.1).
    pub(crate) ecn: bool,
}

impl Syn {
    /// Length of its IP packet from `tuple`'s local end.
    pub(crate) fn packet_len(&self, tuple: &FourTuple) -> usize {
        let ip_header = if tuple.local_addr.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
        ip_header + TCP_HEADER + self.options.write(self.order).1
    }

    /// Writes it into a buffer of [`Syn::packet_len`] bytes.
    pub(crate) fn write(&self, packet: &mut [u8], tuple: &FourTuple) {
        let (source, destination, protocol) = (tuple.local_addr, tuple.remote_addr, protocol::TCP);
        let IpFields { hop_limit, traffic_class } = IpFields::default();
        let ip = IpHeader { source, destination, protocol, hop_limit, traffic_class };
        ip.write(packet, true);
        let tcp = &mut packet[ip.len()..];
        let (options, options_len) = self.options.write(self.order);
        tcp[0..2].copy_from_slice(&tuple.local_port.to_be_bytes());
        tcp[2..4].copy_from_slice(&tuple.remote_port.to_be_bytes());
        tcp[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        tcp[8..12].copy_from_slice(&self.ack.map_or(0, |ack| ack.0).to_be_bytes());
        let flags = SYN | if self.ack.is_some() { ACK } else { 0 } | if self.ecn { ECE } else { 0 };
        let words = (TCP_HEADER + options_len) as u8 / 4;
        tcp[12..14].copy_from_slice(&[words << 4, flags]);
        tcp[14..16].copy_from_slice(&self.window.to_be_bytes());
        tcp[16..TCP_HEADER].fill(0);
        tcp[TCP_HEADER..].copy_from_slice(&options[..options_len]);
        let checksum = transport_checksum(source, destination, protocol, tcp);
        tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum::Checksum;
    use crate::wire::tcp::Segment;

    #[test]
    fn what_was_written_is_read_back() {
        for ends in [["10.0.0.1:80", "10.0.0.2:49152"], ["[fd00::1]:80", "[fd00::2]:49152"]] {
            let [local, remote] = ends.map(|end| end.parse().unwrap());
            let tuple = FourTuple::new(local, remote);
            for (mss, window_scale, sack_permitted) in [
                (None, None, false),
                (Some(1_460), None, false),
                (Some(536), Some(7), true),
                (Some(65_535), None, true),
                (None, Some(0), false),
            ] {
                for (ack, order, timestamps) in [
                    (None, OptionOrder::Smoltcp, None),
                    (Some(Seq(9)), OptionOrder::Smoltcp, None),
                    (Some(Seq(9)), OptionOrder::Linux, None),
                    (None, OptionOrder::Linux, Some(Timestamps { value: 70_000, echo: 5 })),
                ] {
                    let options = SynOptions { mss, window_scale, sack_permitted, timestamps };
                    let syn = Syn { seq: Seq(7), ack, window: 1_000, options, order, ecn: false };
                    let mut packet = vec![0; syn.packet_len(&tuple)];
                    syn.write(&mut packet, &tuple);
                    let (ends, segment) = Segment::parse(&packet, Checksum::Unverified).unwrap();
                    assert_eq!(ends, tuple.reversed());
                    assert_eq!((segment.seq, segment.ack, segment.window), (Seq(7), ack, 1_000));
                    assert!(
                        segment.syn && !segment.rst && !segment.fin && segment.payload_len == 0
                    );
                    assert_eq!(SynOptions::of_packet(&packet), options);
                }
            }
        }
    }

    #[test]
    fn unknown_options_are_passed_over_and_a_malformed_one_ends_the_search() {
        let [local, remote] = ["10.0.0.1:80", "10.0.0.2:49152"].map(|end| end.parse().unwrap());
        let tuple = FourTuple::new(local, remote);
        let (options, order) = (SynOptions::default(), OptionOrder::Smoltcp);
        let syn = Syn { seq: Seq(7), ack: None, window: 1, options, order, ecn: false };
        let mut plain = vec![0; syn.packet_len(&tuple)];
        syn.write(&mut plain, &tuple);
        let of = |options: &[u8]| {
            let mut packet = [&plain, options].concat();
            packet[32] = (((20 + options.len()) / 4) << 4) as u8;
            SynOptions::of_packet(&packet)
        };
        let mss = |mss| SynOptions { mss, ..SynOptions::default() };
        assert_eq!(of(&[1, 99, 3, 1, 2, 4, 1, 0]), mss(Some(256)));
        assert_eq!(of(&[2, 4, 1, 0, 99, 0, 4, 2]), mss(Some(256)));
        assert_eq!(of(&[99, 1, 4, 2]), mss(None));
        assert_eq!(of(&[99, 200, 4, 2]), mss(None));
        assert_eq!(of(&[0, 4, 2, 0]), mss(None));
        assert_eq!(of(&[3, 3, 200, 0]).window_scale, Some(14));
    }
}
