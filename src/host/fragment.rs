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

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// Length of IPv6's Fragment header.
const FRAGMENT_HEADER: usize = 8;
/// IPv6's next-header numbers that may stand before a Fragment header, and its own.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

/// The largest packet that a length field can tell.
const LARGEST_PACKET: usize = 65_535;
const SECOND: u64 = 1_000_000_000;
/// Linux's `net.ipv4.ipfrag_time`.
const IPV4_TIMEOUT: u64 = 30 * SECOND;
/// RFC 8200 4.5, and Linux's `net.ipv6.ip6frag_time`.
const IPV6_TIMEOUT: u64 = 60 * SECOND;
/// Packets that are being put together at a time; the oldest gives way.
const MOST_PACKETS: usize = 1024;
/// Bytes that all of them take; the oldest gives way (Linux's `ipfrag_high_thresh`).
const MOST_BYTES: usize = 4 << 20;
/// What a fragment takes beside its payload, so that many small ones are bounded as well.
const OVERHEAD: usize = 128;

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
    fn to_vec(&self) -> Vec<u8> {
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
        write_ipv4_length(&mut piece[..IPV4_HEADER], payload.len());
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
        piece[6] = FRAGMENT;
        piece[40] = header[6];
        let fields = (index * most) as u16 | u16::from(more);
        piece[42..44].copy_from_slice(&fields.to_be_bytes());
        piece[44..48].copy_from_slice(&id.to_be_bytes());
        Piece { header: piece, header_len: IPV6_HEADER + FRAGMENT_HEADER, payload }
    }))
}

/// Sets the total length and the checksum of an IPv4 header.
fn write_ipv4_length(header: &mut [u8], payload: usize) {
    let len = (header.len() + payload) as u16;
    header[2..4].copy_from_slice(&len.to_be_bytes());
    header[10..12].fill(0);
    let mut sum: u32 =
        header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    header[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// A received fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    key: Key,
    /// Where its payload begins in the packet's.
    offset: usize,
    more: bool,
    /// What stands before the payload, without IPv6's Fragment header.
    headers: &'a [u8],
    /// Where in `headers` IPv6's next header is told.
    next_header_at: usize,
    next_header: u8,
    payload: &'a [u8],
}

/// Which packet a fragment is a part of. RFC 791 has the protocol in it, RFC 8200 has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    protocol: u8,
}

impl<'a> Fragment<'a> {
    /// Reads a packet whose IP header is known to be valid; `None` when it is not a fragment, or
    /// malformed. Bytes after the packet's length are padding.
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Fragment<'a>> {
        match packet.first()? >> 4 {
            4 => Fragment::parse_ipv4(packet),
            6 => Fragment::parse_ipv6(packet),
            _ => None,
        }
    }

    fn parse_ipv4(packet: &'a [u8]) -> Option<Fragment<'a>> {
        let fixed: &[u8; IPV4_HEADER] = packet.first_chunk()?;
        let fields = u16::from_be_bytes([fixed[6], fixed[7]]);
        if fields & 0x3fff == 0 {
            return None;
        }
        let header_len = usize::from(fixed[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if header_len < IPV4_HEADER {
            return None;
        }
        let address = |at: usize| {
            IpAddr::V4(Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]))
        };
        Some(Fragment {
            key: Key {
                source: address(12),
                destination: address(16),
                id: u32::from(u16::from_be_bytes([fixed[4], fixed[5]])),
                protocol: fixed[9],
            },
            offset: usize::from(fields & 0x1fff) * 8,
            more: fields & 0x2000 != 0,
            headers: packet.get(..header_len)?,
            next_header_at: 9,
            next_header: fixed[9],
            payload: packet.get(header_len..total_len)?,
        })
    }

    fn parse_ipv6(packet: &'a [u8]) -> Option<Fragment<'a>> {
        let fixed: &[u8; IPV6_HEADER] = packet.first_chunk()?;
        let end = IPV6_HEADER + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        let packet = packet.get(..end)?;
        let (mut next_header_at, mut at) = (6, IPV6_HEADER);
        while packet[next_header_at] != FRAGMENT {
            if !matches!(packet[next_header_at], HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS) {
                return None;
            }
            next_header_at = at;
            at += (usize::from(*packet.get(at + 1)?) + 1) * 8;
        }
        let header: &[u8; FRAGMENT_HEADER] = packet.get(at..)?.first_chunk()?;
        let address = |at: usize| {
            let octets: [u8; 16] = std::array::from_fn(|octet| fixed[at + octet]);
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        let fields = u16::from_be_bytes([header[2], header[3]]);
        Some(Fragment {
            key: Key {
                source: address(8),
                destination: address(24),
                id: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
                protocol: FRAGMENT,
            },
            offset: usize::from(fields & 0xfff8),
            more: fields & 1 != 0,
            headers: &packet[..at],
            next_header_at,
            next_header: header[0],
            payload: &packet[at + FRAGMENT_HEADER..],
        })
    }

    /// Whether it is a whole packet after all (RFC 6946: an atomic fragment).
    fn is_whole(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// The headers that the whole packet has, taken from its first fragment.
    fn headers_of_whole(&self) -> Vec<u8> {
        let mut headers = self.headers.to_vec();
        if headers[0] >> 4 == 6 {
            headers[self.next_header_at] = self.next_header;
        } else {
            headers[6..8].fill(0);
        }
        headers
    }
}

/// A packet that was put together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) packet: Vec<u8>,
    /// No fragment can have been changed on its way.
    pub(crate) intact: bool,
}

/// A packet that was not whole in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    /// Its first fragment, for an ICMP error to quote (RFC 792, RFC 4443 3.3); as if it were a
    /// packet of its own.
    pub(crate) first: Vec<u8>,
}

/// What a reassembler did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReassemblyCounters {
    pub(crate) whole: u64,
    /// Packets that were not whole in time.
    pub(crate) timed_out: u64,
    /// Packets given up because their fragments overlap or contradict each other.
    pub(crate) contradictory: u64,
    /// Packets given up for want of room.
    pub(crate) evicted: u64,
    /// Fragments that had come already.
    pub(crate) duplicates: u64,
}

