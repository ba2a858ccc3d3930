//! Which of the frames that a host sends are meant: the grammar of rules.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::wire::checksum::Checksum;
use crate::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthernetHeader};
use crate::wire::ip::protocol;
use crate::wire::packet::carried_protocol;
use crate::wire::tcp::Segment;

/// Kinds of frames. A frame may be of several: a segment with FIN and data is [`Fin`](Self::Fin)
/// and [`Data`](Self::Data).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameKind {
    /// `syn`: a TCP segment with SYN and without ACK.
    Syn,
    /// `synack`: one with both.
    SynAck,
    /// `fin`: one with FIN.
    Fin,
    /// `rst`: one with RST.
    Rst,
    /// `data`: one with payload.
    Data,
    /// `ack`: one that acknowledges and does nothing else.
    Ack,
    /// `udp`: a packet with a UDP datagram, or a part of one.
    Udp,
    /// `any`: every frame, ARP included.
    Any,
}

impl FrameKind {
    /// Every kind, and its name.
    const NAMES: [(FrameKind, &str); 8] = [
        (FrameKind::Syn, "syn"),
        (FrameKind::SynAck, "synack"),
        (FrameKind::Fin, "fin"),
        (FrameKind::Rst, "rst"),
        (FrameKind::Data, "data"),
        (FrameKind::Ack, "ack"),
        (FrameKind::Udp, "udp"),
        (FrameKind::Any, "any"),
    ];

    /// Whether an Ethernet frame is of this kind.
    #[must_use]
    pub fn matches(self, frame: &[u8]) -> bool {
        let Some((header, packet)) = EthernetHeader::split_from(frame) else { return false };
        let is_ip = matches!(header.ethertype, ETHERTYPE_IPV4 | ETHERTYPE_IPV6);
        match self {
            FrameKind::Any => return true,
            _ if !is_ip => return false,
            FrameKind::Udp => return carried_protocol(packet) == Some(protocol::UDP),
            _ => {}
        }
        let Some((_, segment)) = Segment::parse(packet, Checksum::Verified) else { return false };
        match self {
            FrameKind::Syn => segment.syn && segment.ack.is_none(),
            FrameKind::SynAck => segment.syn && segment.ack.is_some(),
            FrameKind::Fin => segment.fin,
            FrameKind::Rst => segment.rst,
            FrameKind::Data => segment.payload_len > 0,
            FrameKind::Ack => segment.is_pure_ack(),
            FrameKind::Udp | FrameKind::Any => false,
        }
    }
}

impl fmt::Display for FrameKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FrameKind::NAMES.iter().find(|(kind, _)| kind == self);
        formatter.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for FrameKind {
    type Err = ParseFrameMatchError;

    fn from_str(text: &str) -> Result<FrameKind, ParseFrameMatchError> {
        let known = FrameKind::NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        known.map(|(kind, _)| *kind).ok_or_else(|| {
            let names = FrameKind::NAMES.map(|(_, name)| name).join(", ");
            ParseFrameMatchError(format!("{text:?} is no kind of frames: give one of {names}"))
        })
    }
}

/// Some of the frames of one kind that a host sends, by their numbers: `client:syn:1`,
/// `server:data:3-5`.
///
/// `HOST:KIND:N[-M]`: the N-th to M-th frame of that [`FrameKind`] which HOST sends. The first is
/// number 1, retransmissions count like others, and copies that a link makes do not. A host's
/// name may be written in upper and lower case.
///
/// ```
/// use glassnet::{FrameKind, FrameMatch};
///
/// let frames: FrameMatch = "server:data:3-5".parse()?;
/// assert_eq!(frames, FrameMatch::new("server", FrameKind::Data, 3..=5)?);
/// assert_eq!(frames.to_string(), "server:data:3-5");
/// # Ok::<(), glassnet::ParseFrameMatchError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameMatch {
    host: String,
    kind: FrameKind,
    first: u64,
    last: u64,
}

