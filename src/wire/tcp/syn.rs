//! SYN and SYN-ACK, with the options that only they carry.

use super::segment::SYN;
use super::{ACK, FourTuple, Seq, TCP_HEADER, tcp_offset};
use crate::wire::checksum::transport_checksum;
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER, IpFields, IpHeader, protocol};

/// The largest shift of a window (RFC 7323 2.3).
const MAX_WINDOW_SCALE: u8 = 14;
/// MSS, window scale and SACK permitted, filled up to whole words.
const MAX_OPTIONS: usize = 12;

/// What a SYN, or a SYN-ACK, offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SynOptions {
    /// Maximum segment size (RFC 9293 3.7.1).
    pub(crate) mss: Option<u16>,
    /// The shift of the window scale (RFC 7323 2.2), at most 14.
    pub(crate) window_scale: Option<u8>,
    /// Selective acknowledgments (RFC 2018 section 2).
    pub(crate) sack_permitted: bool,
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
                _ => {}
            }
            let len = options.get(1).map_or(0, |len| usize::from(*len));
            let rest = options.get(len..).filter(|_| len >= 2);
            let Some(rest) = rest else { return found };
            options = rest;
        }
    }

    /// In the order in which the engine writes them, and how many bytes that takes.
    fn write(&self) -> ([u8; MAX_OPTIONS], usize) {
        let (mut bytes, mut len) = ([0; MAX_OPTIONS], 0);
        let mut put = |option: &[u8]| {
            bytes[len..len + option.len()].copy_from_slice(option);
            len += option.len();
        };
        if let Some([high, low]) = self.mss.map(u16::to_be_bytes) {
            put(&[2, 4, high, low]);
        }
        if let Some(shift) = self.window_scale {
            put(&[3, 3, shift]);
        }
        if self.sack_permitted {
            put(&[4, 2]);
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
}

impl Syn {
    /// Length of its IP packet from `tuple`'s local end.
    pub(crate) fn packet_len(&self, tuple: &FourTuple) -> usize {
        let ip_header = if tuple.local_addr.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
        ip_header + TCP_HEADER + self.options.write().1
    }

    /// Writes it into a buffer of [`Syn::packet_len`] bytes.
    pub(crate) fn write(&self, packet: &mut [u8], tuple: &FourTuple) {
        let (source, destination, protocol) = (tuple.local_addr, tuple.remote_addr, protocol::TCP);
        let IpFields { hop_limit, traffic_class } = IpFields::default();
        let ip = IpHeader { source, destination, protocol, hop_limit, traffic_class };
        ip.write(packet, true);
        let tcp = &mut packet[ip.len()..];
        let (options, options_len) = self.options.write();
        tcp[0..2].copy_from_slice(&tuple.local_port.to_be_bytes());
        tcp[2..4].copy_from_slice(&tuple.remote_port.to_be_bytes());
        tcp[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        tcp[8..12].copy_from_slice(&self.ack.map_or(0, |ack| ack.0).to_be_bytes());
        let flags = SYN | if self.ack.is_some() { ACK } else { 0 };
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
                let options = SynOptions { mss, window_scale, sack_permitted };
                for ack in [None, Some(Seq(9))] {
                    let syn = Syn { seq: Seq(7), ack, window: 1_000, options };
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
        let syn = Syn { seq: Seq(7), ack: None, window: 1, options: SynOptions::default() };
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