/// A packet of which some fragments are there.
#[derive(Debug)]
struct Assembly {
    age: u64,
    deadline: u64,
    /// By offset; they never overlap.
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Of the first fragment, once it came.
    headers: Option<Vec<u8>>,
    intact: bool,
    /// Of the payload that is there.
    len: usize,
    /// Where the furthest piece ends.
    end: usize,
    /// Whether `end` is the packet's, because the last fragment came.
    end_known: bool,
    /// What it counts for.
    bytes: usize,
}

/// Why a fragment was not taken.
enum Refusal {
    Duplicate,
    /// The fragment is useless by itself.
    Malformed,
    /// The packet can no longer be told.
    Contradiction,
}

impl Assembly {
    fn insert(&mut self, fragment: &Fragment<'_>) -> Result<(), Refusal> {
        // Only the last fragment's length need not be a multiple of 8. Linux cuts IPv4's.
        let mut payload = fragment.payload;
        if fragment.more && !payload.len().is_multiple_of(8) {
            if fragment.headers[0] >> 4 == 6 {
                return Err(Refusal::Malformed);
            }
            payload = &payload[..payload.len() & !7];
        }
        let (offset, end) = (fragment.offset, fragment.offset + payload.len());
        if payload.is_empty() {
            return Err(Refusal::Contradiction);
        }
        // IPv6's own header does not count.
        let uncounted = if fragment.headers[0] >> 4 == 6 { IPV6_HEADER } else { 0 };
        if end + fragment.headers.len() - uncounted > LARGEST_PACKET {
            return Err(Refusal::Malformed);
        }
        let contradicts = if fragment.more {
            self.end_known && end > self.end
        } else {
            end < self.end || (self.end_known && end != self.end)
        };
        if contradicts {
            return Err(Refusal::Contradiction);
        }
        if self.pieces.range(..end).next_back().is_some_and(|(at, piece)| at + piece.len() > offset)
        {
            let covered = self.covers(offset, end);
            return Err(if covered { Refusal::Duplicate } else { Refusal::Contradiction });
        }
        if offset == 0 {
            self.headers = Some(fragment.headers_of_whole());
        }
        self.len += payload.len();
        self.end = self.end.max(end);
        self.end_known |= !fragment.more;
        self.bytes += payload.len() + OVERHEAD;
        self.pieces.insert(offset, payload.to_vec());
        Ok(())
    }

    /// Whether every byte from `start` to `end` is there.
    fn covers(&self, start: usize, end: usize) -> bool {
        let Some((first, _)) = self.pieces.range(..=start).next_back() else { return false };
        let mut reached = *first;
        for (at, piece) in self.pieces.range(*first..end) {
            if *at != reached {
                return false;
            }
            reached += piece.len();
        }
        reached >= end
    }

    fn is_whole(&self) -> bool {
        self.end_known && self.len == self.end && self.headers.is_some()
    }

    fn join(self) -> Option<Whole> {
        let packet = with_payload(self.headers?, self.pieces.into_values())?;
        Some(Whole { packet, intact: self.intact })
    }

    fn expire(mut self) -> Option<Expired> {
        let first = self.pieces.remove(&0)?;
        Some(Expired { first: with_payload(self.headers?, std::iter::once(first))? })
    }
}