impl FrameMatch {
    /// The frames of a `kind` that `host` sends, with these numbers.
    ///
    /// # Errors
    /// When there are no such numbers, the first being 1, or the name is empty.
    pub fn new(
        host: &str,
        kind: FrameKind,
        numbers: RangeInclusive<u64>,
    ) -> Result<FrameMatch, ParseFrameMatchError> {
        let (first, last) = numbers.into_inner();
        if host.is_empty() || host.contains(':') {
            return Err(ParseFrameMatchError(format!("{host:?} is no name of a host")));
        }
        if first == 0 {
            return Err(ParseFrameMatchError("the first frame is number 1".to_owned()));
        }
        if last < first {
            return Err(ParseFrameMatchError(format!("{last} comes before {first}")));
        }
        Ok(FrameMatch { host: host.to_owned(), kind, first, last })
    }

    /// The sending host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The kind of frames.
    #[must_use]
    pub fn kind(&self) -> FrameKind {
        self.kind
    }

    /// Their numbers among the frames of that kind.
    #[must_use]
    pub fn numbers(&self) -> RangeInclusive<u64> {
        self.first..=self.last
    }

    /// Whether a frame that `host` sends is one of those that are counted.
    #[must_use]
    pub fn counts(&self, host: &str, frame: &[u8]) -> bool {
        self.host.eq_ignore_ascii_case(host) && self.kind.matches(frame)
    }
}

impl fmt::Display for FrameMatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.host, self.kind, self.first)?;
        if self.last > self.first {
            write!(formatter, "-{}", self.last)?;
        }
        Ok(())
    }
}

impl FromStr for FrameMatch {
    type Err = ParseFrameMatchError;

    fn from_str(text: &str) -> Result<FrameMatch, ParseFrameMatchError> {
        let parts: Vec<&str> = text.split(':').collect();
        let [host, kind, numbers] = parts[..] else {
            return Err(ParseFrameMatchError(
                "frames are written as HOST:KIND:N or HOST:KIND:N-M, such as client:syn:1"
                    .to_owned(),
            ));
        };
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let number = |text: &str| {
            text.parse().map_err(|_| {
                ParseFrameMatchError(format!("{text:?} is no number of a frame: count from 1"))
            })
        };
        FrameMatch::new(host, kind.parse()?, number(first)?..=number(last)?)
    }
}

/// What is wrong with the text of a [`FrameMatch`] or a [`FrameKind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseFrameMatchError(String);

impl fmt::Display for ParseFrameMatchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for ParseFrameMatchError {}

/// A match at work.
pub(crate) struct CountedMatch {
    frames: FrameMatch,
    seen: u64,
}

impl CountedMatch {
    pub(crate) fn new(frames: FrameMatch) -> CountedMatch {
        CountedMatch { frames, seen: 0 }
    }

    pub(crate) fn frames(&self) -> &FrameMatch {
        &self.frames
    }

    /// Counts a frame that `host` sends; true when it is one of those that are meant.
    pub(crate) fn takes(&mut self, host: &str, frame: &[u8]) -> bool {
        if !self.frames.counts(host, frame) {
            return false;
        }
        self.seen += 1;
        self.frames.numbers().contains(&self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tcp::{BareAck, FourTuple, Seq, bare_ack_len, rewrite_fin, write_bare_ack};

    const V4: [&str; 2] = ["10.0.0.1:80", "10.0.0.2:49152"];
    const V6: [&str; 2] = ["[fd00::1]:80", "[fd00::2]:49152"];

    /// A frame with a segment that has these flags.
    fn tcp(ends: [&str; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
        let [local, remote] = ends.map(|end| end.parse().unwrap());
        let tuple = FourTuple::new(local, remote);
        let mut packet = vec![0; bare_ack_len(&tuple)];
        write_bare_ack(&mut packet, &tuple, BareAck { seq: Seq(7), ack: Seq(9), window: 1000 });
        rewrite_fin(&mut packet, false);
        let tcp = packet.len() - 20;
        packet[tcp + 13] = flags;
        packet.extend_from_slice(payload);
        let len = packet.len() as u16;
        let is_v4 = packet[0] >> 4 == 4;
        if is_v4 {
            packet[2..4].copy_from_slice(&len.to_be_bytes());
        } else {
            packet[4..6].copy_from_slice(&(len - 40).to_be_bytes());
        }
        frame(if is_v4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 }, &packet)
    }

    fn frame(ethertype: [u8; 2], packet: &[u8]) -> Vec<u8> {
        [&[2; 12][..], &ethertype, packet].concat()
    }

    fn kinds(frame: &[u8]) -> String {
        let kinds = FrameKind::NAMES.iter().filter(|(kind, _)| kind.matches(frame));
        kinds.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn segments_are_of_the_kinds_that_their_flags_and_their_payload_say() {
        for ends in [V4, V6] {
            for (flags, payload, expected) in [
                (0x02, &b""[..], "syn any"),
                (0x12, b"", "synack any"),
                (0x10, b"", "ack any"),
                (0x18, b"x", "data any"),
                (0x11, b"", "fin any"),
                (0x19, b"x", "fin data any"),
                (0x04, b"", "rst any"),
                (0x14, b"", "rst any"),
                (0x00, b"", "any"),
            ] {
                assert_eq!(kinds(&tcp(ends, flags, payload)), expected, "{flags:#x}");
            }
        }
    }

    #[test]
    fn datagrams_are_found_in_both_families_and_behind_extension_headers() {
        let v4 = |protocol: u8| {
            let mut packet = vec![0; 28];
            (packet[0], packet[3], packet[9]) = (0x45, 28, protocol);
            frame(ETHERTYPE_IPV4, &packet)
        };
        assert_eq!(kinds(&v4(17)), "udp any");
        assert_eq!(kinds(&v4(1)), "any");
        let v6 = |next: u8, headers: &[u8]| {
            let mut packet = vec![0; 40];
            (packet[0], packet[6]) = (0x60, next);
            frame(ETHERTYPE_IPV6, &[&packet, headers, &[0; 8]].concat())
        };
        assert_eq!(kinds(&v6(17, &[])), "udp any");
        assert_eq!(kinds(&v6(44, &[17, 0, 0, 1, 0, 0, 0, 1])), "udp any");
        let two = [&[60, 0, 0, 0, 0, 0, 0, 0][..], &[17, 1], &[0; 14]].concat();
        assert_eq!(kinds(&v6(0, &two)), "udp any");
        assert_eq!(kinds(&v6(58, &[])), "any");
        // One that is cut off is nothing.
        assert_eq!(kinds(&v6(0, &[17, 200])), "any");
        assert_eq!(kinds(&frame([0x08, 0x06], &[0; 28])), "any");
        assert_eq!(kinds(&[0; 13]), "");
    }

    #[test]
    fn what_is_written_is_read_and_written_again() {
        for text in ["client:syn:1", "a.b-c_d:any:7-9", "server:synack:18446744073709551615"] {
            assert_eq!(text.parse::<FrameMatch>().unwrap().to_string(), text);
        }
        assert_eq!("A:SYN:3-3".parse::<FrameMatch>().unwrap().to_string(), "A:syn:3");
    }

    #[test]
    fn what_is_no_match_is_refused_with_what_to_give() {
        let shape = "frames are written as HOST:KIND:N or HOST:KIND:N-M, such as client:syn:1";
        for (text, expected) in [
            ("", shape),
            ("client", shape),
            ("client:syn", shape),
            ("client:syn:1:2", shape),
            (
                "client:sin:1",
                "\"sin\" is no kind of frames: give one of syn, synack, fin, rst, \
                              data, ack, udp, any",
            ),
            (":syn:1", "\"\" is no name of a host"),
            ("client:syn:0", "the first frame is number 1"),
            ("client:syn:5-3", "3 comes before 5"),
            ("client:syn:first", "\"first\" is no number of a frame: count from 1"),
            ("client:syn:1-", "\"\" is no number of a frame: count from 1"),
            ("client:syn:-1", "\"\" is no number of a frame: count from 1"),
        ] {
            assert_eq!(text.parse::<FrameMatch>().unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn frames_of_the_kind_are_counted_whoever_may_have_sent_others() {
        let (syn, ack) = (tcp(V4, 0x02, b""), tcp(V4, 0x10, b""));
        let mut counted = CountedMatch::new("client:syn:2-3".parse().unwrap());
        let mut taken = Vec::new();
        for (host, frame) in [
            ("client", &syn),
            ("client", &ack),
            ("server", &syn),
            ("Client", &syn),
            ("client", &syn),
            ("client", &syn),
        ] {
            taken.push(counted.takes(host, frame));
        }
        assert_eq!(taken, [false, false, false, true, true, false]);
    }
}