/// A packet of these headers, with the length and checksum that they need, and this payload.
fn with_payload(headers: Vec<u8>, pieces: impl Iterator<Item = Vec<u8>>) -> Option<Vec<u8>> {
    let (header_len, is_ipv6) = (headers.len(), headers[0] >> 4 == 6);
    let mut packet = headers;
    pieces.for_each(|piece| packet.extend_from_slice(&piece));
    let len = packet.len() - if is_ipv6 { IPV6_HEADER } else { 0 };
    if len > LARGEST_PACKET {
        return None;
    }
    if is_ipv6 {
        packet[4..6].copy_from_slice(&(len as u16).to_be_bytes());
    } else {
        let payload = len - header_len;
        write_ipv4_length(&mut packet[..header_len], payload);
    }
    Some(packet)
}

/// The packets of a host that are being put together.
#[derive(Debug, Default)]
pub(crate) struct Reassembler {
    by_key: BTreeMap<Key, Assembly>,
    by_age: BTreeMap<u64, Key>,
    /// Deadline and age.
    deadlines: BTreeSet<(u64, u64)>,
    next_age: u64,
    bytes: usize,
    counters: ReassemblyCounters,
}

impl Reassembler {
    /// Takes in a fragment; the packet, when it was the last that was missing. `intact` says
    /// that nothing on the way can have changed it.
    ///
    /// Fragments that overlap end the packet they are of, as RFC 8200 4.5 demands and Linux does
    /// for IPv4 as well; one that is there already is ignored.
    pub(crate) fn add(&mut self, now: u64, fragment: &Fragment<'_>, intact: bool) -> Option<Whole> {
        if fragment.is_whole() {
            let payload = std::iter::once(fragment.payload.to_vec());
            let packet = with_payload(fragment.headers_of_whole(), payload)?;
            return Some(Whole { packet, intact });
        }
        let key = fragment.key;
        let mut assembly = match self.take(&key) {
            Some(assembly) => assembly,
            None => self.begin(now, &key),
        };
        match assembly.insert(fragment) {
            Ok(()) => assembly.intact &= intact,
            Err(Refusal::Duplicate) => self.counters.duplicates += 1,
            Err(Refusal::Malformed) => {}
            Err(Refusal::Contradiction) => {
                self.counters.contradictory += 1;
                return None;
            }
        }
        if assembly.is_whole() {
            self.counters.whole += 1;
            return assembly.join();
        }
        if !assembly.pieces.is_empty() {
            self.put(key, assembly);
            self.make_room();
        }
        None
    }

    /// When [`Reassembler::expire`] is next needed.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Gives up what was not whole in time. Those packets whose first fragment had come are
    /// returned, because their senders are told.
    pub(crate) fn expire(&mut self, now: u64) -> Vec<Expired> {
        let mut expired = Vec::new();
        while let Some((deadline, age)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.counters.timed_out += 1;
            expired.extend(self.take_aged(age).and_then(Assembly::expire));
        }
        expired
    }

    #[cfg(test)]
    pub(crate) fn counters(&self) -> ReassemblyCounters {
        self.counters
    }

    fn begin(&mut self, now: u64, key: &Key) -> Assembly {
        let timeout = if key.source.is_ipv6() { IPV6_TIMEOUT } else { IPV4_TIMEOUT };
        self.next_age += 1;
        Assembly {
            age: self.next_age,
            deadline: now.saturating_add(timeout),
            pieces: BTreeMap::new(),
            headers: None,
            intact: true,
            len: 0,
            end: 0,
            end_known: false,
            bytes: 0,
        }
    }

    fn put(&mut self, key: Key, assembly: Assembly) {
        self.bytes += assembly.bytes;
        self.by_age.insert(assembly.age, key);
        self.deadlines.insert((assembly.deadline, assembly.age));
        self.by_key.insert(key, assembly);
    }

    fn take(&mut self, key: &Key) -> Option<Assembly> {
        let assembly = self.by_key.remove(key)?;
        self.by_age.remove(&assembly.age);
        self.deadlines.remove(&(assembly.deadline, assembly.age));
        self.bytes -= assembly.bytes;
        Some(assembly)
    }

    fn take_aged(&mut self, age: u64) -> Option<Assembly> {
        let key = *self.by_age.get(&age)?;
        self.take(&key)
    }

    fn make_room(&mut self) {
        while self.by_key.len() > MOST_PACKETS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.by_age.keys().next().copied() else { return };
            self.counters.evicted += 1;
            self.take_aged(oldest);
        }
    }
}

#[cfg(test)]
mod tests;
